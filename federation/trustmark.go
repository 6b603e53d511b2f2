package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// trustMarkType and delegationType are the typ of trust marks and of their delegations (OpenID Federation 1.0 §7).
	trustMarkType  = "trust-mark+jwt"
	delegationType = "trust-mark-delegation+jwt"
	// trustMarkLife and delegationLife are the longest lives of the two; a mark is renewed every half year.
	trustMarkLife  = 190 * 24 * time.Hour
	delegationLife = 2 * 366 * 24 * time.Hour
	// maxTrustMarks bounds the marks that one entity shows.
	maxTrustMarks = 32
)

// TrustMark is an issuer's word that a member meets a requirement (OpenID Federation 1.0 §7.1).
type TrustMark struct {
	Issuer, Subject EntityID
	// Type is the requirement: a URL.
	Type string
	// IssuedAt and Expires bound its life, at most 190 days.
	IssuedAt, Expires time.Time
	// Reference is where people read about it, "" for nowhere.
	Reference string
	// Delegation is the owner's permit to the issuer, as a compact text; "" where the issuer needs none.
	Delegation string
	// SelfDeclared: the subject says it of itself. Such a mark is shown and meets no requirement.
	SelfDeclared bool
	// Compact is the signed text.
	Compact string
}

// TrustMarkDelegation is the permit of a trust mark type's owner to an issuer (OpenID Federation 1.0 §7.2.1).
type TrustMarkDelegation struct {
	Owner, Issuer     EntityID
	Type              string
	IssuedAt, Expires time.Time
}

// markPayload is the form of the claims of both.
type markPayload struct {
	Issuer     EntityID `json:"iss"`
	Subject    EntityID `json:"sub"`
	Type       string   `json:"trust_mark_type"`
	IssuedAt   int64    `json:"iat"`
	Expires    int64    `json:"exp"`
	Reference  string   `json:"ref,omitempty"`
	Delegation string   `json:"delegation,omitempty"`
}

// Sign returns the mark signed by a federation key of its issuer. IssuedAt is now where it is not set, Expires as late as
// may be.
func (m TrustMark) Sign(key *jose.Key, now time.Time) (string, error) {
	return markPayload{Issuer: m.Issuer, Subject: m.Subject, Type: m.Type, Reference: m.Reference, Delegation: m.Delegation}.
		sign(m.IssuedAt, m.Expires, now, trustMarkLife, key, trustMarkType)
}

// Sign returns the delegation signed by a key of the owner.
func (d TrustMarkDelegation) Sign(key *jose.Key, now time.Time) (string, error) {
	return markPayload{Issuer: d.Owner, Subject: d.Issuer, Type: d.Type}.sign(d.IssuedAt, d.Expires, now, delegationLife, key, delegationType)
}

func (p markPayload) sign(issued, expires, now time.Time, life time.Duration, key *jose.Key, typ string) (string, error) {
	if issued.IsZero() {
		issued = now
	}
	if expires.IsZero() {
		expires = issued.Add(life)
	}
	p.IssuedAt, p.Expires = issued.Unix(), expires.Unix()
	if err := checkMarkType(p.Type); err != nil {
		return "", fmt.Errorf("sign a %s: %w", typ, err)
	}
	claims, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("sign a %s: %w", typ, err)
	}
	return jose.Sign(claims, key, typ)
}

// CheckTrustMarkType accepts the name of a type of trust mark: an absolute https URL of at most 1,024 characters.
func CheckTrustMarkType(s string) error { return checkMarkType(s) }

// checkMarkType accepts an absolute https URL: types of different federations must not collide.
func checkMarkType(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || len(s) > 1024 {
		return errors.New("trust_mark_type must be an https URL of at most 1,024 characters")
	}
	return nil
}

