// Package skjold_test holds the rules that concern the whole tree: which package may import which, and that no text
// depends on the machine that it was written on.
package skjold_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/skjold-exchange/skjold"

// packageRules says for each package which of the project's own packages it may import. The arrows point from mechanism
// to vocabulary: a standard reads alone, engines and caches are invisible to the protocol. A package below one that is
// listed has the rule of that one, and may be imported by it.
var packageRules = map[string][]string{
	"stix":            {},
	"stix/pattern":    {"stix"},
	"sharing":         {"stix"},
	"taxii":           {"stix"},
	"federation":      {"stix", "federation/jose"},
	"federation/jose": {},
	"federation/sync": {"stix", "taxii", "sharing", "federation"},
	"store":           {"stix", "taxii", "sharing", "federation", "federation/sync"},
	"cache":           {"stix", "taxii"},
	"web":             {"stix", "taxii", "sharing", "federation"},
	"export":          {"stix", "taxii", "sharing", "federation"},
	"config":          {},
	"cmd": {"stix", "stix/pattern", "sharing", "taxii", "federation", "federation/jose", "federation/sync",
		"federation/fedtest", "store", "cache", "web", "export", "config"},
	// Support for tests: no part of the node.
	"store/storetest":    {"stix", "taxii", "sharing", "federation", "federation/sync", "store"},
	"federation/fedtest": {"stix", "taxii", "sharing", "federation", "federation/jose", "federation/sync", "store"},
	// The root has only tests.
	".": {},
}

// testMayImport are the project's own packages that the test files of any package may import besides.
var testMayImport = []string{"stix", "stix/pattern", "taxii", "sharing", "federation", "federation/sync", "federation/fedtest", "store",
	"store/storetest"}

// anywhere, as an importer in moduleRules, stands for every package; tests for test files and test support.
const (
	anywhere = "*"
	tests    = "tests"
)

// moduleRules says for each module of others which packages may import it. A module that is not here may not be
// imported: a new dependency is a decision, and this is where it shows.
var moduleRules = map[string][]string{
	"github.com/go-chi/chi/v5":            {"taxii", "cmd"},
	"github.com/go-json-experiment/json":  {"stix", "stix/pattern"},
	"github.com/google/go-cmp":            {tests},
	"github.com/google/uuid":              {"stix", "stix/pattern", "taxii", "store", "cmd"},
	"github.com/jackc/pgx/v5":             {"store", "store/storetest"},
	"github.com/maypok86/otter/v2":        {"cache"},
	"github.com/klauspost/compress":       {"taxii", "cache"},
	"github.com/lestrrat-go/jwx/v3":       {"federation/jose"},
	"github.com/prometheus/client_golang": {anywhere},
	"github.com/redis/go-redis/v9":        {"cache"},
	"github.com/rogpeppe/go-internal":     {tests},
	"github.com/schollz/progressbar/v3":   {"cmd"},
	"github.com/spf13/cobra":              {"cmd"},
	"github.com/spf13/pflag":              {"config", "cmd"},
	"github.com/spf13/viper":              {"config"},
	"go.yaml.in/yaml/v3":                  {tests},
	"golang.org/x/crypto":                 {"store"},
	"golang.org/x/sync":                   {"cmd"},
	"golang.org/x/term":                   {"cmd"},
	"golang.org/x/text":                   {"stix/pattern"},
	"zombiezen.com/go/sqlite":             {"store"},
}

// TestImports holds every import of every Go file, whatever its build tags, against the rules.
func TestImports(t *testing.T) {
	files := 0
	walk(t, func(name string) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		files++
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if broken := brokenRule(name, imported); broken != "" {
				t.Errorf("%s imports %s: %s", name, imported, broken)
			}
		}
	})
	if files < 10 {
		t.Errorf("only %d Go files found: the test does not see the tree", files)
	}
}

