package store

import (
	"bytes"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// migratedRows is how many entries a migration has in memory at once.
const migratedRows = 2000

// mayTell tells bytes that may have a property "revoked", or one that joins other objects, whatever escapes their names are
// written with.
func mayTell(raw []byte) bool {
	for _, name := range []string{`"revoked"`, `_ref"`, `_refs"`, `\u`} {
		if bytes.Contains(raw, []byte(name)) {
			return true
		}
	}
	return false
}

// readHistory notes what schema version 5 has new of the entries that are held: which of them revoke their object, and so
// are its last version, and what relationships and sightings join, as strict as which they become.
func readHistory(c conn, _ time.Time) error {
	m := historyMigration{conn: c, revoked: make(map[objectName]bool), facets: make(map[int64]bool)}
	if err := m.pages(`SELECT seq, collection, facet, date_added, object, is_first, is_last, raw FROM entry WHERE seq > $1 ORDER BY seq LIMIT $2`, m.note); err != nil {
		return err
	}
	if err := c.ExecMany(`UPDATE facet SET revoking = 1 WHERE number = $1`, oneEach(m.facets)); err != nil {
		return err
	}
	for n := range m.revoked {
		if err := rankObject(c, n.collection, n.object, new(touches)); err != nil { // no cache has seen the database before
			return err
		}
	}
	return m.pages(`SELECT e.seq, e.collection, e.facet, e.date_added, e.object, e.is_first, e.is_last, e.raw FROM entry e
		WHERE e.seq > $1 AND EXISTS (SELECT 1 FROM joined j WHERE j.collection = e.collection AND j.object = e.object)
		ORDER BY e.seq LIMIT $2`, m.tighten)
}

// objectName is an object of a collection.
type objectName struct {
	collection int64
	object     string
}

// historyMigration is the work of readHistory.
type historyMigration struct {
	conn    conn
	revoked map[objectName]bool
	facets  map[int64]bool // that have revocations
}

// migratedEntry is an entry that may tell something.
type migratedEntry struct {
	joiner
	parsed *stix.Object
}

// pages calls each for all entries that a query finds and that may tell something, some at a time.
func (m *historyMigration) pages(sql string, each func([]migratedEntry) error) error {
	for after := int64(-1); ; {
		var page []migratedEntry
		rows := 0
		err := m.conn.Query(sql, []any{after, migratedRows}, func(r row) error {
			rows++
			after = r.Int(0)
			raw := r.Bytes(7)
			if !mayTell(raw) {
				return nil
			}
			if o, err := stix.Parse(raw, stix.DefaultLimits()); err == nil { // what can't be read tells nothing
				page = append(page, migratedEntry{parsed: o, joiner: joiner{seq: after, collection: r.Int(1), facet: r.Int(2), date: r.Int(3),
					object: r.Text(4), inner: r.Int(5) != soleEnd || r.Int(6) != soleEnd}})
			}
			return nil
		})
		if err != nil || rows == 0 {
			return err
		}
		if err := each(page); err != nil {
			return err
		}
	}
}

// note records the revocations and the ends.
func (m *historyMigration) note(page []migratedEntry) error {
	var revoked, joined [][]any
	for _, e := range page {
		in := incoming{object: e.parsed, versioned: !e.parsed.Version().IsZero()}
		if in.revokes() {
			revoked = append(revoked, []any{e.seq})
			m.revoked[objectName{e.collection, e.object}] = true
			m.facets[e.facet] = true
		}
		for _, end := range e.parsed.Ends() {
			joined = append(joined, []any{string(end), e.collection, e.object})
		}
	}
	if err := m.conn.ExecMany(`UPDATE entry SET revoked = 1 WHERE seq = $1`, revoked); err != nil {
		return err
	}
	return m.conn.ExecMany(`INSERT INTO joined (target, collection, object) VALUES ($1, $2, $3)
		ON CONFLICT (target, collection, object) DO NOTHING`, joined)
}

// tighten makes relationships and sightings as strict as what they join.
func (m *historyMigration) tighten(page []migratedEntry) error {
	t := tightener{conn: m.conn, touched: make(map[int64]*touches)} // not recorded: no cache has seen the database before
	list := make([]joiner, len(page))
	ends := make([][]stix.Identifier, len(page))
	for i, e := range page {
		list[i], ends[i] = e.joiner, e.parsed.Ends()
	}
	return t.tightenAll(list, ends)
}

// rankObject sets the flags of all versions of an object anew, and notes what that changes for who asks.
func rankObject(c conn, collection int64, object string, touched *touches) error {
	var list []heldEntry
	facets := make(map[int64]bool)
	err := c.Query(`SELECT seq, facet, version_key, is_first, is_last, revoked, date_added FROM entry
		WHERE collection = $1 AND object = $2 ORDER BY version_key`, []any{collection, object}, func(r row) error {
		list = append(list, heldEntry{seq: r.Int(0), facet: facet{number: r.Int(1)}, key: r.Text(2),
			first: int(r.Int(3)), last: int(r.Int(4)), revokes: r.Int(5) != 0, date: r.Int(6)})
		facets[r.Int(1)] = true
		return nil
	})
	if err != nil {
		return err
	}
	if len(facets) > 1 {
		for _, e := range list { // which of them a caller finds depends on every other
			touched.add(e.date)
		}
		if err := c.ExecMany(`UPDATE facet SET divided = 1 WHERE number = $1 AND divided = 0`, oneEach(facets)); err != nil {
			return err
		}
	}
	return rankKept(c, list, touched)
}