// ReadTrustMark reads what a mark says, without its issuer's keys: it proves nothing. It is for whoever is to show the mark.
func ReadTrustMark(compact string) (*TrustMark, error) {
	u, err := jose.Parse(compact, trustMarkType, 0)
	if err != nil {
		return nil, fmt.Errorf("trust mark: %w", err)
	}
	p, times, err := markClaims(u.Claims, trustMarkLife)
	if err != nil {
		return nil, fmt.Errorf("trust mark: %w", err)
	}
	return p.mark(times, compact), nil
}

// mark is the trust mark with these claims.
func (p markPayload) mark(times [2]time.Time, compact string) *TrustMark {
	return &TrustMark{
		Issuer: p.Issuer, Subject: p.Subject, Type: p.Type, IssuedAt: times[0], Expires: times[1], Reference: p.Reference, Delegation: p.Delegation,
		SelfDeclared: p.Issuer == p.Subject, Compact: compact,
	}
}

// TrustMarkOptions say what trust marks are checked against.
type TrustMarkOptions struct {
	// Anchor is the configuration of the trust anchor that both the subject's and the issuer's chain end at: it names who
	// may issue marks of a type, and who owns a type.
	Anchor *EntityConfiguration
	// IssuerKeys finds the federation keys of an issuer from a chain that holds; an error if there is none. It must not
	// fetch anything.
	IssuerKeys func(EntityID) (jose.KeySet, error)
	Now        time.Time
}

// VerifyTrustMark checks a mark of a subject (OpenID Federation 1.0 §7.3). Marks of a type that the anchor names are
// accepted of the issuers that it names, with the owner's delegation where the type has an owner; a mark that the
// subject issued itself is self-declared, whatever its type.
func VerifyTrustMark(claim TrustMarkClaim, subject EntityID, o TrustMarkOptions) (*TrustMark, error) {
	m, err := o.verify(claim, subject)
	if err != nil {
		return nil, fmt.Errorf("trust mark %.255q of %s: %w", claim.Type, subject, err)
	}
	return m, nil
}

func (o TrustMarkOptions) verify(claim TrustMarkClaim, subject EntityID) (*TrustMark, error) {
	unverified, err := jose.Parse(claim.Mark, trustMarkType, 0)
	if err != nil {
		return nil, err
	}
	issuer, err := entityClaim(unverified.Claims, "iss") // to find the keys with; believed after the signature only
	if err != nil {
		return nil, err
	}
	keys, err := o.keysOf(issuer)
	if err != nil {
		return nil, err
	}
	p, times, err := readMark(claim.Mark, trustMarkType, keys, trustMarkLife, o.Now)
	if err != nil {
		return nil, err
	}
	switch {
	case p.Subject != subject:
		return nil, fmt.Errorf("it is about %s", p.Subject)
	case p.Type != claim.Type:
		return nil, fmt.Errorf("it is of the type %.255q", p.Type)
	}
	m := p.mark(times, claim.Mark)
	if m.SelfDeclared {
		return m, nil
	}
	return m, o.checkIssuer(m)
}

// keysOf returns an issuer's keys; the anchor's are at hand.
func (o TrustMarkOptions) keysOf(issuer EntityID) (jose.KeySet, error) {
	if issuer == o.Anchor.Subject {
		return o.Anchor.Keys, nil
	}
	keys, err := o.IssuerKeys(issuer)
	if err != nil {
		return keys, fmt.Errorf("its issuer %s is not trusted: %w", issuer, err)
	}
	return keys, nil
}

