package federation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	revocationType = "revocation-list+jwt"
	// RevocationInterval is how often an anchor signs a list, whether anything has changed or not.
	RevocationInterval = 5 * time.Minute
	// revocationLife is how long a list counts as fresh: three lists may be missed.
	revocationLife = 15 * time.Minute
	// maxRevocations bounds the entries of a list, so that it fits into one token. Older ones are left out of it: every
	// node has them in its ledger.
	maxRevocations = 40
)

// RevocationState is what an entry of a revocation list says of its subject or key.
type RevocationState string

// The states.
const (
	RevokedSuspended RevocationState = "suspended"
	RevokedExpelled  RevocationState = "expelled"
	RevokedKey       RevocationState = "revoked" // of a key
)

// Revocation is one entry of a list: a member that is suspended or expelled, or a key that is lost or stolen.
type Revocation struct {
	Subject EntityID `json:"sub,omitempty"`
	// KeyID is the thumbprint of a key of whatever use; "" where a member is meant.
	KeyID string          `json:"kid,omitempty"`
	State RevocationState `json:"state"`
	// Since is from when on what the subject or key has signed goes to quarantine, in seconds since 1970.
	Since int64 `json:"since"`
	// Decision is the hash of the record behind it: a decision or an order of suspension.
	Decision Hash `json:"decision,omitempty"`
}

