package federation

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// resolveType is the typ of resolve responses (OpenID Federation 1.0 §8.3.2).
	resolveType = "resolve-response+jwt"
	// ResolveMediaType is their media type.
	ResolveMediaType = "application/" + resolveType
	// maxResolveResponse bounds a resolve response in bytes: it holds a whole trust chain in base64.
	maxResolveResponse = 2 * maxChainBytes
)

// ResolveResponse is a resolver's word on what an entity's metadata are, with the chain that it follows from (OpenID
// Federation 1.0 §8.3.2). Whoever pins the anchor need not take the resolver's word: the chain is in it.
type ResolveResponse struct {
	Issuer, Subject   EntityID
	IssuedAt, Expires time.Time
	Metadata          Metadata
	// TrustMarks are those that the resolver has verified, self-declared ones not among them.
	TrustMarks []TrustMarkClaim
	TrustChain []string
}

// resolvePayload is the form of the claims.
type resolvePayload struct {
	Issuer     EntityID         `json:"iss"`
	Subject    EntityID         `json:"sub"`
	IssuedAt   int64            `json:"iat"`
	Expires    int64            `json:"exp"`
	Metadata   Metadata         `json:"metadata"`
	TrustMarks []TrustMarkClaim `json:"trust_marks,omitempty"`
	TrustChain []string         `json:"trust_chain"`
}

// Resolve makes the response of a resolver from a chain that holds, with the metadata of some entity types; nil for all.
// marks are those of the entity that hold.
func (c *TrustChain) Resolve(resolver EntityID, entityTypes []string, marks []*TrustMark, now time.Time) ResolveResponse {
	r := ResolveResponse{
		Issuer: resolver, Subject: c.Entity, IssuedAt: now, Expires: c.Expires, TrustChain: slices.Clone(c.Statements), Metadata: make(Metadata),
	}
	for entityType, parameters := range c.Metadata {
		if entityTypes == nil || slices.Contains(entityTypes, entityType) {
			r.Metadata[entityType] = parameters
		}
	}
	for _, m := range marks {
		if !m.SelfDeclared {
			r.TrustMarks = append(r.TrustMarks, TrustMarkClaim{Type: m.Type, Mark: m.Compact})
		}
	}
	return r
}

// Sign returns the response signed by a federation key of the resolver.
func (r ResolveResponse) Sign(key *jose.Key) (string, error) {
	claims, err := json.Marshal(resolvePayload{
		r.Issuer, r.Subject, r.IssuedAt.Unix(), r.Expires.Unix(), r.Metadata, r.TrustMarks, r.TrustChain,
	})
	if err != nil {
		return "", fmt.Errorf("sign the resolve response: %w", err)
	}
	return jose.SignUpTo(maxResolveResponse, claims, key, resolveType)
}

// VerifyResolveResponse checks a response of a resolver, by its federation keys. It does not check the chain in it.
func VerifyResolveResponse(compact string, resolver EntityID, keys jose.KeySet, now time.Time) (*ResolveResponse, error) {
	r, err := verifyResolveResponse(compact, resolver, keys, now)
	if err != nil {
		return nil, fmt.Errorf("resolve response of %s: %w", resolver, err)
	}
	return r, nil
}

func verifyResolveResponse(compact string, resolver EntityID, keys jose.KeySet, now time.Time) (*ResolveResponse, error) {
	claims, err := jose.Verify(compact, jose.Profile{
		Type: resolveType, Keys: keys, MaxSize: maxResolveResponse, RequireExpiry: true, Now: now, Leeway: clockLeeway,
	})
	if err != nil {
		return nil, err
	}
	r := new(ResolveResponse)
	if r.Issuer, err = entityClaim(claims.Object, "iss"); err != nil {
		return nil, err
	}
	if r.Issuer != resolver {
		return nil, fmt.Errorf("it is by %s", r.Issuer)
	}
	if r.Subject, err = entityClaim(claims.Object, "sub"); err != nil {
		return nil, err
	}
	if r.IssuedAt, err = claims.Time("iat"); err != nil {
		return nil, err
	}
	if r.Expires, err = claims.Time("exp"); err != nil {
		return nil, err
	}
	if _, err := claims.Object.Object("metadata"); err != nil { // REQUIRED here, unlike in a statement
		return nil, err
	}
	if r.Metadata, err = readMetadata(claims.Object); err != nil {
		return nil, err
	}
	if err := readClaim(claims.Object, "trust_marks", &r.TrustMarks); err != nil {
		return nil, err
	}
	if err := readClaim(claims.Object, "trust_chain", &r.TrustChain); err != nil || len(r.TrustChain) == 0 {
		return nil, fmt.Errorf("trust_chain must be there, a list of statements")
	}
	return r, nil
}
