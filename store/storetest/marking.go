package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var markingTests = []testCase{
	{"the policy is asked once per marking set in use", testAskedOnce},
	{"a marking without a definition is unknown", testUnknown},
	{"what nobody is served is told to its publisher", testUnserved},
	{"a late definition moves what it makes servable to the end", testLateDefinition},
	{"a definition in another collection makes nothing servable", testForeignDefinition},
	{"a peer's definition makes only that peer's objects servable", testPeersDefinition},
	{"what a peer sent is answered as held to who publishes it again", testHeldFromPeer},
	{"what a peer adds is that peer's", testAddedByPeer},
	{"definitions come before what they mark", testDefinitionsFirst},
	{"entries are counted by level", testLevelCounts},
}

// known sees every set whose markings the node understands.
func known(_ stix.MarkingSet, unknown bool) bool { return !unknown }

func testAskedOnce(t *testing.T, f *Fixture) {
	c, other := f.collection(t, "Asked"), f.collection(t, "Other")
	f.add(t, other, object{n: 9, owner: 9}.make()) // a set that is not in use here
	f.add(t, c,
		indicator(1, 1, stix.TLPGreen), indicator(2, 1, stix.TLPGreen), indicator(3, 1, stix.TLPRed),
		object{typ: "malware", n: 4, marks: []stix.Identifier{stix.MarkingOf(stix.TLPGreen)}}.make(),
		object{n: 5, owner: 1}.make())
	asked := make(map[string]int)
	f.page(t, taxii.Query{Collection: c.ID, Visible: func(m stix.MarkingSet, _ bool) bool { asked[m.Key()]++; return true }})
	want := map[string]int{
		stix.MarkingSet{TLP: stix.TLPGreen}.Key():       1,
		stix.MarkingSet{TLP: stix.TLPRed}.Key():         1,
		stix.MarkingSet{Owner: id("identity", 1)}.Key(): 1,
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func testUnknown(t *testing.T, f *Fixture) {
	c := f.collection(t, "Unknown")
	other, tlp := id("marking-definition", 1), parse(`{"type":"marking-definition","spec_version":"2.1","id":"`+string(id("marking-definition", 2))+`","created":"2025-12-01T00:00:00.000Z","definition_type":"tlp","definition":{"tlp":"green"}}`)
	f.add(t, c,
		object{n: 1, marks: []stix.Identifier{other}}.make(),
		object{n: 2, marks: []stix.Identifier{stix.MarkingOf(stix.TLPGreen), other}}.make(),
		object{n: 3, marks: []stix.Identifier{stix.MarkingOf(stix.TLPGreen)}}.make(),
		object{n: 4, marks: []stix.Identifier{tlp.ID}}.make(),
		tlp) // its definition is held, but is no statement: what it means is not known
	f.add(t, c, statement(3))
	f.add(t, c, object{n: 5, marks: []stix.Identifier{other, id("marking-definition", 3)}}.make()) // one of two is known
	got := f.page(t, taxii.Query{Collection: c.ID, Visible: known}).Entries
	want := []string{"marking-definition-002 2025-12-01T00:00:00.000Z", "indicator-003 2026-01-01T00:00:00.000Z", "marking-definition-003 2025-12-01T00:00:00.000Z"}
	if diff := cmp.Diff(want, names(got)); diff != "" {
		t.Errorf("visible (-want +got):\n%s", diff)
	}
}

// testUnserved holds what a publisher is told of an object that nobody is served.
func testUnserved(t *testing.T, f *Fixture) {
	c := f.collection(t, "Unserved")
	mark := id("marking-definition", 1)
	message := func(o *stix.Object) string {
		t.Helper()
		status, err := f.Store.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "soc", Received: f.Clock.Now(), Visible: known, Items: []taxii.Item{{Object: o}}})
		if err != nil || status.SuccessCount != 1 {
			t.Fatalf("%+v, %v", status, err)
		}
		return status.Successes[0].Message
	}
	marked := object{n: 1, marks: []stix.Identifier{mark}}.make()
	for range 2 { // what is held and hidden looks as if it had been stored
		if got := message(marked); !strings.HasPrefix(got, taxii.NotServed+string(mark)) {
			t.Errorf("not understood: %q", got)
		}
	}
	// What a relationship joins is not told.
	if got := message(relation(1, 1, marked.ID, id("identity", 1), stix.TLPGreen)); got != "" {
		t.Errorf("a relationship to it: %q", got)
	}
	f.add(t, c, statement(1))
	if got := message(object{n: 2, marks: []stix.Identifier{mark}}.make()); got != "" {
		t.Errorf("understood: %q", got)
	}
}

