package stix

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crossChecked are the violations of a whole input as "index path rule section", errors with "E ", warnings with "W ".
func crossChecked(t testing.TB, x *CrossCheck, objects []*Object) []string {
	t.Helper()
	var out []string
	add := func(index int, r Report) {
		for kind, list := range map[string][]Violation{"E": r.Errors, "W": r.Warnings} {
			for _, v := range list {
				if !strings.HasSuffix(v.Message, ".") || len(v.Message) > 500 {
					t.Errorf("not a short sentence: %v", v)
				}
				out = append(out, fmt.Sprintf("%s %d %s %s %s", kind, index, v.Path, v.Rule, v.Section))
			}
		}
	}
	for i, o := range objects {
		add(i, x.Add(i, o))
	}
	for _, f := range x.Finish() {
		if f.ID != objects[f.Index].ID {
			t.Errorf("the finding about object %d has the id %s", f.Index, f.ID)
		}
		add(f.Index, f.Report)
	}
	slices.Sort(out)
	return out
}

func TestCrossCheck(t *testing.T) {
	const t1, t2, t3 = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"
	const uuid5 = "5adb038a-160d-5d1c-826e-bde4926a0d2d"
	tool := func(modified, members string) string { return string(version(t, modified, members).Raw) }
	withType := func(raw, typ string) string { return strings.ReplaceAll(raw, "tool", typ) }
	sco := func(typ, uuid string) string {
		return fmt.Sprintf(`{"type":%q,"id":"%s--%s","value":"x"}`, typ, typ, uuid)
	}
	translation := func(target, modified string) string {
		return strings.Replace(versionedObject("language-content", fmt.Sprintf(`"object_ref":%q,"object_modified":%q,"contents":{"da":{"name":"n"}}`,
			target, modified)), testUUID, "7b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f", 1)
	}
	custom := func(extension string) string {
		return fmt.Sprintf(`{"type":"x-acme","id":"x-acme%s","extensions":{"extension-definition--9b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f":{"extension_type":%q}}}`,
			testRef, extension)
	}
	relationship := versionedObject("relationship", fmt.Sprintf(`"relationship_type":"uses","source_ref":"tool--%s","target_ref":"x-acme%s"`, testUUID, testRef))
	observed := versionedObject("observed-data", fmt.Sprintf(`"object_refs":["domain-name--%s","x-acme%s"]`, uuid5, testRef))
	for _, c := range []struct {
		name    string
		objects []string
		want    []string
	}{
		{"two versions", []string{tool(t1, ""), tool(t2, `"name":"n"`)}, nil},
		{"the same twice", []string{tool(t1, `"name":"n"`), tool(t1, `"lang":"en","name":"n"`)}, nil},
		{"the same version with other content", []string{tool(t1, `"name":"a"`), tool(t1, `"name":"b"`), tool(t1, `"name":"a"`)},
			[]string{"W 1  version-conflict 3.6"}},
		{"one instant in other digits", []string{tool("2026-01-02T00:00:00.100Z", `"name":"a"`), tool("2026-01-02T00:00:00.1000Z", `"name":"b"`)},
			[]string{"W 1  version-conflict 3.6"}},
		{"created changed", []string{tool(t1, ""), strings.Replace(tool(t2, ""), `"created":"2026`, `"created":"2025`, 1)},
			[]string{"E 1 created created-changed 3.6.1"}},
		{"creator changed", []string{tool(t1, ""), strings.Replace(tool(t2, ""), testIdentity, string(otherIdentity), 1)},
			[]string{"E 1 created_by_ref creator-changed 3.5"}},
		{"after a revocation", []string{tool(t1, ""), tool(t2, `"revoked":true`), tool(t3, "")}, []string{"E 2 modified after-revocation 3.6"}},
		{"after a revocation that comes later", []string{tool(t3, ""), tool(t2, `"revoked":true`), tool(t1, "")}, []string{"E 0 modified after-revocation 3.6"}},
		{"revoked twice", []string{tool(t3, `"revoked":true`), tool(t2, `"revoked":true`)}, []string{"E 0 modified after-revocation 3.6"}},
		{"UUID under two types by one creator", []string{tool(t1, ""), withType(tool(t1, ""), "malware"), withType(tool(t2, ""), "malware")},
			[]string{"E 1 id uuid-reuse 2.9", "E 2 id uuid-reuse 2.9"}},
		{"UUID in upper case under two types", []string{tool(t1, ""), withType(strings.Replace(tool(t1, ""), testUUID, strings.ToUpper(testUUID), 1), "malware")},
			[]string{"E 1 id uuid-reuse 2.9"}},
		{"UUID under two types by two creators", []string{tool(t1, ""), strings.Replace(withType(tool(t1, ""), "malware"), testIdentity, string(otherIdentity), 1)}, nil},
		{"UUID under two types by nobody", []string{versionedObject("tool", ""), versionedObject("malware", "")}, []string{"W 1 id uuid-reuse 2.9"}},
		{"UUID of equal values", []string{sco("domain-name", uuid5), sco("url", uuid5)}, nil},
		{"random UUID of observables", []string{sco("domain-name", testUUID), sco("url", testUUID)}, []string{"W 1 id uuid-reuse 2.9"}},
		{"observable with more properties", []string{sco("url", uuid5), strings.Replace(sco("url", uuid5), "{", `{"defanged":true,`, 1)}, nil},
		{"translation", []string{tool(t1, ""), translation("tool--"+testUUID, "2026-01-01T00:00:00Z")}, nil},
		{"translation before its target", []string{translation("tool--"+testUUID, t2), tool(t1, ""), tool(t2, "")}, nil},
		{"translation of another version", []string{tool(t1, ""), translation("tool--"+testUUID, t2), tool(t3, "")},
			[]string{"E 1 object_modified object-modified 7.1.1"}},
		{"translation of what has no versions", []string{sco("domain-name", uuid5), translation("domain-name--"+uuid5, t1)},
			[]string{"E 1 object_modified object-modified 7.1.1"}},
		{"translation of what is not there", []string{translation("tool--"+testUUID, t1)}, nil},
		{"reference to a custom domain object", []string{relationship, custom("new-sdo")}, nil},
		{"reference to a custom relationship", []string{custom("new-sro"), relationship}, []string{"E 1 target_ref reference-type 5.1.2"}},
		{"reference to a custom type of no class", []string{relationship, strings.Replace(custom("new-sro"), "new-sro", "property-extension", 1)}, nil},
		{"reference to a custom object that is not there", []string{relationship}, nil},
		{"observed domain object", []string{observed, custom("new-sdo")}, []string{"E 0 object_refs[1] reference-type 4.14.1"}},
		{"observed cyber-observable", []string{observed, custom("new-sco")}, nil},
		{"unreadable", []string{`{"type":"tool"}`, `{"type":"tool"}`, `{"id":"tool--` + testUUID + `"}`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var objects []*Object
			for _, raw := range c.objects {
				objects = append(objects, parsed(t, raw))
			}
			x := NewCrossCheck(0)
			if diff := cmp.Diff(c.want, crossChecked(t, x, objects)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if x.Truncated() {
				t.Error("truncated")
			}
		})
	}
	if r := NewCrossCheck(0).Add(0, nil); len(r.Errors)+len(r.Warnings) > 0 {
		t.Errorf("no object: %v", r)
	}
}

// Beyond the limit nothing is remembered, nothing false is said, and what is remembered still counts.
func TestCrossCheckLimit(t *testing.T) {
	x := NewCrossCheck(2)
	tool := func(day int, members string) *Object {
		return version(t, fmt.Sprintf("2026-01-%02dT00:00:00.000Z", day), members)
	}
	translation := parsed(t, strings.Replace(versionedObject("language-content", fmt.Sprintf(`"object_ref":"tool--%s",`+
		`"object_modified":"2026-01-09T00:00:00.000Z","contents":{"da":{"name":"n"}}`, testUUID)), testUUID, testRef[2:], 1))
	got := crossChecked(t, x, []*Object{tool(1, ""), translation, tool(9, ""), tool(1, `"name":"n"`), tool(3, `"revoked":true`), tool(4, "")})
	want := []string{"E 5 modified after-revocation 3.6", "W 3  version-conflict 3.6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !x.Truncated() {
		t.Error("not truncated")
	}
}

// The memory of a CrossCheck is bounded by its limit, whatever the input holds.
func TestCrossCheckMemory(t *testing.T) {
	const limit = 10_000
	x := NewCrossCheck(limit)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range 3 * limit {
		x.Add(i, parsed(t, generatedIndicator(i)))
	}
	if used := (heap() - before) / limit; used > 1000 {
		t.Errorf("%d bytes for each object remembered", used)
	} else {
		t.Logf("%d bytes for each object remembered", used)
	}
	if !x.Truncated() || len(x.objects) > limit || len(x.versions) > limit || len(x.holders) > limit {
		t.Errorf("%d objects, %d versions and %d UUIDs are remembered", len(x.objects), len(x.versions), len(x.holders))
	}
}

// Whatever the order, the same versions are found to be made after a revocation, and conflicts are found or not.
func TestCrossCheckAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 8))
	summary := func(objects []*Object) []string {
		seen := map[string]bool{}
		for _, line := range crossChecked(t, NewCrossCheck(0), objects) {
			var kind, rule, path string
			var index int
			line = strings.Replace(line, "  ", " - ", 1)
			if _, err := fmt.Sscanf(line, "%s %d %s %s", &kind, &index, &path, &rule); err != nil {
				t.Fatal(line, err)
			}
			seen[rule+" "+objects[index].Version().SortKey()] = true
		}
		var out []string
		for line := range seen {
			out = append(out, line)
		}
		slices.Sort(out)
		return out
	}
	for range 500 {
		objects := consistent(arrivals(t, random))
		want := summary(objects)
		random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		if diff := cmp.Diff(want, summary(objects)); diff != "" {
			t.Fatalf("the findings depend on the order (-want +got):\n%s", diff)
		}
	}
}

