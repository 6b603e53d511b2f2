package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

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

// founding is a federation that is founded by its commands, each party in a data directory of its own.
type founding struct {
	t       *testing.T
	dir     string
	charter string
	keys    map[string]string // thumbprint of the federation key by data directory
	voters  []string          // data directories of the founders
}

const (
	secretariatID = "https://secretariat.example"
	jointHubID    = "https://hub.kommuner.example"
)

func (f *founding) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

// try is a command whose failure is an error, for work that is done side by side.
func (f *founding) try(args ...string) (string, error) {
	code, out, errOut := runCLI(f.t.Context(), args...)
	if code != exitDone {
		return out, fmt.Errorf("skjold %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out, nil
}

// each does something for every party, as many at once as there are processors.
func (f *founding) each(names []string, do func(name string) error) {
	f.t.Helper()
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range names {
		group.Go(func() error { return do(name) })
	}
	if err := group.Wait(); err != nil {
		f.t.Fatal(err)
	}
}

// field is a member of the JSON object that a command printed.
func (f *founding) field(out, name string) string {
	f.t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(out), &o); err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
	return fmt.Sprint(o[name])
}

// nodes makes a data directory for each of the entities.
func (f *founding) nodes(entities map[string]string) {
	f.t.Helper()
	var names []string
	for name := range entities {
		names = append(names, name)
	}
	thumbprints := make(chan [2]string, len(names))
	f.each(names, func(name string) error {
		out, err := f.try("init", "--data", f.path(name), "--entity", entities[name], "--json")
		if err != nil {
			return err
		}
		var made initJSON
		if err := json.Unmarshal([]byte(out), &made); err != nil {
			return err
		}
		thumbprints <- [2]string{name, made.Thumbprint}
		set, err := f.try("federation", "keys", "public", f.path(name, "keys", "federation.jwk"))
		if err != nil {
			return err
		}
		return os.WriteFile(f.path(name+".jwks"), []byte(set), 0o600)
	})
	close(thumbprints)
	for pair := range thumbprints {
		f.keys[pair[0]] = pair[1]
	}
}

// found makes the charter that all founders sign.
func (f *founding) found() {
	f.t.Helper()
	args := []string{"federation", "found", "--name", "Et fælles skjold", "--add-anchor", secretariatID + "," + f.path("secretariat.jwks"), "--out", f.path("draft.json"), "--json"}
	for i, name := range f.voters {
		mustRun(f.t, "federation", "keys", "new", f.path(name, "keys", "vote.jwk"))
		set := mustRun(f.t, "federation", "keys", "public", f.path(name, "keys", "vote.jwk"))
		if err := os.WriteFile(f.path(name+".vote.jwks"), []byte(set), 0o600); err != nil {
			f.t.Fatal(err)
		}
		args = append(args, "--add-founder", fmt.Sprintf("https://founder%d.example,%s,Founder %d", i, f.path(name+".vote.jwks"), i))
	}
	f.charter = f.field(mustRun(f.t, args...), "charter")
	combine := []string{"federation", "charter", "combine", "--out", f.path("charter.json")}
	for _, name := range f.voters {
		mustRun(f.t, "federation", "charter", "sign", f.path("draft.json"), "--data", f.path(name), "--out", f.path(name+".sig"))
		combine = append(combine, f.path(name+".sig"))
	}
	mustRun(f.t, combine...)
	mustRun(f.t, "federation", "charter", "import", f.path("charter.json"), "--data", f.path("secretariat"), "--charter", f.charter)
	mustRun(f.t, "federation", "charter", "import", f.path("charter.json"), "--data", f.path(f.voters[0]), "--charter", f.charter)
}

// decide has founders vote for a proposal, and returns the hash of the decision.
func (f *founding) decide(proposal string, voters []string) string {
	f.t.Helper()
	args := []string{"federation", "decide", "--data", f.path("secretariat"), "--charter", f.charter, "--proposal", proposal, "--out", proposal + ".decision", "--json"}
	for _, name := range voters {
		vote := proposal + "." + name + ".vote"
		mustRun(f.t, "federation", "vote", "for", "--data", f.path(name), "--proposal", proposal, "--out", vote)
		args = append(args, vote)
	}
	return f.field(mustRun(f.t, args...), "decision")
}

// admit takes a party through nomination, key proof, proposal and vote.
func (f *founding) admit(name, entity, orgID, class, hub string) {
	f.t.Helper()
	declaration := "https://" + name + ".example/declaration"
	mustRun(f.t, "federation", "nominate", entity, "--data", f.path(f.voters[0]), "--charter", f.charter, "--org-id", orgID, "--name", name, "--class", class, "--hub", hub,
		"--thumbprint", f.keys[name], "--declaration-url", declaration, "--declaration", f.path("draft.json"), "--out", f.path(name+".nomination"))
	nonce := f.field(mustRun(f.t, "federation", "challenge", "--json"), "nonce")
	mustRun(f.t, "federation", "prove", "--data", f.path(name), "--nomination", f.path(name+".nomination"), "--anchor", secretariatID, "--nonce", nonce, "--out", f.path(name+".proof"))
	mustRun(f.t, "federation", "propose", "admission", "--data", f.path("secretariat"), "--charter", f.charter, "--nomination", f.path(name+".nomination"),
		"--proof", f.path(name+".proof"), "--nonce", nonce, "--out", f.path(name+".proposal"))
	f.decide(f.path(name+".proposal"), f.voters[:6])
}

// TestFoundingForReal founds a national federation with the commands that people use: ten founders, a secretariat, five
// regions, the joint hub of the municipalities, all municipalities by one vote, and three companies, each with a data
// directory. In the end every one of them knows all others from signed records alone.
func TestFoundingForReal(t *testing.T) {
	sequential(t)
	t.Parallel()
	municipalities := requireMunicipalities(t)
	began := time.Now()
	f := &founding{t: t, dir: t.TempDir(), keys: map[string]string{}}
	entities := map[string]string{"secretariat": secretariatID, "hub": jointHubID}
	for i := range 10 {
		name := fmt.Sprintf("founder%d", i)
		f.voters = append(f.voters, name)
		entities[name] = "https://" + name + ".example"
	}
	parties := map[string]string{} // regions and companies: their class
	for _, m := range municipalities {
		entities[m.slug] = m.entity()
		parties["region"+m.regionCode] = "region"
	}
	for _, name := range []string{"vand", "varme", "vind"} {
		parties[name] = "company"
	}
	for name := range parties {
		entities[name] = "https://skjold." + name + ".example"
	}
	f.nodes(entities)
	made := time.Since(began)
	f.found()

	f.admit("hub", jointHubID, "cvr:10000001", "hub", secretariatID)
	for name, class := range parties {
		f.admit(name, entities[name], "org:"+name, class, secretariatID)
	}
	class := f.admitClass(municipalities)
	admitted := time.Since(began)

	// Everybody gets the records, and the hub states who its municipalities are.
	mustRun(t, "federation", "records", "export", f.path("records"), "--data", f.path("secretariat"), "--charter", f.charter)
	var everybody []string
	for name := range entities {
		everybody = append(everybody, name)
	}
	f.each(everybody, func(name string) error {
		_, err := f.try("federation", "records", "import", f.path("records"), "--data", f.path(name), "--charter", f.charter)
		return err
	})
	bySlug := map[string]municipality{}
	var slugs []string
	for _, m := range municipalities {
		bySlug[m.slug], slugs = m, append(slugs, m.slug)
	}
	f.each(slugs, func(slug string) error {
		m := bySlug[slug]
		_, err := f.try("federation", "statement", m.entity(), "--data", f.path("hub"), "--charter", f.charter, "--jwks", f.path(slug+".jwks"), "--org-id", m.orgID,
			"--admission", class, "--out", f.path(slug+".statement"))
		return err
	})
	f.checkStatements(municipalities[0], class)
	f.checkDirectory(municipalities[len(municipalities)-1].slug, len(parties)+1, len(municipalities))
	f.checkChain(municipalities[40], entities["vand"])
	t.Logf("%d data directories in %s; founded and %d parties and %d municipalities admitted after %s; everybody knows everybody after %s",
		len(entities), made.Round(time.Millisecond), len(parties)+1, len(municipalities), admitted.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// admitClass admits all municipalities by one vote.
func (f *founding) admitClass(municipalities []municipality) string {
	f.t.Helper()
	var ids strings.Builder
	for _, m := range municipalities {
		fmt.Fprintln(&ids, m.orgID)
	}
	if err := os.WriteFile(f.path("ids.txt"), []byte(ids.String()), 0o600); err != nil {
		f.t.Fatal(err)
	}
	mustRun(f.t, "federation", "nominate", "--members", f.path("ids.txt"), "--list", f.path("members.json"), "--data", f.path(f.voters[0]), "--charter", f.charter,
		"--name", "The municipalities", "--class", "municipality", "--hub", jointHubID, "--declaration-url", "https://kl.example/declaration",
		"--declaration", f.path("draft.json"), "--out", f.path("class.nomination"))
	mustRun(f.t, "federation", "propose", "admission", "--data", f.path("secretariat"), "--charter", f.charter, "--nomination", f.path("class.nomination"),
		"--list", f.path("members.json"), "--out", f.path("class.proposal"))
	return f.decide(f.path("class.proposal"), f.voters[1:9])
}

// checkStatements: the hub states nothing of whom the founders did not list, and nobody but the hub states anything.
func (f *founding) checkStatements(m municipality, class string) {
	f.t.Helper()
	for want, args := range map[string][]string{
		"is not in the list":     {"--data", f.path("hub"), "--org-id", "cvr:99999999"},
		"issue statements about": {"--data", f.path("secretariat"), "--org-id", m.orgID},
	} {
		code, _, errOut := runCLI(f.t.Context(), append([]string{"federation", "statement", "https://skjold.fremmed.example", "--charter", f.charter,
			"--jwks", f.path(m.slug + ".jwks"), "--admission", class}, args...)...)
		if code != exitFailed || !strings.Contains(errOut, want) {
			f.t.Errorf("exit code %d, want %q in %q", code, want, errOut)
		}
	}
}

// checkDirectory: a municipality's own records say who everybody is.
func (f *founding) checkDirectory(name string, parties, municipalities int) {
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
func (f *founding) checkChain(m municipality, other string) {
	f.t.Helper()
	mustRun(f.t, "federation", "statement", jointHubID, "--data", f.path("secretariat"), "--charter", f.charter, "--jwks", f.path("hub.jwks"), "--out", f.path("hub.statement"))
	configuration := func(name, entity string, superiors ...federation.EntityID) string {
		key, err := federation.LoadKey(f.path(name, "keys", "federation.jwk"))
		if err != nil {
			f.t.Fatal(err)
		}
		set, err := readKeySet(f.path(name + ".jwks"))
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
		text, err := os.ReadFile(f.path(name))
		if err != nil {
			f.t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	chain := func(name string, statements ...string) string {
		text, err := json.Marshal(statements)
		if err == nil {
			err = os.WriteFile(f.path(name), text, 0o600)
		}
		if err != nil {
			f.t.Fatal(err)
		}
		return f.path(name)
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
