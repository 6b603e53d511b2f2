package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

var historyTests = []testCase{
	{"a version that §3.6 forbids is refused with its reason", testVersionRules},
	{"a version that §3.6 forbids is quarantined with its reason", testVersionRulesPulled},
	{"what a peer sends binds only its own versions", testPeerBindsItself},
	{"a refusal does not tell what is hidden", testHiddenContradiction},
	{"an account with an identity publishes as nobody else", testCreatorOnly},
	{"an identity counts where a submission is decided later", testCreatorOnlyLater},
	{"an earlier revocation that comes late is the last version", testLateRevocation},
	{"any order of arrival gives the same first and last version", testVersionConvergence},
}

// day is the time of a version.
func day(n int) string { return fmt.Sprintf("2026-01-%02dT00:00:00.000Z", n) }

// versionOf is the version of an object on a day, by a creator.
func versionOf(n, on, owner int) *stix.Object {
	return object{n: n, modified: day(on), owner: owner}.make()
}

// revocationOf is the version that revokes an object on a day.
func revocationOf(n, on, owner int) *stix.Object {
	return object{n: n, modified: day(on), owner: owner, revoked: true}.make()
}

// forbidden are versions that §3.6 does not allow beside those held, with a part of the reason.
var forbidden = []struct {
	name   string
	held   []*stix.Object
	object *stix.Object
	reason string
}{
	{"later than a revocation", []*stix.Object{versionOf(1, 1, 2), revocationOf(1, 3, 2)}, versionOf(1, 4, 2),
		"The object was revoked by its version 2026-01-03T00:00:00.000Z, which is final; a new object needs a new id. (STIX §3.6)"},
	{"revoked again", []*stix.Object{revocationOf(1, 3, 2)}, revocationOf(1, 5, 2), "The object was revoked by its version 2026-01-03"},
	{"another creator", []*stix.Object{versionOf(1, 1, 2)}, versionOf(1, 2, 3), "created_by_ref never changes; it is"},
	{"another creator, dated back", []*stix.Object{versionOf(1, 2, 2)}, versionOf(1, 1, 3), "created_by_ref never changes; it is"},
	{"no creator", []*stix.Object{versionOf(1, 1, 2)}, versionOf(1, 2, 0), "created_by_ref never changes; it is"},
	{"created", []*stix.Object{versionOf(1, 1, 2)}, object{n: 1, modified: day(2), owner: 2, created: "2025-11-01T00:00:00.000Z"}.make(),
		"created never changes; it is \"2025-12-01T00:00:00.000Z\". (STIX §3.6.1)"},
}

func testVersionRules(t *testing.T, f *Fixture) {
	for i, tt := range forbidden {
		for _, together := range []bool{false, true} {
			c := f.collection(t, fmt.Sprint("Forbidden ", i, together))
			var status taxii.Status
			if together {
				status = f.submit(t, c, append(slices.Clone(tt.held), tt.object)...)
			} else {
				f.add(t, c, tt.held...)
				status = f.submit(t, c, tt.object)
			}
			if status.FailureCount != 1 || !strings.Contains(status.Failures[0].Message, tt.reason) || status.Failures[0].Version != tt.object.Version().String() {
				t.Errorf("%s: failures %+v, want one with %q", tt.name, status.Failures, tt.reason)
			}
			if n := len(f.all(t, c)); n != len(tt.held) {
				t.Errorf("%s: %d entries, want %d", tt.name, n, len(tt.held))
			}
		}
	}
	c := f.collection(t, "Allowed")
	f.add(t, c, versionOf(1, 3, 2), versionOf(1, 1, 2), object{n: 1, modified: day(2), owner: 2, created: "2025-12-01T00:00:00.0000Z"}.make())
	f.add(t, c, revocationOf(1, 4, 2), versionOf(1, 3, 2)) // what is held may come again
	f.add(t, c, address(1, ""), address(1, "1"), statement(1))
}

