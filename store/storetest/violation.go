package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var violationTests = []testCase{
	{"violations are kept beside their object until it is deleted", testViolations},
	{"violations move with their entry", testViolationsMove},
	{"the record of violations is bounded and exact", testViolationRecord},
	{"a pulled object is stored with its violations", testApplyViolations},
	{"a definition that breaks rules makes nothing servable", testBrokenDefinition},
	{"a collection can be changed", testChangeCollection},
	{"a subscription keeps its rules", testSubscriptionRules},
}

// violation is one of a property.
func violation(path string) []stix.Violation {
	return []stix.Violation{{Path: path, Rule: "empty-list", Section: "2.10", Message: "The list is empty."}}
}

// broken is an item that is stored with a violation.
func broken(o *stix.Object, path string) taxii.Item {
	return taxii.Item{Object: o, Violations: violation(path)}
}

func (f *Fixture) submitItems(t *testing.T, c taxii.Collection, items ...taxii.Item) taxii.Status {
	t.Helper()
	status, err := f.Store.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "analyst", Received: f.Clock.Now(), Items: items})
	if err != nil {
		t.Fatalf("Add: %v", err)
	}
	f.verify(t)
	return status
}

// wantViolations checks what is recorded of a collection: "object version path" for each entry.
func (f *Fixture) wantViolations(t *testing.T, c taxii.Collection, want ...string) {
	t.Helper()
	var got []string
	after := taxii.DateAdded(0)
	for {
		page, err := f.Node.Violations(t.Context(), c.ID, after, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("Violations = %d of at most 2, %v", len(page), err)
		}
		for _, e := range page {
			if e.DateAdded <= after {
				t.Errorf("%s is of %v, not after %v", e.ID, e.DateAdded, after)
			}
			after = e.DateAdded
			line := short(e.ID) + " " + e.Version
			for _, v := range e.Violations {
				line += " " + v.Path
			}
			got = append(got, line)
		}
		if len(page) < 2 {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	if n, err := f.Node.ViolationCount(t.Context(), c.ID); err != nil || n != int64(len(want)) {
		t.Errorf("ViolationCount = %d, %v, want %d", n, err, len(want))
	}
}

func testViolations(t *testing.T, f *Fixture) {
	c, other := f.collection(t, "Violations"), f.collection(t, "Other")
	f.submitItems(t, other, broken(indicator(1, 1, 0), "other"))
	refused := broken(indicator(9, 1, 0), "refused")
	refused.Refused = "it is dated in the future"
	status := f.submitItems(t, c, broken(indicator(1, 1, 0), "a"), taxii.Item{Object: indicator(2, 1, 0)}, broken(indicator(1, 2, 0), "b"), refused,
		broken(indicator(1, 1, 0), "again"), broken(address(3, ""), "c"))
	message := taxii.StoredAlthough + "a: The list is empty. (STIX §2.10)"
	var got []string
	for _, d := range status.Successes {
		got = append(got, d.Message)
	}
	want := []string{message, "", strings.Replace(message, "a:", "b:", 1), taxii.AlreadyHeld, strings.Replace(message, "a:", "c:", 1)}
	if diff := cmp.Diff(want, got); diff != "" || status.FailureCount != 1 {
		t.Errorf("messages of the successes, %d failures (-want +got):\n%s", status.FailureCount, diff)
	}
	if kept, err := f.Store.Status(t.Context(), status.ID, "analyst"); err != nil || !cmp.Equal(status, kept) {
		t.Errorf("Status = %+v, %v", kept, err)
	}
	const day1, day2, seen = "indicator-001 2026-01-01T00:00:00.000Z ", "indicator-001 2026-01-02T00:00:00.000Z ", "ipv4-addr-003 2026-03-01T12:00:00.000004Z "
	f.wantViolations(t, c, day1+"a", day2+"b", seen+"c")
	f.Reopen(t)
	f.wantViolations(t, c, day1+"a", day2+"b", seen+"c")

	// Only the entries that go take their violations along; what comes again is recorded as it comes.
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Version: taxii.VersionMatch{First: true}})
	f.wantViolations(t, c, day2+"b", seen+"c")
	f.submitItems(t, c, broken(indicator(1, 2, 0), "known"), broken(indicator(1, 1, 0), "new"))
	f.wantViolations(t, c, day2+"b", seen+"c", day1+"new")
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1)})
	f.add(t, c, indicator(1, 1, 0))
	f.wantViolations(t, c, seen+"c")

	if err := f.Node.RemoveCollection(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	f.wantViolations(t, other, day1+"other")
	if _, err := f.Node.Violations(t.Context(), c.ID, 0, 1); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Violations of no collection: %v, want ErrNotFound", err)
	}
	if _, err := f.Node.ViolationCount(t.Context(), c.ID); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("ViolationCount of no collection: %v, want ErrNotFound", err)
	}
}

