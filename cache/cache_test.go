package cache

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// cached is a node on a fresh SQLite database with a collection in it.
func cached(t *testing.T, r *Redis) (*node, taxii.Collection) {
	t.Helper()
	s := sqliteDatabase(t)(t, store.Options{})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return newNode(t, s, r), newCollection(t, s)
}

// walk reads a collection to its end and returns where each page came from.
func (n *node) walk(t *testing.T, q taxii.Query) []string {
	t.Helper()
	var from []string
	for {
		before := make(map[string]int)
		places := []string{fromPosition, fromMemory, fromRedis, fromStore}
		for _, place := range places {
			before[place] = n.metric(t, "skjold_cache_answers_total", place)
		}
		p, err := answered{n.Store}.Entries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want, err := n.store.Entries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent{want.More, want.Entries}, sent{p.More, p.Entries}); diff != "" {
			t.Fatalf("the page after %v (-store +cache):\n%s", q.After, diff)
		}
		for _, place := range places {
			if n.metric(t, "skjold_cache_answers_total", place) > before[place] {
				from = append(from, place)
			}
		}
		if !p.More {
			return from
		}
		q.After = p.Entries[len(p.Entries)-1].DateAdded
	}
}

// TestEviction holds that appending evicts the page that reached the end and no other, and that a change evicts exactly the
// pages that held the entry, or the one that showed that there was more.
func TestEviction(t *testing.T) {
	n, c := cached(t, nil)
	last := taxii.Query{Collection: c.ID, Limit: 3, Bytes: true, Version: taxii.VersionMatch{Last: true}}
	all := last
	all.Version = taxii.VersionMatch{All: true}
	for i := range 10 {
		add(t, n, c, indicator(i, 1, stix.TLPGreen))
	}
	check := func(what string, q taxii.Query, want string) {
		t.Helper()
		if diff := cmp.Diff(want, strings.Join(n.walk(t, q), " ")); diff != "" {
			t.Errorf("%s: pages came from (-want +got):\n%s", what, diff)
		}
	}
	check("at first", last, "store store store store")
	check("at first, all versions", all, "store store store store")
	check("again", last, "memory memory memory memory")
	add(t, n, c, indicator(10, 1, stix.TLPGreen))
	check("after appending", last, "memory memory memory store")
	check("after appending, all versions", all, "memory memory memory store")
	add(t, n, c, indicator(11, 1, stix.TLPGreen), indicator(12, 1, stix.TLPClear)) // a marking set that is new
	check("when the last page became full", last, "memory memory memory store store")
	check("when the last page became full, all versions", all, "memory memory memory store store")
	// What follows the changed page begins elsewhere where only last versions are asked for.
	add(t, n, c, indicator(4, 2, stix.TLPGreen))
	check("after a new version of entry 4", last, "memory store store store store")
	check("after a new version of entry 4, all versions", all, "memory store memory memory store")
	if n, err := n.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: indicator(0, 1, stix.TLPGreen).ID}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	check("after deleting entry 0, all versions", all, "store store store store store")
	if got := n.metric(t, "skjold_cache_evictions_total", reasonDropped); got != 0 {
		t.Errorf("%d pages were dropped for no reason", got)
	}
	if n.metric(t, "skjold_cache_evictions_total", reasonTouched) == 0 || n.metric(t, "skjold_cache_evictions_total", reasonAppended) == 0 {
		t.Error("the metrics tell no evictions")
	}
}

// TestNothingNew holds that who has everything is answered without the database, and that one who may see less than the
// newest entry is from the second time on.
func TestNothingNew(t *testing.T) {
	n, c := cached(t, nil)
	add(t, n, c, indicator(1, 1, stix.TLPGreen), indicator(2, 1, stix.TLPAmber))
	now, err := n.Collection(t.Context(), c.Alias+c.ID)
	if err != nil {
		t.Fatal(err)
	}
	q := taxii.Query{Collection: c.ID, After: now.Last, Limit: 10}
	n.walk(t, q)
	checks := n.metric(t, "skjold_cache_checks_total", "")
	for range 5 {
		a, err := n.Answer(t.Context(), requestOf(q))
		if err != nil || a.Objects != 0 || a.Collection.State() != now.State() {
			t.Fatalf("Answer = %+v, %v", a, err)
		}
	}
	if n.metric(t, "skjold_cache_checks_total", "") != checks || n.metric(t, "skjold_cache_answers_total", fromPosition) != 6 {
		t.Error("the database was asked")
	}
	q.After, q.Visible = now.Last-1, func(m stix.MarkingSet, _ bool) bool { return m.TLP < stix.TLPAmber }
	if diff := cmp.Diff([]string{fromStore}, n.walk(t, q)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{fromMemory}, n.walk(t, q)); diff != "" {
		t.Error(diff)
	}
}

