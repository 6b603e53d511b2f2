package federation

import (
	"cmp"
	"slices"
	"time"
)

// Directory is who belongs to the federation at a time, all of it from signed records that each node has checked.
type Directory struct {
	Name    string    `json:"name"`
	Charter Hash      `json:"charter"`
	Version int       `json:"version"`
	Since   time.Time `json:"since"`
	Rules   Rules     `json:"rules"`
	// Requirements are the trust mark types that the charter asks of members.
	Requirements []string         `json:"requirements,omitempty"`
	Founders     []ListedFounder  `json:"founders"`
	Anchors      []EntityID       `json:"anchors"`
	Members      []ListedMember   `json:"members"`
	Classes      []ListedClass    `json:"classes"`
	Decisions    []ListedDecision `json:"decisions"`
	// Contested are charters that are evidence of founders who signed two of one version.
	Contested []Hash `json:"contested,omitempty"`
}

// ListedFounder is a founding party.
type ListedFounder struct {
	Entity EntityID `json:"entity"`
	Name   string   `json:"name"`
	// VoteKeys are the thumbprints of its vote keys.
	VoteKeys []string `json:"vote_keys"`
}

// ListedMember is who was admitted by name, or suspended or expelled.
type ListedMember struct {
	Entity EntityID `json:"entity"`
	Name   string   `json:"name,omitempty"`
	OrgID  string   `json:"org_id,omitempty"`
	Class  string   `json:"class,omitempty"`
	// Hub issues the statements about it; Issues tells that it is such a hub itself.
	Hub         EntityID     `json:"hub,omitempty"`
	Issues      bool         `json:"issues"`
	Declaration *Declaration `json:"declaration,omitempty"`
	Standing    Standing     `json:"standing"`
	Since       time.Time    `json:"since"`
	Until       *time.Time   `json:"until,omitempty"`
	Reason      string       `json:"reason,omitempty"`
	// Admission is the decision that admitted it, By the record that its standing follows from; OrderedBy is the founder or
	// the anchor whose word alone suspends it for 72 hours.
	Admission Hash     `json:"admission,omitempty"`
	By        Hash     `json:"by"`
	OrderedBy EntityID `json:"ordered_by,omitempty"`
	Keys      []string `json:"keys,omitempty"`
}

// ListedClass is a class of members that was admitted at once.
type ListedClass struct {
	Name        string      `json:"name"`
	Class       string      `json:"class"`
	Hub         EntityID    `json:"hub"`
	Declaration Declaration `json:"declaration"`
	Since       time.Time   `json:"since"`
	Admission   Hash        `json:"admission"`
	// Members are the org_ids; none where the list is not held here.
	Members ClassList `json:"members"`
}

