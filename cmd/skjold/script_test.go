package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// asProgram, in the environment, makes the test binary the program itself, for tests that kill it.
const asProgram = "SKJOLD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if filepath.Base(os.Args[0]) == "curl" {
			curlMain()
			return
		}
		main()
	}
	testscript.Main(m, map[string]func(){"skjold": main, "curl": curlMain})
}

// TestScripts runs the sessions in testdata/script against the real program.
func TestScripts(t *testing.T) {
	sequential(t)
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "TMPDIR="+env.WorkDir, "CORPUS="+corpusDir())
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "corpus":
				return corpusDir() != "", nil
			case "postgres":
				return os.Getenv(postgresVariable) != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"expand":    cmdExpand,
			"freeport":  cmdFreePort,
			"newschema": cmdNewSchema,
			"occupy":    cmdOccupy,
			"ready":     cmdReady,
			"until":     cmdUntil,
			"setjson":   cmdSetJSON,
			"mode":      cmdMode,
			"lines":     cmdLines,
		},
	})
}

// corpusDir is the shared test data beside the repository, "" where there is none.
func corpusDir() string {
	if dir := os.Getenv("SKJOLD_TEST_CORPUS"); dir != "" {
		return dir
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return ""
	}
	dir := filepath.Join(root, "..", "shared", "corpus")
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

// requireCorpus is corpusDir for tests that are about the shared data.
func requireCorpus(t *testing.T) string {
	t.Helper()
	dir := corpusDir()
	if dir == "" {
		t.Skip("the corpus is not beside the repository (../shared/corpus); set SKJOLD_TEST_CORPUS to its directory")
	}
	return dir
}

// cmdFreePort sets each named variable to a port that nobody listens on.
func cmdFreePort(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		_, port, err := net.SplitHostPort(ln.Addr().String())
		ts.Check(err)
		ts.Setenv(name, port)
		defer ln.Close() // all at the end, so that the ports differ
	}
}

// cmdOccupy listens on an address until the script ends.
func cmdOccupy(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
}

// scriptTimeout is how long a script waits for something that must happen.
const scriptTimeout = 30 * time.Second

// cmdReady waits until a URL answers 200.
func cmdReady(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := http.Get(args[0])
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s was not ready after %s", args[0], scriptTimeout)
		case <-tick.C:
		}
	}
}

// cmdUntil runs a command again and again until its output matches a pattern.
func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[0])
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var out bytes.Buffer
		cmd := exec.Command(args[1], args[2:]...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), &out, &out
		cmd.Env = scriptEnv(ts)
		_ = cmd.Run()
		if pattern.Match(out.Bytes()) {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("the output of %q never matched %q; the last was:\n%s", strings.Join(args[1:], " "), args[0], out.Bytes())
		case <-tick.C:
		}
	}
}

// scriptEnv is the environment of a script that commands need.
func scriptEnv(ts *testscript.TestScript) []string {
	env := []string{}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "SKJOLD_DATA", "SKJOLD_LISTEN", "SKJOLD_PASSWORD", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// cmdSetJSON sets variables from members of the JSON object that a file (or stdout) holds: setjson stdout KEY=password.
func cmdSetJSON(ts *testscript.TestScript, _ bool, args []string) {
	var o map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &o))
	for _, arg := range args[1:] {
		name, member, _ := strings.Cut(arg, "=")
		v, ok := o[member]
		if !ok {
			ts.Fatalf("no member %q in %s", member, ts.ReadFile(args[0]))
		}
		ts.Setenv(name, fmt.Sprint(v))
	}
}

// cmdMode checks the permission bits of a file: mode 0600 FILE.
func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%#o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// cmdLines checks the number of lines of a file: lines 20 stdout.
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	n := strings.Count(ts.ReadFile(args[1]), "\n")
	if (fmt.Sprint(n) == args[0]) == neg {
		ts.Fatalf("%s has %d lines, want %s", args[1], n, args[0])
	}
}
