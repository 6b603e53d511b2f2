package config

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

//go:generate go test -run TestExampleIsConfig -update .

//go:embed skjold.example.yaml
var example string

// Example returns the documented configuration file. Every setting is there, commented out with its default, below its
// manual.
func Example() []byte { return []byte(example) }

// Render returns the documented file with some settings filled in, by full key (limits.page_max) and in any form that
// the file or the environment may have. The error is a KeyError for a key that does not exist or a value of the wrong
// type; whether the values fit together is Validate's to say.
func Render(overrides map[string]any) ([]byte, error) {
	lines := strings.Split(example, "\n")
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		k, ok := keyNamed(name)
		if !ok {
			return nil, unknown(name, "", "key", nearest(name, keyNames()))
		}
		var c Config
		if err := k.set(&c, overrides[name]); err != nil {
			return nil, c.problem(k, overrides[name], err.Error())
		}
		i := lineOf(lines, name)
		if i < 0 {
			return nil, fmt.Errorf("the example file has no line for %s", name)
		}
		indent, _, _ := strings.Cut(lines[i], "#")
		lines[i] = indent + lastPart(name) + ": " + k.yaml(&c)
	}
	return []byte(strings.Join(lines, "\n")), nil
}

// yaml is the key's value as YAML, secrets included.
func (k key) yaml(c *Config) string {
	switch v := k.in(c).Interface().(type) {
	case string:
		return quoted(v)
	case SecretURL:
		return quoted(string(v))
	case Secret:
		return quoted(string(v))
	default:
		return k.text(c)
	}
}

// quoted writes a text plainly where YAML reads it back as that text, and else in double quotes, whose escapes are the
// same as Go's.
func quoted(s string) string {
	tree, err := parseYAML([]byte("k: " + s))
	if err == nil && tree["k"] == s && len(tree) == 1 {
		return s
	}
	return strconv.Quote(s)
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// lineOf finds the line of the example file that has a setting: commented out, without a space after the #, within its
// section.
func lineOf(lines []string, name string) int {
	section, indent := "", ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		section, indent = name[:i]+":", "  "
	}
	from := 0
	if section != "" {
		from = slices.Index(lines, section)
	}
	if from < 0 {
		return -1
	}
	i := slices.IndexFunc(lines[from:], func(line string) bool {
		return strings.HasPrefix(line, indent+"#"+lastPart(name)+": ")
	})
	if i < 0 {
		return -1
	}
	return from + i
}

// usage is the first sentence of a key's manual, from the example file, without its "key is".
func usage(name string) string {
	lines := strings.Split(example, "\n")
	end := lineOf(lines, name)
	var words []string
	for i := end - 1; i >= 0; i-- {
		text, isComment := strings.CutPrefix(strings.TrimSpace(lines[i]), "# ")
		if !isComment {
			break
		}
		words = append([]string{text}, words...)
	}
	text := strings.Join(words, " ")
	if i := strings.Index(text, ". "); i >= 0 {
		text = text[:i]
	}
	if i := strings.Index(text, ": "); i >= 0 {
		text = text[:i]
	}
	text = strings.TrimPrefix(text, lastPart(name)+" ")
	return strings.TrimPrefix(strings.TrimSuffix(text, "."), "is ")
}
