package federation_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
	"github.com/skjold-exchange/skjold/federation/jose"
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

// TestVouched: a superior states members of a class whose keys it vouches for, as long as they are in good standing, and
// follows rotations: from key to key, and never beyond what records name.
func TestVouched(t *testing.T) {
	f, hub, inner, city, _ := region(t)
	class := f.AdmitClass("municipality", hub, "cvr:1", "cvr:2")
	other, thief := fedtest.NewKey(t), fedtest.NewKey(t)
	town := federation.EntityID("http://127.0.0.1:4711")
	set := func(keys ...*jose.Key) jose.KeySet {
		t.Helper()
		s, err := federation.JWKS(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	says := func(id federation.EntityID, signer *jose.Key, keys ...*jose.Key) string {
		t.Helper()
		c := federation.EntityConfiguration{Statement: federation.Statement{Subject: id, Keys: set(append(keys, signer)...)}, AuthorityHints: []federation.EntityID{hub.ID}}
		text, err := c.Sign(signer, f.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	key := fedtest.NewKey(t)
	vouched := []federation.Vouched{
		{Entity: town, OrgID: "cvr:1", Admission: class, Keys: set(key)},
		{Entity: "http://127.0.0.1:4712", OrgID: "cvr:3", Admission: class, Keys: set(other)}, // not of the class
	}
	r := federation.AdmittedBelow{Superior: hub.ID, Ledger: func() *federation.Ledger { return f.Ledger }, Now: f.Clock.Now, Vouched: func() []federation.Vouched { return vouched }}
	if s, err := r.Subordinate(t.Context(), town); err != nil || s.Admission != class || s.Metadata.Text("taxii_node", "org_id") != "cvr:1" {
		t.Errorf("the town: %+v, %v", s, err)
	}
	if _, err := r.Subordinate(t.Context(), vouched[1].Entity); err == nil {
		t.Error("whom the founders did not list is stated")
	}
	if list, err := r.Subordinates(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("%d are stated: %v", len(list), err)
	}

	// The town goes on to another key, which its present one has signed.
	next, changed, err := vouched[0].Follow(says(town, key, other), nil, f.Clock.Now())
	if err != nil || !changed {
		t.Fatalf("%v, changed %v", err, changed)
	}
	if _, changed, err := next.Follow(says(town, other, key), nil, f.Clock.Now()); err != nil || changed {
		t.Errorf("the same keys: %v, changed %v", err, changed)
	}
	for want, text := range map[string]string{
		"not vouched for": says(town, thief, key), "is not that of": says(city.ID, key), "entity": "x",
	} {
		if _, _, err := next.Follow(text, nil, f.Clock.Now()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}

	// The inner hub was admitted by name: its next key counts when the record names it, and no other key does.
	follows := func() []federation.EntityID {
		var ids []federation.EntityID
		for _, v := range r.ToFollow() {
			ids = append(ids, v.Entity)
		}
		return ids
	}
	if got := follows(); !slices.Equal(got, []federation.EntityID{town, vouched[1].Entity}) {
		t.Errorf("asked are %v", got)
	}
	rotation, err := federation.SignKeyRotation(inner.ID, []string{inner.Keys.Federation.ID(), other.ID()}, inner.Keys.Federation, f.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.Add([]byte(rotation))
	if !slices.Contains(follows(), inner.ID) {
		t.Errorf("whose key was rotated is not asked: %v", follows())
	}
	for _, v := range r.ToFollow() {
		if v.Entity != inner.ID {
			continue
		}
		if _, _, err := v.Follow(says(inner.ID, thief, other), v.Named, f.Clock.Now()); err == nil || !strings.Contains(err.Error(), "no record names") {
			t.Errorf("a key that no record names: %v", err)
		}
		next, changed, err := v.Follow(says(inner.ID, inner.Keys.Federation, other, thief), v.Named, f.Clock.Now())
		if err != nil || !changed || len(next.Keys.Keys()) != 2 {
			t.Fatalf("%v, changed %v, %d keys", err, changed, len(next.Keys.Keys()))
		}
		vouched = append(vouched, next)
	}
	if s, err := r.Subordinate(t.Context(), inner.ID); err != nil || len(s.Keys.Keys()) != 2 {
		t.Errorf("after the rotation: %+v, %v", s, err)
	}
	f.Clock.Advance(time.Second)
	f.Decide(federation.Proposal{Kind: federation.Suspension, Subject: town, Reason: "a leak"})
	if _, err := r.Subordinate(t.Context(), town); err != federation.ErrUnknownSubordinate {
		t.Errorf("a suspended member of a class: %v", err)
	}
}
