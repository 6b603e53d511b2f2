package cache

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// maxClasses bounds the decisions that are told apart for one collection.
	maxClasses = 1024
	// maxRecent bounds the changes that a state remembers, in ranges.
	maxRecent = 1 << 14
)

// collection is what is kept of one.
type collection struct {
	id      string
	writes  atomic.Int64         // how often a write was told of
	current atomic.Pointer[view] // replaced under mu, after the pages that it makes untrue are gone

	mu sync.Mutex
	// classes are numbers for decisions, in the form of view.decide. A decision keeps its number when marking sets are added.
	classes   map[string]int
	lastClass int

	index sync.Mutex // held for a moment only; the last in the order of locks
	pages map[pageKey]*page
}

// view is a state of a collection's log that was read. It does not change.
type view struct {
	collection taxii.Collection
	sets       []taxii.MarkedSet
	recent     []taxii.Revision // the latest changes, without a gap up to the collection's revision
	nothing    *taxii.Answer    // for whoever has everything
	writes     int64            // collection.writes before it was read
	read       time.Time        // before it was read
}

// view returns a state of the log that has every write told of before the call, and is no older than maxAge.
func (s *Store) view(ctx context.Context, c *collection) (*view, error) {
	writes := c.writes.Load()
	now := s.now()
	for {
		if v := s.fresh(c, writes, now); v != nil {
			return v, nil
		}
		if err := s.check(ctx, c, c.current.Load()); err != nil {
			return nil, err
		}
	}
}

// fresh returns the state of the log as it was read last, or nil where that does not have the writes or is too old.
func (s *Store) fresh(c *collection, writes int64, now time.Time) *view {
	v := c.current.Load()
	if v == nil || v.writes < writes || now.Sub(v.read) >= maxAge {
		return nil
	}
	return v
}

// check reads the state of the log, or waits for somebody who does. old is the state as the caller knows it.
func (s *Store) check(ctx context.Context, c *collection, old *view) error {
	_, err := s.flights.do(ctx, flightKey{page: pageKey{collection: c}}, func(ctx context.Context) (any, error) {
		if c.current.Load() != old {
			return nil, nil // somebody was faster
		}
		writes, read := c.writes.Load(), s.now()
		var since taxii.LogState
		if old != nil {
			since = old.collection.State()
		}
		changes, err := s.Journal.Changes(ctx, c.id, since)
		s.metrics.checked(err)
		if errors.Is(err, taxii.ErrNotFound) {
			s.forget(c)
		}
		if err != nil {
			return nil, err
		}
		s.advance(c, old, changes, writes, read)
		return nil, nil
	})
	return err
}

// advance goes on to a newer state of the log: first it evicts what is no longer true, then it lets the state be seen.
func (s *Store) advance(c *collection, old *view, changes taxii.Changes, writes int64, read time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := &view{collection: changes.Collection, sets: changes.Sets, recent: changes.Touched, writes: writes, read: read}
	v.nothing = &taxii.Answer{Collection: v.collection}
	switch {
	case old == nil:
	case changes.Collection.State() == old.collection.State():
		v.sets, v.recent = old.sets, old.recent
	case changes.Unknown || changes.Collection.Epoch != old.collection.Epoch || !continues(old.sets, changes.Sets):
		clear(c.classes)
		s.evict(c, reasonDropped, func(*page) bool { return true })
	default:
		v.recent = recent(old.recent, changes.Touched)
		if touched := union(changes.Touched); len(touched) > 0 {
			s.evict(c, reasonTouched, func(p *page) bool { return p.touched(touched) })
		}
		if changes.Collection.Last != old.collection.Last {
			s.evict(c, reasonAppended, func(p *page) bool { return !p.sealed })
		}
	}
	c.current.Store(v)
}

// continues tells that sets were added only, and none took another's place.
func continues(old, sets []taxii.MarkedSet) bool {
	if len(sets) < len(old) {
		return false
	}
	for i, m := range old {
		if m.Set.Key() != sets[i].Set.Key() {
			return false
		}
	}
	return true
}

// recent appends changes and lets go of the oldest.
func recent(old, added []taxii.Revision) []taxii.Revision {
	list := slices.Concat(old, added)
	n := 0
	for i, r := range slices.Backward(list) {
		if n += 1 + len(r.Ranges); n > maxRecent {
			return slices.Clone(list[i+1:])
		}
	}
	return list
}

// union is every range of some changes, in order.
func union(changes []taxii.Revision) []taxii.DateRange {
	var list []taxii.DateRange
	for _, r := range changes {
		list = append(list, r.Ranges...)
	}
	slices.SortFunc(list, func(a, b taxii.DateRange) int { return int(min(1, max(-1, a.From-b.From))) })
	// Ranges of different changes may overlap; the search needs their ends in order too.
	merged := list[:0]
	for _, r := range list {
		if n := len(merged); n > 0 && r.From <= merged[n-1].To {
			merged[n-1].To = max(merged[n-1].To, r.To)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// since returns the changes after a revision; false where not all of them are remembered.
func (v *view) since(revision int64) ([]taxii.DateRange, bool) {
	if revision > v.collection.Revision || v.collection.Revision-revision > int64(len(v.recent)) {
		return nil, false
	}
	return union(v.recent[int64(len(v.recent))-(v.collection.Revision-revision):]), true
}

// decide asks the policy about every marking set: a byte for each, 1 for what the caller may be served. nil sees everything.
// The decision is appended to b.
func (v *view) decide(b []byte, visible func(stix.MarkingSet, bool) bool) []byte {
	for _, m := range v.sets {
		if visible == nil || visible(m.Set, m.Unknown) {
			b = append(b, '1')
		} else {
			b = append(b, '0')
		}
	}
	return b
}

// class returns the number of a decision about the sets of a state. The decision about fewer sets that it extends gives it
// its number, once: pages of the one are then found for the other, and their own decision says whether they are good.
func (c *collection) class(asked []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := c.classes[string(asked)]; ok {
		return n
	}
	decision := string(asked)
	longest := -1
	for d := range c.classes {
		if len(d) < len(decision) && len(d) > longest && strings.HasPrefix(decision, d) {
			longest = len(d)
		}
	}
	if len(c.classes) >= maxClasses {
		clear(c.classes)
		longest = -1
	}
	c.lastClass++
	n := c.lastClass
	if longest >= 0 {
		n = c.classes[decision[:longest]]
		delete(c.classes, decision[:longest])
	}
	c.classes[decision] = n
	return n
}