func testViolationsMove(t *testing.T, f *Fixture) {
	c := f.collection(t, "Moved violations")
	mark := id("marking-definition", 1)
	f.submitItems(t, c, broken(object{n: 1, marks: []stix.Identifier{mark}}.make(), "a"), broken(object{n: 2}.make(), "b"))
	const version = " 2026-01-01T00:00:00.000Z "
	f.wantViolations(t, c, "indicator-001"+version+"a", "indicator-002"+version+"b")
	f.add(t, c, statement(1)) // the first is servable from now on, and goes to the end of the log
	f.wantViolations(t, c, "indicator-002"+version+"b", "indicator-001"+version+"a")
}

func testViolationRecord(t *testing.T, f *Fixture) {
	c := f.collection(t, "Record")
	exact := []stix.Violation{
		{Path: "x.\"quoted\\", Rule: "rule-1", Section: "3.1", Message: "Nul \x00, <html>, æøå 😀 and a line\nfeed."},
		{Rule: "rule-2", Section: "10.26", Message: "The object itself."},
	}
	var many []stix.Violation
	for i := range 1000 {
		many = append(many, stix.Violation{Path: fmt.Sprintf("a[%d]", i), Rule: "r", Section: "1", Message: strings.Repeat("æ", 100)})
	}
	status := f.submitItems(t, c, taxii.Item{Object: indicator(1, 1, 0), Violations: exact}, taxii.Item{Object: indicator(2, 1, 0), Violations: many})
	for _, d := range status.Successes {
		if len(d.Message) > 1000 || !strings.HasPrefix(d.Message, taxii.StoredAlthough) {
			t.Errorf("message of %d octets: %.60s", len(d.Message), d.Message)
		}
	}
	list, err := f.Node.Violations(t.Context(), c.ID, 0, 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("Violations = %v, %v", list, err)
	}
	if diff := cmp.Diff(exact, list[0].Violations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(list[1].Violations); n == 0 || n > 100 || !slices.Equal(list[1].Violations, many[:n]) {
		t.Errorf("of 1,000 violations %d are recorded: want the first ones", n)
	}
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1} {
		if list, err := f.Node.Violations(t.Context(), c.ID, 0, limit); err != nil || len(list) != want {
			t.Errorf("limit %d: %d entries, %v", limit, len(list), err)
		}
	}
}

func testApplyViolations(t *testing.T, f *Fixture) {
	c := f.collection(t, "Pulled violations")
	sub := f.subscribe(t, c)
	page := sync.PulledPage{Subscription: sub.ID, Items: pulled(indicator(1, 1, 0), indicator(2, 1, 0), indicator(3, 1, 0))}
	page.Items[0].Violations, page.Items[2].Violations = violation("a"), violation("c")
	page.Items[2].Refused = "not wanted"
	if diff := cmp.Diff(sync.Applied{Stored: 2, Violating: 1, Quarantined: 1}, f.apply(t, page)); diff != "" {
		t.Errorf("Applied (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sync.Applied{Known: 2, Quarantined: 1}, f.apply(t, page)); diff != "" {
		t.Errorf("Applied again (-want +got):\n%s", diff)
	}
	f.wantViolations(t, c, "indicator-001 2026-01-01T00:00:00.000Z a")
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1)})
	if diff := cmp.Diff(sync.Applied{Known: 1, Tombstoned: 1, Quarantined: 1}, f.apply(t, page)); diff != "" {
		t.Errorf("Applied after a delete (-want +got):\n%s", diff)
	}
	f.wantViolations(t, c)
}

// testBrokenDefinition holds that sharing fails closed: a definition that breaks rules may have lost its restriction.
func testBrokenDefinition(t *testing.T, f *Fixture) {
	c := f.collection(t, "Broken definition")
	f.add(t, c, object{n: 1, marks: []stix.Identifier{id("marking-definition", 1)}}.make())
	f.submitItems(t, c, broken(statement(1), "definition"))
	q := taxii.Query{Collection: c.ID, Visible: known, IDs: []stix.Identifier{id("indicator", 1)}}
	if e := f.page(t, q).Entries; len(e) != 0 {
		t.Errorf("served under a definition that breaks rules: %v", names(e))
	}
	f.add(t, c, laterStatement(1))
	if e := f.page(t, q).Entries; len(e) != 1 {
		t.Errorf("under a sound definition %v is served, want the one", names(e))
	}
}

