package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// maxFounders bounds the founders of a charter: their keys must fit into one signed text of 16 KB.
	maxFounders = 30
	// maxName bounds names of parties and reasons, in bytes.
	maxName = 256
	// maxRecord bounds a charter with its signatures, and a decision, in bytes.
	maxRecord = 512 << 10
)

// Charter is the federation's constitution: who founded it and votes, by which rules, and who signs for it. Nothing else
// gives anybody a vote. Each version is signed under the rules of the one before it, the first by every founder.
type Charter struct {
	Version int `json:"version"`
	// Previous is the hash of the version before, "" for the first.
	Previous Hash `json:"prev,omitempty"`
	// IssuedAt is since when it is in force, in seconds since 1970.
	IssuedAt int64     `json:"iat"`
	Name     string    `json:"name"`
	Founders []Founder `json:"founders"`
	Rules    Rules     `json:"rules"`
	// Anchors are the trust anchors: the secretariat's keys.
	Anchors []Anchor `json:"anchors"`
	// Requirements are the trust mark types that the federation asks of its members.
	Requirements []string `json:"requirements,omitempty"`

	hash Hash
}

// Founder is a founding party. Keys are its vote keys: they sign votes, nominations, suspensions and charters.
type Founder struct {
	Entity EntityID    `json:"entity"`
	Name   string      `json:"name"`
	Keys   jose.KeySet `json:"jwks"`
}

// Anchor is a trust anchor of the charter with its federation keys.
type Anchor struct {
	Entity EntityID    `json:"entity"`
	Keys   jose.KeySet `json:"jwks"`
}

// Rules say how many founders must be for what.
type Rules struct {
	Admission     Threshold `json:"admission"`     // of a member or of a class, also again after an expulsion
	Suspension    Threshold `json:"suspension"`    // beyond the 72 hours that one party can order, and its end
	Expulsion     Threshold `json:"expulsion"`     // of a member
	CharterChange Threshold `json:"charterchange"` // to the next version
}

// DefaultRules are more than half of all founders for everything, and two thirds for another charter.
func DefaultRules() Rules {
	return Rules{Admission: MoreThanHalf, Suspension: MoreThanHalf, Expulsion: MoreThanHalf, CharterChange: TwoThirds}
}

// Hash is the address of the charter, which nodes pin for the first version. It is of its payload and does not depend on
// who has signed.
func (c *Charter) Hash() Hash { return c.hash }

// Founder finds a founder; nil if there is none of that id.
func (c *Charter) Founder(id EntityID) *Founder {
	if i := slices.IndexFunc(c.Founders, func(f Founder) bool { return f.Entity == id }); i >= 0 {
		return &c.Founders[i]
	}
	return nil
}

// TrustAnchors returns the anchors in the form in which chains are checked.
func (c *Charter) TrustAnchors() []TrustAnchor {
	list := make([]TrustAnchor, len(c.Anchors))
	for i, a := range c.Anchors {
		list[i] = TrustAnchor{Entity: a.Entity}
		for _, k := range a.Keys.Keys() {
			list[i].Thumbprints = append(list[i].Thumbprints, k.ID())
		}
	}
	return list
}

// seal checks the charter's content and computes its hash.
func (c *Charter) seal() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("charter: %w", err)
	}
	payload, err := canonicalJSON(c)
	if err != nil {
		return nil, fmt.Errorf("charter: %w", err)
	}
	c.hash = hashOf(payload)
	return payload, nil
}

func (c *Charter) check() error {
	first := c.Version == 1
	switch {
	case c.Version < 1 || first != (c.Previous == ""):
		return errors.New("versions count from 1, and each but the first names the one before it by its hash")
	case c.IssuedAt <= 0 || c.IssuedAt > time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).Unix():
		return errors.New("iat must be when it comes into force, in seconds since 1970")
	case c.Name == "" || len(c.Name) > maxName:
		return fmt.Errorf("the federation's name must have 1 to %d bytes", maxName)
	case len(c.Founders) == 0 || len(c.Founders) > maxFounders:
		return fmt.Errorf("it has %d founders; 1 to %d are possible", len(c.Founders), maxFounders)
	case len(c.Anchors) == 0 || len(c.Anchors) > maxAuthorityHints:
		return fmt.Errorf("it has %d anchors; 1 to %d are possible", len(c.Anchors), maxAuthorityHints)
	}
	entities, keys := make(map[EntityID]bool), make(map[string]bool)
	for _, f := range c.Founders {
		if err := claimKeys(entities, keys, f.Entity, f.Keys); err != nil {
			return fmt.Errorf("founder %s: %w", f.Entity, err)
		}
		if f.Name == "" || len(f.Name) > maxName {
			return fmt.Errorf("founder %s: the name must have 1 to %d bytes", f.Entity, maxName)
		}
	}
	clear(entities) // a founder may run the anchor, with other keys
	for _, a := range c.Anchors {
		if err := claimKeys(entities, keys, a.Entity, a.Keys); err != nil {
			return fmt.Errorf("anchor %s: %w", a.Entity, err)
		}
	}
	for _, t := range []Threshold{c.Rules.Admission, c.Rules.Suspension, c.Rules.Expulsion, c.Rules.CharterChange} {
		if t.denominator == 0 {
			return errors.New("a rule is missing: admission, suspension, expulsion and charterchange each need a threshold")
		}
	}
	return nil
}

