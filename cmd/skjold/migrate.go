package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
)

// migrateJSON is what migrate tells.
type migrateJSON struct {
	From    int        `json:"from"` // the version of the schema before
	To      int        `json:"to"`
	Steps   []stepJSON `json:"steps"`
	Applied bool       `json:"applied"` // false with --dry-run
}

type stepJSON struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
}

func (a *app) migrateCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema up to date without serving",
		Long: `Bring the schema of the node's database up to date. Every command that opens the database does so by itself; this one
lets an operator do it at a time of their choosing, and see before what would be done. Each step is one transaction: after
an interruption run it again. Make a backup first, as there is no way back: a program that is older than the database
refuses it.

Stop a node that runs an older version before, and all of them where several serve one database.`,
		Args: cobra.NoArgs,
		Example: `  skjold migrate --dry-run --data /var/lib/skjold
  skjold backup /var/backups/skjold/ && skjold migrate --json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.migrate(cmd.Context(), dryRun) },
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only list the steps that would be taken")
	return cmd
}

func (a *app) migrate(ctx context.Context, dryRun bool) error {
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return err
	}
	if err := dir.requireDatabase(cfg); err != nil {
		return err
	}
	from, steps, err := store.Pending(ctx, store.Options{Dir: string(dir), URL: string(cfg.Database.URL)})
	if err != nil {
		return err
	}
	told := migrateJSON{From: from, To: from + len(steps), Steps: []stepJSON{}, Applied: !dryRun}
	for _, s := range steps {
		told.Steps = append(told.Steps, stepJSON(s))
	}
	if !dryRun && len(steps) > 0 {
		st, err := openNodeStore(ctx, dir, cfg)
		if err != nil {
			return err
		}
		if err := errors.Join(st.Ping(ctx), st.Close()); err != nil {
			return err
		}
	}
	if a.json {
		return printJSON(a.out, told)
	}
	for _, s := range told.Steps {
		fmt.Fprintf(a.out, "  %4d  %s\n", s.Number, s.Name)
	}
	switch {
	case len(steps) == 0:
		fmt.Fprintf(a.out, "The schema is up to date: version %d.\n", from)
	case dryRun:
		fmt.Fprintf(a.out, "The schema is version %d; these steps would make it %d.\n", from, told.To)
	default:
		fmt.Fprintf(a.out, "The schema was version %d and is %d.\n", from, told.To)
	}
	return nil
}
