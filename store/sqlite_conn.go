package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// maxStatements bounds the prepared statements that a connection keeps: page queries name facets by number, so their
// texts are not a fixed set.
const maxStatements = 256

// sqliteConn is a connection with its prepared statements.
type sqliteConn struct {
	db         *sqlite.Conn
	statements map[string]*sqliteStatement
	// interrupt, closed, ends the statement that runs; nil for the writer, whose statements are finished.
	interrupt chan struct{}
}

type sqliteStatement struct {
	*sqlite.Stmt
	params []int // params[i] is SQLite's index of argument $i+1
	busy   bool
}

func newSQLiteConn(db *sqlite.Conn) *sqliteConn {
	return &sqliteConn{db: db, statements: make(map[string]*sqliteStatement)}
}

// interruptible makes the connection one whose statements can be interrupted: now, or again after an interruption.
func (c *sqliteConn) interruptible() {
	c.interrupt = make(chan struct{})
	c.db.SetInterrupt(c.interrupt)
}

// watch interrupts the connection's statements when ctx ends, until the function that it returns is called. After that the
// connection is as it was, whatever happened in between: an interruption that is under way is waited for. The channel
// outlives the reads that are not interrupted, as setting it costs a goroutine.
func (c *sqliteConn) watch(ctx context.Context) (release func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	interrupt := c.interrupt
	stop := context.AfterFunc(ctx, func() { close(interrupt) })
	return func() {
		if !stop() {
			<-interrupt
			c.interruptible()
		}
	}
}

// close finalises the statements too: SQLite does not close a connection that has any.
func (c *sqliteConn) close() error {
	for _, s := range c.statements {
		_ = s.Finalize()
	}
	c.statements = nil
	return c.db.Close()
}

// pragma runs a statement outside of the cache, whatever rows it returns.
func (c *sqliteConn) pragma(sql string) error {
	return sqliteError(sqlitex.ExecuteTransient(c.db, sql, nil))
}

// beginImmediate starts a write transaction, waiting for other processes until ctx ends or patience does.
func (c *sqliteConn) beginImmediate(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, sqlitePatience)
	defer cancel()
	c.db.SetBlockOnBusy()
	c.db.SetInterrupt(wait.Done())
	_, err := c.Exec(`BEGIN IMMEDIATE`)
	c.db.SetInterrupt(nil)
	if err == nil {
		return nil
	}
	if !c.db.AutocommitEnabled() { // interrupted after the lock was had
		c.rollback()
	}
	if wait.Err() != nil {
		return unavailable("another process is writing to the database", wait.Err())
	}
	return err
}

func (c *sqliteConn) rollback() {
	if !c.db.AutocommitEnabled() { // SQLite rolls back by itself after some errors
		_ = c.pragma(`ROLLBACK`)
	}
}

// prepare returns the cached statement of a text, ready to bind.
func (c *sqliteConn) prepare(sql string) (*sqliteStatement, error) {
	if s := c.statements[sql]; s != nil {
		if s.busy {
			return nil, fmt.Errorf("statement is running already: %s", sql)
		}
		return s, nil
	}
	if len(c.statements) >= maxStatements {
		for text, s := range c.statements {
			if !s.busy {
				_ = s.Finalize()
				delete(c.statements, text)
			}
		}
	}
	stmt, rest, err := c.db.PrepareTransient(sql)
	if err != nil {
		return nil, sqliteError(err)
	}
	if rest != 0 {
		_ = stmt.Finalize()
		return nil, fmt.Errorf("more than one statement: %s", sql)
	}
	s := &sqliteStatement{Stmt: stmt, params: make([]int, stmt.BindParamCount())}
	for i := range s.params {
		// SQLite numbers $n in the order of appearance and knows "$2" as a name.
		n, err := strconv.Atoi(strings.TrimPrefix(stmt.BindParamName(i+1), "$"))
		if err != nil || n < 1 || n > len(s.params) {
			_ = stmt.Finalize()
			return nil, fmt.Errorf("arguments are not $1 to $%d: %s", len(s.params), sql)
		}
		s.params[n-1] = i + 1
	}
	c.statements[sql] = s
	return s, nil
}

func (s *sqliteStatement) bind(args []any) error {
	if len(args) != len(s.params) {
		return fmt.Errorf("statement has %d arguments, not %d", len(s.params), len(args))
	}
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			s.BindText(s.params[i], v)
		case []byte:
			s.BindBytes(s.params[i], v)
		case int64:
			s.BindInt64(s.params[i], v)
		case int:
			s.BindInt64(s.params[i], int64(v))
		case bool:
			s.BindBool(s.params[i], v)
		default:
			return fmt.Errorf("argument $%d has type %T", i+1, arg)
		}
	}
	return nil
}

func (s *sqliteStatement) run(each func(row) error) error {
	s.busy = true
	defer func() {
		s.busy = false
		_ = s.Reset() // its error is that of the step, again
	}()
	for {
		more, err := s.Step()
		if err != nil {
			return sqliteError(err)
		}
		if !more {
			return nil
		}
		if each == nil {
			continue
		}
		if err := each(s); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Int implements row.
func (s *sqliteStatement) Int(column int) int64 { return s.ColumnInt64(column) }

// Text implements row.
func (s *sqliteStatement) Text(column int) string { return s.ColumnText(column) }

// Bytes implements row.
func (s *sqliteStatement) Bytes(column int) []byte {
	b := make([]byte, s.ColumnLen(column))
	s.ColumnBytes(column, b)
	return b
}

// Exec implements conn.
func (c *sqliteConn) Exec(sql string, args ...any) (int64, error) {
	if err := c.Query(sql, args, nil); err != nil {
		return 0, err
	}
	return int64(c.db.Changes()), nil
}

// ExecMany implements conn.
func (c *sqliteConn) ExecMany(sql string, rows [][]any) error {
	for _, args := range rows {
		if err := c.Query(sql, args, nil); err != nil {
			return err
		}
	}
	return nil
}

// Insert implements conn, a row at a time: a statement of several rows that has to be undone whole keeps a copy of every
// page that it changes, which costs more than it saves.
func (c *sqliteConn) Insert(into *insertion, rows [][]any) error { return c.ExecMany(into.text, rows) }

// Query implements conn.
func (c *sqliteConn) Query(sql string, args []any, each func(row) error) error {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	if err := s.bind(args); err != nil {
		return err
	}
	return s.run(each)
}

// Script implements conn.
func (c *sqliteConn) Script(sql string) error {
	return sqliteError(sqlitex.ExecuteScript(c.db, sql, nil))
}

// sqliteError puts SQLite's result codes into the words of the contracts.
func sqliteError(err error) error {
	if err == nil {
		return nil
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultInterrupt:
		return fmt.Errorf("%w: %w", errInterrupted, err)
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return unavailable("the database is locked by another process", err)
	case sqlite.ResultFull:
		return unwritable("the disk is full", err)
	case sqlite.ResultReadOnly:
		return unwritable("the database file is read-only", err)
	case sqlite.ResultIOErr, sqlite.ResultCantOpen, sqlite.ResultNoMem, sqlite.ResultPerm, sqlite.ResultAuth:
		return unavailable("the database file can't be used", err)
	case sqlite.ResultNotADB:
		return fmt.Errorf("%w: %s is not a database: %w", ErrDamaged, sqliteFile, err)
	case sqlite.ResultCorrupt:
		return fmt.Errorf("%w: %s is damaged; restore the data directory from a backup: %w", ErrDamaged, sqliteFile, err)
	}
	return err
}
