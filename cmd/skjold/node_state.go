package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

// stateFact is where a node notes the state of its part in the federation, for the operator and for the next start.
const stateFact = "federation_state"

// noEnd is the end of a chain that a node needs not: an anchor, one that only pinned peers know, or one that is joining.
var noEnd = time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC)

// notedState is what a running node notes about itself.
type notedState struct {
	State federation.State `json:"state"`
	Since time.Time        `json:"since"` // when the state began
	// ChainUntil is when the own chain ends, or ended; zero where there was none yet.
	ChainUntil time.Time `json:"chain_until,omitzero"`
	ChainError string    `json:"chain_error,omitempty"` // why the last search for the chain failed
	// Lists tell how the last fetch of each anchor's list went.
	Lists map[federation.EntityID]fetchedList `json:"lists,omitempty"`
}

// errIsolated: this node has no valid chain, and serves its own users only.
var errIsolated = errors.New("this node is cut off from its federation")

// nodeState keeps the state of a node's part in the federation and enforces it.
type nodeState struct {
	trust *trust
	store *store.Store
	log   *slog.Logger
	watch *federation.Watch

	gauge   *prometheus.GaugeVec
	refused *prometheus.CounterVec

	mu     sync.Mutex
	noted  notedState
	text   string                       // noted, as the database has it
	served map[federation.EntityID]bool // pinned peers that were logged since the node is isolated
}

// newNodeState reads what was noted and finds out what holds now.
func newNodeState(ctx context.Context, t *trust, st *store.Store, registry prometheus.Registerer, log *slog.Logger) (*nodeState, error) {
	s := &nodeState{trust: t, store: st, log: log,
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "skjold_federation_state", Help: "1 for the state of this node's part in the federation (normal, stale, isolated), 0 for the others.",
		}, []string{"state"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skjold_federation_refused_total", Help: "Requests of nodes that were authentic and refused, and pulls that were not made: revoked, isolated.",
		}, []string{"reason"}),
	}
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "skjold_federation_revocation_list_age_seconds", Help: "Age of the freshest revocation list; -1 without one.",
	}, s.listAge)
	end := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "skjold_federation_chain_expires_timestamp_seconds", Help: "When this node's own trust chain ends, in seconds since 1970; 0 where it needs none.",
	}, s.chainEnd)
	for _, c := range []prometheus.Collector{s.gauge, s.refused, age, end} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	var err error
	if s.text, err = optionalFact(ctx, st, stateFact); err != nil {
		return nil, err
	}
	if s.text != "" {
		if err := json.Unmarshal([]byte(s.text), &s.noted); err != nil {
			return nil, fmt.Errorf("the state of the federation in the database (%s): %w", stateFact, err)
		}
	}
	s.watch = federation.NewWatch(s.look(time.Now()))
	return s, nil
}

// look finds out what the state follows from.
func (s *nodeState) look(now time.Time) federation.Health {
	h := federation.Health{ChainUntil: s.chainUntil(now)}
	if known := s.trust.revoked.current(); known != nil {
		if list := known.Freshest(); list != nil {
			h.ListFreshUntil, h.ListLeeway = time.Unix(list.Expires, 0), list.Leeway()
		}
	}
	return h
}

// chainUntil is when the own chain ends. One that holds no more, such as that of a member that was suspended, has ended.
func (s *nodeState) chainUntil(now time.Time) time.Time {
	if s.trust.chain == nil || s.trust.revoked.isAnchor() {
		return noEnd
	}
	chain := s.trust.chain.Chain()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case chain != nil && chain.Check(s.trust.chainOptions()) == nil:
		s.noted.ChainUntil = chain.Expires
	case s.noted.ChainUntil.IsZero():
		return noEnd // it is joining: until it has had a chain, its pinned peers are what they were
	case now.Before(s.noted.ChainUntil):
		s.noted.ChainUntil = now.UTC().Truncate(time.Second)
	}
	return s.noted.ChainUntil
}

