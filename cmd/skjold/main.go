// Command skjold is a node of a federated threat-sharing exchange: a TAXII 2.1 server, a publisher of STIX 2.1 content,
// and a member of a federation of such nodes.
//
// Each file holds one command; serve.go and node.go are the wiring: read them first.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first interrupt asks everything to finish cleanly; a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
