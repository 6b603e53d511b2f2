package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// collectionJSON is a collection in the output of --json.
type collectionJSON struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Alias       string `json:"alias,omitempty"`
	Description string `json:"description,omitempty"`
	DefaultTLP  string `json:"default_tlp"`
	Rules       string `json:"rules"` // strict or lenient
	Objects     int64  `json:"objects"`
	Created     string `json:"created"`
	LastAdded   string `json:"last_added,omitempty"`
	// Violating counts the entries that were stored although they break rules of STIX 2.1; only in collection show.
	Violating *int64 `json:"violating,omitempty"`
	// Retention is what it lets go of after a time; only in collection show.
	Retention *retentionJSON `json:"retention,omitempty"`
	// Levels counts entries by the level they are handled as; only in collection show.
	Levels []levelJSON `json:"levels,omitempty"`
}

// levelJSON counts the entries that are handled alike.
type levelJSON struct {
	Level   string `json:"level"`
	Marked  bool   `json:"marked"`            // by their own marking rather than the collection's default
	Unknown bool   `json:"unknown,omitempty"` // because of a marking that the node does not understand
	Objects int64  `json:"objects"`
}

// String says it in words.
func (l levelJSON) String() string {
	switch {
	case l.Unknown:
		return "by a marking that is not understood, so handled as TLP:RED"
	case !l.Marked:
		return "unmarked, handled as TLP:" + strings.ToUpper(l.Level)
	}
	return "TLP:" + strings.ToUpper(l.Level)
}

func collectionToJSON(c taxii.Collection) collectionJSON {
	j := collectionJSON{
		ID: c.ID, Title: c.Title, Alias: c.Alias, Description: c.Description, DefaultTLP: defaultTLPName(c.DefaultTLP),
		Rules: rulesName(c.Lenient), Objects: c.Objects, Created: c.Created.String(),
	}
	if c.Last != c.Created {
		j.LastAdded = c.Last.String()
	}
	return j
}

const refuseUnmarked = "refuse"

func defaultTLPName(t stix.TLP) string {
	if t == stix.TLPUnmarked {
		return refuseUnmarked
	}
	return t.String()
}

func parseDefaultTLP(s string) (stix.TLP, error) {
	if strings.EqualFold(s, refuseUnmarked) {
		return stix.TLPUnmarked, nil
	}
	t, err := stix.ParseTLP(s)
	if err != nil || t == stix.TLPRed {
		return 0, usagef("--default-tlp %q is not one of clear, green, amber, amber+strict, refuse", s)
	}
	return t, nil
}

func (a *app) collectionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "collection", Short: "Add, list, show, change and remove collections of this node"}
	cmd.AddCommand(a.collectionAddCommand(), a.collectionListCommand(), a.collectionShowCommand(), a.collectionSetCommand(), a.collectionRemoveCommand(), a.collectionDeleteCommand())
	return cmd
}

