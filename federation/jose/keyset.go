package jose

import (
	"encoding/json"
	"fmt"
)

// MaxKeys is the most keys that a set may have: a few generations of one entity's keys, and no more work than that for
// whoever reads a set.
const MaxKeys = 16

// KeySet is a set of public keys of one entity (JWK Set, RFC 7517 §5), in their order. It is immutable.
type KeySet struct {
	keys []PublicKey
}

// NewKeySet makes a set of 1 to MaxKeys different keys.
func NewKeySet(keys ...PublicKey) (KeySet, error) {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return KeySet{}, refuse(KeyCount, "a key set has 1 to %d keys, not %d", MaxKeys, len(keys))
	}
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if seen[k.id] {
			return KeySet{}, refuse(KeyDuplicate, "the key %s stands twice in the set", k.id)
		}
		seen[k.id] = true
	}
	return KeySet{keys: append([]PublicKey(nil), keys...)}, nil
}

// ParseKeySet reads a JWK Set whose only member is keys: 1 to MaxKeys public keys as ParsePublicKey accepts them.
func ParseKeySet(data []byte) (KeySet, error) {
	o, err := ParseObject(data)
	if err != nil {
		return KeySet{}, err
	}
	if !o.Has("keys") || o.Len() != 1 {
		return KeySet{}, refuse(KeyMember, "a key set has the member \"keys\" and no other")
	}
	var texts []json.RawMessage
	if err := json.Unmarshal(o.members["keys"], &texts); err != nil {
		return KeySet{}, refuse(KeyMember, "\"keys\" must be a list of keys")
	}
	if len(texts) > MaxKeys { // before any of them is parsed
		return KeySet{}, refuse(KeyCount, "a key set has 1 to %d keys, not %d", MaxKeys, len(texts))
	}
	keys := make([]PublicKey, len(texts))
	for i, text := range texts {
		if keys[i], err = ParsePublicKey(text); err != nil {
			return KeySet{}, fmt.Errorf("key %d of the set: %w", i+1, err)
		}
	}
	return NewKeySet(keys...)
}

// Key returns the key of that kid.
func (s KeySet) Key(kid string) (PublicKey, bool) {
	for _, k := range s.keys {
		if k.id == kid {
			return k, true
		}
	}
	return PublicKey{}, false
}

// Keys returns the keys in their order.
func (s KeySet) Keys() []PublicKey { return append([]PublicKey(nil), s.keys...) }

// MarshalJSON returns the JWK Set.
func (s KeySet) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Keys []PublicKey `json:"keys"`
	}{s.keys})
}

// UnmarshalJSON reads a set as ParseKeySet does.
func (s *KeySet) UnmarshalJSON(text []byte) error {
	set, err := ParseKeySet(text)
	if err == nil {
		*s = set
	}
	return err
}
