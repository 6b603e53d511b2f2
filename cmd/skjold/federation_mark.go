package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

func (a *app) markCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "mark", Short: "Trust marks: an issuer's word that a member meets a requirement",
		Long: `A trust mark (OpenID Federation 1.0 §7) is an issuer's signed word that a member meets a requirement, for at most 190 days.
The anchor says who may issue which type ('type'), an owner may let issuers issue ('delegate'), an issuer issues ('issue'), and
the member shows the mark to everybody ('add'). 'skjold federation members allow --mark' asks for one.`,
	}
	cmd.AddCommand(a.markTypeCommand(), a.markDelegateCommand(), a.markIssueCommand(), a.markAddCommand(), a.markListCommand(), a.markRemoveCommand())
	return cmd
}

func (a *app) markTypeCommand() *cobra.Command {
	var issuers []string
	var owner, ownerJWKS string
	var remove bool
	cmd := &cobra.Command{
		Use:   "type [TYPE --issuer ENTITY...]",
		Short: "At the anchor: say who may issue a type of trust mark, or list the types",
		Long: `At the anchor, say in its entity configuration who may issue trust marks of a type, and who owns the type where the issuers
need its delegation. Without a TYPE the types are listed. Members know it when their chains are renewed, within half a day.`,
		Example: `  skjold federation mark type https://federation.example/marks/backup --issuer https://auditor.example
  skjold federation mark type https://federation.example/marks/nis2 --issuer https://auditor.example --owner https://authority.example --owner-jwks authority.jwks
  skjold federation mark type https://federation.example/marks/backup --remove`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.changeMarkTypes(cmd.Context(), func(map[string]markType) error { return nil })
			}
			t, err := readMarkType(args[0], issuers, owner, ownerJWKS, remove)
			if err != nil {
				return err
			}
			return a.changeMarkTypes(cmd.Context(), func(types map[string]markType) error {
				if _, known := types[args[0]]; remove && !known {
					return fmt.Errorf("the type %s is not known here", args[0])
				}
				if delete(types, args[0]); !remove {
					types[args[0]] = t
				}
				return nil
			})
		},
	}
	cmd.Flags().StringArrayVar(&issuers, "issuer", nil, "entity that may issue marks of the type; may be repeated")
	cmd.Flags().StringVar(&owner, "owner", "", "entity that owns the type: marks of other issuers need its delegation")
	cmd.Flags().StringVar(&ownerJWKS, "owner-jwks", "", "file with the key set of the owner's federation key")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the type: its marks count for nothing any more")
	return cmd
}

// readMarkType checks what the flags say of a type.
func readMarkType(name string, issuers []string, owner, ownerJWKS string, remove bool) (t markType, err error) {
	if err := federation.CheckTrustMarkType(name); err != nil {
		return t, usageError{err}
	}
	switch {
	case remove && (len(issuers) > 0 || owner != ""):
		return t, usagef("--remove stands alone")
	case remove:
		return t, nil
	case len(issuers) == 0: // an empty list in the standard lets everybody issue
		return t, usagef("say who may issue it with --issuer")
	case (owner == "") != (ownerJWKS == ""):
		return t, usagef("--owner and --owner-jwks belong together")
	}
	for _, text := range issuers {
		id, err := federation.ParseEntityID(text)
		if err != nil {
			return t, usageError{err}
		}
		t.Issuers = append(t.Issuers, id)
	}
	if owner == "" {
		return t, nil
	}
	if t.Owner, err = federation.ParseEntityID(owner); err != nil {
		return t, usageError{err}
	}
	keys, err := readKeySet(ownerJWKS)
	t.Keys = &keys
	return t, err
}

// changeMarkTypes changes the types that the anchor knows, and lists them.
func (a *app) changeMarkTypes(ctx context.Context, change func(map[string]markType) error) error {
	return a.withStore(ctx, func(ctx context.Context, st *store.Store) error {
		types, err := readFact[map[string]markType](ctx, st, markTypesFact)
		if err != nil {
			return err
		}
		if types == nil {
			types = make(map[string]markType)
		}
		if err := change(types); err != nil {
			return err
		}
		if err := writeFact(ctx, st, markTypesFact, types); err != nil {
			return err
		}
		if a.json {
			return printJSON(a.out, types)
		}
		t := table{head: []string{"TYPE", "ISSUERS", "OWNER"}}
		for _, name := range slices.Sorted(maps.Keys(types)) {
			var issuers []string
			for _, id := range types[name].Issuers {
				issuers = append(issuers, string(id))
			}
			t.row(name, strings.Join(issuers, ", "), string(types[name].Owner))
		}
		return t.print(a.out)
	})
}

