package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
	"github.com/skjold-exchange/skjold/stix"
)

// thieves have copied every key of a federation but the founders' vote keys, of which they have what each case says, and
// want a node of their own to be believed by a running one that has pinned nobody.
type thieves struct {
	*processFederation
	entity federation.EntityID // of their node
	keys   federation.Keys
	jwks   jose.KeySet
	now    time.Time
}

func newThieves(t *testing.T, p *processFederation) *thieves {
	t.Helper()
	listen, err := freeAddress()
	p.must(err)
	mustRun(t, "init", "--data", p.path("thieves"), "--entity", "http://"+listen, "--listen", listen)
	th := &thieves{processFederation: p, entity: federation.EntityID("http://" + listen), now: time.Now()}
	th.keys = th.stolen("thieves")
	th.jwks, err = federation.JWKS(th.keys.Federation)
	p.must(err)
	return th
}

// stolen are the keys of a party's node.
func (th *thieves) stolen(name string) federation.Keys {
	th.t.Helper()
	keys, err := federation.LoadKeys(th.path(name, "keys"))
	th.must(err)
	return keys
}

func (th *thieves) id(name string) federation.EntityID {
	return federation.EntityID(th.parties[name].entity)
}

func (th *thieves) voteKeyOf(i int) *jose.Key {
	th.t.Helper()
	key, err := federation.LoadKey(th.voteKey(th.founders[i]))
	th.must(err)
	return key
}

// configuration is what an entity says of itself, with whatever keys.
func (th *thieves) configuration(entity federation.EntityID, keys federation.Keys, superiors ...federation.EntityID) string {
	th.t.Helper()
	c := federation.NodeConfiguration{Entity: entity, Keys: keys, APIRoot: string(entity) + "/taxii2/main/", Superiors: superiors, IssuesStatements: len(superiors) == 0}
	compact, err := c.Sign(th.now)
	th.must(err)
	return compact
}

// statement is what a party's stolen key says about an entity.
func (th *thieves) statement(by string, about federation.EntityID, keys jose.KeySet, orgID string, admission federation.Hash) string {
	th.t.Helper()
	compact, err := federation.AdmittedStatement(th.id(by), about, keys, orgID, admission).Sign(th.stolen(by).Federation, th.now)
	th.must(err)
	return compact
}

// decision is the hash of the decision that admitted a party.
func (th *thieves) decision(name string) federation.Hash {
	th.t.Helper()
	return federation.HashOf(bytes.TrimSpace(th.read(name + ".decision")))
}

func (th *thieves) read(paper string) []byte {
	th.t.Helper()
	text, err := os.ReadFile(th.paper(paper))
	th.must(err)
	return text
}

// published is the public half of a party's federation key.
func (th *thieves) published(name string) jose.KeySet {
	th.t.Helper()
	set, err := federation.JWKS(th.stolen(name).Federation)
	th.must(err)
	return set
}

// genuine is the chain of the city, as it is.
func (th *thieves) genuine() []string {
	th.t.Helper()
	return []string{
		th.configuration(th.id("city"), th.stolen("city"), th.id("hub")),
		th.statement("hub", th.id("city"), th.published("city"), th.parties["city"].orgID, th.decision("city")),
		th.statement("secretariat", th.id("hub"), th.published("hub"), th.parties["hub"].orgID, th.decision("hub")),
		th.configuration(th.id("secretariat"), th.stolen("secretariat")),
	}
}

