package federation_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// hostedMemory is a HostedStore of a test.
type hostedMemory struct {
	mu   sync.Mutex
	held map[federation.EntityID]federation.Hosted
}

func (m *hostedMemory) Hosted(_ context.Context, id federation.EntityID) (federation.Hosted, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.held[id]
	if !ok {
		return h, federation.ErrNotHosted
	}
	return h, nil
}

func (m *hostedMemory) PutHosted(_ context.Context, h federation.Hosted) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.held[h.Entity]; ok && h.IssuedAt.Before(held.IssuedAt) {
		return federation.ErrOlderConfiguration
	}
	m.held[h.Entity] = h
	return nil
}

// host makes a hub host, and returns the address.
func host(f *fedtest.Federation, hub *fedtest.Node) string {
	v := hub.Verifier(nil)
	e := federation.NewEndpoints(federation.EndpointOptions{
		Entity: hub.ID, FederationKey: func() *jose.Key { return hub.Keys.Federation }, Registry: hub.Registry(), Introductions: hub.Introductions,
		Hosted: &hostedMemory{held: make(map[federation.EntityID]federation.Hosted)}, Authenticate: v.Verify, Now: f.Clock.Now,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	hub.Mux.HandleFunc(federation.HostedPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", f.Clock.Now().UTC().Format(http.TimeFormat))
		e.ServeHTTP(w, r)
	})
	return string(hub.ID) + federation.HostedPath
}

func hosting(f *fedtest.Federation, n *fedtest.Node, chain func() []string) *federation.Hosting {
	return federation.NewHosting(federation.HostingOptions{
		Hub: n.Superior.ID, Configuration: func() (string, error) { return n.Configuration(), nil }, Signer: n.Signer(), HTTP: n.Client, Chain: chain,
		Now: f.Clock.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// TestHosted: a node that nobody reaches is known to others by what its hub hosts, and the hub asks nobody.
func TestHosted(t *testing.T) {
	f, hub, _, city, firm := region(t)
	address := host(f, hub)
	h := hosting(f, city, city.Chain)
	if err := h.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := h.State(); s.Error != "" || s.Hub != hub.ID || !s.Sent.Equal(f.Clock.Now()) || s.Expires.Sub(f.Clock.Now().Truncate(time.Second)) != 24*time.Hour {
		t.Errorf("the state is %+v", s)
	}
	sub := "?sub=" + url.QueryEscape(string(city.ID))
	if got := ask(t, "GET", address+sub, nil).want(t, federation.StatementMediaType); got != city.Configuration() {
		t.Error("the hub answers with another text")
	}
	city.Mux = http.NewServeMux()
	unreachable := firm.Client.Transport
	firm.Client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if "http://"+r.URL.Host == string(city.ID) {
			return nil, errors.New("nobody reaches it")
		}
		return unreachable.RoundTrip(r)
	})
	if _, err := peerChains(f, firm, "").Find(t.Context(), city.ID); err == nil || !strings.Contains(err.Error(), "nobody reaches it") {
		t.Errorf("without a hub to ask: %v", err)
	}
	chain, err := peerChains(f, firm, "", f.Ledger.Hosts(city.ID, f.Clock.Now())...).Find(t.Context(), city.ID)
	if err != nil || chain.Entity != city.ID || chain.Anchor != f.Anchor.ID {
		t.Errorf("by its hub: %v", err)
	}
	f.Clock.Advance(25 * time.Hour)
	ask(t, "GET", address+sub, nil).wantError(t, 404, "not_found")
	ask(t, "GET", address+"?sub="+url.QueryEscape(string(firm.ID)), nil).wantError(t, 404, "not_found")
	ask(t, "GET", address, nil).wantError(t, 400, "invalid_request")
	ask(t, "PUT", address, nil).wantError(t, 405, "invalid_request")
	if n := hub.Dialled.Load(); n != 0 {
		t.Errorf("the hub made %d requests of its own", n)
	}
}

// TestHostedRefuses tries what a hub must not host, and that who may is known before the body is read.
func TestHostedRefuses(t *testing.T) {
	f, hub, _, city, firm := region(t)
	address := host(f, hub)
	for _, n := range []*fedtest.Node{city, firm} {
		if _, err := hub.Introductions.Introduce(n.Chain()); err != nil {
			t.Fatal(err)
		}
	}
	post := func(from *fedtest.Node, mediaType, body string) answer {
		t.Helper()
		r, err := http.NewRequest("POST", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := from.Signer().SignRequest(r, hub.ID, []byte(body)); err != nil {
			t.Fatal(err)
		}
		return ask(t, "POST", address, strings.NewReader(body), "Content-Type", mediaType, "Authorization", r.Header.Get("Authorization"))
	}
	const right = federation.StatementMediaType
	said := func(change func(*federation.NodeConfiguration)) string {
		c := city.Said()
		change(&c)
		compact, err := c.Sign(f.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	other := fedtest.NewKey(t)
	for name, c := range map[string]struct {
		from            *fedtest.Node
		mediaType, body string
		status          int
	}{
		"who is below another hub":      {firm, right, firm.Configuration(), 403},
		"another's configuration":       {city, right, firm.Configuration(), 400},
		"the hub's own":                 {city, right, hub.Configuration(), 400},
		"an unknown key":                {city, right, said(func(c *federation.NodeConfiguration) { c.Keys.Federation = other }), 400},
		"another superior":              {city, right, said(func(c *federation.NodeConfiguration) { c.Superiors = []federation.EntityID{firm.ID} }), 400},
		"one that issues statements":    {city, right, said(func(c *federation.NodeConfiguration) { c.IssuesStatements = true }), 400},
		"another kind of statement":     {city, right, city.SignedStatement(), 400},
		"no statement":                  {city, right, "no statement", 400},
		"nothing":                       {city, right, "", 400},
		"another media type":            {city, "application/json", city.Configuration(), 415},
		"too much":                      {city, right, strings.Repeat("x", jose.DefaultMaxSize+1), 413},
		"another's, signed by the firm": {firm, right, city.Configuration(), 403},
	} {
		if got := post(c.from, c.mediaType, c.body); got.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.body, c.status)
		}
	}
	ask(t, "POST", address, strings.NewReader(city.Configuration()), "Content-Type", right).wantError(t, 401, "invalid_client")
	stranger := f.AddMember("stranger", hub)
	if got := post(stranger, right, stranger.Configuration()); got.status != 401 || !strings.Contains(got.header.Get("WWW-Authenticate"), federation.UnknownChain) {
		t.Errorf("who has not introduced itself: %d %s", got.status, got.body)
	}

	if got := post(city, right, city.Configuration()); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	now := city.Configuration()
	f.Clock.Advance(time.Minute)
	if got := post(city, right, city.Configuration()); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := post(city, right, now); got.status != 409 {
		t.Errorf("an older one: %d %s", got.status, got.body)
	}
	limited := false
	for range 40 {
		limited = limited || post(city, right, city.Configuration()).status == 429
	}
	if !limited {
		t.Error("a member may send as often as it likes")
	}

	f.Clock.Advance(time.Second)
	f.Decide(federation.Proposal{Kind: federation.Suspension, Subject: city.ID, Reason: "a leak"})
	f.Clock.Advance(time.Minute)
	if got := post(city, right, city.Configuration()); got.status != 401 {
		t.Errorf("a suspended member: %d %s", got.status, got.body)
	}
	if n := hub.Dialled.Load(); n != 0 {
		t.Errorf("the hub made %d requests of its own", n)
	}
}

// TestHostedReadsNothingOfStrangers: the body of who may not is left where it is.
func TestHostedReadsNothingOfStrangers(t *testing.T) {
	f, hub, _, _, firm := region(t)
	v := hub.Verifier(nil)
	e := federation.NewEndpoints(federation.EndpointOptions{
		Entity: hub.ID, Registry: hub.Registry(), Hosted: &hostedMemory{}, Authenticate: v.Verify, Now: f.Clock.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if _, err := hub.Introductions.Introduce(firm.Chain()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"stranger": 401, "firm": 403} {
		read := false
		r := httptest.NewRequest("POST", string(hub.ID)+federation.HostedPath, nil)
		if name == "firm" {
			if err := firm.Signer().SignRequest(r, hub.ID, []byte("body")); err != nil {
				t.Fatal(err)
			}
		}
		r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) { read = true; return 0, io.EOF }))
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != want || read {
			t.Errorf("%s: %d %s, body read: %t", name, w.Code, w.Body, read)
		}
	}
}

// TestHostingRuns: the configuration is sent at the start, again when it says something else, and again after failures.
func TestHostingRuns(t *testing.T) {
	f, hub, _, city, _ := region(t)
	known := false
	var mu sync.Mutex
	chain := func() []string {
		mu.Lock()
		defer mu.Unlock()
		if !known {
			return nil
		}
		return city.Chain()
	}
	host(f, hub)
	states := make(chan federation.HostingState, 100)
	h := federation.NewHosting(federation.HostingOptions{
		Hub: hub.ID, Configuration: func() (string, error) { return city.Configuration(), nil }, Signer: city.Signer(), HTTP: city.Client, Chain: chain,
		OnChange: func(s federation.HostingState) { states <- s }, Now: f.Clock.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	next := func() (s federation.HostingState) {
		t.Helper()
		select {
		case s = <-states:
		case <-ctx.Done():
			t.Fatal("nothing happened")
		}
		return s
	}
	if s := next(); !strings.Contains(s.Error, "no trust chain") || !s.Sent.IsZero() {
		t.Errorf("before the chain is found: %+v", s)
	}
	mu.Lock()
	known = true
	mu.Unlock()
	if s := next(); s.Error != "" || s.Sent.IsZero() {
		t.Errorf("with a chain: %+v", s)
	}
	before := f.Clock.Now()
	f.Clock.Advance(time.Hour) // the configuration is signed anew
	if s := next(); s.Error != "" || !s.Sent.After(before) {
		t.Errorf("a new configuration: %+v", s)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