func (a *app) collectionAddCommand() *cobra.Command {
	var c store.NewCollection
	var defaultTLP, rules string
	cmd := &cobra.Command{
		Use:   "add --title TITLE",
		Short: "Add a collection; a running node serves it within two seconds",
		Long: `Add a collection. Objects without a TLP marking are never taken for TLP:CLEAR: they are handled as the
collection's --default-tlp, "amber+strict" unless given (they stay in the house), or refused with --default-tlp refuse.

Objects that break rules of STIX 2.1 are refused, unless the collection has --rules lenient: then what a node can handle
is stored, and what it breaks is recorded beside it. That is for official feeds, which have such objects.`,
		Example: `  skjold collection add --title "Indicators, municipalities" --alias municipal
  skjold collection add --title "Official feed" --alias official-feed --rules lenient
  skjold collection add --title Public --alias public --default-tlp clear --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Title == "" {
				return usagef("--title is missing: what is the collection called?")
			}
			var err error
			if c.DefaultTLP, err = parseDefaultTLP(defaultTLP); err != nil {
				return err
			}
			if c.Lenient, err = parseRules(rules); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				added, err := st.AddCollection(ctx, c)
				if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, collectionToJSON(added))
				}
				fmt.Fprintf(a.out, "Added collection %s\n  id           %s\n", printable(added.Title), added.ID)
				if added.Alias != "" {
					fmt.Fprintf(a.out, "  alias        %s\n", added.Alias)
				}
				fmt.Fprintf(a.out, "  unmarked     %s\n", unmarkedInWords(added.DefaultTLP))
				fmt.Fprintf(a.out, "  rules        %s\n", rulesInWords(added.Lenient))
				fmt.Fprintf(a.out, "Give a client access with: skjold client add NAME --read %s\n", added.ID)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&c.Title, "title", "", "title, unique on this node, without dots")
	cmd.Flags().StringVar(&c.Alias, "alias", "", "short name for URLs: lower-case letters, digits, - and _")
	cmd.Flags().StringVar(&c.Description, "description", "", "what is in it, for whom")
	cmd.Flags().StringVar(&defaultTLP, "default-tlp", "amber+strict", "how objects without a TLP marking are handled: clear, green, amber, amber+strict or refuse")
	addRulesFlag(cmd, &rules, rulesStrict)
	return cmd
}

func unmarkedInWords(t stix.TLP) string {
	if t == stix.TLPUnmarked {
		return "objects without a TLP marking are refused"
	}
	return "objects without a TLP marking are handled as TLP:" + strings.ToUpper(t.String())
}

func (a *app) collectionListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the collections", Args: cobra.NoArgs,
		Example: "  skjold collection list\n  skjold collection list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				all, err := st.Collections(ctx)
				if err != nil {
					return err
				}
				if a.json {
					list := make([]collectionJSON, 0, len(all))
					for _, c := range all {
						list = append(list, collectionToJSON(c))
					}
					return printJSON(a.out, list)
				}
				t := table{head: []string{"TITLE", "ALIAS", "ID", "UNMARKED AS", "RULES", "OBJECTS", "LAST ADDED"}}
				for _, c := range all {
					j := collectionToJSON(c)
					t.row(j.Title, j.Alias, j.ID, j.DefaultTLP, j.Rules, strconv.FormatInt(j.Objects, 10), j.LastAdded)
				}
				return t.print(a.out)
			})
		},
	}
}

func (a *app) collectionShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID|ALIAS|TITLE", Short: "Show one collection and how many objects of each TLP level it holds",
		Args: cobra.ExactArgs(1), Example: "  skjold collection show indicators",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				c, err := findCollection(ctx, st, args[0])
				if err != nil {
					return err
				}
				return a.showCollection(ctx, st, c)
			})
		},
	}
}

// showCollection prints a collection with its counts.
func (a *app) showCollection(ctx context.Context, st *store.Store, c taxii.Collection) error {
	levels, err := st.LevelCounts(ctx, c.ID)
	if err != nil {
		return err
	}
	violating, err := st.ViolationCount(ctx, c.ID)
	if err != nil {
		return err
	}
	retention, err := st.Retention(ctx, c.ID)
	if err != nil {
		return err
	}
	j := collectionToJSON(c)
	told := retentionToJSON(retention)
	j.Violating, j.Retention = &violating, &told
	for _, l := range levels {
		j.Levels = append(j.Levels, levelJSON{Level: l.Level.String(), Marked: l.Marked, Unknown: l.Unknown, Objects: l.Entries})
	}
	if a.json {
		return printJSON(a.out, j)
	}
	fmt.Fprintf(a.out, "%s\n", printable(j.Title))
	for _, line := range [][2]string{
		{"id", j.ID}, {"alias", j.Alias}, {"description", j.Description}, {"created", j.Created},
		{"last added", j.LastAdded}, {"objects", strconv.FormatInt(j.Objects, 10)}, {"unmarked", unmarkedInWords(c.DefaultTLP)},
		{"rules", rulesInWords(c.Lenient)}, {"violating", violatingInWords(violating)},
		{"lets go of", retentionInWords(retention)},
	} {
		if line[1] != "" {
			fmt.Fprintf(a.out, "  %-12s %s\n", line[0], printable(line[1]))
		}
	}
	for _, l := range j.Levels {
		fmt.Fprintf(a.out, "    %9d  %s\n", l.Objects, l)
	}
	return nil
}

func (a *app) collectionRemoveCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "remove ID|ALIAS|TITLE", Short: "Remove a collection with everything in it",
		Args: cobra.ExactArgs(1), Example: "  skjold collection remove old-feed --force",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				c, err := findCollection(ctx, st, args[0])
				if err != nil {
					return err
				}
				if c.Objects > 0 && !force {
					return usagef("%q holds %s, which would be gone for good; say --force if you mean it", c.Title, counted(c.Objects, "object"))
				}
				if err := st.RemoveCollection(ctx, c.ID); err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, collectionToJSON(c))
				}
				fmt.Fprintf(a.out, "Removed collection %s with %s\n", printable(c.Title), counted(c.Objects, "object"))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "remove it although it holds objects")
	return cmd
}

// findCollection resolves an id, alias or title, with an error that lists what there is.
func findCollection(ctx context.Context, st *store.Store, ref string) (taxii.Collection, error) {
	c, err := st.FindCollection(ctx, ref)
	if !isNotFound(err) {
		return c, err
	}
	all, listErr := st.Collections(ctx)
	if listErr != nil {
		return c, listErr
	}
	names := make([]string, 0, len(all))
	for _, c := range all {
		name := c.Alias
		if name == "" {
			name = strconv.Quote(c.Title)
		}
		names = append(names, name)
	}
	return c, fmt.Errorf("there is no collection %q; this node has: %s", ref, strings.Join(names, ", "))
}
