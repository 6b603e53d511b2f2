package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/store/archive"
)

// CopyOptions say how a store is copied.
type CopyOptions struct {
	// Progress, if set, is called as rows are stored, and again as they are read back.
	Progress func(rows int)
}

// Copied tells what a copy holds.
type Copied struct {
	Tables map[string]archive.Sum
	// Already: the database held exactly this before, from a copy that ended.
	Already bool
}

// CopyTo copies everything, as of one moment, into an empty PostgreSQL database, and reads it back and compares. Positions
// and epochs stay, so that clients go on where they are. It is one transaction: after an interruption the database is as it
// was. The errors are those of Open, and ErrNotEmpty if the database holds something else than this store does.
func (s *Store) CopyTo(ctx context.Context, url string, o CopyOptions) (Copied, error) {
	if url == "" {
		return Copied{}, errors.New("store: the database to copy to is not named")
	}
	steps, err := migrations()
	if err != nil {
		return Copied{}, err
	}
	sc, err := schemaAt(len(steps), steps)
	if err != nil {
		return Copied{}, err
	}
	to, err := openDatabase(ctx, "", url)
	if err != nil {
		return Copied{}, err
	}
	k := copying{ctx: ctx, to: to, schema: sc, steps: steps, now: s.now(), progress: orIdle(o.Progress)}
	var copied Copied
	err = s.snapshot(ctx, func(c conn) error {
		if err := isVersion(c, sc.version); err != nil {
			return err
		}
		copied = Copied{}
		same, err := k.compare(c)
		if err != nil || same != nil {
			copied = Copied{Tables: same, Already: same != nil}
			return err
		}
		copied.Tables, err = k.copy(c)
		return err
	})
	return copied, errors.Join(err, to.Close())
}

// copying is one run of CopyTo.
type copying struct {
	ctx      context.Context
	to       database
	schema   schema
	steps    []migration
	now      time.Time
	progress func(rows int)
}

// copy fills the target from a snapshot.
func (k copying) copy(from conn) (map[string]archive.Sum, error) {
	sums := make(map[string]archive.Sum)
	err := k.to.fill(k.ctx, false, func(exec transaction) error {
		f := &filler{ctx: k.ctx, exec: exec, dialect: k.to.dialect, steps: k.steps, now: k.now, progress: k.progress}
		if err := f.begin(k.schema); err != nil {
			return err
		}
		for _, t := range k.schema.tables {
			adder := archive.NewAdder(t.Table)
			err := t.rows(k.ctx, from, func(values []any) error {
				if err := adder.Add(values); err != nil {
					return err
				}
				return f.row(t.Table, values)
			})
			if err != nil {
				return err
			}
			sums[t.Name] = adder.Sum()
		}
		return f.finish(sums)
	})
	return sums, err
}

// compare tells what a target holds that has exactly the content of a snapshot; nil for an empty target. Anything else is
// ErrNotEmpty.
func (k copying) compare(from conn) (map[string]archive.Sum, error) {
	var sums map[string]archive.Sum
	err := k.to.Snapshot(k.ctx, func(c conn) error {
		has, err := number(c, k.to.hasSchema)
		if err != nil || has == 0 {
			return err
		}
		if err := isVersion(c, k.schema.version); err != nil {
			return fmt.Errorf("%w: %w", ErrNotEmpty, err)
		}
		sums = make(map[string]archive.Sum)
		for _, t := range k.schema.tables {
			there, err := t.sum(k.ctx, c, k.progress)
			if err != nil {
				return err
			}
			here, err := t.sum(k.ctx, from, k.progress)
			if err != nil {
				return err
			}
			if there != here {
				return fmt.Errorf("%w: its table %s differs from this node's", ErrNotEmpty, t.Name)
			}
			sums[t.Name] = here
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sums, nil
}
