package federation

import (
	"testing"
	"time"
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
