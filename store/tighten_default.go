package store

import (
	"strconv"

	"github.com/skjold-exchange/skjold/stix"
)

// tightenDefault follows a change of how a collection handles unmarked objects: its relationships and sightings, and those
// of all collections that join its unmarked objects, become as strict as it says now. Nothing becomes less strict.
func (t *tightener) tightenDefault(collection int64, def stix.TLP) error {
	if def == stix.TLPUnmarked {
		def = stix.TLPRed // unmarked objects are refused
	}
	unmarked := endMarkings{collection: collection, set: stix.MarkingSet{TLP: def}}
	pages := historyMigration{conn: t.conn}
	err := pages.pages(`SELECT e.seq, e.collection, e.facet, e.date_added, e.object, e.is_first, e.is_last, e.raw FROM entry e
		WHERE e.seq > $1 AND e.collection = `+strconv.FormatInt(collection, 10)+`
		AND EXISTS (SELECT 1 FROM joined j WHERE j.collection = e.collection AND j.object = e.object) ORDER BY e.seq LIMIT $2`,
		func(page []migratedEntry) error {
			for _, e := range page {
				f, err := t.facet(e.facet)
				if err != nil {
					return err
				}
				if f.set.TLP == stix.TLPUnmarked || e.parsed.Markings().TLP != stix.TLPUnmarked {
					continue // it follows the default by itself, or does not
				}
				if err := t.move([]joiner{e.joiner}, []endMarkings{unmarked}); err != nil {
					return err
				}
			}
			return t.apply()
		})
	if err != nil {
		return err
	}
	var ends []string
	err = t.conn.Query(`SELECT DISTINCT j.target FROM joined j JOIN entry e ON e.collection = $1 AND e.object = j.target`, []any{collection},
		func(r row) error { ends = append(ends, r.Text(0)); return nil })
	if err != nil {
		return err
	}
	return t.tightenJoined(ends)
}
