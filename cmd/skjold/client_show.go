package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
)

func (a *app) clientShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Tell everything about one account: rights, last pull, position and lag in each collection",
		Long: `Tell what is known of one account: when it last pulled and with what, the error of its last request, and for each
collection that it reads how far it has come: its position, how many objects it may see and has not read, and for how long
the oldest of these has been waiting. It is where to look when somebody says that a feed is empty.`,
		Args: cobra.ExactArgs(1), Example: "  skjold client show sentinel\n  skjold client show sentinel --json | jq .progress",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				c, err := findClient(ctx, st, args[0])
				if err != nil {
					return err
				}
				list, err := clientsToJSON(ctx, st, []store.Client{c})
				if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, list[0])
				}
				return a.printClient(ctx, st, c, list[0])
			})
		},
	}
}

// ratesInWords tells how much an account may ask for.
func ratesInWords(j clientJSON) string {
	const asConfigured = "as limits say"
	otherwise := asConfigured
	if j.Admin {
		otherwise = wordNone
	}
	bound := func(rate, of string) string {
		switch rate = cmp.Or(rate, otherwise); rate {
		case wordNone:
			return "any number of " + of
		case asConfigured:
			return of + " " + asConfigured
		}
		return rate + " " + of + " a minute"
	}
	return bound(j.Rate, "requests") + ", " + bound(j.ByteRate, "bytes")
}

func (a *app) printClient(ctx context.Context, st *store.Store, c store.Client, j clientJSON) error {
	names, err := collectionNames(ctx, st)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, line := range [][2]string{
		{"account", c.Name}, {"state", stateInWords(c, now)}, {"password", map[bool]string{true: "set", false: "none"}[c.HasPassword]},
		{"certificates", strconv.Itoa(len(c.Certificates))}, {"may ask for", ratesInWords(j)},
		{"reads", rightsInWords(c, names, canRead)}, {"writes", rightsInWords(c, names, canWrite)},
		{"last pull", ago(now, c.LastPull)}, {"last request", ago(now, c.LastSeen)},
		{"objects served", strconv.FormatInt(c.ObjectsServed, 10)},
		{"publishes as", cmp.Or(string(c.Identity), "anybody")}, {"user agent", cmp.Or(c.UserAgent, "-")}, {"last error", cmp.Or(c.LastError, "none")},
	} {
		fmt.Fprintf(a.out, "  %-15s %s\n", line[0], printable(line[1]))
	}
	if len(j.Progress) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	t := table{head: []string{"COLLECTION", "POSITION", "NOT READ", "OLDEST WAITS"}}
	for _, p := range j.Progress {
		unread, waits := strconv.Itoa(p.Behind), "-"
		if p.MoreBehind {
			unread += "+"
		}
		if p.Behind > 0 {
			waits = inWords(time.Duration(p.LagSeconds * float64(time.Second)))
		}
		t.row(p.Title, cmp.Or(p.Position, "never polled"), unread, waits)
	}
	return t.print(a.out)
}
