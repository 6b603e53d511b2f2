package store

import (
	"context"
	"fmt"
	"time"
)

// Retention says what a collection lets go of. What goes leaves a tombstone, so that replication does not bring it back;
// publishing it again is possible.
type Retention struct {
	// Revoked and Expired are how long an object stays, in all its versions, after its last version was added that revokes
	// it, or after that version's valid_until; 0 for ever. Where callers see different last versions all must have ended.
	Revoked, Expired time.Duration
	// Superseded is how long a version stays after a later one was added; 0 for ever.
	Superseded time.Duration
	// Unread keeps what a client or peer has not read yet, for those that pulled something within this time; 0 waits for
	// nobody.
	Unread time.Duration
}

// any tells whether something ever goes.
func (r Retention) any() bool { return r.Revoked > 0 || r.Expired > 0 || r.Superseded > 0 }

// check refuses times that make no sense.
func (r Retention) check() error {
	for name, d := range map[string]time.Duration{"revoked": r.Revoked, "expired": r.Expired, "superseded": r.Superseded, "unread": r.Unread} {
		if d < 0 || d > 0 && d < time.Hour || d > maxRetention {
			return invalid("%s objects are kept for %s: say at least an hour and at most %d years, or never to keep them for ever", name, d, int(maxRetention.Hours()/24/365))
		}
	}
	return nil
}

// maxRetention keeps times from running over.
const maxRetention = 100 * 365 * 24 * time.Hour

// Retention returns the rules of a collection; taxii.ErrNotFound.
func (s *Store) Retention(ctx context.Context, collection string) (Retention, error) {
	var rules Retention
	err := s.read(ctx, func(c conn) error {
		col, err := collectionByID(c, collection)
		if err != nil {
			return err
		}
		rules, err = readRetention(c, col.number)
		return err
	})
	return rules, err
}

// SetRetention sets the rules of a collection. The errors are taxii.ErrNotFound and ErrInvalid.
func (s *Store) SetRetention(ctx context.Context, collection string, r Retention) error {
	if err := r.check(); err != nil {
		return err
	}
	return s.write(ctx, func(c conn) error {
		col, err := collectionByID(c, collection)
		if err != nil {
			return err
		}
		_, err = c.Exec(`UPDATE collection SET retain_revoked = $2, retain_expired = $3, retain_superseded = $4, retain_unread = $5 WHERE number = $1`,
			col.number, r.Revoked.Microseconds(), r.Expired.Microseconds(), r.Superseded.Microseconds(), r.Unread.Microseconds())
		return err
	})
}

func readRetention(c conn, collection int64) (Retention, error) {
	var r Retention
	found, err := one(c, `SELECT retain_revoked, retain_expired, retain_superseded, retain_unread FROM collection WHERE number = $1`, []any{collection}, func(row row) error {
		r = Retention{Revoked: duration(row.Int(0)), Expired: duration(row.Int(1)), Superseded: duration(row.Int(2)), Unread: duration(row.Int(3))}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("collection %d is missing from the database", collection)
	}
	return r, err
}

func duration(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// reader is how far a client or peer has read a collection.
type reader struct {
	name     string
	position int64
	waited   bool // it pulled lately, so what it has not read is kept
}

// readers are those who may read a collection and have read some of it.
func readers(c conn, collection int64, since int64) ([]reader, error) {
	var list []reader
	err := c.Query(`SELECT a.name, p.date_added, a.last_pull FROM progress p JOIN account a ON a.number = p.account
		WHERE p.collection = $1 AND (
			EXISTS (SELECT 1 FROM access x WHERE x.account = a.number AND x.collection = p.collection AND x.can_read = 1)
			OR EXISTS (SELECT 1 FROM client k WHERE k.account = a.number AND k.admin = 1))
		AND NOT EXISTS (SELECT 1 FROM client k WHERE k.account = a.number AND k.disabled = 1)
		ORDER BY a.name`, []any{collection}, func(r row) error {
		list = append(list, reader{name: r.Text(0), position: r.Int(1), waited: r.Int(2) >= since})
		return nil
	})
	return list, err
}
