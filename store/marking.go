package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// markingDefinition is the type of marking definitions.
const markingDefinition = "marking-definition"

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
	content, err := json.Marshal(set)
	if err != nil {
		return 0, fmt.Errorf("marking set: %w", err)
	}
	if n, err = take(c, "marking_set", 1); err != nil {
		return 0, err
	}
	if _, err := c.Exec(`INSERT INTO marking_set (number, name, content, source) VALUES ($1, $2, $3, $4)`, n, key, string(content), set.Source); err != nil {
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
	unknown, err := number(c, `SELECT COUNT(*) FROM marking_set_member b JOIN marking_set m ON m.number = b.marking_set
		WHERE b.marking_set = $2 AND NOT EXISTS (SELECT 1 FROM known_marking k
			WHERE k.collection = $1 AND k.marking = b.marking AND k.source IN ('', m.source))`, collection, set)
	if err != nil {
		return 0, err
	}
	_, err = c.Exec(`INSERT INTO facet (number, collection, marking_set, type, spec_version, unknown, divided, entries, last_added)
		VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0)`, n, collection, set, typ, specVersion, unknown > 0)
	return n, err
}

// learn notes that a collection holds the meaning of a marking, from a source: "" for this node, or a peer. It makes the
// marking known there and nowhere else, since whoever may write to one collection decides nothing about the objects of
// another; and what a peer defines is known for that peer's objects alone, or it could declare those of others harmless.
// Entries that nobody was served because
// of the marking become servable: they move to the end of the log, so that cursors that have passed them get them still.
func learn(c conn, collection int64, marking stix.Identifier, source string, now int64, digests func(raw []byte) []int64) error {
	added, err := c.Exec(`INSERT INTO known_marking (collection, marking, source, since) VALUES ($1, $2, $3, $4)
		ON CONFLICT (collection, marking, source) DO NOTHING`, collection, string(marking), source, now)
	if err != nil || added == 0 {
		return err
	}
	var understood []int64
	err = c.Query(`SELECT f.number FROM marking_set_member b JOIN marking_set m ON m.number = b.marking_set
			JOIN facet f ON f.marking_set = b.marking_set
		WHERE b.marking = $2 AND f.collection = $1 AND f.unknown = 1 AND NOT EXISTS (
			SELECT 1 FROM marking_set_member o WHERE o.marking_set = f.marking_set
			AND NOT EXISTS (SELECT 1 FROM known_marking k
				WHERE k.collection = $1 AND k.marking = o.marking AND k.source IN ('', m.source)))`,
		[]any{collection, string(marking)}, func(r row) error { understood = append(understood, r.Int(0)); return nil })
	if err != nil || len(understood) == 0 {
		return err
	}
	if _, err := c.Exec(`UPDATE facet SET unknown = 0 WHERE number IN (` + integers(understood) + `)`); err != nil {
		return err
	}
	return moveToEnd(c, collection, understood, now, digests)
}

// moveToEnd gives the entries of some facets of a collection new dates after all others, in their old order.
func moveToEnd(c conn, collection int64, facets []int64, now int64, digests func(raw []byte) []int64) error {
	var seqs []int64
	var touched touches
	err := c.Query(`SELECT seq, date_added FROM entry WHERE collection = $1 AND facet IN (`+integers(facets)+`) ORDER BY date_added`, []any{collection},
		func(r row) error {
			seqs = append(seqs, r.Int(0))
			touched.add(r.Int(1))
			return nil
		})
	if err != nil || len(seqs) == 0 {
		return err
	}
	if err := touched.record(c, collection); err != nil {
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
	if err := moveObservables(c, collection, moves, digests); err != nil {
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
	last, err := number(c, `SELECT last_added FROM collection WHERE number = $1`, collection)
	if err != nil {
		return block{}, err
	}
	date := max(now, last+1)
	changed, err := c.Exec(`UPDATE collection SET last_added = $2 WHERE number = $1`, collection, date+int64(n)-1)
	if err != nil {
		return block{}, err
	}
	if changed == 0 {
		return block{}, fmt.Errorf("collection %d is missing from the database", collection)
	}
	seq, err := take(c, "entry", n)
	return block{seq: seq, date: date}, err
}

// relearn notes what each collection knows of markings, from the definitions that it holds: until schema version 3 a
// definition counted for the whole node.
func relearn(c conn, now time.Time) error {
	type definition struct {
		collection int64
		marking    string
	}
	var known []definition
	err := c.Query(`SELECT e.collection, e.object, e.raw FROM entry e JOIN facet f ON f.number = e.facet
		WHERE f.type = 'marking-definition' AND e.violations = '' ORDER BY e.seq`, nil, func(r row) error {
		o, err := stix.Parse(r.Bytes(2), stix.DefaultLimits())
		if err == nil && o.DefinitionType == statementDefinition {
			known = append(known, definition{r.Int(0), r.Text(1)})
		}
		return nil // what can't be read defines nothing
	})
	if err != nil {
		return err
	}
	for _, k := range known {
		_, err := c.Exec(`INSERT INTO known_marking (collection, marking, since) VALUES ($1, $2, $3) ON CONFLICT (collection, marking) DO NOTHING`,
			k.collection, k.marking, now.UnixMicro())
		if err != nil {
			return err
		}
	}
	_, err = c.Exec(`UPDATE facet SET unknown = 1 WHERE EXISTS (SELECT 1 FROM marking_set_member b WHERE b.marking_set = facet.marking_set
		AND NOT EXISTS (SELECT 1 FROM known_marking k WHERE k.collection = facet.collection AND k.marking = b.marking))`)
	return err
}
