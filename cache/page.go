package cache

import (
	"slices"

	"github.com/maypok86/otter/v2"

	"github.com/skjold-exchange/skjold/taxii"
)

// pageKey is what a page is found by, beside what its decision and its part of the log say.
type pageKey struct {
	collection *collection
	class      int // of the caller's decision
	name       string
	after      taxii.DateAdded
	limit      int
	maxBytes   int64
	coding     string
}

// page is an answer that is kept. It does not change.
type page struct {
	answer *taxii.Answer
	// after and until bound the part of the log that the answer depends on: entries later than after and up to until.
	after, until taxii.DateAdded
	sealed       bool   // what is appended does not concern it
	decision     string // about the marking sets there were
	revision     int64  // of the log when it was read
	restricted   bool   // it holds what must not leave the node's memory
}

// pageOverhead is what a page takes beside its body and its name, in octets.
const pageOverhead = 768

// weight is the memory that a page takes, in octets.
func weight(k pageKey, p *page) int64 {
	return int64(len(p.answer.Body) + len(k.name) + len(p.decision) + pageOverhead)
}

// touched tells that the page's part of the log holds an entry in one of some ranges, which are in order and apart.
func (p *page) touched(ranges []taxii.DateRange) bool {
	i, _ := slices.BinarySearchFunc(ranges, p.after, func(r taxii.DateRange, after taxii.DateAdded) int {
		if r.To <= after {
			return -1
		}
		return 1
	})
	return i < len(ranges) && ranges[i].From <= p.until
}

// put keeps a page that was read in a state of the log at least as new as v, if that is still the state of the log as far as
// it concerns the page.
func (s *Store) put(k pageKey, p *page, v *view) {
	if weight(k, p) > s.bytes/4 {
		return // it would drive out much, to be driven out soon
	}
	c := k.collection
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.current.Load()
	if now == nil || now.collection.Epoch != v.collection.Epoch || now.collection.Revision != v.collection.Revision ||
		!p.sealed && now.collection.Last != v.collection.Last {
		return
	}
	c.index.Lock()
	c.pages[k] = p
	c.index.Unlock()
	s.pages.Set(k, p)
}

// evict drops the pages of a collection that are no longer wanted, from Redis too where they may be there.
func (s *Store) evict(c *collection, why string, unwanted func(*page) bool) {
	type item struct {
		key  pageKey
		page *page
	}
	var list []item
	c.index.Lock()
	for k, p := range c.pages {
		if unwanted(p) {
			list = append(list, item{k, p})
		}
	}
	c.index.Unlock()
	for _, i := range list {
		s.pages.Invalidate(i.key)
		if s.redis != nil && why != reasonAppended && i.page.sealed && !i.page.restricted {
			s.redis.remove(redisKey(i.key, i.page.answer.Collection, i.page.decision))
		}
	}
	s.metrics.evicted(why, len(list))
}

// gone removes a page from its collection's index when it has left the memory, for whatever reason.
func (s *Store) gone(e otter.DeletionEvent[pageKey, *page]) {
	if e.WasEvicted() {
		s.metrics.evicted(reasonSize, 1)
	}
	c := e.Key.collection
	c.index.Lock()
	defer c.index.Unlock()
	if c.pages[e.Key] == e.Value {
		delete(c.pages, e.Key)
	}
}
