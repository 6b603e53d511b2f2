package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestSameAnswers reads random pages from two processes while both write, and holds every answer against the store's own:
// where nothing was written meanwhile, the bytes are the same. With a real Redis that is slow, gone, flushed and full of
// garbage in turn.
func TestSameAnswers(t *testing.T) {
	for _, d := range databases {
		for _, withRedis := range []bool{false, true} {
			name := d.name + ", memory"
			if withRedis {
				name = d.name + ", failing Redis"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				testSameAnswers(t, d.open(t), withRedis)
			})
		}
	}
}

func testSameAnswers(t *testing.T, open database, withRedis bool) {
	var r *Redis
	var faults func(*rand.Rand)
	if withRedis {
		r, faults = faultyRedis(t)
	}
	var nodes []*node
	for range 2 {
		s := open(t, store.Options{})
		n := newNode(t, s, r)
		t.Cleanup(func() {
			n.stop()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes = append(nodes, n)
	}
	c := newCollection(t, nodes[0].store)
	const seed, writes = 7, 60
	var writing, reading sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for i, n := range nodes {
		writing.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for range writes {
				if err := writeRandom(ctx, n, c, random); err != nil {
					t.Errorf("writing: %v", err)
					return
				}
				if faults != nil && random.IntN(10) == 0 {
					faults(random)
				}
			}
		})
	}
	same := make([]int, 2*len(nodes))
	for i := range same {
		n := nodes[i%len(nodes)]
		reading.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(100+i)))
			for ctx.Err() == nil {
				compared, err := compare(t.Context(), n, c, random)
				if err != nil {
					t.Errorf("reading: %v", err)
					return
				}
				if compared {
					same[i]++
				}
			}
		})
	}
	writing.Wait()
	stop()
	reading.Wait()
	// Now that nothing is written, every answer can be compared.
	random := rand.New(rand.NewPCG(seed, 1000))
	for i := range 160 {
		if faults != nil && i%40 == 0 {
			faults(random)
		}
		if compared, err := compare(t.Context(), nodes[i%len(nodes)], c, random); err != nil || !compared {
			t.Fatalf("at rest: compared %v, %v", compared, err)
		}
	}
	t.Logf("answers compared while others wrote: %v", same)
	for _, n := range nodes {
		if n.metric(t, "skjold_cache_answers_total", fromMemory) == 0 {
			t.Error("no answer came from memory")
		}
	}
}

// compare asks a process and its store for a random page; false if somebody wrote meanwhile, so that both may be right.
func compare(ctx context.Context, n *node, c taxii.Collection, random *rand.Rand) (bool, error) {
	before, err := n.store.Collection(ctx, c.ID)
	if err != nil {
		return false, err
	}
	level := stix.TLP(random.IntN(6))
	q := taxii.Query{
		Collection: c.ID, Limit: 1 + random.IntN(12), Bytes: random.IntN(4) > 0,
		Visible: func(m stix.MarkingSet, unknown bool) bool { return !unknown && m.TLP <= level },
		Version: []taxii.VersionMatch{{Last: true}, {All: true}, {First: true}, {First: true, Last: true}}[random.IntN(4)],
	}
	if span := int64(before.Last - before.Created); span > 0 && random.IntN(3) > 0 {
		q.After = before.Created + taxii.DateAdded(random.Int64N(span+2))
	}
	if random.IntN(3) == 0 { // a page's place in a walk, which others ask for too
		p, err := n.store.Entries(ctx, taxii.Query{Collection: c.ID, Limit: 5 * (1 + random.IntN(8)), Version: taxii.VersionMatch{All: true}})
		if err != nil {
			return false, err
		}
		if len(p.Entries) > 0 {
			q.After, q.Limit = p.Entries[len(p.Entries)-1].DateAdded, 5
		}
	}
	if random.IntN(5) == 0 {
		q.IDs = []stix.Identifier{indicator(random.IntN(40), 1, 0).ID}
	}
	if random.IntN(6) == 0 {
		q.MaxBytes = int64(1 + random.IntN(2000))
	}
	n.clock.advance(maxAge) // the other process's writes are seen
	a, err := n.Answer(ctx, requestOf(q))
	if err != nil {
		return false, err
	}
	again, err := n.Answer(ctx, requestOf(q)) // from memory, if nothing happens
	if err != nil {
		return false, err
	}
	want, err := n.store.Entries(ctx, q)
	if err != nil {
		return false, err
	}
	after, err := n.store.Collection(ctx, c.ID)
	if err != nil || before.State() != after.State() {
		return false, err
	}
	want = want.Within(maxBytes(q))
	if again.Tag != a.Tag || again.Objects != a.Objects {
		return true, fmt.Errorf("%+v: asked again, %d objects instead of %d", q, again.Objects, a.Objects)
	}
	body, err := plain(a)
	if err != nil || a.Objects != len(want.Entries) {
		return true, fmt.Errorf("%+v: %d objects, %w; the store has %d", q, a.Objects, err, len(want.Entries))
	}
	if a.Objects == 0 {
		return true, nil
	}
	rendered, err := renderGob(want)
	if err == nil && string(rendered) != string(body) {
		got, _ := pageOf(a)
		err = fmt.Errorf("%+v: the answer has %d octets (%d objects, more %v), the store's page %d (%d, %v)",
			q, len(body), len(got.Entries), got.More, len(rendered), len(want.Entries), want.More)
	}
	return true, err
}

