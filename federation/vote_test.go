package federation

import (
	"slices"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// TestVotesThatDoNotCount: a vote by a founder's own key counts for one proposal, under one charter, and for its time.
func TestVotesThatDoNotCount(t *testing.T) {
	c := testConstitution()
	r := newAdmission(t)
	if _, _, err := r.decide(); err != nil { // signs the nomination and the key proof
		t.Fatal(err)
	}
	hash, err := r.proposal.Hash()
	if err != nil {
		t.Fatal(err)
	}
	genuine := Vote{
		Founder: c.charter.Founders[0].Entity, IssuedAt: testNow.Unix(), Expires: testNow.Add(voteLife).Unix(), Proposal: hash, Charter: c.charter.hash, Choice: For,
	}
	for want, change := range map[string]func(*Vote){
		"":                       func(*Vote) {},
		"under another charter":  func(v *Vote) { v.Charter = hashOf([]byte("another")) },
		"for another proposal":   func(v *Vote) { v.Proposal = hashOf([]byte("another")) },
		"the key is that of":     func(v *Vote) { v.Founder = c.charter.Founders[1].Entity },
		"older than the proposa": func(v *Vote) { v.IssuedAt-- },
		"is no vote":             func(v *Vote) { v.Choice = "perhaps" },
		"valid for":              func(v *Vote) { v.Expires++ },
	} {
		v := genuine
		change(&v)
		compact, err := signRecord(v, c.keys[0], voteType)
		if err != nil {
			t.Fatal(err)
		}
		_, err = VerifyVote(compact, &r.proposal, c.charter)
		check(t, "a vote", err, want)
	}
}

// TestKeyProofsOfOthers: a proof counts for the applicant that made it, and for the nomination that it was made for.
func TestKeyProofsOfOthers(t *testing.T) {
	c := testConstitution()
	n := newAdmission(t).nomination
	compact, err := n.Sign(c.keys[0], testNow)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		want      string
		applicant EntityID
		text      string
		at        time.Time
	}{
		{"", n.Subject, compact, testNow},
		{"it is by https://evil.example", "https://evil.example", compact, testNow},
		{"for another nomination", n.Subject, compact + "x", testNow},
		{"expired", n.Subject, compact, testNow.Add(-time.Hour)},
	} {
		proof, err := SignKeyProof(tt.applicant, anchorID, "AAAAAAAAAAAAAAAAAAAAAA", tt.text, c.member, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		_, err = VerifyKeyProof(proof, compact, &n, testNow)
		check(t, "a proof", err, tt.want)
	}
}

// TestStatementsNameAnAdmission: a decision about a member that is no admission lets nobody state it.
func TestStatementsNameAnAdmission(t *testing.T) {
	c := testConstitution()
	for _, kind := range []ProposalKind{Reinstatement, Suspension} {
		l := memberLedger(t)
		hash := mustAdd(t, l, about(t, kind, testNow.Add(2*time.Hour)))
		check(t, string(kind), l.CheckAdmission("https://hub.example", c.statement(hash), testNow.Add(3*time.Hour)), "admits nobody")
	}
}

// TestChartersThatNameNobodyTwice: one key of two parties would give one of them the other's vote.
func TestChartersThatNameNobodyTwice(t *testing.T) {
	c := testConstitution()
	for name, tt := range map[string]struct {
		change func(*Charter)
		want   string
	}{
		"two founders with one key":     {func(d *Charter) { d.Founders[1].Keys = d.Founders[0].Keys }, "is another party's too"},
		"an anchor with a founder's":    {func(d *Charter) { d.Anchors[0].Keys = d.Founders[0].Keys }, "is another party's too"},
		"a founder twice":               {func(d *Charter) { d.Founders[1].Entity = d.Founders[0].Entity }, "it stands there twice"},
		"a founder without a key":       {func(d *Charter) { d.Founders[1].Keys = jose.KeySet{} }, "it has no key"},
		"a charter without an anchor":   {func(d *Charter) { d.Anchors = nil }, "it has 0 anchors"},
		"a founder that has no name":    {func(d *Charter) { d.Founders[0].Name = "" }, "the name must have 1 to"},
		"a rule that asks for nobody":   {func(d *Charter) { d.Rules.Admission = Threshold{} }, "a rule is missing"},
		"a second version of no first":  {func(d *Charter) { d.Version = 2 }, "versions count from 1"},
		"a first version after another": {func(d *Charter) { d.Previous = c.charter.hash }, "versions count from 1"},
	} {
		d := *c.charter
		d.Founders, d.Anchors = slices.Clone(d.Founders), slices.Clone(d.Anchors)
		tt.change(&d)
		_, err := SignCharter(&d, c.keys[0])
		check(t, name, err, tt.want)
	}
}

// TestOrdersFromBeforeTheCharter: a suspension counts under the charter in which its issuer stands, and not before it.
func TestOrdersFromBeforeTheCharter(t *testing.T) {
	c := testConstitution()
	_, err := newLedger(t).Add(order(t, 1, c.founded.Add(-time.Second)))
	check(t, "an order from before the charter", err, "older than charter version 1")
	if _, err := newLedger(t).Add(order(t, 1, c.founded)); err != nil {
		t.Error(err)
	}
}
