package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresEngine is a PostgreSQL database, in the schema that its URL's search_path names. Several processes may use it.
type postgresEngine struct {
	pool *pgxpool.Pool
}

// postgresPatience is how long a writer waits for another process's transaction.
const postgresPatience = 30 * time.Second

// postgresHasSchema counts the table of applied migrations.
const postgresHasSchema = `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_version'`

// writerLock is held by the one transaction that writes, of all processes. It is let go after the commit has become
// visible, so whoever has it next sees everything before it.
const writerLock = `SELECT pg_advisory_xact_lock(hashtextextended('skjold ' || current_schema(), 0))`

var textType = regexp.MustCompile(`\bTEXT\b`)

// postgresDialect turns the schema's text into PostgreSQL's: SQLite's row number is a wide integer, and text is ordered
// by bytes whatever the database's locale.
func postgresDialect(sql string) string {
	sql = strings.ReplaceAll(sql, "INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY")
	return textType.ReplaceAllString(sql, `TEXT COLLATE "C"`)
}

// openPostgres connects to a database.
func openPostgres(ctx context.Context, url string) (*postgresEngine, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err) // pgx leaves the password out
	}
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = "skjold"
	params["synchronous_commit"] = "on" // a commit is durable, whatever the server's default
	params["lock_timeout"] = fmt.Sprint(postgresPatience.Milliseconds())
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, postgresError(err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, postgresError(err)
	}
	return &postgresEngine{pool: pool}, nil
}

// Read implements engine.
func (e *postgresEngine) Read(ctx context.Context, fn func(conn) error) error {
	return e.transaction(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, nil, fn)
}

// Write implements engine.
func (e *postgresEngine) Write(ctx context.Context, fn func(conn) error) error {
	lock := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, writerLock)
		return err
	}
	return e.transaction(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, lock, fn)
}

// transaction runs fn in a transaction. ctx ends the waits for a connection and for the lock, and nothing after them.
func (e *postgresEngine) transaction(ctx context.Context, o pgx.TxOptions, lock func(context.Context, pgx.Tx) error, fn func(conn) error) error {
	tx, err := e.pool.BeginTx(ctx, o)
	if err != nil {
		return postgresError(err)
	}
	running := context.WithoutCancel(ctx)
	done := false
	defer func() {
		if !done {
			_ = tx.Rollback(running) // also after a panic
		}
	}()
	if lock != nil {
		if err := lock(ctx, tx); err != nil {
			return postgresError(err)
		}
	}
	if err := fn(&postgresConn{ctx: running, tx: tx}); err != nil {
		return err
	}
	if err := tx.Commit(running); err != nil {
		return postgresError(err)
	}
	done = true
	return nil
}

// Maintain implements engine: the server's own vacuum does what is needed.
func (e *postgresEngine) Maintain(context.Context) error { return nil }

// Close implements engine. It waits for transactions that have begun.
func (e *postgresEngine) Close() error {
	e.pool.Close()
	return nil
}

// unavailableClasses are the classes of SQLSTATE that mean "not now": connections, resources, shutdowns, locks, I/O.
var unavailableClasses = map[string]string{
	"08": "the connection to the database failed",
	"25": "the database is read-only",
	"40": "the database undid the transaction",
	"53": "the database is out of resources",
	"55": "another process is writing to the database",
	"57": "the database is shutting down or not ready",
	"58": "the database has a system error",
}

// postgresError puts PostgreSQL's errors into the words of the contracts.
func postgresError(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg):
		if what, ok := unavailableClasses[pg.Code[:min(2, len(pg.Code))]]; ok {
			return unavailable(what, err)
		}
		return err
	case strings.Contains(err.Error(), "closed pool"):
		return ErrClosed
	}
	return unavailable("the database does not answer", err)
}
