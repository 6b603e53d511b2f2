package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// facet is what a query can filter entries by, apart from identifiers and versions.
type facet struct {
	number      int64
	setNumber   int64
	set         stix.MarkingSet
	unknown     bool // the set has a marking whose meaning is not known in the collection
	divided     bool // some object has or had versions of this facet and of others
	revoking    bool // some entry of the facet is or was a revocation
	typ         string
	specVersion string
	entries     int64
	last        taxii.DateAdded // no entry of the facet is later
}

// maxRemembered bounds the marking sets kept in memory.
const maxRemembered = 1 << 16

// markingSets remembers the marking sets of committed transactions by number. A set never changes and its number is
// never given to another, so they stay valid; what a set's markings mean may change and is not remembered.
type markingSets struct {
	mu   sync.RWMutex
	sets map[int64]stix.MarkingSet
}

func (m *markingSets) get(n int64) (stix.MarkingSet, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	set, ok := m.sets[n]
	return set, ok
}

// remember keeps the sets of facets that were read from a snapshot, never those of a transaction that may be undone.
func (m *markingSets) remember(facets []facet) {
	for _, f := range facets {
		if _, ok := m.get(f.setNumber); ok {
			continue
		}
		m.mu.Lock()
		if m.sets == nil || len(m.sets) >= maxRemembered {
			m.sets = make(map[int64]stix.MarkingSet)
		}
		m.sets[f.setNumber] = f.set
		m.mu.Unlock()
	}
}

// facets reads the facets of a collection that have entries, and may have some later than after or are divided.
func (s *Store) facets(c conn, collection int64, after taxii.DateAdded) ([]facet, error) {
	var list []facet
	err := c.Query(`SELECT number, marking_set, unknown, type, spec_version, entries, last_added, divided, revoking FROM facet
		WHERE collection = $1 AND entries > 0 AND (last_added > $2 OR divided = 1)`, []any{collection, int64(after)},
		func(r row) error {
			list = append(list, facet{number: r.Int(0), setNumber: r.Int(1), unknown: r.Int(2) != 0, typ: r.Text(3),
				specVersion: r.Text(4), entries: r.Int(5), last: taxii.DateAdded(r.Int(6)), divided: r.Int(7) != 0, revoking: r.Int(8) != 0})
			return nil
		})
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].set, err = s.markingSet(c, list[i].setNumber); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// markingsOf returns the marking set of a facet, and whether it has a marking that is not known.
func markingsOf(c conn, facet int64) (set stix.MarkingSet, unknown bool, err error) {
	found, err := one(c, `SELECT m.content, f.unknown FROM facet f JOIN marking_set m ON m.number = f.marking_set WHERE f.number = $1`,
		[]any{facet}, func(r row) error {
			unknown = r.Int(1) != 0
			return json.Unmarshal([]byte(r.Text(0)), &set)
		})
	if err == nil && !found {
		err = fmt.Errorf("facet %d is missing from the database", facet)
	}
	return set, unknown, err
}

// markingSet returns a set by number, from memory or from the database.
func (s *Store) markingSet(c conn, n int64) (stix.MarkingSet, error) {
	if set, ok := s.sets.get(n); ok {
		return set, nil
	}
	var set stix.MarkingSet
	found, err := one(c, `SELECT content FROM marking_set WHERE number = $1`, []any{n}, func(r row) error {
		return json.Unmarshal([]byte(r.Text(0)), &set)
	})
	if err == nil && !found {
		err = fmt.Errorf("marking set %d is missing from the database", n)
	}
	return set, err
}

// sortedCounts lists counts from the least to the most restricted level.
func sortedCounts(counts map[LevelCount]int64) []LevelCount {
	list := make([]LevelCount, 0, len(counts))
	for k, n := range counts {
		k.Entries = n
		list = append(list, k)
	}
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	slices.SortFunc(list, func(a, b LevelCount) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(flag(a.Unknown), flag(b.Unknown)), cmp.Compare(flag(b.Marked), flag(a.Marked)))
	})
	return list
}
