package sync

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skjold-exchange/skjold/federation"
)

// started is a Replicator that runs in the test's bubble.
type started struct {
	*rig
	replicator *Replicator
	stop       func() // ends Run and waits for it
}

// start runs a replicator until the test or stop ends it. Call it inside synctest.Test.
func (r *rig) start() *started {
	r.t.Helper()
	replicator, err := New(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- replicator.Run(ctx) }()
	s := &started{rig: r, replicator: replicator}
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	r.t.Cleanup(s.stop)
	synctest.Wait()
	return s
}

// after lets d pass and waits until everything that happens in it has happened.
func after(d time.Duration) {
	time.Sleep(d) // the bubble's clock: no real time passes
	synctest.Wait()
}

func TestRunPullsAtIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.peer.add(identities(0, 12)...)
		defer r.start().stop()
		r.check() // the first pull is at once, all pages and the empty one
		if got := len(r.peer.asked()); got != 3 {
			t.Fatalf("%d requests at the start, want 3", got)
		}
		r.peer.add(identities(12, 14)...)
		after(47 * time.Second)
		if got := len(r.peer.asked()); got != 3 {
			t.Errorf("%d requests before 48 s have passed, want none new", got-3)
		}
		after(26 * time.Second)
		r.check() // 60 s and 20 % have passed
		before := len(r.peer.asked())
		after(time.Hour)
		if n := len(r.peer.asked()) - before; n < 49 || n > 75 {
			t.Errorf("%d requests in an hour without news, want 50 to 75", n)
		}
	})
}

func TestRunFollowsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		sub := r.store.subs[0]
		r.store.subs = nil
		r.peer.add(identities(0, 3)...)
		defer r.start().stop()
		after(time.Minute)
		if n := len(r.peer.asked()); n != 0 {
			t.Fatalf("%d requests without a subscription", n)
		}
		r.store.set(func(s *fakeStore) { s.subs = append(s.subs, sub) })
		after(time.Second)
		r.check()
		// The operator names another collection: the worker begins anew, at once.
		r.store.set(func(s *fakeStore) { s.subs[0].Collection, s.subs[0].Cursor = "indicators", Cursor{} })
		lookups := r.peer.lookedUp()
		after(time.Second)
		if r.peer.lookedUp() != lookups+1 {
			t.Errorf("within a second of the change it was looked up %d times, want once; failures %v", r.peer.lookedUp()-lookups, r.store.failures())
		}
		r.store.set(func(s *fakeStore) { s.subs = nil })
		after(time.Second)
		n := len(r.peer.asked())
		after(time.Hour)
		if got := len(r.peer.asked()); got != n {
			t.Errorf("%d requests after the subscription was removed", got-n)
		}
		// Back again, with the same id.
		r.peer.add(identities(3, 4)...)
		sub = r.store.sub(1)
		r.store.set(func(s *fakeStore) {
			s.subs = []Subscription{{ID: 1, Peer: peerID, Collection: collectionID, Into: localID}}
		})
		after(time.Second)
		r.check()
	})
}

func TestPoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.start()
		defer s.stop()
		r.peer.add(identities(0, 1)...)
		for range 5 {
			s.replicator.Poke() // five pokes are one pull, or two
		}
		synctest.Wait()
		r.check()
		if n := len(r.peer.asked()); n > 4 {
			t.Errorf("%d requests for five pokes", n)
		}
		// A poke ends the pause after failures too.
		r.peer.set(func(p *fakePeer) { p.before = fail(500) })
		after(time.Hour)
		r.peer.set(func(p *fakePeer) { p.before = nil })
		r.peer.add(identities(1, 2)...)
		s.replicator.Poke()
		synctest.Wait()
		r.check()
	})
}

func fail(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, status, "trouble")
		return true
	}
}

// TestBackoffOfRun takes the times of the attempts against a broken peer.
func TestBackoffOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var times []time.Time
		r.peer.before = func(w http.ResponseWriter, _ *http.Request) bool {
			times = append(times, time.Now())
			refuse(w, 500, "trouble")
			return true
		}
		defer r.start().stop()
		after(6 * time.Hour)
		r.peer.set(func(p *fakePeer) { // before times is read
			for i := 1; i < len(times); i++ {
				pause := times[i].Sub(times[i-1])
				low, high := 800*time.Millisecond<<min(i-1, 20), 1400*time.Millisecond<<min(i-1, 20)
				low, high = min(low, maxBackoff), min(high, maxBackoff)
				if pause < low || pause > high {
					t.Errorf("pause %d is %s, want %s to %s", i, pause, low, high)
				}
			}
			if len(times) < 30 {
				t.Errorf("%d attempts in six hours; it must never give up", len(times))
			}
			p.before = nil
		})
		r.peer.add(identities(0, 2)...)
		after(maxBackoff)
		r.check()
		if sub := r.store.sub(1); sub.Failures != 0 || sub.Error != "" {
			t.Errorf("after a success: %d failures, %q", sub.Failures, sub.Error)
		}
		// A success resets the back-off: the next failure is followed by a short pause.
		var again []time.Time
		r.peer.set(func(p *fakePeer) {
			p.before = func(w http.ResponseWriter, _ *http.Request) bool {
				again = append(again, time.Now())
				refuse(w, 500, "trouble")
				return true
			}
		})
		after(2 * time.Minute)
		r.peer.set(func(*fakePeer) {
			if len(again) < 2 || again[1].Sub(again[0]) > 1400*time.Millisecond {
				t.Errorf("after a success and a failure the pauses are those of %v", again)
			}
		})
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.peer.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "120")
			refuse(w, 503, "later")
			return true
		}
		defer r.start().stop()
		after(119 * time.Second)
		if n := len(r.peer.asked()); n != 1 {
			t.Errorf("%d requests before the peer's Retry-After", n)
		}
		after(2 * time.Second)
		if n := len(r.peer.asked()); n != 2 {
			t.Errorf("%d requests after it, want 2", n)
		}
	})
}

