package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var joinedTests = []testCase{
	{"a relationship is as strict as its ends, in any order of arrival", testJoinedStrictness},
	{"ends in other collections count with the default of those", testJoinedElsewhere},
	{"what joins unmarked ends follows a stricter default", testJoinedDefault},
	{"what joins ends that become stricter follows them and keeps its date", testJoinedLater},
	{"a sighting is as strict as all that it joins", testJoinedSighting},
	{"a marking of an end that is not understood hides the relationship until it is", testJoinedUnknown},
	{"whoever publishes a relationship is not told of its ends", testJoinedStatus},
	{"versions of a relationship keep their ends as first and last", testJoinedVersions},
	{"a relationship that joins too many is refused", testJoinedMany},
	{"a relationship that is deleted is forgotten", testJoinedDeleted},
}

// relation is the nth relationship, of two objects, in a version of a day, marked with a level.
func relation(n, on int, source, target stix.Identifier, level stix.TLP) *stix.Object {
	marks := ""
	if m := stix.MarkingOf(level); m != "" {
		marks = fmt.Sprintf(`,"object_marking_refs":[%q]`, m)
	}
	return parse(fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":%q,"created":"2025-12-01T00:00:00.000Z","modified":%q,"relationship_type":"related-to","source_ref":%q,"target_ref":%q%s}`,
		id("relationship", n), day(on), source, target, marks))
}

// unlevelled compares entries whose levels may have changed.
var unlevelled = cmpopts.IgnoreFields(taxii.Entry{}, "Level")

// handled returns the marking set that an object is handled by, asking the policy of each set; the zero set if it is not held.
func (f *Fixture) handled(t *testing.T, c taxii.Collection, object stix.Identifier) (set stix.MarkingSet, unknown bool) {
	t.Helper()
	var sets []stix.MarkingSet
	var unknowns []bool
	f.page(t, taxii.Query{Collection: c.ID, Visible: func(m stix.MarkingSet, u bool) bool {
		sets, unknowns = append(sets, m), append(unknowns, u)
		return false
	}})
	for i, s := range sets {
		sees := func(m stix.MarkingSet, u bool) bool { return m.Key() == s.Key() && u == unknowns[i] }
		if len(f.page(t, taxii.Query{Collection: c.ID, IDs: []stix.Identifier{object}, Visible: sees}).Entries) > 0 {
			set, unknown = s, unknowns[i]
		}
	}
	return set, unknown
}

// testJoinedStrictness walks over the levels of a relationship and its ends, arriving in every order, at once and one by one.
func testJoinedStrictness(t *testing.T, f *Fixture) {
	type levels struct{ own, source, target, want stix.TLP }
	cases := []levels{
		{stix.TLPClear, stix.TLPClear, stix.TLPClear, stix.TLPClear},
		{stix.TLPClear, stix.TLPGreen, stix.TLPAmber, stix.TLPAmber},
		{stix.TLPGreen, stix.TLPRed, stix.TLPClear, stix.TLPRed},
		{stix.TLPRed, stix.TLPClear, stix.TLPClear, stix.TLPRed},
		{stix.TLPUnmarked, stix.TLPClear, stix.TLPGreen, stix.TLPAmberStrict}, // the collection's default
		{stix.TLPGreen, stix.TLPUnmarked, stix.TLPClear, stix.TLPAmberStrict},
		{stix.TLPUnmarked, stix.TLPRed, stix.TLPUnmarked, stix.TLPRed},
	}
	for order, permutation := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for _, together := range []bool{true, false} {
			c := f.collection(t, fmt.Sprint("Strict ", order, together))
			for n, tt := range cases {
				objects := []*stix.Object{
					relation(n, 1, id("indicator", 2*n), id("indicator", 2*n+1), tt.own),
					indicator(2*n, 1, tt.source), indicator(2*n+1, 1, tt.target),
				}
				var arriving []*stix.Object
				for _, i := range permutation {
					arriving = append(arriving, objects[i])
				}
				if together {
					f.add(t, c, arriving...)
				} else {
					for _, o := range arriving {
						f.add(t, c, o)
					}
				}
				set, unknown := f.handled(t, c, id("relationship", n))
				raised := tt.want > max(tt.own, stix.TLPGreen) && tt.own != stix.TLPUnmarked || tt.own == stix.TLPClear && tt.want > tt.own ||
					tt.own == stix.TLPUnmarked && tt.want > c.DefaultTLP
				if got := set.Level(c.DefaultTLP, unknown); got != tt.want || set.Raised != raised {
					t.Errorf("%+v, order %v, together %v: handled as %v, raised %v; want raised %v", tt, permutation, together, got, set.Raised, raised)
				}
			}
		}
	}
}

