package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
)

// municipality is a row of the shared data.
type municipality struct{ name, slug, regionCode, orgID string }

func (m municipality) entity() string { return "https://skjold." + m.slug + ".example" }

// requireMunicipalities reads the shared list of Denmark's municipalities.
func requireMunicipalities(t *testing.T) []municipality {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", "municipalities.csv")
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the list of municipalities is not beside the repository (../shared/data/municipalities.csv): %v", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var list []municipality
	for _, r := range rows[1:] {
		list = append(list, municipality{name: r[1], slug: r[3], regionCode: r[4], orgID: "cvr:" + r[7]})
	}
	return list
}

const (
	secretariatID = "https://secretariat.example"
	jointHubID    = "https://hub.kommuner.example"
)

// foundingRig is a founding whose steps end the test when they fail.
type foundingRig struct {
	*founding
	t *testing.T
}

func (f foundingRig) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// votesOf are votes for a proposal by the founders from one to before another.
func votesOf(from, to int) []federation.Choice {
	votes := make([]federation.Choice, to)
	for i := from; i < to; i++ {
		votes[i] = federation.For
	}
	return votes
}

// TestFoundingForReal founds a national federation with the commands that people use: ten founders, a secretariat, five
// regions, the joint hub of the municipalities, all municipalities by one vote, and three companies, each with a data
// directory. In the end every one of them knows all others from signed records alone.
func TestFoundingForReal(t *testing.T) {
	sequential(t)
	t.Parallel()
	municipalities := requireMunicipalities(t)
	began := time.Now()
	f := foundingRig{t: t, founding: &founding{dir: t.TempDir(), secretariat: party{folder: "secretariat", entity: secretariatID}}}
	hub := party{folder: "hub", entity: jointHubID, name: "The joint hub", orgID: "cvr:10000001", class: "hub", hub: secretariatID}
	everybody := []party{f.secretariat, hub}
	for i := range 10 {
		name := fmt.Sprintf("founder%d", i)
		f.founders = append(f.founders, founder{folder: name, entity: "https://" + name + ".example", name: fmt.Sprintf("Founder %d", i)})
		everybody = append(everybody, party{folder: name, entity: "https://" + name + ".example"})
	}
	classes := map[string]string{"vand": "company", "varme": "company", "vind": "company"}
	for _, m := range municipalities {
		classes["region"+m.regionCode] = "region"
		everybody = append(everybody, party{folder: m.slug, entity: m.entity(), name: m.name, orgID: m.orgID, hub: jointHubID})
	}
	parties := []party{hub}
	for folder, class := range classes {
		p := party{folder: folder, entity: "https://skjold." + folder + ".example", name: folder, orgID: "org:" + folder, class: class, hub: secretariatID}
		parties, everybody = append(parties, p), append(everybody, p)
	}
	f.must(f.nodes(t.Context(), everybody))
	made := time.Since(began)
	f.must(f.found(t.Context(), "Et fælles skjold"))
	for _, p := range parties {
		d, err := f.admit(t.Context(), p, votesOf(0, 6))
		if f.must(err); d.For != 6 || d.Founders != 10 {
			t.Errorf("%s: decision %+v", p.name, d)
		}
	}
	var orgIDs []string
	for _, m := range municipalities {
		orgIDs = append(orgIDs, m.orgID)
	}
	class, err := f.admitClass(t.Context(), party{folder: "class", name: "The municipalities", class: "municipality", hub: jointHubID}, orgIDs, votesOf(1, 9))
	f.must(err)
	admitted := time.Since(began)

	// Everybody gets the records, and the hub states who its municipalities are.
	f.must(f.spread(t.Context(), everybody))
	f.must(f.each(t.Context(), everybody, func(ctx context.Context, p party) error {
		if p.hub != jointHubID {
			return nil
		}
		return f.state(ctx, "hub", p, class)
	}))
	var stated []statedJSON
	f.must(f.fields(t.Context(), &stated, f.at("hub", "federation", "stated", "list")...))
	if len(stated) != len(municipalities) || !stated[0].Vouched || len(stated[0].Keys) != 1 {
		t.Errorf("the hub's node issues %d statements, want %d", len(stated), len(municipalities))
	}
	f.checkStatements(municipalities[0], class.Decision)
	f.checkDirectory(municipalities[len(municipalities)-1].slug, len(parties), len(municipalities))
	f.checkChain(municipalities[40], "https://skjold.vand.example")
	t.Logf("%d data directories in %s; founded and %d parties and %d municipalities admitted after %s; everybody knows everybody after %s",
		len(everybody), made.Round(time.Millisecond), len(parties), len(municipalities), admitted.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// checkStatements: the hub states nothing of whom the founders did not list, and nobody but the hub states anything.
func (f foundingRig) checkStatements(m municipality, class federation.Hash) {
	f.t.Helper()
	for want, args := range map[string][]string{
		"is not in the list":     {"--data", f.path("hub"), "--org-id", "cvr:99999999"},
		"issue statements about": {"--data", f.path("secretariat"), "--org-id", m.orgID},
	} {
		code, _, errOut := runCLI(f.t.Context(), append([]string{"federation", "statement", "https://skjold.fremmed.example", "--charter", f.charter,
			"--jwks", f.paper(m.slug + ".jwks"), "--admission", string(class)}, args...)...)
		if code != exitFailed || !strings.Contains(errOut, want) {
			f.t.Errorf("exit code %d, want %q in %q", code, want, errOut)
		}
	}
}

// checkDirectory: a municipality's own records say who everybody is.
func (f foundingRig) checkDirectory(name string, parties, municipalities int) {
	f.t.Helper()
	var d federation.Directory
	if err := json.Unmarshal([]byte(mustRun(f.t, "federation", "directory", "--json", "--data", f.path(name), "--charter", f.charter)), &d); err != nil {
		f.t.Fatal(err)
	}
	if len(d.Founders) != 10 || len(d.Members) != parties || len(d.Classes) != 1 || len(d.Classes[0].Members) != municipalities || len(d.Decisions) != parties+1 {
		f.t.Errorf("%d founders, %d members, %d classes, %d decisions", len(d.Founders), len(d.Members), len(d.Classes), len(d.Decisions))
	}
	for _, m := range d.Members {
		if m.Standing != federation.InGood || m.Declaration == nil || m.Issues != (string(m.Entity) == jointHubID) {
			f.t.Errorf("member %+v", m)
		}
	}
	for _, decision := range d.Decisions {
		if decision.For < 6 || len(decision.Votes) != decision.For || decision.Founders != 10 {
			f.t.Errorf("decision %+v", decision)
		}
	}
}

// checkChain: any member can verify a municipality by its trust chain and the votes behind it.
func (f foundingRig) checkChain(m municipality, other string) {
	f.t.Helper()
	mustRun(f.t, "federation", "statement", jointHubID, "--data", f.path("secretariat"), "--charter", f.charter, "--jwks", f.paper("hub.jwks"), "--out", f.paper("hub.statement"))
	configuration := func(name, entity string, superiors ...federation.EntityID) string {
		key, err := federation.LoadKey(f.path(name, "keys", "federation.jwk"))
		if err != nil {
			f.t.Fatal(err)
		}
		set, err := readKeySet(f.paper(name + ".jwks"))
		if err != nil {
			f.t.Fatal(err)
		}
		c := federation.EntityConfiguration{AuthorityHints: superiors, Statement: federation.Statement{Subject: federation.EntityID(entity), Keys: set,
			Metadata: federation.Metadata{"taxii_node": {"api_root": json.RawMessage(`"` + entity + `/taxii2/main/"`)}}}}
		compact, err := c.Sign(key, time.Now())
		if err != nil {
			f.t.Fatal(err)
		}
		return compact
	}
	read := func(name string) string {
		text, err := os.ReadFile(f.paper(name))
		if err != nil {
			f.t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	chain := func(name string, statements ...string) string {
		text, err := json.Marshal(statements)
		if err == nil {
			err = os.WriteFile(f.paper(name), text, 0o600)
		}
		if err != nil {
			f.t.Fatal(err)
		}
		return f.paper(name)
	}
	own, anchor := configuration(m.slug, m.entity(), jointHubID), configuration("secretariat", secretariatID)
	whole := chain("whole.chain", own, read(m.slug+".statement"), read("hub.statement"), anchor)
	out := mustRun(f.t, "federation", "verify", m.entity(), "--chain", whole, "--data", f.path("vand"), "--charter", f.charter)
	for _, want := range []string{"its trust chain holds until", m.orgID, "8 of 10 founders are for it", "Founder 8 (https://founder8.example) voted for it"} {
		if !strings.Contains(out, want) {
			f.t.Errorf("verify says nothing of %q:\n%s", want, out)
		}
	}
	for name, path := range map[string]string{
		"another's chain":       whole,
		"a chain without a hub": chain("short.chain", own, read(m.slug+".statement"), anchor),
	} {
		entity := m.entity()
		if path == whole {
			entity = other
		}
		code, out, _ := runCLI(f.t.Context(), "federation", "verify", entity, "--chain", path, "--data", f.path("varme"), "--charter", f.charter)
		if code != exitFailed || !strings.Contains(out, "its trust chain does not hold") {
			f.t.Errorf("%s: exit code %d\n%s", name, code, out)
		}
	}
}
