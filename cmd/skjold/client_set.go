package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

func (a *app) clientSetCommand() *cobra.Command {
	var read, write, none []string
	var disable, enable bool
	var identity string
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change what an account may do; its key stays",
		Long: `Change the rights of an account on the collections that are named, and leave its other rights and its key as they are.
A disabled account is refused until it is enabled again.`,
		Args: cobra.ExactArgs(1),
		Example: `  skjold client set sentinel --read indicators --read advisories
  skjold client set sentinel --none advisories
  skjold client set analyst --disable
  skjold client set analyst --identity identity--f431f809-377b-45e0-aa1c-6a4751cae5ff
  skjold client set analyst --identity ""`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(read)+len(write)+len(none) == 0 && !disable && !enable && !cmd.Flags().Changed("identity") {
				return usagef("say what to change: --read, --write, --none, --identity, --disable or --enable")
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				c, err := findClient(ctx, st, args[0])
				if err != nil {
					return err
				}
				if c.Rights == nil {
					c.Rights = map[string]taxii.Rights{}
				}
				// What is named is set anew: --read alone takes a right to write away.
				for _, ref := range append(append(append([]string{}, read...), write...), none...) {
					col, err := findCollection(ctx, st, ref)
					if err != nil {
						return err
					}
					delete(c.Rights, col.ID)
				}
				if err := grant(ctx, st, c.Rights, read, write); err != nil {
					return err
				}
				if cmd.Flags().Changed("identity") {
					c.Identity = stix.Identifier(identity)
				}
				c.Disabled = (c.Disabled || disable) && !enable
				if err := st.SetClient(ctx, c); err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, clientToJSON(c))
				}
				_, err = fmt.Fprintf(a.out, "Changed %s; a running node follows within two seconds\n", c.Name)
				return err
			})
		},
	}
	cmd.Flags().StringArrayVar(&read, "read", nil, "collection that it may read; may be repeated")
	cmd.Flags().StringArrayVar(&write, "write", nil, "collection that it may add to; may be repeated")
	cmd.Flags().StringArrayVar(&none, "none", nil, "collection that it may no longer know of; may be repeated")
	cmd.Flags().StringVar(&identity, "identity", "", `id of the STIX identity that must be the created_by_ref of what it publishes; "" for anybody's`)
	cmd.Flags().BoolVar(&disable, "disable", false, "refuse the account")
	cmd.Flags().BoolVar(&enable, "enable", false, "accept the account again")
	cmd.MarkFlagsMutuallyExclusive("disable", "enable")
	return cmd
}
