package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// maxChainBytes bounds a trust chain.
	maxChainBytes = 64 << 10
	// maxChainDepth is how many subordinate statements a chain may have: the entity at its end is at most so far below
	// the anchor.
	maxChainDepth = 4
	// TrustChainMediaType is the media type of a trust chain (OpenID Federation 1.0 §16): a JSON array of statements.
	TrustChainMediaType = "application/trust-chain+json"
)

// TrustAnchor is a root of trust that the operator has pinned: an entity, and the thumbprints of its federation keys.
type TrustAnchor struct {
	Entity      EntityID
	Thumbprints []string
}

// ChainOptions say what a chain is checked against.
type ChainOptions struct {
	Anchors []TrustAnchor
	// Now is the time of the check.
	Now time.Time
	// Admission, where set, must accept every subordinate statement of the chain: this federation's rule that votes stand
	// behind each.
	Admission func(superior EntityID, s *SubordinateStatement) error
	// Revoked, where set, must accept the issuer and the key of every statement at its time of issue, and every subject
	// with kid "".
	Revoked func(entity EntityID, kid string, at time.Time) error
}

// TrustChain is a verified chain from an entity to a pinned anchor.
type TrustChain struct {
	// Entity is whom the chain is about; Anchor is where it ends.
	Entity, Anchor EntityID
	// AnchorConfiguration is what the anchor says about itself.
	AnchorConfiguration *EntityConfiguration
	// Configuration is the entity's own statement, Superiors are those about it and about its superiors, upwards.
	Configuration *EntityConfiguration
	Superiors     []*SubordinateStatement
	// Metadata are the entity's, as its superiors and their policies make them.
	Metadata Metadata
	// Expires is when the first of its statements ends.
	Expires time.Time
	// Statements are the signed texts, from the entity's configuration to the anchor's.
	Statements []string
}

// ParseTrustChain reads a chain in its media type, without checking it.
func ParseTrustChain(text []byte) ([]string, error) {
	if len(text) > maxChainBytes {
		return nil, fmt.Errorf("a trust chain has at most %d bytes", maxChainBytes)
	}
	var statements []string
	if err := json.Unmarshal(text, &statements); err != nil {
		return nil, errors.New("a trust chain is a JSON array of compact statements")
	}
	return statements, nil
}

// VerifyTrustChain checks a chain from an entity's configuration up to an anchor's, and resolves the entity's metadata,
// without any fetch (OpenID Federation 1.0 §10.2). Each statement must hold, be signed by a key that the statement above
// it gives its issuer, and keep the constraints of all above it; the last must be by a pinned key of a pinned anchor. The
// chain's statements are checked from the anchor downwards, so that nothing is believed before it is known from whom.
func VerifyTrustChain(statements []string, o ChainOptions) (*TrustChain, error) {
	size := 0
	for _, s := range statements {
		size += len(s)
	}
	switch n := len(statements); {
	case size > maxChainBytes:
		return nil, fmt.Errorf("trust chain: it has %d bytes, more than %d", size, maxChainBytes)
	case n < 3:
		return nil, fmt.Errorf("trust chain: it has %d statements; at least the entity's configuration, its superior's statement and the anchor's configuration are needed", n)
	case n-2 > maxChainDepth:
		return nil, fmt.Errorf("trust chain: it is %d levels deep, more than %d", n-2, maxChainDepth)
	}
	c := &TrustChain{Statements: slices.Clone(statements)}
	if err := c.verify(o); err != nil {
		return nil, fmt.Errorf("trust chain: %w", err)
	}
	if err := c.resolve(); err != nil {
		return nil, fmt.Errorf("trust chain of %s: %w", c.Entity, err)
	}
	return c, nil
}

// verify walks down from the anchor.
func (c *TrustChain) verify(o ChainOptions) error {
	n := len(c.Statements)
	anchor, err := o.anchor(c.Statements[n-1])
	if err != nil {
		return err
	}
	c.Anchor, c.AnchorConfiguration, c.Expires = anchor.Subject, anchor, anchor.Expires
	superior, keys := anchor.Subject, anchor.Keys
	for i := n - 2; i >= 1; i-- {
		s, err := VerifySubordinateStatement(c.Statements[i], keys, o.Now)
		if err != nil {
			return err
		}
		if err := o.accept(superior, s); err != nil {
			return fmt.Errorf("the statement of %s about %s: %w", s.Issuer, s.Subject, err)
		}
		if c.passed(s.Subject) {
			return fmt.Errorf("%s stands in it twice", s.Subject)
		}
		c.Superiors = append(c.Superiors, s)
		c.Expires = earlier(c.Expires, s.Expires)
		superior, keys = s.Subject, s.Keys
	}
	slices.Reverse(c.Superiors)
	return c.verifyEntity(o, superior, keys)
}

// verifyEntity checks the configuration at the end: its key must be one that the superior gave.
func (c *TrustChain) verifyEntity(o ChainOptions, entity EntityID, keys jose.KeySet) error {
	configuration, err := VerifyEntityConfiguration(c.Statements[0], o.Now)
	if err != nil {
		return err
	}
	if configuration.Subject != entity {
		return fmt.Errorf("the configuration is that of %s, and the statement above it is about %s", configuration.Subject, entity)
	}
	if _, ok := keys.Key(configuration.KeyID); !ok {
		return fmt.Errorf("the configuration of %s is signed by a key that its superior does not confirm", entity)
	}
	if !slices.Contains(configuration.AuthorityHints, c.Superiors[0].Issuer) {
		return fmt.Errorf("the configuration of %s does not name %s as its superior", entity, c.Superiors[0].Issuer)
	}
	if err := o.check(configuration.Statement); err != nil {
		return err
	}
	c.Entity, c.Configuration = entity, configuration
	c.Expires = earlier(c.Expires, configuration.Expires)
	return nil
}