func testJoinedElsewhere(t *testing.T, f *Fixture) {
	c := f.collection(t, "Relationships")
	make := func(title string, def stix.TLP) taxii.Collection {
		other, err := f.Node.AddCollection(t.Context(), store.NewCollection{Title: title, DefaultTLP: def})
		if err != nil {
			t.Fatal(err)
		}
		return other
	}
	green, refusing := make("Green", stix.TLPGreen), make("Refusing", stix.TLPUnmarked)
	f.add(t, c, relation(1, 1, id("indicator", 1), id("indicator", 9), stix.TLPClear), relation(2, 1, id("indicator", 2), id("indicator", 9), stix.TLPClear),
		relation(3, 1, id("indicator", 3), id("indicator", 9), stix.TLPClear))
	before := f.all(t, c)
	f.add(t, green, indicator(1, 1, stix.TLPUnmarked), indicator(2, 1, stix.TLPAmber))
	f.add(t, refusing, indicator(3, 1, stix.TLPUnmarked))
	for n, want := range []stix.TLP{1: stix.TLPGreen, 2: stix.TLPAmber, 3: stix.TLPRed} {
		if n == 0 {
			continue
		}
		set, unknown := f.handled(t, c, id("relationship", n))
		if got := set.Level(c.DefaultTLP, unknown); got != want {
			t.Errorf("relationship %d is handled as %v, want %v", n, got, want)
		}
	}
	if diff := gocmp.Diff(before, f.all(t, c), unlevelled); diff != "" {
		t.Errorf("dates or bytes changed (-before +after):\n%s", diff)
	}
	f.add(t, green, relation(4, 1, id("indicator", 2), id("indicator", 8), stix.TLPGreen)) // arriving after its end
	f.add(t, c, relation(5, 1, id("indicator", 2), id("indicator", 8), stix.TLPGreen))
	for collection, n := range map[string]int{green.ID: 4, c.ID: 5} {
		if set, _ := f.handled(t, taxii.Collection{ID: collection}, id("relationship", n)); set.TLP != stix.TLPAmber {
			t.Errorf("relationship %d is handled by %+v", n, set)
		}
	}
	if err := f.Node.RemoveCollection(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	f.add(t, green, indicator(2, 2, stix.TLPRed)) // of which relationships were in the removed collection too
	if set, _ := f.handled(t, green, id("relationship", 4)); set.TLP != stix.TLPRed {
		t.Errorf("relationship 4 is handled by %+v", set)
	}
}

func testJoinedLater(t *testing.T, f *Fixture) {
	c := f.collection(t, "Later")
	f.add(t, c, indicator(1, 2, stix.TLPGreen))
	for n := range 20 {
		f.add(t, c, relation(n, 1, id("indicator", 1), id("identity", 1), stix.TLPGreen))
	}
	read := &poller{name: "reader", match: taxii.VersionMatch{All: true}, random: rand.New(rand.NewPCG(1, 1)), got: make(map[string]taxii.DateAdded)}
	if err := read.drain(t.Context(), f.Store, c.ID); err != nil {
		t.Fatal(err)
	}
	before := f.all(t, c)
	relations := func(level stix.TLP) int {
		n := 0
		for _, e := range f.page(t, taxii.Query{Collection: c.ID, Visible: upTo(level)}).Entries {
			if e.ID.Type() == "relationship" {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		name         string
		object       *stix.Object
		green, amber int
	}{
		{"an earlier version", indicator(1, 1, stix.TLPRed), 20, 20},
		{"a stricter version", indicator(1, 3, stix.TLPAmber), 0, 20},
		{"a less strict version", indicator(1, 4, stix.TLPClear), 0, 20},
		{"a stricter version still", indicator(1, 5, stix.TLPRed), 0, 0},
	} {
		f.add(t, c, step.object)
		if green, amber := relations(stix.TLPGreen), relations(stix.TLPAmber); green != step.green || amber != step.amber {
			t.Errorf("%s: %d and %d relationships are seen up to green and amber, want %d and %d", step.name, green, amber, step.green, step.amber)
		}
	}
	if diff := gocmp.Diff(before, f.all(t, c)[:len(before)], unlevelled); diff != "" {
		t.Errorf("dates or bytes changed (-before +after):\n%s", diff)
	}
	if err := read.drain(t.Context(), f.Store, c.ID); err != nil {
		t.Error(err) // something came twice
	}
	// A peer's later version does not make an end less strict.
	sub := f.subscribe(t, c)
	f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(indicator(1, 9, stix.TLPClear))})
	f.add(t, c, relation(100, 1, id("indicator", 1), id("identity", 1), stix.TLPGreen))
	if n := relations(stix.TLPAmber); n != 0 {
		t.Errorf("%d relationships are seen up to amber", n)
	}
}

func testJoinedSighting(t *testing.T, f *Fixture) {
	c := f.collection(t, "Sightings")
	for i, member := range []string{`"sighting_of_ref":%q`, `"sighting_of_ref":"indicator--5a1f0000-0000-4000-8000-0000000000ff","observed_data_refs":[%q]`,
		`"sighting_of_ref":"indicator--5a1f0000-0000-4000-8000-0000000000ff","where_sighted_refs":["identity--5a1f0000-0000-4000-8000-0000000000ff",%q]`} {
		end := object{typ: []string{"indicator", "observed-data", "identity"}[i], n: 1, marks: []stix.Identifier{stix.MarkingOf(stix.TLPAmber)}}.make()
		sighting := parse(fmt.Sprintf(`{"type":"sighting","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","object_marking_refs":[%q],`+member+`}`,
			id("sighting", i), stix.MarkingOf(stix.TLPClear), end.ID))
		f.add(t, c, sighting)
		if set, _ := f.handled(t, c, sighting.ID); set.TLP != stix.TLPClear {
			t.Errorf("%s before its end is held: %+v", sighting.ID, set)
		}
		f.add(t, c, end)
		if set, _ := f.handled(t, c, sighting.ID); set.TLP != stix.TLPAmber || !set.Raised {
			t.Errorf("%s: %+v", sighting.ID, set)
		}
		// A relationship to the sighting counts the sighting's own marking.
		f.add(t, c, relation(i, 1, sighting.ID, id("identity", 200), stix.TLPClear))
		if set, _ := f.handled(t, c, id("relationship", i)); set.TLP != stix.TLPClear {
			t.Errorf("a relationship to %s: %+v", sighting.ID, set)
		}
	}
}

func testJoinedUnknown(t *testing.T, f *Fixture) {
	c := f.collection(t, "Unknown")
	sub := f.subscribe(t, c)
	mark := []stix.Identifier{stix.MarkingOf(stix.TLPGreen), id("marking-definition", 1)}
	f.add(t, c, relation(1, 1, id("indicator", 1), id("indicator", 2), stix.TLPGreen))
	f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(relation(2, 1, id("indicator", 1), id("indicator", 2), stix.TLPGreen))})
	q := taxii.Query{Collection: c.ID, Visible: func(m stix.MarkingSet, unknown bool) bool { return !unknown && m.TLP < stix.TLPRed }}
	seen := func() (list []string) {
		for _, name := range names(f.page(t, q).Entries) {
			list = append(list, strings.Fields(name)[0])
		}
		slices.Sort(list)
		return list
	}
	if diff := gocmp.Diff([]string{"relationship-001", "relationship-002"}, seen()); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	f.add(t, c, object{n: 1, marks: mark}.make())
	if got := seen(); got != nil {
		t.Errorf("with an end that is not understood: %v", got)
	}
	// From then on what came from here is served. What a peer relates to it stays hidden: its own definitions do not count.
	f.add(t, c, statement(1))
	want := []string{"indicator-001", "marking-definition-001", "relationship-001"}
	if diff := gocmp.Diff(want, seen()); diff != "" {
		t.Errorf("once it is understood (-want +got):\n%s", diff)
	}
}