// lifeOf is the life of a mark or a delegation.
func lifeOf(days int) time.Duration { return time.Duration(days) * 24 * time.Hour }

func (a *app) markDelegateCommand() *cobra.Command {
	var markType, out string
	var days int
	cmd := &cobra.Command{
		Use: "delegate ISSUER --type TYPE", Short: "As the owner of a type: let an issuer issue its trust marks",
		Example: "  skjold federation mark delegate https://auditor.example --type https://federation.example/marks/nis2 --out auditor.delegation",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			issuer, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			if days < 1 || days > 732 {
				return usagef("--days %d is not 1 to 732", days)
			}
			cfg, keys, err := a.ownKeys()
			if err != nil {
				return err
			}
			now := time.Now()
			d := federation.TrustMarkDelegation{Owner: federation.EntityID(cfg.Entity), Issuer: issuer, Type: markType, Expires: now.Add(lifeOf(days))}
			compact, err := d.Sign(keys.federation(), now)
			if err != nil {
				return err
			}
			return a.deliver(delivery{
				out: out, record: []byte(compact), facts: map[string]any{"issuer": issuer, "type": markType, "expires": jsonTime(d.Expires)},
				text: fmt.Sprintf("%s lets %s issue %s until %s. The issuer: skjold federation mark issue --delegation FILE", cfg.Entity, issuer, markType, stamp(d.Expires)),
			})
		},
	}
	cmd.Flags().StringVar(&markType, "type", "", "the type, a URL")
	cmd.Flags().StringVar(&out, "out", "", "file to write the delegation to (standard output unless given)")
	cmd.Flags().IntVar(&days, "days", 730, "how long it holds, at most 732 days")
	return cmd
}

func (a *app) markIssueCommand() *cobra.Command {
	var mark federation.TrustMark
	var delegation, out string
	var days int
	cmd := &cobra.Command{
		Use: "issue ENTITY --type TYPE", Short: "As an issuer: issue a trust mark to a member",
		Example: "  skjold federation mark issue https://skjold.koege.example --type https://federation.example/marks/backup --out koege.mark",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			subject, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			if days < 1 || days > 190 {
				return usagef("--days %d is not 1 to 190: the half-yearly meeting is the renewal", days)
			}
			cfg, keys, err := a.ownKeys()
			if err != nil {
				return err
			}
			if delegation != "" {
				if mark.Delegation, err = a.readToken(delegation, "delegation"); err != nil {
					return err
				}
			}
			now := time.Now()
			mark.Issuer, mark.Subject, mark.Expires = federation.EntityID(cfg.Entity), subject, now.Add(lifeOf(days))
			compact, err := mark.Sign(keys.federation(), now)
			if err != nil {
				return err
			}
			return a.deliver(delivery{
				out: out, record: []byte(compact), facts: map[string]any{"sub": subject, "type": mark.Type, "expires": jsonTime(mark.Expires)},
				text: fmt.Sprintf("%s issues %s to %s until %s. The member: skjold federation mark add FILE", cfg.Entity, mark.Type, subject, stamp(mark.Expires)),
			})
		},
	}
	cmd.Flags().StringVar(&mark.Type, "type", "", "the type, a URL")
	cmd.Flags().StringVar(&mark.Reference, "ref", "", "address where people read about it")
	cmd.Flags().StringVar(&delegation, "delegation", "", "file with the delegation of the type's owner, where it has one")
	cmd.Flags().StringVar(&out, "out", "", "file to write the mark to (standard output unless given)")
	cmd.Flags().IntVar(&days, "days", 190, "how long it holds, at most 190 days")
	return cmd
}

