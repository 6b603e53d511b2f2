package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// maxFileSize bounds the configuration file; the example file has a fiftieth of it.
const maxFileSize = 1 << 20

// LoadOptions tells Load where to look.
type LoadOptions struct {
	// File is the path of the YAML file; "" for none. A file that is named must exist.
	File string
	// Flags are a command's flags. Only those declared by AddFlags count, and only where the user gave them.
	Flags *pflag.FlagSet
	// Env is the environment as os.Environ returns it; nil means that of this process.
	Env []string
}

// origins tells by key where its value comes from.
type origins map[string]string

// Load reads the configuration: flag, else environment, else file, else default. The error lists everything that is
// wrong, one KeyError a line, so that an operator mends it in one go.
func Load(o LoadOptions) (*Config, error) {
	if o.Env == nil {
		o.Env = os.Environ()
	}
	fromFile, err := readFile(o.File)
	if err != nil {
		return nil, err
	}
	fromEnv, err := readEnv(o.Env)
	if err != nil {
		return nil, err
	}

	v := viper.New()
	origin := make(origins, len(keys))
	for _, k := range keys {
		v.SetDefault(k.name, k.def)
		origin[k.name] = "default"
	}
	// One map, because viper keeps the file's value where the types of two merged ones differ.
	values := map[string]any{}
	for _, layer := range []struct {
		name   string
		values map[string]any
	}{{"file", fromFile}, {"environment", fromEnv}} {
		for name, value := range layer.values {
			values[name], origin[name] = value, layer.name
		}
	}
	if err := v.MergeConfigMap(nest(values)); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	for name, flag := range boundFlags(o.Flags) {
		if err := v.BindPFlag(name, flag); err != nil {
			return nil, fmt.Errorf("--%s: %w", flag.Name, err)
		}
		if flag.Changed {
			origin[name] = "flag"
		}
	}

	c := &Config{origin: origin}
	var problems []error
	for _, k := range keys {
		if err := k.set(c, v.Get(k.name)); err != nil {
			problems = append(problems, c.problem(k, v.Get(k.name), err.Error()))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	c.derive()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// Default returns the configuration of a node that nobody has configured.
func Default() *Config {
	c := &Config{origin: make(origins, len(keys))}
	for _, k := range keys {
		c.origin[k.name] = "default"
		if err := k.set(c, k.def); err != nil {
			panic("config: the default of " + k.name + " " + err.Error()) // a wrong tag; every test meets it
		}
	}
	c.derive()
	return c
}

// readFile reads the YAML file into values by full key. It is strict: every key must exist at its place.
func readFile(path string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w (skjold init writes a documented one)", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	values, err := parseFile(data)
	if err != nil {
		return nil, fmt.Errorf("configuration file %s: %w", path, err)
	}
	return values, nil
}

func parseFile(data []byte) (map[string]any, error) {
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("it is larger than %v", ByteSize(maxFileSize))
	}
	if line := secondDocument(data); line > 0 {
		return nil, fmt.Errorf("line %d begins a second YAML document; keep everything in one", line)
	}
	tree, err := parseYAML(data)
	if err != nil {
		return nil, fmt.Errorf("it is not valid YAML: %w", err)
	}
	values := map[string]any{}
	return values, errors.Join(flatten(values, "", tree)...)
}

// parseYAML reads one document with viper's own codec, which keeps what viper.ReadConfig loses: the case of keys, and
// empty sections.
func parseYAML(data []byte) (map[string]any, error) {
	decoder, err := viper.NewCodecRegistry().Decoder("yaml")
	if err != nil {
		return nil, err
	}
	tree := map[string]any{}
	return tree, decoder.Decode(data, tree)
}

// secondDocument returns the line number of a document marker after the beginning, 0 for none. Whatever stood behind
// it would be ignored without a word.
func secondDocument(data []byte) int {
	begun := false
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		switch text := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "---") || strings.HasPrefix(line, "..."):
			if begun {
				return n
			}
			begun = true
		case text != "" && !strings.HasPrefix(text, "#"):
			begun = true
		}
	}
	return 0
}

// flatten collects the values of a tree by full key and returns a problem for every key that does not exist. A key
// without a value is as good as absent.
func flatten(values map[string]any, prefix string, tree map[string]any) (problems []error) {
	for _, part := range slices.Sorted(maps.Keys(tree)) {
		name, value := prefix+part, tree[part]
		_, known := keyNamed(name)
		switch below, isSection := value.(map[string]any); {
		case strings.Contains(part, "."):
			problems = append(problems, &KeyError{Key: name, Source: "file",
				Problem: "it is written with dots; write it as keys within each other"})
		case known && value != nil:
			values[name] = value
		case known:
		case slices.Contains(sections, name) && isSection:
			problems = append(problems, flatten(values, name+".", below)...)
		case slices.Contains(sections, name) && value == nil:
		case slices.Contains(sections, name) && kindOf(value) == "a section":
			problems = append(problems, &KeyError{Key: name, Source: "file", Problem: "it has a key that is not text"})
		case slices.Contains(sections, name):
			problems = append(problems, &KeyError{Key: name, Source: "file",
				Problem: "it is " + kindOf(value) + "; want a section, with keys of its own below it"})
		default:
			problems = append(problems, unknown(name, "file", "key", nearest(name, append(keyNames(), sections...))))
		}
	}
	return problems
}

// nest makes the tree of values by full key that viper merges.
func nest(values map[string]any) map[string]any {
	tree := map[string]any{}
	for name, value := range values {
		at := tree
		parts := strings.Split(name, ".")
		for _, part := range parts[:len(parts)-1] {
			below, ok := at[part].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[part] = below
			}
			at = below
		}
		at[parts[len(parts)-1]] = value
	}
	return tree
}
