package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// clientJSON is an account in the output of --json. Password is there only when it has just been made.
type clientJSON struct {
	User          string                  `json:"user"`
	Password      string                  `json:"password,omitempty"`
	Admin         bool                    `json:"admin"`
	Disabled      bool                    `json:"disabled,omitempty"`
	Expires       string                  `json:"expires,omitempty"`
	Expired       bool                    `json:"expired,omitempty"`
	HasPassword   bool                    `json:"has_password,omitempty"`
	Certificates  []string                `json:"certificates,omitempty"`
	Rate          string                  `json:"rate,omitempty"`      // requests a minute, or none; left out for the node's own
	ByteRate      string                  `json:"byte_rate,omitempty"` // bytes a minute, or none
	Rights        map[string]taxii.Rights `json:"rights"`
	Identity      string                  `json:"identity,omitempty"`
	Compat        []string                `json:"compat,omitempty"`
	Created       string                  `json:"created,omitempty"`
	LastSeen      string                  `json:"last_seen,omitempty"`
	LastPull      string                  `json:"last_pull,omitempty"`
	ObjectsServed int64                   `json:"objects_served"`
	UserAgent     string                  `json:"user_agent,omitempty"`
	LastError     string                  `json:"last_error,omitempty"`
	Progress      []progressJSON          `json:"progress,omitempty"` // in each collection that it reads
}

const compatEmptyList = "empty-list"

func clientToJSON(c store.Client) clientJSON {
	j := clientJSON{
		User: c.Name, Admin: c.Admin, Disabled: c.Disabled, Expires: jsonTime(c.Expires), Expired: c.Ended(time.Now()),
		HasPassword: c.HasPassword, Rights: c.Rights, Identity: string(c.Identity), Created: jsonTime(c.Created),
		Rate:     rateInWords(c.Rates.Requests, func(n int64) string { return strconv.FormatInt(n, 10) }),
		ByteRate: rateInWords(c.Rates.Octets, func(n int64) string { return config.ByteSize(n).String() }),
		LastSeen: jsonTime(c.LastSeen), LastPull: jsonTime(c.LastPull), ObjectsServed: c.ObjectsServed,
		UserAgent: c.UserAgent, LastError: c.LastError,
	}
	if j.Rights == nil {
		j.Rights = map[string]taxii.Rights{}
	}
	for _, f := range c.Certificates {
		j.Certificates = append(j.Certificates, f.String())
	}
	if c.EmptyList {
		j.Compat = []string{compatEmptyList}
	}
	return j
}

func (a *app) clientCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "client", Short: "Accounts of SOC tools and analysts: add, list, show, set, rotate, remove"}
	cmd.AddCommand(a.clientAddCommand(), a.clientListCommand(), a.clientShowCommand(), a.clientSetCommand(), a.clientRotateCommand(), a.clientRemoveCommand())
	return cmd
}

func (a *app) clientAddCommand() *cobra.Command {
	var read, write, compat []string
	var admin bool
	var identity string
	var account accountFlags
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add an account and show its key once",
		Long: `Add an account for a SOC tool or an analyst and show its key, once: the node keeps only a hash of it. The account
sees only the collections that it may read or write; others do not exist for it. With --identity it publishes as that
identity only: objects whose created_by_ref is another are refused (STIX 2.1 §3.6).

Keys are the rule: nobody guesses them, and a new one is a 'client rotate' away. For what can't keep a key there are a
password of your choice (--set-password), stored as an Argon2id hash, and a client certificate (--certificate), where the
node serves HTTPS by itself and tls.client_ca_file is set. An account with a password has no key until it is rotated.`,
		Example: `  skjold client add sentinel --read indicators
  skjold client add analyst --read indicators --write indicators
  skjold client add analyst --write indicators --identity identity--f431f809-377b-45e0-aa1c-6a4751cae5ff
  skjold client add elastic --read indicators --compat empty-list --json
  skjold client add consultant --read indicators --expires 90d
  skjold client add portal --read indicators --set-password --password-file portal.password
  skjold client add sensor --read indicators --certificate sensor.pem`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := store.Client{Name: args[0], Admin: admin, Identity: stix.Identifier(identity), Rights: map[string]taxii.Rights{}}
			for _, f := range compat {
				if f != compatEmptyList {
					return usagef("--compat %q is not known; there is: %s", f, compatEmptyList)
				}
				c.EmptyList = true
			}
			if err := account.apply(&c, time.Now()); err != nil {
				return err
			}
			var password string
			if account.wantsPassword() {
				var err error
				if password, err = a.newPassword(&account); err != nil {
					return err
				}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				if err := grant(ctx, st, c.Rights, read, write); err != nil {
					return err
				}
				if password != "" {
					c.HasPassword = true
					if err := st.AddClientWithPassword(ctx, c, password); err != nil {
						return err
					}
					return a.showAdded(c)
				}
				key, err := st.AddClient(ctx, c)
				if err != nil {
					return err
				}
				return a.showKey(c, key)
			})
		},
	}
	cmd.Flags().StringArrayVar(&read, "read", nil, "collection (id, alias or title) that it may read; may be repeated")
	cmd.Flags().StringArrayVar(&write, "write", nil, "collection that it may add to; may be repeated (deleting needs both)")
	cmd.Flags().BoolVar(&admin, "admin", false, "reads and writes every collection, sees /metrics")
	cmd.Flags().StringVar(&identity, "identity", "", "id of the STIX identity that must be the created_by_ref of what it publishes")
	cmd.Flags().StringSliceVar(&compat, "compat", nil, `what its TAXII library needs: "empty-list" puts "objects": [] into empty answers`)
	account.register(cmd)
	return cmd
}

