package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

// verifyFlags say what verify looks at.
type verifyFlags struct {
	pin   string
	chain string
	fetch bool
}

func (a *app) federationVerifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use: "verify ENTITY", Short: "Tell in plain words why an entity is a member, with every vote", Args: cobra.ExactArgs(1),
		Long: `Tell in plain words why an entity is a member or is not: who states it, up to an anchor of the charter, each decision behind
that with every founder's vote, suspensions and keys, all checked here and now.

A member that was admitted by name is known from the records in the data directory, and nobody is asked. Of a member of a
class, which the records do not name, the trust chain is fetched: from the entity itself or its hub, and from those who state
it. With --fetch that is done for any entity, and with --chain the chain is read from a file (a JSON array of statements).

It ends with exit code 1 unless the entity is a member in good standing.`,
		Example: `  skjold federation verify https://skjold.koege.example
  skjold federation verify https://skjold.koege.example --fetch
  skjold federation verify https://skjold.koege.example --chain koege.chain --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			if f.fetch && f.chain != "" {
				return usagef("--fetch and --chain name two sources of one chain; give one of them")
			}
			v, err := a.verifyEntity(cmd.Context(), id, f)
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
	cmd.Flags().StringVar(&f.chain, "chain", "", "file with a trust chain of the entity")
	cmd.Flags().BoolVar(&f.fetch, "fetch", false, "fetch the entity's trust chain, although the records here name it")
	a.charterFlag(cmd, &f.pin)
	return cmd
}

// entityCheck is what verify finds out.
type entityCheck struct {
	Entity    federation.EntityID         `json:"entity"`
	Member    bool                        `json:"member"`
	Role      string                      `json:"role,omitempty"` // "anchor" or "founder", by the charter
	Standing  federation.Standing         `json:"standing"`
	Since     string                      `json:"since,omitempty"`
	Until     string                      `json:"until,omitempty"`
	Reason    string                      `json:"reason,omitempty"`
	OrderedBy federation.EntityID         `json:"ordered_by,omitempty"` // whose word alone suspends it
	Keys      []string                    `json:"keys,omitempty"`
	Chain     *chainJSON                  `json:"chain,omitempty"`
	Problem   string                      `json:"problem,omitempty"` // of the chain
	Decisions []federation.ListedDecision `json:"decisions"`

	fetched               bool      // the chain was looked for at the nodes themselves
	charter               int       // version
	since, until, expires time.Time // as Since, Until and Expires
}

// The sources of a chain.
const (
	chainOfRecords = "records"
	chainOfFile    = "file"
	chainOfNetwork = "network"
)

// chainJSON is a chain that holds, from the entity to the anchor.
type chainJSON struct {
	Source  string                `json:"source"`
	Path    []federation.EntityID `json:"path"`
	Links   []linkJSON            `json:"links"`
	OrgID   string                `json:"org_id,omitempty"`
	Expires string                `json:"expires,omitempty"` // of signed statements; the records alone do not end
}

// linkJSON is one step of it: who states whom, and by which decision the founders let it.
type linkJSON struct {
	Subject   federation.EntityID `json:"sub"`
	Issuer    federation.EntityID `json:"iss"`
	Name      string              `json:"name,omitempty"`
	OrgID     string              `json:"org_id,omitempty"`
	Admission federation.Hash     `json:"admission"`
}

// verifyEntity finds the chain in the file, in the records or at the nodes themselves, and the decisions behind it.
func (a *app) verifyEntity(ctx context.Context, id federation.EntityID, f verifyFlags) (*entityCheck, error) {
	ledger, charter, err := a.charterOf(f.pin)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	m := ledger.Member(id, now)
	v := &entityCheck{
		Entity: id, Standing: m.Standing, Since: jsonTime(m.Since), Until: jsonTime(m.Until), Reason: m.Reason, OrderedBy: m.OrderedBy, Keys: m.Keys,
		Role: roleOf(id, charter), Decisions: []federation.ListedDecision{}, charter: charter.Version, since: m.Since, until: m.Until,
	}
	var chain *federation.TrustChain
	switch {
	case f.chain != "":
		if chain, err = a.chainOfFile(f.chain, id, ledgerChainOptions(ledger, now)); isFileProblem(err) {
			return nil, err
		}
		v.take(chain, chainOfFile, ledger, now, err)
	case f.fetch || m.Standing == federation.Stranger && v.Role == "":
		client, err := a.verifyClient(id)
		if err != nil {
			return nil, err
		}
		defer client.CloseIdleConnections()
		chain, err = federation.ResolveTrustChain(ctx, client, id, ledger.Hosts(id, now), ledgerChainOptions(ledger, now))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		v.take(chain, chainOfNetwork, ledger, now, err)
		v.fetched = true
	case m.Standing == federation.InGood:
		v.Chain, err = chainByRecords(ledger, charter, id, now)
		v.conclude(err)
	}
	v.Member = v.Member || v.Role == anchorRole && m.Standing == federation.Stranger
	v.decisions(ledger)
	return v, nil
}

// The roles that the charter gives.
const (
	anchorRole  = "anchor"
	founderRole = "founder"
)

func roleOf(id federation.EntityID, charter *federation.Charter) string {
	switch {
	case slices.ContainsFunc(charter.Anchors, func(x federation.Anchor) bool { return x.Entity == id }):
		return anchorRole
	case charter.Founder(id) != nil:
		return founderRole
	}
	return ""
}

// fileProblem is that a chain could not be read at all.
type fileProblem struct{ error }

func isFileProblem(err error) bool {
	var problem fileProblem
	return errors.As(err, &problem)
}

func (a *app) chainOfFile(path string, id federation.EntityID, o federation.ChainOptions) (*federation.TrustChain, error) {
	text, err := a.readRecordFile(path)
	if err != nil {
		return nil, fileProblem{err}
	}
	statements, err := federation.ParseTrustChain(text)
	if err != nil {
		return nil, fileProblem{fmt.Errorf("%s: %w", path, err)}
	}
	chain, err := federation.VerifyTrustChain(statements, o)
	if err == nil && chain.Entity != id {
		err = fmt.Errorf("the trust chain is that of %s", chain.Entity)
	}
	return chain, err
}

// verifyClient is the outgoing client of the node in --data. In a directory that is no node it is that of a real node, or
// of one on this machine, as the entity asks for.
func (a *app) verifyClient(id federation.EntityID) (*http.Client, error) {
	o := federation.ClientOptions{Self: id, Timeout: 15 * time.Second}
	dir := dataDir(a.data)
	if node, err := dir.initialised(); err != nil || !node {
		return federation.NewHTTPClient(o), err
	}
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return nil, err
	}
	o.Self, o.AllowPrivate = federation.EntityID(cfg.Entity), cfg.Federation.AllowPrivateAddresses
	if o.Self.Loopback() != id.Loopback() {
		return nil, fmt.Errorf("the node in %s is %s: a node on one machine and a real one never accept each other", dir, o.Self)
	}
	return federation.NewHTTPClient(o), nil
}

// take notes a signed chain, or why there is none.
func (v *entityCheck) take(chain *federation.TrustChain, source string, ledger *federation.Ledger, now time.Time, err error) {
	if v.conclude(err); err != nil {
		return
	}
	v.expires = chain.Expires
	v.Chain = &chainJSON{Source: source, Path: []federation.EntityID{v.Entity}, OrgID: chain.OrgID(), Expires: jsonTime(chain.Expires)}
	for i, s := range chain.Superiors {
		link := linkJSON{Subject: s.Subject, Issuer: s.Issuer, Admission: federation.Hash(s.Admission)}
		if m := ledger.Member(s.Subject, now); m.Admission != nil {
			link.Name, link.OrgID = m.Admission.Nomination.Name, m.Admission.Nomination.OrgID
		} else if i == 0 {
			link.OrgID = v.Chain.OrgID
		}
		v.Chain.Links = append(v.Chain.Links, link)
		v.Chain.Path = append(v.Chain.Path, s.Issuer)
	}
}

// conclude says whether the entity is a member by its chain.
func (v *entityCheck) conclude(err error) {
	if v.Member = err == nil; err != nil {
		v.Problem = err.Error()
	}
}

// maxPath bounds the steps from an entity to an anchor, as in a trust chain.
const maxPath = 4

// chainByRecords follows who states whom by the decisions alone, up to an anchor of the charter. Everybody on the way must be in
// good standing, since the statements of others count for nothing.
func chainByRecords(ledger *federation.Ledger, charter *federation.Charter, id federation.EntityID, now time.Time) (*chainJSON, error) {
	c := &chainJSON{Source: chainOfRecords, Path: []federation.EntityID{id}}
	for roleOf(id, charter) != anchorRole {
		m := ledger.Member(id, now)
		switch {
		case m.Standing != federation.InGood && m.Standing != federation.Stranger:
			return nil, fmt.Errorf("%s, who states it, is %s since %s", id, m.Standing, stamp(m.Since))
		case m.Admission == nil:
			return nil, fmt.Errorf("%s, who is to state it, was admitted by no decision that is in the records here", id)
		case len(c.Links) == maxPath:
			return nil, fmt.Errorf("an anchor would be more than %d steps above it", maxPath)
		}
		n := m.Admission.Nomination
		if len(c.Links) == 0 {
			c.OrgID = n.OrgID
		}
		c.Links = append(c.Links, linkJSON{Subject: id, Issuer: n.Hub, Name: n.Name, OrgID: n.OrgID, Admission: m.Admission.Hash})
		c.Path = append(c.Path, n.Hub)
		id = n.Hub
	}
	return c, nil
}

// decisions lists those about the entity, and then those that its chain rests on.
func (v *entityCheck) decisions(ledger *federation.Ledger) {
	behind := map[federation.Hash]bool{}
	if v.Chain != nil {
		for _, link := range v.Chain.Links {
			behind[link.Admission] = true
		}
	}
	var others []federation.ListedDecision
	for _, d := range ledger.Decisions() {
		switch listed := d.List(); {
		case listed.Subject == v.Entity:
			v.Decisions = append(v.Decisions, listed)
		case behind[d.Hash]:
			others = append(others, listed)
		}
	}
	v.Decisions = append(v.Decisions, others...)
}

// words is the finding for people.
func (v *entityCheck) words() string {
	var s strings.Builder
	switch {
	case v.Role == anchorRole && v.Standing == federation.Stranger:
		fmt.Fprintf(&s, "%s is an anchor of charter version %d: it signs statements, and admits nobody by itself\n", v.Entity, v.charter)
	case v.Role == founderRole && v.Standing == federation.Stranger:
		fmt.Fprintf(&s, "%s is a founder by charter version %d, and was not admitted as a member\n", v.Entity, v.charter)
	case v.Standing == federation.InGood:
		fmt.Fprintf(&s, "%s is a member since %s\n", v.Entity, stamp(v.since))
	case v.Standing == federation.Stranger && v.Chain != nil:
		fmt.Fprintf(&s, "%s was not admitted by name; it is a member of a class\n", v.Entity)
	case v.Standing == federation.Stranger:
		fmt.Fprintf(&s, "%s was never admitted by name\n", v.Entity)
	default:
		by := ""
		if v.OrderedBy != "" {
			by = fmt.Sprintf(" by the word of %s alone", v.OrderedBy)
		}
		fmt.Fprintf(&s, "%s is %s since %s%s: %s\n", v.Entity, v.Standing, stamp(v.since), by, v.Reason)
		if v.Until != "" {
			fmt.Fprintf(&s, "it ends on %s unless the founders decide otherwise\n", stamp(v.until))
		}
	}
	for _, k := range v.Keys {
		fmt.Fprintf(&s, "federation key %s\n", k)
	}
	switch {
	case v.Chain != nil:
		v.chainWords(&s)
	case v.Problem != "":
		what := "its trust chain does not hold"
		if v.fetched {
			what = "no trust chain of it was found"
		}
		fmt.Fprintf(&s, "%s: %s\n", what, v.Problem)
		if v.fetched && v.Standing == federation.InGood {
			fmt.Fprintf(&s, "(by the records here alone, which is to say without --fetch, it is a member)\n")
		}
	}
	for _, d := range v.Decisions {
		fmt.Fprintf(&s, "\n%s\n", decisionWords(d))
	}
	return strings.TrimSuffix(s.String(), "\n")
}

// chainWords is the chain for people, a step a line.
func (v *entityCheck) chainWords(s *strings.Builder) {
	if v.Chain.Source == chainOfRecords {
		fmt.Fprint(s, "its chain, by the records here (--fetch asks the nodes for their signed statements):\n")
	} else {
		fmt.Fprintf(s, "its trust chain holds until %s:\n", stamp(v.expires))
	}
	for _, link := range v.Chain.Links {
		who := strings.Trim(link.Name+", "+link.OrgID, ", ")
		if who != "" {
			who = " (" + who + ")"
		}
		fmt.Fprintf(s, "  %s%s\n    is stated by %s, by decision %s\n", link.Subject, who, link.Issuer, link.Admission)
	}
	fmt.Fprintf(s, "  %s is an anchor of charter version %d\n", v.Chain.Path[len(v.Chain.Path)-1], v.charter)
}