// TestDecisions holds that callers share pages if the policy decides alike for them, and only then.
func TestDecisions(t *testing.T) {
	n, c := cached(t, nil)
	add(t, n, c, indicator(1, 1, stix.TLPClear), indicator(2, 1, stix.TLPGreen), indicator(3, 1, stix.TLPAmber))
	upTo := func(level stix.TLP) func(stix.MarkingSet, bool) bool {
		return func(m stix.MarkingSet, _ bool) bool { return m.TLP <= level }
	}
	q := taxii.Query{Collection: c.ID, Limit: 10, Bytes: true}
	for _, step := range []struct {
		visible func(stix.MarkingSet, bool) bool
		want    string
	}{
		{upTo(stix.TLPGreen), fromStore}, {upTo(stix.TLPGreen), fromMemory},
		{upTo(stix.TLPClear), fromStore}, {upTo(stix.TLPGreen), fromMemory}, {upTo(stix.TLPClear), fromMemory},
		{nil, fromStore}, {upTo(stix.TLPRed), fromMemory}, {upTo(stix.TLPAmberStrict), fromMemory},
		{upTo(stix.TLPUnmarked), fromStore},
	} {
		q.Visible = step.visible
		if diff := cmp.Diff([]string{step.want}, n.walk(t, q)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestOtherProcess holds that another process's write is seen after half a second where no message tells of it, and that
// one's own is seen at once.
func TestOtherProcess(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			open := d.open(t)
			a, b := newNode(t, open(t, store.Options{}), nil), newNode(t, open(t, store.Options{}), nil)
			t.Cleanup(func() {
				a.stop()
				b.stop()
				if err := errors.Join(a.store.Close(), b.store.Close()); err != nil {
					t.Error(err)
				}
			})
			c := newCollection(t, a.store)
			q := taxii.Query{Collection: c.ID, Limit: 10, Bytes: true}
			count := func(n *node) int {
				t.Helper()
				p, err := answered{n.Store}.Entries(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				return len(p.Entries)
			}
			for i := range 5 {
				count(b)
				add(t, a, c, indicator(i, 1, stix.TLPGreen))
				if got := count(a); got != i+1 {
					t.Errorf("the process that wrote gives %d objects of %d", got, i+1)
				}
				b.clock.advance(maxAge)
				if got := count(b); got != i+1 {
					t.Errorf("the other process gives %d objects of %d", got, i+1)
				}
			}
			if _, err := a.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: indicator(2, 1, stix.TLPGreen).ID}); err != nil {
				t.Fatal(err)
			}
			b.clock.advance(maxAge)
			if got := count(b); got != 4 {
				t.Errorf("the other process gives %d objects of 4", got)
			}
			if err := a.store.RemoveCollection(t.Context(), c.ID); err != nil {
				t.Fatal(err)
			}
			b.clock.advance(maxAge)
			for _, n := range []*node{a, b} {
				if _, err := n.Answer(t.Context(), requestOf(q)); !errors.Is(err, taxii.ErrNotFound) {
					t.Errorf("Answer of a collection that was removed: %v", err)
				}
				if _, err := n.Collection(t.Context(), c.ID); !errors.Is(err, taxii.ErrNotFound) {
					t.Errorf("Collection: %v", err)
				}
			}
		})
	}
}

