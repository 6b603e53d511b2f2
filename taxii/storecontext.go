package taxii

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// storeContext is the context of the store's part of a request: the request's own, and over after a time. The timer is set
// when somebody first waits for it: most of what is asked is in memory, and a timer would be a good part of its cost. end
// gives it back.
type storeContext struct {
	context.Context // the request's
	deadline        time.Time

	mu     sync.Mutex
	timed  context.Context // with the timer; nil until somebody waits
	cancel context.CancelFunc
	ended  bool
}

// storeContext bounds the store's part of a request.
func (s *Server) storeContext(r *http.Request) *storeContext {
	deadline := time.Now().Add(s.opt.Timeout)
	if earlier, ok := r.Context().Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	return &storeContext{Context: r.Context(), deadline: deadline}
}

// Deadline implements context.Context.
func (c *storeContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *storeContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.withTimer().Done()
}

// withTimer makes the timer if there is none yet. c.mu is held.
func (c *storeContext) withTimer() context.Context {
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.Context, c.deadline)
		if c.ended {
			c.cancel()
		}
	}
	return c.timed
}

// Err implements context.Context.
func (c *storeContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil && !c.ended && time.Now().Before(c.deadline) {
		return c.Context.Err()
	}
	return c.withTimer().Err()
}

// Value implements context.Context. Contexts that are made of this one find by it what to wait for.
func (c *storeContext) Value(key any) any {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return c.Context.Value(key)
}

// end cancels the context, as its context.CancelFunc would.
func (c *storeContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}
