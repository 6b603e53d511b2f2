package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/skjold-exchange/skjold/store/archive"
)

// table is a table of the schema, as backups and moves copy it.
type table struct {
	archive.Table
	key     []string // the columns of the primary key, in their order
	refers  []string // tables that its rows refer to
	indexes []index  // without those that the table's own constraints make
}

type index struct{ name, sql string }

// schema is what the first migrations make of an empty database.
type schema struct {
	version int
	tables  []table // none refers to a later one
}

// schemaAt finds out the schema of a version, the same for every engine, by making it in memory: no list of tables and
// columns is kept by hand. The table of applied migrations is not in it.
func schemaAt(version int, steps []migration) (schema, error) {
	if version < 1 || version > len(steps) {
		return schema{}, fmt.Errorf("there is no schema of version %d", version)
	}
	if known, ok := schemas.Load(version); ok {
		return known.(schema), nil
	}
	db, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite)
	if err != nil {
		return schema{}, err
	}
	c := newSQLiteConn(db)
	defer c.close()
	for _, step := range steps[:version] {
		if err := step.apply(c, func(sql string) string { return sql }, time.Unix(0, 0)); err != nil {
			return schema{}, err
		}
	}
	tables, err := readTables(c)
	if err != nil {
		return schema{}, err
	}
	if tables, err = inOrder(tables); err != nil {
		return schema{}, err
	}
	sc := schema{version: version, tables: tables}
	schemas.Store(version, sc)
	return sc, nil
}

// schemas remembers what schemaAt found, by version: released migrations never change.
var schemas sync.Map

// readTables reads the shape of an SQLite database.
func readTables(c conn) ([]table, error) {
	var tables []table
	err := c.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'schema_version' ORDER BY name`, nil,
		func(r row) error { tables = append(tables, table{Table: archive.Table{Name: r.Text(0)}}); return nil })
	if err != nil {
		return nil, err
	}
	for i := range tables {
		if err := tables[i].read(c); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// kinds by the types that the schema uses.
var kinds = map[string]archive.Kind{"INTEGER": archive.Integer, "BIGINT": archive.Integer, "TEXT": archive.Text, "BYTEA": archive.Bytes}

func (t *table) read(c conn) error {
	key := make(map[int64]string)
	err := c.Query(`SELECT name, type, pk, "notnull" FROM pragma_table_info($1) ORDER BY cid`, []any{t.Name}, func(r row) error {
		kind, known := kinds[strings.ToUpper(r.Text(1))]
		if !known || r.Int(2) == 0 && r.Int(3) == 0 {
			return fmt.Errorf("column %s.%s: columns are INTEGER, BIGINT, TEXT or BYTEA, and NOT NULL: a backup has no other values", t.Name, r.Text(0))
		}
		t.Columns = append(t.Columns, archive.Column{Name: r.Text(0), Kind: kind})
		if r.Int(2) > 0 {
			key[r.Int(2)] = r.Text(0)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range int64(len(key)) {
		t.key = append(t.key, key[i+1])
	}
	if len(t.key) == 0 {
		return fmt.Errorf("table %s has no primary key, and so no order to be copied in", t.Name)
	}
	err = c.Query(`SELECT DISTINCT "table" FROM pragma_foreign_key_list($1) ORDER BY 1`, []any{t.Name},
		func(r row) error { t.refers = append(t.refers, r.Text(0)); return nil })
	if err != nil {
		return err
	}
	return c.Query(`SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL ORDER BY name`, []any{t.Name},
		func(r row) error { t.indexes = append(t.indexes, index{name: r.Text(0), sql: r.Text(1)}); return nil })
}

// inOrder sorts tables so that none refers to a later one, by name otherwise.
func inOrder(tables []table) ([]table, error) {
	var sorted []table
	placed := make(map[string]bool)
	for len(sorted) < len(tables) {
		before := len(sorted)
		for _, t := range tables {
			waits := slices.ContainsFunc(t.refers, func(name string) bool { return name != t.Name && !placed[name] })
			if !placed[t.Name] && !waits {
				sorted = append(sorted, t)
				placed[t.Name] = true
			}
		}
		if len(sorted) == before {
			return nil, fmt.Errorf("the tables refer to each other in a circle, so there is no order to fill them in")
		}
	}
	return sorted, nil
}

// insertion adds rows with all columns.
func (t table) insertion() *insertion {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return newInsertion(t.Name, names...)
}

// columns lists the table's columns for a statement.
func (t table) columns() string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// rows calls add for every row of the table in the order of its primary key.
func (t table) rows(ctx context.Context, c conn, add func(values []any) error) error {
	n := 0
	return c.Query(`SELECT `+t.columns()+` FROM `+t.Name+` ORDER BY `+strings.Join(t.key, ", "), nil, func(r row) error {
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		values := make([]any, len(t.Columns))
		for i, column := range t.Columns {
			switch column.Kind {
			case archive.Integer:
				values[i] = r.Int(i)
			case archive.Text:
				values[i] = archive.Printable(r.Text(i))
			default:
				values[i] = r.Bytes(i)
			}
		}
		return add(values)
	})
}

// sum reads the table and computes what a backup says of it.
func (t table) sum(ctx context.Context, c conn, progress func(rows int)) (archive.Sum, error) {
	adder := archive.NewAdder(t.Table)
	err := t.rows(ctx, c, func(values []any) error {
		progress(1)
		return adder.Add(values)
	})
	return adder.Sum(), err
}

// shapes are the tables as a backup's head describes them.
func (s schema) shapes() []archive.Table {
	list := make([]archive.Table, len(s.tables))
	for i, t := range s.tables {
		list[i] = t.Table
	}
	return list
}
