package store

import (
	"context"
	"errors"
)

// database is an engine with what differs of its SQL.
type database struct {
	engine
	hasSchema string // counts the table of applied migrations
	dialect   func(sql string) string
	server    bool // it is PostgreSQL's
}

// openDatabase opens the PostgreSQL database of a URL or, where there is none, the embedded one of a directory.
func openDatabase(ctx context.Context, dir, url string) (database, error) {
	switch {
	case url != "":
		e, err := openPostgres(ctx, url)
		return database{engine: e, hasSchema: postgresHasSchema, dialect: postgresDialect, server: true}, err
	case dir != "":
		e, err := openSQLite(dir)
		return database{engine: e, hasSchema: sqliteHasSchema, dialect: func(sql string) string { return sql }}, err
	}
	return database{}, errors.New("store: neither a data directory nor a database URL is given")
}
