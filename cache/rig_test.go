package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/store/storetest"
	"github.com/skjold-exchange/skjold/taxii"
)

// answered is the cache as a store whose entries come from its answers, so that what is asked of stores can be asked of
// ready pages: a page of entries is written as a body, kept, sent, unpacked and read again.
type answered struct{ *Store }

// Entries implements taxii.Store.
func (s answered) Entries(ctx context.Context, q taxii.Query) (taxii.Page, error) {
	a, err := s.Answer(ctx, requestOf(q))
	if err != nil {
		return taxii.Page{}, err
	}
	return pageOf(a)
}

// requestOf asks for a query's page in one of the codings.
func requestOf(q taxii.Query) taxii.AnswerRequest {
	visible := q.Visible
	q.Visible = nil
	name := fmt.Sprint(q)
	q.Visible = visible
	return taxii.AnswerRequest{Query: q, Name: name, Coding: []string{"", "gzip", "zstd"}[len(name)%3], Render: renderGob}
}

// sent is what the body of a page has.
type sent struct {
	More    bool
	Entries []taxii.Entry
}

func renderGob(p taxii.Page) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(sent{p.More, p.Entries})
	return b.Bytes(), err
}

// plain is the body of an answer without its coding.
func plain(a *taxii.Answer) ([]byte, error) {
	switch a.Coding {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(a.Body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(a.Body))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return io.ReadAll(z)
	}
	return a.Body, nil
}

func pageOf(a *taxii.Answer) (taxii.Page, error) {
	p := taxii.Page{Collection: a.Collection}
	if a.Objects == 0 {
		return p, nil
	}
	body, err := plain(a)
	if err != nil {
		return p, err
	}
	if taxii.BodyTag(body) != a.Tag {
		return p, fmt.Errorf("the tag %s is not that of the body", a.Tag)
	}
	var s sent
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&s); err != nil {
		return p, err
	}
	if n := len(s.Entries); n != a.Objects || s.Entries[0].DateAdded != a.First || s.Entries[n-1].DateAdded != a.Last {
		return p, fmt.Errorf("the answer says %d objects from %v to %v, the body has %d", a.Objects, a.First, a.Last, n)
	}
	p.More, p.Entries = s.More, s.Entries
	return p, nil
}

// clock is a clock that tests move on.
type clock struct{ offset atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// database opens stores on one database.
type database func(t *testing.T, o store.Options) *store.Store

func sqliteDatabase(t *testing.T) database {
	dir := t.TempDir()
	return func(t *testing.T, o store.Options) *store.Store {
		o.Dir = dir
		return openStore(t, o)
	}
}

func postgresDatabase(t *testing.T) database {
	schema, remove, err := storetest.NewSchema(t.Context(), testServer(t, "postgres", postgresVariable))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T, o store.Options) *store.Store {
		o.URL = schema
		return openStore(t, o)
	}
}

func openStore(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	o.PatternValues = pattern.Values
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The environment variables that name servers for tests.
const (
	postgresVariable = "SKJOLD_TEST_POSTGRES_URL"
	redisVariable    = "SKJOLD_TEST_REDIS_URL"
)

// testServer is the URL of a server for tests. Without one the test is skipped, or fails where it is required.
func testServer(t *testing.T, name, variable string) string {
	t.Helper()
	u := os.Getenv(variable)
	if u == "" {
		without(t, name, variable+" is not set: it is the URL of a server for tests")
	}
	return u
}

// without skips a test for want of something of a kind of server, or fails it where that kind is required.
func without(t *testing.T, name, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("SKJOLD_TEST_REQUIRE"), ","), name) {
		t.Fatalf("SKJOLD_TEST_REQUIRE names %s, but %s", name, why)
	}
	t.Skip(why)
}

// redisServer is the Redis for tests, on a database of this package's tests.
func redisServer(t *testing.T) *Redis {
	t.Helper()
	u := testServer(t, "redis", redisVariable)
	o, err := redis.ParseURL(u)
	if err != nil {
		t.Fatal(err)
	}
	return &Redis{Addresses: []string{o.Addr}, Username: o.Username, Password: o.Password, Database: 9}
}

// node is a cache in front of a store, as one process has them.
type node struct {
	*Store
	store    *store.Store
	clock    *clock
	registry *prometheus.Registry
	stop     func()
}

// newNode puts a cache in front of a store and runs it until the test ends or stop is called.
func newNode(t *testing.T, behind *store.Store, r *Redis) *node {
	t.Helper()
	n := &node{store: behind, clock: new(clock), registry: prometheus.NewRegistry()}
	var err error
	n.Store, err = New(behind, Options{Bytes: 8 << 20, Redis: r, Now: n.clock.Now, Logger: slog.New(slog.DiscardHandler), Registerer: n.registry})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() { _ = n.Run(ctx) })
	n.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(n.stop)
	return n
}

// metric is the sum of a counter's values, or of those that have a label value.
func (n *node) metric(t *testing.T, name, label string) int {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && (label == "" || l.GetValue() == label) {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return int(sum)
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

// indicator is an object of a level in a version.
func indicator(n, version int, level stix.TLP) *stix.Object {
	mark := ""
	if level != stix.TLPUnmarked {
		mark = fmt.Sprintf(`"object_marking_refs":["%s"],`, stix.MarkingOf(level))
	}
	o, err := stix.Parse([]byte(fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--%s","created":"2026-01-01T00:00:00.000Z",`+
		`"modified":"2026-01-01T00:%02d:%02d.000Z",%s"pattern":"[ipv4-addr:value = '192.0.2.%d']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}`,
		objectID(n), version/60, version%60, mark, n%256)), stix.DefaultLimits())
	if err != nil {
		panic(err)
	}
	return o
}

func objectID(n int) string {
	return fmt.Sprintf("5c1d2f60-0000-4000-8000-%012x", n)
}

func newCollection(t *testing.T, s *store.Store) taxii.Collection {
	t.Helper()
	c, err := s.AddCollection(t.Context(), store.NewCollection{Title: "Feed " + rand.Text()[:8], DefaultTLP: stix.TLPGreen})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func add(t *testing.T, s taxii.Store, c taxii.Collection, objects ...*stix.Object) {
	t.Helper()
	items := make([]taxii.Item, len(objects))
	for i, o := range objects {
		items[i].Object = o
	}
	status, err := s.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "a", Items: items})
	if err != nil || status.FailureCount > 0 {
		t.Fatalf("Add: %+v, %v", status, err)
	}
}

// fixture is a cached store for the suite.
func fixture(t *testing.T, open database, r *Redis) *storetest.Fixture {
	t.Helper()
	clock := storetest.NewClock()
	f := &storetest.Fixture{Clock: clock}
	var n *node
	start := func(t *testing.T) {
		t.Helper()
		s := open(t, store.Options{Now: clock.Now, Quarantine: store.QuarantineBounds{Rows: storetest.QuarantineRows, Bytes: storetest.QuarantineBytes},
			Submissions: storetest.Submissions, PatternValues: pattern.Values})
		n = newNode(t, s, r)
		f.Store, f.Node = answered{n.Store}, s
	}
	end := func() {
		n.stop()
		if err := n.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	start(t)
	f.Reopen = func(t *testing.T) {
		t.Helper()
		end()
		start(t)
	}
	t.Cleanup(end)
	return f
}
