package federation

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// AdmittedBelow is the registry of a hub or an anchor: whom the founders admitted below it, by name or in a class, as long as
// each is in good standing. The keys are those of the member's key proof, and those that the superior vouches for where no
// record has them: of members of a class, and of those whose key was rotated, within what the records name.
type AdmittedBelow struct {
	// Superior is the hub or the anchor.
	Superior EntityID
	// Ledger returns the records, nil while there are none.
	Ledger func() *Ledger
	// Vouched returns what the superior vouches for; nil for nothing.
	Vouched func() []Vouched
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// Subordinate implements Registry.
func (r AdmittedBelow) Subordinate(_ context.Context, id EntityID) (Subordinate, error) {
	ledger, now := r.Ledger(), r.now()
	if ledger == nil {
		return Subordinate{}, ErrUnknownSubordinate
	}
	s, ok := r.subordinate(ledger, ledger.Member(id, now), r.vouched(), ledger.superiors(), now)
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
	superiors, vouched := ledger.superiors(), r.vouched()
	members := ledger.Members(now)
	for id := range vouched { // of classes
		if !slices.ContainsFunc(members, func(m Member) bool { return m.Entity == id }) {
			members = append(members, ledger.Member(id, now))
		}
	}
	for _, m := range members {
		if s, ok := r.subordinate(ledger, m, vouched, superiors, now); ok {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b Subordinate) int { return cmp.Compare(a.Entity, b.Entity) })
	return list, nil
}

// vouched is what the superior vouches for, by entity.
func (r AdmittedBelow) vouched() map[EntityID]Vouched {
	if r.Vouched == nil {
		return nil
	}
	all := make(map[EntityID]Vouched)
	for _, v := range r.Vouched() {
		all[v.Entity] = v
	}
	return all
}

func (r AdmittedBelow) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// subordinate makes the entry of a member if this superior issues statements about it.
func (r AdmittedBelow) subordinate(ledger *Ledger, m Member, vouched map[EntityID]Vouched, superiors []EntityID, now time.Time) (Subordinate, bool) {
	if m.Standing == Suspended || m.Standing == Expelled {
		return Subordinate{}, false
	}
	v, ok := vouched[m.Entity]
	orgID, admission, keys := v.OrgID, v.Admission, v.Keys
	if m.Admission != nil && m.Admission.Nomination.Hub == r.Superior {
		orgID, admission = m.Admission.Nomination.OrgID, m.Admission.Hash
		keys, ok = keysOf(m, v)
	}
	if !ok {
		return Subordinate{}, false
	}
	said := AdmittedStatement(r.Superior, m.Entity, keys, orgID, admission)
	if ledger.CheckAdmission(r.Superior, &said, now) != nil {
		return Subordinate{}, false
	}
	s := Subordinate{
		Entity: m.Entity, Keys: keys, Metadata: said.Metadata, Admission: admission, EntityTypes: []string{nodeType},
		Intermediate: slices.Contains(superiors, m.Entity),
	}
	if s.Intermediate {
		s.EntityTypes = append(s.EntityTypes, federationEntityType)
	}
	return s, true
}

// keysOf are the keys of a member that was admitted by name, as far as they are known: those of its key proof and those that
// are vouched for, of which the records name the thumbprints.
func keysOf(m Member, v Vouched) (jose.KeySet, bool) {
	proved, ok := provedKeys(m)
	keys := proved.Keys()
	for _, k := range v.Keys.Keys() {
		if _, known := proved.Key(k.ID()); !known && slices.Contains(m.Keys, k.ID()) {
			keys = append(keys, k)
		}
	}
	if len(keys) == len(proved.Keys()) {
		return proved, ok
	}
	set, err := jose.NewKeySet(keys...)
	return set, err == nil
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
