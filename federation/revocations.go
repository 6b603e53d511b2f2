package federation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// provisional is how long an entry of a list counts without a record that proves it: as long as the anchor can suspend
// by its own word. A stolen anchor key thereby cuts nobody off for good.
const provisional = suspensionLife

// Reasons why a list is not taken.
var (
	// ErrOldRevocationList: its seq or its time is not after that of the list that is held.
	ErrOldRevocationList = errors.New("a newer revocation list is held")
	// ErrForkedRevocationList: the anchor has signed two lists that can't both be. They are kept as evidence, and what
	// either revokes counts.
	ErrForkedRevocationList = errors.New("the anchor has signed two revocation lists that contradict each other")
)

// Revocations is what a node knows of revoked members and keys, from its ledger and from the anchors' lists. Each can
// only add: a list that hides what the ledger knows helps nobody. It runs concurrently.
type Revocations struct {
	ledger *Ledger

	mu       sync.Mutex
	lists    map[EntityID]*RevocationList // the newest of each anchor
	fork     map[EntityID]*RevocationList // a second one with the same seq or another past
	evidence []string                     // texts of lists that contradict each other
	// unproven is when an entry without a record was first seen. It is kept longer than the entry counts, so that leaving
	// it out and bringing it back does not begin anew.
	unproven map[Revocation]time.Time
}

// maxEvidence bounds the contradicting lists that are kept; the first of them prove enough.
const maxEvidence = 64

// NewRevocations returns what a ledger knows; lists are added with Accept.
func NewRevocations(ledger *Ledger) *Revocations {
	return &Revocations{
		ledger: ledger, lists: make(map[EntityID]*RevocationList), fork: make(map[EntityID]*RevocationList),
		unproven: make(map[Revocation]time.Time),
	}
}

// Accept takes a list by an anchor of the charter in force. One that is held already is no error; an older one is
// ErrOldRevocationList and changes nothing. ErrForkedRevocationList says that the list was kept as evidence and counts
// beside the other until the anchor signs one with a higher seq.
func (r *Revocations) Accept(compact string, now time.Time) (*RevocationList, error) {
	charter, err := r.ledger.Charter()
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	list, err := VerifyRevocationList(compact, charter)
	if err != nil {
		return nil, err
	}
	if list.IssuedAt > now.Add(clockLeeway).Unix() {
		return nil, fmt.Errorf("revocation list: it is from the future (%s); compare the clocks", time.Unix(list.IssuedAt, 0).UTC().Format(time.RFC3339))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(charter)
	return list, r.keep(list, now)
}

// forget drops lists by keys that the charter does not name any more: a stolen key's seq would stand in the way of the
// anchor's next one.
func (r *Revocations) forget(charter *Charter) {
	gone := func(_ EntityID, l *RevocationList) bool {
		_, _, err := charter.authority(l.signer)
		return err != nil
	}
	maps.DeleteFunc(r.lists, gone)
	maps.DeleteFunc(r.fork, gone)
}

func (r *Revocations) keep(list *RevocationList, now time.Time) error {
	held := r.lists[list.Issuer]
	switch {
	case held == nil:
	case list.hash == held.hash || r.fork[list.Issuer] != nil && list.hash == r.fork[list.Issuer].hash:
		return nil
	case list.Seq < held.Seq || list.Seq > held.Seq && list.IssuedAt < held.IssuedAt:
		return fmt.Errorf("list %d of %s: %w (%d)", list.Seq, list.Issuer, ErrOldRevocationList, held.Seq)
	case list.Seq == held.Seq, list.Seq == held.Seq+1 && list.Previous != held.hash:
		r.note(held.compact)
		r.note(list.compact)
		r.fork[list.Issuer] = held
		r.lists[list.Issuer] = list
		r.see(list, now)
		return fmt.Errorf("list %d of %s: %w", list.Seq, list.Issuer, ErrForkedRevocationList)
	}
	if fork := r.fork[list.Issuer]; fork == nil || list.Seq > fork.Seq {
		delete(r.fork, list.Issuer)
	}
	r.lists[list.Issuer] = list
	r.see(list, now)
	return nil
}

func (r *Revocations) note(compact string) {
	if len(r.evidence) < maxEvidence && !slices.Contains(r.evidence, compact) {
		r.evidence = append(r.evidence, compact)
	}
}

// see notes when the entries of a list were first seen, and forgets those that a party could order again.
func (r *Revocations) see(list *RevocationList, now time.Time) {
	maps.DeleteFunc(r.unproven, func(_ Revocation, first time.Time) bool { return now.Sub(first) > suspensionPause })
	for _, e := range list.Entries {
		if _, seen := r.unproven[e.who()]; !seen {
			r.unproven[e.who()] = now
		}
	}
}

// who is the entry without what the anchor could vary to begin its time anew.
func (r Revocation) who() Revocation { return Revocation{Subject: r.Subject, KeyID: r.KeyID} }

// Evidence returns the signed texts of lists that contradict each other: proof against the anchor or who has its key.
func (r *Revocations) Evidence() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.evidence)
}

// Newest returns the list of the highest seq of each anchor.
func (r *Revocations) Newest() []*RevocationList {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.lists))
}

// FreshUntil is until when the newest list counts as fresh, the zero time if there is none.
func (r *Revocations) FreshUntil() time.Time {
	var until time.Time
	for _, l := range r.Newest() {
		if exp := time.Unix(l.Expires, 0); exp.After(until) {
			until = exp
		}
	}
	return until
}

// Entries returns everything that is revoked at a time.
func (r *Revocations) Entries(now time.Time) []Revocation {
	entries := r.ledger.Revocations(now)
	charter, err := r.ledger.Charter()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.forget(charter)
	}
	for _, lists := range []map[EntityID]*RevocationList{r.lists, r.fork} {
		for _, l := range lists {
			for _, e := range l.Entries {
				if now.Sub(r.unproven[e.who()]) < provisional && !r.ledger.answers(e) {
					entries = append(entries, e)
				}
			}
		}
	}
	return newestFirst(entries)
}

// answers tells whether the ledger holds the record that an entry names. What is revoked is then as the ledger says, and
// no longer as the list does: a suspension may have ended since.
func (l *Ledger) answers(e Revocation) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, held := l.records[e.Decision]
	return e.Decision != "" && held
}

// Since tells from when on what an entity has signed - with a key, where kid is not "" - is not to be used: replication
// sends it to quarantine. ok is false where nothing is revoked.
func (r *Revocations) Since(entity EntityID, kid string, now time.Time) (since time.Time, ok bool) {
	for _, e := range r.Entries(now) {
		if e.KeyID == "" && e.Subject == entity || e.KeyID != "" && e.KeyID == kid {
			if at := time.Unix(e.Since, 0); !ok || at.Before(since) {
				since, ok = at, true
			}
		}
	}
	return since, ok
}

// Check refuses who or whose key is revoked at a time: it fits ChainOptions.Revoked, with the time of the check bound.
// When the statement says that it was issued counts for nothing: whoever stole a key writes any time.
func (r *Revocations) Check(now time.Time) func(entity EntityID, kid string, issued time.Time) error {
	entries := r.Entries(now)
	return func(entity EntityID, kid string, _ time.Time) error {
		for _, e := range entries {
			switch {
			case e.KeyID == "" && e.Subject == entity:
				return fmt.Errorf("%s is %s since %s", entity, e.State, date(time.Unix(e.Since, 0)))
			case e.KeyID != "" && e.KeyID == kid:
				return fmt.Errorf("the key %s of %s is revoked since %s", kid, entity, date(time.Unix(e.Since, 0)))
			}
		}
		return nil
	}
}
