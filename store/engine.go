package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// engine is a database that runs the package's SQL.
type engine interface {
	// Read runs fn on one snapshot: every statement of fn sees the same committed state. ctx bounds the wait for a
	// connection, and a statement that runs when it ends is given up: nobody waits for the answer any more.
	Read(ctx context.Context, fn func(conn) error) error
	// Snapshot is Read for work that takes as long as the database is large: its statements may be long, what they sort
	// does not have to fit into memory, and it takes no connection from the readers.
	Snapshot(ctx context.Context, fn func(conn) error) error
	// Write runs fn in a transaction that excludes every other writer, in this process and in others, and is durable
	// when Write returns nil. ctx bounds the wait for the turn; once fn has begun, it is run to its end.
	Write(ctx context.Context, fn func(conn) error) error
	// Aside runs fn in a transaction that is durable when Aside returns nil, like Write, but does not wait for other writers
	// where the database can keep rows apart by itself, nor do they wait for it. It is for what has no place in the order
	// of the log; fn's statements must be right whatever other transactions do meanwhile. ctx bounds it.
	Aside(ctx context.Context, fn func(conn) error) error
	// Clock is the time in microseconds since 1970 by which processes on several machines can agree, that of the database.
	Clock(c conn) (int64, error)
	// Alter is Write for changes of the schema, which take as long as the database is large.
	Alter(ctx context.Context, fn func(conn) error) error
	// Integrity looks for damage of the database itself, below what the package's own rules say. It reads all of it.
	Integrity(c conn, found func(problem string)) error
	// Names are those of all tables and indexes.
	Names(c conn) ([]string, error)
	// Optimize does what helps after much was deleted; see Store.Optimize.
	Optimize(ctx context.Context, rewrite bool) (Space, error)
	// Maintain does what the engine needs now and then; it is called every minute.
	Maintain(ctx context.Context) error
	Close() error
}

// conn is a connection inside a transaction. Statements use $1, $2, … for arguments, which are string, []byte, int,
// int64 or bool (stored as 0 or 1). Query may not be nested with the same statement.
type conn interface {
	// Exec runs a statement and returns the number of rows changed.
	Exec(sql string, args ...any) (int64, error)
	// ExecMany runs one statement once for each row of arguments.
	ExecMany(sql string, rows [][]any) error
	// Insert adds rows to a table; the values of a row are in the order of the insertion's columns. It is the fastest way
	// that the engine has for many rows.
	Insert(into *insertion, rows [][]any) error
	// Query calls each for every row of the result, until it returns an error; errStop ends the query without one.
	Query(sql string, args []any, each func(row) error) error
	// Script runs several statements without arguments, as migrations do.
	Script(sql string) error
}

// row is the current row of a query; columns count from 0. What Text and Bytes return belongs to the caller.
type row interface {
	Int(column int) int64
	Text(column int) string
	Bytes(column int) []byte
}

// one runs a query for at most one row and tells whether there was one.
func one(c conn, sql string, args []any, each func(row) error) (bool, error) {
	found := false
	err := c.Query(sql, args, func(r row) error {
		found = true
		if err := each(r); err != nil {
			return err
		}
		return errStop
	})
	return found, err
}

// number runs a query for one integer; 0 if there is no row.
func number(c conn, sql string, args ...any) (int64, error) {
	var n int64
	_, err := one(c, sql, args, func(r row) error { n = r.Int(0); return nil })
	return n, err
}

// list runs a query for texts.
func list(c conn, sql string, args ...any) ([]string, error) {
	var texts []string
	err := c.Query(sql, args, func(r row) error { texts = append(texts, r.Text(0)); return nil })
	return texts, err
}

// take reserves n consecutive numbers of a named counter and returns the first. Numbers are never given twice, not even
// after deletes.
func take(c conn, counter string, n int) (int64, error) {
	// Nobody else writes meanwhile. SQLite answers RETURNING from a table that it makes for it, which takes longer than asking.
	last, err := number(c, `SELECT value FROM counter WHERE name = $1`, counter)
	if err != nil {
		return 0, err
	}
	changed, err := c.Exec(`UPDATE counter SET value = $2 WHERE name = $1`, counter, last+int64(n))
	if err == nil && changed == 0 {
		err = fmt.Errorf("the counter %q is missing from the database", counter)
	}
	return last + 1, err
}

// chunkSizes are the lengths that lists in statements have: few, so that the statements prepared for them are few.
var chunkSizes = []int{1, 4, 16, 64, 256}

// chunks calls fn with the values cut into lists of one of chunkSizes, the last one filled up by repeating its last value.
func chunks[T any](values []T, fn func(list []T) error) error {
	largest := chunkSizes[len(chunkSizes)-1]
	for len(values) > 0 {
		list := values[:min(len(values), largest)]
		values = values[len(list):]
		for _, size := range chunkSizes {
			if size < len(list) {
				continue
			}
			padded := make([]T, 0, size)
			padded = append(padded, list...)
			for len(padded) < size {
				padded = append(padded, list[len(list)-1])
			}
			list = padded
			break
		}
		if err := fn(list); err != nil {
			return err
		}
	}
	return nil
}

// placeholders writes "$first, $first+1, …" for n arguments.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String()
}

// integers writes a list of integers for an IN condition.
func integers(list []int64) string {
	var b strings.Builder
	for i, n := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return b.String()
}