// brokenRule says which rule an import breaks, "" for none. name is the path of the file from the root.
func brokenRule(name, imported string) string {
	from, ruled := ruleOf(path.Dir(name))
	if !ruled {
		return "package " + path.Dir(name) + " has no rule; say in packageRules what it may import"
	}
	isTest := strings.HasSuffix(name, "_test.go")
	if own, ok := strings.CutPrefix(imported, module); ok {
		return brokenOwn(from, strings.TrimPrefix(own, "/"), isTest)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		if imported == "C" {
			return "cgo is not allowed: the binary must be static"
		}
		return "" // the standard library
	}
	return brokenModule(from, imported, isTest)
}

func brokenOwn(from, imported string, isTest bool) string {
	to, _ := ruleOf(imported)
	switch {
	case to == from, slices.Contains(packageRules[from], to):
		return ""
	case to == "cmd":
		return "nobody imports cmd"
	case isTest && slices.Contains(testMayImport, to):
		return ""
	case to == "config" || to == "cache" || to == "store":
		return "only cmd imports config, store and cache"
	case to == "store/storetest" || to == "federation/fedtest":
		return "support for tests is imported by tests only"
	}
	return "package " + from + " may import of the project only: " + strings.Join(packageRules[from], ", ")
}

func brokenModule(from, imported string, isTest bool) string {
	for name, importers := range moduleRules {
		if imported != name && !strings.HasPrefix(imported, name+"/") {
			continue
		}
		support := from == "store/storetest" || from == "federation/fedtest"
		if slices.Contains(importers, anywhere) || slices.Contains(importers, from) ||
			slices.Contains(importers, tests) && (isTest || support) {
			return ""
		}
		return name + " may be imported only by: " + strings.Join(importers, ", ")
	}
	return "this module is not among the dependencies in moduleRules"
}

// ruleOf finds the rule of a directory: its own, or that of the nearest one above. federation's parts differ too much
// to inherit; each has a rule of its own.
func ruleOf(dir string) (string, bool) {
	for at := dir; ; at = path.Dir(at) {
		if _, ok := packageRules[at]; ok && (at == dir || at != "federation" && at != ".") {
			return at, true
		}
		if at == "." || at == "/" || at == "" {
			return "", false
		}
	}
}

// TestBrokenRule makes sure that the rules bite.
func TestBrokenRule(t *testing.T) {
	const own = module + "/"
	for _, tt := range []struct{ file, imported, want string }{
		{"stix/object.go", "encoding/json", ""},
		{"stix/object.go", "github.com/google/uuid", ""},
		{"stix/object.go", own + "taxii", "package stix may import of the project only: "},
		{"stix/pattern/parser.go", own + "stix", ""},
		{"taxii/server.go", own + "stix", ""},
		{"taxii/server.go", own + "store", "only cmd imports config, store and cache"},
		{"taxii/server.go", own + "federation", "package taxii may import of the project only: stix"},
		{"taxii/server.go", "github.com/jackc/pgx/v5/pgxpool", "github.com/jackc/pgx/v5 may be imported only by: store, store/storetest"},
		{"taxii/server.go", "github.com/prometheus/client_golang/prometheus", ""},
		{"taxii/server.go", "github.com/google/go-cmp/cmp", "github.com/google/go-cmp may be imported only by: tests"},
		{"taxii/server_test.go", "github.com/google/go-cmp/cmp", ""},
		{"taxii/server_test.go", own + "store", ""},
		{"taxii/server_test.go", own + "cmd/skjold", "nobody imports cmd"},
		{"federation/keys.go", "github.com/lestrrat-go/jwx/v3/jwk", "github.com/lestrrat-go/jwx/v3 may be imported only by: federation/jose"},
		{"federation/jose/jws.go", "github.com/lestrrat-go/jwx/v3/jws", ""},
		{"federation/sync/puller.go", own + "store/storetest", "support for tests is imported by tests only"},
		{"federation/sync/puller_test.go", own + "store/storetest", ""},
		{"store/storetest/suite.go", "github.com/google/go-cmp/cmp", ""},
		{"store/storetest/suite.go", own + "store", ""},
		{"store/internal/sqltext/text.go", own + "store", ""},
		{"store/store.go", own + "store/internal/sqltext", ""},
		{"cache/cache.go", own + "store", "only cmd imports config, store and cache"},
		{"cache/cache_test.go", own + "store", ""},
		{"cmd/skjold/serve.go", own + "config", ""},
		{"cmd/skjold/serve.go", "github.com/spf13/viper", "github.com/spf13/viper may be imported only by: config"},
		{"cmd/skjold/serve.go", "github.com/pkg/errors", "this module is not among the dependencies in moduleRules"},
		{"cmd/skjold/serve.go", "C", "cgo is not allowed: the binary must be static"},
		{"util/util.go", "fmt", "package util has no rule; say in packageRules what it may import"},
		{"federation/mesh/mesh.go", "fmt", "package federation/mesh has no rule; say in packageRules what it may import"},
	} {
		if got := brokenRule(tt.file, tt.imported); got != tt.want {
			t.Errorf("%s imports %s:\n got %q\nwant %q", tt.file, tt.imported, got, tt.want)
		}
	}
}

