package store

import (
	"context"
	"errors"
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

// TestTogether holds that submissions that share a commit become what they become one after the other: their statuses, and
// what is held.
func TestTogether(t *testing.T) {
	shared, seeds := 0, uint64(16)
	if raceDetector {
		seeds = 4
	}
	for seed := range seeds {
		crowd, crowded := openAt(t, seed)
		queue, queued := openAt(t, seed)
		runs := submissionRuns(t, seed)
		for _, subs := range runs {
			want := make([]taxii.Status, len(subs))
			for i, sub := range subs {
				subs[i].Collection, sub.Collection = crowded, queued
				status, err := queue.Add(t.Context(), sub)
				if err != nil {
					t.Fatal(err)
				}
				want[i] = withoutID(status)
			}
			statuses, writes := addTogether(t, crowd, subs)
			shared += len(subs) - writes
			if diff := cmp.Diff(want, statuses); diff != "" {
				t.Fatalf("seed %d: statuses of submissions that share a commit (-one after the other +together):\n%s", seed, diff)
			}
			if diff := cmp.Diff(heldContents(t, queue), heldContents(t, crowd)); diff != "" {
				t.Fatalf("seed %d: what is held (-one after the other +together):\n%s", seed, diff)
			}
		}
	}
	if shared == 0 {
		t.Error("nothing was stored together with anything else")
	}
}

// openAt opens a store with one collection, whose id it returns, and a clock that stands.
func openAt(t *testing.T, seed uint64) (*Store, string) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, int(seed), 0, time.UTC)
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Now: func() time.Time { return now }, PatternValues: func(pattern string) []string { return []string{pattern} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, addCollection(t, s).ID
}

// addTogether adds submissions that wait for the same commit, in their order. It returns in how many groups they were stored.
func addTogether(t *testing.T, s *Store, subs []taxii.Submission) (statuses []taxii.Status, groups int) {
	t.Helper()
	<-s.commits.turn // somebody is committing
	statuses = make([]taxii.Status, len(subs))
	var adding sync.WaitGroup
	for i, sub := range subs {
		adding.Go(func() {
			status, err := s.Add(t.Context(), sub)
			if err != nil {
				t.Errorf("Add: %v", err)
			}
			statuses[i] = withoutID(status)
		})
		s.commits.queued(i + 1)
	}
	s.commits.mu.Lock()
	for rest := s.commits.queue; len(rest) > 0; groups++ {
		var group together
		n := 0
		for n < len(rest) && group.admit(rest[n].add) {
			n++
		}
		rest = rest[max(1, n):]
	}
	s.commits.mu.Unlock()
	s.commits.turn <- struct{}{}
	adding.Wait()
	return statuses, groups
}

func withoutID(status taxii.Status) taxii.Status {
	status.ID = ""
	return status
}

