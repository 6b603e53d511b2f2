package store

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/skjold-exchange/skjold/store/archive"
)

// shape is what both engines must have of a table.
type shape struct {
	Columns []archive.Column
	Key     []string
	Refers  []string
	Indexes map[string]bool // by name, whether it is unique
}

// TestSameSchema compares the tables, columns, keys, references and indexes that PostgreSQL has with those of SQLite, whose
// dump is in testdata. The texts of the indexes are the same for both engines.
func TestSameSchema(t *testing.T) {
	e, err := openEngine(t.Context(), Options{URL: newInnerSchema(t)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	want := make(map[string]shape)
	for _, table := range schemaNow(t).tables {
		s := shape{Columns: table.Columns, Key: table.key, Refers: table.refers, Indexes: make(map[string]bool)}
		for _, x := range table.indexes {
			s.Indexes[x.name] = strings.HasPrefix(x.sql, "CREATE UNIQUE")
		}
		want[table.Name] = s
	}
	got, err := postgresShapes(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the schemas differ (-SQLite +PostgreSQL):\n%s", diff)
	}
}

// newInnerSchema is newSchema for the tests of this package: a URL of a PostgreSQL schema for the test alone.
func newInnerSchema(t *testing.T) string {
	t.Helper()
	base := os.Getenv("SKJOLD_TEST_POSTGRES_URL")
	if base == "" {
		if strings.Contains(os.Getenv("SKJOLD_TEST_REQUIRE"), "postgres") {
			t.Fatal("SKJOLD_TEST_REQUIRE names postgres, but SKJOLD_TEST_POSTGRES_URL is not set")
		}
		t.Skip("SKJOLD_TEST_POSTGRES_URL is not set")
	}
	name := "skjold_test_" + uuid.NewString()[:8]
	run := func(sql string) {
		t.Helper()
		ctx := context.WithoutCancel(t.Context())
		c, err := pgx.Connect(ctx, base)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(ctx)
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Error(err)
		}
	}
	run(`CREATE SCHEMA ` + name)
	t.Cleanup(func() { run(`DROP SCHEMA ` + name + ` CASCADE`) })
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// postgresShapes reads the shapes of the current schema. A column that is not as the schema's text has it gets a kind that
// says so.
func postgresShapes(ctx context.Context, e engine) (map[string]shape, error) {
	kinds := map[string]archive.Kind{"bigint": archive.Integer, "integer": archive.Integer, "text": archive.Text, "bytea": archive.Bytes}
	shapes := make(map[string]shape)
	change := func(name string, f func(*shape)) {
		s, ok := shapes[name]
		if !ok {
			s.Indexes = make(map[string]bool)
		}
		f(&s)
		shapes[name] = s
	}
	columns := func(r row) error {
		kind := kinds[r.Text(2)]
		if kind == "" || r.Text(4) != "NO" || kind == archive.Text && r.Text(3) != "C" {
			kind = archive.Kind(strings.Join([]string{r.Text(2), "collation", r.Text(3), "nullable", r.Text(4)}, " "))
		}
		change(r.Text(0), func(s *shape) { s.Columns = append(s.Columns, archive.Column{Name: r.Text(1), Kind: kind}) })
		return nil
	}
	return shapes, e.Read(ctx, func(c conn) error {
		for _, q := range []struct {
			sql  string
			each func(row) error
		}{
			{`SELECT table_name::text, column_name::text, data_type::text, COALESCE(collation_name::text, ''), is_nullable::text
				FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'schema_version'
				ORDER BY table_name::text, ordinal_position`, columns},
			{`SELECT k.table_name::text, k.column_name::text FROM information_schema.key_column_usage k
				JOIN information_schema.table_constraints x ON x.constraint_schema = k.constraint_schema
					AND x.constraint_name = k.constraint_name AND x.table_name = k.table_name
				WHERE k.table_schema = current_schema() AND x.constraint_type = 'PRIMARY KEY' AND k.table_name <> 'schema_version'
				ORDER BY k.table_name::text, k.ordinal_position`, func(r row) error {
				change(r.Text(0), func(s *shape) { s.Key = append(s.Key, r.Text(1)) })
				return nil
			}},
			{`SELECT DISTINCT conrelid::regclass::text COLLATE "C", confrelid::regclass::text COLLATE "C" FROM pg_constraint
				WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1, 2`, func(r row) error {
				change(r.Text(0), func(s *shape) { s.Refers = append(s.Refers, r.Text(1)) })
				return nil
			}},
			{`SELECT i.tablename::text, i.indexname::text, CASE WHEN i.indexdef LIKE 'CREATE UNIQUE%' THEN 1 ELSE 0 END FROM pg_indexes i
				WHERE i.schemaname = current_schema() AND i.tablename <> 'schema_version' AND NOT EXISTS (SELECT 1 FROM pg_constraint x
					WHERE x.connamespace = current_schema()::regnamespace AND x.conname = i.indexname)`, func(r row) error {
				change(r.Text(0), func(s *shape) { s.Indexes[r.Text(1)] = r.Int(2) != 0 })
				return nil
			}},
		} {
			if err := c.Query(q.sql, nil, q.each); err != nil {
				return err
			}
		}
		return nil
	})
}
