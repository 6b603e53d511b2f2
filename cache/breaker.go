package cache

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// failuresToOpen is after how many failures in a row no calls are made.
	failuresToOpen = 3
	// A breaker that is open lets one call try after minWait, then after twice as long up to maxWait.
	minWait, maxWait = time.Second, 30 * time.Second
)

// breaker keeps calls from being made while they fail. A call that takes more than half of its budget counts as one that
// failed: whoever waits for it would have been faster without.
type breaker struct {
	now func() time.Time
	log *slog.Logger

	mu       sync.Mutex
	failures int           // in a row
	wait     time.Duration // 0 while it is closed
	until    time.Time
	trying   bool
}

// allow tells whether a call may be made; done must follow it then.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wait == 0 {
		return true
	}
	if b.trying || b.now().Before(b.until) {
		return false
	}
	b.trying = true
	return true
}

// done notes the outcome of a call.
func (b *breaker) done(err error, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wait > 0 && !b.trying {
		return // it began before the others failed
	}
	b.trying = false
	if err == nil && took <= callBudget/2 {
		if b.wait > 0 {
			b.log.Info("cache: Redis answers again")
		}
		b.failures, b.wait = 0, 0
		return
	}
	if b.failures++; b.failures < failuresToOpen {
		return
	}
	if b.wait == 0 {
		reason := "it is slow"
		if err != nil {
			reason = err.Error()
		}
		b.log.Warn("cache: Redis fails; the node goes on without it and tries now and then", "error", reason)
	}
	b.wait = min(maxWait, max(minWait, 2*b.wait))
	b.until = b.now().Add(b.wait)
}
