package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
)

// compactedJSON is what compact tells.
type compactedJSON struct {
	DryRun      bool             `json:"dry_run"`
	Collections []compactionJSON `json:"collections"` // those with rules
	Bytes       int64            `json:"bytes"`       // of the database
	Free        int64            `json:"free"`        // bytes of it that are not in use
}

type compactionJSON struct {
	ID         string        `json:"id"`
	Title      string        `json:"title"`
	Retention  retentionJSON `json:"retention"`
	Revoked    int           `json:"revoked"` // versions that went, or would go
	Expired    int           `json:"expired"`
	Superseded int           `json:"superseded"`
	Kept       int           `json:"kept"` // versions that are due, kept for those who have not read them
	KeptFor    []string      `json:"kept_for"`
	Missed     []string      `json:"missed"` // had not read some of what went
}

func (a *app) compactCommand() *cobra.Command {
	var dryRun, vacuum bool
	var collection string
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Let collections go of what their rules say, now",
		Long: `Let collections go of revoked, expired and superseded objects as their rules say (skjold collection set --retain-…).
A running node does so by itself every hour. What went is not served any more and is not brought back by replication; it
can be published again. An object that is revoked or has expired goes with all its versions, and only if everybody who sees
it sees it so.

What a client or peer has not read yet stays while it pulls: it is counted, and told for whom. Who has not pulled for longer
(--retain-unread) is not waited for, and told too.

SQLite uses freed space again without giving it back to the disk; --vacuum does, while writers wait. PostgreSQL's tables
are vacuumed and analysed.`,
		Args: cobra.NoArgs,
		Example: `  skjold collection set indicators --retain-revoked 90d --retain-expired 90d --retain-superseded 30d
  skjold compact --dry-run
  skjold compact --collection indicators --vacuum --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				return a.compact(ctx, st, collection, dryRun, vacuum)
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what would go")
	cmd.Flags().BoolVar(&vacuum, "vacuum", false, "write the database anew without the space that is free; writers wait meanwhile")
	cmd.Flags().StringVar(&collection, "collection", "", "id, alias or title of the only collection to look at")
	return cmd
}

func (a *app) compact(ctx context.Context, st *store.Store, ref string, dryRun, vacuum bool) error {
	o := store.CompactOptions{DryRun: dryRun}
	if dryRun && vacuum {
		return usagef("--dry-run changes nothing, so it does not go with --vacuum")
	}
	if ref != "" {
		c, err := findCollection(ctx, st, ref)
		if err != nil {
			return err
		}
		o.Collection = c.ID
	}
	bar := newProgress(a.err, -1, false, "Looking at objects")
	o.Progress = bar.add
	list, err := st.Compact(ctx, o)
	bar.done()
	if err != nil {
		return err
	}
	told := compactedJSON{DryRun: dryRun, Collections: []compactionJSON{}}
	for _, c := range list {
		told.Collections = append(told.Collections, compactionJSON{
			ID: c.Collection.ID, Title: c.Collection.Title, Retention: retentionToJSON(c.Retention), Revoked: c.Revoked, Expired: c.Expired,
			Superseded: c.Superseded, Kept: c.Kept, KeptFor: append([]string{}, c.KeptFor...), Missed: append([]string{}, c.Missed...),
		})
	}
	if !dryRun {
		space, err := st.Optimize(ctx, vacuum)
		if err != nil {
			return err
		}
		told.Bytes, told.Free = space.Size, space.Free
	}
	if a.json {
		return printJSON(a.out, told)
	}
	return a.showCompacted(told)
}

func (a *app) showCompacted(told compactedJSON) error {
	if len(told.Collections) == 0 {
		fmt.Fprintln(a.out, "No collection has rules that let go of objects; set some with: skjold collection set NAME --retain-revoked 90d")
	} else {
		t := table{head: []string{"COLLECTION", "REVOKED", "EXPIRED", "SUPERSEDED", "KEPT UNREAD"}}
		for _, c := range told.Collections {
			t.row(c.Title, fmt.Sprint(c.Revoked), fmt.Sprint(c.Expired), fmt.Sprint(c.Superseded), fmt.Sprint(c.Kept))
		}
		if err := t.print(a.out); err != nil {
			return err
		}
	}
	for _, c := range told.Collections {
		if len(c.KeptFor) > 0 {
			fmt.Fprintf(a.out, "%s: kept until read by %s\n", printable(c.Title), printable(strings.Join(c.KeptFor, ", ")))
		}
		if len(c.Missed) > 0 {
			fmt.Fprintf(a.out, "%s: not read by %s, who did not pull for long\n", printable(c.Title), printable(strings.Join(c.Missed, ", ")))
		}
	}
	if told.DryRun {
		fmt.Fprintln(a.out, "Nothing was changed.")
		return nil
	}
	fmt.Fprintf(a.out, "The database has %d bytes, of which %d are free.\n", told.Bytes, told.Free)
	return nil
}
