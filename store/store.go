package store

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	gosync "sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/taxii"
)

// Options of a store.
type Options struct {
	// Dir is the data directory with the embedded database. It is made where it is missing, readable by its owner only.
	Dir string
	// URL, if not empty, names a PostgreSQL database to use instead: postgres://…
	URL string
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Quarantine bounds what is kept of what peers sent and was not stored.
	Quarantine QuarantineBounds
	// Submissions bound what is accepted and not decided yet.
	Submissions SubmissionOptions
	// SlowStatement is how long a statement may take before it is logged, without its arguments; 0 for never.
	SlowStatement time.Duration
	// PatternValues returns the observable values that a STIX pattern names (pattern.Values), by which indicators are
	// looked up. Every process that uses the database has the same; with nil indicators are not found by value.
	PatternValues func(pattern string) []string
	// Logger receives what the background work has to tell; nil for slog.Default.
	Logger *slog.Logger
	// Registerer receives the metrics; nil for none.
	Registerer prometheus.Registerer
}

// Store is a node's database. All methods may run concurrently, in this process and in others.
type Store struct {
	engine  engine
	commits *committer
	metrics *metrics
	health  health
	slow    *slowLog
	log     *slog.Logger
	now     func() time.Time
	// quarantine bounds what is kept of each subscription.
	quarantine QuarantineBounds
	// patternValues is Options.PatternValues.
	patternValues func(pattern string) []string
	// looks bounds a search; searching holds a token for each that runs.
	looks     looks
	searching chan struct{}
	searched  searchMemory

	submissions SubmissionOptions
	instance    string                 // names this process among those that decide submissions
	alone       bool                   // no other process does
	roster      roster                 // who does what for all processes
	pending     chan struct{}          // wakes the goroutine that decides them
	deciding    atomic.Pointer[string] // the collection of the part that is being decided; nil for none

	sets      markingSets
	observed  observations
	passwords *passwordChecks
	watchers  []func(collection string) // see Watch
}

var (
	_ taxii.Journal    = (*Store)(nil)
	_ federation.Peers = (*Store)(nil)
	_ sync.Store       = (*Store)(nil)

	_ federation.SharedChains = (*Store)(nil)
)

// Open opens the store and brings its schema up to date; a store that does not exist is created. The errors are
// ErrNewerVersion, ErrDamaged, taxii.ErrUnavailable or internal ones.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{
		log: o.Logger, now: o.Now, quarantine: o.Quarantine.withDefaults(),
		submissions: o.Submissions.withDefaults(), instance: uuid.NewString(), alone: o.URL == "", roster: newRoster(o.URL != ""), pending: make(chan struct{}, 1),
		patternValues: o.PatternValues, looks: defaultLooks, searching: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	s.metrics = m
	if s.engine, err = openEngine(ctx, o, s.now()); err != nil {
		return nil, err
	}
	s.health.metrics = m
	s.slow = &slowLog{threshold: o.SlowStatement, log: s.log, metrics: m}
	s.commits = newCommitter(s.engine, m)
	s.passwords = newPasswordChecks(s.now)
	s.commits.health, s.commits.slow = &s.health, s.slow
	return s, nil
}

func openEngine(ctx context.Context, o Options, now time.Time) (engine, error) {
	db, err := openDatabase(ctx, o.Dir, o.URL)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db, now); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db.engine, nil
}

// Close writes what Observe has gathered and closes the database. No other method may run during or after it.
func (s *Store) Close() error {
	return errors.Join(s.flush(context.Background()), s.engine.Close())
}

// Run does the background work until ctx ends: it decides submissions that are pending, finds out whether a database that
// failed works again, writes what Observe gathers every second and once at the end, and keeps the write-ahead log short. One
// process at a time of those that serve the node (see Hold) removes statuses older than a week and quarantined objects older
// than 90 days, lets collections go of what their Retention says every hour, and reads the observable values of what an
// earlier version stored. It returns ctx's error. On a data directory one process at most may run it.
func (s *Store) Run(ctx context.Context) error {
	var apart gosync.WaitGroup
	defer s.resign() // when all of it has ended
	if s.roster.shared {
		apart.Go(func() { s.attendance(ctx) })
	}
	apart.Go(func() { s.decide(ctx) })
	apart.Go(func() { s.convalesce(ctx) })
	apart.Go(func() { s.retainHourly(ctx) })
	defer apart.Wait()
	flush := time.NewTicker(time.Second)
	defer flush.Stop()
	maintain := time.NewTicker(time.Minute)
	defer maintain.Stop()
	report := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			s.log.Warn("store: "+what, "error", err)
		}
	}
	defer s.startReadingEarlier(ctx, report)()
	tidy := func() {
		if s.holds(ctx, "tidying") {
			report("removing old statuses", s.purgeStatuses(ctx))
			report("removing old quarantined objects", s.retireQuarantine(ctx))
			report("forgetting old request tokens", s.forgetTokens(ctx))
		}
	}
	tidy()
	for {
		select {
		case <-ctx.Done():
			if err := s.flush(context.WithoutCancel(ctx)); err != nil {
				s.log.Warn("store: noting what was served", "error", err)
			}
			return ctx.Err()
		case <-flush.C:
			report("noting what was served", s.flush(ctx))
		case <-maintain.C:
			tidy()
			report("maintenance", s.engine.Maintain(ctx))
		}
	}
}

// Ping tells whether the store answers: nil, or taxii.ErrUnavailable or an internal error.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, func(c conn) error {
		_, err := number(c, `SELECT COUNT(*) FROM counter`)
		return err
	})
}

// read runs fn on one snapshot.
func (s *Store) read(ctx context.Context, fn func(conn) error) error {
	err := s.engine.Read(ctx, func(c conn) error { return fn(s.slow.timed(c)) })
	s.metrics.failed(err)
	s.health.met(err)
	return err
}

// write runs fn in a transaction and returns when it is durable; see committer.do for what fn may do.
func (s *Store) write(ctx context.Context, fn func(conn) error) error {
	return s.commits.do(ctx, 1, fn)
}

// micros is a time as it is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// timeOf is the reverse of micros.
func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// Meta returns a small fact about the node; taxii.ErrNotFound if it was never set.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := s.read(ctx, func(c conn) error {
		found, err := one(c, `SELECT value FROM meta WHERE name = $1`, []any{key}, func(r row) error { value = r.Text(0); return nil })
		if err == nil && !found {
			return notFound("node fact", key)
		}
		return err
	})
	return value, err
}

// SetMeta sets a small fact about the node.
func (s *Store) SetMeta(ctx context.Context, key, value string) error {
	return s.write(ctx, func(c conn) error { return setMeta(c, key, value) })
}

func setMeta(c conn, key, value string) error {
	_, err := c.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

// SwapMeta sets a small fact about the node if it still has the value old, "" for one that was never set, and tells whether
// it did. Of several processes that want to be the one to change it, one succeeds. It is durable on return.
func (s *Store) SwapMeta(ctx context.Context, key, old, value string) (swapped bool, err error) {
	err = s.write(ctx, func(c conn) error {
		var n int64
		if old == "" {
			n, err = c.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, key, value)
		} else {
			n, err = c.Exec(`UPDATE meta SET value = $3 WHERE name = $1 AND value = $2`, key, old, value)
		}
		swapped = n == 1
		return err
	})
	return swapped && err == nil, err
}
