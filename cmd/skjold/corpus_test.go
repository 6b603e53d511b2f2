package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestCorpusThroughTheFederation publishes every published bundle of the corpus at one node: each object is stored or
// listed as refused; what may leave arrives byte for byte at a second node by federation and at a third party by poll;
// what may not leave is withheld by its marking and by nothing else.
func TestCorpusThroughTheFederation(t *testing.T) {
	t.Parallel()
	dir := corpusDir()
	if dir == "" {
		t.Skip("the corpus is not beside the repository (../shared/corpus); set SKJOLD_TEST_CORPUS to its directory")
	}
	files, err := filepath.Glob(filepath.Join(dir, "bundles", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join(dir, "attack", "ics-attack-18.1.json"))
	a := newTestNode(t, stix.TLPGreen, nil)
	b := newTestNode(t, stix.TLPGreen, nil)
	b.pullFrom(t, a, "amber")

	var stored, refused int
	want := map[string]string{} // what A stored, by id and version, in compact form
	for _, file := range files {
		result := publishFile(t, a, file)
		input, elements := inputObjects(t, file)
		if result.Total != elements || result.Success+result.Failure != elements {
			t.Errorf("%s: %d elements, but the summary speaks of %d, %d stored and %d refused", filepath.Base(file), elements, result.Total, result.Success, result.Failure)
		}
		failed := map[string]bool{}
		for _, f := range result.Failures {
			if f.Message == "" {
				t.Errorf("%s: %s was refused without a reason", filepath.Base(file), f.ID)
			}
			failed[f.ID] = true
		}
		for key, raw := range input {
			if _, ok := want[key]; !ok && !failed[strings.Fields(key)[0]] {
				want[key] = raw
			}
		}
		stored, refused = stored+result.New, refused+result.Failure
	}
	t.Logf("%d files: %d object versions stored, %d refused with a reason", len(files), stored, refused)
	if stored == 0 || stored != len(want) {
		t.Fatalf("%d object versions were stored, the inputs have %d that were not refused", stored, len(want))
	}

	// What may leave by federation, and what own tools may see, by an oracle of its own.
	leaves, seen := map[string]string{}, map[string]string{}
	for key, raw := range want {
		o, err := stix.Parse([]byte(raw), stix.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		level := expectedLevel(o, want)
		if level <= stix.TLPAmber {
			leaves[key] = raw
		}
		if level < stix.TLPRed {
			seen[key] = raw
		}
	}
	if diff := compareHeld(t, pollAll(t, a.url, a.made), seen); diff != "" {
		t.Errorf("polled from the first node: %s", diff)
	}
	eventually(t, time.Minute, func() error {
		c, err := b.store.Collection(t.Context(), firstAlias)
		if err == nil && c.Objects < int64(len(leaves)) {
			err = fmt.Errorf("the second node holds %d of %d", c.Objects, len(leaves))
		}
		return err
	})
	if diff := compareHeld(t, pollAll(t, b.url, b.made), leaves); diff != "" {
		t.Errorf("polled from the second node: %s", diff)
	}
	for _, st := range []*testNode{a, b} {
		if problems, err := st.store.Verify(t.Context()); err != nil || len(problems) > 0 {
			t.Errorf("verify: %v %v", problems, err)
		}
	}
	subs, err := b.store.Subscriptions(t.Context())
	if err != nil || len(subs) != 1 || subs[0].Quarantined != 0 {
		t.Errorf("the second node quarantined objects that the first had accepted: %+v, %v", subs, err)
	}
	t.Logf("%d arrived at the second node; %d are kept back by their markings", len(leaves), len(want)-len(leaves))
}

func publishFile(t *testing.T, n *testNode, file string) publishJSON {
	t.Helper()
	_, out, errOut := runCLI(t.Context(), "publish", "--json", "--url", n.url, "--user", n.made.User, "--password", n.made.Password, "--collection", firstAlias, file)
	var result publishJSON
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%s: %v\n%s%s", file, err, out, errOut)
	}
	if !result.Complete {
		t.Errorf("%s was not published to its end: %s", filepath.Base(file), errOut)
	}
	return result
}

// inputObjects reads a bundle by encoding/json, independent of package stix: its objects by id and version, the first
// of several kept, and how many elements it has.
func inputObjects(t *testing.T, file string) (map[string]string, int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		Type    string            `json:"type"`
		Objects []json.RawMessage `json:"objects"`
	}
	if err := json.Unmarshal(text, &bundle); err != nil {
		t.Fatal(err)
	}
	if bundle.Type != "bundle" { // a file with one object
		bundle.Objects = []json.RawMessage{text}
	}
	objects := map[string]string{}
	for _, raw := range bundle.Objects {
		if key := heldKey(t, raw); objects[key] == "" {
			objects[key] = compactJSON(t, raw)
		}
	}
	return objects, len(bundle.Objects)
}

// heldKey is an object's id and version, for SCOs their id and text.
func heldKey(t *testing.T, raw []byte) string {
	t.Helper()
	var o struct{ ID, Created, Modified string }
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	version := o.Modified
	if version == "" {
		version = o.Created
	}
	if version == "" {
		return o.ID + " " + compactJSON(t, raw)
	}
	if stamp, err := stix.ParseTimestamp(version); err == nil {
		version = stamp.SortKey()
	}
	return o.ID + " " + version
}

// expectedLevel is how the first node must handle an object: its TLP, green without one, red with a marking whose
// definition is neither a statement of the corpus nor TLP or PAP.
func expectedLevel(o *stix.Object, all map[string]string) stix.TLP {
	m := o.Markings()
	for _, other := range m.Others {
		known := false
		for key, raw := range all {
			if strings.HasPrefix(key, string(other)+" ") && strings.Contains(raw, `"definition_type":"statement"`) {
				known = true
			}
		}
		if !known {
			return stix.TLPRed
		}
	}
	return m.Level(stix.TLPGreen, false)
}

// compareHeld compares JSON lines with the expected objects, byte for byte; "" if they agree.
func compareHeld(t *testing.T, lines []string, want map[string]string) string {
	t.Helper()
	got := map[string]string{}
	var problems []string
	for _, line := range lines {
		key := heldKey(t, []byte(line))
		if _, twice := got[key]; twice {
			problems = append(problems, "twice: "+key)
		}
		got[key] = line
	}
	for key, raw := range want {
		switch line, ok := got[key]; {
		case !ok:
			problems = append(problems, "missing: "+key)
		case line != raw:
			problems = append(problems, "changed: "+key)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			problems = append(problems, "not expected: "+key)
		}
	}
	if len(problems) == 0 {
		return ""
	}
	slices.Sort(problems)
	return fmt.Sprintf("%d problems of %d objects: %s", len(problems), len(want), strings.Join(problems[:min(len(problems), 10)], "; "))
}

var _ taxii.Visibility = policy{}
