package store

import (
	"encoding/json"
	"fmt"

	"github.com/skjold-exchange/skjold/stix"
)

// statementDefinition is the definition_type of markings that inform and do not restrict (STIX 2.1 §7.2.1.3).
const statementDefinition = "statement"

// statesOnly tells a marking definition that the node takes for one that informs and does not restrict. One that breaks
// rules is none: what it leaves out or misplaces may be the restriction.
func (in *incoming) statesOnly() bool {
	return in.object.DefinitionType == statementDefinition && len(in.violations) == 0
}

// internSet returns the number of a marking set, adding it where it is new.
func internSet(c conn, set stix.MarkingSet) (int64, error) {
	key := set.Key()
	n, err := number(c, `SELECT number FROM marking_set WHERE name = $1`, key)
	if err != nil || n != 0 {
		return n, err
	}
	unknown := false
	for _, marking := range set.Others {
		known, err := number(c, `SELECT COUNT(*) FROM known_marking WHERE marking = $1`, string(marking))
		if err != nil {
			return 0, err
		}
		unknown = unknown || known == 0
	}
	content, err := json.Marshal(set)
	if err != nil {
		return 0, fmt.Errorf("marking set: %w", err)
	}
	if n, err = take(c, "marking_set", 1); err != nil {
		return 0, err
	}
	if _, err := c.Exec(`INSERT INTO marking_set (number, name, content, unknown) VALUES ($1, $2, $3, $4)`, n, key, string(content), unknown); err != nil {
		return 0, err
	}
	for _, marking := range set.Others {
		if _, err := c.Exec(`INSERT INTO marking_set_member (marking, marking_set) VALUES ($1, $2)`, string(marking), n); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// internFacet returns the number of a facet, adding it where it is new.
func internFacet(c conn, collection, set int64, typ, specVersion string) (int64, error) {
	n, err := number(c, `SELECT number FROM facet WHERE collection = $1 AND marking_set = $2 AND type = $3 AND spec_version = $4`,
		collection, set, typ, specVersion)
	if err != nil || n != 0 {
		return n, err
	}
	if n, err = take(c, "facet", 1); err != nil {
		return 0, err
	}
	_, err = c.Exec(`INSERT INTO facet (number, collection, marking_set, type, spec_version, entries, last_added) VALUES ($1, $2, $3, $4, $5, 0, 0)`,
		n, collection, set, typ, specVersion)
	return n, err
}

// learn notes that the node holds the meaning of a marking. Entries that nobody was served because of it become
// servable: they move to the end of their collection's log, so that cursors that have passed them get them still.
func learn(c conn, marking stix.Identifier, now int64) error {
	added, err := c.Exec(`INSERT INTO known_marking (marking, since) VALUES ($1, $2) ON CONFLICT (marking) DO NOTHING`, string(marking), now)
	if err != nil || added == 0 {
		return err
	}
	var understood []int64
	err = c.Query(`SELECT m.number FROM marking_set_member b JOIN marking_set m ON m.number = b.marking_set
		WHERE b.marking = $1 AND m.unknown = 1 AND NOT EXISTS (
			SELECT 1 FROM marking_set_member o WHERE o.marking_set = m.number
			AND NOT EXISTS (SELECT 1 FROM known_marking k WHERE k.marking = o.marking))`,
		[]any{string(marking)}, func(r row) error { understood = append(understood, r.Int(0)); return nil })
	if err != nil {
		return err
	}
	facets := make(map[int64][]int64) // by collection
	for _, set := range understood {
		if _, err := c.Exec(`UPDATE marking_set SET unknown = 0 WHERE number = $1`, set); err != nil {
			return err
		}
		err := c.Query(`SELECT collection, number FROM facet WHERE marking_set = $1 AND entries > 0`, []any{set}, func(r row) error {
			facets[r.Int(0)] = append(facets[r.Int(0)], r.Int(1))
			return nil
		})
		if err != nil {
			return err
		}
	}
	for collection, list := range facets {
		if err := moveToEnd(c, collection, list, now); err != nil {
			return err
		}
	}
	return nil
}

// moveToEnd gives the entries of some facets of a collection new dates after all others, in their old order.
func moveToEnd(c conn, collection int64, facets []int64, now int64) error {
	var seqs []int64
	err := c.Query(`SELECT seq FROM entry WHERE collection = $1 AND facet IN (`+integers(facets)+`) ORDER BY date_added`, []any{collection},
		func(r row) error { seqs = append(seqs, r.Int(0)); return nil })
	if err != nil || len(seqs) == 0 {
		return err
	}
	block, err := reserve(c, collection, len(seqs), now)
	if err != nil {
		return err
	}
	moves := make([][]any, len(seqs))
	for i, seq := range seqs {
		moves[i] = []any{seq, block.seq + int64(i), block.date + int64(i)}
	}
	if err := c.ExecMany(`UPDATE entry SET seq = $2, date_added = $3 WHERE seq = $1`, moves); err != nil {
		return err
	}
	_, err = c.Exec(`UPDATE facet SET last_added = $1 WHERE number IN (`+integers(facets)+`)`, block.date+int64(len(seqs))-1)
	return err
}

// block is a run of consecutive places at the end of a collection's log.
type block struct {
	seq  int64 // of the first
	date int64 // date_added of the first, in microseconds
}

// reserve takes n places at the end of a collection's log: dates not before now, later than every date ever given in the
// collection, a microsecond apart.
func reserve(c conn, collection int64, n int, now int64) (block, error) {
	var last int64
	found, err := one(c, `UPDATE collection
		SET last_added = CASE WHEN last_added >= $2 THEN last_added + $3 ELSE $2 + $3 - 1 END
		WHERE number = $1 RETURNING last_added`, []any{collection, now, n}, func(r row) error { last = r.Int(0); return nil })
	if err != nil {
		return block{}, err
	}
	if !found {
		return block{}, fmt.Errorf("collection %d is missing from the database", collection)
	}
	seq, err := take(c, "entry", n)
	return block{seq: seq, date: last - int64(n) + 1}, err
}
