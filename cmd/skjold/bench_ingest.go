package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
)

// singlePosts is how many objects are posted alone in a round over one connection; over many it is more.
const singlePosts = 200

// benchIngest measures publishing.
func benchIngest(ctx context.Context, b *bench) (err error) {
	database, err := b.databaseURL()
	if err != nil {
		return err
	}
	n, err := b.newNode(ctx, "ingest", database, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	raw, err := store.OpenRawLog(ctx, store.Options{Dir: filepath.Join(b.work, "raw"), URL: database})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	if err := b.ingestEnvelopes(ctx, n.account(), raw); err != nil {
		return err
	}
	return b.ingestSingle(ctx, n.account())
}

// ingestEnvelopes posts --objects objects in rounds, and puts the same into the bare table. One publisher waits for each
// answer; then several post at the same time.
func (b *bench) ingestEnvelopes(ctx context.Context, access benchAccess, raw *store.RawLog) error {
	const several = 4
	perRound := max(benchEnvelope, b.objects/b.rounds/2)
	f := newBenchFeed(benchSeed)
	var one, many, bare []float64
	bar := newProgress(b.err, int64(b.rounds), false, "posting envelopes")
	defer bar.done()
	for range b.rounds {
		for _, publishers := range []int{1, several} {
			lots, err := envelopes(f, perRound)
			if err != nil {
				return err
			}
			rate, err := perSecond(perRound, func() error {
				return inParallel(ctx, publishers, len(lots), func(ctx context.Context, i int) error { return access.post(ctx, lots[i]) })
			})
			if err != nil {
				return err
			}
			if publishers == 1 {
				one = append(one, rate)
			} else {
				many = append(many, rate)
				continue
			}
			rate, err = insertBare(ctx, raw, lots)
			if err != nil {
				return err
			}
			bare = append(bare, rate)
		}
		bar.add(1)
	}
	const yardstick = "the engine's bare inserts"
	b.compared("envelopes of 1,000, 1 publisher", "objects/s", yardstick, one, bare, bound{least: 0.6})
	b.compared(fmt.Sprintf("envelopes of 1,000, %d publishers", several), "objects/s", yardstick, many, bare, bound{least: 0.6})
	return nil
}

// insertBare puts lots into the bare table, a durable transaction for each.
func insertBare(ctx context.Context, raw *store.RawLog, lots [][][]byte) (float64, error) {
	ids, total := make([][]string, len(lots)), 0
	for i, lot := range lots {
		for _, text := range lot {
			o, err := stix.Parse(text, stix.DefaultLimits())
			if err != nil {
				return 0, err
			}
			ids[i] = append(ids[i], string(o.ID))
		}
		total += len(lot)
	}
	return perSecond(total, func() error {
		for i, lot := range lots {
			if err := raw.Append(ctx, ids[i], lot); err != nil {
				return err
			}
		}
		return nil
	})
}

// ingestSingle posts objects one by one.
func (b *bench) ingestSingle(ctx context.Context, access benchAccess) error {
	f := newBenchFeed(benchSeed + 1)
	rates := map[int][]float64{}
	bar := newProgress(b.err, int64(b.rounds), false, "posting single objects")
	defer bar.done()
	for range b.rounds {
		for _, connections := range []int{1, b.connections} {
			posts := singlePosts * min(connections, 8)
			lots, err := envelopes(f, posts)
			if err != nil {
				return err
			}
			var flat [][]byte
			for _, lot := range lots {
				flat = append(flat, lot...)
			}
			rate, err := perSecond(posts, func() error {
				return inParallel(ctx, connections, posts, func(ctx context.Context, i int) error { return access.post(ctx, flat[i:i+1]) })
			})
			if err != nil {
				return err
			}
			rates[connections] = append(rates[connections], rate)
		}
		bar.add(1)
	}
	b.compared(fmt.Sprintf("single objects, %d connections", b.connections), "objects/s", "1 connection", rates[b.connections], rates[1], bound{least: 8})
	return nil
}

// perSecond is how many of n things a second were done.
func perSecond(n int, do func() error) (float64, error) {
	begun := time.Now()
	err := do()
	return float64(n) / time.Since(begun).Seconds(), err
}