func testVersionRulesPulled(t *testing.T, f *Fixture) {
	c := f.collection(t, "Forbidden")
	sub := f.subscribe(t, c)
	for i, tt := range forbidden {
		renumber := func(o *stix.Object) *stix.Object {
			return parse(strings.Replace(string(o.Raw), string(id("indicator", 1)), string(id("indicator", 10+i)), 1))
		}
		for _, o := range tt.held {
			f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(renumber(o))})
		}
		bad := renumber(tt.object)
		got := f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(bad)})
		if diff := gocmp.Diff(sync.Applied{Quarantined: 1}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		rows, err := f.Node.Quarantine(t.Context(), 1)
		if err != nil || len(rows) != 1 || !strings.Contains(rows[0].Reason, tt.reason) || rows[0].ID != string(bad.ID) || string(rows[0].Raw) != string(bad.Raw) {
			t.Errorf("%s: quarantine %+v, %v; want %q", tt.name, rows, err, tt.reason)
		}
	}
}

// secondSubscription subscribes a collection to another peer than subscribe does.
func (f *Fixture) secondSubscription(t *testing.T, c taxii.Collection) sync.Subscription {
	t.Helper()
	const second federation.EntityID = "https://second.example.org"
	if err := f.Node.AddPeer(t.Context(), federation.Peer{Entity: second, JWKS: []byte(`{"keys":[]}`), APIRoot: "https://second.example.org/taxii2/main/"}, true); err != nil {
		t.Fatal(err)
	}
	sub, err := f.Node.Subscribe(t.Context(), sync.Subscription{Peer: second, Collection: "feed", Into: c.ID})
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func testPeerBindsItself(t *testing.T, f *Fixture) {
	c := f.collection(t, "Bound")
	one, two := f.subscribe(t, c), f.secondSubscription(t, c)
	pull := func(sub sync.Subscription, o *stix.Object) sync.Applied {
		return f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(o)})
	}
	taken, kept := sync.Applied{Stored: 1}, sync.Applied{Quarantined: 1}
	last := func(n int, want string) {
		t.Helper()
		got := names(f.page(t, taxii.Query{Collection: c.ID, IDs: []stix.Identifier{id("indicator", n)}}).Entries)
		if diff := gocmp.Diff([]string{fmt.Sprintf("indicator-%03d %s", n, want)}, got); diff != "" {
			t.Errorf("last version of %d (-want +got):\n%s", n, diff)
		}
	}
	f.add(t, c, versionOf(1, 3, 2))
	if got := pull(one, revocationOf(1, 2, 2)); got != taken { // forged: only the first peer's versions are revoked by it
		t.Errorf("the revocation: %+v", got)
	}
	last(1, day(3))
	if got := pull(one, versionOf(1, 4, 2)); got != kept {
		t.Errorf("a version after its own revocation: %+v", got)
	}
	if got := pull(two, versionOf(1, 5, 2)); got != taken {
		t.Errorf("a version of another peer: %+v", got)
	}
	last(1, day(5))
	f.add(t, c, versionOf(1, 6, 2))
	last(1, day(6))
	f.add(t, c, revocationOf(1, 4, 2)) // ours ends everybody's
	last(1, day(4))
	if got := pull(two, versionOf(1, 7, 2)); got != kept {
		t.Errorf("a version after our revocation: %+v", got)
	}

	if got := pull(one, versionOf(2, 1, 9)); got != taken { // forged: dated back, by another creator
		t.Errorf("the forged version: %+v", got)
	}
	f.add(t, c, versionOf(2, 2, 2))
	if got := pull(two, versionOf(2, 3, 2)); got != taken {
		t.Errorf("a version of another peer: %+v", got)
	}
	if got := pull(one, versionOf(2, 4, 9)); got != kept { // we publish the object as another's
		t.Errorf("a version by another creator than ours: %+v", got)
	}
	last(2, day(3))
}

func testHiddenContradiction(t *testing.T, f *Fixture) {
	c := f.collection(t, "Hidden contradiction")
	red := []stix.Identifier{stix.MarkingOf(stix.TLPRed)}
	f.add(t, c, object{n: 1, modified: day(2), owner: 2, revoked: true, marks: red}.make(), object{n: 2, owner: 2, marks: red}.make(), versionOf(3, 1, 2))
	status, err := f.Store.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "soc", Received: f.Clock.Now(), Visible: upTo(stix.TLPGreen),
		Items: []taxii.Item{{Object: versionOf(1, 3, 2)}, {Object: versionOf(2, 2, 3)}, {Object: versionOf(3, 2, 3)}}})
	if err != nil || status.FailureCount != 3 {
		t.Fatalf("%+v, %v", status, err)
	}
	for _, failure := range status.Failures[:2] {
		if strings.Contains(failure.Message, "2026-01-02") || strings.Contains(failure.Message, string(id("identity", 2))) || !strings.Contains(failure.Message, "may not see") {
			t.Errorf("of what is hidden: %q", failure.Message)
		}
	}
	if message := status.Failures[2].Message; !strings.Contains(message, string(id("identity", 2))) {
		t.Errorf("of what is seen: %q", message)
	}
}

