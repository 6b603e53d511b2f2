package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// CompactOptions say what Compact does.
type CompactOptions struct {
	// Collection is the id of the only collection to look at; "" for all.
	Collection string
	// DryRun tells what would go, and changes nothing.
	DryRun bool
	// Progress, if set, is called as objects are looked at.
	Progress func(objects int)
}

// Compacted tells what a collection let go of, by its Retention; versions of objects each.
type Compacted struct {
	Collection taxii.Collection
	Retention  Retention
	Revoked    int // of objects that are revoked
	Expired    int // of objects that have expired
	Superseded int
	// Kept counts versions that are due and are kept until somebody has read them, and KeptFor names for whom.
	Kept    int
	KeptFor []string
	// Missed names those who have not read some of what went, and are not waited for as they did not pull for too long.
	Missed []string
}

// Dropped is the number of versions that went.
func (c Compacted) Dropped() int { return c.Revoked + c.Expired + c.Superseded }

const (
	// examineRows is how many entries are looked through at once for when they expire.
	examineRows = 1000
	// retireObjects is how many objects one transaction looks at, which others wait for.
	retireObjects = 100
)

// Compact lets every collection go of what its Retention says, in many small transactions, and tells what went of those
// that have rules. Run does so every hour. taxii.ErrNotFound.
func (s *Store) Compact(ctx context.Context, o CompactOptions) ([]Compacted, error) {
	all, err := s.Collections(ctx)
	if err != nil {
		return nil, err
	}
	if o.Collection != "" {
		one, err := s.Collection(ctx, o.Collection)
		if err != nil {
			return nil, err
		}
		all = []taxii.Collection{one}
	}
	var list []Compacted
	for _, col := range all {
		k := &compaction{store: s, ctx: ctx, dryRun: o.DryRun, progress: orIdle(o.Progress), now: s.now(), seen: make(map[string]bool),
			keptFor: make(map[string]bool), missed: make(map[string]bool)}
		k.told.Collection = col
		if err := k.run(); err != nil {
			return list, err
		}
		if k.told.Retention.any() {
			k.told.KeptFor, k.told.Missed = sortedNames(k.keptFor), sortedNames(k.missed)
			list = append(list, k.told)
		}
	}
	return list, nil
}

// compaction is the work of Compact on one collection.
type compaction struct {
	store    *Store
	ctx      context.Context // of the one call of Compact
	dryRun   bool
	progress func(int)
	now      time.Time

	number  int64 // of the collection
	readers []reader
	told    Compacted
	keptFor map[string]bool
	missed  map[string]bool
	// seen are the objects that were looked at, in a dry run only: otherwise what is due is gone the next time.
	seen map[string]bool
}

func (k *compaction) run() error {
	err := k.store.read(k.ctx, func(c conn) error {
		col, err := collectionByID(c, k.told.Collection.ID)
		if err != nil {
			return err
		}
		k.number = col.number
		if k.told.Retention, err = readRetention(c, k.number); err != nil {
			return err
		}
		k.readers, err = readers(c, k.number, k.before(k.told.Retention.Unread))
		return err
	})
	if err != nil || !k.told.Retention.any() {
		return err
	}
	if k.told.Retention.Expired > 0 {
		if err := k.examine(); err != nil {
			return err
		}
		if err := k.expired(); err != nil {
			return err
		}
	}
	if k.told.Retention.Revoked > 0 {
		if err := k.revoked(); err != nil {
			return err
		}
	}
	if k.told.Retention.Superseded > 0 {
		return k.superseded()
	}
	return nil
}

// before is the time some time ago, in microseconds; for 0 now, which nothing is later than.
func (k *compaction) before(d time.Duration) int64 { return k.now.Add(-d).UnixMicro() }

// ids reads the object ids of a query.
func (k *compaction) ids(sql string, args ...any) ([]string, error) {
	var found []string
	err := k.store.read(k.ctx, func(c conn) (err error) {
		found, err = list(c, sql, args...)
		return err
	})
	return slices.Compact(found), err
}

func (k *compaction) expired() error {
	const most = 500
	for after := ""; ; {
		found, err := k.ids(`SELECT DISTINCT object FROM expiry WHERE collection = $1 AND object > $2 AND valid_until <= $3 ORDER BY object LIMIT $4`,
			k.number, after, k.before(k.told.Retention.Expired), most)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := k.retire(found); err != nil {
			return err
		}
		after = found[len(found)-1]
	}
}

