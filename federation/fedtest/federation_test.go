package fedtest_test

import (
	"io"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
)

// TestFederation: what the rig makes is believed, and no more than that.
func TestFederation(t *testing.T) {
	f := fedtest.New(t, fedtest.Options{})
	region := f.AddHub("region", f.Anchor)
	hub := f.AddHub("hub", region)
	city := f.AddMember("city", hub)
	c, err := federation.VerifyTrustChain(city.Chain(), f.ChainOptions())
	if err != nil {
		t.Fatal(err)
	}
	if c.Entity != city.ID || c.Anchor != f.Anchor.ID || c.OrgID() != city.OrgID || len(c.Superiors) != 3 {
		t.Errorf("chain of %s (%s) to %s with %d statements", c.Entity, c.OrgID(), c.Anchor, len(c.Superiors))
	}
	keys, err := c.RequestKeys()
	if _, ok := keys.Key(city.Keys.Request.ID()); err != nil || !ok {
		t.Errorf("request keys: %v, has the city's: %v", err, ok)
	}
	resp, err := city.Client.Get(string(hub.ID) + federation.WellKnownPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := federation.VerifyEntityConfiguration(string(text), f.Clock.Now())
	if err != nil || got.Subject != hub.ID || city.Dialled.Load() != 1 {
		t.Errorf("configuration of %s: %v, after %d requests", hub.ID, err, city.Dialled.Load())
	}
	f.Clock.Advance(time.Minute)
	f.Decide(federation.Proposal{Kind: federation.Expulsion, Subject: city.ID, Reason: "a test"})
	if _, err := federation.VerifyTrustChain(city.Chain(), f.ChainOptions()); err == nil {
		t.Error("an expelled member is believed")
	}
	chain := region.Chain()
	f.Clock.Advance(25 * time.Hour)
	if _, err := federation.VerifyTrustChain(chain, f.ChainOptions()); err == nil {
		t.Error("a chain holds after its end")
	}
}
