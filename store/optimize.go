package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Space tells how the database uses its files, in bytes.
type Space struct {
	Size int64 // of the database
	Free int64 // within it: deleted content whose place is used again; 0 where the engine does not tell
}

// Optimize does what helps after much was deleted, and tells the space that is used then. On PostgreSQL it lets the server
// use the space again and brings its statistics up to date, beside other users; with rewrite the tables are written anew, one
// after the other, and everybody waits for each. SQLite uses the space again by itself and
// plans without statistics; with rewrite its file is written anew without what is free, which writers wait for. Rewriting
// needs as much room on the disk again.
func (s *Store) Optimize(ctx context.Context, rewrite bool) (Space, error) {
	return s.engine.Optimize(ctx, rewrite)
}

// Optimize implements engine.
func (e *sqliteEngine) Optimize(ctx context.Context, rewrite bool) (Space, error) {
	if rewrite {
		if err := e.rewrite(ctx); err != nil {
			return Space{}, err
		}
	}
	var space Space
	err := e.Read(ctx, func(c conn) error {
		var pages, free, size int64
		for pragma, n := range map[string]*int64{`PRAGMA page_count`: &pages, `PRAGMA freelist_count`: &free, `PRAGMA page_size`: &size} {
			var err error
			if *n, err = number(c, pragma); err != nil {
				return err
			}
		}
		space = Space{Size: pages * size, Free: free * size}
		return nil
	})
	return space, err
}

// rewrite writes the file anew. After a crash in the middle of it the file is as it was.
func (e *sqliteEngine) rewrite(ctx context.Context) error {
	c, err := e.takeWriter(ctx)
	if err != nil {
		return err
	}
	defer func() { e.writer <- c }()
	c.db.SetBusyTimeout(sqlitePatience)
	c.db.SetInterrupt(ctx.Done())
	err = c.pragma(`VACUUM`)
	c.db.SetInterrupt(nil)
	if err != nil {
		return err
	}
	c.db.SetBusyTimeout(time.Second)
	return c.pragma(`PRAGMA wal_checkpoint(TRUNCATE)`)
}

// Optimize implements engine. VACUUM is no statement of a transaction.
func (e *postgresEngine) Optimize(ctx context.Context, rewrite bool) (Space, error) {
	steps, err := migrations()
	if err != nil {
		return Space{}, err
	}
	sc, err := schemaAt(len(steps), steps)
	if err != nil {
		return Space{}, err
	}
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return Space{}, postgresError(err)
	}
	defer c.Release()
	if _, err := c.Exec(ctx, `SET statement_timeout = 0`); err != nil {
		return Space{}, postgresError(err)
	}
	defer func() {
		// The connection goes back to the others.
		_, _ = c.Exec(context.WithoutCancel(ctx), fmt.Sprintf(`SET statement_timeout = %d`, postgresStatement.Milliseconds()))
	}()
	how := `VACUUM (ANALYZE) `
	if rewrite {
		how = `VACUUM (FULL, ANALYZE) `
	}
	var space Space
	for _, t := range sc.tables {
		if _, err := c.Exec(ctx, how+pgx.Identifier{t.Name}.Sanitize()); err != nil {
			return Space{}, postgresError(err)
		}
		var size int64
		if err := c.QueryRow(ctx, `SELECT pg_total_relation_size($1::text::regclass)`, t.Name).Scan(&size); err != nil {
			return Space{}, postgresError(err)
		}
		space.Size += size
	}
	return space, nil
}
