package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// deferredObjects is a submission of n new objects that may be decided later.
func deferredObjects(t *testing.T, collection string, n int) taxii.Submission {
	t.Helper()
	sub := taxii.Submission{Collection: collection, Account: "analyst", Received: time.Now(), Deferred: true}
	for range n {
		sub.Items = append(sub.Items, oneObject(t, collection).Items...)
	}
	return sub
}

// clockedStore opens a store whose clock a test moves, with parts of two objects.
func clockedStore(t *testing.T, dir string, now *time.Time) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir, Now: func() time.Time { return *now }, Submissions: SubmissionOptions{PartObjects: 2}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func advance(t *testing.T, s *Store, want bool) {
	t.Helper()
	if worked, err := s.Advance(t.Context()); err != nil || worked != want {
		t.Fatalf("Advance = %v, %v, want %v", worked, err, want)
	}
}

// TestClaims has two processes on one database: one works on a submission, the other takes it when the first has been
// silent for as long as its lease, and what the first did not notice does no harm.
func TestClaims(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	a := clockedStore(t, dir, &now)
	b := clockedStore(t, dir, &now)
	c := addCollection(t, a)
	status, err := a.Add(t.Context(), deferredObjects(t, c.ID, 9))
	if err != nil {
		t.Fatal(err)
	}
	advance(t, a, true)
	advance(t, b, false)
	stale, ok, err := a.claim(t.Context())
	if err != nil || !ok {
		t.Fatalf("claim: %v, %v", ok, err)
	}
	now = now.Add(10 * time.Second)
	advance(t, b, true)
	if err := a.decidePart(t.Context(), stale); !errors.Is(err, errClaimLost) {
		t.Errorf("a part that another process has decided: %v", err)
	}
	stale.part++
	if err := a.decidePart(t.Context(), stale); !errors.Is(err, errClaimLost) {
		t.Errorf("a part of a submission that another process has: %v", err)
	}
	advance(t, a, false)
	if err := b.unclaim(t.Context(), b.instance); err != nil { // a process that ends in order leaves its submissions at once
		t.Fatal(err)
	}
	advance(t, a, true)
	for range 2 {
		advance(t, a, true)
	}
	advance(t, a, false)
	got, err := b.Status(t.Context(), status.ID, "analyst")
	if err != nil || got.Status != taxii.StatusComplete || got.SuccessCount != 9 {
		t.Errorf("status %+v, %v", got, err)
	}
	if c, err := a.Collection(t.Context(), c.ID); err != nil || c.Objects != 9 {
		t.Errorf("%d objects, %v, want 9", c.Objects, err)
	}
}

// TestBrokenPart holds that a part which can't be stored is given up after some attempts, with a reason for each of its
// objects, and does not keep what comes after it.
func TestBrokenPart(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := clockedStore(t, t.TempDir(), &now)
	c := addCollection(t, s)
	status, err := s.Add(t.Context(), deferredObjects(t, c.ID, 4))
	if err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), func(db conn) error {
		_, err := db.Exec(`UPDATE submission_part SET items = $1 WHERE part = 1`, []byte("no gob"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range maxPartFailures {
		if worked, err := s.Advance(t.Context()); worked || err == nil {
			t.Fatalf("Advance = %v, %v of a part that can't be read", worked, err)
		}
	}
	advance(t, s, true)
	advance(t, s, false)
	got, err := s.Status(t.Context(), status.ID, "analyst")
	if err != nil || got.FailureCount != 2 || got.SuccessCount != 2 || got.Failures[0].Message != notStorable {
		t.Errorf("status %+v, %v", got, err)
	}
	if findings, err := s.Verify(t.Context()); err != nil || len(findings) > 0 {
		t.Errorf("Verify: %v, %v", findings, err)
	}
}

// TestPurgePending holds that the life of a status begins when its submission is decided.
func TestPurgePending(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := clockedStore(t, t.TempDir(), &now)
	c := addCollection(t, s)
	sub := deferredObjects(t, c.ID, 2)
	sub.Key = &taxii.IdempotencyKey{Name: "k"}
	status, err := s.Add(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	present := func(want bool) {
		t.Helper()
		if err := s.purgeStatuses(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Status(t.Context(), status.ID, "analyst"); (err == nil) != want {
			t.Errorf("Status: %v, want it there: %v", err, want)
		}
	}
	now = now.Add(2 * statusLife)
	present(true)
	advance(t, s, true)
	now = now.Add(statusLife)
	present(true)
	now = now.Add(time.Microsecond)
	present(false)
	err = s.read(t.Context(), func(db conn) error {
		left, err := number(db, `SELECT (SELECT COUNT(*) FROM status_part) + (SELECT COUNT(*) FROM submission_part) + (SELECT COUNT(*) FROM idempotency_key)`)
		if left != 0 {
			t.Errorf("%d rows are left of a submission that is over", left)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOldestKeys holds that the keys of an account are bounded, and that the oldest go first.
func TestOldestKeys(t *testing.T) {
	s := openDir(t, t.TempDir())
	c := addCollection(t, s)
	err := s.write(t.Context(), func(db conn) error {
		for n := range maxKeys + 2 {
			sub := taxii.Submission{Account: "analyst", Collection: c.ID, Key: &taxii.IdempotencyKey{Name: fmt.Sprint(n)}}
			if err := putKey(db, sub, "", time.Now().UnixMicro()); err != nil {
				return err
			}
		}
		held, err := number(db, `SELECT COUNT(*) FROM idempotency_key`)
		oldest, err2 := number(db, `SELECT MIN(number) FROM idempotency_key WHERE name <> '0' AND name <> '1'`)
		if held != maxKeys || oldest != 3 {
			t.Errorf("%d keys are held, the oldest has number %d", held, oldest)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRunDecides holds that Run decides what is pending when it begins and what comes while it runs.
func TestRunDecides(t *testing.T) {
	s := openDir(t, t.TempDir())
	c := addCollection(t, s)
	before, err := s.Add(t.Context(), deferredObjects(t, c.ID, 3))
	if err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), func(db conn) error { // as a process leaves it that was killed
		_, err := db.Exec(`UPDATE submission SET owner = 'dead', lease = $1`, time.Now().Add(24*time.Hour).UnixMicro())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	complete := func(id string) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for {
			status, err := s.Status(t.Context(), id, "analyst")
			if err != nil {
				t.Fatal(err)
			}
			if status.Status == taxii.StatusComplete {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("after a minute the status is %+v", status)
			}
		}
	}
	complete(before.ID)
	later, err := s.Add(t.Context(), deferredObjects(t, c.ID, 1200))
	if err != nil {
		t.Fatal(err)
	}
	complete(later.ID)
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}