func (a *app) markAddCommand() *cobra.Command {
	return &cobra.Command{
		Use: "add FILE", Short: "As a member: show a trust mark", Args: cobra.ExactArgs(1), Example: "  skjold federation mark add koege.mark",
		Long: `Show a trust mark in this node's entity configuration, in the place of one of the same type and issuer. A running node shows
it within two seconds; nodes that know this one already are shown it when they refuse something.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			compact, err := a.readToken(args[0], "trust mark")
			if err != nil {
				return err
			}
			cfg, err := a.loadConfig(dataDir(a.data), nil)
			if err != nil {
				return err
			}
			mark, err := federation.ReadTrustMark(compact)
			if err != nil {
				return err
			}
			if string(mark.Subject) != cfg.Entity {
				return fmt.Errorf("the trust mark is about %s, and this node is %s", mark.Subject, cfg.Entity)
			}
			return a.changeMarks(cmd.Context(), func(marks []federation.TrustMarkClaim) ([]federation.TrustMarkClaim, error) {
				marks = slices.DeleteFunc(marks, func(c federation.TrustMarkClaim) bool {
					held, err := federation.ReadTrustMark(c.Mark)
					return err != nil || held.Type == mark.Type && held.Issuer == mark.Issuer
				})
				marks = append(marks, federation.TrustMarkClaim{Type: mark.Type, Mark: compact})
				size := 0
				for _, c := range marks {
					size += len(c.Mark) + len(c.Type)
				}
				if size > maxShownMarks {
					return nil, fmt.Errorf("with it the trust marks of this node would have %d bytes, more than %d; remove one first", size, maxShownMarks)
				}
				return marks, nil
			})
		},
	}
}

// maxShownMarks is how many bytes the trust marks of a node may have together, so that its entity configuration, in which
// they are encoded once more, stays below 16 KB: about 14 marks, or 7 with delegations.
const maxShownMarks = 9000

func (a *app) markListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the trust marks that this node shows", Args: cobra.NoArgs, Example: "  skjold federation mark list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.changeMarks(cmd.Context(), nil)
		},
	}
}

func (a *app) markRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove TYPE", Short: "Show the trust marks of a type no more", Args: cobra.ExactArgs(1), Example: "  skjold federation mark remove https://federation.example/marks/backup",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeMarks(cmd.Context(), func(marks []federation.TrustMarkClaim) ([]federation.TrustMarkClaim, error) {
				rest := slices.DeleteFunc(slices.Clone(marks), func(c federation.TrustMarkClaim) bool { return c.Type == args[0] })
				if len(rest) == len(marks) {
					return nil, fmt.Errorf("this node shows no trust mark of the type %s; 'skjold federation mark list' shows them", args[0])
				}
				return rest, nil
			})
		},
	}
}

// markJSON is a line of the listing.
type markJSON struct {
	Type    string `json:"type"`
	Issuer  string `json:"issuer"`
	Expires string `json:"expires"`
	Holds   bool   `json:"holds"` // in time; whether others accept the issuer is theirs to find out
}

// changeMarks changes the trust marks that the node shows, unless change is nil, and lists them.
func (a *app) changeMarks(ctx context.Context, change func([]federation.TrustMarkClaim) ([]federation.TrustMarkClaim, error)) error {
	return a.withStore(ctx, func(ctx context.Context, st *store.Store) error {
		marks, err := readFact[[]federation.TrustMarkClaim](ctx, st, marksFact)
		if err == nil && change != nil {
			if marks, err = change(marks); err == nil {
				err = writeFact(ctx, st, marksFact, marks)
			}
		}
		if err != nil {
			return err
		}
		now, list := time.Now(), []markJSON{}
		t := table{head: []string{"TYPE", "ISSUER", "HOLDS UNTIL"}}
		for _, c := range marks {
			m, err := federation.ReadTrustMark(c.Mark)
			if err != nil {
				return err
			}
			list = append(list, markJSON{Type: m.Type, Issuer: string(m.Issuer), Expires: jsonTime(m.Expires), Holds: now.Before(m.Expires)})
			t.row(m.Type, string(m.Issuer), stamp(m.Expires))
		}
		switch {
		case a.json:
			return printJSON(a.out, list)
		case len(list) == 0:
			_, err := fmt.Fprintln(a.out, "This node shows no trust marks.")
			return err
		}
		return t.print(a.out)
	})
}
