package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
	"github.com/spf13/cobra"
)

// peerGrant are the flags that say what a peer may do.
type peerGrant struct {
	read   []string
	write  []string
	maxTLP string
}

func (g *peerGrant) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&g.read, "read", nil, "collection (id, alias or title) that the peer may read; may be repeated")
	cmd.Flags().StringArrayVar(&g.write, "write", nil, "collection that the peer may add to, by pushing; may be repeated")
	cmd.Flags().StringVar(&g.maxTLP, "max-tlp", "green", "strictest level that it is served there: clear, green or amber")
}

// resolve finds what the flags name, before anything is changed.
func (g *peerGrant) resolve(ctx context.Context, st *store.Store) (map[string]taxii.Rights, stix.TLP, error) {
	level, err := stix.ParseTLP(g.maxTLP)
	if err != nil || level > stix.TLPAmber {
		return nil, level, usagef("--max-tlp %q is not one of clear, green, amber: TLP:AMBER+STRICT and TLP:RED never leave by federation", g.maxTLP)
	}
	rights := map[string]taxii.Rights{}
	return rights, level, grant(ctx, st, rights, g.read, g.write)
}

// apply writes the rights into the store and warns of what the operator may not have meant.
func (g *peerGrant) apply(ctx context.Context, a *app, st *store.Store, id federation.EntityID) error {
	rights, level, err := g.resolve(ctx, st)
	if err != nil {
		return err
	}
	subscriptions, err := st.Subscriptions(ctx)
	if err != nil {
		return err
	}
	for collection, r := range rights {
		if err := st.AllowPeer(ctx, id, collection, r, level); err != nil {
			return err
		}
		into := slices.ContainsFunc(subscriptions, func(s sync.Subscription) bool { return s.Into == collection })
		if level == stix.TLPAmber && into {
			fmt.Fprintf(a.err, "warning: collection %s also holds what peers sent; their TLP:AMBER objects may only go on to your own subordinates\n", collection)
		}
	}
	return nil
}

