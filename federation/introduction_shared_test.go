package federation_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
)

// keptChains is what processes of a test share.
type keptChains struct {
	mu    sync.Mutex
	kept  map[federation.EntityID][]string
	until map[federation.EntityID]time.Time
	asked int
	err   error
}

func (k *keptChains) KeepChain(_ context.Context, entity federation.EntityID, statements []string, until time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept, k.until = map[federation.EntityID][]string{}, map[federation.EntityID]time.Time{}
	}
	k.kept[entity], k.until[entity] = slices.Clone(statements), until
	return k.err
}

func (k *keptChains) KeptChain(_ context.Context, entity federation.EntityID) ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	return k.kept[entity], k.err
}

// hubProcess is a process of a node: what it serves of the federation's endpoints, and what authenticates requests to it.
type hubProcess struct {
	introductions *federation.Introductions
	endpoints     http.Handler
	verifier      *federation.Verifier
}

func newHubProcess(t *testing.T, f *fedtest.Federation, n *fedtest.Node, shared federation.SharedChains) hubProcess {
	t.Helper()
	return newProcess(t, f, n, federation.IntroductionOptions{Self: n.ID, Chain: f.ChainOptions, Shared: shared})
}

func newProcess(t *testing.T, f *fedtest.Federation, n *fedtest.Node, o federation.IntroductionOptions) hubProcess {
	t.Helper()
	p := hubProcess{introductions: federation.NewIntroductions(o)}
	p.endpoints = federation.NewEndpoints(federation.EndpointOptions{
		Entity: n.ID, Ledger: func() *federation.Ledger { return f.Ledger }, Introductions: p.introductions, Chains: p.introductions.Chain, Now: f.Clock.Now,
	})
	var err error
	p.verifier, err = federation.NewVerifier(federation.VerifierOptions{Self: n.ID, Peers: nobody{}, Introductions: p.introductions, Now: f.Clock.Now, Start: f.Clock.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// nobody is pinned.
type nobody struct{}

func (nobody) Peer(context.Context, federation.EntityID) (federation.Peer, error) {
	return federation.Peer{}, federation.ErrUnknownPeer
}

// TestIntroducedToAnotherProcess holds that a member that has introduced itself to one process of a hub is known to the
// others, with the keys of its newest chain, until it is suspended; and that who has not is unknown to all.
func TestIntroducedToAnotherProcess(t *testing.T) {
	f := fedtest.New(t, fedtest.Options{Founders: 1})
	hub := f.AddHub("hub", f.Anchor)
	city, other := f.AddMember("city", hub), f.AddMember("other", hub)
	var shared keptChains
	a, b := newHubProcess(t, f, hub, &shared), newHubProcess(t, f, hub, &shared)
	introduce := func(p hubProcess, n *fedtest.Node) {
		t.Helper()
		body := `["` + strings.Join(n.Chain(), `","`) + `"]`
		r := httptest.NewRequest(http.MethodPost, string(hub.ID)+federation.IntroducePath, strings.NewReader(body))
		r.Header.Set("Content-Type", federation.TrustChainMediaType)
		w := httptest.NewRecorder()
		p.endpoints.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("introduce: %d %s", w.Code, w.Body)
		}
	}
	call := func(p hubProcess, n *fedtest.Node) error {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, string(hub.ID)+"/data", nil)
		if err := n.Signer().SignRequest(r, hub.ID, nil); err != nil {
			t.Fatal(err)
		}
		_, err := p.verifier.Verify(r)
		return err
	}
	if err := call(b, city); federation.ReasonOf(err) != federation.ChainUnknown {
		t.Errorf("before its introduction: %v", err)
	}
	introduce(a, city)
	if err := call(b, city); err != nil {
		t.Errorf("introduced to the other process: %v", err)
	}
	if until := shared.until[city.ID]; !until.After(f.Clock.Now()) || until.After(f.Clock.Now().Add(25*time.Hour)) {
		t.Errorf("its chain is kept until %s", until)
	}
	asked := shared.asked
	if err := call(b, city); err != nil || shared.asked != asked {
		t.Errorf("known by now: %v, and the others were asked %d times", err, shared.asked-asked)
	}
	// It has a new key: the process that knows the chain of before takes the new one.
	city.Keys.Request = fedtest.NewKey(t)
	if err := call(b, city); federation.ReasonOf(err) != federation.ChainUnknown {
		t.Errorf("with a key that nobody knows: %v", err)
	}
	introduce(a, city)
	if err := call(b, city); err != nil {
		t.Errorf("with its new key: %v", err)
	}
	if err := call(b, other); federation.ReasonOf(err) != federation.ChainUnknown {
		t.Errorf("who has not introduced itself: %v", err)
	}
	// A chain that is kept in another's name makes nobody that other.
	shared.kept[other.ID] = shared.kept[city.ID]
	f.Clock.Advance(3 * time.Second)
	if err := call(b, other); federation.ReasonOf(err) != federation.ChainUnknown {
		t.Errorf("by another's chain: %v", err)
	}
	f.Decide(federation.Proposal{Kind: federation.Expulsion, Subject: city.ID, Reason: "a test"})
	f.Clock.Advance(3 * time.Second)
	c := newHubProcess(t, f, hub, &shared) // has never seen it
	for i, p := range []hubProcess{a, b, c} {
		if err := call(p, city); federation.ReasonOf(err) != federation.ChainUnknown {
			t.Errorf("expelled, at process %d: %v", i, err)
		}
	}
	// What does not hold is not verified again for each request.
	asked = shared.asked
	for range 10 {
		_ = call(c, city)
	}
	if shared.asked != asked {
		t.Errorf("the chain of an expelled member was looked up %d times more", shared.asked-asked)
	}
}

// TestKnownOverARestart holds that who has introduced itself is known to the process that is started next, also while nobody
// new may come, until its chain has ended; and that who has not stays unknown.
func TestKnownOverARestart(t *testing.T) {
	f := fedtest.New(t, fedtest.Options{Founders: 1})
	hub := f.AddHub("hub", f.Anchor)
	city, other := f.AddMember("city", hub), f.AddMember("other", hub)
	var shared keptChains
	var closed error
	start := func() hubProcess {
		t.Helper()
		return newProcess(t, f, hub, federation.IntroductionOptions{Self: hub.ID, Chain: f.ChainOptions, Shared: &shared, Closed: func() error { return closed }})
	}
	introduce := func(p hubProcess, n *fedtest.Node) int {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, string(hub.ID)+federation.IntroducePath, strings.NewReader(`["`+strings.Join(n.Chain(), `","`)+`"]`))
		r.Header.Set("Content-Type", federation.TrustChainMediaType)
		w := httptest.NewRecorder()
		p.endpoints.ServeHTTP(w, r)
		return w.Code
	}
	call := func(p hubProcess, n *fedtest.Node) federation.Reason {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, string(hub.ID)+"/data", nil)
		if err := n.Signer().SignRequest(r, hub.ID, nil); err != nil {
			t.Fatal(err)
		}
		_, err := p.verifier.Verify(r)
		return federation.ReasonOf(err)
	}
	if code := introduce(start(), city); code != http.StatusOK {
		t.Fatalf("introduce: %d", code)
	}
	closed = errors.New("the revocation list is too old")
	again := start()
	if reason := call(again, city); reason != "" {
		t.Errorf("known before the restart: %s", reason)
	}
	if code := introduce(again, other); code != http.StatusServiceUnavailable {
		t.Errorf("somebody new: %d", code)
	}
	if reason := call(again, other); reason != federation.ChainUnknown {
		t.Errorf("somebody new calls: %q", reason)
	}
	f.Clock.Advance(25 * time.Hour)
	if reason := call(start(), city); reason != federation.ChainUnknown {
		t.Errorf("after the end of its chain: %q", reason)
	}
}

// TestSharedChainsFail: a database that does not answer is no wrong token, and no introduction that was taken.
func TestSharedChainsFail(t *testing.T) {
	f := fedtest.New(t, fedtest.Options{Founders: 1})
	hub := f.AddHub("hub", f.Anchor)
	city := f.AddMember("city", hub)
	shared := keptChains{err: errors.New("the database does not answer")}
	p := newHubProcess(t, f, hub, &shared)
	r := httptest.NewRequest(http.MethodGet, string(hub.ID)+"/data", nil)
	if err := city.Signer().SignRequest(r, hub.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.verifier.Verify(r); !errors.Is(err, shared.err) || federation.ReasonOf(err) != "" {
		t.Errorf("got %v", err)
	}
	body := `["` + strings.Join(city.Chain(), `","`) + `"]`
	r = httptest.NewRequest(http.MethodPost, string(hub.ID)+federation.IntroducePath, strings.NewReader(body))
	r.Header.Set("Content-Type", federation.TrustChainMediaType)
	w := httptest.NewRecorder()
	p.endpoints.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), shared.err.Error()) {
		t.Errorf("introduce: %d %s", w.Code, w.Body)
	}
}
