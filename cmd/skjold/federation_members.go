package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
)

func (a *app) membersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "members", Short: "Say what members of the federation that are not pinned may read here",
		Long: `A member of the federation that you have not pinned introduces itself by its trust chain. It is served the collections that
are opened to members, and no others. What a pinned peer may read is said with 'skjold federation peer allow'.`,
	}
	cmd.AddCommand(a.membersAllowCommand(), a.membersDenyCommand(), a.membersListCommand())
	return cmd
}

func (a *app) membersAllowCommand() *cobra.Command {
	var maxTLP string
	var rule opening
	cmd := &cobra.Command{
		Use:   "allow COLLECTION...",
		Short: "Open collections to all members, or to those of a class or with a trust mark",
		Long: `Open collections to all members of the federation, up to --max-tlp: green unless given. AMBER is for named peers only
('skjold federation peer allow'). A running node serves them within two seconds. It replaces what was said before of the same
collections.

With --class only members that the founders admitted as one of these classes are served. With --mark a member must show a
trust mark of that type, by an issuer that the trust anchor names, with the owner's delegation where the type has an owner;
of several types, all of them. A mark that a member issued itself counts for nothing.

With --write they may add to the collection too: members that this node cannot connect to push there what they have.`,
		Example: `  skjold federation members allow indicators
  skjold federation members allow indicators --max-tlp clear
  skjold federation members allow incidents --class municipality --class region --mark https://federation.example/marks/backup`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			level, err := stix.ParseTLP(maxTLP)
			if err != nil || level != stix.TLPClear && level != stix.TLPGreen {
				return usagef("--max-tlp %q is not one of clear, green: stricter levels are for peers that you name", maxTLP)
			}
			for _, t := range rule.marks {
				if err := federation.CheckTrustMarkType(t); err != nil {
					return usagef("--mark %q: %w", t, err)
				}
			}
			rule.level = level
			return a.changeOpened(cmd.Context(), args, func(opened map[string]opening, id string) { opened[id] = rule })
		},
	}
	cmd.Flags().StringVar(&maxTLP, "max-tlp", "green", "strictest level that members are served: clear or green")
	cmd.Flags().BoolVar(&rule.write, "write", false, "let them add to the collections too")
	cmd.Flags().StringArrayVar(&rule.classes, "class", nil, "class of members, as in their admission; may be repeated (all classes unless given)")
	cmd.Flags().StringArrayVar(&rule.marks, "mark", nil, "type of trust mark that a member must show, a URL; may be repeated")
	return cmd
}

func (a *app) membersDenyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "deny COLLECTION...", Short: "Close collections to members that are not pinned",
		Example: "  skjold federation members deny indicators",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeOpened(cmd.Context(), args, func(opened map[string]opening, id string) { delete(opened, id) })
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
func (a *app) changeOpened(ctx context.Context, refs []string, change func(opened map[string]opening, id string)) error {
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
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	MaxTLP  string   `json:"max_tlp"`
	Classes []string `json:"classes,omitempty"` // none for all
	Marks   []string `json:"marks,omitempty"`
	Write   bool     `json:"write,omitempty"`
}

// words says whom a collection is opened to.
func (o openedJSON) words() string {
	who := "all members"
	if len(o.Classes) > 0 {
		who = "members of the class " + strings.Join(o.Classes, ", ")
	}
	if len(o.Marks) > 0 {
		who += " that show " + strings.Join(o.Marks, " and ")
	}
	if o.Write {
		who += ", who may add to it"
	}
	return fmt.Sprintf("%s  up to TLP:%s  %s  (%s)", o.ID, strings.ToUpper(o.MaxTLP), o.Title, who)
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
		rule := opened[id]
		list = append(list, openedJSON{ID: id, Title: c.Title, MaxTLP: rule.level.String(), Classes: rule.classes, Marks: rule.marks, Write: rule.write})
	}
	if a.json {
		return printJSON(a.out, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, "No collection is opened to members that are not pinned.")
		return err
	}
	for _, c := range list {
		if _, err := fmt.Fprintln(a.out, printable(c.words())); err != nil {
			return err
		}
	}
	return nil
}
