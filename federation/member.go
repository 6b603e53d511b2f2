package federation

import (
	"cmp"
	"slices"
	"time"
)

// Standing is what a member is at a time.
type Standing string

// The standings.
const (
	Stranger  Standing = "stranger"  // never admitted by name; of a class it may be a member all the same
	InGood    Standing = "member"    // admitted, and nothing against it
	Suspended Standing = "suspended" // for 72 hours or until a decision
	Expelled  Standing = "expelled"
)

// Member is what the records say of an entity at a time.
type Member struct {
	Entity   EntityID
	Standing Standing
	// Since is when the standing began; Until when a suspension of 72 hours ends, zero where a decision stands behind it.
	Since, Until time.Time
	// Reason is that of a suspension or an expulsion.
	Reason string
	// Admission is the decision that admitted it by name, nil for a member of a class and for a stranger.
	Admission *Decision
	// By is the hash of the record that the standing follows from; OrderedBy who ordered a suspension of 72 hours by itself.
	By        Hash
	OrderedBy EntityID
	// Keys are the thumbprints of its federation keys, as nominated, rotated and recovered; empty where nobody named any.
	Keys []string
}

// event is one record about an entity.
type event struct {
	at       time.Time
	hash     Hash
	decision *Decision
	order    *SuspensionOrder
	rotation *KeyRotation
}

// history replays the records about an entity up to a time, in the order of their time, not in that of their
// arrival. The caller holds the lock.
func (l *Ledger) history(id EntityID, now time.Time) Member {
	m := Member{Entity: id, Standing: Stranger}
	ordered := make(map[EntityID]time.Time) // the last suspension that each party ordered by itself
	for _, e := range l.events(id, now) {
		switch {
		case e.decision != nil:
			m.decided(e.decision)
		case e.rotation != nil:
			if slices.Contains(m.Keys, e.rotation.signer) {
				m.Keys = e.rotation.Keys
			}
		case e.order != nil && m.Standing != Expelled:
			last, again := ordered[e.order.Issuer]
			if again && e.at.Sub(last) < suspensionPause {
				continue
			}
			ordered[e.order.Issuer] = e.at
			if m.Standing != Suspended || !m.Until.IsZero() && m.Until.Before(e.order.until()) {
				m.Standing, m.Since, m.Until, m.Reason, m.By = Suspended, e.at, e.order.until(), e.order.Reason, e.hash
				m.OrderedBy = e.order.Issuer
			}
		}
		m.lapse(e.at)
	}
	m.lapse(now)
	return m
}

// lapse ends a suspension whose 72 hours are over.
func (m *Member) lapse(now time.Time) {
	if m.Standing != Suspended || m.Until.IsZero() || now.Before(m.Until) {
		return
	}
	m.Standing, m.Since, m.Until, m.Reason, m.OrderedBy = Stranger, m.Until, time.Time{}, "", ""
	if m.Admission != nil {
		m.Standing = InGood
	}
}

// decided applies a decision.
func (m *Member) decided(d *Decision) {
	switch d.Proposal.Kind {
	case Admission:
		m.Admission, m.Keys = d, d.Nomination.Keys
		m.stand(InGood, d, "")
	case Suspension:
		if m.Standing != Expelled {
			m.stand(Suspended, d, d.Proposal.Reason)
		}
	case Reinstatement:
		if m.Standing == Suspended {
			m.stand(Stranger, d, "")
			if m.Admission != nil {
				m.Standing = InGood
			}
		}
	case Expulsion:
		m.stand(Expelled, d, d.Proposal.Reason)
	case Recovery:
		m.Keys = d.Proposal.Keys
	}
}

func (m *Member) stand(s Standing, d *Decision, reason string) {
	m.Standing, m.Since, m.Until, m.Reason, m.By, m.OrderedBy = s, d.At, time.Time{}, reason, d.Hash, ""
}

// events are the records about an entity that count, not after a time, in their one order.
func (l *Ledger) events(id EntityID, now time.Time) []event {
	var list []event
	charters := l.inForce()
	for _, d := range l.decisions {
		if d.subject() == id && d.countsUnder(charters) {
			list = append(list, event{at: d.At, hash: d.Hash, decision: d})
		}
	}
	for _, o := range l.orders {
		if o.Subject == id {
			list = append(list, event{at: time.Unix(o.IssuedAt, 0), hash: o.hash, order: o})
		}
	}
	for _, r := range l.rotations {
		if r.Entity == id {
			list = append(list, event{at: time.Unix(r.IssuedAt, 0), hash: r.hash, rotation: r})
		}
	}
	list = slices.DeleteFunc(list, func(e event) bool { return e.at.After(now.Add(clockLeeway)) })
	slices.SortFunc(list, func(a, b event) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.hash, b.hash))
	})
	return list
}

// rank orders what happened in one second, which is as exact as records are: a member is admitted before it is suspended,
// and a decision answers an order.
func (e event) rank() int {
	switch {
	case e.rotation != nil:
		return 1
	case e.order != nil:
		return 2
	}
	switch e.decision.Proposal.Kind {
	case Admission:
		return 0
	case Suspension:
		return 3
	case Reinstatement:
		return 4
	case Recovery:
		return 5
	}
	return 6
}

// subject is whom a decision is about, "" for a class.
func (d *Decision) subject() EntityID {
	if d.Nomination != nil {
		return d.Nomination.Subject
	}
	return d.Proposal.Subject
}

// Member returns what the records say of an entity at a time.
func (l *Ledger) Member(id EntityID, now time.Time) Member {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.history(id, now)
}

// Members returns everybody whom a record names, in order of id.
func (l *Ledger) Members(now time.Time) []Member {
	l.mu.RLock()
	defer l.mu.RUnlock()
	ids := l.subjects()
	list := make([]Member, 0, len(ids))
	for id := range ids {
		list = append(list, l.history(id, now))
	}
	slices.SortFunc(list, func(a, b Member) int { return cmp.Compare(a.Entity, b.Entity) })
	return list
}

// subjects are all entities that a record names. The caller holds the lock.
func (l *Ledger) subjects() map[EntityID]bool {
	ids := make(map[EntityID]bool)
	for _, d := range l.decisions {
		if id := d.subject(); id != "" {
			ids[id] = true
		}
	}
	for _, o := range l.orders {
		ids[o.Subject] = true
	}
	return ids
}

// Classes returns the admissions of classes that count, the oldest first, each with its list; nil where the list is not
// held.
func (l *Ledger) Classes() []Class {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var list []Class
	charters := l.inForce()
	for _, d := range l.decisions {
		if d.Nomination != nil && d.Nomination.Members != "" && d.countsUnder(charters) {
			list = append(list, Class{Admission: d, List: l.lists[d.Nomination.Members]})
		}
	}
	slices.SortFunc(list, func(a, b Class) int {
		return cmp.Or(a.Admission.At.Compare(b.Admission.At), cmp.Compare(a.Admission.Hash, b.Admission.Hash))
	})
	return list
}

// Class is a class of members that the founders admitted at once.
type Class struct {
	Admission *Decision
	List      ClassList
}
