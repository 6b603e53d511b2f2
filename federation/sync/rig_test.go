package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	selfID       = federation.EntityID("https://self.example")
	peerID       = federation.EntityID("https://peer.example")
	collectionID = "6a1f5f0e-6f5c-4f0b-8d2c-1f5b8a3c9e10"
	localID      = "b1f0a7c2-8a6e-4c55-9a01-2f7f6f0c7d11"
)

// testKeys are those of the node under test, made once per process.
var testKeys = sync.OnceValue(func() federation.Keys {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	keys, err := federation.CreateKeys(dir)
	if err != nil {
		panic(err)
	}
	return keys
})

// pins is a federation.Peers of changeable content.
type pins struct {
	mu    sync.Mutex
	peers map[federation.EntityID]federation.Peer
}

func (p *pins) Peer(_ context.Context, id federation.EntityID) (federation.Peer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if peer, ok := p.peers[id]; ok {
		return peer, nil
	}
	return federation.Peer{}, federation.ErrUnknownPeer
}

func (p *pins) set(id federation.EntityID, peer *federation.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if peer == nil {
		delete(p.peers, id)
		return
	}
	p.peers[id] = *peer
}

// inProcess serves requests by calling the handler, so that a test's clock can stand still meanwhile.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.Host = r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	answer := make(chan *http.Response, 1)
	go func() {
		w := httptest.NewRecorder()
		t.handler.ServeHTTP(w, in)
		answer <- w.Result()
	}()
	select {
	case resp := <-answer:
		resp.Request = r
		return resp, nil
	case <-r.Context().Done():
		<-answer // the handler sees the same context
		return nil, r.Context().Err()
	}
}

// entry is one entry of the fake peer's log.
type entry struct {
	date taxii.DateAdded
	raw  string
}

// fakePeer is a TAXII server of one collection that accepts only right request tokens. before, where set, may answer a
// request for objects instead; it returns true if it has.
type fakePeer struct {
	verifier *federation.Verifier

	mu       sync.Mutex
	log      []entry
	alias    string
	max      int // largest page
	noTokens bool
	epoch    int
	before   func(w http.ResponseWriter, r *http.Request) bool
	requests []string // query of each request for objects
	lookups  int      // requests for the collections
}

func (p *fakePeer) add(raws ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, raw := range raws {
		p.log = append(p.log, entry{taxii.DateAdded(946_684_800_000_000 + 1000*len(p.log)), raw})
	}
}

func (p *fakePeer) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

func (p *fakePeer) lookedUp() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lookups
}

func (p *fakePeer) set(change func(p *fakePeer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *fakePeer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", taxii.MediaType)
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if _, err := p.verifier.Verify(r); err != nil {
		refuse(w, http.StatusUnauthorized, err.Error())
		return
	}
	switch r.URL.Path {
	case "/taxii2/main/collections/":
		p.mu.Lock()
		defer p.mu.Unlock()
		p.lookups++
		write(w, map[string]any{"collections": []any{map[string]any{
			"id": collectionID, "title": "Shared indicators", "alias": p.alias, "can_read": true, "can_write": false,
		}}})
	case "/taxii2/main/collections/" + collectionID + "/objects/":
		p.mu.Lock()
		p.requests = append(p.requests, r.URL.RawQuery)
		before := p.before
		p.mu.Unlock()
		if before == nil || !before(w, r) {
			p.objects(w, r)
		}
	default:
		refuse(w, http.StatusNotFound, "not found")
	}
}

func (p *fakePeer) objects(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	if got := q.Get("match[version]"); got != "all" {
		refuse(w, http.StatusBadRequest, "match[version] is "+got)
		return
	}
	at := 0
	for at < len(p.log) && p.log[at].date.String() <= q.Get("added_after") {
		at++
	}
	if token := q.Get("next"); token != "" {
		epoch, position, _ := strings.Cut(token, ".")
		if epoch != strconv.Itoa(p.epoch) {
			refuse(w, http.StatusBadRequest, "the token is of another epoch; start again without next")
			return
		}
		n, err := strconv.Atoi(position)
		if err != nil {
			refuse(w, http.StatusBadRequest, "the token is garbage")
			return
		}
		at = max(at, n)
	}
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "no limit")
		return
	}
	page := p.log[at:min(len(p.log), at+min(limit, p.max))]
	objects := make([]json.RawMessage, len(page))
	for i, e := range page {
		objects[i] = json.RawMessage(e.raw)
	}
	answer := map[string]any{}
	if len(page) > 0 {
		w.Header().Set("X-TAXII-Date-Added-First", page[0].date.String())
		w.Header().Set("X-TAXII-Date-Added-Last", page[len(page)-1].date.String())
		answer["objects"] = objects
	}
	if end := at + len(page); end < len(p.log) {
		answer["more"] = true
		if !p.noTokens {
			answer["next"] = fmt.Sprintf("%d.%d", p.epoch, end)
		}
	}
	write(w, answer)
}

func write(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func refuse(w http.ResponseWriter, status int, title string) {
	w.WriteHeader(status)
	write(w, map[string]any{"title": title, "http_status": strconv.Itoa(status)})
}

// fakeStore is a Store in memory. before and after, where set, are the crashes: an error of before leaves nothing of the
// page, one of after leaves all of it.
type fakeStore struct {
	mu            sync.Mutex
	subs          []Subscription
	stored        map[string]int // times that an object version was stored, by id and version
	order         []string       // ids in the order in which they were stored
	quarantine    map[string]string
	applies       int
	before, after func(n int) error
	failed        []string // reasons of PullFailed
}

func newFakeStore(subs ...Subscription) *fakeStore {
	return &fakeStore{subs: subs, stored: map[string]int{}, quarantine: map[string]string{}}
}

func (s *fakeStore) Subscriptions(context.Context) ([]Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subs), nil
}

