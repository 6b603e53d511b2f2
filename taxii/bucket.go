package taxii

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// bucket is a token bucket that holds what comes into it in a minute. It begins full.
type bucket struct {
	rate    int64   // what comes in a minute
	missing float64 // what was taken and has not come back; more than the rate where something cost more than was there
	at      time.Time
}

// refill lets come back what did since the last time.
func (b *bucket) refill(now time.Time) {
	if elapsed := now.Sub(b.at); elapsed > 0 {
		b.missing = max(0, b.missing-elapsed.Minutes()*float64(b.rate))
		b.at = now
	}
}

// wait is how long it takes until n are there, or the bucket is full where n is more than it holds; 0 if they are.
func (b *bucket) wait(now time.Time, n float64) time.Duration {
	b.refill(now)
	size := float64(b.rate)
	lacking := b.missing + min(n, size) - size
	if lacking <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(lacking / size * float64(time.Minute)))
}

// take takes n, whether they are there or not.
func (b *bucket) take(now time.Time, n float64) {
	b.refill(now)
	b.missing += n
}

const (
	// maxBuckets is how many callers have a bucket of their own.
	maxBuckets = 1 << 16
	// sweepEvery keeps a flood of new callers from making each of them look through all buckets.
	sweepEvery = time.Second
	// forgetEvery is how often full buckets are forgotten although there is room.
	forgetEvery = time.Minute
)

// buckets are the buckets of callers by name. Those that are full again are forgotten when room is needed, and now and
// then; callers for whom there is none share one. It may be used concurrently.
type buckets struct {
	now  func() time.Time
	most int
	// held is the number of buckets. While it is 0, nothing is missing of anybody's.
	held atomic.Int64

	mu     sync.Mutex
	byName map[string]*bucket
	shared bucket
	swept  time.Time
}

func newBuckets(now func() time.Time) *buckets {
	return &buckets{now: now, most: maxBuckets, byName: make(map[string]*bucket)}
}

// take takes n of a caller's bucket if they are there, and tells otherwise how long that takes.
func (b *buckets) take(name string, rate int64, n float64) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	one := b.of(name, rate, now)
	if wait = one.wait(now, n); wait == 0 {
		one.take(now, n)
	}
	return wait
}

// wait is take without taking anything.
func (b *buckets) wait(name string, rate int64, n float64) time.Duration {
	if b.full() {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if now.Sub(b.swept) > forgetEvery {
		b.sweep(now)
	}
	if b.byName[name] == nil && len(b.byName) < b.most {
		return 0 // it would be full
	}
	return b.of(name, rate, now).wait(now, n)
}

// full reports that every caller's bucket is.
func (b *buckets) full() bool { return b.held.Load() == 0 }

// charge takes n of a caller's bucket even if they are not there: the caller waits longer the next time.
func (b *buckets) charge(name string, rate int64, n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.of(name, rate, now).take(now, n)
}

// of finds a caller's bucket. b.mu is held.
func (b *buckets) of(name string, rate int64, now time.Time) *bucket {
	one := b.byName[name]
	switch {
	case one != nil:
	case len(b.byName) >= b.most && !b.sweep(now):
		one = &b.shared
	default:
		one = &bucket{rate: rate, at: now}
		b.byName[name] = one
		b.held.Store(int64(len(b.byName)))
	}
	if one.rate != rate {
		one.refill(now)
		one.rate = rate
	}
	return one
}

// sweep forgets the buckets that are full, and tells whether there is room then. b.mu is held.
func (b *buckets) sweep(now time.Time) bool {
	if now.Sub(b.swept) < sweepEvery {
		return false
	}
	b.swept = now
	for name, one := range b.byName {
		if one.refill(now); one.missing == 0 {
			delete(b.byName, name)
		}
	}
	b.held.Store(int64(len(b.byName)))
	return len(b.byName) < b.most
}
