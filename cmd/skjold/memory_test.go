package main

import (
	"math"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skjold-exchange/skjold/config"
)

// gcPercent reads what debug.SetGCPercent was told last.
func gcPercent() int {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent
}

// TestBoundMemory holds that the limit follows the configuration and what is held, that the environment goes first, and that
// all is as before in the end.
func TestBoundMemory(t *testing.T) {
	const mib = 1 << 20
	tests := []struct {
		name       string
		env        map[string]string
		cfg        config.Config
		percent    int
		limit      int64 // at first, 0 for none
		limitLater int64 // with 100 MiB held
	}{
		{"derived", nil, config.Config{Cache: config.Cache{Size: 128 * mib}}, collectAt, 272 * mib, 372 * mib},
		{"larger cache", nil, config.Config{Cache: config.Cache{Size: 1024 * mib}}, collectAt, 1168 * mib, 1268 * mib},
		{"configured", nil, config.Config{Cache: config.Cache{Size: 128 * mib}, Memory: config.Memory{SoftLimit: 512 * mib}}, collectAt, 512 * mib, 612 * mib},
		{"GOMEMLIMIT", map[string]string{"GOMEMLIMIT": "1GiB"}, config.Config{}, collectAt, 0, 0},
		{"GOGC", map[string]string{"GOGC": "50"}, config.Config{Cache: config.Cache{Size: 128 * mib}}, 0, 272 * mib, 372 * mib},
	}
	percent, limit := gcPercent(), debug.SetMemoryLimit(-1)
	or := func(n, otherwise int64) int64 {
		if n == 0 {
			return otherwise
		}
		return n
	}
	for _, tt := range tests {
		for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
			t.Setenv(name, tt.env[name]) // the process has read its own at the start
		}
		synctest.Test(t, func(t *testing.T) {
			var held atomic.Int64
			end := boundMemory(&tt.cfg, held.Load)
			look := func(when string, want int64) {
				if got := debug.SetMemoryLimit(-1); got != or(want, limit) {
					t.Errorf("%s: the limit is %d MiB %s, want %d MiB", tt.name, got/mib, when, or(want, limit)/mib)
				}
			}
			if got := gcPercent(); got != int(or(int64(tt.percent), int64(percent))) {
				t.Errorf("%s: %d %% of garbage", tt.name, got)
			}
			look("at first", tt.limit)
			for _, s := range []struct{ held, want int64 }{{100 * mib, tt.limitLater}, {100*mib + limitStep - 1, tt.limitLater}, {0, tt.limit}} {
				held.Store(s.held)
				time.Sleep(limitEvery + 1)
				synctest.Wait()
				look("while something is held", s.want)
			}
			held.Store(math.MaxInt32)
			end()
			look("in the end", 0)
		})
		if got := gcPercent(); got != percent {
			t.Errorf("%s: %d %% of garbage in the end, %d before", tt.name, got, percent)
		}
	}
}
