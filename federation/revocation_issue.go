package federation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// listLives is how many intervals a list counts as fresh: so many may be missed.
const listLives = int(revocationLife / RevocationInterval)

// RevocationIssuer signs the lists of an anchor. It holds no state: what was signed last is the caller's to keep, durably,
// before anybody is shown it.
type RevocationIssuer struct {
	Anchor EntityID
	Ledger *Ledger
	// Interval is the time between two lists of which the second says nothing new, at most RevocationInterval; 0 means
	// that. A list is fresh for three.
	Interval time.Duration
}

// Next returns the list that is due at a time: after an interval, at once when something else is revoked than before, and
// when the anchor has another key. It returns nil where none is due. previous is the list that was signed last, nil for
// none. One that was signed before restored, the time at which the anchor's memory was put back to an earlier state (zero
// for never), may have had successors that nobody here remembers: seq then goes on from the time in seconds since 1970. No
// two lists are signed in a second, so that no earlier one is above it.
func (i RevocationIssuer) Next(previous *RevocationList, key *jose.Key, restored, now time.Time) (*RevocationList, error) {
	charter, err := i.Ledger.Charter()
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	if owner, _, err := charter.authority(key.ID()); err != nil || owner != i.Anchor {
		return nil, fmt.Errorf("revocation list: the key %s is none that charter version %d names for %s; the founders give an anchor another key by the next charter",
			key.ID(), charter.Version, i.Anchor)
	}
	interval := i.Interval
	if interval == 0 {
		interval = RevocationInterval
	}
	list := &RevocationList{
		Issuer: i.Anchor, IssuedAt: now.Unix(), Expires: now.Unix() + int64(time.Duration(listLives)*interval/time.Second), Seq: 1,
		Entries: listed(i.Ledger.Revocations(now)),
	}
	if previous == nil {
		return list.sign(nil, key)
	}
	elapsed := list.IssuedAt - previous.IssuedAt
	switch issued := time.Unix(previous.IssuedAt, 0); {
	case elapsed < 0:
		return nil, errors.New("revocation list: the clock is behind the list that was signed last; set it right (NTP)")
	case elapsed == 0:
		return nil, nil // one a second
	case now.Sub(issued) < interval && previous.signer == key.ID() && slices.Equal(previous.Entries, list.Entries):
		return nil, nil
	case !issued.After(restored) || now.Sub(issued) > 2*interval:
		list.Seq = max(previous.Seq+1, list.IssuedAt)
	default:
		list.Seq = previous.Seq + 1
	}
	return list.sign(previous, key)
}

// ReadRevocationList reads a list that this node has signed and kept. It verifies nothing: the key may be gone since.
func ReadRevocationList(compact string) (*RevocationList, error) {
	u, err := jose.Parse(compact, revocationType, 0)
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	list := &RevocationList{compact: compact, signer: u.Header.KeyID, hash: hashOf([]byte(compact))}
	if err := readClaims(u.Claims, list, revocationClaims...); err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	if err := list.check(); err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	return list, nil
}

// Leeway is how far the clocks of a node and of the anchor may differ before a list counts as too old: 30 seconds for one
// that lives 15 minutes, and less for a shorter life.
func (l *RevocationList) Leeway() time.Duration {
	return min(time.Duration(l.Expires-l.IssuedAt)*time.Second/30, clockLeeway)
}