func testJoinedStatus(t *testing.T, f *Fixture) {
	c := f.collection(t, "Status")
	f.add(t, c, indicator(1, 1, stix.TLPRed))
	sub := taxii.Submission{Collection: c.ID, Account: "soc", Received: f.Clock.Now(), Visible: upTo(stix.TLPAmber), Items: []taxii.Item{
		{Object: relation(1, 1, id("indicator", 1), id("identity", 1), stix.TLPGreen)}, // its end is hidden
		{Object: relation(2, 1, id("indicator", 2), id("identity", 1), stix.TLPGreen)}, // its end is not held
	}}
	var messages [2][]string
	for i := range messages {
		status, err := f.Store.Add(t.Context(), sub)
		if err != nil || status.SuccessCount != 2 {
			t.Fatalf("%+v, %v", status, err)
		}
		for _, s := range status.Successes {
			messages[i] = append(messages[i], s.Message)
		}
	}
	if diff := gocmp.Diff([2][]string{{"", ""}, {"", taxii.AlreadyHeld}}, messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func testJoinedVersions(t *testing.T, f *Fixture) {
	c := f.collection(t, "Versions")
	random := rand.New(rand.NewPCG(5, 3))
	levels := []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPAmber}
	sent := make(map[string]bool)
	for range 60 {
		n, on := random.IntN(3), 1+random.IntN(20)
		var o *stix.Object
		if random.IntN(2) == 0 {
			o = relation(n, on, id("indicator", n), id("indicator", (n+1)%3), levels[random.IntN(3)])
		} else {
			o = indicator(n, on, levels[random.IntN(3)])
		}
		if key := fmt.Sprint(o.ID, on); !sent[key] {
			sent[key] = true
			f.add(t, c, o) // which verifies the flags
		}
	}
	for n := range 3 {
		last := f.page(t, taxii.Query{Collection: c.ID, IDs: []stix.Identifier{id("relationship", n)}}).Entries
		all := f.page(t, taxii.Query{Collection: c.ID, IDs: []stix.Identifier{id("relationship", n)}, Version: taxii.VersionMatch{All: true}}).Entries
		newest := slices.MaxFunc(all, func(a, b taxii.Entry) int { return strings.Compare(a.Version, b.Version) })
		if len(last) != 1 || last[0].Version != newest.Version {
			t.Errorf("relationship %d: the last version is %v of %v", n, names(last), names(all))
		}
	}
}

func testJoinedMany(t *testing.T, f *Fixture) {
	c := f.collection(t, "Many")
	var refs []string
	for n := range 1001 {
		refs = append(refs, fmt.Sprintf("%q", id("identity", n)))
	}
	o := parse(fmt.Sprintf(`{"type":"sighting","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","sighting_of_ref":%q,"where_sighted_refs":[%s]}`,
		id("sighting", 1), id("indicator", 1), strings.Join(refs, ",")))
	status := f.submit(t, c, o)
	if status.FailureCount != 1 || !strings.Contains(status.Failures[0].Message, "joins 1002 objects") {
		t.Errorf("%+v", status)
	}
}

func testJoinedDeleted(t *testing.T, f *Fixture) {
	c := f.collection(t, "Deleted")
	f.add(t, c, relation(1, 1, id("indicator", 1), id("indicator", 2), stix.TLPClear), indicator(1, 1, stix.TLPAmber))
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("relationship", 1)})
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1)})
	f.add(t, c, relation(1, 1, id("indicator", 1), id("indicator", 2), stix.TLPClear), indicator(2, 1, stix.TLPGreen))
	if set, _ := f.handled(t, c, id("relationship", 1)); set.TLP != stix.TLPGreen {
		t.Errorf("after its first end was deleted it is handled by %+v", set)
	}
}

