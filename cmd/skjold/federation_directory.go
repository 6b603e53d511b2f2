package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

func (a *app) directoryCommand() *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use: "directory", Short: "Tell who belongs to the federation, since when and by which decision", Args: cobra.NoArgs,
		Long: `Tell who belongs to the federation: founders, anchors, members and classes with their hubs and declarations, since when,
who is suspended or expelled, and by which decision. All of it follows from signed records that this node has checked; --json
has every vote.`,
		Example: "  skjold federation directory\n  skjold federation directory --json",
		RunE: func(*cobra.Command, []string) error {
			ledger, _, err := a.charterOf(pin)
			if err != nil {
				return err
			}
			d, err := ledger.Directory(time.Now())
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, d)
			}
			return a.printDirectory(d)
		},
	}
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) printDirectory(d *federation.Directory) error {
	fmt.Fprintf(a.out, "%s, charter version %d since %s\n\n", printable(d.Name), d.Version, stamp(d.Since))
	founders := table{head: []string{"FOUNDER", "ENTITY"}}
	for _, f := range d.Founders {
		founders.row(f.Name, string(f.Entity))
	}
	for _, x := range d.Anchors {
		founders.row("(anchor)", string(x))
	}
	if err := founders.print(a.out); err != nil {
		return err
	}
	if len(d.Members) > 0 {
		fmt.Fprintln(a.out)
		t := table{head: []string{"MEMBER", "ENTITY", "CLASS", "STANDING", "SINCE", "HUB", "DECLARATION"}}
		for _, m := range d.Members {
			declaration := ""
			if m.Declaration != nil {
				declaration = m.Declaration.URL
			}
			class := m.Class
			if m.Issues {
				class += ", issues statements"
			}
			standing := string(m.Standing)
			if m.Until != nil {
				standing += " until " + stamp(*m.Until)
			}
			t.row(m.Name, string(m.Entity), class, standing, stamp(m.Since), string(m.Hub), declaration)
		}
		if err := t.print(a.out); err != nil {
			return err
		}
	}
	if len(d.Classes) > 0 {
		fmt.Fprintln(a.out)
		t := table{head: []string{"CLASS", "MEMBERS", "SINCE", "HUB", "DECLARATION"}}
		for _, c := range d.Classes {
			members := fmt.Sprint(len(c.Members))
			if c.Members == nil {
				members = "the list is not here"
			}
			t.row(c.Name, members, stamp(c.Since), string(c.Hub), c.Declaration.URL)
		}
		if err := t.print(a.out); err != nil {
			return err
		}
	}
	if len(d.Contested) > 0 {
		fmt.Fprintf(a.out, "\nFounders have signed two charters of one version, and neither is followed: %s\n", strings.Join(hashes(d.Contested), ", "))
	}
	return nil
}

func (a *app) federationVerifyCommand() *cobra.Command {
	var pin, chainFile string
	cmd := &cobra.Command{
		Use: "verify ENTITY", Short: "Tell in plain words why an entity is a member, with every vote", Args: cobra.ExactArgs(1),
		Long: `Tell in plain words why an entity is a member or is not: each decision about it with every founder's vote, suspensions and
keys, all checked here and now. With --chain a trust chain (a JSON array of statements) is checked too, from the entity up to
an anchor of the charter. It ends with exit code 1 unless the entity is a member in good standing.`,
		Example: "  skjold federation verify https://skjold.koege.example\n  skjold federation verify https://skjold.koege.example --chain koege.chain --json",
		RunE: func(_ *cobra.Command, args []string) error {
			id, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			ledger, charter, err := a.charterOf(pin)
			if err != nil {
				return err
			}
			v, err := a.verifyEntity(ledger, charter, id, chainFile)
			if err != nil {
				return err
			}
			if a.json {
				err = printJSON(a.out, v)
			} else {
				_, err = fmt.Fprintln(a.out, printableWords(v.words()))
			}
			if err == nil && !v.Member {
				err = errSilent
			}
			return err
		},
	}
	cmd.Flags().StringVar(&chainFile, "chain", "", "file with a trust chain of the entity")
	a.charterFlag(cmd, &pin)
	return cmd
}

