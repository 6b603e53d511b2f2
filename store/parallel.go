package store

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// parallelShare is the least work that is worth a goroutine of its own: as many objects take about as long to read as
// a millisecond.
const parallelShare = 64

// inShares calls work for ranges of n things that cover them all, in goroutines of which there are at most as many as
// processors, and returns when all have ended. A panic of one of them is the caller's: whoever serves the request recovers
// from it.
func inShares(n int, work func(from, to int)) {
	workers := min(runtime.GOMAXPROCS(0), n/parallelShare)
	if workers < 2 {
		work(0, n)
		return
	}
	var next atomic.Int64
	var failed atomic.Pointer[string]
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					text := fmt.Sprintf("%v\n%s", p, debug.Stack())
					failed.Store(&text)
				}
			}()
			for from := int(next.Add(parallelShare)) - parallelShare; from < n; from = int(next.Add(parallelShare)) - parallelShare {
				work(from, min(n, from+parallelShare))
			}
		})
	}
	working.Wait()
	if text := failed.Load(); text != nil {
		panic(*text)
	}
}