func TestBackoffBounds(t *testing.T) {
	for n := 1; n < 100; n++ {
		for range 50 {
			base := firstBackoff << min(n-1, 20)
			low, high := min(base*8/10, maxBackoff), min(base*14/10, maxBackoff)
			if got := backoff(n); got < low || got > high {
				t.Fatalf("backoff(%d) = %s, want %s to %s", n, got, low, high)
			}
		}
	}
}

// TestOneInFlight pokes a slow pull: it is not begun a second time beside itself, and another subscription's pull is not
// held up by it.
func TestOneInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.subs = append(r.store.subs, Subscription{ID: 2, Peer: "https://slow.example", Collection: collectionID, Into: localID})
		inFlight, most, calls := 0, 0, 0
		var mu sync.Mutex
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			inFlight++
			calls++
			most = max(most, inFlight)
			mu.Unlock()
			<-r.Context().Done() // until the client's time-out
			mu.Lock()
			inFlight--
			mu.Unlock()
		})
		fast := r.peer
		r.options.HTTP.Transport = inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "slow.example" {
				slow(w, r)
				return
			}
			fast.ServeHTTP(w, r)
		})}
		r.pins.set("https://slow.example", &federation.Peer{Entity: "https://slow.example", APIRoot: "https://slow.example/taxii2/main/"})
		r.peer.add(identities(0, 3)...)
		s := r.start()
		defer s.stop()
		r.check()
		for range 20 {
			s.replicator.Poke()
			after(10 * time.Second)
		}
		mu.Lock()
		defer mu.Unlock()
		if most != 1 || calls < 2 {
			t.Errorf("%d pulls of one subscription at a time (%d in all), want 1", most, calls)
		}
	})
}

// TestStopInFlight ends Run while a page is under way: it returns, and the interruption is no failure of the peer.
func TestStopInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.peer.before = func(_ http.ResponseWriter, req *http.Request) bool {
			<-req.Context().Done()
			return true
		}
		s := r.start()
		if len(r.peer.asked()) != 1 {
			t.Fatal("no pull is under way")
		}
		began := time.Now()
		s.stop()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("Run went on for %s after its context ended", waited)
		}
		if len(r.store.failures()) != 0 {
			t.Errorf("noted as a failure: %v", r.store.failures())
		}
	})
}

// brokenStore fails to list subscriptions while broken is set.
type brokenStore struct {
	*fakeStore
	mu     sync.Mutex
	broken bool
}

func (s *brokenStore) Subscriptions(ctx context.Context) ([]Subscription, error) {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken {
		return nil, errors.New("the disk is full")
	}
	return s.fakeStore.Subscriptions(ctx)
}

// TestStoreTrouble: a store that fails for a while stops nothing for good.
func TestStoreTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		store := &brokenStore{fakeStore: r.store, broken: true}
		r.options.Store = store
		r.peer.add(identities(0, 3)...)
		defer r.start().stop()
		after(time.Minute)
		store.mu.Lock()
		store.broken = false
		store.mu.Unlock()
		after(time.Second)
		r.check()
		store.mu.Lock()
		store.broken = true
		store.mu.Unlock()
		r.peer.add(identities(3, 5)...)
		after(10 * time.Minute)
		if reasons := strings.Join(r.store.failures(), "\n"); !strings.Contains(reasons, "disk is full") {
			t.Errorf("noted %q", reasons)
		}
		store.mu.Lock()
		store.broken = false
		store.mu.Unlock()
		after(maxBackoff)
		r.check()
	})
}

// TestCrashesWhileRunning lets every third Apply fail, before or after its commit, while the peer publishes.
func TestCrashesWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		every := func(n int) func(int) error {
			return func(apply int) error {
				if apply%n == 0 {
					return errCrash
				}
				return nil
			}
		}
		r.store.before, r.store.after = every(3), every(4)
		s := r.start()
		for n := range 40 {
			r.peer.add(identities(7*n, 7*n+7)...)
			s.replicator.Poke()
			after(3 * time.Second)
		}
		r.store.set(func(s *fakeStore) { s.before, s.after = nil, nil })
		after(time.Hour)
		s.stop()
		r.check()
	})
}
