package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
)

// sqliteFile is the database in the data directory; SQLite keeps its -wal and -shm files beside it.
const sqliteFile = "skjold.db"

const (
	// sqlitePatience is how long a writer waits for another process's transaction.
	sqlitePatience = 30 * time.Second
	// readPatience is how long a reader waits for the rare moments when a WAL database is locked for readers too.
	readPatience = 10 * time.Second
	// walLimit is the size in bytes above which the write-ahead log is emptied into the database and truncated.
	walLimit = 64 << 20
)

// sqliteEngine is SQLite in one file. One connection writes and a few read; each is used by one goroutine at a time. A
// reader whose caller's context ends is interrupted, and is fit for the next caller when it is given back; a write
// transaction that has begun is finished.
type sqliteEngine struct {
	path    string
	writer  chan *sqliteConn // holds the connection when nobody writes
	readers chan *sqliteConn // idle ones; nil for a slot whose connection is not open yet
	closed  chan struct{}
	close   sync.Once
}

// sqliteHasSchema counts the table of applied migrations.
const sqliteHasSchema = `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'`

var sqlitePragmas = []string{
	`PRAGMA foreign_keys = ON`,
	`PRAGMA synchronous = FULL`,
	`PRAGMA temp_store = MEMORY`,
	`PRAGMA secure_delete = ON`, // what is deleted leaves the file
}

// openSQLite opens or creates the database in dir.
func openSQLite(dir string) (*sqliteEngine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(dir, sqliteFile))
	if err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	e := &sqliteEngine{
		path:    path,
		writer:  make(chan *sqliteConn, 1),
		readers: make(chan *sqliteConn, readers),
		closed:  make(chan struct{}),
	}
	w, err := e.connect(true)
	if err != nil {
		return nil, err
	}
	e.writer <- w
	for range readers {
		e.readers <- nil
	}
	return e, nil
}

// createPrivate makes the file so that only its owner can read it; SQLite gives its companions the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return f.Close()
}

func (e *sqliteEngine) connect(write bool) (*sqliteConn, error) {
	db, err := sqlite.OpenConn(e.path, sqlite.OpenReadWrite, sqlite.OpenPrivateCache)
	if err != nil {
		return nil, sqliteError(err)
	}
	c := newSQLiteConn(db)
	db.SetBusyTimeout(readPatience)
	pragmas := sqlitePragmas
	if write {
		pragmas = append([]string{`PRAGMA page_size = 8192`, `PRAGMA journal_mode = WAL`}, pragmas...)
		pragmas = append(pragmas, `PRAGMA cache_size = -65536`, `PRAGMA wal_autocheckpoint = 4000`)
	} else {
		c.interruptible()
		pragmas = append(pragmas[:len(pragmas):len(pragmas)], `PRAGMA cache_size = -8192`, `PRAGMA query_only = ON`)
	}
	for _, pragma := range pragmas {
		if err := c.pragma(pragma); err != nil {
			_ = c.close()
			return nil, err
		}
	}
	return c, nil
}

// Read implements engine: a deferred transaction is one snapshot from its first statement on.
func (e *sqliteEngine) Read(ctx context.Context, fn func(conn) error) error {
	c, err := e.reader(ctx)
	if err != nil {
		return err
	}
	defer func() { e.readers <- c }()
	if _, err := c.Exec(`BEGIN`); err != nil {
		return err
	}
	defer func() {
		if c.db.AutocommitEnabled() { // SQLite leaves the transaction by itself after some errors
			return
		}
		if _, err := c.Exec(`ROLLBACK`); err != nil {
			_ = c.close() // a connection that can't leave its transaction is replaced
			c = nil
		}
	}()
	return c.readFor(ctx, fn)
}

// readFor runs fn in the transaction that has begun, until ctx ends.
func (c *sqliteConn) readFor(ctx context.Context, fn func(conn) error) error {
	defer c.watch(ctx)()
	err := fn(c)
	if errors.Is(err, errInterrupted) {
		return unavailable("reading was given up", context.Cause(ctx))
	}
	return err
}

