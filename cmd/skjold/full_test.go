package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// TestFullDisk publishes to a node until its disk has no room left: a small file system, which needs the right to mount
// one, and a limit on the size of its files, which does not. The node says that it cannot store, and nothing else than
// that; it goes on serving what it holds; and it works again, by itself, when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("file system", func(t *testing.T) {
		disk := filepath.Join(t.TempDir(), "disk")
		if err := os.Mkdir(disk, 0o700); err != nil {
			t.Fatal(err)
		}
		mount := func(args ...string) error {
			out, err := exec.CommandContext(t.Context(), "mount", append(args, "tmpfs", disk)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("mount: %w: %s", err, out)
			}
			return nil
		}
		if err := mount("-t", "tmpfs", "-o", "size=4m"); err != nil {
			t.Skipf("this user may not mount a small file system: %v", err)
		}
		t.Cleanup(func() {
			if out, err := exec.Command("umount", "--lazy", disk).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
			}
		})
		dir := dataDir(filepath.Join(disk, "node"))
		made := initialiseBy(t, dir)
		fillUp(t, dir, made, startProcess(t, dir, hurried...), func() error { return mount("-o", "remount,size=64m") })
	})
	t.Run("file size", func(t *testing.T) {
		prlimit, err := exec.LookPath("prlimit")
		if err != nil {
			t.Skip("there is no prlimit on this machine, which limits the size of a running program's files")
		}
		dir := dataDir(filepath.Join(t.TempDir(), "node"))
		made := initialiseBy(t, dir)
		p := startProcess(t, dir, hurried...)
		limit := func(soft string) error {
			out, err := exec.CommandContext(t.Context(), prlimit, "--pid", strconv.Itoa(p.cmd.Process.Pid), "--fsize="+soft+":").CombinedOutput()
			if err != nil {
				return fmt.Errorf("prlimit: %w: %s", err, out)
			}
			return nil
		}
		if err := limit(strconv.Itoa(2 << 20)); err != nil {
			t.Fatal(err)
		}
		fillUp(t, dir, made, p, func() error { return limit("unlimited") })
	})
}

// fillUp publishes until there is no room left, has a look at the node, makes room and has another look.
func fillUp(t *testing.T, dir dataDir, made initJSON, p *process, makeRoom func() error) {
	t.Helper()
	seed := uint64(variable(t, seedVariable, time.Now().UnixNano()>>10))
	t.Logf("%s=%d", seedVariable, seed)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	rng := rand.New(rand.NewPCG(seed, 5))
	client := clientOf(t, p.url, made)
	c := &crew{t: t, world: newWorld(seed), collection: made.Collection, seed: seed, clients: []*taxii.Client{client}}
	f := &follower{name: "follower", world: c.world, collection: made.Collection, match: []string{"all"}, rng: rng, got: map[versionName]bool{}}
	c.followers = append(c.followers, f)

	var pending []accepted
	var refused publication
	for full := false; !full; { // what is decided meanwhile can leave a little room
		more, p := publishToTheBrim(ctx, t, c, rng)
		pending, refused = append(pending, p...), more
		full = true
		for n := 0; n < 3 && full; n++ {
			full = staysFull(ctx, t, c, refused, string(dir))
			if err := f.drain(ctx, client); err != nil {
				t.Fatalf("without room, polling: %v", err)
			}
		}
	}
	later := map[versionName]bool{} // may have come with what was accepted before
	for _, a := range pending {
		for _, name := range a.p.names {
			later[name] = true
		}
	}
	c.world.mu.Lock()
	for name, v := range c.world.versions {
		if v.acknowledged && !f.got[name] && seenByAccounts(v.raw) {
			t.Errorf("without room, %s is not served, though it was acknowledged", name)
		}
	}
	for _, name := range refused.names {
		if f.got[name] && !c.world.versions[name].acknowledged && !later[name] {
			t.Errorf("without room, %s is served, though the publisher was told that it could not be stored", name)
		}
	}
	c.world.mu.Unlock()

	if err := makeRoom(); err != nil {
		t.Fatal(err)
	}
	if err := c.publish(ctx, refused, rng); err != nil {
		t.Errorf("with room again, publishing: %v", err)
	}
	for _, a := range pending {
		var now taxii.Status
		eventually(t, time.Minute, func() error {
			var err error
			if now, err = client.Status(ctx, a.status.ID); err == nil && now.Status == taxii.StatusPending {
				err = fmt.Errorf("%d objects are still pending", now.PendingCount)
			}
			return err
		})
		if err := errors.Join(consistent(now, &a.status), c.world.told(a.p, now)); err != nil {
			t.Error(err)
		}
	}
	c.settle(ctx)
	p.kill()
	held := checkDir(t, dir, c)
	t.Logf("%d versions are held, %d submissions were pending when there was no room left", len(held), len(pending))
}

// staysFull publishes once more what was refused, and tells whether the node still says that it cannot store it.
func staysFull(ctx context.Context, t *testing.T, c *crew, refused publication, dir string) bool {
	t.Helper()
	status, err := c.clients[0].Submit(ctx, c.collection, refused.objects, refused.key)
	if err == nil {
		if err := c.world.told(refused, status); err != nil {
			t.Fatal(err)
		}
		return false
	}
	var answer *taxii.ResponseError
	if !errors.As(err, &answer) || answer.Status != http.StatusServiceUnavailable || answer.Resource.Description == "" {
		t.Fatalf("without room, publishing answers %v, want 503 with a description", err)
	}
	if strings.Contains(err.Error(), dir) {
		t.Errorf("the answer tells of the node's directory: %v", err)
	}
	return true
}

// publishToTheBrim publishes until the node says that it cannot, and returns what it refused then and what it had accepted
// and not decided.
func publishToTheBrim(ctx context.Context, t *testing.T, c *crew, rng *rand.Rand) (refused publication, pending []accepted) {
	t.Helper()
	for {
		n := 8
		if rng.IntN(8) == 0 {
			n = 300
		}
		p := c.world.publication(n)
		status, err := c.clients[0].Submit(ctx, c.collection, p.objects, p.key)
		var answer *taxii.ResponseError
		switch {
		case errors.As(err, &answer) && answer.Status == http.StatusServiceUnavailable && n == 8:
			return p, pending
		case errors.As(err, &answer) && (answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable):
			continue // too much is pending, or too large: what is smaller may still find room
		case err != nil:
			t.Fatalf("publishing: %v", err)
		}
		if err := c.world.told(p, status); err != nil {
			t.Fatal(err)
		}
		if status.Status == taxii.StatusPending {
			pending = append(pending, accepted{p, status})
		}
	}
}
