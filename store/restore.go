package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/skjold-exchange/skjold/store/archive"
)

// ErrNotEmpty: the database that was to be filled holds something already.
var ErrNotEmpty = errors.New("the database is not empty")

// RestoredFact is the fact about the node (Meta) that Restore notes: when the database was put back to what a backup held,
// in RFC 3339. What was promised to others since the backup is forgotten then.
const RestoredFact = "restored"

// RestoreOptions say where a backup goes.
type RestoreOptions struct {
	// Dir or URL name the database, as in Options. In Dir there must be none yet.
	Dir, URL string
	// Replace lets the content of a PostgreSQL database be replaced.
	Replace bool
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Progress, if set, is called as rows are stored, and again as they are read back.
	Progress func(rows int)
}

// CheckBackup reads a whole backup, holds it against its checksums and tells what it is. file gets the files of the data
// directory that it has; nil ignores them. The errors are those of archive.Read and ErrNewerVersion.
func CheckBackup(r io.Reader, file func(name string, content []byte) error) (archive.Backup, error) {
	steps, err := migrations()
	if err != nil {
		return archive.Backup{}, err
	}
	return archive.Read(r, archive.Sink{File: file, Head: func(h archive.Head) error {
		_, err := schemaOf(h, steps)
		return err
	}})
}

// schemaOf is the schema that a backup is of, which must be one that this program has.
func schemaOf(h archive.Head, steps []migration) (schema, error) {
	if h.Schema > len(steps) {
		return schema{}, fmt.Errorf("%w (the schema of the backup is version %d, this program knows %d)", ErrNewerVersion, h.Schema, len(steps))
	}
	sc, err := schemaAt(h.Schema, steps)
	if err != nil {
		return schema{}, err
	}
	same := slices.EqualFunc(sc.shapes(), h.Tables, func(a, b archive.Table) bool {
		return a.Name == b.Name && slices.Equal(a.Columns, b.Columns)
	})
	if !same {
		return schema{}, fmt.Errorf("%w: its tables are not those of schema version %d", archive.ErrDamaged, h.Schema)
	}
	return sc, nil
}

// Restore fills a database from a backup, reads back what it has stored and compares, and then brings the schema up to
// date. Every collection begins another epoch, so that page tokens from before are refused. A PostgreSQL database has all
// of it or is as it was; one in Dir is of use only after Restore has returned nil. The errors are those of CheckBackup and
// Open, and ErrNotEmpty.
func Restore(ctx context.Context, r io.Reader, o RestoreOptions) (archive.Backup, error) {
	now := time.Now()
	if o.Now != nil {
		now = o.Now()
	}
	target, err := openDatabase(ctx, o.Dir, o.URL)
	if err != nil {
		return archive.Backup{}, err
	}
	var backup archive.Backup
	err = target.fill(ctx, o.Replace, func(exec transaction) error {
		f := &filler{ctx: ctx, exec: exec, dialect: target.dialect, now: now, progress: orIdle(o.Progress)}
		if f.steps, err = migrations(); err != nil {
			return err
		}
		if backup, err = archive.Read(r, archive.Sink{Head: func(h archive.Head) error {
			sc, err := schemaOf(h, f.steps)
			if err != nil {
				return err
			}
			return f.begin(sc)
		}, Row: f.row}); err != nil {
			return err
		}
		if err := f.finish(backup.Manifest.Tables); err != nil {
			return err
		}
		if err := f.migrate(); err != nil {
			return err
		}
		if err := exec(newEpochs); err != nil {
			return err
		}
		return exec(func(c conn) error { return setMeta(c, RestoredFact, now.UTC().Format(time.RFC3339Nano)) })
	})
	return backup, errors.Join(err, target.Close())
}

// newEpochs begins another epoch of every collection.
func newEpochs(c conn) error {
	var numbers []int64
	err := c.Query(`SELECT number FROM collection ORDER BY number`, nil, func(r row) error { numbers = append(numbers, r.Int(0)); return nil })
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if _, err := c.Exec(`UPDATE collection SET epoch = $2 WHERE number = $1`, n, uuid.NewString()); err != nil {
			return err
		}
	}
	return nil
}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// isVersion refuses a database whose schema is another one than this program's: somebody else has just migrated it.
func isVersion(c conn, want int) error {
	have, err := schemaVersion(c)
	switch {
	case err != nil:
		return err
	case have > want:
		return fmt.Errorf("%w (its schema is version %d, this program knows %d)", ErrNewerVersion, have, want)
	case have < want:
		return fmt.Errorf("the database has schema version %d, not %d; run 'skjold migrate'", have, want)
	}
	return nil
}
