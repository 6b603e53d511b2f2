package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

func (a *app) hostedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "hosted", Short: "Entity configurations that a hub hosts for members that accept no connections",
		Long: `A node that others cannot connect to lets its hub answer for it: with federation.hosted_by it sends its signed entity
configuration to the hub whenever it is signed anew, by itself while it runs. The hub hands it to everybody who asks, and can
leave it out but not change it.

At the hub, 'list', 'import' and 'remove'; at the member, 'send', 'status' and 'export'.`,
	}
	cmd.AddCommand(a.hostedListCommand(), a.hostedImportCommand(), a.hostedRemoveCommand(), a.hostedSendCommand(), a.hostedStatusCommand(), a.hostedExportCommand())
	return cmd
}

// hostedJSON is a line of the listing.
type hostedJSON struct {
	Entity   string `json:"entity"`
	Issued   string `json:"issued"`
	Expires  string `json:"expires"`
	Received string `json:"received"`
	Holds    bool   `json:"holds"`
}

func (a *app) hostedListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the configurations that this node hosts", Args: cobra.NoArgs, Example: "  skjold federation hosted list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				all, err := st.AllHosted(ctx)
				if err != nil {
					return err
				}
				now, list := time.Now(), []hostedJSON{}
				t := table{head: []string{"ENTITY", "RECEIVED", "HOLDS UNTIL"}}
				for _, h := range all {
					j := hostedJSON{Entity: string(h.Entity), Issued: jsonTime(h.IssuedAt), Expires: jsonTime(h.Expires), Received: jsonTime(h.Received), Holds: now.Before(h.Expires)}
					until := stamp(h.Expires)
					if !j.Holds {
						until += " (it has ended: the member has sent no other)"
					}
					list = append(list, j)
					t.row(j.Entity, ago(now, h.Received), until)
				}
				switch {
				case a.json:
					return printJSON(a.out, list)
				case len(list) == 0:
					_, err := fmt.Fprintln(a.out, "This node hosts no configuration of others.")
					return err
				}
				return t.print(a.out)
			})
		},
	}
}

func (a *app) hostedImportCommand() *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Host a configuration that a member's operator has handed over",
		Long: `Take a member's signed entity configuration from a file ('skjold federation hosted export' at the member, "-" for standard
input) and host it. It holds for a day at most: a running member with federation.hosted_by sends the next ones by itself.`,
		Example: "  skjold federation hosted import koege.jwt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			compact, err := a.readToken(args[0], "entity configuration")
			if err != nil {
				return err
			}
			cfg, err := a.loadConfig(dataDir(a.data), nil)
			if err != nil {
				return err
			}
			ledger, _, err := a.charterOf(pin)
			if err != nil {
				return err
			}
			c, err := federation.VerifyEntityConfiguration(compact, time.Now())
			if err != nil {
				return err
			}
			hub := federation.EntityID(cfg.Entity)
			var vouched []federation.Vouched
			err = a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				vouched, _, err = readVouched(ctx, st)
				return err
			})
			if err != nil {
				return err
			}
			registry := federation.AdmittedBelow{
				Superior: hub, Ledger: func() *federation.Ledger { return ledger }, Vouched: func() []federation.Vouched { return vouched },
			}
			member, err := registry.Subordinate(cmd.Context(), c.Subject)
			if errors.Is(err, federation.ErrUnknownSubordinate) {
				return fmt.Errorf("%s issues no statement about %s: 'skjold federation verify %s' tells what the records say of it", hub, c.Subject, c.Subject)
			} else if err != nil {
				return err
			}
			h, err := federation.CheckHosted(compact, hub, member, time.Now())
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				if err := st.PutHosted(ctx, h); errors.Is(err, federation.ErrOlderConfiguration) {
					return fmt.Errorf("a configuration of %s that was issued later is hosted already", h.Entity)
				} else if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, map[string]string{"entity": string(h.Entity), "expires": jsonTime(h.Expires)})
				}
				_, err := fmt.Fprintf(a.out, "Hosting the configuration of %s until %s\n", h.Entity, stamp(h.Expires))
				return err
			})
		},
	}
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) hostedRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove ENTITY", Short: "Stop hosting a member's configuration", Args: cobra.ExactArgs(1), Example: "  skjold federation hosted remove https://skjold.koege.example",
		Long: `Stop hosting the configuration of a member. A member that runs with federation.hosted_by sends it again when it is signed
anew, as long as this node issues statements about it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				if err := st.RemoveHosted(ctx, federation.EntityID(args[0])); errors.Is(err, federation.ErrNotHosted) {
					return fmt.Errorf("no configuration of %s is hosted here; 'skjold federation hosted list' shows them", args[0])
				} else if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, map[string]string{"entity": args[0]})
				}
				_, err := fmt.Fprintf(a.out, "The configuration of %s is not hosted here any more\n", args[0])
				return err
			})
		},
	}
}

// hostedState is HostingState in the output of --json.
type hostedState struct {
	Hub     string `json:"hub"`
	Sent    string `json:"sent,omitempty"`
	Expires string `json:"expires,omitempty"`
	Error   string `json:"error,omitempty"`
}

func (a *app) hostedStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Tell how the hosting of this node's configuration goes", Args: cobra.NoArgs, Example: "  skjold federation hosted status --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.loadConfig(dataDir(a.data), nil)
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				s, err := readHosting(ctx, st)
				if err != nil {
					return err
				}
				if s.Hub != federation.EntityID(cfg.Federation.HostedBy) { // another hub hosted it before
					s = federation.HostingState{Hub: federation.EntityID(cfg.Federation.HostedBy)}
				}
				return a.printHosting(s)
			})
		},
	}
}

func (a *app) printHosting(s federation.HostingState) error {
	if a.json {
		return printJSON(a.out, hostedState{Hub: string(s.Hub), Sent: jsonTime(s.Sent), Expires: jsonTime(s.Expires), Error: s.Error})
	}
	var words []string
	switch {
	case s.Hub == "":
		words = append(words, "This node answers for itself: federation.hosted_by names no hub.")
	case s.Sent.IsZero():
		words = append(words, fmt.Sprintf("%s has not taken this node's configuration yet.", s.Hub))
	default:
		words = append(words, fmt.Sprintf("%s hosts this node's configuration of %s until %s.", s.Hub, ago(time.Now(), s.Sent), stamp(s.Expires)))
	}
	if s.Error != "" {
		words = append(words, "The last attempt failed: "+s.Error)
	}
	_, err := fmt.Fprintln(a.out, printableWords(strings.Join(words, "\n")))
	return err
}

func (a *app) hostedSendCommand() *cobra.Command {
	return &cobra.Command{
		Use: "send", Short: "Send this node's configuration to its hub now", Args: cobra.NoArgs, Example: "  skjold federation hosted send",
		Long: `Send this node's configuration to the hub that federation.hosted_by names, now. A running node does it by itself; this shows
