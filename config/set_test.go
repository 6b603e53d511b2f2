package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSet changes settings of every shape in files of every shape, and nothing else in them.
func TestSet(t *testing.T) {
	for name, c := range map[string]struct {
		file, key, value string
		want             string
	}{
		"an empty file":                 {"", "title", "Ours", "title: Ours\n"},
		"a section that is not there":   {"title: A\n", "federation.charter", "abc", "title: A\nfederation:\n  charter: abc\n"},
		"a section without the key":     {"federation:\n  lenient: true\ntitle: A\n", "federation.charter", "abc", "federation:\n  charter: abc\n  lenient: true\ntitle: A\n"},
		"commented out":                 {"# why\n#title: Skjold\nlisten: 127.0.0.1:1\n", "title", "A: B", "# why\ntitle: \"A: B\"\nlisten: 127.0.0.1:1\n"},
		"set before its comment":        {"title: A # mine\n#title: B\n", "title", "C", "title: C\n#title: B\n"},
		"of the same name elsewhere":    {"api_root:\n  #title: Main\n#title: Skjold\n", "title", "A", "api_root:\n  #title: Main\ntitle: A\n"},
		"of the same name in a section": {"title: A\napi_root:\n  #title: Main\n", "api_root.title", "B", "title: A\napi_root:\n  title: B\n"},
		"a list":                        {"federation:\n  superiors: [https://a.example]\n", "federation.superiors", "https://b.example, https://c.example", "federation:\n  superiors: [https://b.example, https://c.example]\n"},
		"a number":                      {"limits:\n  page_max: 5\n", "limits.page_max", "7", "limits:\n  page_max: 7\n"},
		"no line feed at the end":       {"title: A", "title", "B", "title: B\n"},
	} {
		got, err := Set([]byte(c.file), c.key, c.value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for want, c := range map[string][3]string{
		"did you mean":        {"", "federation.chartr", "x"},
		"want a whole number": {"", "limits.page_max", "many"},
		"only a person":       {"federation:\n  superiors:\n  - https://a.example\n", "federation.superiors", "https://b.example"},
		"only a person can":   {"federation: {lenient: true}\n", "federation.charter", "x"},
		"way that only":       {"unknown: 1\n", "title", "x"},
	} {
		if got, err := Set([]byte(c[0]), c[1], c[2]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

// TestSetEveryKey sets each key of the example file to its default: the file then says what it said.
func TestSetEveryKey(t *testing.T) {
	file := Example()
	c := Default()
	for _, k := range keys {
		if k.secret() {
			continue
		}
		var err error
		if file, err = Set(file, k.name, k.def); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
	}
	if got, want := strings.Count(string(file), "\n"), strings.Count(string(Example()), "\n"); got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
	path := filepath.Join(t.TempDir(), "skjold.yaml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(LoadOptions{File: path, Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, loaded, ignoreOrigin); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
