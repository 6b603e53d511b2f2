package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/store"
)

// pushJSON is a push in the output of --json.
type pushJSON struct {
	sync.Push
	State sync.PushState `json:"state"`
}

func (a *app) pushCommand() *cobra.Command {
	var to, maxTLP string
	var later bool
	cmd := &cobra.Command{
		Use:   "push LOCAL COLLECTION --to ENTITY",
		Short: "Send what is published in a collection of this node to a collection of a peer",
		Long: `Send what is published in a collection of this node (LOCAL) to a collection of a peer (COLLECTION, by its id, alias or title
there), from the beginning and then on and on while the node runs. It is for nodes that others cannot connect to: they give
their hub what they have, and the hub serves it. What peers have sent to this node is not sent on.

The peer must let this node add to the collection: 'skjold federation peer allow --write' or 'members allow --write' there. It
is known as with 'subscribe': pinned here, or a member by its trust chain.`,
		Example: "  skjold federation push indicators reports --to https://hub.example\n  skjold federation push incidents reports --to https://hub.example --max-tlp amber",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := federation.ParseEntityID(to)
			if err != nil {
				return usagef("--to: %w", err)
			}
			level, ok := sync.PushLevel(maxTLP)
			if !ok {
				return usagef("--max-tlp %q is not one of clear, green, amber: TLP:AMBER+STRICT and TLP:RED never leave by federation", maxTLP)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				local, err := findCollection(ctx, st, args[0])
				if err != nil {
					return err
				}
				if !later {
					if _, err := a.checkPartner(ctx, st, id); err != nil {
						return err
					}
				}
				p := sync.Push{From: local.ID, Peer: id, Collection: args[1], MaxTLP: level.String(), Created: time.Now().UTC().Truncate(time.Second)}
				if p.ID, err = addPush(ctx, st, p); err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, pushJSON{Push: p})
				}
				_, err = fmt.Fprintf(a.out, "Pushing (number %d). 'skjold federation pushes' shows how it goes.\n", p.ID)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "entity of the peer")
	cmd.Flags().StringVar(&maxTLP, "max-tlp", "green", "strictest level that is sent: clear, green or amber")
	cmd.Flags().BoolVar(&later, "later", false, "do not ask now whether the peer is pinned or a member: the node finds it out when it pushes")
	return cmd
}

// addPush notes a push under a number that none had before.
func addPush(ctx context.Context, st *store.Store, p sync.Push) (int64, error) {
	all, err := pushStore{st}.Pushes(ctx)
	if err != nil {
		return 0, err
	}
	next, err := readFact[int64](ctx, st, pushNumberFact)
	if err != nil {
		return 0, err
	}
	for _, other := range all {
		if other.From == p.From && other.Peer == p.Peer && other.Collection == p.Collection {
			return 0, fmt.Errorf("this is push %d already; 'skjold federation pushes' shows how it goes", other.ID)
		}
	}
	p.ID = next + 1
	if err := writeFact(ctx, st, pushNumberFact, p.ID); err != nil {
		return 0, err
	}
	return p.ID, writeFact(ctx, st, pushesFact, append(all, p))
}

// pushNumberFact is where a node notes the number of its last push.
const pushNumberFact = "push_number"

func (a *app) unpushCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unpush NUMBER", Short: "Stop pushing; what was sent stays there", Args: cobra.ExactArgs(1), Example: "  skjold federation unpush 1",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usagef("%q is no number of a push; 'skjold federation pushes' shows them", args[0])
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				all, err := pushStore{st}.Pushes(ctx)
				if err != nil {
					return err
				}
				rest := slices.DeleteFunc(slices.Clone(all), func(p sync.Push) bool { return p.ID == id })
				if len(rest) == len(all) {
					return fmt.Errorf("there is no push %d; 'skjold federation pushes' shows them", id)
				}
				if err := writeFact(ctx, st, pushesFact, rest); err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, map[string]int64{"id": id})
				}
				_, err = fmt.Fprintf(a.out, "Push %d has ended\n", id)
				return err
			})
		},
	}
}

func (a *app) pushesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pushes", Short: "List what is pushed where and how it goes", Args: cobra.NoArgs, Example: "  skjold federation pushes --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				all, err := pushStore{st}.Pushes(ctx)
				if err != nil {
					return err
				}
				if len(all) == 0 && !a.json {
					_, err := fmt.Fprintln(a.out, "This node pushes nothing.")
					return err
				}
				return a.printPushes(ctx, st, all)
			})
		},
	}
}

// printPushes lists pushes and how they go.
func (a *app) printPushes(ctx context.Context, st *store.Store, all []sync.Push) error {
	names, err := collectionNames(ctx, st)
	if err != nil {
		return err
	}
	list := []pushJSON{}
	t := table{head: []string{"NO", "FROM", "PUSHED TO", "COLLECTION", "UP TO", "SENT", "REFUSED", "LAST SUCCESS", "ERROR"}}
	for _, p := range all {
		state, err := pushStore{st}.PushState(ctx, p.ID)
		if err != nil {
			return err
		}
		list = append(list, pushJSON{p, state})
		trouble := state.Error
		if trouble == "" && state.LastRefusal != "" {
			trouble = "refused there, the last: " + state.LastRefusal
		}
		t.row(strconv.FormatInt(p.ID, 10), names[p.From], string(p.Peer), p.Collection, p.MaxTLP, strconv.FormatInt(state.Sent, 10),
			strconv.FormatInt(state.Refused, 10), ago(time.Now(), state.LastSuccess), trouble)
	}
	if a.json {
		return printJSON(a.out, list)
	}
	return t.print(a.out)
}