// RevocationList is what an anchor signs every five minutes: who is suspended or expelled, and which keys are revoked.
// It makes revocations fast. It is not where they come from: those are the ledger's records.
type RevocationList struct {
	Issuer   EntityID `json:"iss"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	// Seq only rises, by one from list to list of an anchor.
	Seq int64 `json:"seq"`
	// Previous is the hash of the list before it, "" for the first.
	Previous Hash         `json:"prev,omitempty"`
	Entries  []Revocation `json:"entries"`

	compact string
	signer  string
	hash    Hash
}

var revocationClaims = []string{"iss", "iat", "exp", "seq", "prev", "entries"}

// Compact is the signed text.
func (l *RevocationList) Compact() string { return l.compact }

// Hash is the SHA-256 of the signed text, which the next list names.
func (l *RevocationList) Hash() Hash { return l.hash }

// SignRevocationList returns an anchor's next list after previous (nil for the first) with the ledger's revocations at a
// time, and further ones, such as a key that a member has reported.
func SignRevocationList(ledger *Ledger, previous *RevocationList, anchor EntityID, key *jose.Key, now time.Time, more ...Revocation) (*RevocationList, error) {
	list := &RevocationList{
		Issuer: anchor, IssuedAt: now.Unix(), Expires: now.Add(revocationLife).Unix(), Seq: 1,
		Entries: listed(append(ledger.Revocations(now), more...)),
	}
	if previous != nil {
		list.Seq = previous.Seq + 1
	}
	return list.sign(previous, key)
}

// listed are the entries that a list has room for.
func listed(entries []Revocation) []Revocation {
	entries = newestFirst(entries)
	return entries[:min(len(entries), maxRevocations)]
}

// sign signs the list as the next after previous.
func (l *RevocationList) sign(previous *RevocationList, key *jose.Key) (*RevocationList, error) {
	list := *l
	if previous != nil {
		if previous.Issuer != list.Issuer {
			return nil, fmt.Errorf("revocation list: the list before it is that of %s", previous.Issuer)
		}
		if list.IssuedAt < previous.IssuedAt {
			return nil, errors.New("revocation list: the clock is behind the list before it")
		}
		list.Previous = previous.hash
	}
	if err := list.check(); err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	compact, err := signRecord(&list, key, revocationType)
	if err != nil {
		return nil, err
	}
	list.compact, list.signer, list.hash = compact, key.ID(), hashOf([]byte(compact))
	return &list, nil
}

// newestFirst orders entries, each subject and key once.
func newestFirst(entries []Revocation) []Revocation {
	slices.SortFunc(entries, func(a, b Revocation) int {
		return cmp.Or(cmp.Compare(b.Since, a.Since), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.KeyID, b.KeyID))
	})
	list := make([]Revocation, 0, len(entries))
	for _, e := range entries {
		if !slices.ContainsFunc(list, func(o Revocation) bool { return o.Subject == e.Subject && o.KeyID == e.KeyID }) {
			list = append(list, e)
		}
	}
	return list
}

// VerifyRevocationList checks a list by an anchor of the charter. Its times are checked for their form only: an old list
// still says who was revoked.
func VerifyRevocationList(compact string, charter *Charter) (*RevocationList, error) {
	list, err := verifyRevocationList(compact, charter)
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	return list, nil
}

func verifyRevocationList(compact string, charter *Charter) (*RevocationList, error) {
	u, err := jose.Parse(compact, revocationType, 0)
	if err != nil {
		return nil, err
	}
	for _, a := range charter.Anchors {
		if _, ok := a.Keys.Key(u.Header.KeyID); !ok {
			continue
		}
		claims, err := u.Verify(a.Keys)
		if err != nil {
			return nil, err
		}
		list := &RevocationList{compact: compact, signer: u.Header.KeyID, hash: hashOf([]byte(compact))}
		if err := readClaims(claims.Object, list, revocationClaims...); err != nil {
			return nil, err
		}
		if list.Issuer != a.Entity {
			return nil, fmt.Errorf("iss is %s, and the key is that of %s", list.Issuer, a.Entity)
		}
		return list, list.check()
	}
	return nil, fmt.Errorf("the key %s is no anchor's of charter version %d", u.Header.KeyID, charter.Version)
}

func (l *RevocationList) check() error {
	if err := checkLife(l.IssuedAt, l.Expires, revocationLife); err != nil {
		return err
	}
	if l.Seq < 1 || (l.Seq == 1) != (l.Previous == "") {
		return errors.New("seq counts from 1, and each list but the first names the one before it by its hash")
	}
	if l.Previous != "" {
		if _, err := ParseHash(string(l.Previous)); err != nil {
			return fmt.Errorf("prev: %w", err)
		}
	}
	if len(l.Entries) > maxRevocations {
		return fmt.Errorf("it has %d entries; at most %d are accepted", len(l.Entries), maxRevocations)
	}
	for _, e := range l.Entries {
		if err := e.check(); err != nil {
			return fmt.Errorf("an entry: %w", err)
		}
	}
	return nil
}

func (r *Revocation) check() error {
	if r.KeyID != "" && !jose.ValidThumbprint(r.KeyID) {
		return fmt.Errorf("%.64q is no thumbprint", r.KeyID)
	}
	if r.Subject != "" || r.KeyID == "" {
		if _, err := ParseEntityID(string(r.Subject)); err != nil {
			return fmt.Errorf("sub: %w", err)
		}
	}
	if r.Decision != "" {
		if _, err := ParseHash(string(r.Decision)); err != nil {
			return fmt.Errorf("decision: %w", err)
		}
	}
	key := r.State == RevokedKey
	if key != (r.KeyID != "") || !key && r.State != RevokedSuspended && r.State != RevokedExpelled {
		return fmt.Errorf("state %.32q is not one of a member (suspended, expelled) or of a key (revoked)", r.State)
	}
	if r.Since <= 0 {
		return errors.New("since must tell from when on, in seconds since 1970")
	}
	return nil
}

// Revocations returns what the records revoke at a time, the newest first: members that are suspended or expelled, and
// the keys that a recovery has put away.
func (l *Ledger) Revocations(now time.Time) []Revocation {
	var list []Revocation
	for _, m := range l.Members(now) {
		e := Revocation{Subject: m.Entity, Since: m.Since.Unix(), Decision: m.By}
		switch m.Standing {
		case Suspended:
			e.State = RevokedSuspended
			list = append(list, e)
		case Expelled:
			e.State = RevokedExpelled
			list = append(list, e)
		}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	for id := range l.subjects() {
		list = append(list, l.recovered(id, now)...)
	}
	return newestFirst(list)
}

// recovered returns the keys of an entity that recoveries have put away: a member whose key was stolen has the thief's
// signatures beside its own from then on. The caller holds the lock.
func (l *Ledger) recovered(id EntityID, now time.Time) []Revocation {
	var list []Revocation
	var had []string
	for _, e := range l.events(id, now) {
		switch {
		case e.rotation != nil:
			had = append(had, e.rotation.Keys...)
		case e.decision != nil && e.decision.Nomination != nil:
			had = append(had, e.decision.Nomination.Keys...)
		case e.decision != nil && e.decision.Proposal.Kind == Recovery:
			kept := e.decision.Proposal.Keys
			for _, kid := range had {
				if !slices.Contains(kept, kid) {
					list = append(list, Revocation{Subject: id, KeyID: kid, State: RevokedKey, Since: e.at.Unix(), Decision: e.hash})
				}
			}
			had = slices.Clone(kept)
		}
	}
	return list
}