// introduce sends a chain to the victim and returns its answer.
func (th *thieves) introduce(statements ...string) (int, string) {
	th.t.Helper()
	body, err := json.Marshal(statements)
	th.must(err)
	resp, err := http.Post(string(th.id("victim"))+federation.IntroducePath, federation.TrustChainMediaType, bytes.NewReader(body))
	th.must(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	th.must(err)
	return resp.StatusCode, string(answer)
}

// refused: the victim refuses a chain for its reason.
func (th *thieves) refused(attack, want string, statements ...string) {
	th.t.Helper()
	if status, answer := th.introduce(statements...); status != http.StatusBadRequest || !strings.Contains(answer, want) {
		th.t.Errorf("%s: answered %d %s; want a refusal with %q", attack, status, answer, want)
	}
}

// proposal is one to admit the thieves' node, with the word of one founder and all papers in order.
func (th *thieves) proposal() *federation.Proposal {
	th.t.Helper()
	n := federation.Nomination{
		Founder: federation.EntityID(th.founders[0].entity), Subject: th.entity, OrgID: "org:thieves", Name: "A harmless company", Class: "company",
		Hub: th.id("secretariat"), Keys: []string{th.keys.Federation.ID()},
		Declaration: federation.Declaration{URL: "https://thieves.example/declaration", SHA256: federation.HashOf([]byte("we declare"))},
	}
	nomination, err := n.Sign(th.voteKeyOf(0), th.now)
	th.must(err)
	proof, err := federation.SignKeyProof(th.entity, th.id("secretariat"), "AAAAAAAAAAAAAAAAAAAAAA", nomination, th.keys.Federation, th.now)
	th.must(err)
	return &federation.Proposal{Kind: federation.Admission, Charter: federation.Hash(th.charter), IssuedAt: th.now.Unix(), Nomination: nomination, KeyProof: proof}
}

// vote is a vote for the proposal in the name of a founder, by any key.
func (th *thieves) vote(p *federation.Proposal, founder int, key *jose.Key, at time.Time) string {
	th.t.Helper()
	compact, err := federation.SignVote(federation.EntityID(th.founders[founder].entity), p, federation.For, key, at)
	th.must(err)
	return compact
}

// forge writes a decision that no honest command makes, shows that it is refused where records are imported, and puts it
// among the records of the victim all the same.
func (th *thieves) forge(attack, want string, p *federation.Proposal, votes []string) federation.Hash {
	th.t.Helper()
	text, err := json.Marshal(map[string]any{"proposal": p, "votes": votes})
	th.must(err)
	record, err := stix.Canonical(text)
	th.must(err)
	hash := federation.HashOf(record)
	file := th.paper("forged." + string(hash))
	th.must(os.WriteFile(file, record, 0o600))
	code, out, errOut := runCLI(th.t.Context(), "federation", "records", "import", file, "--data", th.path("secretariat"))
	if want == "" && code != exitDone || want != "" && (code != exitFailed || !strings.Contains(errOut, want)) {
		th.t.Errorf("%s: exit code %d, want a refusal with %q\n%s%s", attack, code, want, out, errOut)
	}
	th.must(federation.RecordDir(dataDir(th.path("victim")).records()).Put(hash, record))
	return hash
}

// suspendCity puts a founder's order among the victim's records, and waits until it has read it.
func (th *thieves) suspendCity() {
	th.t.Helper()
	order := federation.SuspensionOrder{Issuer: federation.EntityID(th.founders[9].entity), Subject: th.id("city"), Reason: "a sign"}
	compact, err := order.Sign(th.voteKeyOf(9), time.Now())
	th.must(err)
	th.must(federation.RecordDir(dataDir(th.path("victim")).records()).Put(federation.HashOf([]byte(compact)), []byte(compact)))
	chain := th.genuine()
	th.eventually(20*time.Second, func() error {
		status, answer := th.introduce(chain...)
		if status != http.StatusBadRequest || !strings.Contains(answer, "is suspended") {
			return fmt.Errorf("the city is answered %d %s", status, answer)
		}
		return nil
	})
}

// forgeries are decisions to admit the thieves' node, each with what is wrong with it.
func (th *thieves) forgeries() map[string]federation.Hash {
	th.t.Helper()
	p := th.proposal()
	var genuine struct{ Votes []string }
	th.must(json.Unmarshal(th.read("city.decision"), &genuine))
	some := func(n int, key func(i int) *jose.Key) (votes []string) {
		for i := range n {
			votes = append(votes, th.vote(p, i, key(i), th.now))
		}
		return votes
	}
	own := th.voteKeyOf
	one := func(int) *jose.Key { return th.voteKeyOf(0) }
	secretariat := func(int) *jose.Key { return th.stolen("secretariat").Federation }
	hub := func(int) *jose.Key { return th.stolen("hub").Federation }
	var sixTimes []string
	for i := range 6 {
		sixTimes = append(sixTimes, th.vote(p, 0, th.voteKeyOf(0), th.now.Add(time.Duration(i)*time.Second)))
	}
	forged := map[string]federation.Hash{}
	for attack, f := range map[string]struct {
		want  string
		votes []string
	}{
		"five of ten votes":                     {"5 of 10 founders are for it", some(5, own)},
		"one founder votes six times":           {"votes more than once", sixTimes},
		"one founder in the names of six":       {"the key is that of", some(6, one)},
		"the secretariat in the names of six":   {"is no founder's", some(6, secretariat)},
		"the hub in the names of six":           {"is no founder's", some(6, hub)},
		"the votes that admitted the city":      {"for another proposal", genuine.Votes[:6]},
		"five votes, and one that was for them": {"for another proposal", append(some(5, own), genuine.Votes[9])},
		"no votes":                              {"0 of 10", []string{}},
	} {
		forged[attack] = th.forge(attack, f.want, p, f.votes)
	}
	return forged
}

// outvoted makes the second version of the charter, without six founders, and then a decision of those six under the first
// one. Its votes are genuine, and too late.
func (th *thieves) outvoted() federation.Hash {
	th.t.Helper()
	draft := []string{"federation", "charter", "propose", "--out", th.paper("second.json"), "--data", th.path("secretariat")}
	combine := []string{"federation", "charter", "combine", "--out", th.paper("charter2.json"), "--data", th.path("secretariat")}
	for i := range 6 {
		draft = append(draft, "--remove-founder", th.founders[i].entity)
	}
	mustRun(th.t, draft...)
	for i := range 7 {
		signature := th.paper(fmt.Sprintf("second.%d.sig", i))
		mustRun(th.t, "federation", "charter", "sign", th.paper("second.json"), "--key", th.voteKey(th.founders[i]), "--out", signature)
		combine = append(combine, signature)
	}
	mustRun(th.t, combine...)
	for _, name := range []string{"secretariat", "victim"} {
		mustRun(th.t, "federation", "charter", "import", th.paper("charter2.json"), "--data", th.path(name))
	}
	second, err := federation.ReadCharter(bytes.TrimSpace(th.read("charter2.json")))
	th.must(err)
	p := th.proposal()
	var votes []string
	for i := range 6 {
		votes = append(votes, th.vote(p, i, th.voteKeyOf(i), time.Unix(max(second.Charter.IssuedAt, th.now.Unix()), 0)))
	}
	return th.forge("votes under an old charter", "", p, votes)
}

// TestThievesAdmitNobody: who has stolen the keys of the secretariat and of a hub, and has fewer founders than a majority,
// gets no node believed by a running one, whatever it signs and wherever it puts it.
func TestThievesAdmitNobody(t *testing.T) {
	sequential(t)
	t.Parallel()
	p := newProcessFederationOf(t, 10, time.Hour, map[string]string{"hub": "secretariat", "city": "hub", "victim": "secretariat"})
	th := newThieves(t, p)
	outvoted := th.outvoted()
	p.start("secretariat", "victim")
	p.waitState(20*time.Second, federation.Normal, "victim")

	secretariat, hub, city := p.parties["secretariat"], p.parties["hub"], p.parties["city"]
	chain := th.genuine()
	aboutHub, top := chain[2], chain[3]
	mine := th.configuration(th.entity, th.keys, th.id("secretariat"))
	belowHub := th.configuration(th.entity, th.keys, th.id("hub"))

	// That the way is open to whom the founders admitted makes what follows mean something.
	if status, answer := th.introduce(chain...); status != http.StatusOK {
		t.Fatalf("the city is not believed: %d %s", status, answer)
	}

	th.refused("the secretariat's key without a decision", "nobody is admitted without the founders' votes",
		mine, th.statement("secretariat", th.entity, th.jwks, "org:thieves", ""), top)
	th.refused("the secretariat's key with another's decision", "the founders admitted",
		mine, th.statement("secretariat", th.entity, th.jwks, th.parties["victim"].orgID, th.decision("victim")), top)
	th.refused("the hub's key with its own decision", "the founders let",
		belowHub, th.statement("hub", th.entity, th.jwks, hub.orgID, th.decision("hub")), aboutHub, top)
	th.refused("the hub's key with the decision of a member", "the founders admitted",
		belowHub, th.statement("hub", th.entity, th.jwks, city.orgID, th.decision("city")), aboutHub, top)
	th.refused("another key for a member, by its hub", "neither nominated nor named",
		th.configuration(th.id("city"), th.keys, th.id("hub")), th.statement("hub", th.id("city"), th.jwks, city.orgID, th.decision("city")), aboutHub, top)
	th.refused("another key for the hub, by the secretariat", "neither nominated nor named",
		belowHub, th.statement("hub", th.entity, th.jwks, "", ""), th.statement("secretariat", th.id("hub"), th.jwks, hub.orgID, th.decision("hub")), top)
	th.refused("the secretariat in the place of the hub", "the founders let",
		th.configuration(th.id("city"), th.stolen("city"), th.id("secretariat")), th.statement("secretariat", th.id("city"), th.published("city"), city.orgID, th.decision("city")), top)
	th.refused("the hub as an anchor", "no pinned anchor",
		belowHub, th.statement("hub", th.entity, th.jwks, "", ""), th.configuration(th.id("hub"), th.stolen("hub")))
	th.refused("another key for the secretariat", "no pinned anchor",
		mine, th.statement("secretariat", th.entity, th.jwks, "", ""), th.configuration(federation.EntityID(secretariat.entity), th.keys))

	// Forged records among the victim's own, and after them a genuine one that shows that it has read them all.
	forged := th.forgeries()
	forged["votes under an old charter"] = outvoted
	th.suspendCity()
	for attack, hash := range forged {
		th.refused(attack, "no such record", mine, th.statement("secretariat", th.entity, th.jwks, "org:thieves", hash), top)
	}

	// A request of theirs is that of a stranger.
	r, err := http.NewRequest(http.MethodGet, string(th.id("victim"))+"/taxii2/main/collections/", nil)
	p.must(err)
	p.must((&federation.Signer{Entity: th.entity, Key: th.keys.Request}).SignRequest(r, th.id("victim"), nil))
	resp, err := http.DefaultClient.Do(r)
	p.must(err)
	p.must(resp.Body.Close())
	if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(strings.Join(resp.Header.Values("WWW-Authenticate"), " "), federation.UnknownChain) {
		t.Errorf("their request is answered %s %v", resp.Status, resp.Header)
	}
}
