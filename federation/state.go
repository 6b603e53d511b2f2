package federation

import (
	"context"
	"sync"
	"time"
)

// State is how much of the federation a node can check at a time.
type State string

// The states, in the order in which a node that is cut off passes through them.
const (
	// Normal: the revocation list is fresh.
	Normal State = "normal"
	// Stale: the list is older than 15 minutes. Peers that are known go on until their chain ends; nobody is introduced.
	Stale State = "stale"
	// Isolated: the node has no valid chain to an anchor of its own. Its own users are served from what it holds; peers
	// only where the operator has pinned them, for 72 hours; what comes in goes to quarantine.
	Isolated State = "isolated"
)

// pinnedPeriod is how long peers that the operator has pinned are served by an isolated node.
const pinnedPeriod = 72 * time.Hour

// Health is what the state follows from. It is a value: who learns something makes another.
type Health struct {
	// ListFreshUntil is when the newest revocation list ends; zero for none.
	ListFreshUntil time.Time
	// ListLeeway is how far the clocks of node and anchor may differ; 0 means 30 seconds.
	ListLeeway time.Duration
	// ChainUntil is when the node's own chain to an anchor ends; zero for none.
	ChainUntil time.Time
}

// State is that of a time.
func (h Health) State(now time.Time) State {
	switch {
	case !now.Before(h.ChainUntil):
		return Isolated
	case !now.Before(h.staleFrom()):
		return Stale
	}
	return Normal
}

func (h Health) staleFrom() time.Time {
	if h.ListLeeway == 0 {
		return h.ListFreshUntil.Add(clockLeeway)
	}
	return h.ListFreshUntil.Add(h.ListLeeway)
}

// Since is when the state of a time began, if it is not Normal: a node that was off meanwhile is in it all the same. It
// is the zero time where the node never had a list.
func (h Health) Since(now time.Time) time.Time {
	switch h.State(now) {
	case Isolated:
		return h.ChainUntil
	case Stale:
		if !h.ListFreshUntil.IsZero() {
			return h.staleFrom()
		}
	}
	return time.Time{}
}

// next is when the state changes unless something is learned; zero for never.
func (h Health) next(now time.Time) time.Time {
	switch h.State(now) {
	case Normal:
		return earlier(h.staleFrom(), h.ChainUntil)
	case Stale:
		return h.ChainUntil
	}
	return time.Time{}
}

// Introductions tells whether a node that nobody here knows may introduce itself.
func (h Health) Introductions(now time.Time) bool { return h.State(now) == Normal }

// AllowPeer tells whether a peer is served and pulled from: an introduced one until its chain ends, and never by an
// isolated node; a pinned one always, but by an isolated node for 72 hours only.
func (h Health) AllowPeer(pinned bool, chainUntil, now time.Time) bool {
	isolated := h.State(now) == Isolated
	if pinned {
		return !isolated || now.Before(h.ChainUntil.Add(pinnedPeriod))
	}
	return !isolated && now.Before(chainUntil)
}

// Quarantine tells whether everything that peers send goes to quarantine.
func (h Health) Quarantine(now time.Time) bool { return h.State(now) == Isolated }

// Sentence says in words what a node does at a time.
func (h Health) Sentence(now time.Time) string {
	switch h.State(now) {
	case Normal:
		return "normal: the revocation list is fresh, and peers are checked against it"
	case Stale:
		if h.ListFreshUntil.IsZero() {
			return "stale: no revocation list has come yet; nobody new is accepted until then"
		}
		return "stale: the revocation list is too old; known peers go on until their chains end, and nobody new is accepted"
	}
	if h.AllowPeer(true, time.Time{}, now) {
		return "isolated: no chain to an anchor holds; own users are served, peers only where they are pinned, and what they send goes to quarantine"
	}
	return "isolated for more than 72 hours: own users are served, and no peer"
}

// Watch tells of every change of state. It holds the newest Health; Run owns the waiting.
type Watch struct {
	mu     sync.Mutex
	health Health
	wake   chan struct{}
}

// NewWatch begins with what is known.
func NewWatch(h Health) *Watch { return &Watch{health: h, wake: make(chan struct{}, 1)} }

// Health is the newest.
func (w *Watch) Health() Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.health
}

// Update replaces what is known.
func (w *Watch) Update(h Health) {
	w.mu.Lock()
	w.health = h
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // Run has yet to see the last one
	}
}

// Run calls onChange with the state at the start and with each new one, as time passes or health is updated, until ctx
// ends.
func (w *Watch) Run(ctx context.Context, onChange func(State, time.Time)) error {
	var last State
	for {
		h, now := w.Health(), time.Now()
		if s := h.State(now); s != last {
			last = s
			onChange(s, now)
		}
		var timer <-chan time.Time
		if next := h.next(now); !next.IsZero() {
			timer = time.After(next.Sub(now))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		case <-timer:
		}
	}
}
