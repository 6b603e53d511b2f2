package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// maxShare bounds how many objects one commit carries for several callers, so that a small submission does not wait
// behind many large ones.
const maxShare = 4000

// committer lets concurrent writers share a commit. It has no goroutine: a caller queues its work and then waits for
// the turn or for its own work to be done by whoever has the turn.
type committer struct {
	engine  engine
	metrics *metrics
	health  *health       // nil for none
	slow    *slowLog      // nil for none
	turn    chan struct{} // holds one token when nobody commits

	mu    sync.Mutex
	queue []*write
}

// write is one caller's part of a commit.
type write struct {
	fn     func(conn) error
	add    *addition    // what fn adds, nil where it does something else
	weight int          // in objects
	state  atomic.Int32 // of the constants below; whoever moves it from queued owns the write
	err    error        // valid once done is closed
	done   chan struct{}
}

const (
	writeQueued int32 = iota
	writeRunning
	writeCancelled
)

func newCommitter(e engine, m *metrics) *committer {
	c := &committer{engine: e, metrics: m, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// do runs fn in a write transaction and returns when it is durable. fn may run on another caller's goroutine,
// and a second time after the first was undone: it sets its results afresh. An error of fn undoes fn alone. ctx
// bounds the wait; a write that has begun is waited for, since its outcome is being decided.
func (c *committer) do(ctx context.Context, weight int, fn func(conn) error) error {
	return c.commit(ctx, &write{fn: fn, weight: weight, done: make(chan struct{})})
}

// add is do for an addition, which may be stored together with others.
func (c *committer) add(ctx context.Context, a *addition) error {
	return c.commit(ctx, &write{fn: a.run, add: a, weight: len(a.all), done: make(chan struct{})})
}

func (c *committer) commit(ctx context.Context, w *write) error {
	c.mu.Lock()
	c.queue = append(c.queue, w)
	c.mu.Unlock()
	for {
		select {
		case <-w.done:
			return w.err
		case <-c.turn:
			func() {
				defer func() { c.turn <- struct{}{} }()
				c.lead(ctx, w)
			}()
		case <-ctx.Done():
			if w.state.CompareAndSwap(writeQueued, writeCancelled) {
				return unavailable("waiting to write", ctx.Err())
			}
			<-w.done
			return w.err
		}
	}
}

// lead commits a batch from the head of the queue, if the caller's own write is still in it.
func (c *committer) lead(ctx context.Context, own *write) {
	select {
	case <-own.done:
		return
	default:
	}
	batch := c.batch()
	if len(batch) == 0 {
		return
	}
	start := time.Now()
	failed := errors.New("the transaction was abandoned")
	defer func() { // also when a write panics: nobody may wait for ever
		for _, w := range batch {
			if failed != nil && w.err == nil {
				w.err = failed
			}
			close(w.done)
		}
	}()
	if len(batch) != 1 || batch[0] != own {
		ctx = context.WithoutCancel(ctx) // the others' wait must not end because the leader's caller has gone
	}
	failed = c.engine.Write(ctx, func(db conn) error { return runAll(c.slow.timed(db), batch) })
	if errors.Is(failed, errOneFailed) {
		failed = c.engine.Write(ctx, func(db conn) error { return runApart(c.slow.timed(db), batch) })
	}
	c.metrics.committed(len(batch), time.Since(start), failed)
	c.note(batch, failed)
}

// note tells what a commit says of the database's health.
func (c *committer) note(batch []*write, failed error) {
	if c.health == nil {
		return
	}
	c.health.met(failed)
	if failed == nil {
		c.health.wrote()
	}
	for _, w := range batch {
		c.health.met(w.err)
	}
}

// errOneFailed: a write that shares a transaction failed, so the transaction is undone and run in savepoints. Savepoints
// cost a third of the time of small writes, which seldom fail.
var errOneFailed = errors.New("one of several writes failed")

func runAll(db conn, batch []*write) error {
	for rest := batch; len(rest) > 0; {
		n, err := runNext(db, rest)
		if err != nil {
			if len(batch) > 1 {
				return errOneFailed
			}
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// runNext runs the first of some writes, and those after it that go together with it; it returns how many.
func runNext(db conn, writes []*write) (int, error) {
	var group together
	n := 0
	for n < len(writes) && group.admit(writes[n].add) {
		n++
	}
	if n > 1 {
		return n, group.run(db)
	}
	return 1, writes[0].fn(db)
}

// runApart runs each write in a savepoint. The error of a write is kept for its caller; what is returned ends the
// transaction.
func runApart(db conn, batch []*write) error {
	for _, w := range batch {
		if _, err := db.Exec(`SAVEPOINT share`); err != nil {
			return err
		}
		if w.err = w.fn(db); w.err != nil {
			if _, err := db.Exec(`ROLLBACK TO SAVEPOINT share`); err != nil {
				return err
			}
		}
		if _, err := db.Exec(`RELEASE SAVEPOINT share`); err != nil {
			return err
		}
	}
	return nil
}

// batch takes what one commit carries from the queue.
func (c *committer) batch() []*write {
	c.mu.Lock()
	defer c.mu.Unlock()
	var batch []*write
	weight, n := 0, 0
	for _, w := range c.queue {
		if len(batch) > 0 && weight+w.weight > maxShare {
			break
		}
		n++
		if w.state.CompareAndSwap(writeQueued, writeRunning) {
			batch = append(batch, w)
			weight += w.weight
		}
	}
	clear(c.queue[:n])
	c.queue = c.queue[n:]
	return batch
}
