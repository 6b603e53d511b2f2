package federation

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const objectsURL = "https://b.example/taxii2/main/collections/x/objects/?match%5Bversion%5D=all&limit=10"

func TestRequestToken(t *testing.T) {
	n, clock := testNodes(), testNow
	v := testVerifier(t, &clock)
	for _, tt := range []struct{ method, address, body string }{
		{"GET", objectsURL, ""},
		{"GET", "https://b.example", ""},
		{"HEAD", "https://b.example/taxii2/", ""},
		{"GET", "https://B.EXAMPLE:443/a%2Fb/c%20d/?x=%20+y", ""},
		{"GET", "https://b.example/a?", ""},
		{"POST", "https://b.example/taxii2/main/collections/x/objects/", `{"objects":[]}`},
		{"POST", "https://b.example/taxii2/main/collections/x/objects/", ``},
		{"PUT", "https://b.example/x", `x`},
		{"DELETE", "https://b.example/taxii2/main/collections/x/objects/y/?match[version]=all", ``},
	} {
		r := received(t, tt.method, tt.address, tt.body, func(out *http.Request) error {
			return n.a.signer(clock).SignRequest(out, n.b.id, []byte(tt.body))
		})
		if !IsRequestToken(r.Header.Get("Authorization")) {
			t.Errorf("%s %s: IsRequestToken is false", tt.method, tt.address)
		}
		caller, err := v.Verify(r)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.address, err)
			continue
		}
		if caller.Peer.Entity != n.a.id {
			t.Errorf("%s %s: caller is %s", tt.method, tt.address, caller.Peer.Entity)
		}
		covered := tt.method != "GET" && tt.method != "HEAD"
		if (caller.CheckBody != nil) != covered {
			t.Errorf("%s: CheckBody set: %v, want %v", tt.method, caller.CheckBody != nil, covered)
		}
		if covered {
			wantReason(t, caller.CheckBody(sha256.Sum256([]byte(tt.body))), "")
			wantReason(t, caller.CheckBody(sha256.Sum256([]byte(tt.body+" "))), BadBody)
		}
	}
}

