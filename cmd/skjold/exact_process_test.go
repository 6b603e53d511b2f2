package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/store/storetest"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestKillProcesses has three processes serve one PostgreSQL database and kills them at random moments with kill -9. Who
// publishes, deletes and polls goes from one to the other. Followers get every version once, in the order of the commits.
func TestKillProcesses(t *testing.T) {
	t.Parallel()
	t.Run("without Redis", func(t *testing.T) { killProcesses(t) })
	t.Run("with Redis", func(t *testing.T) { killProcesses(t, redisSettings(t)...) })
}

// redisSettings are the settings of a node with the Redis of tests. Without one the test is skipped, or fails where one is
// required.
func redisSettings(t *testing.T) []string {
	t.Helper()
	server := serverOf(t, "redis", redisVariable)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	return []string{"SKJOLD_REDIS_ADDRESSES=" + u.Host, "SKJOLD_REDIS_USERNAME=" + u.User.Username(), "SKJOLD_REDIS_PASSWORD=" + password,
		"SKJOLD_REDIS_DATABASE=" + strings.Trim(u.Path, "/")}
}

// redisVariable names the Redis server for tests, as redis://:PASSWORD@HOST/DATABASE.
const redisVariable = "SKJOLD_TEST_REDIS_URL"

// serverOf is the address of a server for tests from the environment. Without it the test is skipped, or fails where it is
// required.
func serverOf(t *testing.T, name, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		if slices.Contains(strings.Split(os.Getenv("SKJOLD_TEST_REQUIRE"), ","), name) {
			t.Fatalf("SKJOLD_TEST_REQUIRE names %s, but %s is not set", name, variable)
		}
		t.Skipf("%s is not set: it is the address of a server for tests", variable)
	}
	return address
}

// killProcesses is TestKillProcesses with some more settings.
func killProcesses(t *testing.T, settings ...string) {
	t.Helper()
	url := newSchema(t)
	kills := variable(t, killsVariable, 6)
	seed := uint64(variable(t, seedVariable, time.Now().UnixNano()>>10))
	t.Logf("%s=%d", seedVariable, seed)
	rng := rand.New(rand.NewPCG(seed, 3))

	dir := dataDir(filepath.Join(t.TempDir(), "hub"))
	database := "SKJOLD_DATABASE_URL=" + url
	made := initialiseBy(t, dir, database)
	const processes = 3
	running := make([]*process, processes)
	environ := make([][]string, processes)
	c := &crew{t: t, world: newWorld(seed), collection: made.Collection, seed: seed, lag: 2 * time.Second}
	for i := range running {
		environ[i] = slices.Concat([]string{"SKJOLD_LISTEN=127.0.0.1:" + freePort(t), database}, hurried, settings)
		running[i] = startProcess(t, dir, environ[i]...)
		c.clients = append(c.clients, clientOf(t, running[i].url, made))
	}
	finish, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(kills)*5*time.Second)
	defer cancel()
	ctx, stop := context.WithCancel(finish)
	defer stop()
	c.publishers(ctx, finish)
	c.follow(ctx)
	for range kills {
		pause(time.Duration(30+rng.IntN(300)) * time.Millisecond)
		i := rng.IntN(processes)
		running[i].kill()
		running[i] = startProcess(t, dir, environ[i]...)
		if t.Failed() {
			break
		}
	}
	stop()
	c.settle(finish)
	for _, p := range running {
		p.kill()
	}
	st, err := store.Open(t.Context(), store.Options{URL: url, PatternValues: pattern.Values})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	checkHeld(t, st, c)
	t.Logf("%d kills: %s", kills, c)
}

// newSchema makes a schema for the test on the server that SKJOLD_TEST_POSTGRES_URL names, and returns a URL that uses it.
// Without a server the test is skipped, or fails where one is required.
func newSchema(t *testing.T) string {
	t.Helper()
	url, remove, err := storetest.NewSchema(t.Context(), serverOf(t, "postgres", postgresVariable))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	return url
}

// hurried are settings of a node that is tested with many requests.
var hurried = []string{"SKJOLD_SUBMISSIONS_SYNC_OBJECTS=100", "SKJOLD_LIMITS_REQUEST_RATE=0", "SKJOLD_FEDERATION_POLL_INTERVAL=100ms"}

// initialiseBy makes a node by the program in a process of its own, whose environment is env.
func initialiseBy(t *testing.T, dir dataDir, env ...string) initJSON {
	t.Helper()
	address := "127.0.0.1:" + freePort(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "init", "--data", string(dir), "--entity", "http://"+address, "--listen", address, "--default-tlp", "green", "--json")
	cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("init: %v\n%s", err, &said)
	}
	var made initJSON
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// clientOf is the administrator's client of a process; it repeats nothing by itself.
func clientOf(t *testing.T, url string, made initJSON) *taxii.Client {
	t.Helper()
	c, err := taxii.NewClient(taxii.ClientOptions{URL: url + "/taxii2/" + config.Default().APIRoot.Name + "/", User: made.User, Password: made.Password, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkHeld holds a store against what the publishers were told, and against the store's own rules.
func checkHeld(t *testing.T, st *store.Store, c *crew) map[versionName]string {
	t.Helper()
	findings, err := st.Verify(t.Context())
	if err != nil || len(findings) > 0 {
		t.Errorf("verify: %v, %v", findings, err)
	}
	held, err := everything(t.Context(), st, c.collection)
	if err != nil {
		t.Fatal(err)
	}
	for i, wrong := range c.world.check(held) {
		if i == 10 {
			break
		}
		t.Error(wrong)
	}
	return held
}
