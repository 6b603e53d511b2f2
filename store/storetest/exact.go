package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

var exactTests = []testCase{
	{"an entry committed between decision and query is not passed", testDecisionSnapshot},
	{"every poller gets every visible version once and in order", testExactlyOnce},
	{"concurrent submissions of the same objects store them once", testSameObjects},
}

func testDecisionSnapshot(t *testing.T, f *Fixture) {
	c := f.collection(t, "Snapshot")
	f.add(t, c, indicator(1, 1, stix.TLPGreen))
	committed := false
	q := taxii.Query{Collection: c.ID, Visible: func(stix.MarkingSet, bool) bool {
		if !committed {
			committed = true
			// A set that this decision has not seen, and after it an entry that the decision allows.
			f.add(t, c, indicator(2, 1, stix.TLPClear), indicator(3, 1, stix.TLPGreen))
		}
		return true
	}}
	p := f.page(t, q)
	n := len(p.Entries) // one where the decision is made in the page's snapshot, three where a cache makes it before
	if n == 0 || p.Collection.Last != p.Entries[n-1].DateAdded || p.Collection.Objects != int64(n) {
		t.Fatalf("the collection %+v is not of the snapshot of a page of %d", p.Collection, n)
	}
	q.After = p.Collection.Last
	got := append(names(p.Entries), names(f.page(t, q).Entries)...)
	want := []string{"indicator-001 2026-01-01T00:00:00.000Z", "indicator-002 2026-01-01T00:00:00.000Z", "indicator-003 2026-01-01T00:00:00.000Z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the page and the next one (-want +got):\n%s", diff)
	}
}

// poller follows a collection and checks what it gets.
type poller struct {
	name    string
	visible func(stix.MarkingSet, bool) bool
	match   taxii.VersionMatch
	jump    bool // at the end of what there is, goes on from the collection's last date
	random  *rand.Rand
	after   taxii.DateAdded
	got     map[string]taxii.DateAdded
}

// drain reads until there is no more.
func (p *poller) drain(ctx context.Context, s taxii.Store, collection string) error {
	for {
		page, err := s.Entries(ctx, taxii.Query{Collection: collection, After: p.after, Limit: 1 + p.random.IntN(40), Version: p.match, Visible: p.visible})
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if e.DateAdded <= p.after {
				return fmt.Errorf("%s %s has date %v, the position was %v", e.ID, e.Version, e.DateAdded, p.after)
			}
			key := string(e.ID) + " " + e.Version
			if before, twice := p.got[key]; twice {
				return fmt.Errorf("%s came at %v and again at %v", key, before, e.DateAdded)
			}
			p.got[key], p.after = e.DateAdded, e.DateAdded
		}
		if !page.More {
			if p.jump {
				p.after = max(p.after, page.Collection.Last)
			}
			return nil
		}
		if len(page.Entries) == 0 {
			return fmt.Errorf("an empty page says that there is more")
		}
	}
}

func pollers(r *rand.Rand) []*poller {
	all := taxii.VersionMatch{All: true}
	var list []*poller
	for _, p := range []poller{
		{name: "what is understood", match: all, visible: known},
		{name: "green and below", match: all, visible: func(m stix.MarkingSet, unknown bool) bool { return !unknown && m.TLP <= stix.TLPGreen }},
		{name: "one owner", match: all, visible: func(m stix.MarkingSet, unknown bool) bool { return !unknown && m.Owner == id("identity", 3) }},
		{name: "last versions", visible: known},
	} {
		for _, jump := range []bool{false, true} {
			one := p
			one.jump, one.random, one.got = jump, rand.New(rand.NewPCG(r.Uint64(), 1)), make(map[string]taxii.DateAdded)
			list = append(list, &one)
		}
	}
	return list
}

// writeSome submits random objects: new ones and new versions in any order, of several levels and owners, some under a
// marking whose definition comes later or never.
func writeSome(ctx context.Context, committed *progress, s taxii.Store, clock *Clock, collection string, writer int, r *rand.Rand, submissions int) error {
	for range submissions {
		var items []taxii.Item
		for range 1 + r.IntN(12) {
			d := object{n: writer<<16 | r.IntN(60), owner: r.IntN(5), modified: fmt.Sprintf("2026-01-%02dT00:00:00.000Z", 1+r.IntN(9))}
			// The marks follow from the id, so that every version of it that is submitted twice is the same.
			switch d.n % 6 {
			case 0:
				d.marks = []stix.Identifier{id("marking-definition", writer<<8|d.n%3)}
			case 1, 2, 3:
				d.marks = []stix.Identifier{stix.MarkingOf(stix.TLP(d.n % 5))}
			}
			d.owner = d.n % 5
			items = append(items, taxii.Item{Object: d.make()})
		}
		if r.IntN(15) == 0 {
			items = append(items, taxii.Item{Object: statement(writer<<8 | r.IntN(3))})
		}
		if r.IntN(20) == 0 {
			clock.Add(time.Duration(r.IntN(2000)-1000) * time.Microsecond)
		}
		status, err := s.Add(ctx, taxii.Submission{Collection: collection, Account: "w", Received: clock.Now(), Items: items})
		if err != nil {
			return err
		}
		if status.FailureCount > 0 {
			return fmt.Errorf("submission failed: %+v", status.Failures[0])
		}
		committed.step()
	}
	return nil
}

