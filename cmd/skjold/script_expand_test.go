package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdExpand puts the values of environment variables into a file of the script: expand FILE.
func cmdExpand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
