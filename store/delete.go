package store

import (
	"context"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// heldEntry is a version of the object that a deletion names.
type heldEntry struct {
	seq, date     int64
	facet         facet
	key           string
	norm          []byte
	first, last   int // innerVersion, soleEnd or facetEnd
	revokes       bool
	seen, deleted bool
}

// Delete removes versions of an object and leaves tombstones; see taxii.Store and taxii.Deletion.
func (s *Store) Delete(ctx context.Context, d taxii.Deletion) (int, error) {
	deleted := 0
	defer s.changed(d.Collection)
	err := s.write(ctx, func(c conn) error {
		deleted = 0
		col, err := collectionByID(c, d.Collection)
		if err != nil {
			return err
		}
		entries, err := s.versions(c, col, d)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(entries, func(e heldEntry) bool { return e.seen }) {
			return notFound("object", string(d.ID))
		}
		selectDeleted(entries, d)
		deleted, err = s.remove(c, col, d.ID, entries)
		return err
	})
	if err == nil {
		s.metrics.count("deleted", deleted)
	}
	return deleted, err
}

// versions reads every entry of the object, the earliest version first, and what the caller sees of them.
func (s *Store) versions(c conn, col collection, d taxii.Deletion) ([]heldEntry, error) {
	facets, err := s.facets(c, col.number, 0)
	if err != nil {
		return nil, err
	}
	byNumber := make(map[int64]facet, len(facets))
	for _, f := range facets {
		byNumber[f.number] = f
	}
	var list []heldEntry
	err = c.Query(`SELECT seq, facet, version_key, norm, is_first, is_last, date_added, revoked FROM entry WHERE collection = $1 AND object = $2 ORDER BY version_key`,
		[]any{col.number, string(d.ID)}, func(r row) error {
			f := byNumber[r.Int(1)]
			list = append(list, heldEntry{seq: r.Int(0), facet: f, key: r.Text(2), norm: r.Bytes(3), first: int(r.Int(4)), last: int(r.Int(5)), date: r.Int(6), revokes: r.Int(7) != 0,
				seen: d.Visible == nil || d.Visible(f.set, f.unknown)})
			return nil
		})
	return list, err
}

// selectDeleted marks what is to be deleted. An entry that the caller does not see is never deleted, and is never what
// keeps another from being the first or the last.
func selectDeleted(entries []heldEntry, d taxii.Deletion) {
	v := d.Version
	all := v.All || !v.First && !v.Last && len(v.Exact) == 0
	keys := sortKeys(v.Exact)
	var eligible []*heldEntry
	for i := range entries {
		if entries[i].seen && wants(d.SpecVersions, entries[i].facet.specVersion) {
			eligible = append(eligible, &entries[i])
		}
	}
	last := lastOf(eligible)
	for i, e := range eligible {
		e.deleted = all || v.First && i == 0 || v.Last && e == last || slices.Contains(keys, e.key)
	}
}

// lastOf returns the last version among some of an object in ascending order, as divided.isEnd does: the latest that no
// earlier revocation, of its own source or of this node, ends. It is nil for none.
func lastOf(list []*heldEntry) *heldEntry {
	var last *heldEntry
	revoked := make(map[string]bool) // by source
	for _, e := range list {
		source := e.facet.set.Source
		if revoked[""] || revoked[source] {
			continue
		}
		last = e
		revoked[source] = e.revokes
	}
	return last
}

// remove deletes the marked entries of an object, leaves tombstones, and keeps flags and counters right.
func (s *Store) remove(c conn, col collection, id stix.Identifier, entries []heldEntry) (int, error) {
	now := s.now().UnixMicro()
	var kept []heldEntry
	var touched touches
	n, isDivided := 0, slices.ContainsFunc(entries, func(e heldEntry) bool { return e.facet.number != entries[0].facet.number })
	for _, e := range entries {
		if isDivided { // which of the others a caller finds may depend on the one that goes
			touched.add(e.date)
		}
		if !e.deleted {
			kept = append(kept, e)
			continue
		}
		n++
		touched.add(e.date)
		if err := s.removeEntry(c, col.number, e.seq); err != nil {
			return 0, err
		}
		if _, err := c.Exec(`UPDATE facet SET entries = entries - 1 WHERE number = $1`, e.facet.number); err != nil {
			return 0, err
		}
		_, err := c.Exec(`INSERT INTO tombstone (collection, object, version_key, norm, deleted) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (collection, object, version_key) DO UPDATE SET norm = excluded.norm, deleted = excluded.deleted`,
			col.number, string(id), e.key, e.norm, now)
		if err != nil {
			return 0, err
		}
	}
	if n == 0 {
		return 0, nil
	}
	if err := rankKept(c, kept, &touched); err != nil {
		return 0, err
	}
	if len(kept) == 0 {
		if _, err := c.Exec(`DELETE FROM joined WHERE collection = $1 AND object = $2`, col.number, string(id)); err != nil {
			return 0, err
		}
	}
	if err := touched.record(c, col.number); err != nil {
		return 0, err
	}
	_, err := c.Exec(`UPDATE collection SET objects = objects - $2 WHERE number = $1`, col.number, n)
	return n, err
}

// rankKept sets the flags of the versions of an object that stay, which are in the order of version.
func rankKept(c conn, kept []heldEntry, touched *touches) error {
	first, last := make(map[int64]int), make(map[int64]int) // by facet
	for i, e := range kept {
		n := e.facet.number
		if _, ok := first[n]; !ok {
			first[n], last[n] = i, i
		} else if !kept[last[n]].revokes {
			last[n] = i
		}
	}
	end := soleEnd
	if len(first) > 1 {
		end = facetEnd
	}
	for i, e := range kept {
		isFirst, isLast := innerVersion, innerVersion
		if first[e.facet.number] == i {
			isFirst = end
		}
		if last[e.facet.number] == i {
			isLast = end
		}
		if isFirst == e.first && isLast == e.last {
			continue
		}
		touched.add(e.date)
		if _, err := c.Exec(`UPDATE entry SET is_first = $2, is_last = $3 WHERE seq = $1`, e.seq, isFirst, isLast); err != nil {
			return err
		}
	}
	return nil
}
