package store

import (
	"context"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation"
)

// maxIntroduced is how many trust chains are kept; the oldest make room for new ones.
const maxIntroduced = 4096

// KeepChain implements federation.SharedChains. It does not wait for writers of collections.
func (s *Store) KeepChain(ctx context.Context, entity federation.EntityID, statements []string, until time.Time) error {
	text := strings.Join(statements, "\n")
	return s.aside(ctx, func(c conn) error {
		// Those who keep chains take turns, so that none waits for a row of another that waits for one of its own.
		if _, err := c.Exec(`UPDATE counter SET value = value + 1 WHERE name = 'introduced'`); err != nil {
			return err
		}
		now, err := s.engine.Clock(c)
		if err != nil {
			return err
		}
		_, err = c.Exec(`INSERT INTO introduced (entity, statements, expires, kept) VALUES ($1, $2, $3, $4)
			ON CONFLICT (entity) DO UPDATE SET statements = excluded.statements, expires = excluded.expires, kept = excluded.kept`,
			string(entity), text, micros(until), now)
		if err != nil {
			return err
		}
		if _, err := c.Exec(`DELETE FROM introduced WHERE expires <= $1 AND entity <> $2`, now, string(entity)); err != nil {
			return err
		}
		_, err = c.Exec(`DELETE FROM introduced WHERE entity IN (SELECT entity FROM introduced ORDER BY kept DESC, entity LIMIT 100 OFFSET $1)`, maxIntroduced)
		return err
	})
}

// KeptChain implements federation.SharedChains.
func (s *Store) KeptChain(ctx context.Context, entity federation.EntityID) ([]string, error) {
	var statements []string
	err := s.read(ctx, func(c conn) error {
		_, err := one(c, `SELECT statements FROM introduced WHERE entity = $1`, []any{string(entity)}, func(r row) error {
			statements = strings.Split(r.Text(0), "\n")
			return nil
		})
		return err
	})
	return statements, err
}

// aside runs fn beside the writers; see engine.Aside.
func (s *Store) aside(ctx context.Context, fn func(conn) error) error {
	err := s.engine.Aside(ctx, fn)
	s.metrics.failed(err)
	s.health.met(err)
	return err
}
