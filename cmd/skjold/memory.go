package main

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/config"
)

const (
	// collectAt is how much memory may be taken anew before garbage is collected, in percent of what is in use. What is in
	// use is little, and most of it is pages, which cost the collector nothing: at Go's 100 % it would run several times a
	// second for nothing, and take a quarter of the processor.
	collectAt = 400
	// besidePages is the memory that the Go runtime may take beside the ready pages before it collects more often, in octets.
	// SQLite's caches come on top of it.
	besidePages = 144 << 20
	// limitStep is the least change of the limit that is told to the runtime, which stops for it.
	limitStep = 8 << 20
	// limitEvery is how often the limit is made to fit what is being received and sent.
	limitEvery = time.Second
)

// memoryLimit is what the Go runtime may take before it collects more often, in octets; held are the submissions and
// responses that are in memory beside the pages.
func memoryLimit(cfg *config.Config, held int64) int64 {
	base := int64(cfg.Memory.SoftLimit)
	if base == 0 {
		base = int64(cfg.Cache.Size) + besidePages
	}
	return base + held
}

// boundMemory tells the Go runtime how much memory the process may take, until the function that it returns is called. held
// is asked every second. Where the environment has GOGC or GOMEMLIMIT, they stay in force.
func boundMemory(cfg *config.Config, held func() int64) (end func()) {
	undo := func() {}
	if os.Getenv("GOGC") == "" {
		before := debug.SetGCPercent(collectAt)
		undo = func() { debug.SetGCPercent(before) }
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return undo
	}
	before := debug.SetMemoryLimit(memoryLimit(cfg, held()))
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { followMemory(ctx, cfg, held) })
	return func() {
		cancel()
		following.Wait()
		debug.SetMemoryLimit(before)
		undo()
	}
}

// followMemory keeps the limit above what is being received and sent until ctx ends: what is in use can't be collected, and
// a limit below it would have the collector run all the time.
func followMemory(ctx context.Context, cfg *config.Config, held func() int64) {
	tick := time.NewTicker(limitEvery)
	defer tick.Stop()
	told := debug.SetMemoryLimit(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if limit := memoryLimit(cfg, held()); limit >= told+limitStep || limit <= told-limitStep {
			debug.SetMemoryLimit(limit)
			told = limit
		}
	}
}
