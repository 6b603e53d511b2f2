package taxii

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// testClock is a clock that a test moves.
type testClock struct{ now time.Time }

func newTestClock() *testClock {
	return &testClock{now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)}
}
func (c *testClock) Now() time.Time { return c.now }

func (c *testClock) advance(d time.Duration) { c.now = c.now.Add(d) }

// TestBucketRate holds the promise of a bucket over random schedules: in no span of time is more taken than the span's
// share and one minute's, who waits as long as told gets it, and who asks at an even pace within the rate never waits.
func TestBucketRate(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		rate := 1 + r.Int64N(1000)
		clock := newTestClock()
		b := newBuckets(clock.Now)
		start, taken := clock.now, 0.0
		for range 500 {
			n := 1 + r.Float64()*float64(rate)/4
			wait := b.take("a", rate, n)
			if wait == 0 {
				taken += n
			} else if r.IntN(2) == 0 {
				clock.advance(wait)
				if again := b.take("a", rate, n); again != 0 {
					t.Fatalf("seed %d: told to wait %s, then %s more", seed, wait, again)
				}
				taken += n
			}
			if most := float64(rate) * (1 + clock.now.Sub(start).Minutes()) * (1 + 1e-9); taken > most {
				t.Fatalf("seed %d: %f taken of %f", seed, taken, most)
			}
			clock.advance(time.Duration(r.ExpFloat64() * float64(10*time.Second)))
		}
		even := time.Duration(float64(time.Minute) / float64(rate) * (1 + 1e-6))
		for i := range 2000 {
			if wait := b.take("even", rate, 1); wait != 0 {
				t.Fatalf("seed %d: request %d at the rate waits %s", seed, i, wait)
			}
			clock.advance(even)
		}
	}
}

func TestBucketDebt(t *testing.T) {
	clock := newTestClock()
	b := newBuckets(clock.Now)
	b.charge("a", 60, 120) // twice what there is
	if wait := b.wait("a", 60, 1); wait != 61*time.Second {
		t.Errorf("wait %s, want 61 s", wait)
	}
	if wait := b.wait("b", 60, 1); wait != 0 {
		t.Errorf("another waits %s", wait)
	}
	clock.advance(61 * time.Second)
	if wait := b.wait("a", 60, 1); wait != 0 {
		t.Errorf("still %s", wait)
	}
	clock.advance(-time.Hour) // a clock that is set back takes nothing away
	if wait := b.wait("a", 60, 1); wait != 0 {
		t.Errorf("%s after the clock was set back", wait)
	}
	clock.advance(2 * time.Hour)
	if wait := b.take("a", 60, 1000); wait != 0 {
		t.Errorf("more than the bucket holds waits %s of a full one", wait)
	}
	if wait := b.wait("a", 6000, 1); wait != 0 {
		t.Errorf("a higher rate leaves a wait of %s", wait)
	}
}

// TestBucketsAreBounded floods the buckets with names: those that still count are kept, and the new ones share one.
func TestBucketsAreBounded(t *testing.T) {
	clock := newTestClock()
	b := newBuckets(clock.Now)
	b.most = 100
	for i := range 1000 {
		b.charge(fmt.Sprint(i), 60, 60)
	}
	if len(b.byName) != b.most {
		t.Errorf("%d buckets, want %d", len(b.byName), b.most)
	}
	for _, name := range []string{"0", "99", "5000"} {
		if b.wait(name, 60, 1) == 0 {
			t.Errorf("%s does not wait", name)
		}
	}
	clock.advance(time.Minute)
	if wait := b.wait("99", 60, 1); wait != 0 {
		t.Errorf("after a minute: %s", wait)
	}
	b.charge("new", 60, 60)
	if len(b.byName) != 1 || b.byName["new"] == nil {
		t.Errorf("%d buckets after a minute, want the new one", len(b.byName))
	}
}

// TestBucketsAreForgotten holds that buckets go when they are full again, so that asking costs nothing while nothing is missing.
func TestBucketsAreForgotten(t *testing.T) {
	clock := newTestClock()
	b := newBuckets(clock.Now)
	for range 10 {
		if b.wait("a", 60, 1); !b.full() {
			t.Fatal("asking alone makes a bucket")
		}
	}
	b.charge("a", 60, 60)
	for range 90 {
		clock.advance(time.Second)
		left := b.wait("a", 60, 60)
		if missing := clock.now.Sub(newTestClock().now) < time.Minute; missing != (left > 0) || missing && b.full() {
			t.Fatalf("after %s: wait %s, full %t", clock.now.Sub(newTestClock().now), left, b.full())
		}
	}
	clock.advance(forgetEvery + 1)
	if b.wait("another", 60, 1); !b.full() {
		t.Error("the bucket is still there although nothing is missing")
	}
}
