package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
)

// quarantineJSON is an object that was pulled and not stored.
type quarantineJSON struct {
	Subscription int64  `json:"subscription"`
	ID           string `json:"id"`
	Version      string `json:"version,omitempty"`
	Reason       string `json:"reason"`
	Received     string `json:"received"`
}

func (a *app) quarantineCommand() *cobra.Command {
	var limit int
	var purge time.Duration
	cmd := &cobra.Command{
		Use: "quarantine", Short: "List objects that peers sent and that were not stored, with the reason", Args: cobra.NoArgs,
		Example: "  skjold federation quarantine --limit 20\n  skjold federation quarantine --json\n  skjold federation quarantine --purge-older 720h",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usagef("--limit %d is not a positive number", limit)
			}
			if purge < 0 {
				return usagef("--purge-older %s is negative", purge)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				if purge > 0 {
					n, err := st.PurgeQuarantine(ctx, time.Now().Add(-purge))
					if err != nil {
						return err
					}
					if a.json {
						return printJSON(a.out, map[string]int{"purged": n})
					}
					_, err = fmt.Fprintf(a.out, "Removed %s from the quarantine\n", counted(n, "object"))
					return err
				}
				rows, err := st.Quarantine(ctx, limit)
				if err != nil {
					return err
				}
				list := make([]quarantineJSON, 0, len(rows))
				t := table{head: []string{"SUBSCRIPTION", "OBJECT", "VERSION", "RECEIVED", "REASON"}}
				for _, r := range rows {
					list = append(list, quarantineJSON{Subscription: r.Subscription, ID: r.ID, Version: r.Version, Reason: r.Reason, Received: jsonTime(r.Received)})
					t.row(strconv.FormatInt(r.Subscription, 10), r.ID, r.Version, ago(time.Now(), r.Received), r.Reason)
				}
				if a.json {
					return printJSON(a.out, list)
				}
				return t.print(a.out)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "how many to list, the newest first")
	cmd.Flags().DurationVar(&purge, "purge-older", 0, "remove what came longer ago than this, such as 720h, instead of listing")
	return cmd
}

func (a *app) federationStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Tell the state of this node's part in the federation, and how replication goes", Args: cobra.NoArgs,
		Long: `Tell the state of this node's part in the federation: normal; stale, while the list of suspended members is too old to take
in anybody new; isolated, while no trust chain of this node holds. Then how old the lists are, when the chain ends, when the
keys are renewed, and for each subscription how the last pull went. It reads the data directory, so it works while the node
is stopped too.`,
		Example: "  skjold federation status\n  skjold federation status --json | jq -r .federation.state",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				s, err := a.collectStatus(ctx, st)
				if err != nil {
					return err
				}
				own, err := a.ownState(ctx, st)
				if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, map[string]any{"federation": own, "peers": s.Peers, "subscriptions": s.Subscriptions})
				}
				if err := own.print(a.out, s.Running); err != nil {
					return err
				}
				return a.printFederation(ctx, st)
			})
		},
	}
}

// printFederation lists peers, and what is pulled and pushed, for a person.
func (a *app) printFederation(ctx context.Context, st *store.Store) error {
	peers, err := st.Peers(ctx)
	if err != nil {
		return err
	}
	if len(peers) == 0 {
		fmt.Fprintln(a.out, "No peers are pinned; 'skjold federation --help' tells how to begin.")
	} else {
		t := table{head: []string{"PEER", "LAST SEEN HERE"}}
		for _, p := range peers {
			t.row(string(p.Entity), ago(time.Now(), p.LastSeen))
		}
		if err := t.print(a.out); err != nil {
			return err
		}
	}
	all, err := st.Subscriptions(ctx)
	if err == nil && len(all) > 0 {
		fmt.Fprintln(a.out)
		err = a.printSubscriptions(ctx, st, all)
	}
	if err != nil {
		return err
	}
	return a.printOutbound(ctx, st)
}

// printOutbound tells what the node does for those that cannot connect to it: where its configuration is hosted, and what
// it pushes; nothing where it does neither.
func (a *app) printOutbound(ctx context.Context, st *store.Store) error {
	hosting, err := readHosting(ctx, st)
	if err == nil && hosting.Hub != "" {
		fmt.Fprintln(a.out)
		err = a.printHosting(hosting)
	}
	if err != nil {
		return err
	}
	pushes, err := pushStore{st}.Pushes(ctx)
	if err != nil || len(pushes) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	return a.printPushes(ctx, st, pushes)
}

// readLimited reads at most n bytes and fails on more.
func readLimited(r io.Reader, n int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, n+1))
	if err == nil && int64(len(text)) > n {
		err = fmt.Errorf("more than %d bytes", n)
	}
	return text, err
}