// TestBadRequestTokens changes one thing at a time of a token and a request that are right otherwise.
func TestBadRequestTokens(t *testing.T) {
	n, clock := testNodes(), testNow
	damaged := pinned(t, n.a, n.c)
	tests := []struct {
		name   string
		mutate func(c map[string]any) // the claims, before they are signed
		key    *jose.Key              // nil for a's request key
		typ    string                 // "" for the right one
		method string                 // "" for GET
		sent   string                 // "" for objectsURL
		want   Reason
	}{
		{name: "the one that the others are made from"},
		{name: "90 seconds old, exp 60 s after iat", mutate: shift(-89), want: ""},
		{name: "too old", mutate: shift(-91), want: TooOld},
		{name: "exp passed though iat is not too old", mutate: both(shift(-60), set("exp", testNow.Unix()-31)), want: Reason(jose.Expired)},
		{name: "30 seconds ahead", mutate: shift(30), want: ""},
		{name: "31 seconds ahead", mutate: shift(31), want: Reason(jose.NotYetValid)},
		{name: "exp 61 s after iat", mutate: set("exp", testNow.Unix()+61), want: BadLife},
		{name: "exp before iat", mutate: set("exp", testNow.Unix()-1), want: BadLife},
		{name: "exp equal to iat", mutate: set("exp", testNow.Unix()), want: BadLife},
		{name: "nbf in the future", mutate: set("nbf", testNow.Unix()+31), want: Reason(jose.NotYetValid)},
		{name: "nbf passed", mutate: set("nbf", testNow.Unix()-1)},
		{name: "nbf a string", mutate: set("nbf", "1"), want: Reason(jose.ClaimForm)},
		{name: "no iat", mutate: drop("iat"), want: Reason(jose.ClaimForm)},
		{name: "no exp", mutate: drop("exp"), want: Reason(jose.ClaimForm)},
		{name: "iat a string", mutate: set("iat", "1800000000"), want: Reason(jose.ClaimForm)},
		{name: "before the start", mutate: shift(-80), want: BeforeStart},

		{name: "no iss", mutate: drop("iss"), want: BadIssuer},
		{name: "iss in capitals", mutate: issuer("https://A.example"), want: BadIssuer},
		{name: "iss with a slash", mutate: issuer("https://a.example/"), want: BadIssuer},
		{name: "iss an address inside", mutate: issuer("https://169.254.169.254"), want: BadIssuer},
		{name: "sub another", mutate: set("sub", "https://c.example"), want: BadIssuer},
		{name: "no sub", mutate: drop("sub"), want: BadIssuer},
		{name: "a node on this machine", mutate: issuer("http://127.0.0.1:8080"), want: OtherWorld},
		{name: "an unknown node", mutate: issuer("https://d.example"), want: NotPinned},
		{name: "this node itself", mutate: issuer("https://b.example"), want: NotPinned},

		{name: "for another node", mutate: set("aud", "https://c.example"), want: Reason(jose.BadAudience)},
		{name: "for this node with a slash", mutate: set("aud", "https://b.example/"), want: Reason(jose.BadAudience)},
		{name: "for two nodes", mutate: set("aud", []string{"https://b.example", "https://c.example"}), want: Reason(jose.SeveralAudiences)},
		{name: "no aud", mutate: drop("aud"), want: Reason(jose.ClaimForm)},

		{name: "another method", method: "HEAD", want: BadMethod},
		{name: "htm in lower case", mutate: set("htm", "get"), want: BadMethod},
		{name: "no htm", mutate: drop("htm"), want: BadMethod},
		{name: "another path", sent: strings.Replace(objectsURL, "/x/", "/y/", 1), want: BadURL},
		{name: "another spelling of the path", sent: strings.Replace(objectsURL, "/x/", "/%78/", 1), want: BadURL},
		{name: "htu of another host", mutate: set("htu", "https://c.example/taxii2/main/collections/x/objects/"), want: BadURL},
		{name: "htu with http", mutate: set("htu", "http://b.example/taxii2/main/collections/x/objects/"), want: BadURL},
		{name: "htu with the query", mutate: set("htu", objectsURL), want: BadURL},
		{name: "no htu", mutate: drop("htu"), want: BadURL},
		{name: "another query", sent: objectsURL + "0", want: BadQuery},
		{name: "no query", sent: strings.Split(objectsURL, "?")[0], want: BadQuery},
		{name: "another spelling of the query", sent: strings.Replace(objectsURL, "%5B", "[", 1), want: BadQuery},
		{name: "no qsh", mutate: drop("qsh"), want: BadQuery},
		{name: "qsh empty", mutate: set("qsh", ""), want: BadQuery},
		{name: "bdh of a GET", mutate: set("bdh", digest(nil)), want: BadBody},
		{name: "no bdh of a POST", mutate: set("htm", "POST"), method: "POST", want: BadBody},
		{name: "no bdh of a DELETE", mutate: set("htm", "DELETE"), method: "DELETE", want: BadBody},
		{name: "bdh cut", mutate: both(set("htm", "PUT"), set("bdh", digest(nil)[:40])), method: "PUT", want: BadBody},

		{name: "no jti", mutate: drop("jti"), want: BadID},
		{name: "jti short", mutate: set("jti", "AAAA"), want: BadID},
		{name: "jti long", mutate: set("jti", strings.Repeat("A", 43)), want: BadID},
		{name: "jti with stray bits", mutate: set("jti", strings.Repeat("A", 21)+"B"), want: BadID},
		{name: "jti a number", mutate: set("jti", 7), want: BadID},

		{name: "another node's key", key: n.c.keys.Request, want: Reason(jose.UnknownKey)},
		{name: "the federation key", key: n.a.keys.Federation, want: Reason(jose.UnknownKey)},
		{name: "an entity statement", typ: statementType, want: Reason(jose.BadType)},
		{name: "an origin statement", typ: "stix-origin+jwt", want: Reason(jose.BadType)},
		{name: "oversize", mutate: set("x", strings.Repeat("x", maxRequestToken)), want: Reason(jose.Oversize)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := clock.Add(-time.Hour)
			if tt.want == BeforeStart {
				start = clock.Add(-70 * time.Second)
			}
			v, err := NewVerifier(VerifierOptions{Self: n.b.id, Peers: damaged, Now: func() time.Time { return clock }, Start: start})
			if err != nil {
				t.Fatal(err)
			}
			r := forgedRequest(t, tt.mutate, tt.key, tt.typ, tt.method, tt.sent)
			_, err = v.Verify(r)
			wantReason(t, err, tt.want)
			if err != nil && strings.Contains(err.Error(), strings.Split(r.Header.Get("Authorization"), ".")[2]) {
				t.Error("the error shows the signature")
			}
		})
	}
}

