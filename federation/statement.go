package federation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// statementLife is the longest life of an entity statement: the bound of a revocation for nodes that are offline.
	statementLife = 24 * time.Hour
	// maxAuthorityHints is how many superiors an entity may name.
	maxAuthorityHints = 3
)

// Statement is what the two kinds of entity statement have in common (OpenID Federation 1.0 §3.1.1).
type Statement struct {
	// Issuer signs; Subject is whom it is about. They are the same in an entity configuration.
	Issuer, Subject EntityID
	// IssuedAt and Expires bound its life, in whole seconds; at most 24 hours.
	IssuedAt, Expires time.Time
	// Keys are the subject's federation keys.
	Keys jose.KeySet
	// KeyID is the key that signed.
	KeyID string
	// Metadata are the subject's in an entity configuration. In a subordinate statement they replace the subject's own,
	// parameter by parameter.
	Metadata Metadata
	// Compact is the signed text.
	Compact string
}

// EntityConfiguration is what an entity says about itself, signed by one of the federation keys that it names (OpenID
// Federation 1.0 §3.1.2). Alone it proves that its parts belong together, and nothing else.
type EntityConfiguration struct {
	Statement
	// AuthorityHints are the immediate superiors, at most three; none for a trust anchor.
	AuthorityHints []EntityID
	// TrustMarks are signed trust marks of the subject, as claimed: compact tokens by trust mark type.
	TrustMarks []TrustMarkClaim
	// TrustMarkIssuers and TrustMarkOwners stand in a trust anchor's configuration: who may issue marks of a type, and
	// who owns a type and delegates its issuance.
	TrustMarkIssuers map[string][]EntityID
	TrustMarkOwners  map[string]TrustMarkOwner
}

// TrustMarkClaim is a member of the claim trust_marks (OpenID Federation 1.0 §7): a type and the signed mark.
type TrustMarkClaim struct {
	Type string `json:"trust_mark_type"`
	Mark string `json:"trust_mark"`
}

// TrustMarkOwner is a member of the claim trust_mark_owners (OpenID Federation 1.0 §7.2).
type TrustMarkOwner struct {
	Subject EntityID    `json:"sub"`
	Keys    jose.KeySet `json:"jwks"`
}

// SubordinateStatement is what a superior says about an entity below it (OpenID Federation 1.0 §3.1.3).
type SubordinateStatement struct {
	Statement
	// Constraints bound what may be below the subject.
	Constraints Constraints
	// Policy is what the superior demands of the metadata of all below it.
	Policy MetadataPolicy
	// Admission is the SHA-256, in base64url, of the decision by which the subject was admitted; "" if the statement
	// names none. It is this federation's own claim: every node checks the votes behind it.
	Admission string
	// SourceEndpoint is the fetch endpoint that gave the statement, "" if it names none.
	SourceEndpoint string
}

// Claims that only one of the two kinds may have (OpenID Federation 1.0 §3.1.2, §3.1.3).
var (
	configurationClaimNames = []string{"authority_hints", "trust_anchor_hints", "trust_marks", "trust_mark_issuers", "trust_mark_owners"}
	subordinateClaimNames   = []string{"constraints", "metadata_policy", "metadata_policy_crit", "source_endpoint", admissionClaim}
)

// admissionClaim is the one claim that the standard does not have.
const admissionClaim = "admission"

// VerifyEntityConfiguration checks an entity configuration as a token, against the keys that it names itself, and by the
// rules for its claims.
func VerifyEntityConfiguration(compact string, now time.Time) (*EntityConfiguration, error) {
	unverified, err := jose.Parse(compact, statementType, 0)
	if err != nil {
		return nil, fmt.Errorf("entity configuration: %w", err)
	}
	keys, err := keySetOf(unverified.Claims)
	if err != nil {
		return nil, fmt.Errorf("entity configuration: %w", err)
	}
	s, claims, err := verifyStatement(compact, keys, now)
	if err != nil {
		return nil, fmt.Errorf("entity configuration: %w", err)
	}
	c := &EntityConfiguration{Statement: s}
	if err := c.read(claims); err != nil {
		return nil, fmt.Errorf("entity configuration of %s: %w", s.Subject, err)
	}
	return c, nil
}

