package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	stdsync "sync"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// manyHubs is how many nodes are between the centre and the leaves.
	manyHubs = 10
	// manyPatience is how long the nodes may take after the last publication.
	manyPatience = 30 * time.Minute
	// receivedAlias is the collection into which a node takes what comes from above.
	receivedAlias = "received"
)

// many is a federation in this process: a centre, hubs, and leaves below them. What a leaf publishes goes to its hub and to
// the centre, each of which gathers it in its first collection, and from there to another one of every hub and leaf.
type many struct {
	*bench
	members []*manyNode // the centre, the hubs, the leaves

	mu        stdsync.Mutex
	published map[stix.Identifier]time.Time
	delays    []float64 // seconds from an object's publication until it was stored at a node that got it from above
}

// manyNode is a node with what others take from it.
type manyNode struct {
	*benchNode
	below string // id of the collection that goes to the nodes below: what came from above, or at the centre the first one
}

// benchMany measures how a federation keeps up with what is published in it.
func benchMany(ctx context.Context, b *bench) (err error) {
	if b.nodeCount < manyHubs+2 || b.rate < 1 || b.publishFor <= 0 || b.pollEvery < benchPoll {
		return usagef("--nodes is at least %d, --rate and --publish are positive, and --poll is at least %s", manyHubs+2, benchPoll)
	}
	m := &many{bench: b, published: make(map[stix.Identifier]time.Time)}
	defer func() {
		for _, n := range m.members {
			err = errors.Join(err, n.close())
		}
	}()
	if err := m.build(ctx); err != nil {
		return err
	}
	begun, begin, err := timedUsage()
	if err != nil {
		return err
	}
	if err := benchPause(ctx, 2*b.pollEvery+time.Second); err != nil {
		return err
	}
	ended, end, err := timedUsage()
	if err != nil {
		return err
	}
	return m.measure(ctx, end, (end.cpu-begin.cpu)/ended.Sub(begun).Seconds())
}

// build makes the nodes and lets them follow each other.
func (m *many) build(ctx context.Context) error {
	bar := newProgress(m.err, int64(m.nodeCount), false, "making nodes")
	defer bar.done()
	m.applied = m.arrived
	for i := range m.nodeCount {
		if err := m.join(ctx, i); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		bar.add(1)
	}
	return nil
}

// join makes the node with a number, and lets it follow the one above it and that one follow it: 0 is the centre, the hubs
// come next, and leaves are dealt out to them in turn.
func (m *many) join(ctx context.Context, i int) error {
	made, err := m.newNode(ctx, fmt.Sprintf("node-%03d", i), "", func(c *config.Config) {
		c.Federation.PollInterval, c.Federation.AllowPrivateAddresses = m.pollEvery, true
	})
	if err != nil {
		return err
	}
	n := &manyNode{benchNode: made, below: made.collection}
	m.members = append(m.members, n)
	if i == 0 {
		return nil
	}
	above := m.members[0]
	if i > manyHubs {
		above = m.members[1+i%manyHubs]
	}
	received, err := n.node.store.AddCollection(ctx, store.NewCollection{Title: "Received", Alias: receivedAlias, DefaultTLP: stix.TLPGreen})
	if err != nil {
		return err
	}
	n.below = received.ID
	if err := above.follow(ctx, n.benchNode); err != nil { // pins both
		return err
	}
	self, other := federation.EntityID(n.node.cfg.Entity), federation.EntityID(above.node.cfg.Entity)
	if err := above.node.store.AllowPeer(ctx, self, above.below, taxii.Rights{Read: true}, stix.TLPAmber); err != nil {
		return err
	}
	_, err = n.node.store.Subscribe(ctx, sync.Subscription{Peer: other, Collection: above.below, Into: received.ID})
	return err
}

