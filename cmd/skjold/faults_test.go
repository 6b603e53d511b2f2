package main

import (
	"bufio"
	"context"
	"errors"
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

// TestWriteErrors has the operating system fail some of a node's writes and syncs while it is published to and deleted
// from. The node answers 503 or has done what it says, and goes on once the faults are over. It needs strace and the right
// to trace a process.
func TestWriteErrors(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("there is no strace on this machine, which makes system calls fail")
	}
	seed := uint64(variable(t, seedVariable, time.Now().UnixNano()>>10))
	t.Logf("%s=%d", seedVariable, seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	dir := dataDir(filepath.Join(t.TempDir(), "node"))
	made := initialiseBy(t, dir)
	p := startProcess(t, dir, hurried...)
	client := clientOf(t, p.url, made)
	c := &crew{t: t, world: newWorld(seed), collection: made.Collection, seed: seed, clients: []*taxii.Client{client}}
	f := &follower{name: "follower", world: c.world, collection: made.Collection, match: []string{"all"}, rng: rng, got: map[versionName]bool{}}
	c.followers = append(c.followers, f)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	failed := 0
	for _, fault := range []string{"fsync,fdatasync:error=EIO:when=1+3", "pwrite64:error=EIO:when=2+9", "pwrite64:error=ENOSPC:when=5+6", "fsync,fdatasync,pwrite64:error=EIO"} {
		heal := inject(t, strace, p, fault)
		for range 25 {
			one := c.world.publication(1 + rng.IntN(8))
			status, err := client.Submit(ctx, made.Collection, one.objects, one.key)
			var answer *taxii.ResponseError
			switch {
			case err == nil:
				err = c.world.told(one, status)
			case errors.As(err, &answer) && answer.Status == http.StatusServiceUnavailable && answer.Resource.Description != "":
				failed++
				err = nil
			}
			if err != nil {
				t.Fatalf("while %s, publishing: %v", fault, err)
			}
			if err := f.drain(ctx, client); err != nil {
				t.Fatalf("while %s, polling: %v", fault, err)
			}
		}
		heal()
		if err := c.publish(ctx, c.world.publication(5), rng); err != nil {
			t.Errorf("after %s, publishing: %v", fault, err)
		}
	}
	if failed == 0 {
		t.Error("no write failed")
	}
	c.settle(ctx)
	p.kill()
	held := checkDir(t, dir, c)
	t.Logf("%d requests were answered 503, %d versions are held", failed, len(held))
}

// inject makes system calls of a process fail, in strace's words, until the function that it returns is called.
func inject(t *testing.T, strace string, p *process, fault string) (heal func()) {
	t.Helper()
	calls, _, _ := strings.Cut(fault, ":")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-o", "/dev/null", "-e", "trace="+calls, "-e", "inject="+fault, "-p", strconv.Itoa(p.cmd.Process.Pid))
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "attached") {
		_ = cmd.Wait()
		t.Skipf("this user may not trace a process: %s", lines.Text())
	}
	drained := make(chan struct{})
	go func() { // until strace ends
		defer close(drained)
		for lines.Scan() {
		}
	}()
	return func() {
		_ = cmd.Process.Signal(os.Interrupt) // it lets the process go
		<-drained
		_ = cmd.Wait()
	}
}