// machineText finds what ties a text to one machine: the hosts that modules and images are downloaded from, and
// paths of somebody's directories. The expressions are written so that they do not find themselves.
var machineText = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a registry's host", regexp.MustCompile(`\b(proxy|sum)[.]golang[.]org\b|\bregistry[.-][a-z0-9.-]+[.][a-z]{2,}\b|` +
		`\b(docker|gcr|ghcr|quay)[.]io\b|\bpypi[.]org\b|\bdeb[.]debian[.]org\b|\bmirror[s]?[.][a-z0-9-]+[.][a-z]{2,}\b`)},
	{"a path of one machine", regexp.MustCompile(`(^|[^\w.~-])/(work|root|home|Users|mnt)/[\w.]|[A-Z]:\\Users\\|/tmp/[a-z]+_[a-z]+[.]`)},
}

// TestNoMachineText reads every text of the project.
func TestNoMachineText(t *testing.T) {
	kinds := []string{".go", ".md", ".sh", ".sql", ".yaml", ".yml", ".txt", ".txtar"}
	names := []string{"Dockerfile", ".dockerignore", ".ci/run", ".gitignore"}
	read := 0
	walk(t, func(name string) {
		if !slices.Contains(kinds, path.Ext(name)) && !slices.Contains(names, name) {
			return
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		read++
		n := 0
		for line := range strings.Lines(string(data)) {
			n++
			for _, m := range machineText {
				if found := m.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q is %s", name, n, found, m.what)
				}
			}
		}
	})
	if read < 10 {
		t.Errorf("only %d texts found: the test does not see the tree", read)
	}
}

// TestMachineText makes sure that the expressions find what they should, and no more.
func TestMachineText(t *testing.T) {
	for text, want := range map[string]bool{
		"GOPROXY=https://proxy" + ".golang.org":  true,
		"FROM gcr" + ".io/distroless/static":     true,
		"pull registry" + ".example.org/skjold":  true,
		`root := "/work` + `/main"`:              true,
		"cd /home" + "/anna/skjold":              true,
		"cd ~/work/skjold":                       false,
		"../shared/corpus":                       false,
		"https://example.org/home/page":          false,
		"the registry of metrics":                false,
		"registry.MustRegister(m.requests)":      false,
		"FROM golang:1.26 AS build":              false,
		"github.com/prometheus/client_golang":    false,
		"/var/lib/skjold, /data and /etc/skjold": false,
	} {
		found := false
		for _, m := range machineText {
			found = found || m.pattern.MatchString(text)
		}
		if found != want {
			t.Errorf("%q: found %v, want %v", text, found, want)
		}
	}
}

// walk calls visit with the path of every file of the project, leaving out what git and the editors keep.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && base != ".ci" && (strings.HasPrefix(base, ".") || base == "skjold-data" || base == "dist") {
				return fs.SkipDir
			}
			return nil
		}
		visit(filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