// Snapshot implements engine, on a connection of its own that sorts in temporary files.
func (e *sqliteEngine) Snapshot(ctx context.Context, fn func(conn) error) (err error) {
	select {
	case <-e.closed:
		return ErrClosed
	default:
	}
	c, err := e.connect(false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.pragma(`PRAGMA temp_store = FILE`); err != nil {
		return err
	}
	if _, err := c.Exec(`BEGIN`); err != nil {
		return err
	}
	return c.readFor(ctx, fn)
}

// Integrity implements engine.
func (e *sqliteEngine) Integrity(c conn, found func(problem string)) error {
	err := c.Query(`PRAGMA integrity_check(100)`, nil, func(r row) error {
		if r.Text(0) != "ok" {
			found(r.Text(0))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.Query(`SELECT "table", "parent" FROM pragma_foreign_key_check`, nil, func(r row) error {
		found("a row of " + r.Text(0) + " refers to a row of " + r.Text(1) + " that is not there")
		return nil
	})
}

// Names implements engine.
func (e *sqliteEngine) Names(c conn) ([]string, error) {
	return list(c, `SELECT name FROM sqlite_master`)
}

func (e *sqliteEngine) reader(ctx context.Context) (*sqliteConn, error) {
	select {
	case <-e.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, unavailable("waiting for a database connection", ctx.Err())
	default:
	}
	select {
	case c := <-e.readers:
		if c != nil {
			return c, nil
		}
		c, err := e.connect(false)
		if err != nil {
			e.readers <- nil
			return nil, err
		}
		return c, nil
	case <-ctx.Done():
		return nil, unavailable("waiting for a database connection", ctx.Err())
	case <-e.closed:
		return nil, ErrClosed
	}
}

// Write implements engine.
func (e *sqliteEngine) Write(ctx context.Context, fn func(conn) error) error {
	c, err := e.takeWriter(ctx)
	if err != nil {
		return err
	}
	defer func() { e.writer <- c }()
	if err := c.beginImmediate(ctx); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			c.rollback()
		}
	}()
	if err := fn(c); err != nil {
		return err
	}
	if _, err := c.Exec(`COMMIT`); err != nil {
		return err
	}
	done = true
	return nil
}

// Aside implements engine: there is one writer.
func (e *sqliteEngine) Aside(ctx context.Context, fn func(conn) error) error { return e.Write(ctx, fn) }

// Clock implements engine: the database is on this machine.
func (e *sqliteEngine) Clock(conn) (int64, error) { return time.Now().UnixMicro(), nil }

// Alter implements engine.
func (e *sqliteEngine) Alter(ctx context.Context, fn func(conn) error) error { return e.Write(ctx, fn) }

func (e *sqliteEngine) takeWriter(ctx context.Context) (*sqliteConn, error) {
	select {
	case c := <-e.writer:
		return c, nil
	case <-ctx.Done():
		return nil, unavailable("waiting for the writer", ctx.Err())
	case <-e.closed:
		return nil, ErrClosed
	}
}

// Maintain implements engine: it empties a write-ahead log that readers kept from being reused.
func (e *sqliteEngine) Maintain(ctx context.Context) error {
	size, err := e.walSize()
	if err != nil || size < walLimit {
		return err
	}
	return e.truncate(ctx)
}

func (e *sqliteEngine) walSize() (int64, error) {
	info, err := os.Stat(e.path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// truncate moves the write-ahead log into the database, if the readers let it, and cuts it to nothing.
func (e *sqliteEngine) truncate(ctx context.Context) error {
	c, err := e.takeWriter(ctx)
	if err != nil {
		return err
	}
	defer func() { e.writer <- c }()
	c.db.SetBusyTimeout(time.Second)
	return c.pragma(`PRAGMA wal_checkpoint(TRUNCATE)`)
}

// Close implements engine. It waits for transactions that have begun.
func (e *sqliteEngine) Close() (err error) {
	e.close.Do(func() {
		close(e.closed)
		for range cap(e.readers) {
			if c := <-e.readers; c != nil {
				err = errors.Join(err, c.close())
			}
		}
		err = errors.Join(err, (<-e.writer).close())
	})
	return err
}

// Settle moves everything of the embedded database in dir into its one file, which can then be replaced or copied. It
// fails where another process has the database open, and where the file is damaged (ErrDamaged).
func Settle(dir string) error {
	e, err := openSQLite(dir)
	if err != nil {
		return err
	}
	// Closing the last connection empties the log and removes it.
	if err := errors.Join(e.truncate(context.Background()), e.Close()); err != nil {
		return err
	}
	if size, err := e.walSize(); err != nil || size > 0 {
		return errors.Join(err, fmt.Errorf("another process has the database %s open; stop it first", e.path))
	}
	return nil
}
