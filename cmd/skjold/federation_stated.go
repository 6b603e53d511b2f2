package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

// statedJSON is a member about whom this node issues statements.
type statedJSON struct {
	Entity    federation.EntityID `json:"entity"`
	OrgID     string              `json:"org_id"`
	Admission federation.Hash     `json:"admission"`
	Keys      []string            `json:"keys"` // thumbprints
	// Vouched tells that keys among them stand in no record: this node vouches for them.
	Vouched bool `json:"vouched"`
}

func (a *app) statedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "stated", Short: "Members about whom this node issues statements, and by which keys",
		Long: `A running hub or secretariat issues the statements about its members by itself, and renews them before they end: about those
whom the founders admitted by name below it, and about members of a class that 'skjold federation statement' was said of
once. New keys of theirs are taken up from what they say of themselves, as far as the present ones, or the records, allow it.`,
	}
	var pin string
	list := &cobra.Command{
		Use: "list", Short: "List them", Args: cobra.NoArgs, Example: "  skjold federation stated list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error { return a.printStated(ctx, st, pin) })
		},
	}
	a.charterFlag(list, &pin)
	remove := &cobra.Command{
		Use: "remove ENTITY", Short: "Vouch no more for the keys of a member", Args: cobra.ExactArgs(1),
		Long: `Vouch no more for the keys of a member: about a member of a class no more statements are issued, and those that it has end
within a day. A member that the founders admitted by name is stated by the records all the same.`,
		Example: "  skjold federation stated remove https://skjold.koege.example",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				found := false
				err := changeVouched(ctx, st, func(all []federation.Vouched) []federation.Vouched {
					return slices.DeleteFunc(all, func(v federation.Vouched) bool {
						found = found || string(v.Entity) == args[0]
						return string(v.Entity) == args[0]
					})
				})
				switch {
				case err != nil:
					return err
				case !found:
					return fmt.Errorf("this node vouches for no keys of %s", args[0])
				case a.json:
					return printJSON(a.out, map[string]string{"removed": args[0]})
				}
				_, err = fmt.Fprintf(a.out, "No more keys of %s are vouched for\n", args[0])
				return err
			})
		},
	}
	cmd.AddCommand(list, remove)
	return cmd
}

func (a *app) printStated(ctx context.Context, st *store.Store, pin string) error {
	cfg, err := a.loadConfig(dataDir(a.data), nil)
	if err != nil {
		return err
	}
	ledger, err := a.openLedger(pin)
	if err != nil {
		return err
	}
	vouched, _, err := readVouched(ctx, st)
	if err != nil {
		return err
	}
	registry := federation.AdmittedBelow{
		Superior: federation.EntityID(cfg.Entity), Ledger: func() *federation.Ledger { return ledger }, Vouched: func() []federation.Vouched { return vouched },
	}
	all, err := registry.Subordinates(ctx)
	if err != nil {
		return err
	}
	list := []statedJSON{}
	t := table{head: []string{"MEMBER", "LEGAL IDENTITY", "KEYS", "BY"}}
	for _, s := range all {
		j := statedJSON{Entity: s.Entity, OrgID: s.Metadata.Text("taxii_node", "org_id"), Admission: s.Admission}
		for _, k := range s.Keys.Keys() {
			j.Keys = append(j.Keys, k.ID())
		}
		by := "records"
		if j.Vouched = slices.ContainsFunc(vouched, func(v federation.Vouched) bool { return v.Entity == s.Entity }); j.Vouched {
			by = "this node"
		}
		list = append(list, j)
		t.row(string(j.Entity), j.OrgID, fmt.Sprint(len(j.Keys)), by)
	}
	if a.json {
		return printJSON(a.out, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, "This node issues no statements.")
		return err
	}
	return t.print(a.out)
}
