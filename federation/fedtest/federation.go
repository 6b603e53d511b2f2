package fedtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// Options shape a federation; the zero value is ten founders and the default rules.
type Options struct {
	// Founders is how many founding parties there are; 0 means 10.
	Founders int
	// Rules are those of the charter; the zero value means federation.DefaultRules.
	Rules federation.Rules
	// Start is the time that the clock shows first; zero for a fixed time.
	Start time.Time
}

// Founder is a founding party. It has a vote key, and no server.
type Founder struct {
	ID   federation.EntityID
	Vote *jose.Key
}

// Federation is a founded federation with its anchor. Its servers end with the test.
type Federation struct {
	T        testing.TB
	Clock    *Clock
	Founders []Founder
	Charter  *federation.Charter
	// Anchor is the secretariat's node.
	Anchor *Node
	// Ledger has all records; every node of the rig answers from it.
	Ledger *federation.Ledger
	// Nodes are the anchor and all that was added, in order.
	Nodes []*Node
}

// New founds a federation: a charter of version 1, signed by all founders, and an anchor that serves.
func New(t testing.TB, o Options) *Federation {
	t.Helper()
	if o.Founders == 0 {
		o.Founders = 10
	}
	if o.Rules == (federation.Rules{}) {
		o.Rules = federation.DefaultRules()
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2027, time.January, 15, 8, 0, 0, 400_000_000, time.UTC) // real clocks have fractions
	}
	f := &Federation{T: t, Clock: NewClock(o.Start)}
	f.Anchor = f.newNode("anchor", nil)
	f.Charter = &federation.Charter{
		Version: 1, IssuedAt: f.Clock.Now().Add(-time.Hour).Unix(), Name: "A federation of tests", Rules: o.Rules,
		Anchors: []federation.Anchor{{Entity: f.Anchor.ID, Keys: must(federation.JWKS(f.Anchor.Keys.Federation))(t)}},
	}
	for i := range o.Founders {
		founder := Founder{ID: federation.EntityID(fmt.Sprintf("http://127.0.0.1:%d", i+1)), Vote: NewKey(t)}
		f.Founders = append(f.Founders, founder)
		f.Charter.Founders = append(f.Charter.Founders, federation.Founder{
			Entity: founder.ID, Name: fmt.Sprintf("Founder %d", i+1), Keys: must(federation.JWKS(founder.Vote))(t),
		})
	}
	signed := &federation.SignedCharter{Charter: f.Charter}
	for _, founder := range f.Founders {
		signed.Signatures = append(signed.Signatures, must(federation.SignCharter(f.Charter, founder.Vote))(t))
	}
	f.Ledger = must(federation.OpenLedger(f.Charter.Hash(), federation.RecordDir(t.TempDir())))(t)
	f.Add(must(signed.Record())(t))
	f.Anchor.serve()
	return f
}

// Add puts a record into the ledger.
func (f *Federation) Add(record []byte) federation.Hash {
	f.T.Helper()
	return must(f.Ledger.Add(record))(f.T)
}

// Anchors are the anchors to pin.
func (f *Federation) Anchors() []federation.TrustAnchor { return f.Charter.TrustAnchors() }

// ChainOptions are those of a node that has pinned the anchor and asks the ledger about every admission.
func (f *Federation) ChainOptions() federation.ChainOptions {
	now := f.Clock.Now()
	return federation.ChainOptions{
		Anchors: f.Anchors(), Now: now,
		Admission: func(superior federation.EntityID, s *federation.SubordinateStatement) error {
			return f.Ledger.CheckAdmission(superior, s, now)
		},
	}
}

// NewKey makes an Ed25519 key.
func NewKey(t testing.TB) *jose.Key {
	t.Helper()
	return must(jose.GenerateKey(jose.EdDSA))(t)
}

// must takes a result and ends the test on its error: must(f())(t).
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
