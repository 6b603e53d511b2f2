package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/config"
)

const (
	// benchPoll is how often the nodes ask each other, the least that the configuration allows.
	benchPoll = 100 * time.Millisecond
	// hopPatience is how long an object may take to the last node.
	hopPatience = 30 * time.Second
)

// benchFederation measures replication along a chain of three nodes, or in a federation of --nodes.
func benchFederation(ctx context.Context, b *bench) (err error) {
	if b.hopObjects < 1 {
		return usagef("--hops is positive")
	}
	if b.database != "" {
		return usagef("bench federation measures nodes on SQLite; leave --database-file out")
	}
	if b.nodeCount != 0 {
		return benchMany(ctx, b)
	}
	often := func(c *config.Config) {
		c.Federation.PollInterval, c.Federation.AllowPrivateAddresses = benchPoll, true
	}
	var chain []*benchNode
	defer func() {
		for _, n := range chain {
			err = errors.Join(err, n.close())
		}
	}()
	for _, name := range []string{"leaf", "hub", "second-hop", "late"} {
		n, err := b.newNode(ctx, name, "", often)
		if err != nil {
			return err
		}
		chain = append(chain, n)
	}
	leaf, hub, far, late := chain[0], chain[1], chain[2], chain[3]
	if err := errors.Join(hub.follow(ctx, leaf), far.follow(ctx, hub)); err != nil {
		return err
	}
	if err := b.hops(ctx, leaf, far); err != nil {
		return err
	}
	return b.firstSync(ctx, far, late)
}

// hops follows single objects from the answer to their publisher until the last node serves them.
func (b *bench) hops(ctx context.Context, leaf, far *benchNode) error {
	f := newBenchFeed(benchSeed)
	var seconds []float64
	bar := newProgress(b.err, int64(b.hopObjects), false, "following objects")
	defer bar.done()
	for i := range b.hopObjects {
		lots, err := envelopes(f, 1) // TLP:CLEAR, which goes everywhere
		if err != nil {
			return err
		}
		if err := leaf.account().post(ctx, lots[0]); err != nil {
			return err
		}
		took, err := far.holds(ctx, int64(i+1))
		if err != nil {
			return err
		}
		seconds = append(seconds, took.Seconds())
		// Objects are not to meet the nodes' clocks always in the same place.
		if err := benchPause(ctx, time.Duration(f.rng.IntN(int(benchPoll)))); err != nil {
			return err
		}
		bar.add(1)
	}
	b.absolute("publish until pollable two hops away, median", "s", median(seconds), bound{most: 0.3})
	b.absolute("the same, 99 %", "s", percentile(seconds, 0.99), bound{most: 1})
	return nil
}

// holds waits until the node serves so many objects, and returns how long it took.
func (n *benchNode) holds(ctx context.Context, objects int64) (time.Duration, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, hopPatience)
	defer cancel()
	for {
		c, err := n.node.cache.Collection(ctx, n.collection)
		if err == nil && c.Objects >= objects {
			return time.Since(begun), nil
		}
		if err := errors.Join(err, benchPause(ctx, time.Millisecond)); err != nil {
			return 0, fmt.Errorf("waiting for object %d at the last node: %w", objects, err)
		}
	}
}

// benchPause waits.
func benchPause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// firstSync fills a node, and then lets one that has nothing follow it.
func (b *bench) firstSync(ctx context.Context, from, to *benchNode) error {
	lots, err := envelopes(newBenchFeed(benchSeed+2), b.objects)
	if err != nil {
		return err
	}
	published, err := perSecond(b.objects, func() error {
		return inParallel(ctx, 1, len(lots), func(ctx context.Context, i int) error { return from.account().post(ctx, lots[i]) })
	})
	if err != nil {
		return err
	}
	if err := to.follow(ctx, from); err != nil {
		return err
	}
	want := int64(b.hopObjects + b.objects)
	begun := time.Now()
	for {
		c, err := to.node.store.Collection(ctx, to.collection)
		if err != nil {
			return err
		}
		if c.Objects >= want {
			break
		}
		if time.Since(begun) > time.Hour {
			return fmt.Errorf("the new peer had %d of %d objects after an hour", c.Objects, want)
		}
		if err := benchPause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	rate := float64(want) / time.Since(begun).Seconds()
	b.compared("first synchronisation of a peer", "objects/s", "publishing them, 1 publisher", []float64{rate}, []float64{published}, bound{least: 0.5})
	return nil
}