func (a *app) peerAddCommand() *cobra.Command {
	var jwksFile, thumbprint, apiRoot string
	var replace bool
	var g peerGrant
	cmd := &cobra.Command{
		Use:   "add ENTITY --jwks FILE | --thumbprint T",
		Short: "Pin a peer by its keys",
		Long: `Pin a peer: from now on requests signed with its keys are the peer's. Get the key set, or the thumbprint of its
federation key, from its operator by a way that you trust. With --thumbprint the keys are fetched from the peer itself and
checked against the thumbprint.

A peer may read nothing until you say so, with --read here or later with 'skjold federation peer allow'.`,
		Example: `  skjold federation peer add https://skjold.region.example --jwks region.jwks --read indicators
  skjold federation peer add https://skjold.region.example --thumbprint dGhpcyBpcyBub3QgYSByZWFsIHRodW1icHJpbnQgYXQ`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (jwksFile == "") == (thumbprint == "") {
				return usagef("pin the peer's keys with one of --jwks FILE and --thumbprint T")
			}
			id, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			cfg, err := a.loadConfig(dataDir(a.data), nil)
			if err != nil {
				return err
			}
			if string(id) == cfg.Entity {
				return usagef("%s is this node itself", id)
			}
			p := federation.Peer{Entity: id, APIRoot: apiRoot, Added: time.Now()}
			if jwksFile != "" {
				p.JWKS, err = readJWKS(jwksFile)
			} else {
				err = fetchPeer(cmd.Context(), cfg.Entity, cfg.Federation.AllowPrivateAddresses, thumbprint, &p)
			}
			if err != nil {
				return err
			}
			if p.APIRoot == "" {
				p.APIRoot = string(id) + "/taxii2/main/"
			}
			if err := federation.CheckAPIRoot(id, p.APIRoot); err != nil {
				return usagef("--api-root: %w", err)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				if _, _, err := g.resolve(ctx, st); err != nil {
					return err
				}
				err := st.AddPeer(ctx, p, replace)
				if errors.Is(err, store.ErrExists) {
					return fmt.Errorf("%s is pinned already; --replace pins the new keys and keeps its rights", id)
				} else if err != nil {
					return err
				}
				if err := g.apply(ctx, a, st, id); err != nil {
					return err
				}
				if a.json {
					return a.printPeer(ctx, st, id)
				}
				fmt.Fprintf(a.out, "Pinned %s\n", id)
				if len(g.read) == 0 && !replace {
					fmt.Fprintf(a.out, "It may read nothing yet: skjold federation peer allow %s --read COLLECTION\n", id)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&jwksFile, "jwks", "", "file with the peer's key set, from its 'skjold federation show --jwks'")
	cmd.Flags().StringVar(&thumbprint, "thumbprint", "", "RFC 7638 thumbprint of the peer's federation key, from its 'skjold federation show'")
	cmd.Flags().StringVar(&apiRoot, "api-root", "", "URL of the peer's API root (ENTITY/taxii2/main/ unless given or known from the peer)")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace the keys of a peer that is pinned already")
	g.register(cmd)
	return cmd
}

// readJWKS reads a key set and refuses what is no set of public request keys.
func readJWKS(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readLimited(f, 64<<10)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	set, err := jose.ParseKeySet(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no key set that can be pinned: %w", path, err)
	}
	return json.Marshal(set)
}

// fetchPeer gets a peer's request keys and API root from its entity configuration, checked against the thumbprint.
func fetchPeer(ctx context.Context, self string, allowPrivate bool, thumbprint string, p *federation.Peer) error {
	me, err := federation.ParseEntityID(self)
	if err != nil {
		return err
	}
	client := federation.NewHTTPClient(federation.ClientOptions{Self: me, AllowPrivate: allowPrivate})
	c, err := federation.FetchConfiguration(ctx, client, p.Entity, thumbprint)
	if err != nil {
		return err
	}
	fetched, err := c.Peer(p.Added)
	if err != nil {
		return err
	}
	if p.APIRoot != "" {
		fetched.APIRoot = p.APIRoot
	}
	*p = fetched
	return nil
}

func (a *app) peerAllowCommand() *cobra.Command {
	var g peerGrant
	cmd := &cobra.Command{
		Use: "allow ENTITY --read COLLECTION", Short: "Say what a pinned peer may read",
		Long: `Give a pinned peer rights on collections, replacing its earlier rights on the same ones. It is served objects up to
--max-tlp: green unless given. AMBER needs to be said, since it names the peer in the objects' audience.

What a peer has read past without being allowed to see it does not come by itself when it is allowed more: its operator
then runs 'skjold federation resync'.`,
		Args: cobra.ExactArgs(1), Example: "  skjold federation peer allow https://skjold.region.example --read indicators --max-tlp amber",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(g.read)+len(g.write) == 0 {
				return usagef("say which collections with --read and --write")
			}
			id, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				if _, err := st.Peer(ctx, id); err != nil {
					return noPeer(id, err)
				}
				if err := g.apply(ctx, a, st, id); err != nil {
					return err
				}
				if a.json {
					return a.printPeer(ctx, st, id)
				}
				if len(g.write) > 0 {
					fmt.Fprintf(a.out, "%s may now add to %s\n", id, strings.Join(g.write, ", "))
				}
				if len(g.read) == 0 {
					return nil
				}
				fmt.Fprintf(a.out, "%s may now read %s up to TLP:%s\n", id, strings.Join(g.read, ", "), strings.ToUpper(g.maxTLP))
				fmt.Fprintln(a.out, "If it was pulling already, its operator gets what was held back so far with: skjold federation resync NUMBER")
				return nil
			})
		},
	}
	g.register(cmd)
	return cmd
}

func noPeer(id federation.EntityID, err error) error {
	if errors.Is(err, federation.ErrUnknownPeer) {
		return fmt.Errorf("%s is not pinned; 'skjold federation peer add' pins it, 'peer list' shows who is", id)
	}
	return err
}

// peerJSON is a peer in the output of --json.
type peerJSON struct {
	Entity   string                   `json:"entity"`
	APIRoot  string                   `json:"api_root"`
	JWKS     rawJSON                  `json:"jwks"`
	Rights   map[string]peerRightJSON `json:"rights"`
	Added    string                   `json:"added"`
	LastSeen string                   `json:"last_seen,omitempty"`
}