// arrived notes how long objects took that were stored in a collection of those that go down.
func (m *many) arrived(s sync.Subscription, page sync.PulledPage, _ sync.Applied) {
	if !m.goesDown(s) {
		return
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, item := range page.Items {
		if item.Object == nil {
			continue
		}
		if at, ok := m.published[item.Object.ID]; ok {
			m.delays = append(m.delays, now.Sub(at).Seconds())
		}
	}
}

// goesDown tells whether a subscription takes something from above: it names the collection by its id.
func (m *many) goesDown(s sync.Subscription) bool { return s.Collection != firstAlias }

// manyPublishers is how many publish at the same time at most.
const manyPublishers = 32

// publishAll publishes single objects at leaves in turn, at the rate that was asked for if that is possible.
func (m *many) publishAll(ctx context.Context) (objects int, err error) {
	f := newBenchFeed(benchSeed)
	raws := make([][]byte, int(float64(m.rate)*m.publishFor.Seconds()))
	ids := make([]stix.Identifier, len(raws))
	for i := range raws {
		if raws[i], err = f.indicator(stix.TLPGreen); err != nil {
			return 0, err
		}
		o, err := stix.Parse(raws[i], stix.DefaultLimits())
		if err != nil {
			return 0, err
		}
		ids[i] = o.ID
	}
	leaves := m.members[1+manyHubs:]
	bar := newProgress(m.err, int64(len(raws)), false, "publishing")
	defer bar.done()
	begun := time.Now()
	return len(raws), inParallel(ctx, manyPublishers, len(raws), func(ctx context.Context, i int) error {
		if err := benchPause(ctx, time.Until(begun.Add(time.Duration(i)*time.Second/time.Duration(m.rate)))); err != nil {
			return err
		}
		m.mu.Lock()
		m.published[ids[i]] = time.Now()
		m.mu.Unlock()
		bar.add(1)
		return leaves[i%len(leaves)].account().post(ctx, raws[i:i+1])
	})
}

// converged waits until every node has so many objects.
func (m *many) converged(ctx context.Context, objects int64) error {
	ctx, cancel := context.WithTimeout(ctx, manyPatience)
	defer cancel()
	bar := newProgress(m.err, int64(len(m.members)), false, "waiting for nodes")
	defer bar.done()
	for i, n := range m.members {
		for {
			c, err := n.node.store.Collection(ctx, n.below)
			if err == nil && c.Objects == objects {
				break
			}
			if err := errors.Join(err, benchPause(ctx, 50*time.Millisecond)); err != nil {
				return fmt.Errorf("node %d has %d objects of %d: %w", i, c.Objects, objects, err)
			}
		}
		bar.add(1)
	}
	return nil
}

// measure publishes, waits until every node has everything, and tells what it took. before is what the process had used
// when it began, and resting how many CPUs it used while nothing was published.
func (m *many) measure(ctx context.Context, before processUsage, resting float64) error {
	begun := time.Now()
	objects, err := m.publishAll(ctx)
	if err != nil {
		return err
	}
	publishing := time.Since(begun)
	if err := m.converged(ctx, int64(objects)); err != nil {
		return err
	}
	ended, after, err := timedUsage()
	if err != nil {
		return err
	}
	all := ended.Sub(begun)
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, nodes := float64(len(m.delays)), float64(len(m.members))
	m.note("%d nodes that ask every %s; %d objects published at %d of them in %s", len(m.members), m.pollEvery, objects, len(m.members)-1-manyHubs, publishing.Round(time.Second))
	m.absolute("published", "objects/s", float64(objects)/publishing.Seconds(), bound{})
	m.absolute("publication until stored at a node, median", "s", median(m.delays), bound{})
	m.absolute("the same, 99 %", "s", percentile(m.delays, 0.99), bound{})
	m.absolute("last publication until every node has everything", "s", (all - publishing).Seconds(), bound{})
	m.absolute("stored at all nodes together", "objects/s", stored/all.Seconds(), bound{})
	m.absolute("CPU time for an object at a node", "ms", 1000*(after.cpu-before.cpu-resting*all.Seconds())/stored, bound{})
	m.absolute("CPUs used while nothing is published", "CPUs", resting, bound{})
	m.absolute("CPUs used until every node has everything", "CPUs", (after.cpu-before.cpu)/all.Seconds(), bound{})
	m.absolute("resident memory for each node, nothing published", "MB", before.resident/nodes, bound{})
	m.absolute("resident memory for each node, the most", "MB", after.peak/nodes, bound{})
	return nil
}

// processUsage is what this process has used of the machine.
type processUsage struct {
	cpu            float64 // seconds, in user and system mode
	resident, peak float64 // MB of 10⁶ octets
}

// clockTicks is how many there are to a second in /proc (Linux).
const clockTicks = 100

// timedUsage reads what the process has used until now, from /proc (Linux).
func timedUsage() (now time.Time, u processUsage, err error) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return now, u, fmt.Errorf("what the nodes use can't be told on this system: %w", err)
	}
	now = time.Now()
	_, rest, _ := strings.Cut(string(text), ") ") // the program's name may have spaces
	fields := strings.Fields(rest)
	const user, system = 11, 12
	if len(fields) <= system {
		return now, u, errors.New("/proc/self/stat is not as proc(5) says")
	}
	for _, i := range []int{user, system} {
		ticks, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return now, u, err
		}
		u.cpu += ticks / clockTicks
	}
	u.resident, u.peak, err = residentMemory(os.Getpid())
	return now, u, err
}
