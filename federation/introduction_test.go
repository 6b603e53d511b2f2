package federation_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
)

// guard serves /data to callers that the node authenticates, and tells others to introduce themselves.
func guard(f *fedtest.Federation, n *fedtest.Node) *federation.Verifier {
	v := n.Verifier(nil)
	n.Mux.HandleFunc("/data", func(w http.ResponseWriter, r *http.Request) {
		caller, err := v.Verify(r)
		if err == nil && caller.CheckBody != nil {
			var body []byte
			if body, err = io.ReadAll(r.Body); err == nil {
				err = caller.CheckBody(sha256.Sum256(body))
			}
		}
		if err != nil {
			w.Header().Set("Date", f.Clock.Now().UTC().Format(http.TimeFormat))
			if federation.ReasonOf(err) == federation.ChainUnknown {
				w.Header().Set("WWW-Authenticate", `Bearer realm="TAXII", error="unknown_chain"`)
			}
			http.Error(w, string(federation.ReasonOf(err)), http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, string(caller.Peer.Entity))
	})
	return v
}

// client of a node, to another that it may never have met.
func client(from, to *fedtest.Node, chain func() []string) *http.Client {
	return &http.Client{Transport: federation.NewTransport(federation.TransportOptions{
		Signer: from.Signer(), Callee: to.ID, Base: from.Client.Transport, Chain: chain,
	})}
}

func send(t testing.TB, c *http.Client, method, address, body string) (status int, text string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(answer)), nil
}

// TestStrangersMeet: two members that have never met, under different hubs, with nothing configured but the anchor.
func TestStrangersMeet(t *testing.T) {
	f, _, _, city, firm := region(t)
	guard(f, firm)
	c := client(city, firm, city.Chain)
	for i, method := range []string{"GET", "POST", "GET"} {
		status, text, err := send(t, c, method, string(firm.ID)+"/data?x=1", "body")
		if err != nil || status != 200 || text != string(city.ID) {
			t.Fatalf("request %d: %d %q %v", i, status, text, err)
		}
	}
	if n := city.Dialled.Load(); n != 5 { // refused, introduced, repeated; then one each
		t.Errorf("the city made %d requests, want 5", n)
	}
	for _, n := range f.Nodes {
		if n != city && n.Dialled.Load() != 0 {
			t.Errorf("%s made %d requests of its own", n.Name, n.Dialled.Load())
		}
	}
	f.Clock.Advance(24*time.Hour + time.Second)
	if status, text, err := send(t, client(city, firm, nil), "GET", string(firm.ID)+"/data", ""); err != nil || status != 401 || text != string(federation.ChainUnknown) {
		t.Errorf("after the end of the chain: %d %q %v", status, text, err)
	}
	if status, _, err := send(t, c, "GET", string(firm.ID)+"/data", ""); err != nil || status != 200 {
		t.Errorf("introduced again: %d %v", status, err)
	}
	city.Keys.Request = fedtest.NewKey(t)
	if status, text, err := send(t, client(city, firm, city.Chain), "GET", string(firm.ID)+"/data", ""); err != nil || status != 200 {
		t.Errorf("with a new request key: %d %q %v", status, text, err)
	}
}

// TestIntroducedAgain: a node that says something else of itself than when it was introduced shows it when it is refused,
// once, and a refusal stays one where that changes nothing.
func TestIntroducedAgain(t *testing.T) {
	f, _, _, city, firm := region(t)
	v := firm.Verifier(nil)
	asked := 0
	firm.Mux.HandleFunc("/data", func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Date", f.Clock.Now().UTC().Format(http.TimeFormat))
		caller, err := v.Verify(r)
		switch {
		case err != nil:
			w.Header().Set("WWW-Authenticate", `Bearer realm="TAXII", error="unknown_chain"`)
			w.WriteHeader(http.StatusUnauthorized)
		case firm.Introductions.Chain(caller.Peer.Entity).Configuration.Metadata.Text("taxii_node", "organization_name") != "New name":
			w.WriteHeader(http.StatusNotFound)
		}
	})
	c := client(city, firm, city.Chain)
	get := func() int {
		t.Helper()
		asked = 0
		status, _, err := send(t, c, "GET", string(firm.ID)+"/data", "")
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	for i, want := range []int{2, 1, 1} { // it is introduced with the first
		if status := get(); status != 404 || asked != want {
			t.Errorf("request %d: %d after %d", i, status, asked)
		}
	}
	city.Say = func(c *federation.NodeConfiguration) { c.Organization = "Other name" }
	for i, want := range []int{2, 1} {
		if status := get(); status != 404 || asked != want {
			t.Errorf("another name, request %d: %d after %d", i, status, asked)
		}
	}
	city.Say = func(c *federation.NodeConfiguration) { c.Organization = "New name" }
	for i, want := range []int{2, 1} {
		if status := get(); status != 200 || asked != want {
			t.Errorf("the new name, request %d: %d after %d", i, status, asked)
		}
	}
}