// testPeersDefinition: whoever sends a definition could otherwise declare a marking harmless that keeps the objects of
// others from being served.
func testPeersDefinition(t *testing.T, f *Fixture) {
	c := f.collection(t, "Sources")
	one := f.subscribe(t, c)
	const secondPeer federation.EntityID = "https://second.example.org"
	if err := f.Node.AddPeer(t.Context(), federation.Peer{Entity: secondPeer, JWKS: []byte(`{"keys":[]}`), APIRoot: "https://second.example.org/taxii2/main/"}, true); err != nil {
		t.Fatal(err)
	}
	two, err := f.Node.Subscribe(t.Context(), sync.Subscription{Peer: secondPeer, Collection: "feed", Into: c.ID})
	if err != nil {
		t.Fatal(err)
	}
	mark := []stix.Identifier{id("marking-definition", 1)}
	f.add(t, c, object{n: 1, marks: mark}.make())
	f.apply(t, sync.PulledPage{Subscription: one.ID, Items: pulled(object{n: 2, marks: mark}.make())})
	f.apply(t, sync.PulledPage{Subscription: two.ID, Items: pulled(object{n: 3, marks: mark}.make())})
	q := taxii.Query{Collection: c.ID, Visible: known}
	seen := func(step string, want ...string) {
		t.Helper()
		page := f.page(t, q)
		if diff := cmp.Diff(want, names(page.Entries)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
		q.After = page.Collection.Last
	}
	const definition, day = "marking-definition-001 2025-12-01T00:00:00.000Z", " 2026-01-01T00:00:00.000Z"
	f.apply(t, sync.PulledPage{Subscription: one.ID, Items: pulled(statement(1))})
	seen("after the first peer's definition", definition, "indicator-002"+day)
	// The same definition is held already; from the second peer it counts for what that peer sent.
	f.apply(t, sync.PulledPage{Subscription: two.ID, Items: pulled(statement(1))})
	seen("after the second peer's", "indicator-003"+day)
	f.add(t, c, statement(1))
	seen("after our own", "indicator-001"+day)
	f.apply(t, sync.PulledPage{Subscription: one.ID, Items: pulled(object{n: 4, marks: mark}.make())})
	seen("afterwards", "indicator-004"+day)
}

func testHeldFromPeer(t *testing.T, f *Fixture) {
	c := f.collection(t, "Held")
	sub := f.subscribe(t, c)
	unmarked, marked := object{n: 1}.make(), indicator(2, 1, stix.TLPGreen)
	unmarked.Floor = stix.TLPGreen
	f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(unmarked, marked)})
	status, err := f.Store.Add(t.Context(), taxii.Submission{
		Collection: c.ID, Account: "analyst", Received: f.Clock.Now(), Visible: known,
		Items: []taxii.Item{{Object: object{n: 1}.make()}, {Object: indicator(2, 1, stix.TLPGreen)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range status.Successes {
		if s.Message != taxii.AlreadyHeld {
			t.Errorf("%s: %q, want %q", s.ID, s.Message, taxii.AlreadyHeld)
		}
	}
	if got := f.all(t, c); len(got) != 2 {
		t.Errorf("held: %v", names(got))
	}
}

func testAddedByPeer(t *testing.T, f *Fixture) {
	c := f.collection(t, "Added by a peer")
	add := func(source string, deferred bool, objects ...*stix.Object) (taxii.Status, error) {
		items := make([]taxii.Item, len(objects))
		for i, o := range objects {
			items[i] = taxii.Item{Object: o}
		}
		return f.Store.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "peer", Received: f.Clock.Now(), Visible: known, Source: source, Deferred: deferred, Items: items})
	}
	if _, err := add(string(peerID), true, indicator(1, 1, stix.TLPGreen)); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("deferred: %v, want ErrInvalid", err)
	}
	f.add(t, c, indicator(3, 1, stix.TLPGreen))
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 3), Visible: known})
	status, err := add(string(peerID), false, indicator(1, 1, stix.TLPGreen), indicator(3, 1, stix.TLPGreen))
	if err != nil || status.SuccessCount != 1 || status.FailureCount != 1 || !strings.Contains(status.Failures[0].Message, "deleted") {
		t.Errorf("added %d, failed %+v: %v", status.SuccessCount, status.Failures, err)
	}
	if _, err := add("", false, indicator(2, 1, stix.TLPGreen)); err != nil {
		t.Fatal(err)
	}
	sources := make(map[string]bool)
	page := f.page(t, taxii.Query{Collection: c.ID, Limit: 10, Version: taxii.VersionMatch{All: true}, Visible: func(m stix.MarkingSet, _ bool) bool {
		sources[m.Source] = true
		return m.Source == ""
	}})
	if diff := cmp.Diff(map[string]bool{"": true, string(peerID): true}, sources); diff != "" || len(page.Entries) != 1 || page.Entries[0].ID != id("indicator", 2) {
		t.Errorf("%v are this node's own; sources (-want +got):\n%s", names(page.Entries), diff)
	}
}

