package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

func (a *app) federationKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show and rotate this node's keys, and make key files",
		Long: `Keys are files: one each, readable by their owner alone, and refused when others can read them. A founder's vote key
signs votes, nominations, suspensions and charters; it is best kept on another machine than the node, where no network is
needed: proposals go there, votes come back.`,
		Example: "  skjold federation keys show\n  skjold federation keys new vote.jwk",
	}
	cmd.AddCommand(a.keysShowCommand(), a.keysRotateCommand(), a.keysNewCommand(), a.keysPublicCommand())
	return cmd
}

func (a *app) keysNewCommand() *cobra.Command {
	return &cobra.Command{
		Use: "new FILE", Short: "Make a new key, such as a founder's vote key", Args: cobra.ExactArgs(1),
		Example: "  skjold federation keys new vote.jwk\n  skjold federation keys public vote.jwk >vote.jwks      to send to the others",
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := federation.CreateKey(args[0])
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]string{"file": args[0], "thumbprint": key.ID()})
			}
			_, err = fmt.Fprintf(a.out, "Made the key %s in %s, readable by you alone. Keep a copy in a safe: a lost vote key takes a new charter to replace.\nTo send to the others: skjold federation keys public %s >FILE\n", key.ID(), args[0], args[0])
			return err
		},
	}
}

func (a *app) keysPublicCommand() *cobra.Command {
	var onlyThumbprint bool
	cmd := &cobra.Command{
		Use: "public FILE", Short: "Print the public half of a key file as a key set (RFC 7517)", Args: cobra.ExactArgs(1),
		Example: "  skjold federation keys public vote.jwk >vote.jwks\n  skjold federation keys public skjold-data/keys/federation.jwk >anchor.jwks",
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := federation.LoadKey(args[0])
			if err != nil {
				return err
			}
			text := []byte(key.ID())
			if onlyThumbprint && a.json {
				return printJSON(a.out, map[string]string{"thumbprint": key.ID()})
			}
			if !onlyThumbprint {
				if text, err = publicKeys(key); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(a.out, "%s\n", text)
			return err
		},
	}
	cmd.Flags().BoolVar(&onlyThumbprint, "thumbprint", false, "print only its RFC 7638 thumbprint")
	return cmd
}

// spoken is a hash or thumbprint in groups of four, as people read it out on the telephone.
func spoken(hash string) string {
	var groups []string
	for len(hash) > 4 {
		groups, hash = append(groups, hash[:4]), hash[4:]
	}
	return strings.Join(append(groups, hash), " ")
}
