package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/taxii"
)

// openSearched opens a store whose searches look at few objects, with a collection.
func openSearched(t *testing.T) (*Store, taxii.Collection) {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), PatternValues: pattern.Values})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.looks = looks{enough: 300, most: 1000}
	c, err := s.AddCollection(t.Context(), NewCollection{Title: "Searched", DefaultTLP: stix.TLPAmber})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// numbered is the nth indicator in a version of a day, with a confidence, marked with a level.
func numbered(t *testing.T, n, day, confidence int, level stix.TLP) taxii.Item {
	t.Helper()
	o, err := stix.Parse(fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"indicator--5a1f0000-0000-4000-8000-%012x","created":"2025-12-01T00:00:00.000Z",`+
		`"modified":"2026-01-%02dT00:00:00.000Z","confidence":%d,"pattern_type":"stix","pattern":"[ipv4-addr:value = '198.51.100.%d']","object_marking_refs":[%q]}`,
		n, day, confidence, n%250, stix.MarkingOf(level)), stix.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return taxii.Item{Object: o}
}

func addItems(t *testing.T, s *Store, c taxii.Collection, items ...taxii.Item) {
	t.Helper()
	if st, err := s.Add(t.Context(), taxii.Submission{Collection: c.ID, Received: time.Unix(1, 0), Items: items}); err != nil || st.FailureCount > 0 {
		t.Fatalf("Add: %+v, %v", st, err)
	}
}

func atLeast(confidence int) []stix.Condition {
	return []stix.Condition{{Property: "confidence", Type: stix.IntegerProperty, Comparison: stix.AtLeast, Values: []string{fmt.Sprint(confidence)}}}
}

// many are n numbered items of confidence 10.
func many(t *testing.T, n int) (items []taxii.Item) {
	for i := range n {
		items = append(items, numbered(t, 10+i, 1, 10, stix.TLPGreen))
	}
	return items
}

// ask asks again as long as nothing is found in the time of one request, and returns what is found at last.
func ask(t *testing.T, s *Store, q taxii.Query) (page taxii.Page, asked int) {
	t.Helper()
	for asked = 1; asked < 100; asked++ {
		page, err := s.Entries(t.Context(), q)
		if err == nil {
			return page, asked
		}
		if !errors.Is(err, taxii.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	t.Fatal("nothing is found, however often one asks")
	return page, asked
}

// TestSearchGoesOn holds that a search for what is rare looks at a bounded number of objects in one request, and that
// asking again comes to the end.
func TestSearchGoesOn(t *testing.T) {
	s, c := openSearched(t)
	items := append(many(t, 5000), numbered(t, 1, 1, 90, stix.TLPGreen), numbered(t, 2, 1, 95, stix.TLPGreen))
	addItems(t, s, c, items...)
	q := taxii.Query{Collection: c.ID, Limit: 1, Conditions: atLeast(90)}
	page, asked := ask(t, s, q)
	if asked < 3 || len(page.Entries) != 1 || !page.More || !strings.HasSuffix(string(page.Entries[0].ID), "001") {
		t.Errorf("after %d requests: %+v", asked, page)
	}
	if page, err := s.Entries(t.Context(), q); err != nil || len(page.Entries) != 1 {
		t.Errorf("the same again: %+v, %v", page, err)
	}
	q.Conditions = atLeast(99)
	page, asked = ask(t, s, q)
	if asked < 3 || len(page.Entries) != 0 || page.More {
		t.Errorf("what nothing satisfies, after %d requests: %+v", asked, page)
	}
	// What is added later is found, though the search goes on from where it was.
	addItems(t, s, c, numbered(t, 3, 1, 100, stix.TLPGreen))
	if page, err := s.Entries(t.Context(), q); err != nil || len(page.Entries) != 1 {
		t.Errorf("after something was added: %+v, %v", page, err)
	}
}

// TestSearchReturnsWhatItHas holds that a page which was found early is not held back for what is rare behind it, and that
// its position spares the next request the way.
func TestSearchReturnsWhatItHas(t *testing.T) {
	s, c := openSearched(t)
	addItems(t, s, c, append([]taxii.Item{numbered(t, 1, 1, 90, stix.TLPGreen)}, many(t, 3000)...)...)
	q := taxii.Query{Collection: c.ID, Limit: 5, Conditions: atLeast(90)}
	page, err := s.Entries(t.Context(), q)
	if err != nil || len(page.Entries) != 1 || !page.More || page.Until <= page.Entries[0].DateAdded {
		t.Fatalf("%+v, %v", page, err)
	}
	for pages := 0; page.More; pages++ {
		q.After = page.Until
		if page, _ = ask(t, s, q); len(page.Entries) != 0 || pages > 10 {
			t.Fatalf("after it: %+v", page)
		}
	}
}

// TestSearchMemoryIsTrue holds that a search goes on from where it was only while nothing before it can have become the
// answer: not after a removal, and not for a caller who sees other marking sets.
func TestSearchMemoryIsTrue(t *testing.T) {
	green := func(m stix.MarkingSet, _ bool) bool { return m.TLP <= stix.TLPGreen }
	fill := func(t *testing.T) (*Store, taxii.Collection, taxii.Query) {
		s, c := openSearched(t)
		addItems(t, s, c, numbered(t, 1, 1, 90, stix.TLPGreen), numbered(t, 1, 2, 10, stix.TLPGreen),
			numbered(t, 2, 1, 90, stix.TLPRed), numbered(t, 3, 1, 90, stix.TLPGreen), numbered(t, 3, 2, 10, stix.TLPRed))
		addItems(t, s, c, many(t, 2000)...)
		return s, c, taxii.Query{Collection: c.ID, Limit: 5, Conditions: atLeast(90)}
	}
	ids := func(page taxii.Page) (list []string) {
		for _, e := range page.Entries {
			list = append(list, string(e.ID[len(e.ID)-1:]))
		}
		return list
	}
	t.Run("after a removal", func(t *testing.T) {
		s, c, q := fill(t)
		q.Visible = func(m stix.MarkingSet, u bool) bool { return true }
		q.Conditions = append(atLeast(90), stix.Condition{Property: "modified", Type: stix.TimestampProperty, Comparison: stix.AtMost, Values: []string{"2026-01-01T00:00:00Z"}})
		q.Types = []string{"indicator"}
		q.TLPs = []stix.TLP{stix.TLPGreen}
		if page, asked := ask(t, s, q); len(page.Entries) != 0 || asked < 2 {
			t.Fatalf("before: %v", ids(page))
		}
		if _, err := s.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: "indicator--5a1f0000-0000-4000-8000-000000000001", Version: taxii.VersionMatch{Last: true}}); err != nil {
			t.Fatal(err)
		}
		page, _ := ask(t, s, q)
		if diff := cmp.Diff([]string{"1"}, ids(page)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("for who sees more", func(t *testing.T) {
		s, _, q := fill(t)
		q.TLPs = []stix.TLP{stix.TLPRed}
		q.Visible = green
		if page, _ := ask(t, s, q); len(page.Entries) != 0 {
			t.Fatalf("before: %v", ids(page))
		}
		q.Visible = nil
		page, _ := ask(t, s, q)
		if diff := cmp.Diff([]string{"2"}, ids(page)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("for who sees less", func(t *testing.T) {
		s, _, q := fill(t)
		q.TLPs = []stix.TLP{stix.TLPGreen}
		if page, asked := ask(t, s, q); len(page.Entries) != 0 || asked < 2 {
			t.Fatalf("before: %v", ids(page))
		}
		q.Visible = green
		page, _ := ask(t, s, q)
		if diff := cmp.Diff([]string{"3"}, ids(page)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestSearchMemoryIsBounded fills the memory with more than it holds.
func TestSearchMemoryIsBounded(t *testing.T) {
	s, c := openSearched(t)
	addItems(t, s, c, many(t, 600)...)
	for n := range 20 {
		s.searched.size = maxSearchMemory - 12*(n%3)
		ask(t, s, taxii.Query{Collection: c.ID, Limit: 1, Conditions: atLeast(90 + n)})
		if s.searched.size > maxSearchMemory || len(s.searched.by) == 0 {
			t.Fatalf("%d numbers in %d memories", s.searched.size, len(s.searched.by))
		}
	}
}

// TestSearchesTakeTurns holds that a search waits while enough others run, no longer than its caller, and that other
// queries do not wait.
func TestSearchesTakeTurns(t *testing.T) {
	s, c := openSearched(t)
	for range cap(s.searching) {
		s.searching <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Entries(ctx, taxii.Query{Collection: c.ID, Limit: 1, Conditions: atLeast(1)}); !errors.Is(err, taxii.ErrUnavailable) {
		t.Errorf("a search: %v, want ErrUnavailable", err)
	}
	if _, err := s.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 1}); err != nil {
		t.Error(err)
	}
	<-s.searching
	if _, err := s.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 1, Conditions: atLeast(1)}); err != nil {
		t.Error(err)
	}
}

// TestDigestsThatCollide holds that a value is not found by its digest alone.
func TestDigestsThatCollide(t *testing.T) {
	s, c := openSearched(t)
	addItems(t, s, c, numbered(t, 1, 1, 10, stix.TLPGreen), numbered(t, 2, 1, 10, stix.TLPGreen))
	err := s.write(t.Context(), func(db conn) error {
		_, err := db.Exec(`INSERT INTO observable (collection, value, entry) SELECT collection, $1, seq FROM entry`, valueDigest("other.example"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if page, err := s.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 1, Values: []string{"other.example"}}); err != nil || len(page.Entries) > 0 || page.More {
		t.Errorf("%+v, %v", page, err)
	}
	if page, err := s.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 1, Values: []string{"198.51.100.2", "other.example"}}); err != nil || len(page.Entries) != 1 || page.More {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestSearchByCommonValue pages through a value that very many objects have.
func TestSearchByCommonValue(t *testing.T) {
	s, c := openSearched(t)
	s.looks = looks{enough: 300, most: 10_000}
	addItems(t, s, c, many(t, 5000)...)
	q := taxii.Query{Collection: c.ID, Limit: 7, Values: []string{"198.51.100.20", "198.51.100.21"}}
	found, byUntil := 0, 0
	for {
		page, err := s.Entries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		found += len(page.Entries)
		if !page.More {
			break
		}
		q.After = max(page.Entries[len(page.Entries)-1].DateAdded, page.Until)
		byUntil++
	}
	if found != 40 || byUntil < 5 {
		t.Errorf("%d found on %d pages, want 40", found, byUntil+1)
	}
	q.After, q.Conditions = 0, atLeast(99)
	if page, err := s.Entries(t.Context(), q); err != nil || len(page.Entries) > 0 || page.More {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestEarlierEntriesAreRead holds that what was stored before the observable table was there is found by value after it was
// read in the background, and that nobody is told before that nothing is there.
func TestEarlierEntriesAreRead(t *testing.T) {
	s, c := openSearched(t)
	addItems(t, s, c, many(t, 2*readBatch+50)...)
	err := s.write(t.Context(), func(db conn) error { // as the migration leaves a database of an earlier version
		return db.Script(`DELETE FROM observable; UPDATE counter SET value = (SELECT MAX(seq) FROM entry) WHERE name = 'unread'`)
	})
	if err != nil {
		t.Fatal(err)
	}
	q := taxii.Query{Collection: c.ID, Limit: 100, Values: []string{"198.51.100.12"}}
	addItems(t, s, c, numbered(t, 12+250*9, 1, 10, stix.TLPGreen))
	for _, id := range []stix.Identifier{"indicator--5a1f0000-0000-4000-8000-00000000000c", "indicator--5a1f0000-0000-4000-8000-00000000000d"} {
		if _, err := s.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: id}); err != nil {
			t.Fatal(err)
		}
		if done, err := s.readEarlierBatch(t.Context()); done || err != nil {
			t.Fatalf("a batch: %v, %v", done, err)
		}
		if _, err := s.Entries(t.Context(), q); !errors.Is(err, taxii.ErrUnavailable) {
			t.Errorf("while it is being read: %v, want ErrUnavailable", err)
		}
	}
	if _, err := s.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 1}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	page, _ := askPatiently(t, s, q)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	want := 0
	for n := 10; n < 10+2*readBatch+50; n++ {
		if n%250 == 12 && n != 12 {
			want++
		}
	}
	if len(page.Entries) != want+1 {
		t.Errorf("%d entries, want %d", len(page.Entries), want+1)
	}
	if findings, err := s.Verify(t.Context()); err != nil || len(findings) > 0 {
		t.Errorf("Verify: %v, %v", err, findings)
	}
	if done, err := s.readEarlierBatch(t.Context()); !done || err != nil {
		t.Errorf("when everything was read: %v, %v", done, err)
	}
}

// askPatiently asks until there is an answer, for ten seconds.
func askPatiently(t *testing.T, s *Store, q taxii.Query) (taxii.Page, error) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		page, err := s.Entries(t.Context(), q)
		if err == nil || time.Now().After(end) {
			if err != nil {
				t.Error(err)
			}
			return page, err
		}
	}
}