// run keeps the state up to date, and notes and tells what changes, until ctx ends.
func (s *nodeState) run(ctx context.Context) error {
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer func() { cancel(); <-done }()
	go func() { done <- s.watch.Run(ctx, s.changed) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		now := time.Now()
		if h := s.look(now); h != s.watch.Health() {
			s.watch.Update(h)
		}
		if err := s.note(ctx, now); err != nil && ctx.Err() == nil {
			s.log.Warn("the state of the federation can't be noted", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// changed tells of a new state.
func (s *nodeState) changed(state federation.State, now time.Time) {
	for _, other := range []federation.State{federation.Normal, federation.Stale, federation.Isolated} {
		value := 0.0
		if other == state {
			value = 1
		}
		s.gauge.WithLabelValues(string(other)).Set(value)
	}
	level := slog.LevelWarn
	if state == federation.Normal {
		level = slog.LevelInfo
	}
	s.log.Log(context.Background(), level, "the state of the federation here", "state", state, "means", s.watch.Health().Sentence(now))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served = make(map[federation.EntityID]bool)
}

// note writes what the operator asks about to the database, when it has changed.
func (s *nodeState) note(ctx context.Context, now time.Time) error {
	h := s.watch.Health()
	s.mu.Lock()
	if state := h.State(now); state != s.noted.State {
		s.noted.State, s.noted.Since = state, now.UTC().Truncate(time.Second)
	}
	s.noted.ChainError = ""
	if s.trust.chain != nil {
		if err := s.trust.chain.Err(); err != nil {
			s.noted.ChainError = err.Error()
		}
	}
	s.noted.Lists = s.trust.revoked.fetches()
	text, err := json.Marshal(s.noted)
	same := string(text) == s.text
	s.mu.Unlock()
	if err != nil || same {
		return err
	}
	if err := s.store.SetMeta(ctx, stateFact, string(text)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = string(text)
	return nil
}

// allow has the last word about a node that this one is to serve or to pull from; kid is the thumbprint of the key that it
// signed with, "" for none. Its error says why not; errIsolated is one of them.
func (s *nodeState) allow(p federation.Peer, kid string) error {
	now := time.Now()
	if err := s.trust.revoked.refuse(p.Entity, kid, now); err != nil {
		s.refused.WithLabelValues("revoked").Inc()
		return err
	}
	h, pinned := s.watch.Health(), p.Until.IsZero()
	if !h.AllowPeer(pinned, p.Until, now) {
		s.refused.WithLabelValues("isolated").Inc()
		return fmt.Errorf("%w: %s", errIsolated, h.Sentence(now))
	}
	if h.State(now) == federation.Isolated {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.served[p.Entity] {
			s.served[p.Entity] = true
			s.log.Warn("a pinned peer is a partner although this node can't check it against the federation", "peer", p.Entity)
		}
	}
	return nil
}

// revoked is why a node is not even looked for, to pull from it.
func (s *nodeState) revoked(id federation.EntityID) error {
	err := s.trust.revoked.refuse(id, "", time.Now())
	if err != nil {
		s.refused.WithLabelValues("revoked").Inc()
	}
	return err
}

// allowPull is allow for a node that this one is about to pull from. After a start it waits for the first search for the own
// chain: what came before would go to quarantine for nothing.
func (s *nodeState) allowPull(p federation.Peer) error {
	if chain := s.trust.chain; chain != nil && !chain.Searched() && s.watch.Health().Quarantine(time.Now()) {
		return errors.New("this node has just started and is looking for its trust chain")
	}
	return s.allow(p, "")
}

// closed is why nobody new may introduce itself now.
func (s *nodeState) closed() error {
	if h, now := s.watch.Health(), time.Now(); !h.Introductions(now) {
		return errors.New(h.Sentence(now))
	}
	return nil
}

// quarantine is why everything that peers send goes to quarantine now, "" if it does not.
func (s *nodeState) quarantine() string {
	if s.watch.Health().Quarantine(time.Now()) {
		return "It came while this node had no trust chain that holds, so that its sender could not be checked; 'skjold federation resync' gets it again."
	}
	return ""
}

func (s *nodeState) listAge() float64 {
	if known := s.trust.revoked.current(); known != nil {
		if list := known.Freshest(); list != nil {
			return time.Since(time.Unix(list.IssuedAt, 0)).Seconds()
		}
	}
	return -1
}

func (s *nodeState) chainEnd() float64 {
	if until := s.watch.Health().ChainUntil; until.Before(noEnd) {
		return float64(until.Unix())
	}
	return 0
}
