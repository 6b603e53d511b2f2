package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
)

// verifyJSON is what verify tells.
type verifyJSON struct {
	Sound    bool          `json:"sound"`
	Entries  int           `json:"entries"` // read
	Seconds  float64       `json:"seconds"`
	Findings []findingJSON `json:"findings"`
}

type findingJSON struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"`
}

func (a *app) verifyCommand() *cobra.Command {
	var quick bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check everything that must hold in the node's database, while the node runs",
		Long: `Check, on one snapshot and while the node runs, that the database is whole and that everything holds which the node
relies on: the order and uniqueness of the entries of every collection, which versions are the first and the last, digests,
versions and markings against the bytes of every object, what is counted, how far clients have read, statuses, tombstones
and the quarantine; and that the records of the federation, and the revocation lists, are what was signed. Memory does not grow with the database; the time does, as all of it is read.

Each finding is a line: what is wrong with what. The exit code is 1 if there is any; then keep the database as it is,
restore a backup, and compare.`,
		Args: cobra.NoArgs,
		Example: `  skjold verify --data /var/lib/skjold
  skjold verify --quick --json       without reading the bytes of all objects`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error { return a.verify(ctx, st, quick) })
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "leave out what reads every object's bytes and the whole database file")
	return cmd
}

func (a *app) verify(ctx context.Context, st *store.Store, quick bool) error {
	all, err := st.Collections(ctx)
	if err != nil {
		return err
	}
	var total int64
	for _, c := range all {
		total += c.Objects
	}
	told := verifyJSON{Findings: []findingJSON{}}
	begun := time.Now()
	bar := newProgress(a.err, total, false, "Verifying")
	o := store.VerifyOptions{Quick: quick, Progress: func(n int) { told.Entries += n; bar.add(n) }}
	found := func(f store.Finding) {
		told.Findings = append(told.Findings, findingJSON{Rule: f.Rule, Subject: f.Subject})
		if !a.json {
			fmt.Fprintln(a.out, printable(f.String()))
		}
	}
	err = st.Examine(ctx, o, found)
	bar.done()
	if err == nil {
		err = a.verifyFederation(ctx, st, found)
	}
	if err != nil {
		return err
	}
	told.Sound, told.Seconds = len(told.Findings) == 0, time.Since(begun).Seconds()
	switch {
	case a.json:
		if err := printJSON(a.out, told); err != nil {
			return err
		}
	case told.Sound && quick:
		fmt.Fprintf(a.out, "Everything holds that was checked, without the bytes of the objects, in %.1f s.\n", told.Seconds)
	case told.Sound:
		fmt.Fprintf(a.out, "Everything holds: %s in %s, in %.1f s.\n", counted(told.Entries, "version"), counted(len(all), "collection"), told.Seconds)
	default:
		fmt.Fprintf(a.err, "skjold: %s; keep the database as it is, restore a backup elsewhere (skjold restore) and compare\n", counted(len(told.Findings), "finding"))
	}
	if !told.Sound {
		return errSilent
	}
	return nil
}
