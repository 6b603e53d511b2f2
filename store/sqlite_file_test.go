package store

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

var update = flag.Bool("update", false, "write the golden files anew")

func openDir(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// oneObject is a submission of a new object.
func oneObject(t *testing.T, collection string) taxii.Submission {
	t.Helper()
	o, err := stix.Parse([]byte(`{"type":"indicator","spec_version":"2.1","id":"`+string(stix.NewIdentifier("indicator"))+
		`","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"`+strings.Repeat("x", 2000)+`"}`), stix.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return taxii.Submission{Collection: collection, Received: time.Now(), Items: []taxii.Item{{Object: o}}}
}

func addCollection(t *testing.T, s *Store) taxii.Collection {
	t.Helper()
	c, err := s.AddCollection(t.Context(), NewCollection{Title: "Test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSchemaGolden(t *testing.T) {
	s := openDir(t, t.TempDir())
	var got bytes.Buffer
	err := s.engine.Read(t.Context(), func(c conn) error {
		return c.Query(`SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY CASE type WHEN 'table' THEN 0 ELSE 1 END, name`, nil,
			func(r row) error { got.WriteString(r.Text(0) + ";\n\n"); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/schema.sql"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the schema differs from %s; a released migration is never changed, a new one is recorded with -update (-want +got):\n%s", file, diff)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := openDir(t, dir)
	addCollection(t, s)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v, want 0700", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v: want the database, its log and its index", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want 0600", f.Name(), info.Mode(), err)
		}
	}
}

// withRaw runs SQL on the database file behind the store's back.
func withRaw(t *testing.T, dir string, fn func(db *sqlite.Conn)) {
	t.Helper()
	db, err := sqlite.OpenConn(filepath.Join(dir, sqliteFile), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fn(db)
}

func TestNewerVersion(t *testing.T) {
	dir := t.TempDir()
	if err := openDirNow(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	withRaw(t, dir, func(db *sqlite.Conn) {
		if err := sqlitex.ExecuteTransient(db, `INSERT INTO schema_version (number, applied) VALUES (999, 0)`, nil); err != nil {
			t.Fatal(err)
		}
	})
	_, err := Open(t.Context(), Options{Dir: dir})
	if !errors.Is(err, ErrNewerVersion) || !strings.Contains(err.Error(), "newer skjold") {
		t.Errorf("Open: %v, want ErrNewerVersion", err)
	}
}

func openDirNow(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func TestNotADatabase(t *testing.T) {
	for name, content := range map[string][]byte{
		"text":                           []byte(strings.Repeat("this is no database. ", 1000)),
		"short text":                     []byte("hello"),
		"a database header and no pages": append([]byte("SQLite format 3\x00"), bytes.Repeat([]byte{0xff}, 4096)...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, sqliteFile)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), Options{Dir: dir})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("Open: %v, want ErrDamaged", err)
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
				t.Errorf("the file was changed")
			}
		})
	}
}

func TestDamagedPages(t *testing.T) {
	dir := t.TempDir()
	s := openDirNow(t, dir)
	c := addCollection(t, s)
	for range 50 {
		if _, err := s.Add(t.Context(), oneObject(t, c.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, sqliteFile)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) / 2; i < len(content); i++ {
		content[i] = 0x55
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), Options{Dir: dir})
	if err == nil {
		_, err = s.Verify(t.Context())
		defer s.Close()
	}
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("reading a damaged file: %v, want ErrDamaged", err)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	c := addCollection(t, s)
	withRaw(t, dir, func(db *sqlite.Conn) {
		if err := sqlitex.ExecuteTransient(db, `BEGIN IMMEDIATE`, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := s.Add(ctx, oneObject(t, c.ID)); !errors.Is(err, taxii.ErrUnavailable) {
			t.Errorf("Add while another process writes: %v, want ErrUnavailable", err)
		}
		if _, err := s.Collections(t.Context()); err != nil {
			t.Errorf("a reader waits for the writer: %v", err)
		}
		if err := sqlitex.ExecuteTransient(db, `ROLLBACK`, nil); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := s.Add(t.Context(), oneObject(t, c.ID)); err != nil {
		t.Errorf("Add after the other process: %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	s := openDir(t, t.TempDir())
	c := addCollection(t, s)
	e := s.engine.(*sqliteEngine)
	limit := func(pragma string) {
		w := <-e.writer
		defer func() { e.writer <- w }()
		if err := w.pragma(pragma); err != nil {
			t.Fatal(err)
		}
	}
	limit(`PRAGMA max_page_count = 1`) // as few as it has now
	stored := 0
	var err error
	for range 1000 {
		if _, err = s.Add(t.Context(), oneObject(t, c.ID)); err != nil {
			break
		}
		stored++
	}
	if !errors.Is(err, taxii.ErrUnavailable) || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("Add on a full disk: %v, want ErrUnavailable", err)
	}
	limit(`PRAGMA max_page_count = 1000000`)
	if _, err := s.Add(t.Context(), oneObject(t, c.ID)); err != nil {
		t.Fatalf("Add after there is room again: %v", err)
	}
	if now, err := s.Collection(t.Context(), c.ID); err != nil || now.Objects != int64(stored)+1 {
		t.Errorf("%d objects, %v, want %d", now.Objects, err, stored+1)
	}
	if findings, err := s.Verify(t.Context()); err != nil || len(findings) > 0 {
		t.Errorf("Verify: %v, %v", err, findings)
	}
}

func TestClosed(t *testing.T) {
	s := openDirNow(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Ping: %v, want ErrClosed", err)
	}
	if err := s.SetMeta(t.Context(), "a", "b"); !errors.Is(err, ErrClosed) {
		t.Errorf("SetMeta: %v, want ErrClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close twice: %v", err)
	}
}

// TestVerifyFinds breaks the store behind its back in every way that Verify knows.
func TestVerifyFinds(t *testing.T) {
	sequential(t)
	damages := []string{
		`UPDATE collection SET last_added = created`,
		`UPDATE entry SET seq = 1000 WHERE seq = 1`,
		`UPDATE entry SET is_last = 0`,
		`UPDATE entry SET is_first = 0`,
		`UPDATE collection SET objects = objects + 1`,
		`UPDATE facet SET entries = entries - 1`,
		`UPDATE facet SET last_added = 0`,
		`UPDATE facet SET type = 'tool'`,
		`UPDATE entry SET is_last = 2`,
		`UPDATE entry SET is_first = 2`,
		`UPDATE facet SET unknown = 1`,
		`UPDATE entry SET revoked = 1`,
		`UPDATE entry SET violations = '[]'`,
		`INSERT INTO tombstone (collection, object, version_key, norm, deleted) SELECT collection, object, version_key, norm, 1 FROM entry`,
		`INSERT INTO account (number, kind, name, created, last_seen, last_pull, objects_served, user_agent, last_error) VALUES (9, 'client', 'x', 0, 0, 0, 0, '', '')`,
		`INSERT INTO subscription (id, peer, source, collection, added_after, next, created, last_attempt, last_success, error, failures, received, quarantined) VALUES (9, 'x', 'y', 1, '', '', 0, 0, 0, '', 0, 0, 0)`,
	}
	for _, damage := range damages {
		t.Run(damage, func(t *testing.T) {
			dir := t.TempDir()
			s := openDir(t, dir)
			c := addCollection(t, s)
			for range 2 {
				if _, err := s.Add(t.Context(), oneObject(t, c.ID)); err != nil {
					t.Fatal(err)
				}
			}
			if findings, err := s.Verify(t.Context()); err != nil || len(findings) > 0 {
				t.Fatalf("Verify of a sound store: %v, %v", err, findings)
			}
			withRaw(t, dir, func(db *sqlite.Conn) {
				if err := sqlitex.ExecuteTransient(db, damage, nil); err != nil {
					t.Fatal(err)
				}
			})
			if findings, err := s.Verify(t.Context()); err != nil || len(findings) == 0 {
				t.Errorf("Verify found nothing: %v", err)
			}
		})
	}
}
