package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	fedsync "github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestKillDuringReplication kills two nodes, each a process of its own, at random moments with kill -9 while one is
// published to and deleted from, and the other pulls. In the end everything is as the publishers were told, the other node
// has all of it that it may have, and whoever followed either got every version once and in order. SKJOLD_TEST_KILLS sets
// the number of kills.
func TestKillDuringReplication(t *testing.T) {
	t.Parallel()
	kills := variable(t, killsVariable, 6)
	seed := uint64(variable(t, seedVariable, time.Now().UnixNano()>>10))
	t.Logf("%s=%d", seedVariable, seed)
	rng := rand.New(rand.NewPCG(seed, 1))

	a, madeA := newNodeDir(t, "a")
	b, madeB := newNodeDir(t, "b")
	introduce(t, a, b, madeA, madeB)
	dirs := []dataDir{a, b}
	running := []*process{startProcess(t, a, hurried...), startProcess(t, b, hurried...)}
	c := &crew{t: t, world: newWorld(seed), collection: madeA.Collection, seed: seed, clients: []*taxii.Client{clientOf(t, running[0].url, madeA)}}
	copies := &crew{t: t, world: c.world, collection: madeB.Collection, seed: seed + 1, clients: []*taxii.Client{clientOf(t, running[1].url, madeB)}, elsewhere: true}
	finish, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(kills)*5*time.Second)
	defer cancel()
	ctx, stop := context.WithCancel(finish)
	defer stop()
	c.publishers(ctx, finish)
	c.follow(ctx)
	copies.follow(ctx)
	for range kills {
		pause(time.Duration(30+rng.IntN(500)) * time.Millisecond)
		i := rng.IntN(2)
		running[i].kill()
		running[i] = startProcess(t, dirs[i], hurried...)
		if t.Failed() {
			break
		}
	}
	stop()
	c.settle(finish)
	held := checkDir(t, a, c)
	var copied map[versionName]string
	eventually(t, 2*time.Minute, func() error {
		st := openDirStore(t, b)
		defer st.Close()
		var err error
		if copied, err = everything(t.Context(), st, madeB.Collection); err != nil {
			return err
		}
		for name, raw := range held {
			if _, ok := copied[name]; !ok && seenByPeers(raw) {
				return fmt.Errorf("the second node holds %d objects of the %d of the first, and not %s", len(copied), len(held), name)
			}
		}
		return nil
	})
	copies.settle(finish)
	for _, p := range running {
		p.kill()
	}
	for name, raw := range copied {
		if c.world.raw(name) != raw {
			t.Errorf("%s arrived changed: %s", name, raw)
		}
	}
	st := openDirStore(t, b)
	if findings, err := st.Verify(t.Context()); err != nil || len(findings) > 0 {
		t.Errorf("verify at the second node: %v, %v", findings, err)
	}
	t.Logf("%d kills: %s; %d versions held by the first, %d by the second", kills, c, len(held), len(copied))
}

// checkDir is checkHeld for a data directory, beside a process that may be running.
func checkDir(t *testing.T, dir dataDir, c *crew) map[versionName]string {
	t.Helper()
	st := openDirStore(t, dir)
	defer st.Close()
	return checkHeld(t, st, c)
}

func pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// newNodeDir makes a node for a process of its own.
func newNodeDir(t *testing.T, name string) (dataDir, initJSON) {
	t.Helper()
	address := "127.0.0.1:" + freePort(t)
	dir := dataDir(filepath.Join(t.TempDir(), name))
	made, err := initialise(t.Context(), dir, initOptions{entity: "http://" + address, listen: address, defaultTLP: stix.TLPGreen})
	if err != nil {
		t.Fatal(err)
	}
	return dir, made
}

// openDirStore opens a node's store beside a running process.
func openDirStore(t *testing.T, dir dataDir) *store.Store {
	t.Helper()
	cfg, err := config.Load(config.LoadOptions{File: dir.config(), Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	st, err := openStore(t.Context(), dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// introduce lets b pull from a.
func introduce(t *testing.T, a, b dataDir, madeA, madeB initJSON) {
	t.Helper()
	sa, sb := openDirStore(t, a), openDirStore(t, b)
	pin(t, sa, b, madeB)
	pin(t, sb, a, madeA)
	if err := sa.AllowPeer(t.Context(), federation.EntityID(madeB.Entity), madeA.Collection, taxii.Rights{Read: true}, stix.TLPGreen); err != nil {
		t.Fatal(err)
	}
	_, err := sb.Subscribe(t.Context(), fedsync.Subscription{Peer: federation.EntityID(madeA.Entity), Collection: firstAlias, Into: madeB.Collection, Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
}

// pin pins a node, with its own keys, in the store of another.
func pin(t *testing.T, at *store.Store, dir dataDir, made initJSON) {
	t.Helper()
	keys, err := federation.LoadKeys(dir.keys())
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := publicKeys(keys.Request)
	if err != nil {
		t.Fatal(err)
	}
	p := federation.Peer{Entity: federation.EntityID(made.Entity), JWKS: jwks, APIRoot: made.APIRoot, Added: time.Now()}
	if err := at.AddPeer(t.Context(), p, false); err != nil {
		t.Fatal(err)
	}
}

// holdings reads everything that a data directory holds, by id, and checks the invariants of the store.
func holdings(t *testing.T, dir dataDir) map[string]string {
	t.Helper()
	st := openDirStore(t, dir)
	defer st.Close()
	problems, err := st.Verify(t.Context())
	if err != nil || len(problems) > 0 {
		t.Fatalf("verify: %v %v", problems, err)
	}
	c, err := st.FindCollection(t.Context(), firstAlias)
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	q := taxii.Query{Collection: c.ID, Limit: 5000, Version: taxii.VersionMatch{All: true}, Bytes: true}
	for {
		page, err := st.Entries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if _, twice := held[string(e.ID)]; twice {
				t.Fatalf("%s is held twice", e.ID)
			}
			if !json.Valid(e.Raw) {
				t.Fatalf("%s is no JSON: %.100q", e.ID, e.Raw)
			}
			held[string(e.ID)] = string(e.Raw)
			q.After = e.DateAdded
		}
		if !page.More {
			return held
		}
	}
}
