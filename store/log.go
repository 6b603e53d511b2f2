package store

import (
	"github.com/skjold-exchange/skjold/stix"
)

// logWriter appends to one collection's log inside a write transaction.
type logWriter struct {
	conn       conn
	collection collection
	now        int64 // microseconds
	// honour: a tombstone keeps an object out (replication); otherwise storing it again removes the tombstone.
	honour bool
	sets   map[string]int64   // numbers of marking sets by key
	facets map[facetKey]int64 // numbers of facets
}

type facetKey struct {
	set              int64
	typ, specVersion string
}

// store appends what is new, the marking definitions first, and sets each object's outcome.
func (w *logWriter) store(definitions, rest []*incoming) error {
	w.sets, w.facets = make(map[string]int64), make(map[facetKey]int64)
	if err := w.append(definitions); err != nil {
		return err
	}
	for _, in := range definitions {
		if in.outcome == stored && in.statesOnly() {
			if err := learn(w.conn, in.object.ID, w.now); err != nil {
				return err
			}
		}
	}
	return w.append(rest)
}

func (w *logWriter) append(list []*incoming) error {
	if len(list) == 0 {
		return nil
	}
	objects, err := lookup(w.conn, w.collection.number, list)
	if err != nil {
		return err
	}
	var fresh []*incoming
	var same []*incoming // unversioned, a second copy of one that is fresh
	for _, in := range list {
		in.reset()
		h := objects[in.object.ID]
		in.outcome = h.decide(in, w.honour)
		switch {
		case in.outcome == conflict:
			in.message = conflictMessage
		case in.outcome == stored:
			fresh = append(fresh, in)
			h.expect(in)
		case in.outcome == known && in.version == "":
			same = append(same, in)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	at, err := reserve(w.conn, w.collection.number, len(fresh), w.now)
	if err != nil {
		return err
	}
	for i, in := range fresh {
		if !in.versioned {
			// date_added is the time at which the node first saw it, and later than any before.
			v := versionAt(at.date + int64(i))
			in.version, in.key = v.String(), v.SortKey()
		}
	}
	for _, in := range same {
		first := objects[in.object.ID].fresh[in.norm]
		in.version, in.key = first.version, first.key
	}
	if err := w.rank(fresh, objects); err != nil {
		return err
	}
	if err := w.insert(fresh, at); err != nil {
		return err
	}
	return w.exhume(fresh, objects)
}

// rank finds out which versions are now the first and the last of their object, whatever the order of arrival.
func (w *logWriter) rank(fresh []*incoming, objects map[stix.Identifier]*held) error {
	var notFirst, notLast [][]any
	mixed := false
	for _, in := range fresh {
		h := objects[in.object.ID]
		if h.specVersion != "" && h.specVersion != in.spec {
			mixed = true
		}
		h.specVersion = in.spec
		if h.first == nil || in.key < h.first.key {
			if h.first != nil && h.first.in != nil {
				h.first.in.isFirst = false
			} else if h.first != nil {
				notFirst = append(notFirst, []any{w.collection.number, string(in.object.ID), h.first.key})
			}
			h.first, in.isFirst = &heldVersion{key: in.key, in: in}, true
		}
		if h.last == nil || in.key > h.last.key {
			if h.last != nil && h.last.in != nil {
				h.last.in.isLast = false
			} else if h.last != nil {
				notLast = append(notLast, []any{w.collection.number, string(in.object.ID), h.last.key})
			}
			h.last, in.isLast = &heldVersion{key: in.key, in: in}, true
		}
	}
	if mixed && !w.collection.mixed {
		w.collection.mixed = true
		if _, err := w.conn.Exec(`UPDATE collection SET mixed = 1 WHERE number = $1`, w.collection.number); err != nil {
			return err
		}
	}
	if err := w.conn.ExecMany(`UPDATE entry SET is_first = 0 WHERE collection = $1 AND object = $2 AND version_key = $3`, notFirst); err != nil {
		return err
	}
	return w.conn.ExecMany(`UPDATE entry SET is_last = 0 WHERE collection = $1 AND object = $2 AND version_key = $3`, notLast)
}

// insert writes the entries at their places and keeps the counters.
func (w *logWriter) insert(fresh []*incoming, at block) error {
	rows := make([][]any, len(fresh))
	counts := make(map[int64][2]int64) // of a facet: entries added, the last date
	for i, in := range fresh {
		f, err := w.facet(in)
		if err != nil {
			return err
		}
		date := at.date + int64(i)
		counts[f] = [2]int64{counts[f][0] + 1, date}
		rows[i] = []any{at.seq + int64(i), w.collection.number, date, f, in.isFirst, in.isLast,
			string(in.object.ID), in.key, in.version, in.norm[:], in.object.Raw, in.violationsJSON}
	}
	err := w.conn.ExecMany(`INSERT INTO entry (seq, collection, date_added, facet, is_first, is_last, object, version_key, version, norm, raw, violations)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, rows)
	if err != nil {
		return err
	}
	for f, n := range counts {
		if _, err := w.conn.Exec(`UPDATE facet SET entries = entries + $2, last_added = $3 WHERE number = $1`, f, n[0], n[1]); err != nil {
			return err
		}
	}
	_, err = w.conn.Exec(`UPDATE collection SET objects = objects + $2 WHERE number = $1`, w.collection.number, len(fresh))
	return err
}

func (w *logWriter) facet(in *incoming) (int64, error) {
	set, ok := w.sets[in.setKey]
	if !ok {
		var err error
		if set, err = internSet(w.conn, in.set); err != nil {
			return 0, err
		}
		w.sets[in.setKey] = set
	}
	key := facetKey{set: set, typ: in.object.Type, specVersion: in.spec}
	f, ok := w.facets[key]
	if !ok {
		var err error
		if f, err = internFacet(w.conn, w.collection.number, set, key.typ, key.specVersion); err != nil {
			return 0, err
		}
		w.facets[key] = f
	}
	return f, nil
}

// exhume removes the tombstones of versions that were stored again.
func (w *logWriter) exhume(fresh []*incoming, objects map[stix.Identifier]*held) error {
	var rows [][]any
	for _, in := range fresh {
		for _, key := range objects[in.object.ID].graves(in) {
			rows = append(rows, []any{w.collection.number, string(in.object.ID), key})
		}
	}
	return w.conn.ExecMany(`DELETE FROM tombstone WHERE collection = $1 AND object = $2 AND version_key = $3`, rows)
}
