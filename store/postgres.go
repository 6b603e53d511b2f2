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
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skjold-exchange/skjold/taxii"
)

// postgresEngine is a PostgreSQL database, in the schema that its URL's search_path names. Several processes may use it.
type postgresEngine struct {
	pool *pgxpool.Pool
}

const (
	// postgresPatience is how long a writer waits for another process's transaction.
	postgresPatience = 30 * time.Second
	// postgresStatement is the longest that a statement may run: longer than removing a large collection takes.
	postgresStatement = 5 * time.Minute
	// postgresWrite is the longest that a write transaction may take. Without an end, a connection that dies without a
	// word would keep every other writer of the process waiting.
	postgresWrite = 10 * time.Minute
	// postgresIdle is how long a transaction may do nothing: a process that is stopped inside one lets the others write.
	postgresIdle = time.Minute
	// postgresFarewell is how long leaving a transaction may take.
	postgresFarewell = 10 * time.Second
)

// postgresHasSchema counts the table of applied migrations.
const postgresHasSchema = `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_version'`

// writerLock is held by the one transaction that writes, of all processes. It is let go after the commit has become
// visible, so whoever has it next sees everything before it.
const writerLock = `SELECT pg_advisory_xact_lock(hashtextextended('skjold ' || current_schema(), 0))`

var textType = regexp.MustCompile(`\bTEXT\b`)

// postgresDialect turns the schema's text into PostgreSQL's: SQLite's row number is a wide integer, a table kept in its
// primary key is a table with an index, and text is ordered by bytes whatever the database's locale.
func postgresDialect(sql string) string {
	sql = strings.ReplaceAll(sql, "INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY")
	sql = strings.ReplaceAll(sql, " WITHOUT ROWID", "")
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
	for name, limit := range map[string]time.Duration{
		"lock_timeout":                        postgresPatience,
		"statement_timeout":                   postgresStatement,
		"idle_in_transaction_session_timeout": postgresIdle,
	} {
		params[name] = fmt.Sprint(limit.Milliseconds())
	}
	// A statement that is given up ends at the server too, and its connection goes on being used.
	config.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: postgresFarewell}
	}
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
	tx, err := e.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return postgresError(err)
	}
	defer leave(ctx, tx)
	if err := fn(&postgresConn{ctx: ctx, tx: tx}); err != nil && ctx.Err() != nil && errors.Is(err, taxii.ErrUnavailable) {
		return unavailable("reading was given up", context.Cause(ctx))
	} else if err != nil {
		return err
	}
	return nil
}

// Snapshot implements engine. The server sorts on its disk what does not fit into its memory.
func (e *postgresEngine) Snapshot(ctx context.Context, fn func(conn) error) error {
	return e.Read(ctx, func(c conn) error {
		if _, err := c.Exec(`SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		return fn(c)
	})
}

// Integrity implements engine: what the server reads it checks by itself, if its administrator has chosen checksums.
func (e *postgresEngine) Integrity(conn, func(string)) error { return nil }

// Names implements engine.
func (e *postgresEngine) Names(c conn) ([]string, error) {
	return list(c, `SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace`)
}

// leave ends a transaction that is not to be committed or has been, also after a panic and when its caller has gone.
func leave(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), postgresFarewell)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// Write implements engine.
func (e *postgresEngine) Write(ctx context.Context, fn func(conn) error) error {
	return e.write(ctx, postgresWrite, fn)
}

// Aside implements engine.
func (e *postgresEngine) Aside(ctx context.Context, fn func(conn) error) error {
	tx, err := e.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return postgresError(err)
	}
	defer leave(ctx, tx)
	if err := fn(&postgresConn{ctx: ctx, tx: tx}); err != nil {
		return err
	}
	return postgresError(tx.Commit(ctx))
}

// Clock implements engine.
func (e *postgresEngine) Clock(c conn) (int64, error) {
	return number(c, `SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint`)
}

// Alter implements engine.
func (e *postgresEngine) Alter(ctx context.Context, fn func(conn) error) error {
	return e.write(ctx, 0, func(c conn) error {
		if _, err := c.Exec(`SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		return fn(c)
	})
}

// write runs fn in a transaction. ctx ends the waits for a connection and for the lock; after them only the limit does, 0
// for none.
func (e *postgresEngine) write(ctx context.Context, limit time.Duration, fn func(conn) error) error {
	tx, err := e.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return postgresError(err)
	}
	defer leave(ctx, tx)
	if _, err := tx.Exec(ctx, writerLock); err != nil {
		return postgresError(err)
	}
	running := context.WithoutCancel(ctx)
	if limit > 0 {
		var cancel context.CancelFunc
		running, cancel = context.WithTimeout(running, limit)
		defer cancel()
	}
	if err := fn(&postgresConn{ctx: running, tx: tx}); err != nil {
		return err
	}
	return postgresError(tx.Commit(running))
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

// unavailableCodes are SQLSTATEs that say less than their class or something else.
var unavailableCodes = map[string]string{
	"25P03": "the transaction did nothing for too long",
	"57014": "the statement took too long or was given up",
}

// postgresError puts PostgreSQL's errors into the words of the contracts.
func postgresError(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg):
		switch pg.Code {
		case "53100":
			return unwritable("the database's disk is full", err)
		case "25006":
			return unwritable("the database is read-only", err)
		case "XX001", "XX002":
			return fmt.Errorf("%w: the database server met damage; its administrator restores it: %w", ErrDamaged, err)
		}
		if what, ok := unavailableCodes[pg.Code]; ok {
			return unavailable(what, err)
		}
		if what, ok := unavailableClasses[pg.Code[:min(2, len(pg.Code))]]; ok {
			return unavailable(what, err)
		}
		return err
	case strings.Contains(err.Error(), "closed pool"):
		return ErrClosed
	}
	return unavailable("the database does not answer", err)
}
