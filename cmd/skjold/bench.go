package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation/sync"
)

// benchOptions are the flags of bench.
type benchOptions struct {
	objects     int
	small       int
	large       int
	hopObjects  int
	accounts    int
	nodeCount   int
	rate        int // objects a second
	publishFor  time.Duration
	pollEvery   time.Duration
	rounds      int
	duration    time.Duration
	connections int
	dir         string
	database    string // file with the URL of a PostgreSQL database
	ownLoad     bool
}

// minRounds is the fewest rounds of which a median says something.
const minRounds = 3

func (a *app) benchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast a node is on this machine",
		Long: `Measure a node on this machine: it is made in a temporary directory with objects from a fixed seed, and serves on a
loopback address with everything on: authentication, rights, sharing policy, access log (formatted, written to the null
device). Each figure is taken in alternating rounds, side by side with a yardstick: a plain net/http handler that sends the
same bytes from memory, nginx serving them as files if it is installed, or the database engine without anything of ours.
The ratio to the yardstick is what can be compared; absolute figures change with the machine and with what else it does.

Requests come from wrk if it is installed, else from this program, which then takes more of the machine than wrk does.`,
		Example: `  skjold bench read
  skjold bench ingest --database-file url.txt
  skjold bench scale --large 10000000 --dir /var/tmp/bench --json`,
		Args: cobra.NoArgs,
	}
	cmd.PersistentFlags().IntVar(&o.objects, "objects", 100000, "objects to measure with")
	cmd.PersistentFlags().IntVar(&o.rounds, "rounds", 5, "alternating rounds of which the median counts, 3 or more")
	cmd.PersistentFlags().DurationVar(&o.duration, "duration", 2*time.Second, "length of a round of requests")
	cmd.PersistentFlags().IntVar(&o.connections, "connections", 32, "connections that ask at the same time")
	cmd.PersistentFlags().StringVar(&o.dir, "dir", "", "work in this directory and leave the data there (a temporary one unless given)")
	cmd.PersistentFlags().StringVar(&o.database, "database-file", "", "file with the URL of an empty PostgreSQL database to use instead of SQLite")
	cmd.PersistentFlags().BoolVar(&o.ownLoad, "no-wrk", false, "let this program ask, even if wrk is installed")

	sub := func(use, short, long string, measure func(context.Context, *bench) error) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Long: long, Example: "  skjold bench " + use, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.bench(cmd.Context(), o, measure) },
		}
	}
	read := sub("read", "Pages and polls, against a plain handler and nginx", `Requests a second for R1 (a page of 1,000 objects: plain, gzip, zstd), R2 (a page of 100, gzip) and R3 (a poll that finds
nothing new).`, benchRead)
	ingest := sub("ingest", "Publishing over HTTP, against the engine's own inserts", `Objects a second that are posted in envelopes of 1,000, validated with their patterns and durable when they are answered,
against inserting the same bytes into a bare table of the same engine; and single objects posted over many connections
against one.`, benchIngest)
	federation := sub("federation", "Replication: how long, and how fast", `The time from the answer to a publisher until the object can be polled two nodes further, and the rate at which a new peer
gets a whole collection, against the rate at which it was published. The nodes ask each other every 100 ms.

With --nodes, instead of that, a federation of so many nodes in this one process: a centre, ten hubs below it and leaves
below them, which ask each other every --poll. Single objects are published at the leaves at --rate a second, and go up to
the centre and down to every node.`, benchFederation)
	scale := sub("scale", "A large collection against a small one; memory", `Latency of pages at random places, of empty polls and of objects by id, in a collection of --large objects and in one of
--small, and the resident memory of the process that serves them. The large collection is published over HTTP first, which
takes a while: minutes for a million objects. With --dir it is kept, and completed by the next run.`, benchScale)
	clients := sub("clients", "Polls by many accounts", `Requests a second for polls that find nothing new by --accounts accounts in turn, each of which the node has not seen for a
while, against as many by one account. This program asks by itself.`, benchClients)
	clients.Flags().IntVar(&o.accounts, "accounts", 5000, "accounts that poll")
	scale.Flags().IntVar(&o.large, "large", 1000000, "objects of the large collection")
	scale.Flags().IntVar(&o.small, "small", 10000, "objects of the small one")
	federation.Flags().IntVar(&o.hopObjects, "hops", 200, "objects to follow through the federation")
	federation.Flags().IntVar(&o.nodeCount, "nodes", 0, "measure a federation of so many nodes, such as 205")
	federation.Flags().IntVar(&o.rate, "rate", 35, "with --nodes, objects that are published in a second")
	federation.Flags().DurationVar(&o.publishFor, "publish", time.Minute, "with --nodes, how long they are published")
	federation.Flags().DurationVar(&o.pollEvery, "poll", 10*time.Second, "with --nodes, how often a node asks another, ± 20 %")
	cmd.AddCommand(read, clients, ingest, federation, scale)
	return cmd
}

