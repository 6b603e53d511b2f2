package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
)

// processFederation is a founded federation whose nodes are processes: a secretariat, a hub, and members below both.
type processFederation struct {
	*founding
	t       *testing.T
	parties map[string]party
	running map[string]*process
}

// newProcessFederation founds a federation of three founders and admits the parties: name to the name of its superior.
// Lists are signed and asked for every second, and chains live for life.
func newProcessFederation(t *testing.T, life time.Duration, superiors map[string]string) *processFederation {
	t.Helper()
	return newProcessFederationOf(t, 3, life, superiors)
}

// newProcessFederationOf is newProcessFederation with so many founders, all of whom are for every party.
func newProcessFederationOf(t *testing.T, founders int, life time.Duration, superiors map[string]string) *processFederation {
	t.Helper()
	p := &processFederation{t: t, parties: map[string]party{}, running: map[string]*process{}}
	p.founding = &founding{dir: t.TempDir()}
	for i := range founders {
		name := fmt.Sprintf("founder%d", i)
		p.founders = append(p.founders, founder{folder: name, entity: "https://" + name + ".example", name: name})
	}
	var parties []party
	add := func(name, hub, class string) {
		listen, err := freeAddress()
		p.must(err)
		parties = append(parties, party{folder: name, entity: "http://" + listen, listen: listen, name: name, orgID: "org:" + name, class: class, hub: hub})
		p.parties[name] = parties[len(parties)-1]
	}
	add("secretariat", "", "secretariat")
	p.secretariat = p.parties["secretariat"]
	for _, below := range []string{"secretariat", "hub"} { // superiors first
		for name, superior := range superiors {
			if superior == below {
				add(name, p.parties[superior].entity, "company")
			}
		}
	}
	p.must(p.nodes(t.Context(), parties))
	p.must(p.found(t.Context(), "A federation of processes"))
	for _, who := range parties[1:] {
		_, err := p.admit(t.Context(), who, votesOf(0, founders))
		p.must(err)
	}
	p.must(p.spread(t.Context(), parties))
	for _, who := range parties {
		_, err := p.skjold(t.Context(), "config", "set", "federation.revocation_interval=1s", "federation.poll_interval=200ms", "federation.statement_life="+life.String(),
			"--data", p.path(who.folder))
		p.must(err)
	}
	return p
}

// eventually is the function of that name, with looks that cost the processes less.
func (p *processFederation) eventually(limit time.Duration, f func() error) {
	p.t.Helper()
	eventuallyEvery(p.t, 250*time.Millisecond, limit, f)
}

func (p *processFederation) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// start runs the nodes.
func (p *processFederation) start(names ...string) {
	p.t.Helper()
	for _, name := range names {
		p.running[name] = startProcess(p.t, dataDir(p.path(name)))
	}
}

// state is what 'federation status' tells.
func (p *processFederation) state(name string) ownStateJSON {
	p.t.Helper()
	var told struct{ Federation ownStateJSON }
	if err := json.Unmarshal([]byte(mustRun(p.t, "federation", "status", "--json", "--data", p.path(name))), &told); err != nil {
		p.t.Fatal(err)
	}
	return told.Federation
}

// waitState waits until nodes are in a state, with a chain where they need one.
func (p *processFederation) waitState(limit time.Duration, want federation.State, names ...string) {
	p.t.Helper()
	for _, name := range names {
		p.eventually(limit, func() error {
			s := p.state(name)
			chained := s.Chain == nil || s.Chain.Until != "" || want == federation.Isolated
			if s.State != string(want) || !chained {
				return fmt.Errorf("%s is %+v, chain %+v; want it %s", name, s, s.Chain, want)
			}
			return nil
		})
	}
}

// follow lets one node pull the first collection of another one that is not pinned.
func (p *processFederation) follow(puller, publisher string) {
	p.t.Helper()
	mustRun(p.t, "federation", "members", "allow", firstAlias, "--data", p.path(publisher))
	mustRun(p.t, "federation", "subscribe", p.parties[publisher].entity, firstAlias, "--into", firstAlias, "--later", "--data", p.path(puller))
}

