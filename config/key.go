package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// key is one setting: a field of Config that is not a section.
type key struct {
	name     string // limits.page_max
	variable string // SKJOLD_LIMITS_PAGE_MAX
	flag     string // limits-page-max
	def      string // the default, as text
	oneof    []string
	field    []int // for reflect.Value.FieldByIndex
	typ      reflect.Type
}

// keys are all settings in the order of Config, which is that of the example file; sections are the nested structs.
var keys, sections = keysOf(reflect.TypeFor[Config](), "", nil)

func keysOf(t reflect.Type, prefix string, path []int) (found []key, sections []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name := prefix + f.Tag.Get("yaml")
		field := append(slices.Clone(path), i)
		if f.Type.Kind() == reflect.Struct {
			below, deeper := keysOf(f.Type, name+".", field)
			found = append(found, below...)
			sections = append(append(sections, name), deeper...)
			continue
		}
		found = append(found, key{
			name:     name,
			variable: variablePrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_")),
			flag:     strings.NewReplacer(".", "-", "_", "-").Replace(name),
			def:      f.Tag.Get("default"),
			oneof:    strings.Fields(f.Tag.Get("oneof")),
			field:    field,
			typ:      f.Type,
		})
	}
	return found, sections
}

func keyNamed(name string) (key, bool) {
	i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
	if i < 0 {
		return key{}, false
	}
	return keys[i], true
}

func keyNames() []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return names
}

// in returns the key's field of a configuration.
func (k key) in(c *Config) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(k.field) }

// secret tells that the value must never appear in a message.
func (k key) secret() bool {
	return k.typ == reflect.TypeFor[SecretURL]() || k.typ == reflect.TypeFor[Secret]()
}

// text is the value in the form that the file and the environment use; secrets are masked.
func (k key) text(c *Config) string {
	switch v := k.in(c).Interface().(type) {
	case time.Duration:
		return durationText(v)
	case []netip.Prefix:
		texts := make([]string, len(v))
		for i, p := range v {
			texts[i] = p.String()
		}
		return "[" + strings.Join(texts, ", ") + "]"
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

// durationText leaves out the zero units that time.Duration.String writes: 24h rather than 24h0m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// set puts a raw value into the key's field. Raw is a text from a flag, the environment or the default, or a scalar or
// list from the YAML file. The error says what is accepted, and never repeats the value.
func (k key) set(c *Config, raw any) error {
	switch field := k.in(c).Addr().Interface().(type) {
	case *string:
		return setText(field, raw)
	case *SecretURL:
		return setText((*string)(field), raw)
	case *Secret:
		return setText((*string)(field), raw)
	case *[]string:
		return setTexts(field, raw)
	case *bool:
		return setWith(field, raw, strconv.ParseBool, "true or false", nil)
	case *int:
		return setWith(field, raw, strconv.Atoi, "a whole number", nil)
	case *ByteSize:
		return setWith(field, raw, ParseByteSize, "a size such as 512KiB, 32MiB or 1GiB", func(n int) (ByteSize, bool) {
			return ByteSize(n), n >= 0
		})
	case *time.Duration:
		return setWith(field, raw, time.ParseDuration, "a duration such as 90s, 15m or 24h", nil)
	case *[]netip.Prefix:
		return setPrefixes(field, raw)
	default:
		panic("config: no way to read a " + k.typ.String()) // a new kind of field; every test meets it
	}
}

func setText(field *string, raw any) error {
	s, ok := raw.(string)
	if !ok {
		return fmt.Errorf("it is %s; want text, in quotes if it looks like something else", kindOf(raw))
	}
	if !utf8.ValidString(s) {
		return errors.New("want UTF-8 text")
	}
	*field = s
	return nil
}

// setWith accepts a value of the field's own type, a text that parse reads, and a number where number can take it.
func setWith[T any](field *T, raw any, parse func(string) (T, error), want string, number func(int) (T, bool)) error {
	switch raw := raw.(type) {
	case T:
		*field = raw
		return nil
	case string:
		v, err := parse(strings.TrimSpace(raw))
		if err != nil {
			return errors.New("want " + want)
		}
		*field = v
		return nil
	case int:
		if number != nil {
			if v, ok := number(raw); ok {
				*field = v
				return nil
			}
		}
	}
	return fmt.Errorf("it is %s; want %s", kindOf(raw), want)
}

// setPrefixes reads a list from the file, or a comma-separated text with or without brackets.
func setPrefixes(field *[]netip.Prefix, raw any) error {
	const want = "want a list of networks such as [10.0.0.0/24, 2001:db8::/64]"
	texts, err := listOf(raw, want)
	if err != nil {
		return err
	}
	prefixes := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("it has %q, which is not a network; %s", text, want)
		}
		prefixes = append(prefixes, p.Masked())
	}
	*field = slices.Clip(prefixes)
	return nil
}

// setTexts reads a list of texts without commas in the forms of setPrefixes.
func setTexts(field *[]string, raw any) error {
	texts, err := listOf(raw, "want a list such as [a, b]")
	if err == nil {
		*field = slices.Clip(texts)
	}
	return err
}

// listOf reads a list from the file, or a comma-separated text with or without brackets.
func listOf(raw any, want string) ([]string, error) {
	var texts []string
	switch raw := raw.(type) {
	case string:
		inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(raw), "["), "]")
		for part := range strings.SplitSeq(inner, ",") {
			if part = strings.TrimSpace(part); part != "" {
				texts = append(texts, part)
			}
		}
	case []any:
		for _, element := range raw {
			text, ok := element.(string)
			if !ok {
				return nil, fmt.Errorf("it has an element that is %s; %s", kindOf(element), want)
			}
			texts = append(texts, text)
		}
	default:
		return nil, fmt.Errorf("it is %s; %s", kindOf(raw), want)
	}
	return texts, nil
}

// kindOf names the kind of a raw value, for messages.
func kindOf(raw any) string {
	switch raw.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case int, int64, uint64, float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any, map[any]any:
		return "a section"
	default:
		return fmt.Sprintf("a %T", raw)
	}
}