// TestCollection holds that a collection is found by id and alias as the store has it.
func TestCollection(t *testing.T) {
	n, _ := cached(t, nil)
	c, err := n.store.AddCollection(t.Context(), store.NewCollection{Title: "Aliased", Alias: "feed", DefaultTLP: stix.TLPGreen})
	if err != nil {
		t.Fatal(err)
	}
	title := "Renamed"
	for range 2 {
		for _, ref := range []string{c.ID, "feed"} {
			want, err := n.store.Collection(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got, err := n.Collection(t.Context(), ref); err != nil || got != want {
					t.Errorf("Collection(%q) = %+v, %v; the store has %+v", ref, got, err, want)
				}
			}
		}
		if _, err := n.store.ChangeCollection(t.Context(), c.ID, store.CollectionChange{Title: &title}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.Collection(t.Context(), "nothing"); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Collection of none: %v", err)
	}
}

// TestBounded holds that the pages stay within their memory, and that a page too large for it is served and not kept.
func TestBounded(t *testing.T) {
	n, c := cached(t, nil)
	var objects []*stix.Object
	for i := range 300 {
		objects = append(objects, indicator(i, 1, stix.TLPGreen))
	}
	add(t, n, c, objects...)
	large := func(body byte, size int) taxii.AnswerRequest {
		r := requestOf(taxii.Query{Collection: c.ID, Limit: 10, After: c.Last + taxii.DateAdded(body)})
		r.Coding, r.Render = "", func(taxii.Page) ([]byte, error) { return bytes.Repeat([]byte{body}, size), nil }
		return r
	}
	for i := range 200 {
		if _, err := n.Answer(t.Context(), large(byte(i), 1<<20)); err != nil {
			t.Fatal(err)
		}
		if size := n.pages.WeightedSize(); size > 8<<20 {
			t.Fatalf("the pages take %d octets", size)
		}
	}
	if n.metric(t, "skjold_cache_evictions_total", reasonSize) < 150 {
		t.Error("the metrics tell no evictions")
	}
	collection := n.collection(c.ID)
	collection.index.Lock()
	if kept := len(collection.pages); kept == 0 || kept > 8 {
		t.Errorf("the index has %d pages", kept)
	}
	collection.index.Unlock()
	for range 2 {
		if a, err := n.Answer(t.Context(), large(201, 3<<20)); err != nil || len(a.Body) != 3<<20 {
			t.Fatal(err)
		}
	}
	if got := n.metric(t, "skjold_cache_answers_total", fromMemory); got != 0 {
		t.Errorf("%d pages came from memory", got)
	}
}

// TestFlights holds that requests for the same page share the work, also when the client that began it has gone, and that a
// request that came after a write does not share what began before it.
func TestFlights(t *testing.T) {
	n, c := cached(t, nil)
	add(t, n, c, indicator(1, 1, stix.TLPGreen))
	began, goOn := make(chan struct{}), make(chan struct{})
	rendered := 0 // by one at a time, each told by a channel
	r := requestOf(taxii.Query{Collection: c.ID, Limit: 10})
	r.Render = func(p taxii.Page) ([]byte, error) {
		rendered++
		began <- struct{}{}
		<-goOn
		return renderGob(p)
	}
	type result struct {
		a   *taxii.Answer
		err error
	}
	results := make(chan result)
	ctx, cancel := context.WithCancel(t.Context())
	ask := func(ctx context.Context) {
		a, err := n.Answer(ctx, r)
		results <- result{a, err}
	}
	go ask(ctx)
	<-began
	cancel()
	go ask(t.Context())
	go ask(t.Context())
	add(t, n, c, indicator(2, 1, stix.TLPGreen))
	go func() {
		q := r
		q.Render = renderGob
		a, err := n.Answer(t.Context(), q)
		if err == nil && a.Objects != 2 {
			err = errors.New("a request that came after a write was answered from before it")
		}
		results <- result{a, err}
	}()
	if got := <-results; got.err != nil {
		t.Fatal(got.err)
	}
	go func() { // the two may have come after the write, and then share other work
		for {
			select {
			case <-began:
			case goOn <- struct{}{}:
			case <-t.Context().Done():
				return
			}
		}
	}()
	for range 3 {
		if got := <-results; got.err != nil || got.a.Objects == 0 {
			t.Errorf("%+v", got)
		}
	}
	if rendered > 2 {
		t.Errorf("the page was made %d times", rendered)
	}
}

// TestExpiredWait holds that who waits for another's work is told when his time is over.
func TestExpiredWait(t *testing.T) {
	var f flights
	began, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := f.do(t.Context(), flightKey{}, func(context.Context) (any, error) { close(began); <-goOn; return 1, nil })
		done <- err
	}()
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := f.do(ctx, flightKey{}, nil); !errors.Is(err, taxii.ErrUnavailable) {
		t.Errorf("do: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
