package cache

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/taxii"
)

// maxAge is how long a state of a log that was read counts as new where no message tells otherwise.
const maxAge = 500 * time.Millisecond

// Options of a cache. Zero values have the defaults that their comments say.
type Options struct {
	// Bytes is how much memory the pages may take, in octets; 128 MiB.
	Bytes int64
	// Redis is the second place for pages, and carries messages between processes; nil for none. Close closes it.
	Redis *Redis
	// Now is the clock; time.Now.
	Now func() time.Time
	// Logger is told when Redis stops and begins to answer; slog.Default.
	Logger *slog.Logger
	// Registerer receives the metrics; nil for none.
	Registerer prometheus.Registerer
}

// Store is a cache in front of a store. All methods may run concurrently.
type Store struct {
	taxii.Journal // what is not here goes to the store behind
	now           func() time.Time
	bytes         int64
	metrics       *metrics
	redis         *shared // nil without Redis
	pages         *otter.Cache[pageKey, *page]
	flights       flights

	mu sync.RWMutex
	// collections by id, and ids by the id or alias that they were asked for by.
	collections map[string]*collection
	ids         map[string]string
}

var _ taxii.Answers = (*Store)(nil)

// New puts a cache in front of a store. Run does the work that Redis needs.
func New(behind taxii.Journal, o Options) (*Store, error) {
	s := &Store{
		Journal: behind, now: o.Now, bytes: cmp.Or(o.Bytes, 128<<20),
		collections: make(map[string]*collection), ids: make(map[string]string),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	var err error
	s.pages, err = otter.New(&otter.Options[pageKey, *page]{
		MaximumWeight: uint64(s.bytes),
		Weigher:       func(k pageKey, p *page) uint32 { return uint32(weight(k, p)) },
		OnDeletion:    s.gone,
		Executor:      func(fn func()) { fn() },
	})
	if err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(o.Registerer, s.pages.WeightedSize); err != nil {
		return nil, err
	}
	if o.Redis != nil {
		s.redis = newShared(o.Redis, s.metrics, s.now, o.Logger)
	}
	behind.Watch(s.wrote)
	return s, nil
}

// Run carries pages and messages to and from Redis until ctx ends, and returns ctx's error. Without Redis it waits.
func (s *Store) Run(ctx context.Context) error {
	if s.redis != nil {
		s.redis.run(ctx, s.told)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Close closes the connections to Redis; Run must have returned. The store behind stays open.
func (s *Store) Close() error {
	if s.redis == nil {
		return nil
	}
	return s.redis.close()
}

// wrote notes a write of this process: whoever asks from now on sees it.
func (s *Store) wrote(id string) {
	s.told(id)
	if s.redis != nil {
		s.redis.announce(id)
	}
}

// told notes that a collection was written to: the state of its log is read before the next answer.
func (s *Store) told(id string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.collections[id]; c != nil {
		c.writes.Add(1)
	}
}

// Collection finds a collection by id or alias; see taxii.Store.
func (s *Store) Collection(ctx context.Context, idOrAlias string) (taxii.Collection, error) {
	s.mu.RLock()
	c := s.collections[s.ids[idOrAlias]]
	s.mu.RUnlock()
	if c != nil {
		v, err := s.view(ctx, c)
		if err == nil && (v.collection.ID == idOrAlias || v.collection.Alias == idOrAlias) {
			return v.collection, nil
		}
		if err != nil && !errors.Is(err, taxii.ErrNotFound) {
			return taxii.Collection{}, err
		}
		s.mu.Lock()
		delete(s.ids, idOrAlias)
		s.mu.Unlock()
	}
	found, err := s.Journal.Collection(ctx, idOrAlias)
	if err == nil {
		s.collection(found.ID)
		s.mu.Lock()
		s.ids[idOrAlias] = found.ID
		s.mu.Unlock()
	}
	return found, err
}

// collection returns what is kept of a collection. The caller has found that there is such a collection, or will.
func (s *Store) collection(id string) *collection {
	s.mu.RLock()
	c := s.collections[id]
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.collections[id]; c == nil {
		c = &collection{id: id, pages: make(map[pageKey]*page), classes: make(map[string]int)}
		s.collections[id] = c
	}
	return c
}

// forget drops a collection that is no more.
func (s *Store) forget(c *collection) {
	s.mu.Lock()
	if s.collections[c.id] == c {
		delete(s.collections, c.id)
	}
	s.mu.Unlock()
	s.evict(c, reasonDropped, func(*page) bool { return true })
}