func testCreatorOnly(t *testing.T, f *Fixture) {
	c := f.collection(t, "Creator only")
	sub := f.subscribe(t, c)
	f.add(t, c, versionOf(1, 1, 2), versionOf(2, 1, 3), versionOf(3, 1, 0))
	f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(versionOf(4, 1, 3))})
	me := id("identity", 2)
	for _, tt := range []struct {
		name   string
		object *stix.Object
		reason string
	}{
		{"a new object", versionOf(10, 1, 2), ""},
		{"a further version", versionOf(1, 2, 2), ""},
		{"held and unchanged", versionOf(2, 1, 3), ""},
		{"a new object of another", versionOf(11, 1, 3), "Only the creator of the object, \"" + string(id("identity", 3))},
		{"a new object of nobody", versionOf(12, 1, 0), "Nobody is named as the creator of the object"},
		{"a version of another's", versionOf(2, 2, 3), "Only the creator of the object"},
		{"a version of another's, taken over", versionOf(2, 2, 2), "created_by_ref never changes"},
		{"a version of nobody's", versionOf(3, 2, 0), "Nobody is named as the creator"},
		{"a version of what a peer sent, taken over", versionOf(4, 2, 2), "created_by_ref never changes"},
		{"an observable", address(1, ""), ""},
		{"a definition", statement(1), ""},
		{"the identity itself", object{typ: "identity", n: 2}.make(), ""},
		{"the identity of another", object{typ: "identity", n: 3}.make(), "Nobody is named as the creator"},
	} {
		status, err := f.Store.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "soc", Received: f.Clock.Now(), Identity: me,
			Items: []taxii.Item{{Object: tt.object}}})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case tt.reason == "" && status.FailureCount != 0:
			t.Errorf("%s: %q", tt.name, status.Failures[0].Message)
		case tt.reason != "" && (status.FailureCount != 1 || !strings.Contains(status.Failures[0].Message, tt.reason)):
			t.Errorf("%s: %+v, want %q", tt.name, status.Failures, tt.reason)
		}
	}
}

// testCreatorOnlyLater has the identity count where a submission is decided after it was accepted.
func testCreatorOnlyLater(t *testing.T, f *Fixture) {
	c := f.collection(t, "Creator only, later")
	submission := f.deferred(c, "soc", versionOf(1, 1, 2), versionOf(2, 1, 3))
	submission.Identity = id("identity", 2)
	accepted := f.sent(t, submission)
	f.settle(t)
	status := f.status(t, accepted.ID, "soc", 2)
	if status.SuccessCount != 1 || status.FailureCount != 1 || status.Failures[0].ID != string(id("indicator", 2)) {
		t.Errorf("%+v, want the second object alone among the failures", status)
	}
}

func testLateRevocation(t *testing.T, f *Fixture) {
	c := f.collection(t, "Late")
	f.add(t, c, versionOf(1, 1, 2), versionOf(1, 4, 2))
	before := f.all(t, c)
	f.add(t, c, revocationOf(1, 3, 2))
	q := taxii.Query{Collection: c.ID, Version: taxii.VersionMatch{First: true, Last: true}}
	if diff := gocmp.Diff([]string{"indicator-001 " + day(1), "indicator-001 " + day(3)}, names(f.page(t, q).Entries)); diff != "" {
		t.Errorf("first and last (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(before, f.all(t, c)[:2]); diff != "" {
		t.Errorf("what was held changed (-before +after):\n%s", diff)
	}
	f.add(t, c, revocationOf(1, 2, 2)) // an earlier one still
	if diff := gocmp.Diff([]string{"indicator-001 " + day(1), "indicator-001 " + day(2)}, names(f.page(t, q).Entries)); diff != "" {
		t.Errorf("first and last after an earlier revocation (-want +got):\n%s", diff)
	}
	last := taxii.VersionMatch{Last: true}
	for _, want := range []int{3, 4, 1} { // what is left, as the last versions are deleted
		f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Version: last})
		got := names(f.page(t, taxii.Query{Collection: c.ID, Version: last}).Entries)
		if diff := gocmp.Diff([]string{"indicator-001 " + day(want)}, got); diff != "" {
			t.Fatalf("last after a deletion (-want +got):\n%s", diff)
		}
		f.verify(t)
	}
}

