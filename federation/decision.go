package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// ProposalKind is what founders vote on.
type ProposalKind string

// The kinds.
const (
	// Admission: a nominated party or class becomes a member.
	Admission ProposalKind = "admission"
	// Suspension: a member is suspended until another decision; it also confirms a suspension of 72 hours.
	Suspension ProposalKind = "suspension"
	// Reinstatement: a suspension ends.
	Reinstatement ProposalKind = "reinstatement"
	// Expulsion: a member is out. It can be admitted again by a later decision only.
	Expulsion ProposalKind = "expulsion"
	// Recovery: a member whose key is lost or stolen gets other keys.
	Recovery ProposalKind = "recovery"
)

// Proposal is what founders vote on: the same text for all of them, made under one charter.
type Proposal struct {
	Kind ProposalKind `json:"kind"`
	// Charter is the hash of the charter whose founders vote.
	Charter  Hash  `json:"charter"`
	IssuedAt int64 `json:"iat"`
	// Nomination and KeyProof are compact texts, for an admission; a class has no key proof.
	Nomination string `json:"nomination,omitempty"`
	KeyProof   string `json:"key_proof,omitempty"`
	// Subject is the member, for everything but an admission.
	Subject EntityID `json:"sub,omitempty"`
	// Reason is for people, and public.
	Reason string `json:"reason,omitempty"`
	// Keys are the thumbprints that a recovery puts in the place of the member's.
	Keys []string `json:"keys,omitempty"`
}

// Hash is what votes name.
func (p *Proposal) Hash() (Hash, error) {
	text, err := canonicalJSON(p)
	if err != nil {
		return "", fmt.Errorf("proposal: %w", err)
	}
	return hashOf(text), nil
}

// ReadProposal reads a proposal as a founder gets it, in its canonical form.
func ReadProposal(text []byte) (*Proposal, error) {
	p := new(Proposal)
	if err := readRecord(text, p, "kind", "charter", "iat", "nomination", "key_proof", "sub", "reason", "keys"); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	return p, nil
}

// readRecord reads a JSON object of a bounded size that must be in its canonical form.
func readRecord(text []byte, into any, names ...string) error {
	if len(text) > maxRecord {
		return fmt.Errorf("it has %d bytes, more than %d", len(text), maxRecord)
	}
	o, err := jose.ParseObject(text)
	if err != nil {
		return err
	}
	if err := readClaims(o, into, names...); err != nil {
		return err
	}
	canonical, err := canonicalJSON(into)
	if err != nil {
		return err
	}
	if string(canonical) != string(text) {
		return errors.New("it is not in its canonical form (RFC 8785)")
	}
	return nil
}

// check verifies a proposal under its charter, and returns the nomination of an admission.
func (p *Proposal) check(charter *Charter) (*Nomination, error) {
	switch {
	case p.Charter != charter.hash:
		return nil, errors.New("it is made under another charter")
	case p.IssuedAt < charter.IssuedAt:
		return nil, fmt.Errorf("it is older than charter version %d", charter.Version)
	case len(p.Reason) > maxName:
		return nil, fmt.Errorf("the reason has more than %d bytes", maxName)
	}
	if p.Kind == Admission {
		if p.Subject != "" || len(p.Keys) > 0 {
			return nil, errors.New("an admission is of whom its nomination names")
		}
		return p.checkNomination(charter)
	}
	if p.Nomination != "" || p.KeyProof != "" || (p.Kind == Recovery) != (len(p.Keys) > 0) {
		return nil, fmt.Errorf("a proposal of the kind %q has no nomination, and keys only for a recovery", p.Kind)
	}
	if p.Kind == Recovery {
		if err := checkThumbprints(p.Keys); err != nil {
			return nil, err
		}
	}
	if _, err := ParseEntityID(string(p.Subject)); err != nil {
		return nil, fmt.Errorf("sub: %w", err)
	}
	if _, known := p.Kind.rule(charter.Rules); !known {
		return nil, fmt.Errorf("%.32q is no kind of proposal", p.Kind)
	}
	return nil, nil
}

func (p *Proposal) checkNomination(charter *Charter) (*Nomination, error) {
	n, err := verifyNomination(p.Nomination, charter)
	if err != nil {
		return nil, err
	}
	if p.IssuedAt < n.IssuedAt || p.IssuedAt >= n.Expires {
		return nil, errors.New("the nomination does not hold at the time of the proposal")
	}
	if n.Members != "" {
		if p.KeyProof != "" {
			return nil, errors.New("a class has no key to prove")
		}
		return n, nil
	}
	proof, err := VerifyKeyProof(p.KeyProof, p.Nomination, n, time.Unix(p.IssuedAt, 0))
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(charter.Anchors, func(a Anchor) bool { return a.Entity == proof.Anchor }) {
		return nil, fmt.Errorf("the key was proved to %s, which is no anchor", proof.Anchor)
	}
	return n, nil
}

// rule returns how many founders must be for a proposal of the kind.
func (k ProposalKind) rule(r Rules) (Threshold, bool) {
	switch k {
	case Admission, Recovery:
		return r.Admission, true
	case Suspension, Reinstatement:
		return r.Suspension, true
	case Expulsion:
		return r.Expulsion, true
	}
	return Threshold{}, false
}

// decisionRecord is the form of a decision: the proposal and the votes, each a compact JWS of its own. The canonical text
// is its record, and the hash of that text its address and what statements name in admission.
type decisionRecord struct {
	Proposal *Proposal `json:"proposal"`
	Votes    []string  `json:"votes"`
}

