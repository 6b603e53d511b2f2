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
	dir := requireCorpus(t)
	files, err := filepath.Glob(filepath.Join(dir, "bundles", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join(dir, "attack", "ics-attack-18.1.json"))
	a := newTestNode(t, stix.TLPGreen, nil)
	b := newTestNode(t, stix.TLPGreen, nil)
	b.pullFrom(t, a, "amber")

	var stored, refused int
	inputs := map[string]bool{} // every element of every file, in compact form
	type fate struct{ file, id, raw string }
	var unrefused []fate
	for _, file := range files {
		result := publishFile(t, a, file)
		elements := inputObjects(t, file)
		if result.Total != len(elements) || result.Success+result.Failure != len(elements) {
			t.Errorf("%s: %d elements, but the summary speaks of %d, %d stored and %d refused", filepath.Base(file), len(elements), result.Total, result.Success, result.Failure)
		}
		failed := map[string]bool{}
		for _, f := range result.Failures {
			if f.Message == "" {
				t.Errorf("%s: %s was refused without a reason", filepath.Base(file), f.ID)
			}
			failed[f.ID] = true
		}
		for _, raw := range elements {
			inputs[raw] = true
			if id, _, _ := strings.Cut(heldKey(t, []byte(raw)), " "); !failed[id] {
				unrefused = append(unrefused, fate{filepath.Base(file), id, raw})
			}
		}
		stored, refused = stored+result.New, refused+result.Failure
	}
	t.Logf("%d files: %d object versions stored, %d refused with a reason", len(files), stored, refused)

	// What the node holds is what was given to it, byte for byte, and what is not there was listed as refused.
	want := map[string]string{}
	for _, raw := range everyEntry(t, a) {
		if !inputs[raw] {
			t.Errorf("the node holds bytes that nobody published: %.200s", raw)
		}
		want[heldKey(t, []byte(raw))] = raw
	}
	if stored == 0 || stored != len(want) {
		t.Fatalf("the summaries speak of %d new object versions, the node holds %d", stored, len(want))
	}
	for _, u := range unrefused {
		if _, ok := want[heldKey(t, []byte(u.raw))]; !ok {
			t.Errorf("%s: %s was neither stored nor refused", u.file, u.id)
		}
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

// inputObjects reads a bundle by encoding/json, independent of package stix: its elements in compact form.
func inputObjects(t *testing.T, file string) []string {
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
	var elements []string
	for _, raw := range bundle.Objects {
		elements = append(elements, compactJSON(t, raw))
	}
	return elements
}

// everyEntry reads the bytes of every object version of the node's first collection, past all policy.
func everyEntry(t *testing.T, n *testNode) []string {
	t.Helper()
	q := taxii.Query{Collection: n.made.Collection, Limit: 5000, Version: taxii.VersionMatch{All: true}, Bytes: true}
	var all []string
	for {
		page, err := n.store.Entries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			all = append(all, string(e.Raw))
			q.After = e.DateAdded
		}
		if !page.More {
			return all
		}
	}
}

// heldKey is an object's id and version; for SCOs, which have none, their id and content.
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
		return o.ID + " " + canonicalJSON(t, raw)
	}
	if stamp, err := stix.ParseTimestamp(version); err == nil {
		version = stamp.SortKey()
	}
	return o.ID + " " + version
}

// canonicalJSON is equal for equal content whatever its member order.
func canonicalJSON(t *testing.T, raw []byte) string {
	t.Helper()
	var content map[string]any
	if err := json.Unmarshal(raw, &content); err != nil {
		t.Fatal(err)
	}
	if content["spec_version"] == "2.1" { // the default of an SCO
		delete(content, "spec_version")
	}
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
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
