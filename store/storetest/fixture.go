// Package storetest is the behaviour suite that every store of the node passes, whatever its engine and whatever stands
// in front of it.
package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// The bounds of the quarantine that the stores under test are opened with.
const (
	QuarantineRows  = 40
	QuarantineBytes = 4 << 20
)

// Fixture is one empty store for one test.
type Fixture struct {
	// Store is under test as the protocol sees it: Node itself, or something in front of it.
	Store taxii.Store
	// Node is the store itself.
	Node *store.Store
	// Clock is the clock that Node was opened with.
	Clock *Clock
	// Reopen closes the store and opens it again, setting Store and Node.
	Reopen func(t *testing.T)
}

// Clock is a clock that tests set. It may be used concurrently.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at noon of 1 March 2026 UTC.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)}
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock, backwards too.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Run runs the suite. open returns a fresh, empty store and cleans up after the test.
func Run(t *testing.T, open func(t *testing.T) *Fixture) {
	for _, c := range slices.Concat(logTests, queryTests, markingTests, deleteTests, statusTests, applyTests, accountTests, credentialTests, hostileTests, exactTests, violationTests, visibleTests, changesTests, submissionTests, backlogTests,
		historyTests, joinedTests, searchTests) {
		t.Run(c.name, func(t *testing.T) {
			f := open(t)
			c.test(t, f)
			f.verify(t)
		})
	}
}

type testCase struct {
	name string
	test func(t *testing.T, f *Fixture)
}

// verify fails the test where the store breaks an invariant.
func (f *Fixture) verify(t *testing.T) {
	t.Helper()
	findings, err := f.Node.Verify(t.Context())
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	for _, finding := range findings {
		t.Errorf("Verify: %s", finding)
	}
}

// collection adds a collection that handles unmarked objects as amber+strict.
func (f *Fixture) collection(t *testing.T, title string) taxii.Collection {
	t.Helper()
	c, err := f.Node.AddCollection(t.Context(), store.NewCollection{Title: title, DefaultTLP: stix.TLPAmberStrict})
	if err != nil {
		t.Fatalf("AddCollection(%q): %v", title, err)
	}
	return c
}

// submit stores objects in a collection and returns the status.
func (f *Fixture) submit(t *testing.T, c taxii.Collection, objects ...*stix.Object) taxii.Status {
	t.Helper()
	items := make([]taxii.Item, len(objects))
	for i, o := range objects {
		items[i] = taxii.Item{Object: o}
	}
	status, err := f.Store.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "analyst", Received: f.Clock.Now(), Items: items})
	if err != nil {
		t.Fatalf("Add: %v", err)
	}
	f.verify(t)
	return status
}

// add stores objects, all of which must be successes.
func (f *Fixture) add(t *testing.T, c taxii.Collection, objects ...*stix.Object) taxii.Status {
	t.Helper()
	status := f.submit(t, c, objects...)
	if status.FailureCount != 0 {
		t.Fatalf("Add: %d failures, the first is %+v", status.FailureCount, status.Failures[0])
	}
	return status
}

// page answers a query; the limit is 1,000 unless the query has one.
func (f *Fixture) page(t *testing.T, q taxii.Query) taxii.Page {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 1000
	}
	p, err := f.Store.Entries(t.Context(), q)
	if err != nil {
		t.Fatalf("Entries: %v", err)
	}
	return p
}

// all pages through a collection and returns every version.
func (f *Fixture) all(t *testing.T, c taxii.Collection) []taxii.Entry {
	t.Helper()
	var list []taxii.Entry
	q := taxii.Query{Collection: c.ID, Version: taxii.VersionMatch{All: true}, Bytes: true, Limit: 7}
	for {
		p := f.page(t, q)
		list = append(list, p.Entries...)
		if !p.More {
			return list
		}
		q.After = p.Entries[len(p.Entries)-1].DateAdded
	}
}

// names lists entries as "id version", the UUIDs cut to their last digits.
func names(entries []taxii.Entry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, short(e.ID)+" "+e.Version)
	}
	return list
}

func short(id stix.Identifier) string {
	u := id.UUID()
	return id.Type() + "-" + u[len(u)-3:]
}