type peerRightJSON struct {
	taxii.Rights
	MaxTLP string `json:"max_tlp"`
}

func peerToJSON(p store.PeerInfo) peerJSON {
	j := peerJSON{
		Entity: string(p.Entity), APIRoot: p.APIRoot, JWKS: rawJSON(p.JWKS), Added: jsonTime(p.Added), LastSeen: jsonTime(p.LastSeen),
		Rights: map[string]peerRightJSON{},
	}
	for id, r := range p.Rights {
		j.Rights[id] = peerRightJSON{Rights: r, MaxTLP: p.MaxTLP[id].String()}
	}
	return j
}

func (a *app) printPeer(ctx context.Context, st *store.Store, id federation.EntityID) error {
	peers, err := st.Peers(ctx)
	if err != nil {
		return err
	}
	for _, p := range peers {
		if p.Entity == id {
			return printJSON(a.out, peerToJSON(p))
		}
	}
	return noPeer(id, federation.ErrUnknownPeer)
}

func (a *app) peerListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List pinned peers", Args: cobra.NoArgs, Example: "  skjold federation peer list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				peers, err := st.Peers(ctx)
				if err != nil {
					return err
				}
				if a.json {
					list := make([]peerJSON, 0, len(peers))
					for _, p := range peers {
						list = append(list, peerToJSON(p))
					}
					return printJSON(a.out, list)
				}
				names, err := collectionNames(ctx, st)
				if err != nil {
					return err
				}
				t := table{head: []string{"ENTITY", "MAY READ", "MAY ADD TO", "LAST SEEN"}}
				for _, p := range peers {
					var reads, adds []string
					for id, r := range p.Rights {
						if r.Read {
							reads = append(reads, fmt.Sprintf("%s (up to %s)", names[id], p.MaxTLP[id]))
						}
						if r.Write {
							adds = append(adds, names[id])
						}
					}
					slices.Sort(adds)
					slices.Sort(reads)
					if len(reads) == 0 {
						reads = []string{"nothing"}
					}
					t.row(string(p.Entity), strings.Join(reads, ", "), strings.Join(adds, ", "), ago(time.Now(), p.LastSeen))
				}
				return t.print(a.out)
			})
		},
	}
}

// endSubscriptions ends what is pulled from a peer.
func endSubscriptions(ctx context.Context, st *store.Store, id federation.EntityID) error {
	all, err := st.Subscriptions(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Peer == id {
			if err := st.Unsubscribe(ctx, s.ID); err != nil && !isNotFound(err) {
				return err
			}
		}
	}
	return nil
}

func (a *app) peerDenyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "deny ENTITY COLLECTION", Short: "Take a peer's right on a collection away",
		Args: cobra.ExactArgs(2), Example: "  skjold federation peer deny https://skjold.region.example indicators",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				id := federation.EntityID(args[0])
				if _, err := st.Peer(ctx, id); err != nil {
					return noPeer(id, err)
				}
				c, err := findCollection(ctx, st, args[1])
				if err != nil {
					return err
				}
				if err := st.AllowPeer(ctx, id, c.ID, taxii.Rights{}, stix.TLPUnmarked); err != nil {
					return err
				}
				if a.json {
					return a.printPeer(ctx, st, id)
				}
				fmt.Fprintf(a.out, "%s may no longer read %s; what it has already, it has\n", id, printable(c.Title))
				return nil
			})
		},
	}
}

func (a *app) peerRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove ENTITY", Short: "Unpin a peer: its requests are refused and nothing more is pulled from it",
		Args: cobra.ExactArgs(1), Example: "  skjold federation peer remove https://skjold.region.example",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				id := federation.EntityID(args[0])
				if err := endSubscriptions(ctx, st, id); err != nil {
					return err
				}
				if err := st.RemovePeer(ctx, id); err != nil {
					if isNotFound(err) {
						err = federation.ErrUnknownPeer
					}
					return noPeer(id, err)
				}
				if a.json {
					return printJSON(a.out, map[string]string{"entity": args[0]})
				}
				fmt.Fprintf(a.out, "Removed %s with its subscriptions; what it sent before stays\n", id)
				return nil
			})
		},
	}
}
