package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skjold-exchange/skjold/taxii"
)

// countingEngine counts the write transactions.
type countingEngine struct {
	engine
	mu     sync.Mutex
	writes int
}

func (e *countingEngine) Write(ctx context.Context, fn func(conn) error) error {
	e.mu.Lock()
	e.writes++
	e.mu.Unlock()
	return e.engine.Write(ctx, fn)
}

// queued waits until n writes are in the queue.
func (c *committer) queued(n int) {
	for {
		c.mu.Lock()
		have := len(c.queue)
		c.mu.Unlock()
		if have == n {
			return
		}
		runtime.Gosched()
	}
}

func TestSharedCommit(t *testing.T) {
	s := openDir(t, t.TempDir())
	counting := &countingEngine{engine: s.engine}
	s.commits.engine = counting
	<-s.commits.turn // somebody is committing
	refused := errors.New("refused")
	cancelled, cancel := context.WithCancel(t.Context())
	results := make([]error, 12)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			ctx := t.Context()
			if i == 11 {
				ctx = cancelled
			}
			results[i] = s.commits.do(ctx, 1, func(c conn) error {
				if _, err := c.Exec(`INSERT INTO meta (name, value) VALUES ($1, '')`, fmt.Sprint(i)); err != nil {
					return err
				}
				if i%3 == 0 {
					return refused
				}
				return nil
			})
		})
	}
	s.commits.queued(12)
	cancel()
	for s.commits.waiting() != 11 {
		runtime.Gosched()
	}
	s.commits.turn <- struct{}{}
	wg.Wait()
	if counting.writes != 2 {
		t.Errorf("%d transactions for writes that waited together, want 2: one that is undone because some fail, one in savepoints", counting.writes)
	}
	for i, err := range results {
		switch {
		case i == 11:
			if !errors.Is(err, taxii.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("the cancelled write: %v, want ErrUnavailable", err)
			}
		case i%3 == 0:
			if !errors.Is(err, refused) {
				t.Errorf("write %d: %v, want its own error", i, err)
			}
		case err != nil:
			t.Errorf("write %d: %v", i, err)
		}
		_, missing := s.Meta(t.Context(), fmt.Sprint(i))
		if stored := missing == nil; stored != (err == nil) {
			t.Errorf("write %d returned %v and is stored: %v", i, err, stored)
		}
	}
}

// TestLeaderCommitsAnother has a leader whose batch is one write of another caller: that write must not fail because the
// leader's own caller goes away.
func TestLeaderCommitsAnother(t *testing.T) {
	s := openDir(t, t.TempDir())
	contexts := &contextEngine{engine: s.engine}
	s.commits.engine = contexts
	<-s.commits.turn
	set := func(name string) func(conn) error {
		return func(c conn) error {
			_, err := c.Exec(`INSERT INTO meta (name, value) VALUES ($1, '')`, name)
			return err
		}
	}
	other := make(chan error, 1)
	go func() { other <- s.commits.do(t.Context(), maxShare, set("other")) }() // takes a commit of its own
	s.commits.queued(1)
	own := &write{fn: set("own"), weight: 1, done: make(chan struct{})}
	s.commits.queue = append(s.commits.queue, own)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.commits.lead(gone, own)
	if err := <-other; err != nil {
		t.Errorf("the write of another caller: %v", err)
	}
	s.commits.lead(gone, own)
	if <-own.done; !errors.Is(own.err, taxii.ErrUnavailable) {
		t.Errorf("the leader's own write after its caller has gone: %v, want ErrUnavailable", own.err)
	}
	if diff := cmp.Diff([]error{nil, context.Canceled}, contexts.errs, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("contexts of the transactions (-want +got):\n%s", diff)
	}
	s.commits.turn <- struct{}{}
}

// contextEngine notes whether the contexts of write transactions have ended.
type contextEngine struct {
	engine
	errs []error
}

func (e *contextEngine) Write(ctx context.Context, fn func(conn) error) error {
	e.errs = append(e.errs, ctx.Err())
	if err := ctx.Err(); err != nil {
		return unavailable("test", err)
	}
	return e.engine.Write(ctx, fn)
}

// waiting counts the queued writes that were not cancelled.
func (c *committer) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, w := range c.queue {
		if w.state.Load() == writeQueued {
			n++
		}
	}
	return n
}

func TestCommitWeight(t *testing.T) {
	c := newCommitter(nil, nil)
	for _, weight := range []int{10, maxShare, maxShare - 10, 10, 1} {
		c.queue = append(c.queue, &write{weight: weight})
	}
	for _, want := range []int{1, 1, 2, 1} {
		if got := len(c.batch()); got != want {
			t.Errorf("a batch of %d, want %d", got, want)
		}
	}
	if got := c.batch(); got != nil {
		t.Errorf("a batch from an empty queue: %v", got)
	}
}

// TestPanic checks that a write that panics neither commits nor keeps the others waiting.
func TestPanic(t *testing.T) {
	s := openDir(t, t.TempDir())
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = s.write(t.Context(), func(c conn) error {
			if _, err := c.Exec(`INSERT INTO meta (name, value) VALUES ('panicked', '')`); err != nil {
				return err
			}
			panic("test")
		})
	}()
	if err := s.SetMeta(t.Context(), "next", ""); err != nil {
		t.Errorf("the next write: %v", err)
	}
	if _, err := s.Meta(t.Context(), "panicked"); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("what panicked: %v, want ErrNotFound", err)
	}
}

func TestFailedTransaction(t *testing.T) {
	s := openDir(t, t.TempDir())
	broken := errors.New("broken")
	s.commits.engine = brokenEngine{s.engine, broken}
	if err := s.SetMeta(t.Context(), "a", "b"); !errors.Is(err, broken) {
		t.Errorf("a write whose commit failed: %v", err)
	}
	s.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "x", Objects: 1})
	if err := s.flush(t.Context()); !errors.Is(err, broken) {
		t.Errorf("flush: %v", err)
	}
	s.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "x", Objects: 2, UserAgent: "a"})
	if err := s.flush(t.Context()); !errors.Is(err, broken) {
		t.Errorf("flush: %v", err)
	}
	if o := s.observed.seen[observed{taxii.ClientAccount, "x"}]; o == nil || o.objects != 3 || o.userAgent != "a" {
		t.Errorf("what could not be written was not kept: %+v", o)
	}
	s.commits.engine = s.engine
}

type brokenEngine struct {
	engine
	err error
}

func (e brokenEngine) Write(ctx context.Context, fn func(conn) error) error {
	return e.engine.Write(ctx, func(c conn) error {
		if err := fn(c); err != nil {
			return err
		}
		return e.err
	})
}