// TestNobodyIsBelievedWithout tries chains that must not count, and that the caller is told why.
func TestNobodyIsBelievedWithout(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *fedtest.Federation, city *fedtest.Node)
		chain  func(f *fedtest.Federation, city *fedtest.Node) []string
		want   string
	}{
		"a chain":             {chain: func(*fedtest.Federation, *fedtest.Node) []string { return []string{} }, want: "at least"},
		"a chain of its own":  {chain: func(_ *fedtest.Federation, n *fedtest.Node) []string { return n.Chain()[:2] }, want: "at least"},
		"the founders' votes": {change: func(_ *fedtest.Federation, n *fedtest.Node) { n.Admission = "" }, want: "nobody is admitted without"},
		"its own decision":    {change: func(_ *fedtest.Federation, n *fedtest.Node) { n.Admission = n.Superior.Admission }, want: "the founders"},
		"the nominated key":   {change: func(_ *fedtest.Federation, n *fedtest.Node) { n.Keys.Federation = fedtest.NewKey(n.T()) }, want: "neither nominated"},
		"its superior's word": {change: func(_ *fedtest.Federation, n *fedtest.Node) { n.Superior.Keys.Federation = fedtest.NewKey(n.T()) }, want: "neither nominated"},
		"the anchor's key":    {change: func(f *fedtest.Federation, _ *fedtest.Node) { f.Anchor.Keys.Federation = fedtest.NewKey(f.T) }, want: "no pinned anchor"},
		"a legal identity":    {change: func(_ *fedtest.Federation, n *fedtest.Node) { n.OrgID = "cvr:00000000" }, want: "the founders admitted"},
		"another's superior":  {change: func(f *fedtest.Federation, n *fedtest.Node) { n.Superior = f.Anchor }, want: "let"},
		"standing, while suspended": {change: func(f *fedtest.Federation, n *fedtest.Node) {
			f.Clock.Advance(time.Second)
			order, err := federation.SuspensionOrder{Issuer: f.Founders[0].ID, Subject: n.ID, Reason: "a leak"}.Sign(f.Founders[0].Vote, f.Clock.Now())
			if err != nil {
				f.T.Fatal(err)
			}
			f.Add([]byte(order))
		}, want: "suspended"},
		"being another": {chain: func(f *fedtest.Federation, _ *fedtest.Node) []string { return f.Nodes[len(f.Nodes)-1].Chain() }, want: "no partners"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, _, city, firm := region(t)
			guard(f, firm)
			if c.change != nil {
				c.change(f, city)
			}
			chain := city.Chain
			if c.chain != nil {
				chain = func() []string { return c.chain(f, city) }
			}
			_, _, err := send(t, client(city, firm, chain), "GET", string(firm.ID)+"/data", "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if firm.Introductions.Len() != 0 || firm.Dialled.Load() != 0 {
				t.Errorf("%d remembered, %d requests of its own", firm.Introductions.Len(), firm.Dialled.Load())
			}
		})
	}
}

