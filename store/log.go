package store

import (
	"maps"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
)

// logWriter appends to one collection's log inside a write transaction.
type logWriter struct {
	conn       conn
	collection collection
	now        int64 // microseconds
	// honour: a tombstone keeps an object out (replication); otherwise storing it again removes the tombstone.
	honour bool
	// digests reads the observable values of entries that are moved.
	digests func(raw []byte) []int64
	sets    map[string]int64   // numbers of marking sets by key
	facets  map[facetKey]int64 // numbers of facets
	// touched are the entries that were there before and are changed.
	touched touches
	added   []*incoming // what was stored
	others  []string    // ids of the collections, beside its own, of which entries were changed
}

type facetKey struct {
	set              int64
	typ, specVersion string
}

// store appends what is new, the marking definitions first, and sets each object's outcome.
func (w *logWriter) store(definitions, rest []*incoming) error {
	w.sets, w.facets, w.touched, w.added = make(map[string]int64), make(map[facetKey]int64), touches{}, nil
	if err := w.append(definitions); err != nil {
		return err
	}
	for _, in := range definitions {
		// Also where another source had brought it before.
		if (in.outcome == stored || in.outcome == known) && in.statesOnly() {
			if err := learn(w.conn, w.collection.number, in.object.ID, in.set.Source, w.now, w.digests); err != nil {
				return err
			}
		}
	}
	if err := w.append(rest); err != nil {
		return err
	}
	if err := w.tighten(); err != nil {
		return err
	}
	return w.touched.record(w.conn, w.collection.number)
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
			if in.contradicts = h.contradict(in, in.by); in.contradicts != nil {
				in.outcome, in.message = refused, in.contradicts.message()
				continue
			}
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
	for _, in := range fresh {
		if in.facet, err = w.facet(in); err != nil {
			return err
		}
	}
	if err := w.rank(fresh, objects); err != nil {
		return err
	}
	if err := w.insert(fresh, at); err != nil {
		return err
	}
	w.added = append(w.added, fresh...)
	return w.exhume(fresh, objects)
}

// rank finds out which versions are now the first and the last of their object in each facet, whatever the order of
// arrival.
func (w *logWriter) rank(fresh []*incoming, objects map[stix.Identifier]*held) error {
	flags := flagUpdates{collection: w.collection.number}
	for _, in := range fresh {
		notFirst, notLast := objects[in.object.ID].place(in)
		flags.first(in.object.ID, notFirst, innerVersion)
		flags.last(in.object.ID, notLast, innerVersion)
	}
	divided, revoking := make(map[int64]bool), make(map[int64]bool)
	for _, in := range fresh {
		if in.revokes() {
			revoking[in.facet] = true
		}
		h, end := objects[in.object.ID], soleEnd
		if len(h.ends) > 1 {
			end = facetEnd
		}
		for facet, e := range h.ends {
			if end == facetEnd {
				divided[facet] = true
			}
			if e.first.in != nil {
				e.first.in.isFirst = end
			} else if end == facetEnd && !h.divided {
				flags.first(in.object.ID, e.first.key, end)
			}
			if e.last.in != nil {
				e.last.in.isLast = end
			} else if end == facetEnd && !h.divided {
				flags.last(in.object.ID, e.last.key, end)
			}
		}
		h.divided = end == facetEnd
	}
	if err := w.conn.ExecMany(`UPDATE facet SET divided = 1 WHERE number = $1 AND divided = 0`, oneEach(divided)); err != nil {
		return err
	}
	if err := w.conn.ExecMany(`UPDATE facet SET revoking = 1 WHERE number = $1 AND revoking = 0`, oneEach(revoking)); err != nil {
		return err
	}
	if err := w.touch(fresh, objects, flags); err != nil {
		return err
	}
	return flags.write(w.conn)
}

// touch notes the versions whose flags change, and of objects with versions of several facets all: which of those a caller
// finds depends on every other. The new versions are not in the log yet.
func (w *logWriter) touch(fresh []*incoming, objects map[stix.Identifier]*held, flags flagUpdates) error {
	var divided []string
	for _, in := range fresh {
		if objects[in.object.ID].divided {
			divided = append(divided, string(in.object.ID))
		}
	}
	if err := w.touched.objects(w.conn, w.collection.number, divided); err != nil {
		return err
	}
	return w.touched.versions(w.conn, w.collection.number, slices.Concat(flags.firsts, flags.lasts))
}

// oneEach are the rows of arguments of a statement that is run once for each of some numbers.
func oneEach(numbers map[int64]bool) [][]any {
	var rows [][]any
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		rows = append(rows, []any{n})
	}
	return rows
}

// flagUpdates are changes of the flags of stored versions.
type flagUpdates struct {
	collection    int64
	firsts, lasts [][]any
}

// first sets is_first of a version; "" is none.
func (u *flagUpdates) first(id stix.Identifier, key string, value int) {
	if key != "" {
		u.firsts = append(u.firsts, []any{u.collection, string(id), key, value})
	}
}

// last sets is_last of a version; "" is none.
func (u *flagUpdates) last(id stix.Identifier, key string, value int) {
	if key != "" {
		u.lasts = append(u.lasts, []any{u.collection, string(id), key, value})
	}
}

func (u *flagUpdates) write(c conn) error {
	if err := c.ExecMany(`UPDATE entry SET is_first = $4 WHERE collection = $1 AND object = $2 AND version_key = $3`, u.firsts); err != nil {
		return err
	}
	return c.ExecMany(`UPDATE entry SET is_last = $4 WHERE collection = $1 AND object = $2 AND version_key = $3`, u.lasts)
}

var insertEntries = newInsertion("entry", "seq", "collection", "date_added", "facet", "is_first", "is_last", "object", "version_key",
	"version", "norm", "raw", "violations", "revoked")

// insert writes the entries at their places and keeps the counters.
func (w *logWriter) insert(fresh []*incoming, at block) error {
	rows := make([][]any, len(fresh))
	counts := make(map[int64][2]int64) // of a facet: entries added, the last date
	for i, in := range fresh {
		date := at.date + int64(i)
		in.seq, in.date = at.seq+int64(i), date
		counts[in.facet] = [2]int64{counts[in.facet][0] + 1, date}
		rows[i] = []any{at.seq + int64(i), w.collection.number, date, in.facet, in.isFirst, in.isLast,
			string(in.object.ID), in.key, in.version, in.norm[:], in.object.Raw, in.violationsJSON, in.revokes()}
	}
	if err := w.conn.Insert(insertEntries, rows); err != nil {
		return err
	}
	if err := w.observe(fresh, at); err != nil {
		return err
	}
	for f, n := range counts {
		if _, err := w.conn.Exec(`UPDATE facet SET entries = entries + $2, last_added = $3 WHERE number = $1`, f, n[0], n[1]); err != nil {
			return err
		}
	}
	_, err := w.conn.Exec(`UPDATE collection SET objects = objects + $2 WHERE number = $1`, w.collection.number, len(fresh))
	return err
}

// facet returns the number of an object's facet in the collection.
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