func testLateDefinition(t *testing.T, f *Fixture) {
	c := f.collection(t, "Late")
	a, b := id("marking-definition", 1), id("marking-definition", 2)
	f.add(t, c,
		object{n: 1, marks: []stix.Identifier{a}}.make(),
		object{n: 2}.make(),
		object{n: 3, marks: []stix.Identifier{a, b}}.make(),
		object{typ: "malware", n: 4, marks: []stix.Identifier{a}}.make(),
		object{n: 1, modified: "2026-01-02T00:00:00.000Z", marks: []stix.Identifier{a}}.make())
	all := taxii.Query{Collection: c.ID, Visible: known, Version: taxii.VersionMatch{All: true}}
	first := f.page(t, all)
	if diff := cmp.Diff([]string{"indicator-002 2026-01-01T00:00:00.000Z"}, names(first.Entries)); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}
	all.After = first.Collection.Last // a cursor that has passed everything
	f.add(t, c, statement(1))
	moved := f.page(t, all)
	want := []string{"marking-definition-001 2025-12-01T00:00:00.000Z", "indicator-001 2026-01-01T00:00:00.000Z", "malware-004 2026-01-01T00:00:00.000Z", "indicator-001 2026-01-02T00:00:00.000Z"}
	if diff := cmp.Diff(want, names(moved.Entries)); diff != "" {
		t.Errorf("after the first definition (-want +got):\n%s", diff)
	}
	all.After = moved.Collection.Last
	f.add(t, c, statement(1), laterStatement(1)) // again: nothing moves twice
	f.add(t, c, object{n: 5, marks: []stix.Identifier{b}}.make(), statement(2), object{n: 6}.make())
	want = []string{"marking-definition-001 2025-12-02T00:00:00.000Z", "marking-definition-002 2025-12-01T00:00:00.000Z", "indicator-003 2026-01-01T00:00:00.000Z", "indicator-005 2026-01-01T00:00:00.000Z", "indicator-006 2026-01-01T00:00:00.000Z"}
	if diff := cmp.Diff(want, names(f.page(t, all).Entries)); diff != "" {
		t.Errorf("after the second definition (-want +got):\n%s", diff)
	}
	if n := len(f.all(t, c)); n != 10 {
		t.Errorf("%d entries, want 10", n)
	}
	f.Reopen(t)
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: a})
	all.After = 0
	if n := len(f.page(t, all).Entries); n != 8 {
		t.Errorf("%d visible entries after the definition was deleted, want 8: what was learnt stays", n)
	}
}

