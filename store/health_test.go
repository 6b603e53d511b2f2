package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skjold-exchange/skjold/taxii"
)

// TestDiskFullHealth holds that a store whose disk is full goes on being read, says that it can't be written, and notices when it
// can be again. SQLite's own limit on the file stands for the disk.
func TestDiskFullHealth(t *testing.T) {
	s := openDir(t, t.TempDir())
	c := addCollection(t, s)
	if _, err := s.Add(t.Context(), oneObject(t, c.ID)); err != nil {
		t.Fatal(err)
	}
	limit := func(pragma string) {
		t.Helper()
		e := s.engine.(*sqliteEngine)
		w := <-e.writer
		defer func() { e.writer <- w }()
		if err := w.pragma(pragma); err != nil {
			t.Fatal(err)
		}
	}
	limit(`PRAGMA max_page_count = 1`) // what it has stays
	var full error
	for range 1000 {
		if _, full = s.Add(t.Context(), oneObject(t, c.ID)); full != nil {
			break
		}
	}
	if !errors.Is(full, taxii.ErrUnavailable) {
		t.Fatalf("adding to a full disk: %v, want ErrUnavailable", full)
	}
	if got := s.Health(t.Context()); !got.WritesFail || got.Err != nil || got.Damaged {
		t.Errorf("health %+v, want reading and no writing", got)
	}
	if page, err := s.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 1}); err != nil || len(page.Entries) != 1 {
		t.Errorf("reading: %v, %v", page.Entries, err)
	}
	limit(`PRAGMA max_page_count = 4294967294`)
	if err := s.probeWrites(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.Health(t.Context()); got.WritesFail {
		t.Errorf("health %+v, when writing works again", got)
	}
}

// TestDamage damages the pages of a database. Whoever meets it makes the store say so, until an examination of the whole
// passes.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := addCollection(t, s)
	for range 200 {
		if _, err := s.Add(t.Context(), oneObject(t, c.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, sqliteFile)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 8192
	damaged := bytes.Clone(sound)
	for at := len(sound) / page / 2 * page; at+page <= len(sound); at += page { // the entries are at the end
		copy(damaged[at:], bytes.Repeat([]byte{0xff}, page))
	}
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = openDir(t, dir)
	write(damaged)
	q := taxii.Query{Collection: c.ID, Limit: 1000, Version: taxii.VersionMatch{All: true}, Bytes: true}
	if _, err := s.Entries(t.Context(), q); !errors.Is(err, ErrDamaged) {
		t.Fatalf("reading damaged pages: %v, want ErrDamaged", err)
	}
	if got := s.Health(t.Context()); !got.Damaged || got.Err != nil || got.WritesFail {
		t.Errorf("health %+v, want damage", got)
	}
	if err := s.examineDamage(t.Context()); !errors.Is(err, ErrDamaged) {
		t.Errorf("examining damaged pages: %v, want ErrDamaged", err)
	}
	if !s.Health(t.Context()).Damaged {
		t.Error("an examination that found damage has made it good")
	}
	write(sound)
	if err := s.probeWrites(t.Context()); err != nil { // the connections forget the pages that they have read
		t.Fatal(err)
	}
	if err := s.examineDamage(t.Context()); err != nil {
		t.Errorf("examining what is sound again: %v", err)
	}
	if got := s.Health(t.Context()); got != (Health{}) {
		t.Errorf("health %+v, want none but good", got)
	}
}

// pingedEngine counts reads, and can be out of reach.
type pingedEngine struct {
	engine
	reads int
	gone  error
}

func (e *pingedEngine) Read(ctx context.Context, fn func(conn) error) error {
	e.reads++
	if _, ok := ctx.Deadline(); !ok {
		return errors.New("the question has no end")
	}
	if e.gone != nil {
		return e.gone
	}
	return e.engine.Read(ctx, fn)
}

// TestHealthIsCheap holds that the database is asked once a second however often the store is, and that a caller who has
// gone changes no answer.
func TestHealthIsCheap(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := clockedStore(t, t.TempDir(), &now)
	e := &pingedEngine{engine: s.engine}
	s.engine = e
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if h := s.Health(gone); h.Err != nil {
			t.Fatal(h.Err)
		}
	}
	e.gone = unavailable("the database does not answer", errors.New("test"))
	if h := s.Health(t.Context()); h.Err != nil || e.reads != 1 {
		t.Errorf("%v after %d questions to the database, want one", h.Err, e.reads)
	}
	now = now.Add(pingEvery)
	for range 100 {
		if h := s.Health(t.Context()); !errors.Is(h.Err, taxii.ErrUnavailable) {
			t.Errorf("a database out of reach: %v", h.Err)
		}
	}
	if e.reads != 2 {
		t.Errorf("%d questions to the database in two seconds", e.reads)
	}
}

func TestPostgreSQLHealth(t *testing.T) {
	for code, want := range map[string]error{
		"53100": errNotWritable, "25006": errNotWritable, "XX001": ErrDamaged, "XX002": ErrDamaged, "57P01": taxii.ErrUnavailable, "08006": taxii.ErrUnavailable,
	} {
		err := postgresError(&pgconn.PgError{Code: code})
		if !errors.Is(err, want) || errors.Is(err, errNotWritable) != (want == errNotWritable) || errors.Is(err, ErrDamaged) != (want == ErrDamaged) {
			t.Errorf("%s is %v, want %v", code, err, want)
		}
		if want == errNotWritable && !errors.Is(err, taxii.ErrUnavailable) {
			t.Errorf("%s is %v, which a caller does not know", code, err)
		}
	}
}
