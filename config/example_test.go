package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write skjold.example.yaml anew from the comments of Config")

const exampleHeader = `# The configuration of a Skjold node.
#
# Every setting is listed here with its default, commented out. To change one, remove the # before it.
# A command-line flag beats an environment variable, which beats this file, which beats the default. The
# variable of a setting is SKJOLD_ and its full name in capitals: limits.page_max is SKJOLD_LIMITS_PAGE_MAX.
# A key or SKJOLD_ variable that does not exist is refused at start. A change takes effect when the node restarts.
`

// TestExampleIsConfig holds the example file and the comments of Config equal.
func TestExampleIsConfig(t *testing.T) {
	want := exampleHeader + document(t)
	if *update {
		if err := os.WriteFile("skjold.example.yaml", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(Example()), "\n")); diff != "" {
		t.Errorf("skjold.example.yaml is not what the comments of Config say; run go generate ./config\n(-comments +file):\n%s", diff)
	}
}

// document writes the body of the example file from the source of Config.
func document(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	structs := map[string]*ast.StructType{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
		return true
	})
	var b strings.Builder
	writeStruct(t, &b, structs, "Config", "")
	return b.String()
}

func writeStruct(t *testing.T, b *strings.Builder, structs map[string]*ast.StructType, name, indent string) {
	t.Helper()
	for _, field := range structs[name].Fields.List {
		if !field.Names[0].IsExported() {
			continue
		}
		goName := field.Names[0].Name
		quotedTag, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		tag := reflect.StructTag(quotedTag)
		key := tag.Get("yaml")
		manual := strings.TrimSpace(field.Doc.Text())
		if manual == "" {
			t.Errorf("Config: %s has no comment, so the manual says nothing about %s", goName, key)
		}
		if rest, ok := strings.CutPrefix(manual, goName+" "); ok {
			manual = key + " " + rest
		} else {
			t.Errorf("Config: the comment of %s does not begin with its name", goName)
		}
		b.WriteString("\n")
		for _, line := range strings.Split(manual, "\n") {
			b.WriteString(indent + "# " + line + "\n")
		}
		if ident, ok := field.Type.(*ast.Ident); ok && structs[ident.Name] != nil {
			b.WriteString(indent + key + ":\n")
			writeStruct(t, b, structs, ident.Name, indent+"  ")
			continue
		}
		def := tag.Get("default")
		if def == "" {
			def = `""`
		}
		fmt.Fprintf(b, "%s#%s: %s\n", indent, key, def)
	}
}

// TestExampleDefaults uncomments every setting of the example: it must load, and change nothing.
func TestExampleDefaults(t *testing.T) {
	lines := strings.Split(string(Example()), "\n")
	count := 0
	for i, line := range lines {
		text := strings.TrimLeft(line, " ")
		if strings.HasPrefix(text, "#") && len(text) > 1 && text[1] != ' ' {
			lines[i] = strings.Replace(line, "#", "", 1)
			count++
		}
	}
	if count != len(keys) {
		t.Errorf("the example file has %d settings, Config %d", count, len(keys))
	}
	for name, text := range map[string]string{"as it is": string(Example()), "uncommented": strings.Join(lines, "\n")} {
		got, err := Load(LoadOptions{File: write(t, text), Env: []string{}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(Default(), got, ignoreOrigin); diff != "" {
			t.Errorf("%s (-default +loaded):\n%s", name, diff)
		}
	}
}

func TestRender(t *testing.T) {
	overrides := map[string]any{
		"entity":                   "https://skjold.example.dk",
		"listen":                   "0.0.0.0:8443",
		"behind_proxy":             true,
		"trusted_proxies":          "10.0.0.0/24,2001:db8::/64",
		"title":                    "Køge: \"drift\" # vagt",
		"contact":                  "true",
		"description":              " a\tb",
		"database.url":             "postgres://skjold:s3cr%20et@db/skjold",
		"limits.page_max":          5000,
		"limits.object_size":       4 * MiB,
		"federation.poll_interval": "15s",
		"metrics.public":           "true",
	}
	data, err := Render(overrides)
	if err != nil {
		t.Fatal(err)
	}
	// A tab is a control character, which Validate refuses; Render's own task is only to write it down faithfully.
	values, err := parseFile(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	want := map[string]any{
		"entity":                   "https://skjold.example.dk",
		"listen":                   "0.0.0.0:8443",
		"behind_proxy":             true,
		"trusted_proxies":          []any{"10.0.0.0/24", "2001:db8::/64"},
		"title":                    "Køge: \"drift\" # vagt",
		"contact":                  "true",
		"description":              " a\tb",
		"database.url":             "postgres://skjold:s3cr%20et@db/skjold",
		"limits.page_max":          5000,
		"limits.object_size":       "4MiB",
		"federation.poll_interval": "15s",
		"metrics.public":           true,
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("rendered file (-want +got):\n%s", diff)
	}
	if got, want := strings.Count(string(data), "\n"), strings.Count(string(Example()), "\n"); got != want {
		t.Errorf("the rendered file has %d lines, the example %d: some of the manual went missing", got, want)
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, overrides := range map[string]map[string]any{
		"limits.page_maximum": {"limits.page_maximum": 5},
		"limits.page_max":     {"limits.page_max": "many"},
		"limits":              {"limits": 5},
	} {
		data, err := Render(overrides)
		if k := keyError(t, err); k.Key != name || data != nil {
			t.Errorf("%s: got %q, %v", name, data, err)
		}
	}
}

func FuzzRenderText(f *testing.F) {
	for _, s := range []string{"", "a", "a: b", "- x", "#", "'", `"\x00`, "null", "1_0", "0x1f", "\u2028", "é", "a\n b", "!!int 1", "&a", "~", "2001-01-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data, err := Render(map[string]any{"title": s})
		if err != nil {
			return // not UTF-8
		}
		values, err := parseFile(data)
		if err != nil {
			t.Fatalf("Render wrote what cannot be read: %v", err)
		}
		if got, _ := values["title"].(string); got != s {
			t.Fatalf("title %q came back as %q", s, values["title"])
		}
	})
}

// write puts a configuration file into a directory of the test.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "skjold.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
