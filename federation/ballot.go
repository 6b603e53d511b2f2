package federation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// Ballot is a proposal as founders get it: with the charter that it is made under and, for a class, the list of its
// members. A founder reads, checks and signs it on a machine that has nothing but the vote key. The charter in it needs
// no trust: a vote names it by its hash, and counts under no other.
type Ballot struct {
	Charter  *Charter  `json:"charter"`
	Proposal *Proposal `json:"proposal"`
	Members  ClassList `json:"members,omitempty"`

	// Nomination is that of an admission.
	Nomination *Nomination `json:"-"`
}

// NewBallot checks a proposal under its charter and makes it ready for the vote. members is the list of a class, nil for
// anything else.
func NewBallot(charter *Charter, p *Proposal, members ClassList) (*Ballot, error) {
	b := &Ballot{Charter: charter, Proposal: p, Members: members}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	return b, nil
}

// ReadBallot reads a ballot and checks it as NewBallot does.
func ReadBallot(text []byte) (*Ballot, error) {
	b := new(Ballot)
	if err := readRecord(text, b, "charter", "proposal", "members"); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	if b.Charter == nil || b.Proposal == nil {
		return nil, errors.New("proposal: the file has no charter or no proposal")
	}
	if _, err := b.Charter.seal(); err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	return b, nil
}

func (b *Ballot) check() (err error) {
	if b.Nomination, err = b.Proposal.check(b.Charter); err != nil {
		return err
	}
	if b.Nomination == nil || b.Nomination.Members == "" {
		if b.Members != nil {
			return errors.New("a list of members belongs to a class only")
		}
		return nil
	}
	hash, err := b.Members.Hash()
	if err != nil {
		return err
	}
	if hash != b.Nomination.Members {
		return errors.New("the list of members is not the one that was nominated")
	}
	return nil
}

// Text is the form that ReadBallot reads.
func (b *Ballot) Text() ([]byte, error) { return canonicalJSON(b) }

// Vote returns the vote of the founder whose vote key it is.
func (b *Ballot) Vote(choice Choice, key *jose.Key, now time.Time) (string, *Founder, error) {
	f := b.Charter.Owner(key.ID())
	if f == nil {
		return "", nil, fmt.Errorf("the key %s is the vote key of no founder in charter version %d", key.ID(), b.Charter.Version)
	}
	// A vote that is older than its proposal counts for nothing, and the clocks of two machines are never equal.
	if made := time.Unix(b.Proposal.IssuedAt, 0); now.Before(made) {
		if made.Sub(now) > clockLeeway {
			return "", nil, fmt.Errorf("the proposal was made on %s, and the clock here says %s: set the clock first",
				made.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		}
		now = made
	}
	vote, err := SignVote(f.Entity, b.Proposal, choice, key, now)
	return vote, f, err
}

// Owner finds the founder whose vote key it is; nil for nobody's.
func (c *Charter) Owner(kid string) *Founder { return c.owner(kid) }

// Draft checks a charter and returns its canonical text: what founders read and sign. It sets the charter's Hash.
func (c *Charter) Draft() ([]byte, error) { return c.seal() }

// ReadCharterDraft reads the text of Draft. It says nothing of who signed.
func ReadCharterDraft(text []byte) (*Charter, error) {
	c := new(Charter)
	if err := readRecord(text, c, "version", "prev", "iat", "name", "founders", "rules", "anchors", "requirements"); err != nil {
		return nil, fmt.Errorf("charter: %w", err)
	}
	if _, err := c.seal(); err != nil {
		return nil, err
	}
	return c, nil
}

// Check tells whether the signatures put the charter into force after another; previous is nil for the first.
func (s *SignedCharter) Check(previous *Charter) error { return s.follows(previous) }

// MarshalJSON writes the one text of the list.
func (l ClassList) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("null"), nil
	}
	return l.Record()
}

// VerifyNomination checks a nomination by a founder of the charter.
func VerifyNomination(compact string, charter *Charter) (*Nomination, error) {
	return verifyNomination(compact, charter)
}

// NominationOf reads a nomination without knowing the charter, for the applicant who is to prove its key: whoever made
// it, the proof is worth nothing without the founders.
func NominationOf(compact string) (*Nomination, error) {
	u, err := jose.Parse(compact, nominationType, 0)
	if err != nil {
		return nil, fmt.Errorf("nomination: %w", err)
	}
	n := new(Nomination)
	if err := readClaims(u.Claims, n, nominationClaims...); err != nil {
		return nil, fmt.Errorf("nomination: %w", err)
	}
	return n, n.check()
}

// HashOf is the address of a text: that of a record, or of a declaration's bytes.
func HashOf(content []byte) Hash { return hashOf(content) }

// Authority finds whose key it is: a founder's vote key or an anchor's federation key. Both may order a suspension.
func (c *Charter) Authority(kid string) (EntityID, error) {
	id, _, err := c.authority(kid)
	return id, err
}

// AdmittedStatement is what a superior says about a member that a decision admitted: its keys, its legal identity and
// that decision.
func AdmittedStatement(superior, subject EntityID, keys jose.KeySet, orgID string, admission Hash) SubordinateStatement {
	text, _ := json.Marshal(orgID) // a string always has a JSON form
	return SubordinateStatement{
		Statement: Statement{Issuer: superior, Subject: subject, Keys: keys, Metadata: Metadata{nodeType: {orgIDParameter: text}}},
		Admission: string(admission),
	}
}

// RecordKind says in a word or two what a record is, without checking it.
func RecordKind(record []byte) string {
	switch {
	case bytes.HasPrefix(record, []byte("{")):
		var d decisionRecord
		if json.Unmarshal(record, &d) == nil && d.Proposal != nil {
			return "decision: " + string(d.Proposal.Kind)
		}
	case bytes.HasPrefix(record, []byte(`["ey`)):
		return "charter"
	case bytes.HasPrefix(record, []byte("[")):
		return "class list"
	default:
		if _, err := jose.Parse(string(record), rotationType, 0); err == nil {
			return "key rotation"
		}
		if _, err := jose.Parse(string(record), suspensionType, 0); err == nil {
			return "suspension"
		}
	}
	return "unknown"
}