// grant adds rights on collections named by id, alias or title.
func grant(ctx context.Context, st *store.Store, rights map[string]taxii.Rights, read, write []string) error {
	for _, ref := range read {
		c, err := findCollection(ctx, st, ref)
		if err != nil {
			return err
		}
		r := rights[c.ID]
		r.Read = true
		rights[c.ID] = r
	}
	for _, ref := range write {
		c, err := findCollection(ctx, st, ref)
		if err != nil {
			return err
		}
		r := rights[c.ID]
		r.Write = true
		rights[c.ID] = r
	}
	return nil
}

func (a *app) showKey(c store.Client, key string) error {
	if a.json {
		j := clientToJSON(c)
		j.Password = key
		return printJSON(a.out, j)
	}
	fmt.Fprintf(a.out, "  user      %s\n  password  %s\n", c.Name, key)
	fmt.Fprintln(a.out, "The password is shown this once; the node keeps only a hash of it.")
	a.hintRights(c)
	return nil
}

// showAdded tells of an account whose password the operator chose.
func (a *app) showAdded(c store.Client) error {
	if a.json {
		return printJSON(a.out, clientToJSON(c))
	}
	fmt.Fprintf(a.out, "  user      %s\n  password  as you gave it; the node keeps only a hash of it\n", c.Name)
	a.hintRights(c)
	return nil
}

func (a *app) hintRights(c store.Client) {
	if !c.Admin && len(c.Rights) == 0 {
		fmt.Fprintf(a.out, "This account may see nothing yet: skjold client set %s --read COLLECTION\n", c.Name)
	}
}

func (a *app) clientListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List accounts, their rights, when they last pulled and how far they are behind", Args: cobra.NoArgs,
		Long: `List accounts: their rights, their last pull, how many objects they may see and have not read and how long the oldest of
these has waited (BEHIND), and the error of their last request. 'skjold client show NAME' tells it for each collection.`,
		Example: "  skjold client list\n  skjold client list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				clients, err := st.Clients(ctx)
				if err != nil {
					return err
				}
				list, err := clientsToJSON(ctx, st, clients)
				if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, list)
				}
				names, err := collectionNames(ctx, st)
				if err != nil {
					return err
				}
				t := table{head: []string{"USER", "READS", "WRITES", "STATE", "LAST PULL", "BEHIND", "OBJECTS", "USER AGENT", "LAST ERROR", "PUBLISHES AS"}}
				now := time.Now()
				for i, c := range clients {
					t.row(c.Name, rightsInWords(c, names, canRead), rightsInWords(c, names, canWrite), stateInWords(c, now), ago(now, c.LastPull), list[i].behindInWords(),
						strconv.FormatInt(c.ObjectsServed, 10), inShort(c.UserAgent, 40), inShort(c.LastError, 80), cmp.Or(string(c.Identity), "anybody"))
				}
				return t.print(a.out)
			})
		},
	}
}

func canRead(r taxii.Rights) bool { return r.Read }

func canWrite(r taxii.Rights) bool { return r.Write }

// stateInWords tells whether an account is accepted, and until when.
func stateInWords(c store.Client, now time.Time) string {
	switch {
	case c.Disabled:
		return "disabled"
	case c.Ended(now):
		return "expired " + c.Expires.Format(time.DateOnly)
	case !c.Expires.IsZero():
		return "until " + c.Expires.Format(time.DateOnly)
	}
	return "active"
}

func rightsInWords(c store.Client, names map[string]string, has func(taxii.Rights) bool) string {
	if c.Admin {
		return "everything"
	}
	var list []string
	for id, r := range c.Rights {
		if has(r) {
			list = append(list, names[id])
		}
	}
	if len(list) == 0 {
		return "nothing"
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// collectionNames maps ids to the alias or title that a person knows a collection by.
func collectionNames(ctx context.Context, st *store.Store) (map[string]string, error) {
	all, err := st.Collections(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(all))
	for _, c := range all {
		names[c.ID] = c.Alias
		if c.Alias == "" {
			names[c.ID] = c.Title
		}
	}
	return names, nil
}

func (a *app) clientRotateCommand() *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use: "rotate NAME", Short: "Give an account a new key",
		Long: `Give an account a new key and show it once. The old key ends at once, or after --overlap, so that a tool can be
moved to the new key without missing a poll.`,
		Args: cobra.ExactArgs(1), Example: "  skjold client rotate sentinel --overlap 24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if overlap < 0 {
				return usagef("--overlap %s is negative", overlap)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				key, err := st.RotateClient(ctx, args[0], overlap)
				if isNotFound(err) {
					return noClient(args[0])
				} else if err != nil {
					return err
				}
				c, err := findClient(ctx, st, args[0])
				if err != nil {
					return err
				}
				return a.showKey(c, key)
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 0, "how long the old key goes on working, such as 24h")
	return cmd
}

func (a *app) clientRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove an account; a running node refuses it within two seconds",
		Args: cobra.ExactArgs(1), Example: "  skjold client remove sentinel",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				err := st.RemoveClient(ctx, args[0])
				if isNotFound(err) {
					return noClient(args[0])
				} else if err != nil {
					return err
				}
				if a.json {
					return printJSON(a.out, map[string]string{"user": args[0]})
				}
				fmt.Fprintf(a.out, "Removed %s\n", args[0])
				return nil
			})
		},
	}
}

func noClient(name string) error {
	return fmt.Errorf("there is no account %q; 'skjold client list' shows them", name)
}

func findClient(ctx context.Context, st *store.Store, name string) (store.Client, error) {
	clients, err := st.Clients(ctx)
	if err != nil {
		return store.Client{}, err
	}
	i := slices.IndexFunc(clients, func(c store.Client) bool { return c.Name == name })
	if i < 0 {
		return store.Client{}, noClient(name)
	}
	return clients[i], nil
}
