package federation_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// peerChains keeps the chains of a node's peers.
func peerChains(f *fedtest.Federation, n *fedtest.Node, dir string, hosts ...federation.EntityID) *federation.PeerChains {
	return federation.NewPeerChains(federation.PeerChainOptions{
		Self: n.ID, HTTP: n.Client, Chain: f.ChainOptions, Dir: dir, Hosts: func(federation.EntityID) []federation.EntityID { return hosts },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// TestPeerChains: the keys and the address of a node that was never met come from its chain, follow its new keys, are kept
// over a restart, and end with its membership.
func TestPeerChains(t *testing.T) {
	f, _, _, city, firm := region(t)
	dir := t.TempDir()
	p := peerChains(f, city, dir)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if peer, err := p.Peer(t.Context(), firm.ID); err != nil || peer.APIRoot != firm.ID.DefaultAPIRoot() || peer.Until.IsZero() {
				t.Errorf("got %+v, %v", peer, err)
			}
		})
	}
	group.Wait()
	if n := city.Dialled.Load(); n != 7 { // the firm's configuration; a configuration and a statement of three superiors
		t.Errorf("%d requests were made, want 7", n)
	}
	if p.Chain(firm.ID) == nil || p.Chain(city.ID) != nil {
		t.Error("the chains at hand are not those that were found")
	}
	keysOf := func(p *federation.PeerChains) jose.KeySet {
		t.Helper()
		peer, err := p.Peer(t.Context(), firm.ID)
		if err != nil {
			t.Fatal(err)
		}
		set, err := jose.ParseKeySet(peer.JWKS)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	old := firm.Keys.Request.ID()
	firm.Keys.Request = fedtest.NewKey(t)
	if _, ok := keysOf(p).Key(old); !ok {
		t.Error("a chain is looked for before half its life is over")
	}
	f.Clock.Advance(15 * time.Hour)
	if _, ok := keysOf(p).Key(firm.Keys.Request.ID()); !ok {
		t.Error("the new request key is not taken up at half the life of the chain")
	}
	before := city.Dialled.Load()
	again := peerChains(f, city, dir)
	if keysOf(again); city.Dialled.Load() != before {
		t.Error("the chain is not kept over a restart")
	}

	f.Clock.Advance(time.Second)
	f.Decide(federation.Proposal{Kind: federation.Suspension, Subject: firm.ID, Reason: "a leak"})
	f.Clock.Advance(time.Second)
	for name, p := range map[string]*federation.PeerChains{"the same process": p, "after a restart": peerChains(f, city, dir)} {
		if _, err := p.Peer(t.Context(), firm.ID); !errors.Is(err, federation.ErrNoChain) || !strings.Contains(err.Error(), "suspended") {
			t.Errorf("%s, a suspended peer: %v", name, err)
		}
		if p.Chain(firm.ID) != nil {
			t.Errorf("%s: the chain of a suspended peer is at hand", name)
		}
	}
	f.Clock.Advance(time.Second)
	f.Decide(federation.Proposal{Kind: federation.Reinstatement, Subject: firm.ID, Reason: "it was mended"})
	f.Clock.Advance(10 * time.Second)
	keysOf(p)
}

// TestPeerChainsWhileNobodyAnswers: a chain that holds is used to its end, and the pauses between searches grow.
func TestPeerChainsWhileNobodyAnswers(t *testing.T) {
	f, _, _, city, firm := region(t)
	p := peerChains(f, city, "")
	if _, err := p.Find(t.Context(), firm.ID); err != nil {
		t.Fatal(err)
	}
	asked := 0
	city.Client.Transport = roundTripper(func(*http.Request) (*http.Response, error) { asked++; return nil, errors.New("the network is gone") })
	f.Clock.Advance(15 * time.Hour)
	for range 10 {
		if _, err := p.Find(t.Context(), firm.ID); err != nil {
			t.Fatalf("while the chain holds: %v", err)
		}
	}
	if asked != 1 {
		t.Errorf("%d requests without a pause, want 1", asked)
	}
	f.Clock.Advance(10 * time.Hour) // the chain has ended
	asked = 0
	for range 3600 {
		if _, err := p.Find(t.Context(), firm.ID); !errors.Is(err, federation.ErrNoChain) || !strings.Contains(err.Error(), "the network is gone") {
			t.Fatalf("after the end of the chain: %v", err)
		}
		f.Clock.Advance(time.Second)
	}
	if asked < 12 || asked > 24 { // 5, 10, 20 … 300 s
		t.Errorf("%d requests in an hour without an answer", asked)
	}
}

// TestPeerChainsBelieveNobody: what is found counts only as far as the anchor, the votes and the policies above allow.
func TestPeerChainsBelieveNobody(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *fedtest.Federation, hub, firm *fedtest.Node)
		want   string
	}{
		"a policy of its superior": {func(_ *fedtest.Federation, hub, _ *fedtest.Node) {
			hub.Policy = policyOf(hub.T(), `{"taxii_node":{"api_root":{"one_of":["https://other.example/taxii2/main/"]}}}`)
		}, "none of those allowed"},
		"a constraint of its superior": {func(_ *fedtest.Federation, hub, _ *fedtest.Node) {
			zero := 0
			hub.Constraints = federation.Constraints{MaxPathLength: &zero}
		}, "does not allow"},
		"no admission":     {func(_ *fedtest.Federation, _, firm *fedtest.Node) { firm.Admission = "" }, "nobody is admitted without"},
		"another's key":    {func(f *fedtest.Federation, _, firm *fedtest.Node) { firm.Keys.Federation = fedtest.NewKey(f.T) }, "neither nominated"},
		"another's anchor": {func(f *fedtest.Federation, _, _ *fedtest.Node) { f.Anchor.Keys.Federation = fedtest.NewKey(f.T) }, "no pinned anchor"},
		"no superior": {func(_ *fedtest.Federation, _, firm *fedtest.Node) {
			firm.Say = func(c *federation.NodeConfiguration) { c.Superiors = nil }
		}, "names no superior"},
		"an address elsewhere": {func(_ *fedtest.Federation, _, firm *fedtest.Node) {
			firm.Say = func(c *federation.NodeConfiguration) { c.Entity = "http://127.0.0.1:9" }
		}, "configuration of http://127.0.0.1:9"},
	} {
		t.Run(name, func(t *testing.T) {
			f, hub, _, city, firm := region(t)
			c.change(f, hub, firm)
			if _, err := peerChains(f, city, "").Peer(t.Context(), firm.ID); !errors.Is(err, federation.ErrNoChain) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	f, _, _, city, _ := region(t)
	for _, id := range []federation.EntityID{city.ID, "https://skjold.real.example"} {
		if _, err := peerChains(f, city, "").Find(t.Context(), id); !errors.Is(err, federation.ErrNoChain) || city.Dialled.Load() != 0 {
			t.Errorf("%s: %v after %d requests", id, err, city.Dialled.Load())
		}
	}
}

func policyOf(t testing.TB, text string) federation.MetadataPolicy {
	t.Helper()
	claim, err := jose.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := federation.ParseMetadataPolicy(claim, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
