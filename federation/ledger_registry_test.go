package federation_test

import (
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
)

// TestAdmittedBelow: a hub issues statements about those whom the founders admitted below it, and every one of them holds.
func TestAdmittedBelow(t *testing.T) {
	f, hub, inner, city, firm := region(t)
	of := func(n *fedtest.Node) federation.AdmittedBelow {
		return federation.AdmittedBelow{Superior: n.ID, Ledger: func() *federation.Ledger { return f.Ledger }, Now: f.Clock.Now}
	}
	list, err := of(hub).Subordinates(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%d below the hub: %v", len(list), err)
	}
	for _, s := range list {
		if s.Intermediate != (s.Entity == inner.ID) || s.Entity != inner.ID && s.Entity != city.ID {
			t.Errorf("%s below the hub, intermediate: %v", s.Entity, s.Intermediate)
		}
		said := federation.AdmittedStatement(hub.ID, s.Entity, s.Keys, s.Metadata.Text("taxii_node", "org_id"), s.Admission)
		if err := f.Ledger.CheckAdmission(hub.ID, &said, f.Clock.Now()); err != nil {
			t.Error(err)
		}
	}
	for n, want := range map[*fedtest.Node]bool{f.Anchor: true, hub: true, inner: true, city: false, firm: false} {
		if f.Ledger.IssuesStatements(n.ID) != want {
			t.Errorf("%s issues statements: not %v", n.Name, want)
		}
	}
	if _, err := of(hub).Subordinate(t.Context(), firm.ID); err != federation.ErrUnknownSubordinate {
		t.Errorf("the firm below the hub: %v", err)
	}
	if s, err := of(inner).Subordinate(t.Context(), firm.ID); err != nil || s.Admission != firm.Admission {
		t.Errorf("the firm below its hub: %v", err)
	}
	f.Clock.Advance(time.Second)
	f.Decide(federation.Proposal{Kind: federation.Suspension, Subject: city.ID, Reason: "a leak"})
	other := fedtest.NewKey(t)
	rotation, err := federation.SignKeyRotation(inner.ID, []string{other.ID()}, inner.Keys.Federation, f.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.Add([]byte(rotation))
	if list, err := of(hub).Subordinates(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("a suspended member, or one whose key no record has, is still stated: %v, %v", list, err)
	}
	none := federation.AdmittedBelow{Superior: hub.ID, Ledger: func() *federation.Ledger { return nil }}
	if list, err := none.Subordinates(t.Context()); err != nil || list != nil {
		t.Errorf("without records: %v, %v", list, err)
	}
}
