package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var changesTests = []testCase{
	{"changes tell exactly the entries that were touched", testChanges},
	{"changes tell the marking sets in the order in which they came", testChangedSets},
	{"watchers are told of every write before it returns", testWatch},
}

// touched names the entries of before that lie in what was touched after a state of the log.
func (f *Fixture) touched(t *testing.T, c taxii.Collection, since taxii.LogState, before []taxii.Entry) []string {
	t.Helper()
	changes, err := f.Node.Changes(t.Context(), c.ID, since)
	if err != nil || changes.Unknown {
		t.Fatalf("Changes: %+v, %v", changes, err)
	}
	var list []taxii.Entry
	for _, e := range before {
		if slices.ContainsFunc(changes.Touched, func(r taxii.Revision) bool {
			return slices.ContainsFunc(r.Ranges, func(d taxii.DateRange) bool { return d.From <= e.DateAdded && e.DateAdded <= d.To })
		}) {
			list = append(list, e)
		}
	}
	return names(list)
}

func testChanges(t *testing.T, f *Fixture) {
	c := f.collection(t, "Changes")
	const day1, day2 = " 2026-01-01T00:00:00.000Z", " 2026-01-02T00:00:00.000Z"
	marked := object{n: 9, marks: []stix.Identifier{id("marking-definition", 7)}}.make()
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"appending", func() {
			f.add(t, c, indicator(1, 1, stix.TLPGreen), indicator(2, 1, stix.TLPGreen), indicator(3, 1, stix.TLPGreen), marked)
		}, nil},
		{"what is held already", func() { f.add(t, c, indicator(1, 1, stix.TLPGreen)) }, nil},
		{"a new version", func() { f.add(t, c, indicator(2, 2, stix.TLPGreen)) }, []string{"indicator-002" + day1}},
		{"a third version", func() { f.add(t, c, indicator(2, 3, stix.TLPGreen)) }, []string{"indicator-002" + day2}},
		{"a version of another level", func() { f.add(t, c, indicator(3, 2, stix.TLPClear)) }, []string{"indicator-003" + day1}},
		{"a definition", func() { f.add(t, c, statement(7)) }, []string{"indicator-009" + day1}},
		{"deleting the last version", func() {
			f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 2), Version: taxii.VersionMatch{Last: true}})
		}, []string{"indicator-002" + day2, "indicator-002 2026-01-03T00:00:00.000Z"}},
		{"deleting one of two levels", func() {
			f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 3), Version: taxii.VersionMatch{Last: true}})
		}, []string{"indicator-003" + day1, "indicator-003" + day2}},
	} {
		before := f.all(t, c)
		now, err := f.Node.Collection(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		step.do()
		if diff := cmp.Diff(step.want, f.touched(t, c, now.State(), before)); diff != "" {
			t.Errorf("%s touched (-want +got):\n%s", step.name, diff)
		}
	}
	if err := f.Node.RemoveCollection(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Node.Changes(t.Context(), c.ID, taxii.LogState{}); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Changes of a collection that was removed: %v", err)
	}
}

func testChangedSets(t *testing.T, f *Fixture) {
	c := f.collection(t, "Sets")
	var since taxii.LogState
	var levels []stix.TLP
	for i, level := range []stix.TLP{stix.TLPGreen, stix.TLPClear, stix.TLPGreen, stix.TLPAmber} {
		f.add(t, c, indicator(i, 1, level))
		if !slices.Contains(levels, level) {
			levels = append(levels, level)
		}
		changes, err := f.Node.Changes(t.Context(), c.ID, since)
		if err != nil {
			t.Fatal(err)
		}
		var got []stix.TLP
		for _, set := range changes.Sets {
			got = append(got, set.Set.TLP)
		}
		if diff := cmp.Diff(levels, got); diff != "" {
			t.Errorf("the sets after %d objects (-want +got):\n%s", i+1, diff)
		}
		since = changes.Collection.State()
		if again, err := f.Node.Changes(t.Context(), c.ID, since); err != nil || again.Sets != nil || again.Collection.State() != since {
			t.Errorf("Changes since now: %+v, %v", again, err)
		}
	}
}

func testWatch(t *testing.T, f *Fixture) {
	var told []string
	f.Node.Watch(func(collection string) { told = append(told, collection) })
	c := f.collection(t, "Watched")
	want := []string{c.ID}
	check := func(what string) {
		t.Helper()
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", what, diff)
		}
		want, told = nil, nil
	}
	check("adding a collection")
	f.add(t, c, indicator(1, 1, stix.TLPGreen))
	want = []string{c.ID}
	check("a submission")
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1)})
	want = []string{c.ID}
	check("a deletion")
	other := f.collection(t, "Other")
	want = []string{other.ID}
	check("adding another collection")
	f.add(t, c, relation(1, 1, id("indicator", 2), id("indicator", 3), stix.TLPGreen))
	want = []string{c.ID}
	check("a relationship")
	f.add(t, other, indicator(2, 1, stix.TLPRed))
	want = []string{c.ID, other.ID}
	check("an end in another collection, which makes the relationship stricter")
	handle := func(level stix.TLP) {
		if _, err := f.Node.ChangeCollection(t.Context(), other.ID, store.CollectionChange{DefaultTLP: &level}); err != nil {
			t.Fatal(err)
		}
	}
	handle(stix.TLPClear)
	f.add(t, other, indicator(4, 1, stix.TLPUnmarked))
	f.add(t, c, relation(2, 1, id("indicator", 4), id("indicator", 5), stix.TLPGreen))
	told = nil
	handle(stix.TLPRed)
	want = []string{c.ID, other.ID}
	check("a stricter default of the collection that has an end")
}