func testJoinedDefault(t *testing.T, f *Fixture) {
	c, err := f.Node.AddCollection(t.Context(), store.NewCollection{Title: "Default", DefaultTLP: stix.TLPClear})
	if err != nil {
		t.Fatal(err)
	}
	f.add(t, c, indicator(1, 1, stix.TLPUnmarked), indicator(2, 1, stix.TLPGreen),
		relation(1, 1, id("indicator", 1), id("indicator", 9), stix.TLPClear),    // joins an unmarked object
		relation(2, 1, id("indicator", 2), id("indicator", 9), stix.TLPUnmarked), // is unmarked, and raised
		relation(3, 1, id("indicator", 2), id("indicator", 9), stix.TLPClear))
	levels := func(def stix.TLP) (list []stix.TLP) {
		for n := range 3 {
			set, unknown := f.handled(t, c, id("relationship", n+1))
			list = append(list, set.Level(def, unknown))
		}
		return list
	}
	for _, step := range []struct {
		def  stix.TLP
		want []stix.TLP
	}{
		{stix.TLPClear, []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPGreen}},
		{stix.TLPAmber, []stix.TLP{stix.TLPAmber, stix.TLPAmber, stix.TLPGreen}},
		{stix.TLPGreen, []stix.TLP{stix.TLPAmber, stix.TLPAmber, stix.TLPGreen}}, // nothing becomes less strict
	} {
		if _, err := f.Node.ChangeCollection(t.Context(), c.ID, store.CollectionChange{DefaultTLP: &step.def}); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(step.want, levels(step.def)); diff != "" {
			t.Errorf("default %v (-want +got):\n%s", step.def, diff)
		}
		f.verify(t)
	}
}