// progress lets pollers sleep while nothing is committed.
type progress struct {
	mu    sync.Mutex
	moved *sync.Cond
	n     int
	done  bool
}

func newProgress() *progress {
	p := new(progress)
	p.moved = sync.NewCond(&p.mu)
	return p
}

func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	p.moved.Broadcast()
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	p.moved.Broadcast()
}

// after waits until more than n submissions are committed or all are, and returns how many and whether these are all.
func (p *progress) after(n int) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.n == n && !p.done {
		p.moved.Wait()
	}
	return p.n, p.done
}

// concurrently runs writers to their end while the pollers poll, and then each poller once more.
func (f *Fixture) concurrently(t *testing.T, collection string, seed uint64, list []*poller) {
	t.Helper()
	const writers, submissions = 8, 12
	var writing, polling sync.WaitGroup
	committed := newProgress()
	for w := range writers {
		writing.Go(func() {
			if err := writeSome(t.Context(), committed, f.Store, f.Clock, collection, w+1, rand.New(rand.NewPCG(seed, uint64(w))), submissions); err != nil {
				t.Errorf("writer %d: %v", w, err)
			}
		})
	}
	for _, p := range list {
		polling.Go(func() {
			for seen, done := 0, false; ; {
				if err := p.drain(t.Context(), f.Store, collection); err != nil {
					t.Errorf("poller of %s: %v", p.name, err)
					return
				}
				if done {
					return
				}
				seen, done = committed.after(seen)
			}
		})
	}
	writing.Wait()
	committed.end()
	polling.Wait()
	f.verify(t)
}

func testExactlyOnce(t *testing.T, f *Fixture) {
	const seed = 20260301
	c := f.collection(t, "Exact")
	list := pollers(rand.New(rand.NewPCG(seed, 0)))
	for round := range uint64(2) { // with a restart in between: cursors survive it
		f.concurrently(t, c.ID, seed+round, list)
		if t.Failed() {
			return
		}
		f.Reopen(t)
		for _, p := range list {
			late := &poller{name: p.name, visible: p.visible, match: p.match, random: p.random, got: make(map[string]taxii.DateAdded)}
			if err := late.drain(t.Context(), f.Store, c.ID); err != nil {
				t.Fatalf("poller of %s that begins late: %v", p.name, err)
			}
			if len(late.got) == 0 {
				t.Fatalf("the workload has nothing for %s", p.name)
			}
			got := p.got
			if !p.match.All {
				got = intersect(got, late.got) // versions that were last for a while are extra
			}
			if diff := cmp.Diff(late.got, got); diff != "" {
				t.Errorf("round %d, %s, jump %v: what is held and what came differ (-held +came):\n%s", round, p.name, p.jump, diff)
			}
		}
	}
}

func intersect(a, b map[string]taxii.DateAdded) map[string]taxii.DateAdded {
	out := make(map[string]taxii.DateAdded)
	for k, v := range a {
		if _, ok := b[k]; ok {
			out[k] = v
		}
	}
	return out
}

func testSameObjects(t *testing.T, f *Fixture) {
	c := f.collection(t, "Same")
	const writers = 8
	added := make([]int, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var items []taxii.Item
			for n := range 20 {
				items = append(items, taxii.Item{Object: object{n: n}.make()}, taxii.Item{Object: address(n, "")})
			}
			status, err := f.Store.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "w", Received: f.Clock.Now(), Items: items})
			if err != nil || status.FailureCount != 0 {
				t.Errorf("Add: %+v, %v", status, err)
				return
			}
			for _, s := range status.Successes {
				if s.Message == "" {
					added[w]++
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(added)
	if want := []int{0, 0, 0, 0, 0, 0, 0, 40}; !slices.Equal(added, want) {
		t.Errorf("objects that the writers added: %v, want %v", added, want)
	}
	if n := len(f.all(t, c)); n != 40 {
		t.Errorf("%d entries, want 40", n)
	}
}