// writeRandom adds new objects, new versions of them in other levels and orders, and deletes some.
func writeRandom(ctx context.Context, n *node, c taxii.Collection, random *rand.Rand) error {
	if random.IntN(6) == 0 {
		d := taxii.Deletion{Collection: c.ID, ID: indicator(random.IntN(40), 1, 0).ID, Version: taxii.VersionMatch{First: true}}
		if _, err := n.Delete(ctx, d); err != nil && !errors.Is(err, taxii.ErrNotFound) {
			return err
		}
		return nil
	}
	var items []taxii.Item
	for range 1 + random.IntN(6) {
		number, version := random.IntN(40), random.IntN(60)
		level := stix.TLP((number + version/20) % 6) // of one version always the same
		items = append(items, taxii.Item{Object: indicator(number, version, level)})
	}
	_, err := n.Add(ctx, taxii.Submission{Collection: c.ID, Account: "w", Items: items})
	return err
}

// faultyRedis is a Redis behind a proxy, and what makes one fault or another, or none.
func faultyRedis(t *testing.T) (*Redis, func(*rand.Rand)) {
	t.Helper()
	r := redisServer(t)
	direct := r.client()
	t.Cleanup(func() { direct.Close() })
	p := newProxy(t, r.Addresses[0], faultNone)
	behind := *r
	behind.Addresses = []string{p.address()}
	return &behind, func(random *rand.Rand) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		switch random.IntN(6) {
		case 0:
			p.fault.Store(faultSlow)
		case 1:
			p.fault.Store(faultGone)
		case 2:
			p.fault.Store(faultGarbage)
		case 3:
			p.fault.Store(faultNone)
			for _, key := range keysOf(ctx, direct) {
				direct.Del(ctx, key) // as a flush does, without those of others
			}
		case 4:
			p.fault.Store(faultNone)
			for _, key := range keysOf(ctx, direct) {
				spoil(ctx, direct, key, random)
			}
		default:
			p.fault.Store(faultNone)
		}
	}
}

func keysOf(ctx context.Context, client redis.UniversalClient) []string {
	keys, _ := client.Keys(ctx, prefix+"*").Result()
	slices.Sort(keys)
	return keys
}

// spoil puts garbage in the place of a value: noise, a part of it, one octet changed, or the value of another key.
func spoil(ctx context.Context, client redis.UniversalClient, key string, random *rand.Rand) {
	value, err := client.Get(ctx, key).Bytes()
	if err != nil || len(value) == 0 {
		return
	}
	switch random.IntN(5) {
	case 0:
		value = []byte("garbage")
	case 1:
		value = value[:random.IntN(len(value))]
	case 2:
		value[random.IntN(len(value))] ^= byte(1 + random.IntN(255))
	case 3:
		client.Rename(ctx, key, key[:len(key)-1]+"0")
		return
	case 4:
		client.Del(ctx, key)
		client.LPush(ctx, key, "a list")
		return
	}
	client.Set(ctx, key, value, time.Minute)
}
