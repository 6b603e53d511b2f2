package store

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/store/archive"
)

// TestRestoreOldSchema restores a backup of schema version 2: it is brought up to date as a database of that version is.
func TestRestoreOldSchema(t *testing.T) {
	dir := t.TempDir()
	old, err := openSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	sc, err := schemaAt(2, steps)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	err = old.Write(t.Context(), func(c conn) error {
		same := func(sql string) string { return sql }
		err := errors.Join(steps[0].apply(c, same, time.Unix(1, 0)), steps[1].apply(c, same, time.Unix(1, 0)), c.Script(dividedRelease))
		if err != nil {
			return err
		}
		w, err := archive.NewWriter(&file, archive.Head{Created: "2026-01-01T00:00:00Z", Schema: 2, Tables: sc.shapes()})
		if err != nil {
			return err
		}
		for _, table := range sc.tables {
			err := w.Table(table.Table, func(add func([]any) error) error { return table.rows(t.Context(), c, add) })
			if err != nil {
				return err
			}
		}
		_, err = w.Close()
		return err
	})
	if err := errors.Join(err, old.Close()); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]func(t *testing.T) Options{
		"SQLite":     func(t *testing.T) Options { return Options{Dir: t.TempDir()} },
		"PostgreSQL": func(t *testing.T) Options { return Options{URL: newInnerSchema(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			o := target(t)
			if _, err := Restore(t.Context(), bytes.NewReader(file.Bytes()), RestoreOptions{Dir: o.Dir, URL: o.URL}); err != nil {
				t.Fatal(err)
			}
			if version, pending, err := Pending(t.Context(), o); version != len(steps) || len(pending) > 0 || err != nil {
				t.Errorf("schema version %d, pending %v, %v", version, pending, err)
			}
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if broken, err := brokenInvariants(t, s); err != nil || len(broken) > 0 {
				t.Errorf("%v, %v", broken, err)
			}
			if c, err := s.Collection(t.Context(), "a"); err != nil || c.Objects != 5 || c.Epoch == "e" {
				t.Errorf("the collection is %+v, %v", c, err)
			}
		})
	}
}
