package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
)

func (a *app) membersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "members", Short: "Say what all members of the federation may read here",
		Long: `A member of the federation that you have not pinned introduces itself by its trust chain. It is served the collections that
are opened to members, and no others. What a pinned peer may read is said with 'skjold federation peer allow'.`,
	}
	cmd.AddCommand(a.membersAllowCommand(), a.membersDenyCommand(), a.membersListCommand())
	return cmd
}

func (a *app) membersAllowCommand() *cobra.Command {
	var maxTLP string
	cmd := &cobra.Command{
		Use:   "allow COLLECTION...",
		Short: "Open collections to all members",
		Long: `Open collections to all members of the federation, up to --max-tlp: green unless given. AMBER is for named peers only
('skjold federation peer allow'). A running node serves them within two seconds.`,
		Example: "  skjold federation members allow indicators\n  skjold federation members allow indicators --max-tlp clear",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			level, err := stix.ParseTLP(maxTLP)
			if err != nil || level != stix.TLPClear && level != stix.TLPGreen {
				return usagef("--max-tlp %q is not one of clear, green: stricter levels are for peers that you name", maxTLP)
			}
			return a.changeOpened(cmd.Context(), args, func(opened map[string]stix.TLP, id string) { opened[id] = level })
		},
	}
	cmd.Flags().StringVar(&maxTLP, "max-tlp", "green", "strictest level that members are served: clear or green")
	return cmd
}

func (a *app) membersDenyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "deny COLLECTION...", Short: "Close collections to members that are not pinned",
		Example: "  skjold federation members deny indicators",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeOpened(cmd.Context(), args, func(opened map[string]stix.TLP, id string) { delete(opened, id) })
		},
	}
}

func (a *app) membersListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the collections that are opened to all members", Args: cobra.NoArgs,
		Example: "  skjold federation members list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error { return a.printOpened(ctx, st) })
		},
	}
}

// changeOpened finds all the collections before it changes anything.
func (a *app) changeOpened(ctx context.Context, refs []string, change func(opened map[string]stix.TLP, id string)) error {
	return a.withStore(ctx, func(ctx context.Context, st *store.Store) error {
		opened, err := readOpened(ctx, st)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			c, err := findCollection(ctx, st, ref)
			if err != nil {
				return err
			}
			change(opened, c.ID)
		}
		if err := writeOpened(ctx, st, opened); err != nil {
			return err
		}
		return a.printOpened(ctx, st)
	})
}

// openedJSON is a line of the listing.
type openedJSON struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	MaxTLP string `json:"max_tlp"`
}

func (a *app) printOpened(ctx context.Context, st *store.Store) error {
	opened, err := readOpened(ctx, st)
	if err != nil {
		return err
	}
	list := []openedJSON{}
	for _, id := range slices.Sorted(maps.Keys(opened)) {
		c, err := st.Collection(ctx, id)
		if isNotFound(err) {
			continue // it was removed since
		}
		if err != nil {
			return err
		}
		list = append(list, openedJSON{ID: id, Title: c.Title, MaxTLP: opened[id].String()})
	}
	if a.json {
		return printJSON(a.out, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, "No collection is opened to members that are not pinned.")
		return err
	}
	for _, c := range list {
		if _, err := fmt.Fprintf(a.out, "%s  up to TLP:%s  %s\n", c.ID, strings.ToUpper(c.MaxTLP), printable(c.Title)); err != nil {
			return err
		}
	}
	return nil
}