func (k *compaction) revoked() error {
	const most = 500
	for after := ""; ; {
		found, err := k.ids(`SELECT DISTINCT object FROM entry WHERE collection = $1 AND revoked = 1 AND object > $2 ORDER BY object LIMIT $3`, k.number, after, most)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := k.retire(found); err != nil {
			return err
		}
		after = found[len(found)-1]
	}
}

// superseded looks at the inner versions of each facet in the order of date_added.
func (k *compaction) superseded() error {
	const most = 500
	var facets []int64
	err := k.store.read(k.ctx, func(c conn) error {
		facets = nil
		return c.Query(`SELECT number FROM facet WHERE collection = $1 AND entries > 0 ORDER BY number`, []any{k.number}, func(r row) error {
			facets = append(facets, r.Int(0))
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, f := range facets {
		for after, more := int64(0), true; more; {
			var found []string
			err := k.store.read(k.ctx, func(c conn) error {
				found = nil
				return c.Query(`SELECT object, date_added FROM entry WHERE facet = $1 AND is_last = 0 AND date_added > $2 AND date_added <= $3 ORDER BY date_added LIMIT $4`,
					[]any{f, after, k.before(k.told.Retention.Superseded), most}, func(r row) error {
						found, after = append(found, r.Text(0)), r.Int(1)
						return nil
					})
			})
			if err != nil {
				return err
			}
			more = len(found) == most
			slices.Sort(found)
			if err := k.retire(slices.Compact(found)); err != nil {
				return err
			}
		}
	}
	return nil
}

// retire looks at some objects and lets go of what is due of them.
func (k *compaction) retire(objects []string) error {
	if k.dryRun {
		objects = slices.DeleteFunc(objects, func(id string) bool { return k.seen[id] })
	}
	for chunk := range slices.Chunk(objects, retireObjects) {
		if k.ctx.Err() != nil {
			return context.Cause(k.ctx)
		}
		var t tally
		work := func(c conn) error {
			t = newTally()
			col, err := collectionByID(c, k.told.Collection.ID)
			if err != nil {
				return err
			}
			for _, id := range chunk {
				if err := k.retireObject(c, col, stix.Identifier(id), &t); err != nil {
					return err
				}
			}
			return nil
		}
		run := k.store.read
		if !k.dryRun {
			run = k.store.write
		}
		if err := run(k.ctx, work); err != nil {
			return err
		}
		k.count(t)
		k.progress(len(chunk))
		for _, id := range chunk {
			if k.dryRun {
				k.seen[id] = true
			}
		}
	}
	return nil
}

// count adds what a transaction has done, now that it is durable.
func (k *compaction) count(t tally) {
	k.told.Revoked += t.dropped[dueRevoked]
	k.told.Expired += t.dropped[dueExpired]
	k.told.Superseded += t.dropped[dueSuperseded]
	k.told.Kept += t.kept
	maps.Copy(k.keptFor, t.keptFor)
	maps.Copy(k.missed, t.missed)
	if n := t.dropped[dueRevoked] + t.dropped[dueExpired] + t.dropped[dueSuperseded]; n > 0 && !k.dryRun {
		k.store.metrics.count("retired", n)
		k.store.changed(k.told.Collection.ID)
	}
}

// retain does what Run does every hour.
func (s *Store) retain(ctx context.Context) error {
	list, err := s.Compact(ctx, CompactOptions{})
	for _, c := range list {
		if c.Dropped() == 0 && c.Kept == 0 {
			continue
		}
		s.log.Info("store: a collection let go of old objects, by its rules", "collection", c.Collection.Title,
			"revoked", c.Revoked, "expired", c.Expired, "superseded", c.Superseded, "kept_unread", c.Kept, "kept_for", c.KeptFor)
		if len(c.Missed) > 0 {
			s.log.Warn("store: some of what went had not been read by accounts that did not pull for long", "collection", c.Collection.Title, "accounts", c.Missed)
		}
	}
	return err
}

// retainHourly lets collections go of what is due, at once and then every hour, until ctx ends, where that is this process's
// to do.
func (s *Store) retainHourly(ctx context.Context) {
	hour := time.NewTicker(time.Hour)
	defer hour.Stop()
	for {
		if s.holds(ctx, "retention") {
			if err := s.retain(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("store: letting go of old objects", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-hour.C:
		}
	}
}
