package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	stdsync "sync"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

// vouchedFact is where a hub or a secretariat keeps the keys that it vouches for: a JSON array of federation.Vouched.
const vouchedFact = "vouched_keys"

// followEvery is how often a member's own words are looked at for new keys, at most; they are published two days ahead.
const followEvery = time.Hour

// readVouched returns what the node vouches for, and the text of it.
func readVouched(ctx context.Context, st *store.Store) ([]federation.Vouched, string, error) {
	text, err := optionalFact(ctx, st, vouchedFact)
	if err != nil || text == "" {
		return nil, text, err
	}
	var list []federation.Vouched
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, text, fmt.Errorf("the keys that this node vouches for (%s): %w", vouchedFact, err)
	}
	return list, text, nil
}

// changeVouched replaces what is vouched for, whoever else changes it at the same time.
func changeVouched(ctx context.Context, st *store.Store, change func([]federation.Vouched) []federation.Vouched) error {
	for {
		list, before, err := readVouched(ctx, st)
		if err != nil {
			return err
		}
		list = change(list)
		slices.SortFunc(list, func(a, b federation.Vouched) int { return strings.Compare(string(a.Entity), string(b.Entity)) })
		after, err := json.Marshal(list)
		if err != nil {
			return err
		}
		if string(after) == before {
			return nil
		}
		if swapped, err := st.SwapMeta(ctx, vouchedFact, before, string(after)); err != nil || swapped {
			return err
		}
	}
}

// vouch puts keys in the place of those that were vouched for of the same member.
func vouch(ctx context.Context, st *store.Store, v federation.Vouched) error {
	return changeVouched(ctx, st, func(list []federation.Vouched) []federation.Vouched {
		return append(slices.DeleteFunc(list, func(o federation.Vouched) bool { return o.Entity == v.Entity }), v)
	})
}

// stated is what a running hub or secretariat states of members. A change by a command counts within a second.
type stated struct {
	store  *store.Store
	client *http.Client
	log    *slog.Logger
	every  time.Duration // between two looks at the members' own words

	mu   stdsync.Mutex
	list []federation.Vouched
	read time.Time
}

// vouched is what the node vouches for; what was read last while the database does not answer.
func (s *stated) vouched() []federation.Vouched {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.read.IsZero() && time.Since(s.read) < time.Second {
		return s.list
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list, _, err := readVouched(ctx, s.store)
	if err != nil {
		s.log.Error("the keys that this node vouches for can't be read", "error", err)
	} else {
		s.list = list
	}
	s.read = time.Now()
	return s.list
}

// run follows the keys of members until ctx ends: at once, and then every interval ± 20 %.
func (s *stated) run(ctx context.Context, registry federation.AdmittedBelow) error {
	for {
		for _, f := range registry.ToFollow() {
			if err := s.follow(ctx, f); err != nil && ctx.Err() == nil {
				s.log.Warn("a member's keys can't be followed; what is stated of it stays as it is", "member", f.Entity, "error", err)
			}
		}
		timer := time.NewTimer(time.Duration(float64(s.every) * (0.8 + 0.4*rand.Float64())))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// follow takes up the keys that a member names now: by what this node hosts of it, or else at its own address.
func (s *stated) follow(ctx context.Context, f federation.Followed) error {
	var words string
	hosted, err := s.store.Hosted(ctx, f.Entity)
	switch {
	case errors.Is(err, federation.ErrNotHosted):
		words, err = federation.FetchOwnWords(ctx, s.client, f.Entity)
	case err == nil:
		words = hosted.Compact
	}
	if err != nil {
		return err
	}
	next, changed, err := f.Follow(words, f.Named, time.Now())
	if err != nil || !changed {
		return err
	}
	if err := vouch(ctx, s.store, next); err != nil {
		return err
	}
	s.log.Info("a member has new federation keys; they are stated from now on", "member", next.Entity, "keys", len(next.Keys.Keys()))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = time.Time{}
	return nil
}
