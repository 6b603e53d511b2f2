package fedtest

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/skjold-exchange/skjold/federation"
)

// nonce is what the anchor asks applicants to sign: 16 bytes, always the same in tests.
const nonce = "AAAAAAAAAAAAAAAAAAAAAA"

// declaration is every party's.
func declaration() federation.Declaration {
	sum := sha256.Sum256([]byte("we declare"))
	return federation.Declaration{
		URL: "https://declarations.example/", SHA256: federation.Hash(base64.RawURLEncoding.EncodeToString(sum[:])),
	}
}

// admit lets the founders vote a node in, below its superior.
func (f *Federation) admit(n *Node) federation.Hash {
	f.T.Helper()
	now := f.Clock.Now()
	nomination := federation.Nomination{
		Founder: f.Founders[0].ID, Subject: n.ID, OrgID: n.OrgID, Name: n.Name, Class: n.Class, Hub: n.Superior.ID,
		Keys: []string{n.Keys.Federation.ID()}, Declaration: declaration(),
	}
	text := must(nomination.Sign(f.Founders[0].Vote, now))(f.T)
	proof := must(federation.SignKeyProof(n.ID, f.Anchor.ID, nonce, text, n.Keys.Federation, now))(f.T)
	return f.Decide(federation.Proposal{Kind: federation.Admission, Nomination: text, KeyProof: proof})
}

// AdmitClass lets the founders vote in a class of members by their org_ids, whose statements the hub then issues. The
// hash of the decision is what the statements name.
func (f *Federation) AdmitClass(class string, hub *Node, orgIDs ...string) federation.Hash {
	f.T.Helper()
	list := federation.ClassList(orgIDs)
	members := f.Add(must(list.Record())(f.T))
	nomination := federation.Nomination{
		Founder: f.Founders[0].ID, Name: class, Class: class, Hub: hub.ID, Members: members, Declaration: declaration(),
	}
	text := must(nomination.Sign(f.Founders[0].Vote, f.Clock.Now()))(f.T)
	return f.Decide(federation.Proposal{Kind: federation.Admission, Nomination: text})
}

// Decide lets all founders vote for a proposal, and puts the decision into the ledger. Charter and time are set here.
func (f *Federation) Decide(p federation.Proposal) federation.Hash {
	f.T.Helper()
	now := f.Clock.Now()
	p.Charter, p.IssuedAt = f.Charter.Hash(), now.Unix()
	votes := make([]string, len(f.Founders))
	for i, founder := range f.Founders {
		votes[i] = must(federation.SignVote(founder.ID, &p, federation.For, founder.Vote, now))(f.T)
	}
	record, _, err := federation.NewDecision(&p, votes, f.Charter)
	if err != nil {
		f.T.Fatal(err)
	}
	return f.Add(record)
}