// arrival is a version with the source that brings it: 0 is this node, 1 and 2 are peers.
type arrival struct {
	source, day int
	revoked     bool
	level       stix.TLP
}

// endsOf returns the days of the first and of the last version among some, by definition: the last is the latest that
// comes after no revocation of its own source or of this node. Both are 0 for none.
func endsOf(list []arrival) (first, last int) {
	list = slices.SortedFunc(slices.Values(list), func(a, b arrival) int { return cmp.Compare(a.day, b.day) })
	revoked := map[int]bool{}
	for i, a := range list {
		if i == 0 {
			first = a.day
		}
		if !revoked[0] && !revoked[a.source] {
			last = a.day
			revoked[a.source] = a.revoked
		}
	}
	return first, last
}

// endPoller reads the last versions, or all, that some caller sees.
type endPoller struct {
	poller
	sees func(arrival) bool
}

// endPollers see everything, some levels, and some sources.
func endPollers(sourceOf map[string]int) []*endPoller {
	var list []*endPoller
	for i, sees := range []func(arrival) bool{
		func(arrival) bool { return true },
		func(a arrival) bool { return a.level <= stix.TLPGreen },
		func(a arrival) bool { return a.level <= stix.TLPAmber },
		func(a arrival) bool { return a.source != 0 },
		func(a arrival) bool { return a.source < 2 && a.level <= stix.TLPAmber },
	} {
		for _, match := range []taxii.VersionMatch{{}, {All: true}} {
			list = append(list, &endPoller{sees: sees, poller: poller{name: fmt.Sprint("poller ", i, match.All), match: match, jump: true,
				random: rand.New(rand.NewPCG(9, uint64(i))), got: make(map[string]taxii.DateAdded),
				visible: func(m stix.MarkingSet, _ bool) bool { return sees(arrival{source: sourceOf[m.Source], level: m.TLP}) }}})
		}
	}
	return list
}

// testVersionConvergence has the versions of objects come from this node and from two peers, in several orders: whoever
// sees everything finds the same first and last, and whoever sees less finds those of what is held that it sees. Pollers
// get every version that they see once.
func testVersionConvergence(t *testing.T, f *Fixture) {
	const objects = 8
	levels := []stix.TLP{stix.TLPGreen, stix.TLPAmber, stix.TLPRed}
	random := rand.New(rand.NewPCG(36, 1))
	sets := make([][]arrival, objects)
	for n := range sets {
		for d := range 2 + random.IntN(8) {
			sets[n] = append(sets[n], arrival{source: random.IntN(3), day: 1 + d, revoked: random.IntN(4) == 0, level: levels[random.IntN(1+n%3)]})
		}
	}
	for order := range 4 {
		r := &convergence{c: f.collection(t, fmt.Sprint("Order ", order)), held: make([][]arrival, objects)}
		r.subs = []sync.Subscription{{}, f.subscribe(t, r.c), f.secondSubscription(t, r.c)}
		r.pollers = endPollers(map[string]int{string(r.subs[1].Peer): 1, string(r.subs[2].Peer): 2})
		type step struct{ n, i int }
		var steps []step
		for n, set := range sets {
			for i := range set {
				steps = append(steps, step{n, i})
			}
		}
		random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, s := range steps {
			r.bring(t, f, s.n, sets[s.n][s.i])
			r.check(t, f, s.n)
		}
		for n, set := range sets {
			if diff := gocmp.Diff(nameEnds(n, set), r.ends(t, f, n, nil)); diff != "" {
				t.Errorf("order %d: the ends of object %d depend on it (-want +got):\n%s", order, n, diff)
			}
			r.deleteLast(t, f, n, func(a arrival) bool { return a.level <= stix.TLPAmber }, upTo(stix.TLPAmber))
		}
		f.verify(t)
	}
}