// checkIssuer asks whether the anchor lets the issuer issue marks of the type, and the owner too.
func (o TrustMarkOptions) checkIssuer(m *TrustMark) error {
	issuers, known := o.Anchor.TrustMarkIssuers[m.Type]
	if !known {
		return errors.New("the trust anchor knows no such type")
	}
	if len(issuers) > 0 && !slices.Contains(issuers, m.Issuer) { // an empty list lets everybody (§3.1.2)
		return fmt.Errorf("the trust anchor does not let %s issue marks of this type", m.Issuer)
	}
	owner, owned := o.Anchor.TrustMarkOwners[m.Type]
	switch {
	case owned && m.Delegation == "" && owner.Subject != m.Issuer:
		return fmt.Errorf("the type is owned by %s, and the mark has no delegation", owner.Subject)
	case m.Delegation == "":
		return nil
	case !owned:
		return errors.New("it has a delegation, and the trust anchor names no owner of the type")
	}
	if err := checkDelegation(m, owner, o.Now); err != nil {
		return fmt.Errorf("delegation: %w", err)
	}
	return nil
}

// checkDelegation holds a delegation against the mark that it is for (OpenID Federation 1.0 §7.2.2).
func checkDelegation(m *TrustMark, owner TrustMarkOwner, now time.Time) error {
	p, _, err := readMark(m.Delegation, delegationType, owner.Keys, delegationLife, now)
	if err != nil {
		return err
	}
	switch {
	case p.Issuer != owner.Subject:
		return fmt.Errorf("it is by %s, and the type is owned by %s", p.Issuer, owner.Subject)
	case p.Subject != m.Issuer:
		return fmt.Errorf("it is for %s, and the mark is by %s", p.Subject, m.Issuer)
	case p.Type != m.Type:
		return fmt.Errorf("it is for the type %.255q", p.Type)
	}
	return nil
}

// readMark checks a mark or a delegation as a token and reads its claims; times are iat and exp.
func readMark(compact, typ string, keys jose.KeySet, life time.Duration, now time.Time) (p markPayload, times [2]time.Time, err error) {
	claims, err := jose.Verify(compact, jose.Profile{Type: typ, Keys: keys, RequireExpiry: true, Now: now, Leeway: clockLeeway})
	if err != nil {
		return p, times, err
	}
	return markClaims(claims.Object, life)
}

// markClaims reads the claims of a mark or a delegation.
func markClaims(claims jose.Object, life time.Duration) (p markPayload, times [2]time.Time, err error) {
	for name, into := range map[string]*EntityID{"iss": &p.Issuer, "sub": &p.Subject} {
		if *into, err = entityClaim(claims, name); err != nil {
			return p, times, err
		}
	}
	if p.Type, err = claims.Text("trust_mark_type"); err != nil {
		return p, times, err
	}
	for i, name := range []string{"iat", "exp"} {
		if times[i], err = claims.Time(name); err != nil {
			return p, times, err
		}
	}
	for name, into := range map[string]*string{"ref": &p.Reference, "delegation": &p.Delegation} {
		if err := readClaim(claims, name, into); err != nil {
			return p, times, err
		}
	}
	if lives := times[1].Sub(times[0]); lives <= 0 || lives > life {
		return p, times, fmt.Errorf("it is valid for %s; more than 0 and at most %s is accepted", lives, life)
	}
	return p, times, checkMarkType(p.Type)
}

// VerifyTrustMarks checks the marks that the entity of a chain shows and returns those that hold, and why others do not.
// More than 32 are not looked at.
func (c *TrustChain) VerifyTrustMarks(issuerKeys func(EntityID) (jose.KeySet, error), now time.Time) (marks []*TrustMark, refused []error) {
	o := TrustMarkOptions{Anchor: c.AnchorConfiguration, Now: now, IssuerKeys: func(id EntityID) (jose.KeySet, error) {
		if id == c.Entity {
			return c.Superiors[0].Keys, nil // as its superior confirms them
		}
		return issuerKeys(id)
	}}
	for i, claim := range c.Configuration.TrustMarks {
		if i == maxTrustMarks {
			refused = append(refused, fmt.Errorf("%s shows %d trust marks; the first %d are looked at", c.Entity, len(c.Configuration.TrustMarks), maxTrustMarks))
			break
		}
		m, err := VerifyTrustMark(claim, c.Entity, o)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		marks = append(marks, m)
	}
	return marks, refused
}
