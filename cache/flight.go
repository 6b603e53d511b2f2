package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/skjold-exchange/skjold/taxii"
)

// flightKey names work that several requests may share: reading the state of a log (a page key with nothing but the
// collection), or making a page of one state.
type flightKey struct {
	page     pageKey
	state    taxii.LogState
	decision string
}

// flights lets concurrent requests for the same share one piece of work.
type flights struct {
	mu      sync.Mutex
	running map[flightKey]*flight
}

type flight struct {
	done  chan struct{}
	value any // both valid once done is closed
	err   error
}

// errAbandoned: whoever did the work panicked.
var errAbandoned = errors.New("the work was abandoned")

// do runs fn, or waits for another who runs it already and takes what it gives. fn goes on when the client of the request
// that runs it has gone, since others may wait.
func (f *flights) do(ctx context.Context, key flightKey, fn func(ctx context.Context) (any, error)) (any, error) {
	f.mu.Lock()
	other := f.running[key]
	if other == nil {
		own := &flight{done: make(chan struct{}), err: errAbandoned}
		if f.running == nil {
			f.running = make(map[flightKey]*flight)
		}
		f.running[key] = own
		f.mu.Unlock()
		return f.run(ctx, key, own, fn)
	}
	f.mu.Unlock()
	select {
	case <-other.done:
		return other.value, other.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for an answer that another request makes: %w: %w", taxii.ErrUnavailable, ctx.Err())
	}
}

func (f *flights) run(ctx context.Context, key flightKey, own *flight, fn func(ctx context.Context) (any, error)) (any, error) {
	deadline, ok := ctx.Deadline()
	ctx = context.WithoutCancel(ctx)
	if ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	defer func() {
		f.mu.Lock()
		delete(f.running, key)
		f.mu.Unlock()
		close(own.done)
	}()
	own.value, own.err = fn(ctx)
	return own.value, own.err
}
