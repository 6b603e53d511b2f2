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
	// historicalKeysType is the typ of historical keys (OpenID Federation 1.0 §8.7).
	historicalKeysType = "jwk-set+jwt"
	// HistoricalKeysMediaType is their media type.
	HistoricalKeysMediaType = "application/" + historicalKeysType
	// maxHistoricalKeys bounds them: a federation key lives for a year, and the text has at most 16 KB.
	maxHistoricalKeys = 40
)

// The reasons of a revocation that the standard names (OpenID Federation 1.0 §8.7.3).
const (
	KeyUnspecified = "unspecified"
	KeyCompromised = "compromised"
	KeySuperseded  = "superseded"
)

// HistoricalKey is a federation key that an entity used before: what it signed then can still be checked.
type HistoricalKey struct {
	Key jose.PublicKey
	// IssuedAt is when it came into use, zero if that is not known; Expires when it ended.
	IssuedAt, Expires time.Time
	// RevokedAt is since when nothing that it signed counts, zero for never; Reason says why, one of the constants.
	RevokedAt time.Time
	Reason    string
}

// ValidAt tells whether a signature of that time by the key counts.
func (k HistoricalKey) ValidAt(t time.Time) bool {
	return !t.Before(k.IssuedAt) && t.Before(k.Expires) && (k.RevokedAt.IsZero() || t.Before(k.RevokedAt))
}

// historicalTimes are the members that a JSON Web Key has here besides its own.
type historicalTimes struct {
	IssuedAt int64          `json:"iat,omitempty"`
	Expires  int64          `json:"exp"`
	Revoked  *keyRevocation `json:"revoked,omitempty"`
}

type keyRevocation struct {
	At     int64  `json:"revoked_at"`
	Reason string `json:"reason,omitempty"`
}

// SignHistoricalKeys returns an entity's former federation keys as a signed JWK Set, signed by one of its present ones.
func SignHistoricalKeys(entity EntityID, keys []HistoricalKey, key *jose.Key, now time.Time) (string, error) {
	claims, err := historicalClaims(entity, keys, now)
	if err != nil {
		return "", fmt.Errorf("sign the historical keys: %w", err)
	}
	return jose.Sign(claims, key, historicalKeysType)
}

func historicalClaims(entity EntityID, keys []HistoricalKey, now time.Time) ([]byte, error) {
	if len(keys) > maxHistoricalKeys {
		return nil, fmt.Errorf("there are %d; at most %d fit", len(keys), maxHistoricalKeys)
	}
	texts := make([]map[string]json.RawMessage, len(keys))
	for i, k := range keys {
		times := historicalTimes{Expires: k.Expires.Unix()}
		if !k.IssuedAt.IsZero() {
			times.IssuedAt = k.IssuedAt.Unix()
		}
		if !k.RevokedAt.IsZero() {
			times.Revoked = &keyRevocation{At: k.RevokedAt.Unix(), Reason: k.Reason}
		}
		for _, part := range []any{k.Key, times} {
			text, err := json.Marshal(part)
			if err == nil {
				err = json.Unmarshal(text, &texts[i])
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return json.Marshal(map[string]any{"iss": entity, "iat": now.Unix(), "keys": texts})
}

// VerifyHistoricalKeys checks an entity's former keys, signed by one of its present federation keys.
func VerifyHistoricalKeys(compact string, entity EntityID, keys jose.KeySet, now time.Time) ([]HistoricalKey, error) {
	list, err := verifyHistoricalKeys(compact, entity, keys, now)
	if err != nil {
		return nil, fmt.Errorf("historical keys of %s: %w", entity, err)
	}
	return list, nil
}

func verifyHistoricalKeys(compact string, entity EntityID, keys jose.KeySet, now time.Time) ([]HistoricalKey, error) {
	claims, err := jose.Verify(compact, jose.Profile{Type: historicalKeysType, Keys: keys, Now: now, Leeway: clockLeeway})
	if err != nil {
		return nil, err
	}
	if issuer, err := claims.Text("iss"); err != nil || issuer != string(entity) {
		return nil, fmt.Errorf("iss is %.255q", issuer)
	}
	if _, err := claims.Time("iat"); err != nil {
		return nil, err
	}
	var texts []json.RawMessage
	if err := readClaim(claims.Object, "keys", &texts); err != nil {
		return nil, err
	}
	if !claims.Has("keys") || len(texts) > maxHistoricalKeys {
		return nil, fmt.Errorf("keys must be there and have at most %d keys", maxHistoricalKeys)
	}
	list := make([]HistoricalKey, len(texts))
	for i, text := range texts {
		if list[i], err = readHistoricalKey(text); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if slices.ContainsFunc(list[:i], func(k HistoricalKey) bool { return k.Key.ID() == list[i].Key.ID() }) {
			return nil, fmt.Errorf("the key %s stands there twice", list[i].Key.ID())
		}
	}
	return list, nil
}

// readHistoricalKey reads a key strictly, apart from the members that only historical keys have.
func readHistoricalKey(text []byte) (k HistoricalKey, err error) {
	o, err := jose.ParseObject(text)
	if err != nil {
		return k, err
	}
	if k.Expires, err = o.Time("exp"); err != nil {
		return k, err
	}
	if o.Has("iat") {
		if k.IssuedAt, err = o.Time("iat"); err != nil {
			return k, err
		}
	}
	if o.Has("revoked") {
		revoked, err := o.Object("revoked")
		if err != nil {
			return k, err
		}
		if k.RevokedAt, err = revoked.Time("revoked_at"); err != nil {
			return k, err
		}
		if err := readClaim(revoked, "reason", &k.Reason); err != nil {
			return k, err
		}
	}
	members := make(map[string]json.RawMessage)
	for _, name := range o.Names() {
		if !slices.Contains([]string{"iat", "exp", "nbf", "revoked"}, name) {
			members[name] = o.Member(name)
		}
	}
	plain, err := json.Marshal(members)
	if err != nil {
		return k, errors.New("it is no JSON Web Key")
	}
	k.Key, err = jose.ParsePublicKey(plain)
	return k, err
}
