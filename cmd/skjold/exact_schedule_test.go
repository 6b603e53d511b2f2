package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// Environment variables of the tests of exactness and durability.
const (
	// schedulesVariable is how many schedules TestExactSchedules runs.
	schedulesVariable = "SKJOLD_TEST_SCHEDULES"
	// seedVariable, where it is set, is the seed of the first schedule: with one schedule, it replays one that failed.
	seedVariable = "SKJOLD_TEST_SEED"
	// killsVariable is how often the tests that kill processes do so.
	killsVariable = "SKJOLD_TEST_KILLS"
)

// variable reads a number from the environment.
func variable(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestExactSchedules runs random schedules against a node's HTTP handler and its store in this process: publishers,
// followers by next and by date, requests that are sent again, deletions, restarts and crashes. Every follower gets every
// version once and in order, and what a publisher was told is stored is stored.
//
// A crash leaves the database as a crash of the machine may: what was acknowledged before is in it, and of what was written
// after, a part that ends anywhere. A schedule follows from its seed, but for the order in which concurrent requests run.
func TestExactSchedules(t *testing.T) {
	t.Parallel()
	few := int64(25)
	if raceDetector {
		few = 5
	}
	count := variable(t, schedulesVariable, few)
	first := variable(t, seedVariable, time.Now().UnixNano()>>10)
	mould := newMould(t)
	var next, finished atomic.Int64
	var total tally
	var workers sync.WaitGroup
	begun := time.Now()
	for range min(count, int64(runtime.GOMAXPROCS(0))) {
		workers.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= count || t.Failed() {
					return
				}
				seed := first + i
				done, err := mould.run(t.Context(), uint64(seed))
				total.add(done)
				if n := finished.Add(1); n%500 == 0 {
					t.Logf("%d of %d schedules: %s", n, count, &total)
				}
				if err != nil {
					t.Errorf("%s=%d %s=1 replays this schedule: %v", seedVariable, seed, schedulesVariable, err)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d schedules from seed %d in %s: %s", count, first, time.Since(begun).Round(time.Millisecond), &total)
}

// tally counts what schedules did.
type tally struct{ requests, objects, given, deleted, refused, crashes, restarts, compactions atomic.Int64 }

func (a *tally) add(b *tally) {
	for _, f := range []struct{ sum, n *atomic.Int64 }{
		{&a.requests, &b.requests}, {&a.objects, &b.objects}, {&a.given, &b.given}, {&a.deleted, &b.deleted}, {&a.refused, &b.refused},
		{&a.crashes, &b.crashes}, {&a.restarts, &b.restarts}, {&a.compactions, &b.compactions},
	} {
		f.sum.Add(f.n.Load())
	}
}

func (a *tally) String() string {
	return fmt.Sprintf("%d requests, %d crashes, %d restarts, %d compactions, %d versions stored, %d deletions, %d versions refused, %d versions given to followers",
		a.requests.Load(), a.crashes.Load(), a.restarts.Load(), a.compactions.Load(), a.objects.Load(), a.deleted.Load(), a.refused.Load(), a.given.Load())
}

// mould is a data directory that schedules begin from: a node that a peer may read green objects of, and whose first
// collection lets go of superseded versions.
type mould struct {
	dir    dataDir
	made   initJSON
	peer   federation.EntityID
	key    *jose.Key // the peer's request key
	copies string    // the directory of the schedules' copies
}

func newMould(t *testing.T) *mould {
	t.Helper()
	p := &mould{copies: t.TempDir(), dir: dataDir(filepath.Join(t.TempDir(), "pattern"))}
	var err error
	p.made, err = initialise(t.Context(), p.dir, initOptions{entity: "http://127.0.0.1:9009", listen: "127.0.0.1:9009", defaultTLP: stix.TLPGreen})
	if err != nil {
		t.Fatal(err)
	}
	dir := dataDir(filepath.Join(t.TempDir(), "peer"))
	peer, err := initialise(t.Context(), dir, initOptions{entity: "http://127.0.0.1:9010", listen: "127.0.0.1:9010", defaultTLP: stix.TLPGreen})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := federation.LoadKeys(dir.keys())
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := publicKeys(keys.Request)
	if err != nil {
		t.Fatal(err)
	}
	p.peer, p.key = federation.EntityID(peer.Entity), keys.Request
	st := openDirStore(t, p.dir)
	err = st.AddPeer(t.Context(), federation.Peer{Entity: p.peer, JWKS: jwks, APIRoot: peer.APIRoot, Added: time.Now()}, false)
	if err == nil {
		err = st.AllowPeer(t.Context(), p.peer, p.made.Collection, taxii.Rights{Read: true}, stix.TLPGreen)
	}
	if err == nil {
		err = st.SetRetention(t.Context(), p.made.Collection, store.Retention{Superseded: time.Hour})
	}
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	return p
}

// run is one schedule.
func (p *mould) run(ctx context.Context, seed uint64) (*tally, error) {
	s := &schedule{
		mould: p, rng: rand.New(rand.NewPCG(seed, 0x7363686564)), world: newWorld(seed), door: new(door),
		at: dataDir(filepath.Join(p.copies, strconv.FormatUint(seed, 10)+"-0")),
	}
	err := s.prepare(ctx)
	if err == nil {
		err = s.steps(ctx)
	}
	if err == nil {
		err = s.finish(ctx)
	}
	if s.stop != nil {
		err = errors.Join(err, s.stop())
	}
	for _, f := range s.followers {
		s.given.Add(int64(len(f.order)))
	}
	s.refused.Add(int64(s.world.refused))
	return &s.tally, errors.Join(err, os.RemoveAll(string(s.at)))
}
