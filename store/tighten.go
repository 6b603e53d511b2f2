package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
)

// tightener moves entries to facets with stricter marking sets, inside a write transaction. Their dates stay: nobody is
// served anything again.
type tightener struct {
	conn    conn
	facets  map[int64]*joinedFacet
	moves   []entryMove        // not written yet
	touched map[int64]*touches // by collection
}

// joinedFacet is a facet of what joins others.
type joinedFacet struct {
	collection       int64
	def              stix.TLP // of the collection
	set              stix.MarkingSet
	typ, specVersion string
}

type facetMove struct{ from, to int64 }

type entryMove struct {
	joiner
	to int64
}

// facet reads a facet that entries move from.
func (t *tightener) facet(n int64) (*joinedFacet, error) {
	if f := t.facets[n]; f != nil {
		return f, nil
	}
	f := new(joinedFacet)
	found, err := one(t.conn, `SELECT f.collection, c.default_tlp, m.content, f.type, f.spec_version
		FROM facet f JOIN marking_set m ON m.number = f.marking_set JOIN collection c ON c.number = f.collection WHERE f.number = $1`,
		[]any{n}, func(r row) error {
			f.collection, f.def, f.typ, f.specVersion = r.Int(0), stix.TLP(r.Int(1)), r.Text(3), r.Text(4)
			return json.Unmarshal([]byte(r.Text(2)), &f.set)
		})
	if err == nil && !found {
		err = fmt.Errorf("facet %d is missing from the database", n)
	}
	if err != nil {
		return nil, err
	}
	if t.facets == nil {
		t.facets = make(map[int64]*joinedFacet)
	}
	t.facets[n] = f
	return f, nil
}

// move decides where entries belong that join ends.
func (t *tightener) move(list []joiner, ends []endMarkings) error {
	to := make(map[int64]int64) // by facet
	for _, j := range list {
		target, known := to[j.facet]
		if !known {
			f, err := t.facet(j.facet)
			if err != nil {
				return err
			}
			target = j.facet
			if set := tightened(f.set, f.collection, f.def, ends); set.Key() != f.set.Key() {
				number, err := internSet(t.conn, set)
				if err != nil {
					return err
				}
				if target, err = internFacet(t.conn, f.collection, number, f.typ, f.specVersion); err != nil {
					return err
				}
			}
			to[j.facet] = target
		}
		if target != j.facet {
			t.moves = append(t.moves, entryMove{joiner: j, to: target})
		}
	}
	return nil
}

// apply writes the moves.
func (t *tightener) apply() error {
	if len(t.moves) == 0 {
		return nil
	}
	several := make(map[objectName]bool) // objects with other versions
	changes := make(map[facetMove][2]int64)
	rows := make([][]any, len(t.moves))
	for i, m := range t.moves {
		rows[i] = []any{m.seq, m.to}
		pair := facetMove{m.facet, m.to}
		changes[pair] = [2]int64{changes[pair][0] + 1, max(changes[pair][1], m.date)}
		t.touch(m.collection).add(m.date)
		if m.inner {
			several[objectName{m.collection, m.object}] = true
		}
	}
	t.moves = t.moves[:0]
	if err := t.conn.ExecMany(`UPDATE entry SET facet = $2 WHERE seq = $1`, rows); err != nil {
		return err
	}
	for pair, n := range changes {
		if err := t.count(pair, n[0], n[1]); err != nil {
			return err
		}
	}
	for n := range several {
		if err := rankObject(t.conn, n.collection, n.object, t.touch(n.collection)); err != nil {
			return err
		}
	}
	return nil
}

// count keeps what facets say of their entries when some move, of which the latest has a date.
func (t *tightener) count(pair facetMove, entries, latest int64) error {
	if _, err := t.conn.Exec(`UPDATE facet SET entries = entries - $2 WHERE number = $1`, pair.from, entries); err != nil {
		return err
	}
	_, err := t.conn.Exec(`UPDATE facet SET entries = entries + $3, last_added = CASE WHEN last_added > $4 THEN last_added ELSE $4 END,
		revoking = CASE WHEN revoking = 1 THEN 1 ELSE (SELECT f.revoking FROM facet f WHERE f.number = $1) END WHERE number = $2`,
		pair.from, pair.to, entries, latest)
	return err
}