// bench is one run.
type bench struct {
	*app
	benchOptions
	work    string                                                 // directory of the run
	applied func(sync.Subscription, sync.PulledPage, sync.Applied) // told of each page that a node pulled; nil for nothing
	load    loader
	figures []figure
	notes   []string
}

// figure is one thing measured, as it is printed.
type figure struct {
	Name    string    `json:"figure"`
	Value   float64   `json:"value"` // median of the rounds
	Unit    string    `json:"unit"`
	Against string    `json:"against,omitempty"` // the yardstick
	Other   float64   `json:"yardstick,omitempty"`
	Ratio   float64   `json:"ratio,omitempty"` // median of the rounds' ratios
	Target  string    `json:"target,omitempty"`
	Met     *bool     `json:"met,omitempty"`
	Rounds  []float64 `json:"rounds,omitempty"`
}

// bound is what a figure should reach; the zero bound is none.
type bound struct {
	least, most float64
}

func (b bound) String() string {
	switch {
	case b.least > 0:
		return fmt.Sprintf("≥ %g", b.least)
	case b.most > 0:
		return fmt.Sprintf("≤ %g", b.most)
	}
	return ""
}

func (b bound) met(v float64) *bool {
	if b == (bound{}) {
		return nil
	}
	ok := b.least > 0 && v >= b.least || b.most > 0 && v <= b.most
	return &ok
}

// compared adds a figure with its yardstick, from the rounds of both.
func (b *bench) compared(name, unit, against string, values, others []float64, target bound) {
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / max(others[i], 1e-12)
	}
	ratio := median(ratios)
	b.figures = append(b.figures, figure{Name: name, Value: median(values), Unit: unit, Against: against, Other: median(others), Ratio: ratio,
		Target: target.String(), Met: target.met(ratio), Rounds: values})
}

// absolute adds a figure that stands for itself.
func (b *bench) absolute(name, unit string, value float64, target bound) {
	b.figures = append(b.figures, figure{Name: name, Value: value, Unit: unit, Target: target.String(), Met: target.met(value)})
}

// median of a list that is not empty; of an even number the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// percentile is the value that a share p of the values does not exceed (nearest rank).
func percentile(values []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// bench makes the directory, measures and prints.
func (a *app) bench(ctx context.Context, o benchOptions, measure func(context.Context, *bench) error) (err error) {
	if o.rounds < minRounds || o.objects < 2000 || o.duration <= 0 || o.connections < 1 {
		return usagef("--rounds is at least %d, --objects at least 2000, and --duration and --connections are positive", minRounds)
	}
	defer boundMemory(config.Default(), func() int64 { return 0 })() // as serve does
	b := &bench{app: a, benchOptions: o, work: o.dir, load: findLoader(o.ownLoad)}
	if b.work == "" {
		if b.work, err = os.MkdirTemp("", "skjold-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	} else if err := os.MkdirAll(b.work, 0o700); err != nil {
		return err
	}
	if err := measure(ctx, b); err != nil {
		return err
	}
	return b.print()
}

// benchJSON is the output of --json.
type benchJSON struct {
	Version string   `json:"version"`
	System  string   `json:"system"`
	CPUs    int      `json:"cpus"`
	Load    string   `json:"load_generator"`
	Notes   []string `json:"notes,omitempty"`
	Figures []figure `json:"figures"`
}

func (b *bench) print() error {
	system := runtime.GOOS + "/" + runtime.GOARCH + ", " + runtime.Version()
	if b.json {
		return printJSON(b.out, benchJSON{Version: versionText(), System: system, CPUs: runtime.GOMAXPROCS(0), Load: b.load.name(), Notes: b.notes, Figures: b.figures})
	}
	fmt.Fprintf(b.out, "%s, %d CPUs; requests from %s; medians of %d rounds\n", system, runtime.GOMAXPROCS(0), b.load.name(), b.rounds)
	for _, n := range b.notes {
		fmt.Fprintln(b.out, n)
	}
	t := table{head: []string{"FIGURE", "MEASURED", "YARDSTICK", "", "RATIO", "TARGET", "MET"}}
	for _, f := range b.figures {
		other, ratio, met := "", "", ""
		if f.Against != "" {
			other, ratio = quantity(f.Other, f.Unit), fmt.Sprintf("%.2f", f.Ratio)
		}
		if f.Met != nil {
			met = map[bool]string{true: "yes", false: "no"}[*f.Met]
		}
		t.row(f.Name, quantity(f.Value, f.Unit), other, f.Against, ratio, f.Target, met)
	}
	return t.print(b.out)
}

// quantity writes a value with its unit, in three digits or more.
func quantity(v float64, unit string) string {
	text := fmt.Sprintf("%.0f", v)
	if v < 100 {
		text = strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.3f", v), "0"), ".")
	}
	return text + " " + unit
}

// note adds a line that explains the figures.
func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}
