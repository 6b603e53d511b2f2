package store

import (
	"context"
	"errors"
)

// RawLog is the least that a log of objects can be: numbered rows with a unique identifier and the object's bytes, in the
// engine and with the durability that a Store has. How fast it takes rows is the bound that the engine sets to the ingest
// of a Store; skjold bench compares the two. It has nothing else of a node.
type RawLog struct {
	engine engine
	rows   int64
}

// OpenRawLog makes the table raw_log in the embedded database of Options.Dir, which may not be that of a node, or in the
// PostgreSQL database of Options.URL. It fails where the table exists. The other options do not matter.
func OpenRawLog(ctx context.Context, o Options) (*RawLog, error) {
	db, err := openDatabase(ctx, o.Dir, o.URL)
	if err != nil {
		return nil, err
	}
	err = db.Write(ctx, func(c conn) error {
		return c.Script(db.dialect(`CREATE TABLE raw_log (seq INTEGER PRIMARY KEY, object TEXT NOT NULL UNIQUE, raw BYTEA NOT NULL);`))
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &RawLog{engine: db.engine}, nil
}

var insertRawLog = newInsertion("raw_log", "seq", "object", "raw")

// Append stores objects, raws[i] under ids[i], in one transaction that is durable on return. It is not for concurrent use.
func (l *RawLog) Append(ctx context.Context, ids []string, raws [][]byte) error {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{l.rows + int64(i) + 1, id, raws[i]}
	}
	err := l.engine.Write(ctx, func(c conn) error {
		return c.Insert(insertRawLog, rows)
	})
	if err == nil {
		l.rows += int64(len(ids))
	}
	return err
}

// Close removes the table and closes the database.
func (l *RawLog) Close() error {
	err := l.engine.Write(context.Background(), func(c conn) error { return c.Script(`DROP TABLE raw_log;`) })
	return errors.Join(err, l.engine.Close())
}
