package federation

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// testNow is the time of the tests' clocks, with a fraction because real clocks have one.
var testNow = time.Unix(1_800_000_000, 400_000_000)

// testNode is a node of the tests: an entity and its keys.
type testNode struct {
	id   EntityID
	keys Keys
}

// testNodes are made once per process.
var testNodes = sync.OnceValue(func() (n struct{ a, b, c testNode }) {
	node := func(id EntityID) testNode {
		var keys [2]*jose.Key
		for i := range keys {
			k, err := jose.GenerateKey(jose.EdDSA)
			if err != nil {
				panic(err)
			}
			keys[i] = k
		}
		return testNode{id, Keys{Federation: keys[0], Request: keys[1]}}
	}
	n.a, n.b, n.c = node("https://a.example"), node("https://b.example"), node("https://c.example")
	return n
})

// peer is what others pin of the node.
func (n testNode) peer(t testing.TB) Peer {
	t.Helper()
	set, err := JWKS(n.keys.Request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := set.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return Peer{Entity: n.id, JWKS: text, APIRoot: n.id.DefaultAPIRoot()}
}

func (n testNode) signer(now time.Time) *Signer {
	return &Signer{Entity: n.id, Key: n.keys.Request, Now: func() time.Time { return now }}
}

// pins is a Peers of fixed content.
type pins map[EntityID]Peer

func (p pins) Peer(_ context.Context, id EntityID) (Peer, error) {
	if peer, ok := p[id]; ok {
		return peer, nil
	}
	return Peer{}, ErrUnknownPeer
}

func pinned(t testing.TB, nodes ...testNode) pins {
	t.Helper()
	p := pins{}
	for _, n := range nodes {
		p[n.id] = n.peer(t)
	}
	return p
}

// testVerifier is that of node b, with a and c pinned and a settable clock.
func testVerifier(t testing.TB, clock *time.Time) *Verifier {
	t.Helper()
	n := testNodes()
	v, err := NewVerifier(VerifierOptions{
		Self: n.b.id, Peers: pinned(t, n.a, n.c), Now: func() time.Time { return *clock }, Start: clock.Add(-time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// received makes what a server sees of a request that a client sends.
func received(t testing.TB, method, address, body string, sign func(*http.Request) error) *http.Request {
	t.Helper()
	out, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := sign(out); err != nil {
		t.Fatal(err)
	}
	in := httptest.NewRequest(method, out.URL.RequestURI(), strings.NewReader(body))
	in.Host = out.URL.Host
	in.Header = out.Header
	return in
}

func wantReason(t testing.TB, err error, want Reason) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return
	}
	if got := ReasonOf(err); got != want {
		t.Fatalf("got %v (reason %q), want the reason %q", err, got, want)
	}
}

func sha(b []byte) [32]byte { return sha256.Sum256(b) }