// What is wrong between the objects of published bundles: one repeats objects with other content, some use one UUID for
// objects of several types. The numbers were also counted by other means.
func TestCrossCheckCorpus(t *testing.T) {
	want := map[string]map[string]int{
		"atlas-navigator-data__dist_stix-atlas.json":                     {"W version-conflict": 80},
		"cti-stix-slider__idioms-json-2.1_Mandiant_APT1_Report.json":     {"E uuid-reuse": 2},
		"cti-stix-slider__idioms-json-2.1_examples.json":                 {"W uuid-reuse": 1},
		"cti-stix2-json-schemas__examples_threat-reports_poisonivy.json": {"W uuid-reuse": 1},
		"misp-stix__tests_test_event1_stix21.json":                       {"E uuid-reuse": 1},
		"misp-stix__tests_test_event2_stix21.json":                       {"E uuid-reuse": 2, "W uuid-reuse": 1},
		"misp-stix__tests_test_events_collection_stix21.json":            {"E uuid-reuse": 3, "W uuid-reuse": 1},
	}
	got := map[string]map[string]int{}
	for _, file := range corpusBundles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var objects []*Object
		for r := NewReader(bytes.NewReader(data), DefaultLimits()); ; {
			raw, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			objects = append(objects, parsed(t, string(raw)))
		}
		for _, line := range crossChecked(t, NewCrossCheck(0), objects) {
			name, fields := filepath.Base(file), strings.Fields(line)
			if got[name] == nil {
				got[name] = map[string]int{}
			}
			got[name][fields[0]+" "+fields[len(fields)-2]]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzCrossCheck(f *testing.F) {
	f.Add([]byte(generatedIndicator(1)), []byte(generatedIndicator(1)))
	f.Add([]byte(versionedObject("relationship", `"target_ref":"x-acme`+testRef+`"`)),
		[]byte(`{"type":"x-acme","id":"x-acme`+testRef+`","extensions":{"e":{"extension_type":"new-sro"}}}`))
	f.Add([]byte(versionedObject("language-content", `"object_ref":"tool`+testRef+`","object_modified":"2026-01-02T03:04:05Z"`)),
		[]byte(strings.Replace(versionedObject("tool", ""), "--"+testUUID, testRef, 1)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var objects []*Object
		for _, raw := range [][]byte{a, b, a} {
			if o, err := Parse(raw, Limits{}); err == nil {
				objects = append(objects, o)
			}
		}
		for _, line := range crossChecked(t, NewCrossCheck(0), objects) {
			if string(a) == string(b) && !strings.Contains(line, "object-modified") && !strings.Contains(line, "reference-type") {
				t.Errorf("an object contradicts itself: %s", line)
			}
		}
	})
}