// claimKeys takes an entity and its keys: one key for two parties would give one of them the other's vote.
func claimKeys(entities map[EntityID]bool, keys map[string]bool, id EntityID, set jose.KeySet) error {
	if _, err := ParseEntityID(string(id)); err != nil {
		return err
	}
	if entities[id] {
		return errors.New("it stands there twice")
	}
	entities[id] = true
	if len(set.Keys()) == 0 {
		return errors.New("it has no key")
	}
	for _, k := range set.Keys() {
		if keys[k.ID()] {
			return fmt.Errorf("the key %s is another party's too", k.ID())
		}
		keys[k.ID()] = true
	}
	return nil
}

// SignedCharter is a charter with the signatures of founders, each a compact JWS of its own over the same payload.
type SignedCharter struct {
	Charter    *Charter
	Signatures []string
}

// SignCharter returns one founder's signature of a charter. Founders sign where their vote key is, each by itself.
func SignCharter(c *Charter, key *jose.Key) (string, error) {
	payload, err := c.seal()
	if err != nil {
		return "", err
	}
	return jose.Sign(payload, key, charterType)
}

// ReadCharter reads a charter from the text of a record: a JSON array of signatures. It checks the form, that all are
// over the same payload, and nothing of who signed.
func ReadCharter(record []byte) (*SignedCharter, error) {
	var signatures []string
	if len(record) > maxRecord || json.Unmarshal(record, &signatures) != nil || len(signatures) == 0 || len(signatures) > maxFounders {
		return nil, fmt.Errorf("charter: it must be a JSON array of 1 to %d signatures and at most %d bytes", maxFounders, maxRecord)
	}
	s := &SignedCharter{Signatures: signatures}
	var payload []byte
	for i, signature := range signatures {
		u, err := jose.Parse(signature, charterType, 0)
		if err != nil {
			return nil, fmt.Errorf("charter: %w", err)
		}
		if i > 0 {
			if string(u.Claims.Raw()) != string(payload) {
				return nil, errors.New("charter: the signatures are not over one text")
			}
			continue
		}
		payload = u.Claims.Raw()
		s.Charter = new(Charter)
		if err := readClaims(u.Claims, s.Charter, "version", "prev", "iat", "name", "founders", "rules", "anchors", "requirements"); err != nil {
			return nil, fmt.Errorf("charter: %w", err)
		}
		sealed, err := s.Charter.seal()
		if err != nil {
			return nil, err
		}
		if string(sealed) != string(payload) {
			return nil, errors.New("charter: the payload is not in its canonical form")
		}
	}
	return s, nil
}

// Record returns the text that ReadCharter reads, the same for the same signatures in any order.
func (s *SignedCharter) Record() ([]byte, error) {
	signatures := slices.Clone(s.Signatures)
	slices.Sort(signatures)
	return json.Marshal(slices.Compact(signatures))
}

// signers returns which of the founders of a charter have signed this one. A signature that is none of theirs is an
// error: a record holds nothing that means nothing.
func (s *SignedCharter) signers(founders *Charter) (map[EntityID]bool, error) {
	signed := make(map[EntityID]bool)
	for _, signature := range s.Signatures {
		u, err := jose.Parse(signature, charterType, 0)
		if err != nil {
			return nil, err
		}
		founder := founders.owner(u.Header.KeyID)
		if founder == nil {
			return nil, fmt.Errorf("the key %s is no founder's", u.Header.KeyID)
		}
		if _, err := u.Verify(founder.Keys); err != nil {
			return nil, err
		}
		signed[founder.Entity] = true
	}
	return signed, nil
}

// owner finds the founder whose vote key it is; nil for nobody's.
func (c *Charter) owner(kid string) *Founder {
	i := slices.IndexFunc(c.Founders, func(f Founder) bool { _, ok := f.Keys.Key(kid); return ok })
	if i < 0 {
		return nil
	}
	return &c.Founders[i]
}

// follows checks that a charter is in force after another: its next version, under the other's rules. previous nil is
// for the first, which every founder signs.
func (s *SignedCharter) follows(previous *Charter) error {
	c := s.Charter
	if previous == nil {
		signed, err := s.signers(c)
		if err != nil {
			return fmt.Errorf("charter: %w", err)
		}
		if missing := c.missing(signed); len(missing) > 0 {
			return fmt.Errorf("charter: the first version is signed by every founder; missing: %s", strings.Join(missing, ", "))
		}
		return nil
	}
	if c.Version != previous.Version+1 || c.Previous != previous.hash || c.IssuedAt < previous.IssuedAt {
		return fmt.Errorf("charter: version %d does not continue version %d", c.Version, previous.Version)
	}
	signed, err := s.signers(previous)
	if err != nil {
		return fmt.Errorf("charter: %w", err)
	}
	if !previous.Rules.CharterChange.Met(len(signed), len(previous.Founders)) {
		return fmt.Errorf("charter: %d of %d founders signed version %d; %s are needed", len(signed), len(previous.Founders), c.Version, previous.Rules.CharterChange)
	}
	return nil
}

func (c *Charter) missing(signed map[EntityID]bool) []string {
	var names []string
	for _, f := range c.Founders {
		if !signed[f.Entity] {
			names = append(names, string(f.Entity))
		}
	}
	return names
}
