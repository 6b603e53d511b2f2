package store

import (
	"context"
	"fmt"

	"github.com/skjold-exchange/skjold/federation"
)

const hostedColumns = `entity, compact, issued, expires, received`

func scanHosted(r row) federation.Hosted {
	return federation.Hosted{
		Entity: federation.EntityID(r.Text(0)), Compact: r.Text(1), IssuedAt: timeOf(r.Int(2)), Expires: timeOf(r.Int(3)), Received: timeOf(r.Int(4)),
	}
}

// Hosted returns the configuration that this hub hosts of an entity, even one that has ended; federation.ErrNotHosted.
func (s *Store) Hosted(ctx context.Context, id federation.EntityID) (federation.Hosted, error) {
	var h federation.Hosted
	err := s.read(ctx, func(c conn) (err error) {
		h, err = hosted(c, id)
		return err
	})
	return h, err
}

func hosted(c conn, id federation.EntityID) (federation.Hosted, error) {
	var h federation.Hosted
	found, err := one(c, `SELECT `+hostedColumns+` FROM hosted WHERE entity = $1`, []any{string(id)}, func(r row) error { h = scanHosted(r); return nil })
	if err == nil && !found {
		err = fmt.Errorf("%q: %w", id, federation.ErrNotHosted)
	}
	return h, err
}

// PutHosted takes a configuration in the place of the entity's earlier one; federation.ErrOlderConfiguration if the one that
// is held was issued later. Its signature is for the caller to check.
func (s *Store) PutHosted(ctx context.Context, h federation.Hosted) error {
	if h.Entity == "" || h.Compact == "" {
		return invalid("a hosted configuration has an entity and a text")
	}
	return s.write(ctx, func(c conn) error {
		later, err := number(c, `SELECT COUNT(*) FROM hosted WHERE entity = $1 AND issued > $2`, string(h.Entity), micros(h.IssuedAt))
		if err != nil {
			return err
		}
		if later > 0 {
			return fmt.Errorf("%q: %w", h.Entity, federation.ErrOlderConfiguration)
		}
		_, err = c.Exec(`INSERT INTO hosted (`+hostedColumns+`) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (entity) DO UPDATE SET compact = excluded.compact, issued = excluded.issued, expires = excluded.expires, received = excluded.received`,
			string(h.Entity), h.Compact, micros(h.IssuedAt), micros(h.Expires), micros(h.Received))
		return err
	})
}

// AllHosted returns all configurations that this hub hosts, in order of entity id, those that have ended too.
func (s *Store) AllHosted(ctx context.Context) ([]federation.Hosted, error) {
	var list []federation.Hosted
	err := s.read(ctx, func(c conn) error {
		list = nil
		return c.Query(`SELECT `+hostedColumns+` FROM hosted ORDER BY entity`, nil, func(r row) error { list = append(list, scanHosted(r)); return nil })
	})
	return list, err
}

// RemoveHosted ends the hosting of an entity's configuration; federation.ErrNotHosted.
func (s *Store) RemoveHosted(ctx context.Context, id federation.EntityID) error {
	return s.write(ctx, func(c conn) error {
		if _, err := hosted(c, id); err != nil {
			return err
		}
		_, err := c.Exec(`DELETE FROM hosted WHERE entity = $1`, string(id))
		return err
	})
}
