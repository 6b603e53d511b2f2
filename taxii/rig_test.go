package taxii

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/stix"
)

// rig is a server with a memory store, two collections and one account of each kind.
type rig struct {
	*testing.T
	store   *memStore
	server  *Server
	handler http.Handler
	log     *lockedBuffer
	metrics *prometheus.Registry
	open    Collection // alias "open"
	other   Collection // no alias
	users   map[string]*Principal
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// levelVisibility is a sharing policy for tests: accounts see nothing red, peers nothing above their MaxTLP.
type levelVisibility struct{}

func (levelVisibility) Visible(p *Principal, c Collection, m stix.MarkingSet, unknown bool) bool {
	level := m.Level(c.DefaultTLP, unknown)
	if p.Kind == PeerNode {
		return level <= p.MaxTLP[c.ID]
	}
	return level < stix.TLPRed
}

// Account implements Accounts: the key of every user is "key-of-NAME".
func (g *rig) Account(_ context.Context, name, key string) (*Principal, error) {
	if name == "" {
		name = strings.TrimPrefix(key, "key-of-")
	}
	p, ok := g.users[name]
	if !ok || key != "key-of-"+name {
		return nil, unauthenticated("wrong name or key")
	}
	return p, nil
}

func newRig(t *testing.T, options ...func(*Options)) *rig {
	g := &rig{T: t, store: newMemStore(), log: &lockedBuffer{}, metrics: prometheus.NewRegistry()}
	g.open = g.store.addCollection("Open indicators", "open")
	g.other = g.store.addCollection("Other", "")
	rights := func(read, write bool) map[string]Rights {
		return map[string]Rights{g.open.ID: {Read: read, Write: write}}
	}
	g.users = map[string]*Principal{
		"admin":  {Kind: ClientAccount, Name: "admin", Admin: true},
		"reader": {Kind: ClientAccount, Name: "reader", Rights: rights(true, false)},
		"writer": {Kind: ClientAccount, Name: "writer", Rights: rights(false, true)},
		"both":   {Kind: ClientAccount, Name: "both", Rights: rights(true, true)},
		"nobody": {Kind: ClientAccount, Name: "nobody"},
		"peer": {Kind: PeerNode, Name: "https://peer.example", Rights: rights(true, false),
			MaxTLP: map[string]stix.TLP{g.open.ID: stix.TLPGreen}},
		"elastic": {Kind: ClientAccount, Name: "elastic", Rights: rights(true, false), EmptyList: true},
	}
	o := Options{
		Title: "Test server", PublicURL: "https://taxii.example/", Store: g.store, Authenticator: KeyAuth{g}, Visibility: levelVisibility{},
		Logger: slog.New(slog.NewTextHandler(g.log, nil)), Registerer: g.metrics,
	}
	for _, f := range options {
		f(&o)
	}
	g.server = NewServer(o)
	g.handler = g.server.Handler()
	return g
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body string
}

// edit changes a request before it is sent.
type edit func(*http.Request)

func as(user string) edit {
	return func(r *http.Request) { r.SetBasicAuth(user, "key-of-"+user) }
}

func header(name, value string) edit {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

const root = "/taxii2/main/"

func (g *rig) do(method, path, body string, edits ...edit) reply {
	g.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(g.Context(), method, path, in)
	r.Header.Set("Accept", MediaType)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", MediaType)
	}
	as("admin")(r)
	for _, e := range edits {
		e(r)
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	got := reply{w.Result(), w.Body.String()}
	if got.body != "" && got.Header.Get("Content-Encoding") == "" && got.Header.Get("Content-Type") != MediaType {
		g.Errorf("%s %s: Content-Type %q of a response with a body", method, path, got.Header.Get("Content-Type"))
	}
	return got
}

func (g *rig) get(path string, edits ...edit) reply {
	g.Helper()
	return g.do(http.MethodGet, path, "", edits...)
}

// objects is the path of the open collection's objects with a query.
func (g *rig) objects(query string) string {
	return root + "collections/" + g.open.ID + "/objects/" + query
}

// add posts objects and expects all of them to be stored.
func (g *rig) add(objects ...string) Status {
	g.Helper()
	got := g.do(http.MethodPost, g.objects(""), envelopeOf(objects...))
	g.want(got, http.StatusAccepted)
	st := decode[Status](g, got)
	if st.SuccessCount != len(objects) {
		g.Fatalf("%d of %d objects were added: %s", st.SuccessCount, len(objects), got.body)
	}
	return st
}

func (g *rig) want(got reply, status int) {
	g.Helper()
	if got.StatusCode != status {
		g.Fatalf("status %d, want %d: %s", got.StatusCode, status, got.body)
	}
}

// wantError expects an error message that belongs to its response, and returns it.
func (g *rig) wantError(got reply, status int) Error {
	g.Helper()
	g.want(got, status)
	e := decode[Error](g, got)
	if e.Title == "" || e.Description == "" || e.HTTPStatus != http.StatusText(status) && e.HTTPStatus != itoa(status) {
		g.Errorf("error message %+v of a %d", e, status)
	}
	if e.ErrorID == "" || e.ErrorID != got.Header.Get("X-Request-Id") {
		g.Errorf("error_id %q, request id %q", e.ErrorID, got.Header.Get("X-Request-Id"))
	}
	return e
}

func decode[T any](g *rig, got reply) T {
	g.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(got.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		g.Fatalf("%v in %q", err, got.body)
	}
	return v
}

// ids lists the ids and versions of an envelope.
func ids(g *rig, got reply) []string {
	g.Helper()
	var list []string
	for _, raw := range decode[Envelope](g, got).Objects {
		o, err := stix.Parse(raw, stix.DefaultLimits())
		if err != nil {
			g.Fatal(err)
		}
		list = append(list, string(o.ID)+" "+o.Version().String())
	}
	return list
}

func entry(n int, version string) string { return indicatorID(n) + " " + version }
