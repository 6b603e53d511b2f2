package federation

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
	"github.com/skjold-exchange/skjold/stix"
)

// The typ of the federation's own records. None is accepted in the place of another.
const (
	charterType    = "charter+jwt"
	nominationType = "nomination+jwt"
	keyProofType   = "key-proof+jwt"
	voteType       = "admission-vote+jwt"
	suspensionType = "suspension+jwt"
	rotationType   = "key-rotation+jwt"
)

// The lives of records, from iat.
const (
	nominationLife = 60 * 24 * time.Hour
	keyProofLife   = 10 * time.Minute
	voteLife       = 30 * 24 * time.Hour
	// suspensionLife is how long one party can suspend a member by itself.
	suspensionLife = 72 * time.Hour
)

// Hash is the address of a record by its content: the SHA-256 in base64url, 43 characters.
type Hash string

func hashOf(content []byte) Hash {
	sum := sha256.Sum256(content)
	return Hash(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// ParseHash accepts the text of a hash.
func ParseHash(s string) (Hash, error) {
	if !jose.ValidThumbprint(s) { // the same form
		return "", fmt.Errorf("%.64q is no hash: 43 characters of base64url are wanted", s)
	}
	return Hash(s), nil
}

// canonicalJSON returns the one text of a value that hashes are taken of (RFC 8785).
func canonicalJSON(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return stix.Canonical(text)
}

// readClaims decodes a payload into a struct whose tags name every claim that there may be: a claim that nobody knows
// could change the meaning of what was signed.
func readClaims(claims jose.Object, into any, names ...string) error {
	for _, name := range claims.Names() {
		if !slices.Contains(names, name) {
			return fmt.Errorf("the claim %.64q is not known", name)
		}
	}
	if err := json.Unmarshal(claims.Raw(), into); err != nil {
		return errors.New("a claim is not of its form")
	}
	return nil
}

// signRecord returns the compact JWS of a record.
func signRecord(claims any, key *jose.Key, typ string) (string, error) {
	text, err := canonicalJSON(claims)
	if err != nil {
		return "", fmt.Errorf("sign a %s: %w", typ, err)
	}
	return jose.Sign(text, key, typ)
}

// checkThumbprints accepts 1 to jose.MaxKeys thumbprints, each once.
func checkThumbprints(keys []string) error {
	if len(keys) == 0 || len(keys) > jose.MaxKeys {
		return fmt.Errorf("keys names %d thumbprints; 1 to %d are accepted", len(keys), jose.MaxKeys)
	}
	for i, k := range keys {
		if !jose.ValidThumbprint(k) || slices.Contains(keys[:i], k) {
			return fmt.Errorf("keys has %.64q, which is no thumbprint or stands there twice", k)
		}
	}
	return nil
}

// checkLife holds iat and exp of a record against the life of its kind.
func checkLife(issued, expires int64, life time.Duration) error {
	if d := time.Duration(expires-issued) * time.Second; issued <= 0 || expires <= issued || expires-issued > int64(life/time.Second) {
		return fmt.Errorf("it is valid for %s; more than 0 and at most %s is accepted", d, life)
	}
	return nil
}
