package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/skjold-exchange/skjold/taxii"
)

// maxSearchMemory bounds the numbers kept in a searchMemory.
const maxSearchMemory = 1 << 20

// searchMemory knows how far searches have come that have found nothing, so that whoever asks again gets on. What it knows
// is a fact about entries that do not change: among those up to a position nothing satisfies. It stays true while the same
// facets are seen and nothing is removed; what is added comes later than the position.
type searchMemory struct {
	mu   sync.Mutex
	size int
	by   map[[sha256.Size]byte]searched
}

// searched is how far one search has come.
type searched struct {
	until    taxii.DateAdded
	removals int64
	// The facets that the caller saw, and the others, of those with entries after the beginning.
	seen, hidden []int64
}

func (s searched) size() int { return 8 + len(s.seen) + len(s.hidden) }

// key is what a search asks for, by whom apart.
func (x *search) key() [sha256.Size]byte {
	q := x.query
	text, err := json.Marshal([]any{x.collection.number, x.collection.Epoch, q.After, q.IDs, q.Types, q.SpecVersions, q.Version, q.Values, q.TLPs, q.Conditions})
	if err != nil {
		panic(fmt.Sprintf("store: a query is made of texts and numbers, and can be written: %v", err))
	}
	return sha256.Sum256(text)
}

// recall returns the position from which the search has to look.
func (x *search) recall(key [sha256.Size]byte) (taxii.DateAdded, error) {
	x.store.searched.mu.Lock()
	had, ok := x.store.searched.by[key]
	x.store.searched.mu.Unlock()
	if !ok {
		return x.query.After, nil
	}
	removals, err := counter(x.conn, "removal")
	if err != nil || removals != had.removals {
		return x.query.After, err
	}
	for _, f := range x.facets {
		others := had.seen
		if x.sees(f) {
			others = had.hidden
		}
		if _, changed := slices.BinarySearch(others, f.number); changed {
			return x.query.After, nil
		}
	}
	return had.until, nil
}

func (x *search) sees(f facet) bool {
	return x.query.Visible == nil || x.query.Visible(f.set, f.unknown)
}

// remember keeps the position reached by a search that has looked at much and has found nothing yet.
func (x *search) remember(key [sha256.Size]byte, until taxii.DateAdded) error {
	if len(x.page.Entries) > 0 || x.looked < x.store.looks.enough {
		return nil
	}
	removals, err := counter(x.conn, "removal")
	if err != nil {
		return err
	}
	now := searched{until: until, removals: removals}
	for _, f := range x.facets {
		if x.sees(f) {
			now.seen = append(now.seen, f.number)
		} else {
			now.hidden = append(now.hidden, f.number)
		}
	}
	sorted(now.seen)
	sorted(now.hidden)
	m := &x.store.searched
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil || m.size+now.size() > maxSearchMemory {
		m.by, m.size = make(map[[sha256.Size]byte]searched), 0
	}
	if before, ok := m.by[key]; ok {
		m.size -= before.size()
	}
	m.by[key] = now
	m.size += now.size()
	return nil
}

// enterSearch waits until few enough searches run that other readers always have a connection.
func (s *Store) enterSearch(ctx context.Context) (leave func(), err error) {
	select {
	case s.searching <- struct{}{}:
		return func() { <-s.searching }, nil
	case <-ctx.Done():
		return nil, unavailable("waiting for other searches", ctx.Err())
	}
}