// TestIntroductionEnds: a node that was introduced is refused within two seconds of its suspension, while its chain lives.
func TestIntroductionEnds(t *testing.T) {
	f, _, _, city, firm := region(t)
	v := guard(f, firm)
	call := func() error {
		r := httptest.NewRequest("GET", "/data", nil)
		r.URL.Scheme, r.URL.Host, r.Host = "http", strings.TrimPrefix(string(firm.ID), "http://"), strings.TrimPrefix(string(firm.ID), "http://")
		if err := city.Signer().SignRequest(r, firm.ID, nil); err != nil {
			t.Fatal(err)
		}
		_, err := v.Verify(r)
		return err
	}
	if err := call(); federation.ReasonOf(err) != federation.ChainUnknown {
		t.Fatalf("before the introduction: %v", err)
	}
	if _, err := firm.Introductions.Introduce(city.Chain()); err != nil {
		t.Fatal(err)
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	f.Clock.Advance(time.Second)
	f.Decide(federation.Proposal{Kind: federation.Suspension, Subject: city.ID, Reason: "a leak"})
	f.Clock.Advance(2 * time.Second)
	if err := call(); federation.ReasonOf(err) != federation.ChainUnknown {
		t.Errorf("after its suspension: %v", err)
	}
}

// TestIntroducedReplay: a request that was introduced is as little repeatable as a pinned peer's: not to the same node,
// to another node, path, query or with another body.
func TestIntroducedReplay(t *testing.T) {
	_, _, inner, city, firm := region(t)
	type served struct {
		node *fedtest.Node
		v    *federation.Verifier
	}
	var nodes []served
	for _, n := range []*fedtest.Node{firm, inner} {
		if _, err := n.Introductions.Introduce(city.Chain()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, served{n, n.Verifier(nil)})
	}
	signed, err := http.NewRequest("POST", string(firm.ID)+"/data?x=1", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	if err := city.Signer().SignRequest(signed, firm.ID, []byte("body")); err != nil {
		t.Fatal(err)
	}
	arrive := func(s served, method, target, body string) error {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header = signed.Header.Clone()
		caller, err := s.v.Verify(r)
		if err == nil && caller.CheckBody != nil {
			err = caller.CheckBody(sha256.Sum256([]byte(body)))
		}
		return err
	}
	for _, attempt := range []struct {
		to                   served
		method, target, body string
		want                 federation.Reason
	}{
		{nodes[1], "POST", "/data?x=1", "body", "audience"},
		{nodes[0], "POST", "/other?x=1", "body", federation.BadURL},
		{nodes[0], "POST", "/data?x=2", "body", federation.BadQuery},
		{nodes[0], "POST", "/data?x=1&y=2", "body", federation.BadQuery},
		{nodes[0], "PUT", "/data?x=1", "body", federation.BadMethod},
		{nodes[0], "POST", "/data?x=1", "body", ""},
		{nodes[0], "POST", "/data?x=1", "body", federation.Replayed},
		{nodes[0], "POST", "/data?x=1", "another", federation.Replayed},
	} {
		if err := arrive(attempt.to, attempt.method, attempt.target, attempt.body); federation.ReasonOf(err) != attempt.want || (err == nil) != (attempt.want == "") {
			t.Errorf("%s %s: got %v, want %q", attempt.method, attempt.target, err, attempt.want)
		}
	}
	if err := city.Signer().SignRequest(signed, firm.ID, []byte("body")); err != nil {
		t.Fatal(err)
	}
	if err := arrive(nodes[0], "POST", "/data?x=1", "another body"); federation.ReasonOf(err) != federation.BadBody {
		t.Errorf("another body: %v", err)
	}
}

// TestIntroductionsAreBounded: a hub fills its own share, active nodes are not forgotten for others, and idle ones are.
func TestIntroductionsAreBounded(t *testing.T) {
	f := fedtest.New(t, fedtest.Options{Founders: 1})
	hub := f.AddHub("hub", f.Anchor)
	var below []*fedtest.Node
	for i := range 3 {
		below = append(below, f.AddMember(fmt.Sprintf("member %d", i), hub))
	}
	other := f.AddMember("elsewhere", f.Anchor)
	in := federation.NewIntroductions(federation.IntroductionOptions{Self: f.Anchor.ID, Chain: f.ChainOptions, Capacity: 3, PerSuperior: 2})
	introduce := func(n *fedtest.Node) error {
		_, err := in.Introduce(n.Chain())
		return err
	}
	for _, n := range below[:2] {
		if err := introduce(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := introduce(below[2]); err == nil || !strings.Contains(err.Error(), federation.ErrManyIntroductions.Error()) {
		t.Errorf("the hub takes more than its share: %v", err)
	}
	if err := introduce(other); err != nil {
		t.Errorf("the hub takes another's share: %v", err)
	}
	if err := introduce(below[0]); err != nil || in.Len() != 3 {
		t.Errorf("introduced again: %v, %d are remembered", err, in.Len())
	}
	if err := introduce(hub); err == nil {
		t.Error("an active node was forgotten for another")
	}
	f.Clock.Advance(3 * time.Minute)
	if in.Chain(other.ID) == nil { // it calls
		t.Error("a node that is idle was forgotten for nobody")
	}
	for _, n := range []*fedtest.Node{below[2], hub} {
		if err := introduce(n); err != nil {
			t.Errorf("an idle node is not forgotten for another: %v", err)
		}
	}
	if in.Len() != 3 || in.Chain(other.ID) == nil || in.Chain(below[1].ID) != nil || in.Chain(below[0].ID) != nil {
		t.Errorf("%d are remembered, or not those that were used last", in.Len())
	}
}

// TestIntroduceEndpoint: what is no chain, too much, or too often.
func TestIntroduceEndpoint(t *testing.T) {
	_, _, _, city, firm := region(t)
	address := string(firm.ID) + federation.IntroducePath
	chain, err := json.Marshal(city.Chain())
	if err != nil {
		t.Fatal(err)
	}
	post := func(mediaType, body string) answer {
		return ask(t, "POST", address, strings.NewReader(body), "Content-Type", mediaType)
	}
	const right = "application/trust-chain+json"
	post("application/json", string(chain)).wantError(t, 415, "invalid_request")
	post("", string(chain)).wantError(t, 415, "invalid_request")
	post(right, "").wantError(t, 400, "invalid_trust_chain")
	post(right, "{}").wantError(t, 400, "invalid_trust_chain")
	post(right, "[]").wantError(t, 400, "invalid_trust_chain")
	post(right, `["a.b.c","a.b.c","a.b.c"]`).wantError(t, 400, "invalid_trust_chain")
	post(right, strings.Repeat(" ", 70<<10)).wantError(t, 413, "invalid_request")
	ask(t, "POST", address, io.MultiReader(strings.NewReader(strings.Repeat(" ", 70<<10))), "Content-Type", right).wantError(t, 413, "invalid_request")
	ask(t, "GET", address, nil).wantError(t, 405, "invalid_request")
	for range 2 {
		var told struct {
			Entity federation.EntityID
		}
		if err := json.Unmarshal([]byte(post(right+"; charset=utf-8", string(chain)).want(t, "application/json")), &told); err != nil || told.Entity != city.ID {
			t.Errorf("introduced %q: %v", told.Entity, err)
		}
	}
	if firm.Introductions.Len() != 1 || firm.Dialled.Load() != 0 {
		t.Errorf("%d remembered, %d requests of its own", firm.Introductions.Len(), firm.Dialled.Load())
	}
}

// TestIntroduceRate: an address that introduces too often is told how long to wait, before its body is read; the others
// are served.
func TestIntroduceRate(t *testing.T) {
	f, _, _, city, firm := region(t)
	chain, err := json.Marshal(city.Chain())
	if err != nil {
		t.Fatal(err)
	}
	e := federation.NewEndpoints(federation.EndpointOptions{
		Entity: firm.ID, Introductions: firm.Introductions, IntroductionRate: 2, Now: f.Clock.Now,
	})
	post := func(address string, body io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", federation.IntroducePath, body)
		r.Header.Set("Content-Type", federation.TrustChainMediaType)
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w
	}
	for _, want := range []int{200, 200, 429} {
		if w := post("192.0.2.1:1", strings.NewReader(string(chain))); w.Code != want {
			t.Fatalf("got %d %s, want %d", w.Code, w.Body, want)
		}
	}
	read := false
	w := post("192.0.2.1:2", readerFunc(func([]byte) (int, error) { read = true; return 0, io.EOF }))
	if w.Code != 429 || w.Header().Get("Retry-After") != "30" || read {
		t.Errorf("got %d %s, Retry-After %q, body read: %t", w.Code, w.Body, w.Header().Get("Retry-After"), read)
	}
	if w := post("192.0.2.2:1", strings.NewReader(string(chain))); w.Code != 200 {
		t.Errorf("another address: %d %s", w.Code, w.Body)
	}
	f.Clock.Advance(30 * time.Second)
	if w := post("192.0.2.1:1", strings.NewReader(string(chain))); w.Code != 200 {
		t.Errorf("after the wait: %d %s", w.Code, w.Body)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// BenchmarkVerify is what a request costs the node that is asked, and what an introduction costs.
func BenchmarkVerify(b *testing.B) {
	f := fedtest.New(b, fedtest.Options{})
	hub := f.AddHub("hub", f.Anchor)
	city, firm := f.AddMember("city", hub), f.AddMember("firm", hub)
	chain := city.Chain()
	if _, err := firm.Introductions.Introduce(chain); err != nil {
		b.Fatal(err)
	}
	b.Run("request of an introduced node", func(b *testing.B) {
		v := firm.Verifier(nil)
		for b.Loop() {
			b.StopTimer()
			f.Clock.Advance(20 * time.Millisecond) // 50 requests a second
			r := httptest.NewRequest("GET", string(firm.ID)+"/data", nil)
			if err := city.Signer().SignRequest(r, firm.ID, nil); err != nil {
				b.Fatal(err)
			}
			if firm.Introductions.Chain(city.ID) == nil {
				if _, err := firm.Introductions.Introduce(city.Chain()); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
			if _, err := v.Verify(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("introduction", func(b *testing.B) {
		chain := city.Chain()
		for b.Loop() {
			in := federation.NewIntroductions(federation.IntroductionOptions{Self: firm.ID, Chain: f.ChainOptions})
			if _, err := in.Introduce(chain); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("signing a request", func(b *testing.B) {
		r := httptest.NewRequest("GET", string(firm.ID)+"/data", nil)
		for b.Loop() {
			if err := city.Signer().SignRequest(r, firm.ID, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
