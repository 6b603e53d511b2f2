package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/store/archive"
)

// transaction runs a function in a write transaction of the database that is being filled.
type transaction func(fn func(conn) error) error

// fill runs fn on an empty database. replace empties one that is not, if that can be undone: on a server everything is one
// transaction, while a file is used by nobody before it is whole.
func (db database) fill(ctx context.Context, replace bool, fn func(transaction) error) error {
	empty := func(c conn) error {
		has, err := number(c, db.hasSchema)
		switch {
		case err != nil || has == 0:
			return err
		case !replace || !db.server:
			return ErrNotEmpty
		}
		return dropAll(c)
	}
	if db.server {
		return db.Alter(ctx, func(c conn) error {
			if err := empty(c); err != nil {
				return err
			}
			return fn(func(step func(conn) error) error { return step(c) })
		})
	}
	if err := db.Alter(ctx, empty); err != nil {
		return err
	}
	return fn(func(step func(conn) error) error { return db.Alter(ctx, step) })
}

// dropAll removes our tables, and no others that share the database.
func dropAll(c conn) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	have, err := schemaVersion(c)
	if err != nil {
		return err
	}
	if have > len(steps) {
		return fmt.Errorf("%w (its schema is version %d, this program knows %d)", ErrNewerVersion, have, len(steps))
	}
	names := []string{"schema_version"}
	if have > 0 {
		sc, err := schemaAt(have, steps)
		if err != nil {
			return err
		}
		for _, t := range sc.tables {
			names = append(names, t.Name)
		}
	}
	_, err = c.Exec(`DROP TABLE ` + strings.Join(names, ", "))
	return err
}

const (
	// batchRows and batchBytes are the most that is stored by one statement.
	batchRows  = 1000
	batchBytes = 8 << 20
)

// filler stores rows, table by table, in a database that has none.
type filler struct {
	ctx      context.Context // of the whole work, which one call of Restore or Move is
	exec     transaction
	dialect  func(sql string) string
	steps    []migration
	now      time.Time
	progress func(rows int)

	schema schema
	tables map[string]table
	table  table // whose rows are in the batch
	batch  [][]any
	size   int
}

// begin makes the schema of a version, without its indexes and without what the migrations themselves insert.
func (f *filler) begin(sc schema) error {
	f.schema, f.tables = sc, make(map[string]table)
	return f.exec(func(c conn) error {
		for _, step := range f.steps[:sc.version] {
			if err := step.apply(c, f.dialect, f.now); err != nil {
				return err
			}
		}
		for i := len(sc.tables) - 1; i >= 0; i-- {
			t := sc.tables[i]
			f.tables[t.Name] = t
			if _, err := c.Exec(`DELETE FROM ` + t.Name); err != nil {
				return err
			}
			for _, x := range t.indexes {
				if _, err := c.Exec(`DROP INDEX ` + x.name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// row stores a row, with others of its table.
func (f *filler) row(shape archive.Table, values []any) error {
	if f.table.Name != shape.Name {
		if err := f.flush(); err != nil {
			return err
		}
		f.table = f.tables[shape.Name]
	}
	f.batch = append(f.batch, values)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			f.size += len(v)
		case []byte:
			f.size += len(v)
		}
	}
	if len(f.batch) < batchRows && f.size < batchBytes {
		return nil
	}
	return f.flush()
}

func (f *filler) flush() error {
	if len(f.batch) == 0 {
		return nil
	}
	if f.ctx.Err() != nil {
		return context.Cause(f.ctx)
	}
	err := f.exec(func(c conn) error { return c.Insert(f.table.insertion(), f.batch) })
	f.progress(len(f.batch))
	f.batch, f.size = f.batch[:0], 0
	return err
}

// finish makes the indexes, and reads back every table and compares it with what it should be.
func (f *filler) finish(want map[string]archive.Sum) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.exec(func(c conn) error {
		for _, t := range f.schema.tables {
			for _, x := range t.indexes {
				if err := c.Script(f.dialect(x.sql)); err != nil {
					return fmt.Errorf("index %s: %w", x.name, err)
				}
			}
		}
		for _, t := range f.schema.tables {
			got, err := t.sum(f.ctx, c, f.progress)
			if err != nil {
				return err
			}
			if got != want[t.Name] {
				return fmt.Errorf("table %s was read back with %d rows that are not the %d rows that were written", t.Name, got.Rows, want[t.Name].Rows)
			}
		}
		return nil
	})
}

// migrate brings the schema up to date.
func (f *filler) migrate() error {
	for _, step := range f.steps[f.schema.version:] {
		if err := f.exec(func(c conn) error { return step.apply(c, f.dialect, f.now) }); err != nil {
			return err
		}
	}
	return nil
}
