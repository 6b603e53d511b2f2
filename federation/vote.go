package federation

import (
	"errors"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// Choice is what a vote says.
type Choice string

// The choices.
const (
	For     Choice = "for"
	Against Choice = "against"
	Abstain Choice = "abstain"
)

// ParseChoice reads a choice.
func ParseChoice(s string) (Choice, error) {
	switch c := Choice(s); c {
	case For, Against, Abstain:
		return c, nil
	}
	return "", fmt.Errorf("%.32q is no vote: for, against or abstain", s)
}

// Vote is a founder's word on one proposal under one charter. It is worth nothing for another.
type Vote struct {
	Founder  EntityID `json:"iss"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	// Proposal is the hash of the proposal; Charter that of the charter it is made under.
	Proposal Hash   `json:"proposal"`
	Charter  Hash   `json:"charter"`
	Choice   Choice `json:"vote"`
}

var voteClaims = []string{"iss", "iat", "exp", "proposal", "charter", "vote"}

// SignVote returns a founder's vote, signed by its vote key and valid for 30 days. The key may be on another machine than
// the founder's node: nothing but the proposal is needed.
func SignVote(founder EntityID, p *Proposal, choice Choice, key *jose.Key, now time.Time) (string, error) {
	hash, err := p.Hash()
	if err != nil {
		return "", err
	}
	if _, err := ParseChoice(string(choice)); err != nil {
		return "", err
	}
	return signRecord(Vote{
		Founder: founder, IssuedAt: now.Unix(), Expires: now.Add(voteLife).Unix(), Proposal: hash, Charter: p.Charter, Choice: choice,
	}, key, voteType)
}

// VerifyVote checks one vote for a proposal, by a founder of the charter that the proposal is made under.
func VerifyVote(compact string, p *Proposal, charter *Charter) (*Vote, error) {
	v, err := verifyVote(compact, p, charter)
	if err != nil {
		return nil, fmt.Errorf("vote: %w", err)
	}
	return v, nil
}

func verifyVote(compact string, p *Proposal, charter *Charter) (*Vote, error) {
	v := new(Vote)
	founder, err := verifyByFounder(compact, voteType, charter, v, voteClaims)
	if err != nil {
		return nil, err
	}
	hash, err := p.Hash()
	if err != nil {
		return nil, err
	}
	switch {
	case v.Founder != founder:
		return nil, fmt.Errorf("iss is %s, and the key is that of %s", v.Founder, founder)
	case v.Proposal != hash:
		return nil, errors.New("it is for another proposal")
	case v.Charter != charter.hash || p.Charter != charter.hash:
		return nil, errors.New("it is under another charter")
	case v.IssuedAt < p.IssuedAt:
		return nil, errors.New("it is older than the proposal")
	}
	if _, err := ParseChoice(string(v.Choice)); err != nil {
		return nil, err
	}
	return v, checkLife(v.IssuedAt, v.Expires, voteLife)
}
