package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// postgresConn is a transaction. Its context is that of the transaction, which the interface of statements leaves out.
type postgresConn struct {
	ctx context.Context
	tx  pgx.Tx
}

// arguments makes the arguments ones that PostgreSQL takes: truth values are integers in the schema, and text has
// neither zero bytes nor broken UTF-8. No stored text has them either, so a search for such text finds nothing.
func arguments(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case bool:
			n := int64(0)
			if v {
				n = 1
			}
			out[i] = n
		case string:
			out[i] = strings.ReplaceAll(strings.ToValidUTF8(v, "\uFFFD"), "\x00", "\uFFFD")
		case []byte:
			if v == nil {
				v = []byte{}
			}
			out[i] = v
		case int:
			out[i] = int64(v)
		case int64:
			out[i] = v
		default:
			return nil, fmt.Errorf("argument $%d has type %T", i+1, arg)
		}
	}
	return out, nil
}

// Exec implements conn.
func (c *postgresConn) Exec(sql string, args ...any) (int64, error) {
	args, err := arguments(args)
	if err != nil {
		return 0, err
	}
	tag, err := c.tx.Exec(c.ctx, sql, args...)
	return tag.RowsAffected(), postgresError(err)
}

// ExecMany implements conn: all rows go to the server at once.
func (c *postgresConn) ExecMany(sql string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	var batch pgx.Batch
	for _, args := range rows {
		args, err := arguments(args)
		if err != nil {
			return err
		}
		batch.Queue(sql, args...)
	}
	return postgresError(c.tx.SendBatch(c.ctx, &batch).Close())
}

// Query implements conn.
func (c *postgresConn) Query(sql string, args []any, each func(row) error) error {
	args, err := arguments(args)
	if err != nil {
		return err
	}
	rows, err := c.tx.Query(c.ctx, sql, args...)
	if err != nil {
		return postgresError(err)
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return postgresError(err)
		}
		if err := each(postgresRow(values)); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return postgresError(rows.Err())
}

// Script implements conn.
func (c *postgresConn) Script(sql string) error {
	_, err := c.tx.Conn().PgConn().Exec(c.ctx, sql).ReadAll()
	return postgresError(err)
}

type postgresRow []any

// Int implements row.
func (r postgresRow) Int(column int) int64 {
	switch v := r[column].(type) {
	case int64:
		return v
	case int32:
		return int64(v)
	}
	return 0
}

// Text implements row.
func (r postgresRow) Text(column int) string {
	s, _ := r[column].(string)
	return s
}

// Bytes implements row.
func (r postgresRow) Bytes(column int) []byte {
	b, _ := r[column].([]byte)
	return b
}

// copyRows is from how many rows on COPY is faster than INSERT, which it precedes by one question for the columns' types.
const copyRows = 16

// Insert implements conn.
func (c *postgresConn) Insert(into *insertion, rows [][]any) error {
	if len(rows) < copyRows {
		return c.ExecMany(into.text, rows)
	}
	values := make([][]any, len(rows))
	for i, row := range rows {
		var err error
		if values[i], err = arguments(row); err != nil {
			return err
		}
	}
	_, err := c.tx.CopyFrom(c.ctx, pgx.Identifier{into.table}, into.columns, pgx.CopyFromRows(values))
	return postgresError(err)
}
