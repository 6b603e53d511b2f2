package stix

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// corpusPath finds a file of the shared test data, which is not part of the repository: in $SKJOLD_TEST_CORPUS, or in
// shared/corpus beside the root of the repository.
func corpusPath(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SKJOLD_TEST_CORPUS")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			parent := filepath.Dir(root)
			if parent == root {
				t.Fatal("no go.mod above the working directory")
			}
			root = parent
		}
		dir = filepath.Join(root, "..", "shared", "corpus")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the shared test data is not here (%s); set SKJOLD_TEST_CORPUS to its directory to run this test", path)
	}
	return path
}

// corpusLines decodes a file of JSON lines.
func corpusLines[T any](t testing.TB, name string) []T {
	t.Helper()
	data, err := os.ReadFile(corpusPath(t, name))
	if err != nil {
		t.Fatal(err)
	}
	var rows []T
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var row T
		if err := json.Unmarshal(scanner.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no rows", name)
	}
	return rows
}

// corpusBundles are the published STIX 2.1 bundles of the shared test data.
func corpusBundles(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"bundles/*.json", "attack/*.json"} {
		found, err := filepath.Glob(filepath.Join(filepath.Dir(corpusPath(t, "bundles.jsonl")), pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	return files
}
