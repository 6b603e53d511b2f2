package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
)

// statusJSON is everything an operator asks a node about.
type statusJSON struct {
	Entity        string             `json:"entity"`
	APIRoot       string             `json:"api_root"`
	Running       bool               `json:"running"`
	Health        string             `json:"health"`              // ready, stopped, or what is wrong
	Processes     []processJSON      `json:"processes,omitempty"` // on PostgreSQL, those that serve the node
	Collections   []collectionJSON   `json:"collections"`
	Clients       []clientJSON       `json:"clients"`
	Peers         []peerJSON         `json:"peers"`
	Subscriptions []subscriptionJSON `json:"subscriptions"`
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell how the node is: health, collections, clients, peers",
		Long: `Tell whether the node of --data runs and answers, what its collections hold, when each client last pulled and what it
has not read yet, and how far behind each subscription is. It reads the data directory, so it works while the node is stopped too.`,
		Example: "  skjold status\n  skjold status --json | jq .subscriptions",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				s, err := a.collectStatus(ctx, st)
				if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, s)
				}
				return a.printStatus(ctx, st, s)
			})
		},
	}
}

func (a *app) collectStatus(ctx context.Context, st *store.Store) (statusJSON, error) {
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return statusJSON{}, err
	}
	s := statusJSON{
		Entity: cfg.Entity, APIRoot: apiRootURL(cfg), Health: "stopped", Collections: []collectionJSON{}, Clients: []clientJSON{},
		Peers: []peerJSON{}, Subscriptions: []subscriptionJSON{},
	}
	if where, ok := dir.running(); ok {
		s.Running = true
		s.Health = "ready"
		if err := askReady(ctx, where); err != nil {
			s.Health = err.Error()
		}
	}
	processes, err := st.Processes(ctx)
	if err != nil {
		return s, err
	}
	for _, p := range processes {
		s.Running, s.Health = true, "ready" // the database, which all of them need, has answered
		s.Processes = append(s.Processes, processToJSON(p))
	}
	collections, err := st.Collections(ctx)
	if err != nil {
		return s, err
	}
	for _, c := range collections {
		j := collectionToJSON(c)
		if c.Lenient {
			n, err := st.ViolationCount(ctx, c.ID)
			if err != nil {
				return s, err
			}
			j.Violating = &n
		}
		s.Collections = append(s.Collections, j)
	}
	clients, err := st.Clients(ctx)
	if err != nil {
		return s, err
	}
	if s.Clients, err = clientsToJSON(ctx, st, clients); err != nil {
		return s, err
	}
	peers, err := st.Peers(ctx)
	if err != nil {
		return s, err
	}
	for _, p := range peers {
		s.Peers = append(s.Peers, peerToJSON(p))
	}
	subscriptions, err := st.Subscriptions(ctx)
	if err != nil {
		return s, err
	}
	for _, sub := range subscriptions {
		s.Subscriptions = append(s.Subscriptions, subscriptionToJSON(sub))
	}
	return s, nil
}

func (a *app) printStatus(ctx context.Context, st *store.Store, s statusJSON) error {
	state := "stopped ('skjold serve' runs it)"
	if s.Running {
		state = "running, " + s.Health
	}
	fmt.Fprintf(a.out, "%s\n  %s\n  API root %s\n\n", printable(s.Entity), printable(state), printable(s.APIRoot))
	if err := a.printProcesses(s.Processes); err != nil {
		return err
	}
	collections := table{head: []string{"COLLECTION", "ID", "OBJECTS", "LAST ADDED", "BREAK RULES"}}
	for _, c := range s.Collections {
		violating := ""
		if c.Violating != nil {
			violating = strconv.FormatInt(*c.Violating, 10)
		}
		collections.row(strings.TrimSpace(c.Title+" "+parenthesised(c.Alias)), c.ID, strconv.FormatInt(c.Objects, 10), c.LastAdded, violating)
	}
	if err := collections.print(a.out); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	clients := table{head: []string{"CLIENT", "LAST PULL", "BEHIND", "OBJECTS", "USER AGENT", "LAST ERROR"}}
	for _, c := range s.Clients {
		pull, _ := time.Parse(time.RFC3339Nano, c.LastPull)
		clients.row(c.User, ago(time.Now(), pull), c.behindInWords(), strconv.FormatInt(c.ObjectsServed, 10), inShort(c.UserAgent, 40), inShort(c.LastError, 80))
	}
	if err := clients.print(a.out); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	return a.printFederation(ctx, st)
}

func parenthesised(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}
