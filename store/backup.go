package store

import (
	"context"
	"io"
	"time"

	"github.com/skjold-exchange/skjold/store/archive"
)

// BackupOptions say what goes into a backup besides the database.
type BackupOptions struct {
	Program string // the version of the program
	Node    string // whose the database is
	// Files of the data directory, by their path there.
	Files map[string][]byte
	// Progress, if set, is called as rows are written; Rows tells how many there will be, about.
	Progress func(rows int)
}

// Rows estimates the number of rows in the database: exactly, where nobody writes.
func (s *Store) Rows(ctx context.Context) (int64, error) {
	steps, err := migrations()
	if err != nil {
		return 0, err
	}
	sc, err := schemaAt(len(steps), steps)
	if err != nil {
		return 0, err
	}
	var sum int64
	err = s.read(ctx, func(c conn) error {
		sum, err = number(c, `SELECT COALESCE(SUM(objects), 0) FROM collection`) // the entries, which are the most, without counting
		if err != nil {
			return err
		}
		for _, t := range sc.tables {
			if t.Name == "entry" {
				continue
			}
			n, err := number(c, `SELECT COUNT(*) FROM `+t.Name)
			if err != nil {
				return err
			}
			sum += n
		}
		return nil
	})
	return sum, err
}

// Backup writes everything that the database holds, as of one moment, in the form of package archive. Others read and write
// the store meanwhile. What was observed of clients in the last second may be missing from it.
func (s *Store) Backup(ctx context.Context, w io.Writer, o BackupOptions) (archive.Manifest, error) {
	steps, err := migrations()
	if err != nil {
		return archive.Manifest{}, err
	}
	sc, err := schemaAt(len(steps), steps)
	if err != nil {
		return archive.Manifest{}, err
	}
	progress := orIdle(o.Progress)
	var manifest archive.Manifest
	err = s.snapshot(ctx, func(c conn) error {
		if err := isVersion(c, sc.version); err != nil {
			return err
		}
		head := archive.Head{Program: o.Program, Node: o.Node, Created: s.now().UTC().Format(time.RFC3339), Schema: sc.version, Tables: sc.shapes()}
		out, err := archive.NewWriter(w, head)
		if err != nil {
			return err
		}
		for _, name := range sortedNames(o.Files) {
			if err := out.File(name, o.Files[name]); err != nil {
				return err
			}
		}
		for _, t := range sc.tables {
			err := out.Table(t.Table, func(add func([]any) error) error {
				return t.rows(ctx, c, func(values []any) error {
					progress(1)
					return add(values)
				})
			})
			if err != nil {
				return err
			}
		}
		manifest, err = out.Close()
		return err
	})
	return manifest, err
}

// snapshot is read for work that takes as long as the database is large.
func (s *Store) snapshot(ctx context.Context, fn func(conn) error) error {
	err := s.engine.Snapshot(ctx, fn)
	s.metrics.failed(err)
	return err
}

func orIdle(progress func(rows int)) func(rows int) {
	if progress == nil {
		return func(int) {}
	}
	return progress
}
