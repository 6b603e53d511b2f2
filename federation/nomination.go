package federation

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// Nomination is a founder's proposal of a new member, or of a class of members at once. A node is named by Subject and
// its keys; a class by Members, the hash of the list of its org_ids, whose statements Hub then issues.
type Nomination struct {
	Founder  EntityID `json:"iss"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	// Subject is the applicant; "" for a class.
	Subject EntityID `json:"sub,omitempty"`
	// OrgID is the applicant's legal identity, "cvr:…"; "" for a class.
	OrgID string `json:"org_id,omitempty"`
	Name  string `json:"name"`
	// Class is what kind of party it is: "municipality", "region", "company", "hub" …
	Class string `json:"class"`
	// Hub is the superior that issues the statements: a hub, or the anchor.
	Hub EntityID `json:"hub"`
	// Keys are the thumbprints of the applicant's federation keys; none for a class.
	Keys []string `json:"keys,omitempty"`
	// Members is the hash of the class's list; "" for one applicant.
	Members Hash `json:"members,omitempty"`
	// Declaration is the applicant's public declaration.
	Declaration Declaration `json:"declaration"`
}

// Declaration is where a party's public declaration stands, and the SHA-256 of its bytes. Nobody fetches it on behalf of
// a caller; people do.
type Declaration struct {
	URL    string `json:"url"`
	SHA256 Hash   `json:"sha256"`
}

var nominationClaims = []string{"iss", "iat", "exp", "sub", "org_id", "name", "class", "hub", "keys", "members", "declaration"}

// Sign returns the nomination signed by the founder's vote key, valid for 60 days from now.
func (n Nomination) Sign(key *jose.Key, now time.Time) (string, error) {
	n.IssuedAt, n.Expires = now.Unix(), now.Add(nominationLife).Unix()
	if err := n.check(); err != nil {
		return "", fmt.Errorf("nomination: %w", err)
	}
	return signRecord(n, key, nominationType)
}

// verifyNomination checks a nomination by a founder of the charter.
func verifyNomination(compact string, charter *Charter) (*Nomination, error) {
	n := new(Nomination)
	founder, err := verifyByFounder(compact, nominationType, charter, n, nominationClaims)
	if err == nil && founder != n.Founder {
		err = fmt.Errorf("iss is %s, and the key is that of %s", n.Founder, founder)
	}
	if err == nil {
		err = n.check()
	}
	if err != nil {
		return nil, fmt.Errorf("nomination: %w", err)
	}
	return n, nil
}

// verifyByFounder checks a record by the vote key of some founder, reads its claims, and returns whose key it is.
func verifyByFounder(compact, typ string, charter *Charter, into any, names []string) (EntityID, error) {
	u, err := jose.Parse(compact, typ, 0)
	if err != nil {
		return "", err
	}
	founder := charter.owner(u.Header.KeyID)
	if founder == nil {
		return "", fmt.Errorf("the key %s is no founder's of charter version %d", u.Header.KeyID, charter.Version)
	}
	claims, err := u.Verify(founder.Keys)
	if err != nil {
		return "", err
	}
	return founder.Entity, readClaims(claims.Object, into, names...)
}

func (n *Nomination) check() error {
	if err := checkLife(n.IssuedAt, n.Expires, nominationLife); err != nil {
		return err
	}
	if _, err := ParseEntityID(string(n.Hub)); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if !validName(n.Name) || !validName(n.Class) {
		return fmt.Errorf("name and class must each have 1 to %d bytes", maxName)
	}
	if err := n.Declaration.check(); err != nil {
		return err
	}
	if n.Members != "" {
		if n.Subject != "" || n.OrgID != "" || len(n.Keys) > 0 {
			return errors.New("a class has a list of members, and no sub, org_id and keys of one")
		}
		_, err := ParseHash(string(n.Members))
		return err
	}
	if _, err := ParseEntityID(string(n.Subject)); err != nil {
		return fmt.Errorf("sub: %w", err)
	}
	if n.Subject == n.Hub || !n.Subject.sameWorld(n.Hub) {
		return errors.New("sub and hub must be two entities of one world")
	}
	if !validName(n.OrgID) {
		return errors.New("org_id must name the applicant's legal identity, as in cvr:12345678")
	}
	return checkThumbprints(n.Keys)
}

func validName(s string) bool { return s != "" && len(s) <= maxName }

func (d Declaration) check() error {
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || len(d.URL) > 1024 {
		return errors.New("the declaration needs a public https address")
	}
	if _, err := ParseHash(string(d.SHA256)); err != nil {
		return fmt.Errorf("the declaration's SHA-256: %w", err)
	}
	return nil
}

// KeyProof is an applicant's proof that it holds its key and wants to be nominated so.
type KeyProof struct {
	Applicant EntityID `json:"iss"`
	Anchor    EntityID `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	Expires   int64    `json:"exp"`
	// Nonce is the anchor's, 16 random bytes in base64url.
	Nonce string `json:"nonce"`
	// Nomination is the hash of the nomination's compact text.
	Nomination Hash `json:"nomination"`
	// Keys are the applicant's federation keys.
	Keys jose.KeySet `json:"jwks"`
}