func (c *EntityConfiguration) read(claims jose.Object) (err error) {
	if c.Issuer != c.Subject {
		return fmt.Errorf("iss is %s and sub is %s: it is about somebody else", c.Issuer, c.Subject)
	}
	if name, ok := firstOf(claims, subordinateClaimNames); ok {
		return fmt.Errorf("the claim %q is for subordinate statements only", name)
	}
	if c.AuthorityHints, err = readAuthorityHints(claims); err != nil {
		return err
	}
	if err := readClaim(claims, "trust_marks", &c.TrustMarks); err != nil {
		return err
	}
	if err := readClaim(claims, "trust_mark_owners", &c.TrustMarkOwners); err != nil {
		return err
	}
	return readClaim(claims, "trust_mark_issuers", &c.TrustMarkIssuers)
}

// readAuthorityHints: a list that is there and empty is an error (OpenID Federation 1.0 §3.1.2).
func readAuthorityHints(claims jose.Object) ([]EntityID, error) {
	var hints []EntityID
	if err := readClaim(claims, "authority_hints", &hints); err != nil {
		return nil, err
	}
	if claims.Has("authority_hints") && (len(hints) == 0 || len(hints) > maxAuthorityHints) {
		return nil, fmt.Errorf("authority_hints names %d superiors; 1 to %d are accepted, and an anchor leaves it out", len(hints), maxAuthorityHints)
	}
	for i, hint := range hints {
		if _, err := ParseEntityID(string(hint)); err != nil {
			return nil, fmt.Errorf("authority_hints: %w", err)
		}
		if slices.Contains(hints[:i], hint) {
			return nil, fmt.Errorf("authority_hints names %s twice", hint)
		}
	}
	return hints, nil
}

// VerifySubordinateStatement checks a subordinate statement as a token, against the federation keys of its issuer, and by
// the rules for its claims.
func VerifySubordinateStatement(compact string, issuer jose.KeySet, now time.Time) (*SubordinateStatement, error) {
	s, claims, err := verifyStatement(compact, issuer, now)
	if err != nil {
		return nil, fmt.Errorf("subordinate statement: %w", err)
	}
	sub := &SubordinateStatement{Statement: s}
	if err := sub.read(claims); err != nil {
		return nil, fmt.Errorf("subordinate statement of %s about %s: %w", s.Issuer, s.Subject, err)
	}
	return sub, nil
}

func (s *SubordinateStatement) read(claims jose.Object) (err error) {
	if s.Issuer == s.Subject {
		return fmt.Errorf("iss and sub are the same: it is no subordinate statement")
	}
	if name, ok := firstOf(claims, configurationClaimNames); ok {
		return fmt.Errorf("the claim %q is for entity configurations only", name)
	}
	if claims.Has("constraints") {
		o, err := claims.Object("constraints")
		if err != nil {
			return err
		}
		if s.Constraints, err = parseConstraints(o); err != nil {
			return err
		}
	}
	var critical []string
	if err := readClaim(claims, "metadata_policy_crit", &critical); err != nil {
		return err
	}
	if claims.Has("metadata_policy") || critical != nil {
		o, err := claims.Object("metadata_policy")
		if err != nil {
			return err
		}
		if s.Policy, err = ParseMetadataPolicy(o, critical); err != nil {
			return err
		}
	}
	if claims.Has(admissionClaim) {
		if _, err := claims.Digest(admissionClaim); err != nil {
			return err
		}
		if s.Admission, err = claims.Text(admissionClaim); err != nil {
			return err
		}
	}
	return readClaim(claims, "source_endpoint", &s.SourceEndpoint)
}

