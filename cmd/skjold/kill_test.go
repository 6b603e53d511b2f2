package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
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
// published to and the other pulls. In the end every acknowledged object is at both, once and byte for byte.
// SKJOLD_TEST_KILLS sets the number of kills.
func TestKillDuringReplication(t *testing.T) {
	t.Parallel()
	kills := 6
	if v := os.Getenv("SKJOLD_TEST_KILLS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("SKJOLD_TEST_KILLS: %v", err)
		}
		kills = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))

	a, madeA := newNodeDir(t, "a")
	b, madeB := newNodeDir(t, "b")
	introduce(t, a, b, madeA, madeB)
	fast := "SKJOLD_FEDERATION_POLL_INTERVAL=100ms"
	processes := map[dataDir]*process{a: startProcess(t, a, fast), b: startProcess(t, b, fast)}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var publishing sync.WaitGroup
	acknowledged := map[string]string{} // by id, what the publisher was told is stored
	publishing.Go(func() { publishThroughKills(ctx, t, madeA, seed, acknowledged) })
	for range kills {
		victim := []dataDir{a, b}[rng.IntN(2)]
		pause(time.Duration(50+rng.IntN(700)) * time.Millisecond)
		processes[victim].kill()
		processes[victim] = startProcess(t, victim, fast)
	}
	stop()
	publishing.Wait()
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged, so nothing was tested")
	}

	held := holdings(t, a)
	for id, raw := range acknowledged {
		if held[id] != raw {
			t.Errorf("the publisher was told that %s is stored; the node holds %q", id, held[id])
		}
	}
	// What was stored without the acknowledgement reaching the publisher is there too; both nodes agree on everything.
	eventually(t, 2*time.Minute, func() error {
		if got := len(holdings(t, b)); got != len(held) {
			return fmt.Errorf("the second node holds %d of %d objects", got, len(held))
		}
		return nil
	})
	for _, p := range processes {
		p.kill()
	}
	for id, raw := range holdings(t, b) {
		if held[id] != raw {
			t.Errorf("%s arrived changed", id)
		}
	}
	t.Logf("%d kills, %d objects acknowledged, %d held by both", kills, len(acknowledged), len(held))
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
	for _, pin := range []struct {
		at   *store.Store
		dir  dataDir
		made initJSON
	}{{sa, b, madeB}, {sb, a, madeA}} {
		keys, err := federation.LoadKeys(pin.dir.keys())
		if err != nil {
			t.Fatal(err)
		}
		jwks, err := publicKeys(keys.Request)
		if err != nil {
			t.Fatal(err)
		}
		p := federation.Peer{Entity: federation.EntityID(pin.made.Entity), JWKS: jwks, APIRoot: pin.made.APIRoot, Added: time.Now()}
		if err := pin.at.AddPeer(t.Context(), p, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := sa.AllowPeer(t.Context(), federation.EntityID(madeB.Entity), madeA.Collection, taxii.Rights{Read: true}, stix.TLPGreen); err != nil {
		t.Fatal(err)
	}
	_, err := sb.Subscribe(t.Context(), fedsync.Subscription{Peer: federation.EntityID(madeA.Entity), Collection: firstAlias, Into: madeB.Collection, Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
}

// publishThroughKills publishes batch after batch until the context ends, and notes what was acknowledged. Requests that
// fail because the node was killed are lost on purpose: nothing was promised for them.
func publishThroughKills(ctx context.Context, t *testing.T, made initJSON, seed uint64, acknowledged map[string]string) {
	client, err := taxii.NewClient(taxii.ClientOptions{URL: made.APIRoot, User: made.User, Password: made.Password, Retries: -1})
	if err != nil {
		t.Error(err)
		return
	}
	f := newFeed(seed, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for ctx.Err() == nil {
		var batch [][]byte
		byID := map[string]string{}
		for range 20 {
			raw, err := f.indicator(stix.TLPGreen)
			if err != nil {
				t.Error(err)
				return
			}
			batch = append(batch, raw)
			id, _ := stix.Identity(raw)
			byID[id] = string(raw)
		}
		status, err := client.Add(ctx, made.Collection, batch)
		if err != nil {
			pause(10 * time.Millisecond)
			continue
		}
		for _, s := range status.Successes {
			acknowledged[s.ID] = byID[s.ID]
		}
		for _, failure := range status.Failures {
			t.Errorf("%s was refused: %s", failure.ID, failure.Message)
		}
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
