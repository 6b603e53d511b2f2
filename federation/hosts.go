package federation

import (
	"slices"
	"time"
)

// Hosts are the hubs that may host the configuration of an entity that accepts no connections: the hub that it was
// admitted below, or those of the classes that it may belong to, the newest first.
func (l *Ledger) Hosts(id EntityID, now time.Time) []EntityID {
	if m := l.Member(id, now); m.Admission != nil {
		return []EntityID{m.Admission.Nomination.Hub}
	}
	var hubs []EntityID
	for _, c := range slices.Backward(l.Classes()) {
		if hub := c.Admission.Nomination.Hub; !slices.Contains(hubs, hub) {
			hubs = append(hubs, hub)
		}
	}
	return hubs
}

// Class is the class of member that the founders admitted the entity of a chain as: municipality, company, hub …; "" if its
// superior's statement names no decision that counts.
func (l *Ledger) Class(c *TrustChain) string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	d := l.decision(Hash(c.Superiors[0].Admission))
	if d == nil || d.Nomination == nil {
		return ""
	}
	return d.Nomination.Class
}