at once what is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, keys, err := a.ownKeys()
			if err != nil {
				return err
			}
			if cfg.Federation.HostedBy == "" {
				return usagef("federation.hosted_by names no hub")
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			compact, err := a.ownConfiguration(ctx, cfg, keys)
			if err != nil {
				return err
			}
			client := federation.NewHTTPClient(federation.ClientOptions{Self: federation.EntityID(cfg.Entity), AllowPrivate: cfg.Federation.AllowPrivateAddresses})
			defer client.CloseIdleConnections()
			chain, err := a.ownChainNow(ctx, compact, client)
			if err != nil {
				return err
			}
			h := federation.NewHosting(federation.HostingOptions{
				Hub: federation.EntityID(cfg.Federation.HostedBy), Configuration: func() (string, error) { return compact, nil }, HTTP: client,
				Chain: func() []string { return chain }, Signer: &federation.Signer{Entity: federation.EntityID(cfg.Entity), KeyNow: keys.request},
			})
			if err := h.Send(ctx); err != nil {
				return err
			}
			return a.withStore(ctx, func(ctx context.Context, st *store.Store) error {
				return errors.Join(noteHosting(ctx, st, h.State()), a.printHosting(h.State()))
			})
		},
	}
}

// ownChainNow finds the node's own trust chain.
func (a *app) ownChainNow(ctx context.Context, compact string, client *http.Client) ([]string, error) {
	ledger, _, err := a.charterOf("")
	if err != nil {
		return nil, err
	}
	chain, err := federation.FindTrustChain(ctx, client, compact, ledgerChainOptions(ledger, time.Now()))
	if err != nil {
		return nil, err
	}
	return chain.Statements, nil
}

func (a *app) hostedExportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "export", Short: "Print this node's signed configuration, to hand it to the hub's operator", Args: cobra.NoArgs,
		Example: "  skjold federation hosted export --out koege.jwt",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, keys, err := a.ownKeys()
			if err != nil {
				return err
			}
			compact, err := a.ownConfiguration(cmd.Context(), cfg, keys)
			if err != nil {
				return err
			}
			return a.deliver(delivery{
				out: out, record: []byte(compact), facts: map[string]any{"entity": cfg.Entity},
				text: fmt.Sprintf("The configuration of %s. It holds for a day; the hub: skjold federation hosted import FILE", cfg.Entity),
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write the configuration to (standard output unless given)")
	return cmd
}

// ownKeys are the configuration and the keys of the node in --data.
func (a *app) ownKeys() (*config.Config, *nodeKeys, error) {
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return nil, nil, err
	}
	keys, err := openNodeKeys(dir, newLogger(a.err, cfg.Log))
	return cfg, keys, err
}

// ownConfiguration is what a node that issues no statements says about itself, signed now.
func (a *app) ownConfiguration(ctx context.Context, cfg *config.Config, keys *nodeKeys) (compact string, err error) {
	err = a.withStore(ctx, func(ctx context.Context, st *store.Store) error {
		said := saidBy(cfg)
		if err := showMarks(ctx, st, &said); err != nil {
			return err
		}
		compact, err = keys.configuration(said).Sign(time.Now())
		return err
	})
	return compact, err
}