func testChangeCollection(t *testing.T, f *Fixture) {
	c, other := f.collection(t, "Feed"), f.collection(t, "Other")
	f.add(t, c, indicator(1, 1, 0))
	c, err := f.Node.Collection(t.Context(), c.ID)
	if err != nil || c.Lenient {
		t.Fatalf("a new collection is %+v, %v, want a strict one", c, err)
	}
	text := func(s string) *string { return &s }
	yes, no := true, false
	green, refuse, none := stix.TLPGreen, stix.TLPUnmarked, stix.TLPRed+1
	for _, step := range []struct {
		name   string
		change store.CollectionChange
		want   func(*taxii.Collection)
	}{
		{"nothing", store.CollectionChange{}, func(*taxii.Collection) {}},
		{"lenient", store.CollectionChange{Lenient: &yes}, func(c *taxii.Collection) { c.Lenient = true }},
		{"the title alone", store.CollectionChange{Title: text("Official feed")}, func(c *taxii.Collection) { c.Title = "Official feed" }},
		{"the case of the title", store.CollectionChange{Title: text("official feed")}, func(c *taxii.Collection) { c.Title = "official feed" }},
		{"the description", store.CollectionChange{Description: text("As it comes.")}, func(c *taxii.Collection) { c.Description = "As it comes." }},
		{"the default TLP", store.CollectionChange{DefaultTLP: &green}, func(c *taxii.Collection) { c.DefaultTLP = stix.TLPGreen }},
		{"unmarked objects refused", store.CollectionChange{DefaultTLP: &refuse}, func(c *taxii.Collection) { c.DefaultTLP = stix.TLPUnmarked }},
		{"all at once", store.CollectionChange{Title: text("Feed"), Description: text(""), Lenient: &no},
			func(c *taxii.Collection) { c.Title, c.Description, c.Lenient = "Feed", "", false }},
	} {
		step.want(&c)
		got, err := f.Node.ChangeCollection(t.Context(), c.ID, step.change)
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", step.name, err, diff)
		}
		f.Reopen(t)
		if held, err := f.Store.Collection(t.Context(), c.ID); err != nil || !cmp.Equal(c, held) {
			t.Errorf("%s: the collection is then %+v, %v", step.name, held, err)
		}
	}
	for name, tt := range map[string]struct {
		id     string
		change store.CollectionChange
		want   error
	}{
		"a title that is taken":  {c.ID, store.CollectionChange{Title: text("OTHER"), Lenient: &yes}, store.ErrExists},
		"a title with a dot":     {c.ID, store.CollectionChange{Title: text("a.b"), Lenient: &yes}, store.ErrInvalid},
		"a level that is none":   {c.ID, store.CollectionChange{DefaultTLP: &none, Lenient: &yes}, store.ErrInvalid},
		"no title":               {c.ID, store.CollectionChange{Title: text(""), Lenient: &yes}, store.ErrInvalid},
		"a collection not there": {"nowhere", store.CollectionChange{Lenient: &yes}, taxii.ErrNotFound},
	} {
		if _, err := f.Node.ChangeCollection(t.Context(), tt.id, tt.change); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	all, err := f.Node.Collections(t.Context())
	if diff := cmp.Diff([]taxii.Collection{c, other}, all); err != nil || diff != "" {
		t.Errorf("after changes that failed, %v (-want +got):\n%s", err, diff)
	}
	added, err := f.Node.AddCollection(t.Context(), store.NewCollection{Title: "Lenient from the start", Lenient: true})
	if held, heldErr := f.Store.Collection(t.Context(), added.ID); err != nil || heldErr != nil || !added.Lenient || !held.Lenient {
		t.Errorf("added %+v, %v; held %+v, %v", added, err, held, heldErr)
	}
}

func testSubscriptionRules(t *testing.T, f *Fixture) {
	c := f.collection(t, "Rules")
	f.subscribe(t, c)
	rules := []sync.Rules{sync.RulesOfNode, sync.RulesStrict, sync.RulesLenient}
	for _, r := range rules[1:] {
		sub, err := f.Node.Subscribe(t.Context(), sync.Subscription{Peer: peerID, Collection: "feed " + string(r), Into: c.ID, Rules: r})
		if err != nil || sub.Rules != r {
			t.Errorf("Subscribe with rules %q: %+v, %v", r, sub, err)
		}
	}
	if _, err := f.Node.Subscribe(t.Context(), sync.Subscription{Peer: peerID, Collection: "x", Into: c.ID, Rules: "liberal"}); !errors.Is(err, store.ErrInvalid) || !errors.Is(err, sync.ErrRules) {
		t.Errorf("Subscribe with rules that are none: %v, want ErrInvalid and ErrRules", err)
	}
	f.Reopen(t)
	list, err := f.Node.Subscriptions(t.Context())
	if err != nil || len(list) != len(rules) {
		t.Fatalf("Subscriptions = %+v, %v", list, err)
	}
	for i, sub := range list {
		if sub.Rules != rules[i] {
			t.Errorf("subscription %d has the rules %q, want %q", sub.ID, sub.Rules, rules[i])
		}
	}
}
