package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// callBudget is how long one call of Redis may take.
	callBudget = 100 * time.Millisecond
	// valueLife is how long Redis keeps a page that nobody evicts.
	valueLife = 15 * time.Minute
	// maxValue is the most octets of a value that is stored or read.
	maxValue = 4 << 20
	// maxJobs bounds the pages that wait to be stored or removed; more are not.
	maxJobs = 64
	// prefix is that of every key, and the name of the channel.
	prefix = "skjold:1:"
	// channel carries messages about writes.
	channel = prefix + "written"
)

// Redis says how to reach a Redis: one server, one that Sentinels watch, or a Cluster.
type Redis struct {
	// Addresses are HOST:PORT of the server, of the Sentinels, or of some nodes of the Cluster.
	Addresses []string
	// Master is the name that the Sentinels know the server by; "" without Sentinels.
	Master string
	// Cluster: the addresses are of a Cluster.
	Cluster bool
	// Username and Password are of an ACL user; without a name, Password is that of the default user.
	Username, Password string
	// SentinelUsername and SentinelPassword are for the Sentinels.
	SentinelUsername, SentinelPassword string
	// Database is the number of the database; a Cluster has only 0.
	Database int
	// TLS is how to encrypt; nil for a plain connection.
	TLS *tls.Config
}

// client makes the connections, none of them yet.
func (r *Redis) client() redis.UniversalClient {
	quiet.Do(func() { redis.SetLogger(silence{}) })
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: r.Addresses, MasterName: r.Master, IsClusterMode: r.Cluster, DB: r.Database,
		Username: r.Username, Password: r.Password, SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword,
		TLSConfig: r.TLS, ClientName: "skjold",
		// One try within the budget: whoever waits has the database to go to.
		MaxRetries: -1, DialerRetries: 1, DialTimeout: callBudget, ReadTimeout: callBudget, WriteTimeout: callBudget, PoolTimeout: callBudget,
		ContextTimeoutEnabled: true,
	})
}

// The library's own log has addresses and no level; what matters is logged here.
var quiet sync.Once

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// shared is the part of the cache that other processes share.
type shared struct {
	client  redis.UniversalClient
	breaker breaker
	metrics *metrics
	name    string // tells this process's messages from others'
	jobs    chan job
	wake    chan struct{}

	mu      sync.Mutex
	written map[string]bool // collections to tell others of
}

// job is a page to store, or without one a key to remove.
type job struct {
	key  string
	page *page
}

func newShared(r *Redis, m *metrics, now func() time.Time, log *slog.Logger) *shared {
	var name [8]byte
	rand.Read(name[:])
	return &shared{
		client: r.client(), breaker: breaker{now: now, log: log}, metrics: m, name: hex.EncodeToString(name[:]),
		jobs: make(chan job, maxJobs), wake: make(chan struct{}, 1), written: make(map[string]bool),
	}
}

func (s *shared) close() error { return s.client.Close() }

// call makes one call within the budget, unless the breaker says that it would fail. It reports whether it succeeded.
func (s *shared) call(ctx context.Context, name string, fn func(ctx context.Context) error) bool {
	if !s.breaker.allow() {
		s.metrics.redisCall(name, "skipped")
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callBudget)
	defer cancel()
	start := time.Now()
	err := fn(ctx)
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	took := time.Since(start)
	s.metrics.redisTook(name, took)
	s.breaker.done(err, took)
	if err != nil {
		s.metrics.redisCall(name, "failed")
		return false
	}
	s.metrics.redisCall(name, "done")
	return true
}

// redisKey is the key of a page: the digest of everything that changes the answer.
func redisKey(k pageKey, c taxii.Collection, decision string) string {
	h := sha256.New()
	for _, part := range []string{c.ID, c.Epoch, k.name, k.coding, decision} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	for _, n := range []int64{int64(c.DefaultTLP), int64(k.after), int64(k.limit), k.maxBytes} {
		_ = binary.Write(h, binary.BigEndian, n) // a hash takes everything
	}
	return prefix + "{" + c.ID + "}:" + hex.EncodeToString(h.Sum(nil))
}

// page gets a page that is true of a state of the log; nil where Redis has none.
func (s *shared) page(ctx context.Context, k pageKey, v *view, decision string) *page {
	key := redisKey(k, v.collection, decision)
	var value string
	ok := s.call(ctx, "get", func(ctx context.Context) (err error) {
		// However long the value is that somebody put there, no more than this is read of it.
		value, err = s.client.GetRange(ctx, key, 0, maxValue).Result()
		return err
	})
	switch {
	case !ok:
		return nil
	case value == "":
		s.metrics.redisValue("absent")
		return nil
	}
	p, err := decodePage(value, key, v.collection, decision)
	if err != nil {
		s.metrics.redisValue("garbage")
		return nil
	}
	if !v.holds(p) || p.answer.Coding != k.coding && p.answer.Coding != "" {
		s.metrics.redisValue("outdated")
		return nil
	}
	s.metrics.redisValue("found")
	return p
}

// holds tells that a sealed page, read in some state of the log, is true of this state too.
func (v *view) holds(p *page) bool {
	if p.until > v.collection.Last {
		return false
	}
	touched, ok := v.since(p.revision)
	return ok && !p.touched(touched)
}

// store has a sealed page stored, if there is room to wait.
func (s *shared) store(k pageKey, c taxii.Collection, p *page) {
	if len(p.answer.Body) <= maxValue-maxHead {
		s.enqueue(job{key: redisKey(k, c, p.decision), page: p})
	}
}

// remove has a page removed.
func (s *shared) remove(key string) { s.enqueue(job{key: key}) }

func (s *shared) enqueue(j job) {
	select {
	case s.jobs <- j:
	default:
		s.metrics.redisCall("set", "dropped")
	}
}

// announce has the other processes told of a write.
func (s *shared) announce(collection string) {
	s.mu.Lock()
	s.written[collection] = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // whoever is about to tell will find it
	}
}

// run stores, removes, tells and listens until ctx ends.
func (s *shared) run(ctx context.Context, told func(collection string)) {
	var wg sync.WaitGroup
	wg.Go(func() { s.write(ctx) })
	wg.Go(func() { s.tell(ctx) })
	wg.Go(func() { s.listen(ctx, told) })
	wg.Wait()
}

func (s *shared) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-s.jobs:
			if j.page == nil {
				s.call(ctx, "del", func(ctx context.Context) error { return s.client.Unlink(ctx, j.key).Err() })
			} else {
				value := encodePage(j.page, j.key)
				s.call(ctx, "set", func(ctx context.Context) error { return s.client.Set(ctx, j.key, value, valueLife).Err() })
			}
		}
	}
}

// tell publishes what was written. What can't be told now is not told later: others read the state of the log by
// themselves before that.
func (s *shared) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.Lock()
		written := s.written
		s.written = make(map[string]bool)
		s.mu.Unlock()
		for id := range written {
			s.call(ctx, "publish", func(ctx context.Context) error { return s.client.Publish(ctx, channel, s.name+" "+id).Err() })
		}
	}
}

// listen notes what other processes tell. The library connects again where the connection is lost.
func (s *shared) listen(ctx context.Context, told func(collection string)) {
	subscription := s.client.Subscribe(ctx, channel)
	defer subscription.Close()
	messages := subscription.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			if name, id, ok := strings.Cut(m.Payload, " "); ok && name != s.name {
				s.metrics.redisValue("message")
				told(id)
			}
		}
	}
}
