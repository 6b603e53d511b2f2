package store

import (
	"bytes"
	"maps"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// mayRevoke tells bytes that may have a property "revoked", whatever escapes its name is written with.
func mayRevoke(raw []byte) bool {
	return bytes.Contains(raw, []byte(`"revoked"`)) || bytes.Contains(raw, []byte(`\u`))
}

// findRevocations notes which entries revoke their object, and makes them its last versions: until schema version 5 the
// latest was.
func findRevocations(c conn, _ time.Time) error {
	type name struct {
		collection int64
		object     string
	}
	objects, facets := make(map[name]bool), make(map[int64]bool)
	var revoked [][]any
	err := c.Query(`SELECT seq, collection, facet, object, raw FROM entry`, nil, func(r row) error {
		raw := r.Bytes(4)
		if !mayRevoke(raw) {
			return nil
		}
		o, err := stix.Parse(raw, stix.DefaultLimits())
		if err != nil { // what can't be read revokes nothing
			return nil
		}
		in := incoming{object: o, versioned: !o.Version().IsZero()}
		if in.revokes() {
			revoked = append(revoked, []any{r.Int(0)})
			objects[name{r.Int(1), r.Text(3)}] = true
			facets[r.Int(2)] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.ExecMany(`UPDATE entry SET revoked = 1 WHERE seq = $1`, revoked); err != nil {
		return err
	}
	if err := c.ExecMany(`UPDATE facet SET revoking = 1 WHERE number = $1`, oneEach(facets)); err != nil {
		return err
	}
	for n := range maps.Keys(objects) {
		if err := rankObject(c, n.collection, n.object); err != nil {
			return err
		}
	}
	return nil
}

// rankObject sets the flags of all versions of an object anew.
func rankObject(c conn, collection int64, object string) error {
	var list []heldEntry
	err := c.Query(`SELECT seq, facet, version_key, is_first, is_last, revoked FROM entry WHERE collection = $1 AND object = $2 ORDER BY version_key`,
		[]any{collection, object}, func(r row) error {
			list = append(list, heldEntry{seq: r.Int(0), facet: facet{number: r.Int(1)}, key: r.Text(2),
				first: int(r.Int(3)), last: int(r.Int(4)), revokes: r.Int(5) != 0})
			return nil
		})
	if err != nil {
		return err
	}
	return rankKept(c, list, new(touches)) // no cache has seen the database before
}