// forgedRequest signs the claims of a right GET token after a mutation.
func forgedRequest(t *testing.T, mutate func(map[string]any), key *jose.Key, typ, method, sent string) *http.Request {
	t.Helper()
	claims := map[string]any{
		"iss": "https://a.example", "sub": "https://a.example", "aud": "https://b.example",
		"iat": testNow.Unix(), "exp": testNow.Unix() + 60, "jti": strings.Repeat("A", 22), "htm": "GET",
		"htu": strings.Split(objectsURL, "?")[0], "qsh": digest([]byte(strings.Split(objectsURL, "?")[1])),
	}
	if mutate != nil {
		mutate(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	if key == nil {
		key = testNodes().a.keys.Request
	}
	if typ == "" {
		typ = requestType
	}
	token, err := jose.Sign(payload, key, typ)
	if err != nil {
		t.Fatal(err)
	}
	if method == "" {
		method = "GET"
	}
	if sent == "" {
		sent = objectsURL
	}
	return received(t, method, sent, "", func(out *http.Request) error {
		out.Header.Set("Authorization", "Bearer "+token)
		return nil
	})
}

func set(name string, value any) func(map[string]any) {
	return func(c map[string]any) { c[name] = value }
}

func drop(name string) func(map[string]any) {
	return func(c map[string]any) { delete(c, name) }
}

func issuer(id string) func(map[string]any) {
	return both(set("iss", id), set("sub", id))
}

func both(f, g func(map[string]any)) func(map[string]any) {
	return func(c map[string]any) { f(c); g(c) }
}

// shift moves iat and exp, in seconds.
func shift(seconds int64) func(map[string]any) {
	return both(set("iat", testNow.Unix()+seconds), set("exp", testNow.Unix()+seconds+60))
}

func TestAuthorizationHeader(t *testing.T) {
	n, clock := testNodes(), testNow
	v := testVerifier(t, &clock)
	sign := func(out *http.Request) error { return n.a.signer(clock).SignRequest(out, n.b.id, nil) }
	for _, tt := range []struct {
		name   string
		change func(h http.Header)
		want   Reason
	}{
		{"right", func(http.Header) {}, ""},
		{"scheme in lower case", func(h http.Header) {
			h.Set("Authorization", strings.Replace(h.Get("Authorization"), "Bearer", "bearer", 1))
		}, ""},
		{"none", func(h http.Header) { h.Del("Authorization") }, NoToken},
		{"two", func(h http.Header) { h.Add("Authorization", h.Get("Authorization")) }, NoToken},
		{"Basic", func(h http.Header) { h.Set("Authorization", "Basic YTpi") }, NoToken},
		{"scheme only", func(h http.Header) { h.Set("Authorization", "Bearer ") }, NoToken},
		{"two spaces", func(h http.Header) { h.Set("Authorization", strings.Replace(h.Get("Authorization"), " ", "  ", 1)) }, Reason(jose.Base64)},
		{"an API key", func(h http.Header) { h.Set("Authorization", "Bearer sk_abc") }, Reason(jose.NotCompact)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := received(t, "GET", objectsURL, "", sign)
			tt.change(r.Header)
			_, err := v.Verify(r)
			wantReason(t, err, tt.want)
		})
	}
}

func TestIsRequestToken(t *testing.T) {
	for header, want := range map[string]bool{
		"Bearer eyJhbGciOiJFZERTQSJ9.e30.AAAA": true, "bearer eyJ.e30.": true, "": false, "Basic eyJ.e30.A": false,
		"Bearer sk_live_abc": false, "Bearer a.b.c": false, "Bearer eyJ.e30": false, "Bearer": false, "Token eyJ.e30.A": false,
	} {
		if got := IsRequestToken(header); got != want {
			t.Errorf("IsRequestToken(%q) = %v, want %v", header, got, want)
		}
	}
}

func TestBehindProxy(t *testing.T) {
	n := testNodes()
	v, err := NewVerifier(VerifierOptions{
		Self: n.b.id, BaseURL: "https://TAXII.b.example:443", Peers: pinned(t, n.a),
		Now: func() time.Time { return testNow }, Start: testNow.Add(-time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(out *http.Request) error { return n.a.signer(testNow).SignRequest(out, n.b.id, nil) }
	r := received(t, "GET", "https://taxii.b.example/taxii2/", "", sign)
	r.Host = "10.0.0.7:8080" // what the proxy connected to says nothing
	_, err = v.Verify(r)
	wantReason(t, err, "")
	_, err = v.Verify(received(t, "GET", "https://b.example/taxii2/", "", sign))
	wantReason(t, err, BadURL)
}

func TestNewVerifierRefuses(t *testing.T) {
	for name, o := range map[string]VerifierOptions{
		"no entity":  {Peers: pins{}},
		"bad entity": {Self: "https://b.example/", Peers: pins{}},
		"no peers":   {Self: "https://b.example"},
		"bad base":   {Self: "https://b.example", BaseURL: "b.example", Peers: pins{}},
	} {
		if _, err := NewVerifier(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSignerRefusesOtherWorld(t *testing.T) {
	r := httptest.NewRequest("GET", "http://127.0.0.1:8080/", nil)
	if err := testNodes().a.signer(testNow).SignRequest(r, "http://127.0.0.1:8080", nil); err == nil {
		t.Error("a real node signed for one on this machine")
	}
}

func TestReplay(t *testing.T) {
	n, clock := testNodes(), testNow
	v := testVerifier(t, &clock)
	r := received(t, "GET", objectsURL, "", func(out *http.Request) error { return n.a.signer(clock).SignRequest(out, n.b.id, nil) })
	_, err := v.Verify(r)
	wantReason(t, err, "")
	for _, later := range []time.Duration{0, time.Second, 30 * time.Second, 89 * time.Second} {
		clock = testNow.Add(later)
		_, err = v.Verify(r)
		wantReason(t, err, Replayed)
	}
	clock = testNow.Add(91 * time.Second)
	_, err = v.Verify(r)
	wantReason(t, err, TooOld)
	// Another token makes the memory forget the first; setting the clock back does not bring it to life.
	_, err = v.Verify(received(t, "GET", objectsURL, "", func(out *http.Request) error { return n.a.signer(clock).SignRequest(out, n.b.id, nil) }))
	wantReason(t, err, "")
	clock = testNow.Add(time.Second)
	_, err = v.Verify(r)
	wantReason(t, err, Forgotten)
}

// TestReplayNotRemembered: a token with a wrong signature must not use up the jti of the right one.
func TestReplayNotRemembered(t *testing.T) {
	clock := testNow
	v := testVerifier(t, &clock)
	_, err := v.Verify(forgedRequest(t, nil, testNodes().c.keys.Request, "", "", ""))
	wantReason(t, err, Reason(jose.UnknownKey))
	_, err = v.Verify(forgedRequest(t, nil, nil, "", "", ""))
	wantReason(t, err, "")
	_, err = v.Verify(forgedRequest(t, nil, nil, "", "", ""))
	wantReason(t, err, Replayed)
}

// TestBeforeStart: what a process before this one accepted is refused by this one, though it has no memory of it.
func TestBeforeStart(t *testing.T) {
	n, clock := testNodes(), testNow
	v, err := NewVerifier(VerifierOptions{Self: n.b.id, Peers: pinned(t, n.a), Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	verify := func() error {
		_, err := v.Verify(received(t, "GET", objectsURL, "", func(out *http.Request) error { return n.a.signer(clock).SignRequest(out, n.b.id, nil) }))
		return err
	}
	wantReason(t, verify(), BeforeStart) // iat is whole seconds: it may be from before the start
	clock = clock.Add(time.Second)
	wantReason(t, verify(), "")
}

func TestOnePeerCannotEvictAnother(t *testing.T) {
	n, clock := testNodes(), testNow
	v, err := NewVerifier(VerifierOptions{
		Self: n.b.id, Peers: pinned(t, n.a, n.c), Now: func() time.Time { return clock }, Start: clock.Add(-time.Hour), TokensPerPeer: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	request := func(from testNode) *http.Request {
		return received(t, "GET", objectsURL, "", func(out *http.Request) error { return from.signer(clock).SignRequest(out, n.b.id, nil) })
	}
	first := request(n.c)
	_, err = v.Verify(first)
	wantReason(t, err, "")
	for i := range 6 {
		_, err := v.Verify(request(n.a))
		want := Reason("")
		if i >= 3 {
			want = TooMany
		}
		wantReason(t, err, want)
	}
	_, err = v.Verify(first)
	wantReason(t, err, Replayed)
	_, err = v.Verify(request(n.c))
	wantReason(t, err, "")
	clock = clock.Add(2 * time.Minute) // the peer's tokens have expired: it may go on
	_, err = v.Verify(request(n.a))
	wantReason(t, err, "")
}

// TestReplayRace sends one token from many goroutines: exactly one is accepted.
func TestReplayRace(t *testing.T) {
	clock := testNow
	v := testVerifier(t, &clock)
	requests := make([]*http.Request, 20)
	for i := range requests {
		requests[i] = forgedRequest(t, nil, nil, "", "", "")
	}
	var accepted atomic.Int32
	var wg sync.WaitGroup
	for _, r := range requests {
		wg.Go(func() {
			if _, err := v.Verify(r); err == nil {
				accepted.Add(1)
			}
		})
	}
	wg.Wait()
	if got := accepted.Load(); got != 1 {
		t.Errorf("the token was accepted %d times", got)
	}
}

type failingPeers struct{ err error }

func (f failingPeers) Peer(context.Context, EntityID) (Peer, error) { return Peer{}, f.err }

func TestPeersFail(t *testing.T) {
	broken := errors.New("the database does not answer")
	v, err := NewVerifier(VerifierOptions{Self: "https://b.example", Peers: failingPeers{broken}, Now: func() time.Time { return testNow }, Start: testNow.Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(forgedRequest(t, nil, nil, "", "", ""))
	if !errors.Is(err, broken) || ReasonOf(err) != "" {
		t.Errorf("got %v: an internal error must not look like a wrong token", err)
	}
}

func TestPeerKeysChange(t *testing.T) {
	n, clock := testNodes(), testNow
	peers := pinned(t, n.a)
	v, err := NewVerifier(VerifierOptions{Self: n.b.id, Peers: peers, Now: func() time.Time { return clock }, Start: clock.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(forgedRequest(t, nil, nil, "", "", ""))
	wantReason(t, err, "")
	p := peers[n.a.id]
	p.JWKS = n.c.peer(t).JWKS // the operator pins another key
	peers[n.a.id] = p
	other := set("jti", strings.Repeat("A", 21)+"Q")
	_, err = v.Verify(forgedRequest(t, other, nil, "", "", ""))
	wantReason(t, err, Reason(jose.UnknownKey))
	_, err = v.Verify(forgedRequest(t, other, n.c.keys.Request, "", "", ""))
	wantReason(t, err, "")
	p.JWKS = []byte(`{"keys":[]}`)
	peers[n.a.id] = p
	if _, err = v.Verify(forgedRequest(t, other, nil, "", "", "")); err == nil {
		t.Error("accepted with damaged keys")
	}
}

// TestAheadIsDurable: a token of a clock that is ahead is accepted only once it is noted durably, so that the process
// after a restart can refuse it.
func TestAheadIsDurable(t *testing.T) {
	n, clock := testNodes(), testNow.Add(time.Minute)
	var noted []time.Time
	var fail error
	v, err := NewVerifier(VerifierOptions{
		Self: n.b.id, Peers: pinned(t, n.a), Now: func() time.Time { return clock }, Start: testNow,
		OnAhead: func(_ context.Context, until time.Time) error {
			noted = append(noted, until)
			return fail
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	send := func(ahead time.Duration) error {
		_, err := v.Verify(received(t, "GET", objectsURL, "", func(out *http.Request) error {
			return n.a.signer(clock.Add(ahead)).SignRequest(out, n.b.id, nil)
		}))
		return err
	}
	wantReason(t, send(-time.Second), "")
	wantReason(t, send(0), "")
	if len(noted) != 0 {
		t.Fatalf("noted %v, though no clock is ahead", noted)
	}
	fail = errors.New("the disk is full")
	if err := send(5 * time.Second); !errors.Is(err, fail) {
		t.Errorf("accepted without a durable note: %v", err)
	}
	fail = nil
	wantReason(t, send(5*time.Second), "")
	wantReason(t, send(7*time.Second), "")
	wantReason(t, send(20*time.Second), "")
	if len(noted) != 3 { // the failed one, and two that reach far enough
		t.Fatalf("noted %d times: %v", len(noted), noted)
	}
	// The next process starts behind what was noted: none of these tokens can come again.
	if last := noted[len(noted)-1]; last.Before(clock.Add(20 * time.Second)) {
		t.Errorf("noted up to %s only", last)
	}
}