var keyProofClaims = []string{"iss", "aud", "iat", "exp", "nonce", "nomination", "jwks"}

// nonceSize is the size of a nonce in bytes.
const nonceSize = 16

// SignKeyProof returns an applicant's proof over the anchor's nonce and the compact text of its nomination, valid for
// ten minutes.
func SignKeyProof(applicant, anchor EntityID, nonce, nomination string, key *jose.Key, now time.Time) (string, error) {
	keys, err := JWKS(key)
	if err != nil {
		return "", err
	}
	return signRecord(KeyProof{
		Applicant: applicant, Anchor: anchor, IssuedAt: now.Unix(), Expires: now.Add(keyProofLife).Unix(), Nonce: nonce,
		Nomination: hashOf([]byte(nomination)), Keys: keys,
	}, key, keyProofType)
}

// VerifyKeyProof checks a proof at a time: it must be for that nomination, by a key that the nomination names.
func VerifyKeyProof(compact, nomination string, n *Nomination, at time.Time) (*KeyProof, error) {
	p, err := verifyKeyProof(compact, nomination, n, at)
	if err != nil {
		return nil, fmt.Errorf("key proof: %w", err)
	}
	return p, nil
}

func verifyKeyProof(compact, nomination string, n *Nomination, at time.Time) (*KeyProof, error) {
	u, err := jose.Parse(compact, keyProofType, 0)
	if err != nil {
		return nil, err
	}
	keys, err := keySetOf(u.Claims)
	if err != nil {
		return nil, err
	}
	claims, err := jose.Verify(compact, jose.Profile{Type: keyProofType, Keys: keys, RequireExpiry: true, Now: at, Leeway: clockLeeway})
	if err != nil {
		return nil, err
	}
	p := new(KeyProof)
	if err := readClaims(claims.Object, p, keyProofClaims...); err != nil {
		return nil, err
	}
	if err := checkLife(p.IssuedAt, p.Expires, keyProofLife); err != nil {
		return nil, err
	}
	nonce, err := base64.RawURLEncoding.Strict().DecodeString(p.Nonce)
	switch {
	case err != nil || len(nonce) != nonceSize:
		return nil, fmt.Errorf("the nonce is not %d bytes in base64url", nonceSize)
	case p.Applicant != n.Subject:
		return nil, fmt.Errorf("it is by %s, and the nomination is of %s", p.Applicant, n.Subject)
	case p.Nomination != hashOf([]byte(nomination)):
		return nil, errors.New("it is for another nomination")
	}
	for _, k := range n.Keys {
		if k == claims.Header.KeyID {
			return p, nil
		}
	}
	return nil, fmt.Errorf("the key %s is none that was nominated", claims.Header.KeyID)
}