// Decision is a proposal that enough founders are for.
type Decision struct {
	Proposal   *Proposal
	Nomination *Nomination // of an admission
	Charter    *Charter
	Votes      []*Vote // in the order of the charter's founders
	Hash       Hash
	// At is when it came about: the time of the last vote.
	At time.Time
}

// NewDecision makes the record of a decision from votes, at most one of each founder. It fails unless the proposal passed.
func NewDecision(p *Proposal, votes []string, charter *Charter) ([]byte, *Decision, error) {
	d := &Decision{Proposal: p, Charter: charter}
	if err := d.verify(votes); err != nil {
		return nil, nil, fmt.Errorf("decision: %w", err)
	}
	sorted := make([]string, 0, len(votes))
	for _, v := range d.Votes {
		for _, compact := range votes {
			if u, err := jose.Parse(compact, voteType, 0); err == nil && charter.owner(u.Header.KeyID).Entity == v.Founder {
				sorted = append(sorted, compact)
			}
		}
	}
	text, err := canonicalJSON(decisionRecord{Proposal: p, Votes: sorted})
	if err != nil {
		return nil, nil, fmt.Errorf("decision: %w", err)
	}
	d.Hash = hashOf(text)
	return text, d, nil
}

// VerifyDecision reads a decision and checks everything behind it: the proposal, the nomination and key proof of an
// admission, and every vote. charter finds charters that are or were in force, nil for any other hash.
func VerifyDecision(record []byte, charter func(Hash) *Charter) (*Decision, error) {
	var r decisionRecord
	if err := readRecord(record, &r, "proposal", "votes"); err != nil {
		return nil, fmt.Errorf("decision: %w", err)
	}
	if r.Proposal == nil {
		return nil, errors.New("decision: it has no proposal")
	}
	d := &Decision{Proposal: r.Proposal, Charter: charter(r.Proposal.Charter), Hash: hashOf(record)}
	if d.Charter == nil {
		return nil, fmt.Errorf("decision: its charter %s is not known here", r.Proposal.Charter)
	}
	if err := d.verify(r.Votes); err != nil {
		return nil, fmt.Errorf("decision: %w", err)
	}
	return d, nil
}

// verify checks the proposal and counts the votes. A vote that does not count makes the whole decision wrong, so that no
// record says more than it proves.
func (d *Decision) verify(votes []string) (err error) {
	if d.Nomination, err = d.Proposal.check(d.Charter); err != nil {
		return fmt.Errorf("proposal: %w", err)
	}
	if len(votes) > len(d.Charter.Founders) {
		return fmt.Errorf("there are %d votes and %d founders", len(votes), len(d.Charter.Founders))
	}
	byFounder := make(map[EntityID]*Vote)
	for _, compact := range votes {
		v, err := VerifyVote(compact, d.Proposal, d.Charter)
		if err != nil {
			return err
		}
		if byFounder[v.Founder] != nil {
			return fmt.Errorf("%s votes more than once", v.Founder)
		}
		byFounder[v.Founder] = v
	}
	inFavour, begin, end := 0, d.Proposal.IssuedAt, int64(1<<62)
	if d.Nomination != nil {
		end = d.Nomination.Expires
	}
	for _, f := range d.Charter.Founders {
		v := byFounder[f.Entity]
		if v == nil {
			continue
		}
		d.Votes = append(d.Votes, v)
		begin, end = max(begin, v.IssuedAt), min(end, v.Expires)
		if v.Choice == For {
			inFavour++
		}
	}
	if begin >= end {
		return errors.New("there is no time at which the nomination and all votes hold")
	}
	d.At = time.Unix(begin, 0)
	rule, _ := d.Proposal.Kind.rule(d.Charter.Rules)
	if !rule.Met(inFavour, len(d.Charter.Founders)) {
		return fmt.Errorf("%d of %d founders are for it; %s are needed", inFavour, len(d.Charter.Founders), rule)
	}
	return nil
}

// ClassList is the org_ids of a class of members, in ascending order, each once. Its record is a JSON array.
type ClassList []string

// maxClass bounds the members of a class.
const maxClass = 10_000

// ReadClassList reads the record of a list.
func ReadClassList(record []byte) (ClassList, error) {
	var list ClassList
	if len(record) > maxRecord || json.Unmarshal(record, &list) != nil || len(list) == 0 || len(list) > maxClass {
		return nil, fmt.Errorf("class list: it must be a JSON array of 1 to %d org_ids and at most %d bytes", maxClass, maxRecord)
	}
	if canonical, err := list.Record(); err != nil || string(canonical) != string(record) {
		return nil, errors.New("class list: org_ids stand in ascending order, each once, without spaces between")
	}
	return list, nil
}

// Record returns the one text of the list; Hash of a nomination's Members is that of this text.
func (l ClassList) Record() ([]byte, error) {
	sorted := slices.Compact(slices.Sorted(slices.Values(l)))
	for _, id := range sorted {
		if !validName(id) || strings.ContainsAny(id, "\"\\<>&\u2028\u2029") || strings.ToValidUTF8(id, "") != id {
			return nil, fmt.Errorf("class list: %.64q is no org_id", id)
		}
	}
	return json.Marshal(sorted)
}

// Hash is the address of the list.
func (l ClassList) Hash() (Hash, error) {
	record, err := l.Record()
	if err != nil {
		return "", err
	}
	return hashOf(record), nil
}

// Has tells whether the class has a member.
func (l ClassList) Has(orgID string) bool {
	_, found := slices.BinarySearch(l, orgID)
	return found
}
