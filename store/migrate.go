package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. Steps are numbered from 1 without gaps and never changed once released.
type migration struct {
	number int
	name   string // of its file, without the number
	sql    string
	then   func(c conn, now time.Time) error // what SQL can't say, nil for nothing
}

// continuations are what steps do after their SQL, by number.
var continuations = map[int]func(c conn, now time.Time) error{
	3: relearn,
	5: readHistory,
}

func migrations() ([]migration, error) {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	var list []migration
	for i, file := range files {
		digits, name, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql"), "_")
		n, err := strconv.Atoi(digits)
		if err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %s is not number %d", file, i+1)
		}
		text, err := migrationFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		list = append(list, migration{number: n, name: name, sql: string(text), then: continuations[n]})
	}
	return list, nil
}

const createSchemaVersion = `CREATE TABLE IF NOT EXISTS schema_version (
  number  INTEGER PRIMARY KEY,
  applied BIGINT NOT NULL
)`

// schemaVersion is the number of the last migration applied.
func schemaVersion(c conn) (int, error) {
	n, err := number(c, `SELECT COALESCE(MAX(number), 0) FROM schema_version`)
	return int(n), err
}

// migrate brings a schema up to date, each step in one transaction; another process may do the same meanwhile.
func migrate(ctx context.Context, db database, now time.Time) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	have := 0
	err = db.Read(ctx, func(c conn) error {
		exists, err := number(c, db.hasSchema)
		if err != nil || exists == 0 {
			return err
		}
		have, err = schemaVersion(c)
		return err
	})
	if err != nil {
		return err
	}
	if have > len(steps) {
		return fmt.Errorf("%w (its schema is version %d, this program knows %d)", ErrNewerVersion, have, len(steps))
	}
	for _, step := range steps[have:] {
		if err := db.Alter(ctx, func(c conn) error { return step.apply(c, db.dialect, now) }); err != nil {
			return err
		}
	}
	return nil
}

// apply runs a step unless it has been done.
func (m migration) apply(c conn, dialect func(string) string, now time.Time) error {
	if err := c.Script(dialect(createSchemaVersion)); err != nil {
		return err
	}
	have, err := schemaVersion(c)
	if err != nil || have >= m.number {
		return err
	}
	if err := c.Script(dialect(m.sql)); err != nil {
		return fmt.Errorf("migration %d: %w", m.number, err)
	}
	if m.then != nil {
		if err := m.then(c, now); err != nil {
			return fmt.Errorf("migration %d: %w", m.number, err)
		}
	}
	_, err = c.Exec(`INSERT INTO schema_version (number, applied) VALUES ($1, $2)`, m.number, now.UnixMicro())
	return err
}
