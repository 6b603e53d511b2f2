package federation

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// statementPayload is the form of the claims of both kinds of statement.
type statementPayload struct {
	Issuer           EntityID                  `json:"iss"`
	Subject          EntityID                  `json:"sub"`
	IssuedAt         int64                     `json:"iat"`
	Expires          int64                     `json:"exp"`
	Keys             jose.KeySet               `json:"jwks"`
	Metadata         Metadata                  `json:"metadata,omitempty"`
	AuthorityHints   []EntityID                `json:"authority_hints,omitempty"`
	TrustMarks       []TrustMarkClaim          `json:"trust_marks,omitempty"`
	TrustMarkIssuers map[string][]EntityID     `json:"trust_mark_issuers,omitempty"`
	TrustMarkOwners  map[string]TrustMarkOwner `json:"trust_mark_owners,omitempty"`
	Constraints      *Constraints              `json:"constraints,omitempty"`
	Policy           *MetadataPolicy           `json:"metadata_policy,omitempty"`
	Admission        string                    `json:"admission,omitempty"`
	SourceEndpoint   string                    `json:"source_endpoint,omitempty"`
}

// payload is what both kinds of statement have. IssuedAt is now where it is not set, Expires as late as may be.
func (s Statement) payload(now time.Time) statementPayload {
	if s.IssuedAt.IsZero() {
		s.IssuedAt = now
	}
	if s.Expires.IsZero() {
		s.Expires = s.IssuedAt.Add(statementLife)
	}
	return statementPayload{
		Issuer: s.Issuer, Subject: s.Subject, IssuedAt: s.IssuedAt.Unix(), Expires: s.Expires.Unix(), Keys: s.Keys, Metadata: s.Metadata,
	}
}

// Sign returns the entity configuration as a compact JWS, signed by one of its own federation keys.
func (c EntityConfiguration) Sign(key *jose.Key, now time.Time) (string, error) {
	if _, ok := c.Keys.Key(key.ID()); !ok {
		return "", fmt.Errorf("sign the entity configuration of %s: the key that signs is none of its federation keys", c.Subject)
	}
	return c.claims(now).sign(key)
}

func (c EntityConfiguration) claims(now time.Time) statementPayload {
	p := c.payload(now)
	p.Issuer = c.Subject
	p.AuthorityHints, p.TrustMarks, p.TrustMarkIssuers, p.TrustMarkOwners = c.AuthorityHints, c.TrustMarks, c.TrustMarkIssuers, c.TrustMarkOwners
	return p
}

// Sign returns the subordinate statement as a compact JWS, signed by a federation key of its issuer.
func (s SubordinateStatement) Sign(key *jose.Key, now time.Time) (string, error) {
	return s.claims(now).sign(key)
}

func (s SubordinateStatement) claims(now time.Time) statementPayload {
	p := s.payload(now)
	p.Admission, p.SourceEndpoint = s.Admission, s.SourceEndpoint
	if !s.Constraints.isZero() {
		p.Constraints = &s.Constraints
	}
	if !s.Policy.IsZero() {
		p.Policy = &s.Policy
	}
	return p
}

func (p statementPayload) sign(key *jose.Key) (string, error) {
	claims, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("sign the statement about %s: %w", p.Subject, err)
	}
	return jose.Sign(claims, key, statementType)
}