func (s *fakeStore) Apply(_ context.Context, page PulledPage) (Applied, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applies++
	if s.before != nil {
		if err := s.before(s.applies); err != nil {
			return Applied{}, err
		}
	}
	i := slices.IndexFunc(s.subs, func(sub Subscription) bool { return sub.ID == page.Subscription })
	if i < 0 || s.subs[i].Cursor != page.From {
		return Applied{}, ErrConflict
	}
	var a Applied
	for _, item := range page.Items {
		switch {
		case item.Refused != "":
			a.Quarantined++
			s.quarantine[item.ID] = item.Refused
		case s.stored[string(item.Object.ID)+item.Object.Version().String()] > 0:
			a.Known++
		default:
			a.Stored++
			if len(item.Violations) > 0 {
				a.Violating++
			}
			s.stored[string(item.Object.ID)+item.Object.Version().String()]++
			s.order = append(s.order, string(item.Object.ID))
		}
	}
	s.subs[i].Cursor, s.subs[i].Error, s.subs[i].Failures = page.To, "", 0
	s.subs[i].LastSuccess = page.Received
	if s.after != nil {
		return a, s.after(s.applies)
	}
	return a, nil
}

func (s *fakeStore) PullFailed(_ context.Context, id int64, at time.Time, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, reason)
	for i := range s.subs {
		if s.subs[i].ID == id {
			s.subs[i].LastAttempt, s.subs[i].Error = at, reason
			s.subs[i].Failures++
		}
	}
	return nil
}

// set changes the store as another process would.
func (s *fakeStore) set(change func(s *fakeStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *fakeStore) sub(id int64) Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		if sub.ID == id {
			return sub
		}
	}
	return Subscription{}
}

func (s *fakeStore) failures() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.failed)
}

func (s *fakeStore) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// rig is a node under test with one subscription to a fake peer.
type rig struct {
	t       testing.TB
	store   *fakeStore
	peer    *fakePeer
	pins    *pins
	options Options
}

func newRig(t testing.TB) *rig {
	t.Helper()
	keys, err := federation.JWKS(testKeys().Request)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := keys.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := federation.NewVerifier(federation.VerifierOptions{
		Self: peerID, Start: time.Unix(1, 0),
		Peers: &pins{peers: map[federation.EntityID]federation.Peer{selfID: {Entity: selfID, JWKS: jwks}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, peer: &fakePeer{verifier: verifier, alias: "indicators", max: 10_000},
		store: newFakeStore(Subscription{ID: 1, Peer: peerID, Collection: collectionID, Into: localID}),
		pins: &pins{peers: map[federation.EntityID]federation.Peer{
			peerID: {Entity: peerID, APIRoot: peerID.DefaultAPIRoot()},
		}},
	}
	r.options = Options{
		Store: r.store, Peers: r.pins, Signer: &federation.Signer{Entity: selfID, Key: testKeys().Request},
		HTTP: &http.Client{Transport: inProcess{r.peer}, Timeout: time.Minute}, PageSize: 10,
	}
	return r
}

func (r *rig) puller() *Puller {
	r.t.Helper()
	p, err := NewPuller(r.options, 1)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// pull pulls once and fails the test on an error.
func (r *rig) pull(p *Puller) Pulled {
	r.t.Helper()
	got, err := p.Pull(context.Background())
	if err != nil {
		r.t.Fatalf("pull: %v", err)
	}
	return got
}

// check holds the invariant: everything in the peer's log was stored once or quarantined, in the log's order, and the
// cursor stands behind the last entry.
func (r *rig) check() {
	r.t.Helper()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.peer.mu.Lock()
	defer r.peer.mu.Unlock()
	var want []string
	for _, e := range r.peer.log {
		o, err := stix.Parse([]byte(e.raw), stix.Limits{})
		if err != nil {
			continue
		}
		if _, refused := r.store.quarantine[string(o.ID)]; !refused {
			want = append(want, string(o.ID))
		}
	}
	if !slices.Equal(want, r.store.order) {
		r.t.Errorf("stored %d objects, want %d:\n%v\n%v", len(r.store.order), len(want), r.store.order, want)
	}
	if n := len(r.peer.log); n > 0 {
		if got := (Cursor{AddedAfter: r.peer.log[n-1].date.String()}); r.store.subs[0].Cursor != got {
			r.t.Errorf("the cursor is %+v, want %+v", r.store.subs[0].Cursor, got)
		}
	}
}

// identity is a valid object; marking may be "".
func identity(n int, marking stix.Identifier) string {
	refs := ""
	if marking != "" {
		refs = fmt.Sprintf(`,"object_marking_refs":[%q]`, marking)
	}
	return fmt.Sprintf(`{"type":"identity","spec_version":"2.1","id":%q,"created":"1999-12-01T00:00:00.000Z",`+
		`"modified":"1999-12-01T00:00:00.000Z","name":"Municipality %d","identity_class":"organization"%s}`, identityID(n), n, refs)
}

func identityID(n int) string { return fmt.Sprintf("identity--%08x-0000-4000-8000-%012x", n, n) }

func identities(from, to int) []string {
	var list []string
	for n := from; n < to; n++ {
		list = append(list, identity(n, stix.MarkingOf(stix.TLPGreen)))
	}
	return list
}

var errCrash = errors.New("the process was killed")