// heldContents are the entries of a store with everything that decides who finds them, and what is kept beside them.
func heldContents(t *testing.T, s *Store) (rows []string) {
	t.Helper()
	for _, sql := range []string{
		`SELECT 'entry', e.date_added, e.object, e.version, e.is_first, e.is_last, e.revoked, m.name, f.unknown FROM entry e JOIN facet f ON f.number = e.facet
			JOIN marking_set m ON m.number = f.marking_set ORDER BY e.seq`,
		`SELECT 'facet', f.entries, m.name, f.type, '', 0, 0, '', 0 FROM facet f JOIN marking_set m ON m.number = f.marking_set WHERE f.entries > 0 ORDER BY m.name, f.type`,
		`SELECT 'observable', o.value, e.object, e.version, 0, 0, 0, '', 0 FROM observable o JOIN entry e ON e.seq = o.entry ORDER BY o.value, o.entry`,
		`SELECT 'joined', 0, target, object, 0, 0, 0, '', 0 FROM joined ORDER BY target, object`,
		`SELECT 'collection', last_added, '', '', objects, 0, 0, '', 0 FROM collection`,
		`SELECT 'statuses', COUNT(*), account, '', 0, 0, 0, '', 0 FROM status GROUP BY account ORDER BY account`,
	} {
		err := s.read(t.Context(), func(c conn) error {
			return c.Query(sql, nil, func(r row) error {
				rows = append(rows, fmt.Sprint(r.Text(0), r.Int(1), r.Text(2), r.Text(3), r.Int(4), r.Int(5), r.Int(6), r.Text(7), r.Int(8)))
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// submissionRuns makes up runs of submissions that have much to do with each other: versions, copies and revocations of few
// objects, what joins them, markings with and without their definitions, senders who may publish for themselves only or
// see nothing.
func submissionRuns(t *testing.T, seed uint64) [][]taxii.Submission {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 11))
	runs := make([][]taxii.Submission, 3)
	for r := range runs {
		runs[r] = make([]taxii.Submission, 2+rng.IntN(12))
		for i := range runs[r] {
			sub := &runs[r][i]
			*sub = taxii.Submission{Account: fmt.Sprint("account ", rng.IntN(3)), Received: time.Unix(1e9, 0)}
			for range 1 + rng.IntN(3) {
				o, err := stix.Parse([]byte(madeUpObject(rng)), stix.DefaultLimits())
				if err != nil {
					t.Fatal(err)
				}
				sub.Items = append(sub.Items, taxii.Item{Object: o})
			}
			switch rng.IntN(8) {
			case 0:
				sub.Identity = "identity--00000000-0000-4000-8000-000000000001"
			case 1:
				sub.Visible = func(stix.MarkingSet, bool) bool { return false }
			case 2:
				sub.Visible = func(m stix.MarkingSet, unknown bool) bool { return !unknown && m.TLP < stix.TLPAmber }
			case 3:
				sub.Key = &taxii.IdempotencyKey{Name: fmt.Sprint(r, "-", i)}
			case 4:
				sub.Items = append(sub.Items, taxii.Item{ID: "refused", Refused: "is refused"})
			}
		}
	}
	return runs
}

func madeUpObject(rng *rand.Rand) string {
	id := func(typ string, n int) string { return fmt.Sprintf("%s--00000000-0000-4000-8000-%012d", typ, n) }
	statement := id("marking-definition", 900+rng.IntN(2))
	markings := ""
	switch rng.IntN(5) {
	case 0:
		markings = `,"object_marking_refs":["` + statement + `"]`
	case 1, 2, 3:
		level := []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPAmber, stix.TLPRed}[rng.IntN(4)]
		markings = `,"object_marking_refs":["` + string(stix.MarkingOf(level)) + `"]`
	}
	creator := fmt.Sprintf(`,"created_by_ref":%q`, id("identity", 1+rng.IntN(2)))
	common := fmt.Sprintf(`"spec_version":"2.1","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:0%d.000Z"%s%s`, rng.IntN(4), creator, markings)
	target := id("indicator", rng.IntN(16))
	switch rng.IntN(10) {
	case 0:
		return fmt.Sprintf(`{"type":"relationship","id":%q,%s,"relationship_type":"indicates","source_ref":%q,"target_ref":%q}`,
			id("relationship", rng.IntN(30)), common, target, id("malware", rng.IntN(3)))
	case 1:
		return fmt.Sprintf(`{"type":"malware","id":%q,%s,"is_family":false}`, id("malware", rng.IntN(3)), common)
	case 2:
		return fmt.Sprintf(`{"type":"ipv4-addr","spec_version":"2.1","id":%q,"value":"192.0.2.%d"%s}`, id("ipv4-addr", rng.IntN(9)), rng.IntN(2), markings)
	case 3:
		return fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"x"}}`, statement)
	case 4:
		return fmt.Sprintf(`{"type":"indicator","id":%q,%s,"revoked":true}`, target, common)
	}
	return fmt.Sprintf(`{"type":"indicator","id":%q,%s,"pattern":"[a:b='%d']","name":"%d"}`, target, common, rng.IntN(9), rng.IntN(2))
}

// TestTogetherIsUndoneApart has one of several submissions that go together fail: the others are stored.
func TestTogetherIsUndoneApart(t *testing.T) {
	s, collection := openAt(t, 0)
	failing := &failingEngine{engine: s.engine}
	s.commits.engine = failing
	subs := make([]taxii.Submission, 5)
	for i := range subs {
		subs[i] = oneObject(t, collection)
	}
	failing.object = string(subs[2].Items[0].Object.ID)
	<-s.commits.turn
	errs := make([]error, len(subs))
	var adding sync.WaitGroup
	for i, sub := range subs {
		adding.Go(func() { _, errs[i] = s.Add(t.Context(), sub) })
		s.commits.queued(i + 1)
	}
	s.commits.turn <- struct{}{}
	adding.Wait()
	for i, err := range errs {
		if (err != nil) != (i == 2) {
			t.Errorf("submission %d: %v", i, err)
		}
	}
	page, err := s.Entries(t.Context(), taxii.Query{Collection: collection, Limit: 10})
	if err != nil || len(page.Entries) != len(subs)-1 {
		t.Errorf("%d objects are held, want %d; %v", len(page.Entries), len(subs)-1, err)
	}
}

// failingEngine does not take one object.
type failingEngine struct {
	engine
	object string
}

func (e *failingEngine) Write(ctx context.Context, fn func(conn) error) error {
	return e.engine.Write(ctx, func(c conn) error { return fn(failingConn{c, e.object}) })
}

type failingConn struct {
	conn
	object string
}

// Insert implements conn.
func (c failingConn) Insert(into *insertion, rows [][]any) error {
	if into == insertEntries && slices.ContainsFunc(rows, func(row []any) bool { return row[6] == c.object }) {
		return errors.New("the object is not taken")
	}
	return c.conn.Insert(into, rows)
}
