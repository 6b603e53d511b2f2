package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/store/storetest"
)

// killObjects is how many objects the node of these tests holds: enough for the commands to take a while.
const killObjects = 2000

// newFullNode makes a node with indicators that have all expired.
func newFullNode(t *testing.T, name string) dataDir {
	t.Helper()
	dir, _ := newNodeDir(t, name)
	var b bytes.Buffer
	for n := range killObjects {
		fmt.Fprintf(&b, `{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-%012d","created":"2020-01-01T00:00:00.000Z","modified":"2020-01-01T00:00:00.000Z","name":"%0200d","pattern":"[ipv4-addr:value = '198.51.100.1']","pattern_type":"stix","valid_from":"2020-01-01T00:00:00Z","valid_until":"2020-02-01T00:00:00Z","indicator_types":["malicious-activity"]}`+"\n", n, n)
	}
	file := filepath.Join(t.TempDir(), "objects.jsonl")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "publish", "--data", string(dir), "--collection", firstAlias, file)
	return dir
}

// killer runs a command again and again, and kills it with kill -9 at random moments of the time that it took at first.
type killer struct {
	t     *testing.T
	rng   *rand.Rand
	kills int
}

func newKiller(t *testing.T) *killer {
	t.Helper()
	k := &killer{t: t, kills: 5}
	if v := os.Getenv("SKJOLD_TEST_KILLS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("SKJOLD_TEST_KILLS: %v", err)
		}
		k.kills = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k.rng = rand.New(rand.NewPCG(seed, 1))
	return k
}

// during runs the command to its end once, on the arguments that first gives, to learn how long it takes; then it kills it
// on those that args gives, and calls check after each time.
func (k *killer) during(first []string, args func() []string, check func()) {
	k.t.Helper()
	begun := time.Now()
	mustRun(k.t, first...)
	most := time.Since(begun) + 50*time.Millisecond // what the start of a process takes
	killed := 0
	for range k.kills {
		cmd := exec.CommandContext(k.t.Context(), os.Args[0], args()...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			k.t.Fatal(err)
		}
		pause(time.Duration(k.rng.Int64N(int64(most))))
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() > 0 {
			k.t.Fatalf("%q failed by itself: %s", cmd.Args[1:], said.Bytes())
		} else if err != nil {
			killed++
		}
		check()
		if k.t.Failed() {
			return
		}
	}
	k.t.Logf("%d of %d were killed before their end", killed, k.kills)
}

// count is how many objects a node holds, which must be sound.
func countSound(t *testing.T, dir dataDir) int64 {
	t.Helper()
	mustRun(t, "verify", "--data", string(dir))
	var list []collectionJSON
	if err := json.Unmarshal([]byte(mustRun(t, "collection", "list", "--data", string(dir), "--json")), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[0].Objects
}

// TestKillBackup: the backup of the last time is whole until there is another that is.
func TestKillBackup(t *testing.T) {
	sequential(t)
	t.Parallel()
	dir := newFullNode(t, "node")
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	args := []string{"backup", file, "--data", string(dir), "--with-keys", "--force"}
	newKiller(t).during(args, func() []string { return args }, func() {
		if out := mustRun(t, "restore", file, "--check", "--json"); !strings.Contains(out, fmt.Sprintf(`"objects":%d,`, killObjects)) {
			t.Errorf("the backup is %s", out)
		}
		left, err := os.ReadDir(filepath.Dir(file))
		if err != nil || len(left) > 2 {
			t.Errorf("%v, %v: want the backup and one that is unfinished at most", left, err)
		}
	})
	mustRun(t, args...)
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("after a backup that ended there are %v, %v", left, err)
	}
	if n := countSound(t, dir); n != killObjects {
		t.Errorf("the node holds %d objects", n)
	}
}