// passed tells whether an entity is above already.
func (c *TrustChain) passed(id EntityID) bool {
	return id == c.Anchor || slices.ContainsFunc(c.Superiors, func(s *SubordinateStatement) bool { return s.Subject == id })
}

// Check tells whether a chain that was verified still holds: its time, and what became known since of admissions and
// revocations. It checks no signature again.
func (c *TrustChain) Check(o ChainOptions) error {
	if !o.Now.Before(c.Expires) {
		return fmt.Errorf("the trust chain of %s ended at %s", c.Entity, c.Expires.UTC().Format(time.RFC3339))
	}
	if err := o.check(c.AnchorConfiguration.Statement); err != nil {
		return err
	}
	for _, s := range c.Superiors {
		if err := o.accept(s.Issuer, s); err != nil {
			return err
		}
	}
	return o.check(c.Configuration.Statement)
}

// anchor checks that the last statement is that of a pinned anchor, by a pinned key. All its keys count from then on:
// the anchor names its next ones so.
func (o ChainOptions) anchor(compact string) (*EntityConfiguration, error) {
	c, err := VerifyEntityConfiguration(compact, o.Now)
	if err != nil {
		return nil, err
	}
	for _, a := range o.Anchors {
		if a.Entity == c.Subject && slices.Contains(a.Thumbprints, c.KeyID) {
			return c, o.check(c.Statement)
		}
	}
	return nil, fmt.Errorf("it ends at %s with the key %s, which is no pinned anchor", c.Subject, c.KeyID)
}

// accept checks a subordinate statement beyond its form.
func (o ChainOptions) accept(superior EntityID, s *SubordinateStatement) error {
	if s.Issuer != superior {
		return fmt.Errorf("it is by %s, and the statement above it is about %s", s.Issuer, superior)
	}
	if err := o.check(s.Statement); err != nil {
		return err
	}
	if o.Admission != nil {
		return o.Admission(superior, s)
	}
	return nil
}

// check asks whether the issuer, its key or the subject is revoked.
func (o ChainOptions) check(s Statement) error {
	if o.Revoked == nil {
		return nil
	}
	if err := o.Revoked(s.Issuer, s.KeyID, s.IssuedAt); err != nil {
		return err
	}
	return o.Revoked(s.Subject, "", s.IssuedAt)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Metadata parameters of taxii_node that are believed of nobody who says them of itself.
const (
	orgIDParameter       = "org_id"       // the legal identity: of the superior's statement only
	identityIDsParameter = "identity_ids" // STIX identities besides the entity's own: where a superior's policy confirms them
)

// resolve makes the metadata (OpenID Federation 1.0 §6.1.4, §6.2): what the immediate superior says replaces what the
// entity says, constraints take entity types away, and the merged policies of all superiors are applied.
func (c *TrustChain) resolve() error {
	m := c.Configuration.Metadata.clone()
	delete(m[nodeType], orgIDParameter)
	for entityType, parameters := range c.Superiors[0].Metadata {
		if m[entityType] == nil {
			continue // a superior gives nobody an entity type that it does not claim
		}
		for parameter, value := range parameters {
			m[entityType][parameter] = value
		}
	}
	var policy MetadataPolicy
	for i := len(c.Superiors) - 1; i >= 0; i-- {
		s := c.Superiors[i]
		for below, entity := range c.Superiors[:i+1] {
			if err := s.Constraints.allow(entity.Subject, i-below); err != nil {
				return fmt.Errorf("%s does not allow %s: %w", s.Issuer, entity.Subject, err)
			}
		}
		s.Constraints.restrict(m)
		var err error
		if policy, err = policy.Merge(s.Policy); err != nil {
			return err
		}
	}
	if !policy.confirms(nodeType, identityIDsParameter) {
		delete(m[nodeType], identityIDsParameter)
	}
	var err error
	c.Metadata, err = policy.Apply(m)
	return err
}

// confirms tells whether the policy says which values a parameter may have.
func (p MetadataPolicy) confirms(entityType, parameter string) bool {
	o := p.parameters[parameterName{entityType, parameter}]
	return o.value != nil || o.subsetOf != nil || o.oneOf != nil
}

// Text returns a resolved metadata parameter that is a string; "" if it is missing or none.
func (m Metadata) Text(entityType, parameter string) string {
	var s string
	if json.Unmarshal(m[entityType][parameter], &s) != nil {
		return ""
	}
	return s
}

// RequestKeys returns the keys that the entity signs its requests with.
func (c *TrustChain) RequestKeys() (jose.KeySet, error) {
	raw, ok := c.Metadata[nodeType]["jwks"]
	if !ok {
		return jose.KeySet{}, fmt.Errorf("%s is no %s, or has no request keys", c.Entity, nodeType)
	}
	return jose.ParseKeySet(raw)
}

// OrgID is the legal identity that the entity's superior asserts, "" for none.
func (c *TrustChain) OrgID() string { return c.Metadata.Text(nodeType, orgIDParameter) }
