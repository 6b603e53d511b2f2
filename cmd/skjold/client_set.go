package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

func (a *app) clientSetCommand() *cobra.Command {
	var read, write, none []string
	var disable, enable, noPassword bool
	var identity string
	var account accountFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change what an account may do; its key stays",
		Long: `Change the rights of an account on the collections that are named, and leave its other rights and its key as they are.
A disabled account is refused until it is enabled again, an expired one until --expires says otherwise. The certificates
that are given replace those that it had.`,
		Args: cobra.ExactArgs(1),
		Example: `  skjold client set sentinel --read indicators --read advisories
  skjold client set sentinel --none advisories
  skjold client set analyst --disable
  skjold client set analyst --identity identity--f431f809-377b-45e0-aa1c-6a4751cae5ff
  skjold client set analyst --identity ""
  skjold client set consultant --expires 2027-06-30
  skjold client set sensor --certificate old.pem --certificate new.pem
  skjold client set importer --rate none`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(read)+len(write)+len(none) == 0 && !disable && !enable && !noPassword && !cmd.Flags().Changed("identity") && !account.changed() {
				return usagef("say what to change: --read, --write, --none, --identity, --disable, --enable, --expires, --set-password, --no-password, --certificate, --rate or --byte-rate")
			}
			var password string
			if account.wantsPassword() {
				var err error
				if password, err = a.newPassword(&account); err != nil {
					return err
				}
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
				if err := account.apply(&c, time.Now()); err != nil {
					return err
				}
				c.Disabled = (c.Disabled || disable) && !enable
				if password != "" || noPassword { // before the rest: a password may be refused
					if err := st.SetPassword(ctx, c.Name, password); err != nil {
						return err
					}
					c.HasPassword = password != ""
				}
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
	cmd.Flags().BoolVar(&noPassword, "no-password", false, "take the password away; keys and certificates stay")
	account.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("disable", "enable")
	cmd.MarkFlagsMutuallyExclusive("no-password", "set-password")
	cmd.MarkFlagsMutuallyExclusive("no-password", "password-file")
	return cmd
}
