package main

import (
	"context"
	"os"
	"strings"

	"github.com/skjold-exchange/skjold/federation"
)

// admitted is what became of a proposal.
type admitted struct {
	Decision federation.Hash `json:"decision"`
	For      int             `json:"for"`
	Founders int             `json:"founders"`
}

// admit takes a party through nomination, key proof, proposal and vote. votes are in the order of the founders, "" for one
// who does not vote; the first founder nominates.
func (f *founding) admit(ctx context.Context, p party, votes []federation.Choice) (admitted, error) {
	thumbprint, err := f.skjold(ctx, "federation", "keys", "public", f.path(p.folder, "keys", federation.FederationKeyFile), "--thumbprint")
	if err == nil {
		err = f.nominate(ctx, p, p.entity, "--org-id", p.orgID, "--thumbprint", strings.TrimSpace(thumbprint))
	}
	if err == nil {
		err = f.prove(ctx, p)
	}
	if err != nil {
		return admitted{}, err
	}
	return f.decide(ctx, p.folder, votes)
}

// admitClass has the founders vote once on a class of organisations, whose members its hub states.
func (f *founding) admitClass(ctx context.Context, class party, orgIDs []string, votes []federation.Choice) (admitted, error) {
	ids, list := f.paper(class.folder+".txt"), f.paper(class.folder+".json")
	if err := os.WriteFile(ids, []byte(strings.Join(orgIDs, "\n")+"\n"), 0o644); err != nil {
		return admitted{}, err
	}
	if err := f.nominate(ctx, class, "--members", ids, "--list", list); err != nil {
		return admitted{}, err
	}
	_, err := f.skjold(ctx, f.at(f.secretariat.folder, "federation", "propose", "admission", "--nomination", f.paper(class.folder+".nomination"),
		"--list", list, "--out", f.paper(class.folder+".proposal"))...)
	if err != nil {
		return admitted{}, err
	}
	return f.decide(ctx, class.folder, votes)
}

// state has a hub state a member of a class, whose key set it was sent.
func (f *founding) state(ctx context.Context, hub string, p party, class admitted) error {
	_, err := f.skjold(ctx, f.at(hub, "federation", "statement", p.entity, "--jwks", f.paper(p.folder+".jwks"), "--org-id", p.orgID,
		"--admission", string(class.Decision), "--out", f.paper(p.folder+".statement"))...)
	return err
}

// nominate has the first founder nominate a party or a class; what names it is in more.
func (f *founding) nominate(ctx context.Context, p party, more ...string) error {
	args := f.at(f.founders[0].folder, append([]string{"federation", "nominate"}, more...)...)
	_, err := f.skjold(ctx, append(args, "--key", f.voteKey(f.founders[0]), "--name", p.name, "--class", p.class, "--hub", p.hub,
		"--declaration-url", "https://declarations.example/"+p.folder, "--declaration", f.paper(declarationFile), "--out", f.paper(p.folder+".nomination"))...)
	return err
}

// prove has the party prove its key over a nonce of the secretariat, which then makes the proposal.
func (f *founding) prove(ctx context.Context, p party) error {
	var challenge struct{ Nonce string }
	if err := f.fields(ctx, &challenge, "federation", "challenge"); err != nil {
		return err
	}
	nomination, proof := f.paper(p.folder+".nomination"), f.paper(p.folder+".proof")
	_, err := f.skjold(ctx, "federation", "prove", "--data", f.path(p.folder), "--nomination", nomination, "--anchor", f.secretariat.entity,
		"--nonce", challenge.Nonce, "--out", proof)
	if err != nil {
		return err
	}
	_, err = f.skjold(ctx, f.at(f.secretariat.folder, "federation", "propose", "admission", "--nomination", nomination, "--proof", proof,
		"--nonce", challenge.Nonce, "--out", f.paper(p.folder+".proposal"))...)
	return err
}

// decide has the founders vote for a proposal, and the secretariat make the decision.
func (f *founding) decide(ctx context.Context, paper string, votes []federation.Choice) (admitted, error) {
	proposal := f.paper(paper + ".proposal")
	args := f.at(f.secretariat.folder, "federation", "decide", "--proposal", proposal, "--out", f.paper(paper+".decision"))
	for i, choice := range votes {
		if choice == "" {
			continue
		}
		vote := f.paper(paper + "." + f.founders[i].folder + ".vote")
		if _, err := f.skjold(ctx, "federation", "vote", string(choice), "--proposal", proposal, "--key", f.voteKey(f.founders[i]), "--out", vote); err != nil {
			return admitted{}, err
		}
		args = append(args, vote)
	}
	var d admitted
	return d, f.fields(ctx, &d, args...)
}

// spread lets the nodes pin the charter, name who states them, and take all records.
func (f *founding) spread(ctx context.Context, parties []party) error {
	records := f.paper("records")
	if _, err := f.skjold(ctx, f.at(f.secretariat.folder, "federation", "records", "export", records)...); err != nil {
		return err
	}
	return f.each(ctx, parties, func(ctx context.Context, p party) error {
		settings := []string{"config", "set", "federation.charter=" + f.charter}
		if p.hub != "" {
			settings = append(settings, "federation.superiors="+p.hub)
		}
		for _, args := range [][]string{settings, {"federation", "records", "import", records}} {
			if _, err := f.skjold(ctx, append(args, "--data", f.path(p.folder))...); err != nil {
				return err
			}
		}
		return nil
	})
}