// convergence is one order of arrival in a collection.
type convergence struct {
	c       taxii.Collection
	subs    []sync.Subscription // by source
	pollers []*endPoller
	held    [][]arrival // by object
}

// bring has a version arrive and notes whether it was taken.
func (r *convergence) bring(t *testing.T, f *Fixture, n int, a arrival) {
	t.Helper()
	o := object{n: n, modified: day(a.day), owner: 2, revoked: a.revoked, marks: []stix.Identifier{stix.MarkingOf(a.level)}}.make()
	taken := false
	if a.source == 0 {
		taken = f.submit(t, r.c, o).SuccessCount == 1
	} else {
		applied := f.apply(t, sync.PulledPage{Subscription: r.subs[a.source].ID, Items: pulled(o)})
		taken = applied.Stored == 1
	}
	ended := slices.ContainsFunc(r.held[n], func(h arrival) bool {
		return h.revoked && h.day < a.day && (h.source == 0 || h.source == a.source)
	})
	if taken == ended {
		t.Fatalf("object %d, %+v was taken: %v; held %+v", n, a, taken, r.held[n])
	}
	if taken {
		r.held[n] = append(r.held[n], a)
	}
}

// check compares what each poller finds with the definition.
func (r *convergence) check(t *testing.T, f *Fixture, n int) {
	t.Helper()
	for _, p := range r.pollers {
		if err := p.drain(t.Context(), f.Store, r.c.ID); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		seen := slices.DeleteFunc(slices.Clone(r.held[n]), func(a arrival) bool { return !p.sees(a) })
		if diff := gocmp.Diff(nameEnds(n, seen), r.ends(t, f, n, p.visible)); diff != "" {
			t.Fatalf("%s: the ends of object %d, of which it sees %+v (-want +got):\n%s", p.name, n, seen, diff)
		}
		if _, last := endsOf(seen); last > 0 {
			key := fmt.Sprintf("%s %s", id("indicator", n), day(last))
			// The last version may have been there before, while a later one hid it that was not known to be revoked.
			if _, ok := p.got[key]; !ok && p.match.All {
				t.Fatalf("%s does not have %s", p.name, key)
			}
		}
	}
}

// ends asks for the first and for the last version of an object.
func (r *convergence) ends(t *testing.T, f *Fixture, n int, visible func(stix.MarkingSet, bool) bool) []string {
	t.Helper()
	var list []string
	for _, match := range []taxii.VersionMatch{{First: true}, {Last: true}} {
		for _, ids := range [][]stix.Identifier{{id("indicator", n)}, nil} { // by its id, and out of the whole collection
			q := taxii.Query{Collection: r.c.ID, IDs: ids, Version: match, Visible: visible}
			for _, name := range names(f.page(t, q).Entries) {
				if strings.HasPrefix(name, short(id("indicator", n))+" ") {
					list = append(list, name)
				}
			}
		}
	}
	return list
}

func nameEnds(n int, list []arrival) []string {
	first, last := endsOf(list)
	if first == 0 {
		return nil
	}
	name := func(d int) string { return short(id("indicator", n)) + " " + day(d) }
	return []string{name(first), name(first), name(last), name(last)}
}

// deleteLast deletes the last version that a caller sees.
func (r *convergence) deleteLast(t *testing.T, f *Fixture, n int, sees func(arrival) bool, visible func(stix.MarkingSet, bool) bool) {
	t.Helper()
	seen := slices.DeleteFunc(slices.Clone(r.held[n]), func(a arrival) bool { return !sees(a) })
	_, last := endsOf(seen)
	if last == 0 {
		return
	}
	f.delete(t, taxii.Deletion{Collection: r.c.ID, ID: id("indicator", n), Version: taxii.VersionMatch{Last: true}, Visible: visible})
	r.held[n] = slices.DeleteFunc(r.held[n], func(a arrival) bool { return a.day == last })
	if diff := gocmp.Diff(nameEnds(n, r.held[n]), r.ends(t, f, n, nil)); diff != "" {
		t.Errorf("after version %d of object %d was deleted (-want +got):\n%s", last, n, diff)
	}
}
