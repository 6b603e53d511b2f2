package stix

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type bundleCase struct {
	File              string
	Objects           int
	BundleSpecVersion *string        `json:"bundle_spec_version"`
	WithErrors        int            `json:"objects_with_lint_errors"`
	Errors            int            `json:"lint_errors"`
	Warnings          int            `json:"lint_warnings"`
	ErrorKinds        map[string]int `json:"error_kinds"`
}

func TestCheckCorpusBundles(t *testing.T) {
	for _, c := range corpusLines[bundleCase](t, "bundles.jsonl") {
		t.Run(filepath.Base(c.File), func(t *testing.T) {
			f, err := os.Open(corpusPath(t, c.File))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r := NewReader(f, DefaultLimits())
			objects, bad, version20, warnings := 0, 0, 0, 0
			for {
				raw, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				objects++
				_, report := Check(raw, Options{})
				warnings += len(report.Warnings)
				if !report.OK() {
					bad++
					if report.Errors[0].Rule == "spec-version-2.0" && len(report.Errors) == 1 {
						version20++
					} else if c.WithErrors == 0 {
						t.Logf("%.200s: %v", raw, report.Errors)
					}
				}
			}
			if objects != c.Objects || bad != c.WithErrors {
				t.Errorf("%d objects, %d with errors; want %d, %d (%v)", objects, bad, c.Objects, c.WithErrors, c.ErrorKinds)
			}
			if c.BundleSpecVersion != nil && (r.BundleSpecVersion() != *c.BundleSpecVersion || version20 != objects) {
				t.Errorf("STIX %q and %d of %d objects recognised as 2.0", r.BundleSpecVersion(), version20, objects)
			}
			if warnings != c.Warnings {
				t.Logf("%d warnings, the other checker has %d", warnings, c.Warnings)
			}
		})
	}
}

// ATT&CK is in wide use and not wholly valid: six empty lists in the ICS domain are all that is wrong with it.
func TestCheckCorpusAttack(t *testing.T) {
	for file, want := range map[string]map[string]int{
		"attack/ics-attack-18.1.json": {"empty-list": 6}, "attack/mobile-attack-17.1.json": {},
	} {
		f, err := os.Open(corpusPath(t, file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r := NewReader(f, DefaultLimits())
		got := map[string]int{}
		for {
			raw, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			_, report := Check(raw, Options{})
			for _, v := range report.Errors {
				got[v.Rule]++
			}
			if !report.Acceptable() {
				t.Errorf("%.100s: %v", raw, report.Errors)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// Digests of published objects can be taken, and are the same for the bytes as published and as split.
func TestDigestCorpus(t *testing.T) {
	for _, file := range corpusBundles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct{ Objects []json.RawMessage }
		if err := json.Unmarshal(data, &bundle); err != nil {
			t.Fatal(err)
		}
		for _, raw := range bundle.Objects {
			a, b := &Object{Raw: raw}, &Object{Raw: appendCompact(nil, raw)}
			x, err := a.Digest()
			if err != nil {
				t.Errorf("%s: %.100s: %v", filepath.Base(file), raw, err)
				continue
			}
			if y, err := b.Digest(); err != nil || x != y {
				t.Errorf("%s: %.100s: the digests differ, %v", filepath.Base(file), raw, err)
			}
		}
	}
}