// entityCheck is what verify finds out.
type entityCheck struct {
	Entity    federation.EntityID         `json:"entity"`
	Member    bool                        `json:"member"`
	Standing  federation.Standing         `json:"standing"`
	Since     string                      `json:"since,omitempty"`
	Until     string                      `json:"until,omitempty"`
	Reason    string                      `json:"reason,omitempty"`
	Keys      []string                    `json:"keys,omitempty"`
	Decisions []federation.ListedDecision `json:"decisions"`
	Chain     *chainJSON                  `json:"chain,omitempty"`
	Problem   string                      `json:"problem,omitempty"` // of the chain
}

// chainJSON is a trust chain that holds.
type chainJSON struct {
	Path    []federation.EntityID `json:"path"` // from the entity to the anchor
	OrgID   string                `json:"org_id,omitempty"`
	Expires string                `json:"expires"`
}

func (a *app) verifyEntity(ledger *federation.Ledger, charter *federation.Charter, id federation.EntityID, chainFile string) (*entityCheck, error) {
	now := time.Now()
	m := ledger.Member(id, now)
	v := &entityCheck{
		Entity: id, Standing: m.Standing, Since: jsonTime(m.Since), Until: jsonTime(m.Until), Reason: m.Reason, Keys: m.Keys,
		Member: m.Standing == federation.InGood, Decisions: []federation.ListedDecision{},
	}
	admissions := map[federation.Hash]bool{}
	if chainFile != "" {
		text, err := a.readRecordFile(chainFile)
		if err != nil {
			return nil, err
		}
		statements, err := federation.ParseTrustChain(text)
		if err != nil {
			return nil, err
		}
		chain, err := federation.VerifyTrustChain(statements, federation.ChainOptions{
			Anchors: charter.TrustAnchors(), Now: now, Revoked: federation.NewRevocations(ledger).Check(now),
			Admission: func(superior federation.EntityID, s *federation.SubordinateStatement) error {
				admissions[federation.Hash(s.Admission)] = true
				return ledger.CheckAdmission(superior, s, now)
			},
		})
		if err == nil && chain.Entity != id {
			err = fmt.Errorf("the trust chain is that of %s", chain.Entity)
		}
		if v.Member = err == nil; v.Member {
			v.Chain = &chainJSON{Path: []federation.EntityID{id}, OrgID: chain.OrgID(), Expires: jsonTime(chain.Expires)}
			for _, s := range chain.Superiors {
				v.Chain.Path = append(v.Chain.Path, s.Issuer)
			}
		} else {
			v.Problem = err.Error()
		}
	}
	for _, d := range ledger.Decisions() {
		if listed := d.List(); listed.Subject == id || admissions[d.Hash] {
			v.Decisions = append(v.Decisions, listed)
		}
	}
	return v, nil
}

// words is the finding for people.
func (v *entityCheck) words() string {
	var s strings.Builder
	switch v.Standing {
	case federation.InGood:
		fmt.Fprintf(&s, "%s is a member since %s\n", v.Entity, v.Since)
	case federation.Stranger:
		fmt.Fprintf(&s, "%s was never admitted by name\n", v.Entity)
	default:
		fmt.Fprintf(&s, "%s is %s since %s: %s\n", v.Entity, v.Standing, v.Since, v.Reason)
		if v.Until != "" {
			fmt.Fprintf(&s, "it ends on %s unless the founders decide otherwise\n", v.Until)
		}
	}
	for _, k := range v.Keys {
		fmt.Fprintf(&s, "federation key %s\n", k)
	}
	switch {
	case v.Chain != nil:
		path := make([]string, len(v.Chain.Path))
		for i, id := range v.Chain.Path {
			path[i] = string(id)
		}
		fmt.Fprintf(&s, "its trust chain holds until %s: %s\n", v.Chain.Expires, strings.Join(path, ", stated by "))
		if v.Chain.OrgID != "" {
			fmt.Fprintf(&s, "its superior says that it is %s\n", v.Chain.OrgID)
		}
	case v.Problem != "":
		fmt.Fprintf(&s, "its trust chain does not hold: %s\n", v.Problem)
	}
	for _, d := range v.Decisions {
		fmt.Fprintln(&s, decisionWords(d))
	}
	return strings.TrimSuffix(s.String(), "\n")
}
