package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
)

func (a *app) federationCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "federation",
		Short: "Peers and what is pulled from them; the charter, votes and members of the federation",
		Long: `Nodes know each other by keys that their operators pin. To let node B read a collection of node A:

  at A:  skjold federation peer add B-ENTITY --jwks b.jwks --read indicators
  at B:  skjold federation peer add A-ENTITY --jwks a.jwks
  at B:  skjold federation subscribe A-ENTITY indicators --into indicators

where 'skjold federation show --jwks' prints a node's key set. Members of a federation need not pin each other: with
federation.charter and federation.superiors set, A opens a collection ('members allow') and B subscribes to it, each known to the
other by its trust chain. A node that nobody can connect to has its configuration 'hosted' by its hub, and 'push'es.

Where founders have made a charter, 'directory' tells who belongs
to the federation and 'verify' why; docs/federation.md is the guide of founders, hubs and members. TLP:RED and TLP:AMBER+STRICT never leave by federation.`,
	}
	peer := &cobra.Command{Use: "peer", Short: "Pin, list and remove peers, and say what they may read"}
	peer.AddCommand(a.peerAddCommand(), a.peerAllowCommand(), a.peerDenyCommand(), a.peerListCommand(), a.peerRemoveCommand())
	cmd.AddCommand(a.federationShowCommand(), peer, a.subscribeCommand(), a.unsubscribeCommand(), a.resyncCommand(), a.subscriptionsCommand(),
		a.quarantineCommand(), a.federationStatusCommand())
	cmd.AddCommand(a.foundCommand(), a.charterCommand(), a.nominateCommand(), a.challengeCommand(), a.proveCommand(), a.proposeCommand(),
		a.voteCommand(), a.decideCommand(), a.suspendCommand(), a.expelCommand(), a.reinstateCommand(), a.recoverCommand(), a.recordsCommand(),
		a.statementCommand(), a.statedCommand(), a.directoryCommand(), a.federationVerifyCommand(), a.federationKeysCommand(), a.membersCommand(), a.hostedCommand(), a.markCommand(),
		a.pushCommand(), a.unpushCommand(), a.pushesCommand())
	return cmd
}

// identity is the node's configuration and its keys.
func (a *app) identity() (*config.Config, *federation.KeyRing, error) {
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return nil, nil, err
	}
	ring, err := federation.OpenKeyRing(dir.keys())
	return cfg, ring, err
}

func (a *app) federationShowCommand() *cobra.Command {
	var jwks, federationJWKS bool
	cmd := &cobra.Command{
		Use: "show", Short: "Show this node's entity identifier and public keys", Args: cobra.NoArgs,
		Example: "  skjold federation show\n  skjold federation show --jwks >my-node.jwks      to send to another operator",
		RunE: func(*cobra.Command, []string) error {
			cfg, ring, err := a.identity()
			if err != nil {
				return err
			}
			use := federation.RequestKey
			if federationJWKS {
				use = federation.FederationKey
			}
			now := time.Now()
			published, err := publishedKeys(ring, use, now)
			if err != nil {
				return err
			}
			set, err := json.Marshal(published)
			if err != nil {
				return err
			}
			keys := ring.Keys(now)
			switch {
			case jwks || federationJWKS:
				_, err = fmt.Fprintf(a.out, "%s\n", set)
			case a.json:
				err = printJSON(a.out, map[string]any{
					"entity": cfg.Entity, "api_root": apiRootURL(cfg), "thumbprint": keys.Federation.ID(), "jwks": rawJSON(set),
				})
			default:
				_, err = fmt.Fprintf(a.out, "entity      %s\nAPI root    %s\nthumbprint  %s   (for: peer add --thumbprint)\nkey set     skjold federation show --jwks   (for: peer add --jwks)\n",
					cfg.Entity, apiRootURL(cfg), keys.Federation.ID())
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&jwks, "jwks", false, "print only the key set (RFC 7517) that peers pin")
	cmd.Flags().BoolVar(&federationJWKS, "federation-jwks", false, "print only the key set of the federation keys, for the hub that states them")
	return cmd
}

// publicKeys is the key set (RFC 7517 §5) of keys, as JSON.
func publicKeys(keys ...*jose.Key) ([]byte, error) {
	set, err := federation.JWKS(keys...)
	if err != nil {
		return nil, err
	}
	return json.Marshal(set)
}