// touch are the touches of a collection.
func (t *tightener) touch(collection int64) *touches {
	if t.touched[collection] == nil {
		t.touched[collection] = new(touches)
	}
	return t.touched[collection]
}

// record writes what changed in all collections but one, whose changes are recorded with others, and returns the ids of
// those collections, for the watchers.
func (t *tightener) record(but int64) (changed []string, err error) {
	for _, n := range slices.Sorted(maps.Keys(t.touched)) {
		if n == but {
			continue
		}
		if err := t.touched[n].record(t.conn, n); err != nil {
			return nil, err
		}
		if _, err := one(t.conn, `SELECT id FROM collection WHERE number = $1`, []any{n}, func(r row) error {
			changed = append(changed, r.Text(0))
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// endsOf reads the versions of objects that count, in all collections, by object.
func (t *tightener) endsOf(objects []string) (map[string][]endMarkings, error) {
	found := make(map[string][]endMarkings)
	err := chunks(objects, func(chunk []string) error {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = id
		}
		seen := make(map[string][]endMarkings)
		err := t.conn.Query(endsSQL(len(chunk)), args, func(r row) error {
			e := endMarkings{collection: r.Int(1), def: stix.TLP(r.Int(2)), unknown: r.Int(3) != 0, key: r.Text(5), revokes: r.Int(6) != 0, facet: r.Int(7)}
			if err := json.Unmarshal([]byte(r.Text(4)), &e.set); err != nil {
				return fmt.Errorf("marking set of %s: %w", r.Text(0), err)
			}
			seen[r.Text(0)] = append(seen[r.Text(0)], e)
			return nil
		})
		for id, list := range seen {
			found[id] = counting(list)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for id, list := range found {
		for i := range list {
			if err := t.ownMarkings(stix.Identifier(id), &list[i]); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// endsSQL goes over the collections and in each to the versions of the objects: CROSS JOIN and the unary plus keep SQLite
// from passing over the last versions of everything instead.
func endsSQL(n int) string {
	return `SELECT e.object, e.collection, c.default_tlp, f.unknown, m.content, e.version_key, e.revoked, e.facet
		FROM collection c CROSS JOIN entry e JOIN facet f ON f.number = e.facet JOIN marking_set m ON m.number = f.marking_set
		WHERE e.collection = c.number AND e.object IN (` + placeholders(1, n) + `) AND +e.is_last > 0`
}

// counting picks, of the last versions of an object in each facet, the last one of each source in each collection.
func counting(list []endMarkings) []endMarkings {
	type origin struct {
		collection int64
		source     string
	}
	last := make(map[origin]int)
	var picked []endMarkings
	for _, e := range list {
		o := origin{e.collection, e.set.Source}
		i, ok := last[o]
		switch {
		case !ok:
			last[o] = len(picked)
			picked = append(picked, e)
		case e.revokes != picked[i].revokes && e.revokes, e.revokes && picked[i].revokes && e.key < picked[i].key,
			!e.revokes && !picked[i].revokes && e.key > picked[i].key:
			picked[i] = e
		}
	}
	return picked
}

// ownMarkings has an end that is a relationship or sighting itself count by its own markings only.
func (t *tightener) ownMarkings(id stix.Identifier, e *endMarkings) error {
	if typ := id.Type(); typ != "relationship" && typ != "sighting" {
		return nil
	}
	var object *stix.Object
	_, err := one(t.conn, `SELECT raw FROM entry WHERE collection = $1 AND object = $2 AND version_key = $3`,
		[]any{e.collection, string(id), e.key}, func(r row) error {
			object, _ = stix.Parse(r.Bytes(0), stix.DefaultLimits())
			return nil
		})
	if err != nil || object == nil {
		return err // what can't be read counts by what is known of it
	}
	object.Floor = e.set.Floor
	own := object.Markings()
	own.Source = e.set.Source
	e.set, e.unknown = own, false
	for _, marking := range own.Others {
		n, err := number(t.conn, `SELECT COUNT(*) FROM known_marking WHERE collection = $1 AND marking = $2 AND source IN ('', $3)`,
			e.collection, string(marking), own.Source)
		if err != nil {
			return err
		}
		e.unknown = e.unknown || n == 0
	}
	return nil
}