// publish puts an indicator into a node's first collection.
func (p *processFederation) publish(name string, n int) string {
	p.t.Helper()
	id := fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", n)
	text := fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern":"[ipv4-addr:value = '198.51.100.%d']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","object_marking_refs":["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"]}`, id, n%250)
	file := filepath.Join(p.t.TempDir(), "object.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	mustRun(p.t, "publish", "--data", p.path(name), "--collection", firstAlias, file)
	return id
}

// objects is how many objects a node's first collection holds.
func (p *processFederation) objects(name string) int64 {
	p.t.Helper()
	var list []collectionJSON
	if err := json.Unmarshal([]byte(mustRun(p.t, "collection", "list", "--data", p.path(name), "--json")), &list); err != nil {
		p.t.Fatal(err)
	}
	return list[0].Objects
}

func (p *processFederation) waitObjects(name string, want int64) {
	p.t.Helper()
	p.eventually(20*time.Second, func() error {
		if n := p.objects(name); n < want {
			return fmt.Errorf("%s holds %d objects, want %d\n%s", name, n, want, mustRun(p.t, "federation", "status", "--data", p.path(name)))
		}
		return nil
	})
}

// pullError is why a node's first subscription fails, "" if it does not.
func (p *processFederation) pullError(name string) string {
	p.t.Helper()
	return p.pullErrors(name)[0]
}

// pullErrors are those of all subscriptions of a node.
func (p *processFederation) pullErrors(name string) []string {
	p.t.Helper()
	var told struct{ Subscriptions []subscriptionJSON }
	if err := json.Unmarshal([]byte(mustRun(p.t, "federation", "status", "--json", "--data", p.path(name))), &told); err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for _, s := range told.Subscriptions {
		all = append(all, s.Error)
	}
	return all
}

// TestSuspensionReachesEverybody: after one founder's order, given to the secretariat alone, no node serves the member, nor
// pulls from it, and that stays so when nodes are killed and started again; the reinstatement reaches everybody as well.
func TestSuspensionReachesEverybody(t *testing.T) {
	sequential(t)
	t.Parallel()
	p := newProcessFederation(t, time.Hour, map[string]string{"hub": "secretariat", "city": "hub", "firm": "secretariat", "friend": "secretariat"})
	p.follow("city", "firm") // they never met
	p.follow("firm", "city")
	p.befriend("city", "friend") // these two are pinned
	p.start("secretariat", "hub", "city", "firm", "friend")
	p.waitState(20*time.Second, federation.Normal, "secretariat", "hub", "city", "firm", "friend")
	p.publish("firm", 1)
	p.waitObjects("city", 1)
	p.publish("city", 2)
	p.waitObjects("firm", 2)
	p.waitObjects("friend", 2) // the firm's is passed on too

	mustRun(t, "federation", "suspend", p.parties["city"].entity, "--reason", "a test", "--data", p.path("secretariat"), "--charter", p.charter,
		"--key", p.voteKey(p.founders[1]), "--out", p.paper("order"))
	suspended := func() {
		t.Helper()
		p.eventually(15*time.Second, func() error {
			for _, name := range []string{"firm", "friend"} {
				if why := p.pullError(name); !strings.Contains(why, "is suspended since") {
					return fmt.Errorf("%s's pull: %q", name, why)
				}
			}
			if why := p.pullErrors("city"); slices.Contains(why, "") {
				return fmt.Errorf("the city still pulls: %q", why)
			}
			return nil
		})
	}
	suspended()
	p.waitState(10*time.Second, federation.Isolated, "city") // its own chain does not hold
	before := p.state("secretariat").Lists[0].Seq
	for _, name := range []string{"secretariat", "firm"} { // kill -9
		p.running[name].kill()
		p.start(name)
	}
	p.publish("firm", 3)
	p.publish("city", 4)
	suspended()
	if n := p.objects("city"); n != 3 {
		t.Errorf("the suspended city holds %d objects, want the 3 from before and its own", n)
	}
	if n := p.objects("firm"); n != 3 {
		t.Errorf("the firm holds %d objects, want its own and the one from before", n)
	}
	p.eventually(10*time.Second, func() error {
		if after := p.state("secretariat").Lists[0].Seq; after <= before {
			return fmt.Errorf("the list of the secretariat was number %d before it was killed and is number %d", before, after)
		}
		return nil
	})

	mustRun(t, "federation", "reinstate", p.parties["city"].entity, "--reason", "a test", "--data", p.path("secretariat"), "--charter", p.charter, "--out", p.paper("back.proposal"))
	_, err := p.decide(t.Context(), "back", []federation.Choice{yes, yes, yes})
	p.must(err)
	p.waitState(20*time.Second, federation.Normal, "city", "firm")
	p.waitObjects("firm", 4)
	p.waitObjects("city", 4)
}

// befriend lets two nodes pin each other, and pull from each other.
func (p *processFederation) befriend(a, b string) {
	p.t.Helper()
	pairs := [][2]string{{a, b}, {b, a}}
	for _, pair := range pairs {
		file := p.paper(pair[1] + ".request.jwks")
		p.must(os.WriteFile(file, []byte(mustRun(p.t, "federation", "show", "--jwks", "--data", p.path(pair[1]))), 0o600))
		mustRun(p.t, "federation", "peer", "add", p.parties[pair[1]].entity, "--jwks", file, "--read", firstAlias, "--data", p.path(pair[0]))
	}
	for _, pair := range pairs {
		mustRun(p.t, "federation", "subscribe", p.parties[pair[1]].entity, firstAlias, "--into", firstAlias, "--data", p.path(pair[0]))
	}
}

// introduce shows a node's trust chain to another one and returns the status of the answer.
func (p *processFederation) introduce(who, to string) int {
	p.t.Helper()
	chain, err := os.Open(p.path(who, "federation", "chain.json"))
	p.must(err)
	defer chain.Close()
	answer, err := http.Post(p.parties[to].entity+federation.IntroducePath, federation.TrustChainMediaType, chain)
	p.must(err)
	p.must(answer.Body.Close())
	return answer.StatusCode
}

// TestCentreGone: without the secretariat nodes are stale, know their peers and take nobody new; without a chain they serve
// their own users and pinned peers; when the centre is back all is as before.
func TestCentreGone(t *testing.T) {
	sequential(t)
	t.Parallel()
	p := newProcessFederation(t, time.Hour, map[string]string{"hub": "secretariat", "city": "hub", "firm": "secretariat", "friend": "secretariat"})
	mustRun(t, "config", "set", "federation.statement_life=10s", "--data", p.path("hub")) // the city's chain ends first
	p.follow("firm", "city")
	p.befriend("friend", "city")
	password := p.field(mustRun(t, "client", "add", "soc", "--read", firstAlias, "--json", "--data", p.path("city")), "password")
	p.start("secretariat", "hub", "city", "firm", "friend")
	p.waitState(20*time.Second, federation.Normal, "secretariat", "hub", "city", "firm", "friend")
	p.publish("city", 1)
	p.waitObjects("firm", 1)
	p.waitObjects("friend", 1)

	p.running["secretariat"].kill()
	p.waitState(15*time.Second, federation.Stale, "firm", "friend")
	if status := p.introduce("friend", "firm"); status != http.StatusServiceUnavailable {
		t.Errorf("a stale node answers one that introduces itself with %d, want 503", status)
	}
	p.publish("city", 2) // whom the firm knows; the hub still speaks for the city
	p.waitObjects("firm", 2)

	p.running["hub"].kill()
	p.running["firm"].kill() // a restart makes nothing fresh
	p.start("firm")
	if s := p.state("firm"); s.State != string(federation.Stale) {
		t.Errorf("after a restart the firm is %+v, want it stale", s)
	}
	p.waitState(20*time.Second, federation.Isolated, "city")
	p.publish("city", 3)
	p.publish("friend", 4)
	p.waitObjects("friend", 4) // a pinned peer is served
	p.eventually(15*time.Second, func() error {
		if why := p.pullError("firm"); !strings.Contains(why, "trust chain") {
			return fmt.Errorf("the firm's pull of the isolated city: %q, want that its chain has ended", why)
		}
		if status := p.introduce("friend", "city"); status != http.StatusServiceUnavailable {
			return fmt.Errorf("the isolated city answers one that introduces itself with %d, want 503", status)
		}
		if list := mustRun(t, "federation", "quarantine", "--data", p.path("city")); !strings.Contains(list, "000000000004") || !strings.Contains(list, "resync") {
			return fmt.Errorf("what the friend published is not in the city's quarantine:\n%s", list)
		}
		return nil
	})
	if n := p.objects("firm"); n != 2 {
		t.Errorf("the firm holds %d objects; the isolated city served it", n)
	}
	out := mustRun(t, "poll", p.running["city"].url+"/taxii2/main/collections/"+firstAlias+"/", "--user", "soc", "--password", password)
	if !strings.Contains(out, "000000000003") {
		t.Errorf("the city's own users are not served: %s", out)
	}

	p.start("secretariat", "hub")
	p.waitState(30*time.Second, federation.Normal, "secretariat", "hub", "city", "firm", "friend")
	p.waitObjects("firm", 3)
	mustRun(t, "federation", "resync", "1", "--data", p.path("city"))
	p.waitObjects("city", 4)
}

// field is a member of the JSON object that a command printed.
func (p *processFederation) field(out, name string) string {
	p.t.Helper()
	var o map[string]any
	p.must(json.Unmarshal([]byte(out), &o))
	return fmt.Sprint(o[name])
}

// TestProcessesOfAnAnchor: several processes of a secretariat sign one list after another, never two of one number.
func TestProcessesOfAnAnchor(t *testing.T) {
	sequential(t)
	t.Parallel()
	p := newProcessFederation(t, time.Hour, nil)
	dir := dataDir(p.path("secretariat"))
	cfg, err := config.Load(config.LoadOptions{File: dir.config(), Env: []string{}})
	p.must(err)
	st, err := openNodeStore(t.Context(), dir, cfg)
	p.must(err)
	defer st.Close()
	log := slog.New(slog.DiscardHandler)
	keys, err := openNodeKeys(dir, log)
	p.must(err)
	entity := federation.EntityID(p.secretariat.entity)
	ctx, stop := context.WithCancel(t.Context())
	var group errgroup.Group
	defer func() { stop(); _ = group.Wait() }() // it ends with the context
	var processes []*revocations
	for range 3 {
		r := &revocations{entity: entity, store: st, members: newMembership(p.charter, dir, log), key: keys.federation, interval: time.Second, log: log, failures: func() {}}
		p.must(r.open(ctx))
		processes = append(processes, r)
		group.Go(func() error { return r.runIssuing(ctx) })
	}
	witness := federation.NewRevocations(processes[0].members.current())
	seen := func(seq int64) {
		t.Helper()
		p.eventually(20*time.Second, func() error {
			newest := int64(0)
			for _, r := range processes {
				if list := r.list(entity); list != nil {
					if _, err := witness.Accept(list.Compact(), time.Now()); err != nil && !errors.Is(err, federation.ErrOldRevocationList) {
						t.Fatal(err)
					}
					newest = max(newest, list.Seq)
				}
			}
			if newest < seq {
				return fmt.Errorf("the newest list is number %d, want %d", newest, seq)
			}
			return nil
		})
	}
	seen(4)
	if evidence := witness.Evidence(); len(evidence) > 0 {
		t.Errorf("the processes are evidence against their anchor: %v", evidence)
	}
}
