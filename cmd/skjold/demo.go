package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/skjold-exchange/skjold/stix"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	once    bool
	bundle  string
	dir     string
	every   time.Duration
	timeout time.Duration
}

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a small federation on this machine, with live traffic",
		Long: `Found a federation on this machine, on loopback addresses, and run it in this process: founders sign a charter and vote on
who is a member - two municipalities, their joint hub, the state, a region and a company - and a secretariat signs the
statements about them. An analyst of one municipality then publishes indicators every few seconds, and the terminal shows
which node holds what, and how long each object took to get there.

It is done with the commands that people use; they stand in papers/commands.txt, beside everything that the parties sent
each other. All is kept in a temporary directory that is removed at the end, or in --dir. Ctrl-C ends it.`,
		Example: `  skjold demo
  skjold demo --once                         publish a fixed set, wait until all nodes have it, print the table
  skjold demo --dir demo                     keep the nodes, the signed records and the commands that founded it
  skjold demo --bundle enterprise-attack.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.every <= 0 || o.timeout <= 0 {
				return usagef("--every and --timeout must be positive")
			}
			return a.demo(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "publish a fixed set, wait until every node has it, print the table, exit")
	cmd.Flags().StringVar(&o.bundle, "bundle", "", "publish this STIX file instead of made-up indicators")
	cmd.Flags().StringVar(&o.dir, "dir", "", "keep the nodes' data directories here, for another run (a temporary directory unless given)")
	cmd.Flags().DurationVar(&o.every, "every", 3*time.Second, "how often the analyst publishes")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "with --once: how long to wait for all nodes")
	return cmd
}

// demo reads as the life of the demonstration: build, wire, run, publish, show, end.
func (a *app) demo(ctx context.Context, o demoOptions) (err error) {
	if o.bundle != "" {
		if _, err := os.Stat(o.bundle); err != nil {
			return err
		}
	}
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "skjold-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	// Sites are only stopped when everything else is over, so the context that runs them is their own.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	f, err := a.openDemo(running, dir)
	if err != nil {
		return err
	}
	group, running := errgroup.WithContext(running)
	for _, s := range f.all() {
		group.Go(func() error { return s.node.serve(running, s.listener) })
	}
	a.introduceDemo(f, dir)
	work, cancel := context.WithCancel(ctx)
	context.AfterFunc(running, cancel) // a site that fails ends the work
	err = a.playDemo(work, f, o)
	cancel()
	stop()
	if ctx.Err() != nil {
		fmt.Fprintln(a.out, "\nStopping.")
		err = nil // Ctrl-C is how a demonstration ends
	}
	return errors.Join(err, group.Wait(), f.close())
}

// playDemo publishes and shows until the context ends, or once.
func (a *app) playDemo(ctx context.Context, f *demoFederation, o demoOptions) error {
	if err := a.meet(ctx, f); err != nil {
		return err
	}
	publish := func(ctx context.Context) error { return f.publishMadeUp(ctx, 3) }
	if o.once {
		publish = func(ctx context.Context) error { return f.publishFixedSet(ctx) }
	}
	if o.bundle != "" {
		publish = func(ctx context.Context) error { return f.publishBundle(ctx, a, o.bundle) }
	}
	if o.once {
		ctx, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		if err := publish(ctx); err != nil {
			return err
		}
		if err := f.wait(ctx); err != nil {
			return errors.Join(err, f.printTable(a.out))
		}
		return f.printTable(a.out)
	}
	show := newDemoScreen(a.out, f)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return show.run(ctx) })
	group.Go(func() error {
		for {
			if err := publish(ctx); err != nil {
				return err
			}
			if o.bundle != "" { // a file is published once; the screen goes on
				<-ctx.Done()
				return ctx.Err()
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(o.every):
			}
		}
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// introduceDemo prints what a person can try against the running federation.
func (a *app) introduceDemo(f *demoFederation, dir string) {
	fmt.Fprintf(a.out, "%d nodes run now, in %s\n\n", len(f.sites)+1, dir)
	t := table{head: []string{"NODE", "API ROOT", "READ ACCOUNT", "PASSWORD"}}
	for _, s := range f.all() {
		t.row(s.name, s.apiRoot, demoReader, s.readerKey)
	}
	_ = t.print(a.out)
	last, first, state := f.sites[len(f.sites)-1], f.sites[demoPublisher], f.sites[demoState]
	fmt.Fprintf(a.out, `
Who belongs to the federation, since when, and how each founder voted; a browser asks for the read account of the company:
  %[1]s/federation/
  curl -s -u %[2]s:%[3]s %[1]s/federation/directory.json
Why the %[4]s is a member: its trust chain, asked of the nodes, and each vote behind it:
  skjold federation verify %[5]s --data %[6]s
What has arrived at the company:
  curl -s -u %[2]s:%[3]s -H 'Accept: application/taxii+json;version=2.1' '%[7]scollections/%[8]s/objects/?limit=2'
One founder suspends the company for 72 hours, and the state, once it has the order, serves it nothing more:
  skjold federation suspend %[1]s --reason "a trial" --key %[9]s --data %[10]s --out %[11]s
How the federation was founded, command by command:
  %[12]s

`, last.entity, demoReader, last.readerKey, first.name, first.entity, last.dir, last.apiRoot, firstAlias,
		filepath.Join(dir, demoFounders[0].folder, "keys", voteKeyFile), state.dir, filepath.Join(dir, papers, "suspension"), filepath.Join(dir, papers, commandsFile))
}

// demoLevels are the markings of the made-up indicators: most may be shared, some stay in the house.
var demoLevels = []stix.TLP{stix.TLPGreen, stix.TLPClear, stix.TLPGreen, stix.TLPGreen, stix.TLPAmberStrict}
