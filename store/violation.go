package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// encodeViolations is how violations are kept beside an entry: JSON, or "" for none. JSON escapes U+0000, which PostgreSQL
// cannot hold in a text.
func encodeViolations(list []stix.Violation) string {
	if len(list) == 0 {
		return ""
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprintf("store: violations are texts only, and can be written: %v", err))
	}
	return string(text)
}

// EntryViolations is an entry that was stored although its object breaks rules of STIX 2.1.
type EntryViolations struct {
	DateAdded taxii.DateAdded
	ID        stix.Identifier
	Version   string
	// Violations as they were recorded when it was stored (taxii.Recordable); their Structural is false.
	Violations []stix.Violation
}

// Violations returns the entries of a collection that were stored with violations, in the order of date_added: those
// after a position, at most limit. It reads those entries only. taxii.ErrNotFound.
func (s *Store) Violations(ctx context.Context, collection string, after taxii.DateAdded, limit int) ([]EntryViolations, error) {
	var list []EntryViolations
	err := s.read(ctx, func(c conn) error {
		list = nil
		col, err := collectionByID(c, collection)
		if err != nil {
			return err
		}
		return c.Query(violationsSQL, []any{col.number, int64(after), max(limit, 0)}, func(r row) error {
			e := EntryViolations{DateAdded: taxii.DateAdded(r.Int(0)), ID: stix.Identifier(r.Text(1)), Version: r.Text(2)}
			if err := json.Unmarshal([]byte(r.Text(3)), &e.Violations); err != nil {
				return fmt.Errorf("the violations recorded of %s: %w", e.ID, err)
			}
			list = append(list, e)
			return nil
		})
	})
	return list, err
}

const violationsSQL = `SELECT date_added, object, version, violations FROM entry
	WHERE collection = $1 AND date_added > $2 AND violations <> '' ORDER BY date_added LIMIT $3`

// ViolationCount counts the entries of a collection that were stored with violations. It reads those entries only.
// taxii.ErrNotFound.
func (s *Store) ViolationCount(ctx context.Context, collection string) (int64, error) {
	var n int64
	err := s.read(ctx, func(c conn) error {
		col, err := collectionByID(c, collection)
		if err != nil {
			return err
		}
		n, err = number(c, violationCountSQL, col.number)
		return err
	})
	return n, err
}

const violationCountSQL = `SELECT COUNT(*) FROM entry WHERE collection = $1 AND violations <> ''`