// verifyStatement checks what every entity statement has.
func verifyStatement(compact string, keys jose.KeySet, now time.Time) (Statement, jose.Object, error) {
	claims, err := jose.Verify(compact, jose.Profile{Type: statementType, Keys: keys, RequireExpiry: true, Now: now, Leeway: clockLeeway})
	if err != nil {
		return Statement{}, jose.Object{}, err
	}
	s := Statement{KeyID: claims.Header.KeyID, Compact: compact}
	if s.Issuer, err = entityClaim(claims.Object, "iss"); err != nil {
		return s, claims.Object, err
	}
	if s.Subject, err = entityClaim(claims.Object, "sub"); err != nil {
		return s, claims.Object, err
	}
	if !s.Issuer.sameWorld(s.Subject) {
		return s, claims.Object, fmt.Errorf("%s and %s: a node on one machine and a real one never speak for each other", s.Issuer, s.Subject)
	}
	if s.IssuedAt, err = claims.Time("iat"); err != nil {
		return s, claims.Object, err
	}
	if s.Expires, err = claims.Time("exp"); err != nil {
		return s, claims.Object, err
	}
	if life := s.Expires.Sub(s.IssuedAt); life <= 0 || life > statementLife {
		return s, claims.Object, fmt.Errorf("it is valid for %s; at most %s is accepted", life, statementLife)
	}
	if s.Keys, err = keySetOf(claims.Object); err != nil {
		return s, claims.Object, err
	}
	if err := checkCritical(claims.Object); err != nil {
		return s, claims.Object, err
	}
	s.Metadata, err = readMetadata(claims.Object)
	return s, claims.Object, err
}

func entityClaim(claims jose.Object, name string) (EntityID, error) {
	text, err := claims.Text(name)
	if err != nil {
		return "", err
	}
	id, err := ParseEntityID(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return id, nil
}

// checkCritical refuses claims that must be understood and are not (OpenID Federation 1.0 §3.1.1, §13.4). The standard's
// own claims may not be listed; of others admission is understood.
func checkCritical(claims jose.Object) error {
	if !claims.Has("crit") {
		return nil
	}
	var names []string
	if err := readClaim(claims, "crit", &names); err != nil || len(names) == 0 {
		return fmt.Errorf("crit must be a list of at least one claim name")
	}
	for _, name := range names {
		if name != admissionClaim || !claims.Has(name) {
			return fmt.Errorf("the claim %.64q is marked as critical, and this node does not know it or it is missing", name)
		}
	}
	return nil
}

// readMetadata reads the claim metadata: objects by entity type; null is no value of a parameter (§5).
func readMetadata(claims jose.Object) (Metadata, error) {
	m := make(Metadata)
	if !claims.Has("metadata") {
		return m, nil
	}
	types, err := claims.Object("metadata")
	if err != nil {
		return nil, err
	}
	for _, entityType := range types.Names() {
		parameters, err := types.Object(entityType)
		if err != nil {
			return nil, err
		}
		m[entityType] = make(map[string]json.RawMessage, parameters.Len())
		for _, parameter := range parameters.Names() {
			value := parameters.Member(parameter)
			if string(value) == "null" {
				return nil, fmt.Errorf("the metadata parameter %.64q of %.64q is null; leave it out instead", parameter, entityType)
			}
			m[entityType][parameter] = value
		}
	}
	return m, nil
}

// clone copies the metadata so far that entity types and parameters can be changed.
func (m Metadata) clone() Metadata {
	c := make(Metadata, len(m))
	for entityType, parameters := range m {
		c[entityType] = maps.Clone(parameters)
	}
	return c
}

// readClaim decodes a claim that may be left out. The payload has been read strictly before.
func readClaim(claims jose.Object, name string, into any) error {
	if !claims.Has(name) {
		return nil
	}
	raw := claims.Member(name)
	if err := json.Unmarshal(raw, into); err != nil || string(raw) == "null" {
		return fmt.Errorf("the claim %q is not of the form that the standard gives it", name)
	}
	return nil
}

func firstOf(claims jose.Object, names []string) (string, bool) {
	for _, name := range names {
		if claims.Has(name) {
			return name, true
		}
	}
	return "", false
}

// IssuerOf reads who has issued a statement, without verifying anything: for people who look at a chain. It is "" for what
// is no statement.
func IssuerOf(compact string) EntityID {
	u, err := jose.Parse(compact, statementType, 0)
	if err != nil {
		return ""
	}
	iss, err := u.Claims.Text("iss")
	if err != nil {
		return ""
	}
	return EntityID(iss)
}
