package federation

import (
	"context"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// AdmittedBelow is the registry of a hub or an anchor, from the records alone: whom the founders admitted by name below
// it, as long as each is in good standing. The keys are those of the member's key proof. Members of a class, and those
// whose key was changed since, are not in it: their keys stand in no record, and their statements are signed by command.
type AdmittedBelow struct {
	// Superior is the hub or the anchor.
	Superior EntityID
	// Ledger returns the records, nil while there are none.
	Ledger func() *Ledger
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// Subordinate implements Registry.
func (r AdmittedBelow) Subordinate(_ context.Context, id EntityID) (Subordinate, error) {
	ledger, now := r.Ledger(), r.now()
	if ledger == nil {
		return Subordinate{}, ErrUnknownSubordinate
	}
	s, ok := r.subordinate(ledger, ledger.Member(id, now), ledger.superiors(), now)
	if !ok {
		return Subordinate{}, ErrUnknownSubordinate
	}
	return s, nil
}

// Subordinates implements Registry.
func (r AdmittedBelow) Subordinates(context.Context) ([]Subordinate, error) {
	ledger, now := r.Ledger(), r.now()
	if ledger == nil {
		return nil, nil
	}
	var list []Subordinate
	superiors := ledger.superiors()
	for _, m := range ledger.Members(now) {
		if s, ok := r.subordinate(ledger, m, superiors, now); ok {
			list = append(list, s)
		}
	}
	return list, nil
}

func (r AdmittedBelow) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// subordinate makes the entry of a member if this superior issues statements about it.
func (r AdmittedBelow) subordinate(ledger *Ledger, m Member, superiors []EntityID, now time.Time) (Subordinate, bool) {
	if m.Standing != InGood || m.Admission == nil || m.Admission.Nomination.Hub != r.Superior {
		return Subordinate{}, false
	}
	keys, ok := provedKeys(m)
	if !ok {
		return Subordinate{}, false
	}
	said := AdmittedStatement(r.Superior, m.Entity, keys, m.Admission.Nomination.OrgID, m.Admission.Hash)
	if ledger.CheckAdmission(r.Superior, &said, now) != nil {
		return Subordinate{}, false
	}
	s := Subordinate{
		Entity: m.Entity, Keys: keys, Metadata: said.Metadata, Admission: m.Admission.Hash, EntityTypes: []string{nodeType},
		Intermediate: slices.Contains(superiors, m.Entity),
	}
	if s.Intermediate {
		s.EntityTypes = append(s.EntityTypes, federationEntityType)
	}
	return s, true
}

// provedKeys are the keys of a member's key proof that are still its keys; the decision was verified with it.
func provedKeys(m Member) (jose.KeySet, bool) {
	u, err := jose.Parse(m.Admission.Proposal.KeyProof, keyProofType, 0)
	if err != nil {
		return jose.KeySet{}, false
	}
	all, err := keySetOf(u.Claims)
	if err != nil {
		return jose.KeySet{}, false
	}
	still := slices.DeleteFunc(all.Keys(), func(k jose.PublicKey) bool { return !slices.Contains(m.Keys, k.ID()) })
	set, err := jose.NewKeySet(still...)
	return set, err == nil
}

// superiors are the anchors and all whom the founders let issue statements.
func (l *Ledger) superiors() []EntityID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var list []EntityID
	charters := l.inForce()
	if len(charters) > 0 {
		for _, a := range charters[0].Anchors {
			list = append(list, a.Entity)
		}
	}
	for _, d := range l.decisions {
		if d.Nomination != nil && d.countsUnder(charters) {
			list = append(list, d.Nomination.Hub)
		}
	}
	return list
}

// IssuesStatements tells whether an entity is an anchor, or one whom the founders let issue statements.
func (l *Ledger) IssuesStatements(id EntityID) bool { return slices.Contains(l.superiors(), id) }
