package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
)

// The rules of a collection or a subscription for objects that break rules of STIX 2.1.
const (
	rulesStrict  = "strict"
	rulesLenient = "lenient"
)

func rulesName(lenient bool) string {
	if lenient {
		return rulesLenient
	}
	return rulesStrict
}

// parseRules tells whether --rules says lenient.
func parseRules(s string) (lenient bool, err error) {
	switch s {
	case rulesStrict:
		return false, nil
	case rulesLenient:
		return true, nil
	}
	return false, usagef("--rules %q is not one of strict, lenient", s)
}

func addRulesFlag(cmd *cobra.Command, rules *string, otherwise string) {
	cmd.Flags().StringVar(rules, "rules", otherwise,
		"strict refuses objects that break rules of STIX 2.1; lenient stores those that can be handled and records what they break")
}

func rulesInWords(lenient bool) string {
	if lenient {
		return "lenient: objects that break rules of STIX 2.1 are stored if they can be handled, and what they break is recorded"
	}
	return "strict: objects that break rules of STIX 2.1 are refused"
}

// violatingInWords is "" where there are none.
func violatingInWords(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d: 'skjold check --collection' tells what they break", n)
}

func (a *app) collectionSetCommand() *cobra.Command {
	var title, description, rules, defaultTLP string
	var retention retentionFlags
	cmd := &cobra.Command{
		Use:   "set ID|ALIAS|TITLE",
		Short: "Change a collection's title, description, rules, default TLP or what it lets go of",
		Long: `Change what is given and leave the rest. A running node goes by it within two seconds. Other rules are for what is
published from then on; what the collection holds stays. The rules of what is pulled from a peer are those of the
subscription.

Another --default-tlp is for the unmarked objects that the collection holds too: with refuse they are served to nobody. What a
peer has pulled past while it was not let read it comes with 'skjold federation resync' there; what peers have already is not
called back.

--retain-revoked, --retain-expired and --retain-superseded say after which time the collection lets go of such objects and
versions; unless set, it keeps everything. A running node sees to it every hour, skjold compact at once.`,
		Args: cobra.ExactArgs(1),
		Example: `  skjold collection set official-feed --rules lenient
  skjold collection set indicators --default-tlp green
  skjold collection set indicators --retain-revoked 90d --retain-expired 90d --retain-superseded 30d
  skjold collection set indicators --title "Indicators, region" --description "Shared by the region's nodes" --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var change store.CollectionChange
			if cmd.Flags().Changed("title") {
				change.Title = &title
			}
			if cmd.Flags().Changed("description") {
				change.Description = &description
			}
			if cmd.Flags().Changed("rules") {
				lenient, err := parseRules(rules)
				if err != nil {
					return err
				}
				change.Lenient = &lenient
			}
			if cmd.Flags().Changed("default-tlp") {
				level, err := parseDefaultTLP(defaultTLP)
				if err != nil {
					return err
				}
				change.DefaultTLP = &level
			}
			if change == (store.CollectionChange{}) && !retention.given() {
				return usagef("say what to change: --title, --description, --rules, --default-tlp or --retain-…")
			}
			if err := retention.change(new(store.Retention)); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				c, err := findCollection(ctx, st, args[0])
				if err != nil {
					return err
				}
				if c, err = st.ChangeCollection(ctx, c.ID, change); err != nil {
					return err
				}
				if err := setRetention(ctx, st, c.ID, retention); err != nil {
					return err
				}
				return a.showCollection(ctx, st, c)
			})
		},
	}
	retention.add(cmd)
	cmd.Flags().StringVar(&title, "title", "", "title, unique on this node, without dots")
	cmd.Flags().StringVar(&description, "description", "", "what is in it, for whom")
	cmd.Flags().StringVar(&defaultTLP, "default-tlp", "", "how objects without a TLP marking are handled: clear, green, amber, amber+strict or refuse")
	addRulesFlag(cmd, &rules, "")
	return cmd
}
