package federation

import (
	"errors"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// SuspensionOrder suspends a member at once, by the word of one founder or of the anchor, for 72 hours. A decision can
// confirm it. The same party cannot order it again for 30 days, or three days would have no end.
type SuspensionOrder struct {
	Issuer   EntityID `json:"iss"`
	Subject  EntityID `json:"sub"`
	IssuedAt int64    `json:"iat"`
	Reason   string   `json:"reason"`

	hash Hash
}

// suspensionPause is how long a party that ordered a suspension cannot order another of the same member.
const suspensionPause = 30 * 24 * time.Hour

var suspensionClaims = []string{"iss", "sub", "iat", "reason"}

// Sign returns the order signed by a founder's vote key or an anchor's federation key, in force from now.
func (s SuspensionOrder) Sign(key *jose.Key, now time.Time) (string, error) {
	s.IssuedAt = now.Unix()
	if err := s.check(); err != nil {
		return "", fmt.Errorf("suspension: %w", err)
	}
	return signRecord(s, key, suspensionType)
}

func (s *SuspensionOrder) check() error {
	if _, err := ParseEntityID(string(s.Subject)); err != nil {
		return fmt.Errorf("sub: %w", err)
	}
	if s.IssuedAt <= 0 || !validName(s.Reason) {
		return fmt.Errorf("iat must be there, and a reason of 1 to %d bytes: it is public", maxName)
	}
	return nil
}

// until is when the order ends unless a decision confirms it.
func (s *SuspensionOrder) until() time.Time { return time.Unix(s.IssuedAt, 0).Add(suspensionLife) }

// verifySuspension checks an order by a founder or an anchor of a charter.
func verifySuspension(compact string, charter *Charter) (*SuspensionOrder, error) {
	u, err := jose.Parse(compact, suspensionType, 0)
	if err != nil {
		return nil, err
	}
	issuer, keys, err := charter.authority(u.Header.KeyID)
	if err != nil {
		return nil, err
	}
	claims, err := u.Verify(keys)
	if err != nil {
		return nil, err
	}
	s := &SuspensionOrder{hash: hashOf([]byte(compact))}
	if err := readClaims(claims.Object, s, suspensionClaims...); err != nil {
		return nil, err
	}
	switch {
	case s.Issuer != issuer:
		return nil, fmt.Errorf("iss is %s, and the key is that of %s", s.Issuer, issuer)
	case s.Subject == issuer:
		return nil, errors.New("nobody suspends itself")
	case s.IssuedAt < charter.IssuedAt:
		return nil, fmt.Errorf("it is older than charter version %d", charter.Version)
	}
	return s, s.check()
}

// authority finds whose key it is: a founder's vote key or an anchor's federation key.
func (c *Charter) authority(kid string) (EntityID, jose.KeySet, error) {
	if f := c.owner(kid); f != nil {
		return f.Entity, f.Keys, nil
	}
	for _, a := range c.Anchors {
		if _, ok := a.Keys.Key(kid); ok {
			return a.Entity, a.Keys, nil
		}
	}
	return "", jose.KeySet{}, fmt.Errorf("the key %s is neither a founder's nor an anchor's of charter version %d", kid, c.Version)
}

// KeyRotation is a member's word that it goes on with other federation keys, signed by one that it has: so a superior
// alone cannot give it keys.
type KeyRotation struct {
	Entity   EntityID `json:"iss"`
	IssuedAt int64    `json:"iat"`
	// Keys are the thumbprints of its federation keys from now on; the one that signs may be among them.
	Keys []string `json:"keys"`
	// JWKS is the key that signs, so that the record proves itself: its thumbprint must be one of the member's.
	JWKS jose.KeySet `json:"jwks"`

	signer string
	hash   Hash
}

var rotationClaims = []string{"iss", "iat", "keys", "jwks"}

// SignKeyRotation returns the record of a rotation.
func SignKeyRotation(entity EntityID, keys []string, key *jose.Key, now time.Time) (string, error) {
	set, err := JWKS(key)
	if err != nil {
		return "", err
	}
	if err := checkThumbprints(keys); err != nil {
		return "", fmt.Errorf("key rotation: %w", err)
	}
	return signRecord(KeyRotation{Entity: entity, IssuedAt: now.Unix(), Keys: keys, JWKS: set}, key, rotationType)
}

// verifyRotation checks the record by itself; whether the key that signed is the member's is a matter of its history.
func verifyRotation(compact string) (*KeyRotation, error) {
	u, err := jose.Parse(compact, rotationType, 0)
	if err != nil {
		return nil, err
	}
	keys, err := keySetOf(u.Claims)
	if err != nil {
		return nil, err
	}
	claims, err := u.Verify(keys)
	if err != nil {
		return nil, err
	}
	r := &KeyRotation{signer: claims.Header.KeyID, hash: hashOf([]byte(compact))}
	if err := readClaims(claims.Object, r, rotationClaims...); err != nil {
		return nil, err
	}
	if _, err := ParseEntityID(string(r.Entity)); err != nil {
		return nil, fmt.Errorf("iss: %w", err)
	}
	if r.IssuedAt <= 0 {
		return nil, errors.New("iat must be there")
	}
	return r, checkThumbprints(r.Keys)
}