// ListedDecision is a decision with each vote.
type ListedDecision struct {
	Hash    Hash         `json:"hash"`
	Kind    ProposalKind `json:"kind"`
	Subject EntityID     `json:"sub,omitempty"`
	// Name is that of the party or the class that was nominated; Nominator is the founder who did.
	Name      string   `json:"name,omitempty"`
	Nominator EntityID `json:"nominator,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	// Keys are those of a recovery.
	Keys []string  `json:"keys,omitempty"`
	At   time.Time `json:"at"`
	// Charter is the version whose founders voted, Rule what it asked for.
	Charter  int          `json:"charter"`
	Rule     Threshold    `json:"rule"`
	For      int          `json:"for"`
	Founders int          `json:"founders"`
	Votes    []ListedVote `json:"votes"`
	// Silent are the names of the founders who sent no vote: they count as not being for it.
	Silent []string `json:"silent,omitempty"`
}

// ListedVote is one founder's.
type ListedVote struct {
	Founder EntityID  `json:"founder"`
	Name    string    `json:"name"`
	Choice  Choice    `json:"vote"`
	At      time.Time `json:"at"`
}

// Directory returns who belongs to the federation at a time; ErrUnknownRecord without a charter.
func (l *Ledger) Directory(now time.Time) (*Directory, error) {
	charter, err := l.Charter()
	if err != nil {
		return nil, err
	}
	d := &Directory{
		Name: charter.Name, Charter: charter.hash, Version: charter.Version, Since: time.Unix(charter.IssuedAt, 0).UTC(), Rules: charter.Rules,
		Requirements: charter.Requirements, Contested: l.Contested(), Members: []ListedMember{}, Classes: []ListedClass{}, Decisions: []ListedDecision{},
	}
	for _, f := range charter.Founders {
		listed := ListedFounder{Entity: f.Entity, Name: f.Name}
		for _, k := range f.Keys.Keys() {
			listed.VoteKeys = append(listed.VoteKeys, k.ID())
		}
		d.Founders = append(d.Founders, listed)
	}
	for _, a := range charter.Anchors {
		d.Anchors = append(d.Anchors, a.Entity)
	}
	for _, c := range l.Classes() {
		n := c.Admission.Nomination
		d.Classes = append(d.Classes, ListedClass{
			Name: n.Name, Class: n.Class, Hub: n.Hub, Declaration: n.Declaration, Since: c.Admission.At.UTC(), Admission: c.Admission.Hash, Members: c.List,
		})
	}
	for _, m := range l.Members(now) {
		d.Members = append(d.Members, listMember(m))
	}
	for i := range d.Members {
		d.Members[i].Issues = d.issues(d.Members[i].Entity)
	}
	for _, decision := range l.Decisions() {
		d.Decisions = append(d.Decisions, decision.List())
	}
	return d, nil
}

func (d *Directory) issues(id EntityID) bool {
	return slices.ContainsFunc(d.Members, func(m ListedMember) bool { return m.Hub == id }) ||
		slices.ContainsFunc(d.Classes, func(c ListedClass) bool { return c.Hub == id })
}

// NameOf is the name of a founder or a member; its id for one without.
func (d *Directory) NameOf(id EntityID) string {
	if i := slices.IndexFunc(d.Founders, func(f ListedFounder) bool { return f.Entity == id }); i >= 0 {
		return d.Founders[i].Name
	}
	if i := slices.IndexFunc(d.Members, func(m ListedMember) bool { return m.Entity == id }); i >= 0 && d.Members[i].Name != "" {
		return d.Members[i].Name
	}
	return string(id)
}

// With returns the members of a standing, in their order.
func (d *Directory) With(s Standing) []ListedMember {
	return slices.DeleteFunc(slices.Clone(d.Members), func(m ListedMember) bool { return m.Standing != s })
}

// Decision finds a decision by its hash; nil if there is none.
func (d *Directory) Decision(hash Hash) *ListedDecision {
	if i := slices.IndexFunc(d.Decisions, func(o ListedDecision) bool { return o.Hash == hash }); i >= 0 {
		return &d.Decisions[i]
	}
	return nil
}

func listMember(m Member) ListedMember {
	listed := ListedMember{Entity: m.Entity, Standing: m.Standing, Since: m.Since.UTC(), Reason: m.Reason, By: m.By, OrderedBy: m.OrderedBy, Keys: m.Keys}
	if !m.Until.IsZero() {
		until := m.Until.UTC()
		listed.Until = &until
	}
	if m.Admission != nil {
		n := m.Admission.Nomination
		listed.Name, listed.OrgID, listed.Class, listed.Hub = n.Name, n.OrgID, n.Class, n.Hub
		listed.Declaration, listed.Admission = &n.Declaration, m.Admission.Hash
	}
	return listed
}

// Decisions returns those that count, the oldest first.
func (l *Ledger) Decisions() []*Decision {
	l.mu.RLock()
	defer l.mu.RUnlock()
	charters := l.inForce()
	var list []*Decision
	for _, d := range l.decisions {
		if d.countsUnder(charters) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *Decision) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Hash, b.Hash)) })
	return list
}

// List returns the decision as the directory tells it.
func (d *Decision) List() ListedDecision {
	rule, _ := d.Proposal.Kind.rule(d.Charter.Rules)
	listed := ListedDecision{
		Hash: d.Hash, Kind: d.Proposal.Kind, Subject: d.subject(), Reason: d.Proposal.Reason, Keys: d.Proposal.Keys, At: d.At.UTC(),
		Charter: d.Charter.Version, Rule: rule, Founders: len(d.Charter.Founders),
	}
	if d.Nomination != nil {
		listed.Name, listed.Nominator = d.Nomination.Name, d.Nomination.Founder
	}
	for _, v := range d.Votes {
		if v.Choice == For {
			listed.For++
		}
		listed.Votes = append(listed.Votes, ListedVote{
			Founder: v.Founder, Name: d.Charter.Founder(v.Founder).Name, Choice: v.Choice, At: time.Unix(v.IssuedAt, 0).UTC(),
		})
	}
	for _, f := range d.Charter.Founders {
		if !slices.ContainsFunc(d.Votes, func(v *Vote) bool { return v.Founder == f.Entity }) {
			listed.Silent = append(listed.Silent, f.Name)
		}
	}
	return listed
}
