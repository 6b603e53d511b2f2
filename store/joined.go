package store

import (
	"slices"

	"github.com/skjold-exchange/skjold/stix"
)

// maxEnds is how many objects one relationship or sighting may join.
const maxEnds = 1000

// maxEndMarkings is how many markings that are not understood a relationship takes over from its ends before it counts as
// RED: each further one would change all relationships of an end again.
const maxEndMarkings = 8

// endMarkings is a version of an end that counts: the last one that a source brought to a collection. An end counts in
// every collection of the node and from every source, so that nobody makes it less strict with a version of their own.
type endMarkings struct {
	collection int64
	def        stix.TLP // how unmarked objects are handled there
	set        stix.MarkingSet
	unknown    bool
	// key and revokes decide which version counts.
	key     string
	revokes bool
	facet   int64
}

// tightened is the marking set of a relationship or sighting that is handled by m, and joins ends. The collection of the
// relationship handles unmarked objects as def. The rules are those of stix.Object.EffectiveMarkings, with what only a
// node knows: where each end is held.
func tightened(m stix.MarkingSet, collection int64, def stix.TLP, ends []endMarkings) stix.MarkingSet {
	sets := make([]stix.MarkingSet, len(ends))
	for i, e := range ends {
		sets[i] = e.as(m.Source, collection)
	}
	result := m.Strictest(def, sets...)
	if len(result.Others) > len(m.Others) && len(result.Others) > maxEndMarkings {
		result.TLP, result.Floor, result.Others = stix.TLPRed, stix.TLPUnmarked, m.Others
	}
	if level := m.Level(def, false); level != stix.TLPUnmarked && result.TLP <= level {
		result.TLP, result.Floor = m.TLP, max(m.Floor, result.Floor) // as strict as before: what is unmarked stays so
	}
	carried := m.TLP
	if carried == stix.TLPUnmarked {
		carried = stix.TLPGreen // as whoever receives it handles it at least
	}
	result.Raised = m.Raised || result.TLP > carried || result.PAP > m.PAP
	return result
}

// as is what an end adds to a relationship of a source in a collection.
func (e endMarkings) as(source string, collection int64) stix.MarkingSet {
	set := e.set
	switch {
	case !e.unknown:
		set.Others = nil // they are understood where the end is, and inform only
	case e.collection != collection || set.Source != source:
		// The relationship might learn what they mean while the end does not.
		set.TLP, set.Others = stix.TLPRed, nil
	}
	if set.TLP == stix.TLPUnmarked && e.collection != collection {
		if set.TLP = set.Level(e.def, false); set.TLP == stix.TLPUnmarked {
			set.TLP = stix.TLPRed
		}
	}
	return set
}

// adds tells that an object that comes in may make what joins it stricter.
func (in *incoming) adds() bool {
	return in.set.TLP != stix.TLPClear || in.set.PAP != 0 || len(in.set.Others) > 0
}

// joiner is an entry of a relationship or sighting.
type joiner struct {
	seq, date, facet, collection int64
	object                       string
	inner                        bool // other versions of it are held
}

// tighten makes the relationships and sightings of a transaction as strict as their ends, and those that are held of ends
// that came in.
func (w *logWriter) tighten() (err error) {
	t := tightener{conn: w.conn, touched: map[int64]*touches{w.collection.number: &w.touched}}
	var rows [][]any
	var own []joiner
	var ends [][]stix.Identifier
	var objects []string
	for _, in := range w.added {
		for _, end := range in.ends {
			rows = append(rows, []any{string(end), w.collection.number, string(in.object.ID)})
		}
		if len(in.ends) > 0 {
			own = append(own, joiner{seq: in.seq, facet: in.facet, collection: w.collection.number, date: in.date, object: string(in.object.ID), inner: in.isFirst != soleEnd || in.isLast != soleEnd})
			ends = append(ends, in.ends)
		}
		if in.adds() {
			objects = append(objects, string(in.object.ID))
		}
	}
	if err := w.conn.ExecMany(`INSERT INTO joined (target, collection, object) VALUES ($1, $2, $3)
		ON CONFLICT (target, collection, object) DO NOTHING`, rows); err != nil {
		return err
	}
	if err := t.tightenAll(own, ends); err != nil {
		return err
	}
	if err := t.tightenJoined(objects); err != nil {
		return err
	}
	w.others, err = t.record(w.collection.number)
	return err
}

// tightenAll makes entries as strict as the ends of each.
func (t *tightener) tightenAll(list []joiner, ends [][]stix.Identifier) error {
	if len(list) == 0 {
		return nil
	}
	var wanted []string
	for _, ids := range ends {
		for _, id := range ids {
			wanted = append(wanted, string(id))
		}
	}
	slices.Sort(wanted)
	held, err := t.endsOf(slices.Compact(wanted))
	if err != nil {
		return err
	}
	for i, j := range list {
		var of []endMarkings
		for _, id := range ends[i] {
			of = append(of, held[string(id)]...)
		}
		if len(of) == 0 {
			continue
		}
		if err := t.move([]joiner{j}, of); err != nil {
			return err
		}
	}
	return t.apply()
}

func joinedTargetsSQL(n int) string {
	return `SELECT DISTINCT target FROM joined WHERE target IN (` + placeholders(1, n) + `)`
}

// joinersSQL finds every version of what joins an object.
const joinersSQL = `SELECT e.seq, e.date_added, e.facet, e.collection, e.object, e.is_first, e.is_last
	FROM joined j JOIN entry e ON e.collection = j.collection AND e.object = j.object WHERE j.target = $1`

// tightenJoined makes what joins some objects as strict as they are.
func (t *tightener) tightenJoined(objects []string) error {
	var hit []string
	slices.Sort(objects)
	err := chunks(slices.Compact(objects), func(chunk []string) error {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = id
		}
		return t.conn.Query(joinedTargetsSQL(len(chunk)), args,
			func(r row) error { hit = append(hit, r.Text(0)); return nil })
	})
	if err != nil || len(hit) == 0 {
		return err
	}
	held, err := t.endsOf(hit)
	if err != nil {
		return err
	}
	for _, id := range hit {
		var list []joiner
		err := t.conn.Query(joinersSQL, []any{id}, func(r row) error {
			list = append(list, joiner{seq: r.Int(0), date: r.Int(1), facet: r.Int(2), collection: r.Int(3), object: r.Text(4),
				inner: r.Int(5) != soleEnd || r.Int(6) != soleEnd})
			return nil
		})
		if err != nil {
			return err
		}
		if err := t.move(list, held[id]); err != nil {
			return err
		}
		if err := t.apply(); err != nil { // one of them may join another of the objects too
			return err
		}
	}
	return nil
}
