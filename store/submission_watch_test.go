package store

import (
	"context"
	"slices"
	gosync "sync"
	"sync/atomic"
	"testing"

	"github.com/skjold-exchange/skjold/taxii"
)

// lateEngine has each write transaction wait, once it is committed, until somebody lets it return.
type lateEngine struct {
	engine
	committed chan struct{}
	release   chan struct{}
}

func (e *lateEngine) Write(ctx context.Context, fn func(conn) error) error {
	err := e.engine.Write(ctx, fn)
	e.committed <- struct{}{}
	<-e.release
	return err
}

// TestStatusTellsWatchers reads the status of a submission when it has been decided and whoever decided it does not know
// yet. What the status lists must be seen by whoever asks next, so those who keep answers are told before.
func TestStatusTellsWatchers(t *testing.T) {
	s := openDir(t, t.TempDir())
	c := addCollection(t, s)
	sub := oneObject(t, c.ID)
	sub.Deferred = true
	status, err := s.Add(t.Context(), sub)
	if err != nil || status.Status != taxii.StatusPending {
		t.Fatalf("Add: %+v, %v", status, err)
	}
	var told []string
	s.Watch(func(collection string) { told = append(told, collection) })
	late := &lateEngine{engine: s.engine, committed: make(chan struct{}), release: make(chan struct{})}
	s.engine, s.commits.engine = late, late
	var deciding gosync.WaitGroup
	deciding.Go(func() {
		if worked, err := s.Advance(t.Context()); err != nil || !worked {
			t.Errorf("Advance: %v, %v", worked, err)
		}
	})
	<-late.committed // the claim
	late.release <- struct{}{}
	<-late.committed // the part
	status, err = s.Status(t.Context(), status.ID, sub.Account)
	if err != nil || status.Status != taxii.StatusComplete {
		t.Errorf("Status: %+v, %v", status, err)
	}
	if !slices.Contains(told, c.ID) {
		t.Error("the status lists a success that the watchers of the collection have not been told of")
	}
	late.release <- struct{}{}
	deciding.Wait()
}

// TestRepetitionTellsWatchers is the same for whoever learns the status by sending the submission again under its key.
func TestRepetitionTellsWatchers(t *testing.T) {
	s := openDir(t, t.TempDir())
	c := addCollection(t, s)
	sub := oneObject(t, c.ID)
	sub.Deferred, sub.Key = true, &taxii.IdempotencyKey{Name: "again"}
	if _, err := s.Add(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	var calls, told atomic.Int32
	late, release := make(chan struct{}), make(chan struct{})
	s.Watch(func(string) {
		if calls.Add(1) == 1 { // by whoever decided the part, and is held up
			close(late)
			<-release
			return
		}
		told.Add(1)
	})
	var deciding gosync.WaitGroup
	deciding.Go(func() {
		if worked, err := s.Advance(t.Context()); err != nil || !worked {
			t.Errorf("Advance: %v, %v", worked, err)
		}
	})
	<-late
	status, err := s.Add(t.Context(), sub)
	if err != nil || status.Status != taxii.StatusComplete {
		t.Errorf("Add again: %+v, %v", status, err)
	}
	if told.Load() == 0 {
		t.Error("the status lists a success that the watchers of the collection have not been told of")
	}
	close(release)
	deciding.Wait()
}