// TestKillRestore: a directory that was empty is no node or the whole one; one that was a node is the old or the new one.
func TestKillRestore(t *testing.T) {
	sequential(t)
	t.Parallel()
	dir := newFullNode(t, "node")
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	mustRun(t, "backup", file, "--data", string(dir), "--with-keys")
	base := t.TempDir()
	fresh := dataDir(filepath.Join(base, "0"))
	n := 0
	newKiller(t).during([]string{"restore", file, "--data", string(fresh)}, func() []string {
		n++
		fresh = dataDir(filepath.Join(base, strconv.Itoa(n)))
		return []string{"restore", file, "--data", string(fresh)}
	}, func() {
		node, err := fresh.initialised()
		if err != nil {
			t.Error(err)
		}
		if !node {
			if _, err := os.Stat(filepath.Join(string(fresh), databaseFile)); err == nil {
				mustRun(t, "restore", file, "--data", string(fresh), "--force") // killed between the database and skjold.yaml
			} else {
				mustRun(t, "restore", file, "--data", string(fresh))
			}
		}
		if got := countSound(t, fresh); got != killObjects {
			t.Errorf("%d objects were restored", got)
		}
	})

	more := filepath.Join(t.TempDir(), "more.jsonl")
	if err := os.WriteFile(more, []byte(mustRun(t, "generate", "--count", "1")), 0o600); err != nil {
		t.Fatal(err)
	}
	over := []string{"restore", file, "--data", string(dir), "--force"}
	newKiller(t).during(over, func() []string {
		mustRun(t, "publish", "--data", string(dir), "--collection", firstAlias, more)
		return over
	}, func() {
		if got := countSound(t, dir); got != killObjects && got != killObjects+1 {
			t.Errorf("the node holds %d objects: neither the old state nor the new one", got)
		}
	})
	mustRun(t, over...)
	if got := countSound(t, dir); got != killObjects {
		t.Errorf("the node holds %d objects", got)
	}
	if _, err := os.Stat(filepath.Join(string(dir), unfinished+"restore")); err == nil {
		t.Error("something is left of an interrupted restore")
	}
}

// TestKillCompact: a collection that is being compacted is sound, and the rest goes the next time.
func TestKillCompact(t *testing.T) {
	sequential(t)
	t.Parallel()
	dir := newFullNode(t, "node")
	saved := filepath.Join(t.TempDir(), "b.tar.gz")
	mustRun(t, "collection", "set", firstAlias, "--data", string(dir), "--retain-expired", "1h")
	mustRun(t, "backup", saved, "--data", string(dir))
	args := []string{"compact", "--data", string(dir), "--vacuum"}
	newKiller(t).during(args, func() []string {
		mustRun(t, "restore", saved, "--data", string(dir), "--force")
		return args
	}, func() {
		if got := countSound(t, dir); got%100 != 0 {
			t.Errorf("%d objects are held: half a transaction", got)
		}
	})
	mustRun(t, args...)
	if got := countSound(t, dir); got != 0 {
		t.Errorf("%d objects are held", got)
	}
}

// TestKillMove: the node is on SQLite as before, or on PostgreSQL with everything.
func TestKillMove(t *testing.T) {
	sequential(t)
	t.Parallel()
	base := os.Getenv(postgresVariable)
	if base == "" {
		t.Skipf("%s is not set", postgresVariable)
	}
	dir := newFullNode(t, "node")
	onSQLite, err := os.ReadFile(dir.config())
	if err != nil {
		t.Fatal(err)
	}
	address := ""
	again := func() []string {
		t.Helper()
		var remove func() error
		if address, remove, err = storetest.NewSchema(t.Context(), base); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := remove(); err != nil {
				t.Error(err)
			}
		})
		if err := os.WriteFile(dir.config(), onSQLite, 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"move", "--data", string(dir), "--to", address}
	}
	newKiller(t).during(again(), again, func() {
		if got := countSound(t, dir); got != killObjects {
			t.Errorf("the node holds %d objects", got)
		}
		now, err := os.ReadFile(dir.config())
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(now, onSQLite) {
			mustRun(t, "move", "--data", string(dir), "--to", address)
		}
		if got := countSound(t, dir); got != killObjects {
			t.Errorf("after the move the node holds %d objects", got)
		}
	})
}
