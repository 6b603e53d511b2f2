//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestREADME runs the README's commands as they are written, in order, in an empty directory; only the ports are other
// ones, and a node that is started in the background is waited for, as a person would.
func TestREADME(t *testing.T) {
	sequential(t)
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the README's commands need a POSIX shell (sh)")
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	linkProgram(t, dir, "skjold")
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	linkProgram(t, bin, "curl")

	ports := map[string]string{"8080": freePort(t), "9001": freePort(t), "9002": freePort(t)}
	var script strings.Builder
	script.WriteString("set -e\ntrap 'code=$?; set +e; kill $nodes; wait; exit $code' EXIT\n")
	ranDemo := false
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			command := strings.TrimSpace(regexp.MustCompile(`\s+#.*$`).ReplaceAllString(strings.TrimSuffix(line, "\n"), ""))
			switch command {
			case "go run ./cmd/skjold demo":
				ranDemo = true
				t.Run("demo", func(t *testing.T) { runDemoUntilInterrupted(t, dir) })
			case "go test ./...": // runs this test
			case "go build -o skjold ./cmd/skjold": // the test binary stands in for it
			default:
				script.WriteString(strings.TrimSuffix(line, "\n") + "\n")
				if m := regexp.MustCompile(`serve(?: --data (\w+))? &`).FindStringSubmatch(command); m != nil {
					port := map[string]string{"": "8080", "a": "9001", "b": "9002"}[m[1]]
					fmt.Fprintf(&script, "nodes=\"$nodes $!\"\nuntil curl -s http://127.0.0.1:%s/readyz 2>/dev/null | grep -q ready; do sleep 0.05; done\n", port)
				}
			}
		}
	}
	if !ranDemo {
		t.Error("the README does not tell how to run the demonstration")
	}
	// What the reader would look at, checked at the end while the nodes run.
	script.WriteString("./skjold collection list --json >held.json\n")
	script.WriteString("until ./skjold collection list --data b --json | grep -q '\"objects\":10'; do sleep 0.05; done\n")

	body := script.String()
	for from, to := range ports {
		body = strings.ReplaceAll(body, "127.0.0.1:"+from, "127.0.0.1:"+to)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", body)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asProgram+"=1", "PATH="+bin+":"+os.Getenv("PATH"))
	// The first node's address is the default one; the environment moves it as it would for an operator. It must not
	// move the two nodes that name their own, so it is unset before them.
	cmd.Env = append(cmd.Env, "SKJOLD_LISTEN=127.0.0.1:"+ports["8080"])
	cmd.Args[2] = strings.Replace(body, "./skjold init --data a", "unset SKJOLD_LISTEN\n./skjold init --data a", 1)
	// A group of its own, so that no node outlives the test whatever happens to the shell.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nthe script was:\n%s", err, out, body)
	}
	feed, err := os.ReadFile(filepath.Join(dir, "feed.jsonl"))
	if err != nil || bytes.Count(feed, []byte("\n")) != 100 {
		t.Errorf("the first poll gave %d objects, want 100 (%v)\n%s", bytes.Count(feed, []byte("\n")), err, out)
	}
	var held []collectionJSON
	text, err = os.ReadFile(filepath.Join(dir, "held.json"))
	if err != nil || json.Unmarshal(text, &held) != nil || len(held) != 1 || held[0].Objects != 100 {
		t.Errorf("the first node holds %s, %v", text, err)
	}
}

// linkProgram makes the test binary callable as the program (or as curl) in a directory.
func linkProgram(t *testing.T, dir, name string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// runDemoUntilInterrupted starts the demonstration, waits until an object has reached every node, and interrupts it.
func runDemoUntilInterrupted(t *testing.T, dir string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "./skjold", "demo", "--every", "200ms")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	arrived := regexp.MustCompile(`hub \+\S+.*company \+\S+`)
	buf := make([]byte, 4096)
	for !arrived.Match(seen.Bytes()) {
		n, err := out.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			t.Fatalf("the demonstration ended by itself: %v\n%s%s", err, seen.Bytes(), errOut.Bytes())
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := out.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil || errOut.Len() > 0 {
		t.Errorf("after Ctrl-C: %v\n%s%s", err, seen.Bytes(), errOut.Bytes())
	}
}
