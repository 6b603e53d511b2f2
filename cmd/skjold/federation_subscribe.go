package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/store"
	"github.com/spf13/cobra"
)

// subscriptionJSON is a subscription in the output of --json.
type subscriptionJSON struct {
	ID          int64       `json:"id"`
	Peer        string      `json:"peer"`
	Collection  string      `json:"collection"`
	Into        string      `json:"into"`
	Rules       sync.Rules  `json:"rules"` // strict, lenient, or "" for those of the node (federation.lenient)
	Cursor      sync.Cursor `json:"cursor"`
	LastAttempt string      `json:"last_attempt,omitempty"`
	LastSuccess string      `json:"last_success,omitempty"`
	Error       string      `json:"error,omitempty"`
	Failures    int         `json:"failures"`
	Received    int64       `json:"received"`
	Quarantined int64       `json:"quarantined"`
	Dropped     int64       `json:"dropped"` // of those quarantined, the oldest, because the quarantine was full
}

func subscriptionToJSON(s sync.Subscription) subscriptionJSON {
	return subscriptionJSON{
		ID: s.ID, Peer: string(s.Peer), Collection: s.Collection, Into: s.Into, Rules: s.Rules, Cursor: s.Cursor, LastAttempt: jsonTime(s.LastAttempt),
		LastSuccess: jsonTime(s.LastSuccess), Error: s.Error, Failures: s.Failures, Received: s.Received, Quarantined: s.Quarantined, Dropped: s.Dropped,
	}
}

func (a *app) subscribeCommand() *cobra.Command {
	var into, rules string
	var later bool
	cmd := &cobra.Command{
		Use:   "subscribe ENTITY COLLECTION --into LOCAL",
		Short: "Pull a collection of a peer into a collection of this node",
		Long: `Pull a peer's collection (by its id, alias or title there) into one of this node, from the beginning and then on and
on while the node runs. The peer must let this node read the collection.

A peer that is pinned here is known by its keys. Any other must be a member of the federation whose charter this node has
pinned: its trust chain is looked for now, and again by the running node before it ends, so that the peer's new keys and its
new address are taken up; and this node introduces itself there by its own chain, for which it needs federation.superiors.

Objects that break rules of STIX 2.1 are quarantined under --rules strict. Under --rules lenient those that the node can
handle are stored, and what they break is recorded beside them. Without --rules the node's federation.lenient decides.`,
		Args: cobra.ExactArgs(2),
		Example: "  skjold federation subscribe https://skjold.state.example indicators --into indicators\n" +
			"  skjold federation subscribe https://skjold.state.example official-feed --into official-feed --rules lenient",
		RunE: func(cmd *cobra.Command, args []string) error {
			if into == "" {
				return usagef("--into is missing: which collection of this node takes the objects?")
			}
			if cmd.Flags().Changed("rules") {
				if _, err := parseRules(rules); err != nil {
					return err
				}
			}
			id, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				local, err := findCollection(ctx, st, into)
				if err != nil {
					return err
				}
				var chain *federation.TrustChain
				if !later {
					if chain, err = a.checkPartner(ctx, st, id); err != nil {
						return err
					}
				}
				s, err := st.Subscribe(ctx, sync.Subscription{Peer: id, Collection: args[1], Into: local.ID, Rules: sync.Rules(rules), Created: time.Now()})
				if errors.Is(err, store.ErrExists) {
					return fmt.Errorf("%s of %s is pulled into %s already; 'skjold federation subscriptions' shows how it goes", args[1], id, local.Title)
				} else if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, subscriptionToJSON(s))
				}
				if chain != nil {
					fmt.Fprintln(a.out, printable(chainWords(chain)))
				}
				fmt.Fprintf(a.out, "Subscribed (number %d). 'skjold federation subscriptions' shows how it goes.\n", s.ID)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&into, "into", "", "collection of this node: id, alias or title")
	cmd.Flags().StringVar(&rules, "rules", "", "strict or lenient, for objects that break rules of STIX 2.1 (default: as federation.lenient says)")
	cmd.Flags().BoolVar(&later, "later", false, "do not ask now whether the peer is pinned or a member: the node finds it out when it pulls")
	return cmd
}

// rulesOfSubscription names a subscription's rules for a person.
func rulesOfSubscription(r sync.Rules) string {
	if r == sync.RulesOfNode {
		return "the node's"
	}
	return string(r)
}

func (a *app) unsubscribeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unsubscribe NUMBER", Short: "Stop pulling; what was received stays", Args: cobra.ExactArgs(1),
		Example: "  skjold federation unsubscribe 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := subscriptionNumber(args[0])
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				if err := st.Unsubscribe(ctx, id); err != nil {
					return noSubscription(id, err)
				}
				if a.json {
					return printJSON(a.out, map[string]int64{"id": id})
				}
				fmt.Fprintf(a.out, "Subscription %d has ended\n", id)
				return nil
			})
		},
	}
}

func (a *app) subscriptionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "subscriptions", Short: "List what is pulled from where and how it goes", Args: cobra.NoArgs,
		Example: "  skjold federation subscriptions --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				all, err := st.Subscriptions(ctx)
				if err != nil {
					return err
				}
				if a.json {
					list := make([]subscriptionJSON, 0, len(all))
					for _, s := range all {
						list = append(list, subscriptionToJSON(s))
					}
					return printJSON(a.out, list)
				}
				return a.printSubscriptions(ctx, st, all)
			})
		},
	}
}

func (a *app) printSubscriptions(ctx context.Context, st *store.Store, all []sync.Subscription) error {
	names, err := collectionNames(ctx, st)
	if err != nil {
		return err
	}
	t := table{head: []string{"NO", "PEER", "COLLECTION", "INTO", "RULES", "RECEIVED", "QUARANTINED", "LAST SUCCESS", "ERROR"}}
	for _, s := range all {
		t.row(strconv.FormatInt(s.ID, 10), string(s.Peer), s.Collection, names[s.Into], rulesOfSubscription(s.Rules), strconv.FormatInt(s.Received, 10),
			strconv.FormatInt(s.Quarantined, 10), ago(time.Now(), s.LastSuccess), s.Error)
	}
	return t.print(a.out)
}

func (a *app) resyncCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resync NUMBER", Short: "Pull a subscription again from the beginning; what is here already stays as it is",
		Long: `Pull a subscription again from the beginning of the peer's collection. Nothing is doubled: objects that are here
already stay as they are. It brings what the peer held back before, and now lets this node read.`,
		Args: cobra.ExactArgs(1), Example: "  skjold federation resync 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := subscriptionNumber(args[0])
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				if err := st.ResetCursor(ctx, id, sync.Cursor{}); err != nil {
					return noSubscription(id, err)
				}
				if a.json {
					return printJSON(a.out, map[string]int64{"id": id})
				}
				fmt.Fprintf(a.out, "Subscription %d begins again with its next pull\n", id)
				return nil
			})
		},
	}
}

func subscriptionNumber(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil {
		return 0, usagef("%q is no subscription number; 'skjold federation subscriptions' shows them", arg)
	}
	return id, nil
}

func noSubscription(id int64, err error) error {
	if isNotFound(err) {
		return fmt.Errorf("there is no subscription %d; 'skjold federation subscriptions' shows them", id)
	}
	return err
}