// testForeignDefinition is the attack on a marking that restricts: whoever may write to some collection posts a statement
// under its id there.
func testForeignDefinition(t *testing.T, f *Fixture) {
	c, elsewhere := f.collection(t, "Restricted"), f.collection(t, "Open to the attacker")
	mark := id("marking-definition", 1)
	f.add(t, elsewhere, statement(1)) // before anything has the marking
	f.add(t, c, object{n: 1, marks: []stix.Identifier{mark}}.make())
	f.add(t, elsewhere, laterStatement(1), object{n: 2, marks: []stix.Identifier{mark}}.make()) // and after
	f.Reopen(t)
	q := taxii.Query{Collection: c.ID, Visible: known, Version: taxii.VersionMatch{All: true}}
	before := f.page(t, q)
	if len(before.Entries) != 0 {
		t.Errorf("a definition in another collection made %v servable", names(before.Entries))
	}
	if _, err := f.Store.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Visible: known}); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Delete of what is not seen: %v, want ErrNotFound", err)
	}
	q.Collection = elsewhere.ID
	if n := len(f.page(t, q).Entries); n != 3 {
		t.Errorf("%d entries are served where the definition is held, want 3", n)
	}
	counts, err := f.Node.LevelCounts(t.Context(), c.ID)
	if diff := cmp.Diff([]store.LevelCount{{Level: stix.TLPRed, Unknown: true, Entries: 1}}, counts); err != nil || diff != "" {
		t.Errorf("LevelCounts: %v (-want +got):\n%s", err, diff)
	}
	held := f.all(t, elsewhere)
	f.add(t, c, statement(1)) // its own definition
	q.Collection, q.After = c.ID, before.Collection.Last
	if diff := cmp.Diff([]string{"marking-definition-001 2025-12-01T00:00:00.000Z", "indicator-001 2026-01-01T00:00:00.000Z"}, names(f.page(t, q).Entries)); diff != "" {
		t.Errorf("after the definition (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(held, f.all(t, elsewhere)); diff != "" {
		t.Errorf("entries of another collection moved (-before +after):\n%s", diff)
	}
	if err := f.Node.RemoveCollection(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
}

func testDefinitionsFirst(t *testing.T, f *Fixture) {
	c := f.collection(t, "Definitions")
	status := f.add(t, c, object{n: 1, marks: []stix.Identifier{id("marking-definition", 1)}}.make(), object{n: 2}.make(), statement(1), address(3, ""), statement(2))
	var order, reported []string
	for _, e := range f.all(t, c) {
		order = append(order, short(e.ID))
	}
	for _, s := range status.Successes {
		reported = append(reported, short(stix.Identifier(s.ID)))
	}
	if diff := cmp.Diff([]string{"marking-definition-001", "marking-definition-002", "indicator-001", "indicator-002", "ipv4-addr-003"}, order); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"indicator-001", "indicator-002", "marking-definition-001", "ipv4-addr-003", "marking-definition-002"}, reported); diff != "" {
		t.Errorf("the status keeps the order of the submission (-want +got):\n%s", diff)
	}
}

func testLevelCounts(t *testing.T, f *Fixture) {
	c := f.collection(t, "Levels")
	f.add(t, c, indicator(1, 1, stix.TLPGreen), indicator(2, 1, stix.TLPGreen), indicator(3, 1, stix.TLPAmberStrict), indicator(4, 1, 0),
		object{n: 5, marks: []stix.Identifier{id("marking-definition", 7)}}.make(), indicator(6, 1, stix.TLPClear))
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 6)})
	got, err := f.Node.LevelCounts(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.LevelCount{
		{Level: stix.TLPGreen, Marked: true, Entries: 2},
		{Level: stix.TLPAmberStrict, Marked: true, Entries: 1},
		{Level: stix.TLPAmberStrict, Entries: 1},
		{Level: stix.TLPRed, Unknown: true, Entries: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("LevelCounts (-want +got):\n%s", diff)
	}
}
