package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix"
)

// testNode is a node in this process.
type testNode struct {
	*node
	made initJSON
	ln   net.Listener
	url  string // API root
}

// newTestNode makes a node whose first collection handles unmarked objects as defaultTLP, and serves it until the test
// ends. change, if set, alters the configuration.
func newTestNode(t *testing.T, defaultTLP stix.TLP, change func(*config.Config)) *testNode {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := dataDir(filepath.Join(t.TempDir(), "node"))
	made, err := initialise(t.Context(), dir, initOptions{entity: "http://" + ln.Addr().String(), listen: ln.Addr().String(), defaultTLP: defaultTLP})
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{made: made, ln: ln, url: made.APIRoot}
	n.open(t, dir, change)
	return n
}

func (n *testNode) open(t *testing.T, dir dataDir, change func(*config.Config)) {
	t.Helper()
	cfg, err := config.Load(config.LoadOptions{File: dir.config(), Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Federation.PollInterval = 100 * time.Millisecond
	if change != nil {
		change(cfg)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if n.node, err = openNode(t.Context(), dir, cfg, log, nil); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- n.serve(ctx, n.ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := n.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// pullFrom pins the other node, lets this one read its first collection, and subscribes.
func (n *testNode) pullFrom(t *testing.T, peer *testNode, level string) {
	t.Helper()
	for _, step := range []struct {
		node, other *testNode
		args        []string
	}{
		{peer, n, []string{"federation", "peer", "add", n.cfg.Entity, "--read", firstAlias, "--max-tlp", level}},
		{n, peer, []string{"federation", "peer", "add", peer.cfg.Entity}},
		{n, nil, []string{"federation", "subscribe", peer.cfg.Entity, firstAlias, "--into", firstAlias}},
	} {
		args := append(step.args, "--data", string(step.node.dir))
		if step.other != nil {
			file := filepath.Join(t.TempDir(), "peer.jwks")
			jwks := mustRun(t, "federation", "show", "--jwks", "--data", string(step.other.dir))
			if err := os.WriteFile(file, []byte(jwks), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--jwks", file)
		}
		mustRun(t, args...)
	}
}

// runCLI runs a command line in this process.
func runCLI(ctx context.Context, args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = run(ctx, args, stdio{in: strings.NewReader(""), out: &o, err: &e})
	return code, o.String(), e.String()
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errOut := runCLI(t.Context(), args...)
	if code != exitDone {
		t.Fatalf("skjold %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// eventually waits until f returns no error.
func eventually(t *testing.T, limit time.Duration, f func() error) {
	t.Helper()
	eventuallyEvery(t, 20*time.Millisecond, limit, f)
}

// eventuallyEvery is eventually for an f that costs something.
func eventuallyEvery(t *testing.T, every, limit time.Duration, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s: %v", limit, err)
		case <-tick.C:
		}
	}
}

// process is the program in a process of its own, which a test may kill.
type process struct {
	cmd *exec.Cmd
	url string
}

// startProcess runs serve and waits until it is ready.
func startProcess(t *testing.T, dir dataDir, env ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0], "serve", "--data", string(dir))}
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	load := config.LoadOptions{Env: append([]string{}, env...)}
	if ok, _ := dir.initialised(); ok { // else the process does it, with the settings of env
		load.File = dir.config()
	}
	cfg, err := config.Load(load)
	if err != nil {
		t.Fatal(err)
	}
	p.url = "http://" + cfg.Listen
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	eventually(t, 30*time.Second, func() error {
		res, err := http.Get(p.url + "/readyz")
		if err != nil {
			said, _ := os.ReadFile(out.Name()) // what is missing of it does not matter here
			return fmt.Errorf("%w; the process said:\n%s", err, said)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz answers %s", res.Status)
		}
		return nil
	})
	return p
}

// kill is kill -9.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// held reads everything that the administrator of a node is served, as id+version to bytes, by skjold poll.
func pollAll(t *testing.T, url string, made initJSON, extra ...string) []string {
	t.Helper()
	args := append([]string{"poll", url + "collections/" + firstAlias + "/", "--user", made.User, "--password", made.Password, "--match-version", "all"}, extra...)
	out := strings.TrimSuffix(mustRun(t, args...), "\n")
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// compactJSON removes insignificant whitespace and nothing else.
func compactJSON(t *testing.T, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sequential marks a test whose commands run one after the other. The race detector finds nothing in it that it does not
// find elsewhere, and makes it many times as long.
func sequential(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("its commands run one after the other: it is left out under the race detector")
	}
}
