package federation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
)

// listServer serves lists and the records of a ledger as a node does.
func listServer(t *testing.T, f *fedtest.Federation, entity federation.EntityID, ledger *federation.Ledger, list func(federation.EntityID) *federation.RevocationList) federation.EntityID {
	t.Helper()
	s := httptest.NewServer(federation.NewEndpoints(federation.EndpointOptions{
		Entity: entity, Ledger: func() *federation.Ledger { return ledger }, Revocations: list, Now: f.Clock.Now,
	}))
	t.Cleanup(s.Close)
	return federation.EntityID(s.URL)
}

// TestRevocationEndpoint: an anchor serves its list, any other node hands it on, and who has it already is told so.
func TestRevocationEndpoint(t *testing.T) {
	f := fedtest.New(t, fedtest.Options{})
	hub := f.AddHub("hub", f.Anchor)
	list, err := federation.SignRevocationList(f.Ledger, nil, f.Anchor.ID, f.Anchor.Keys.Federation, f.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	held := func(anchor federation.EntityID) *federation.RevocationList {
		if anchor == f.Anchor.ID {
			return list
		}
		return nil
	}
	anchor, other := listServer(t, f, f.Anchor.ID, f.Ledger, held), listServer(t, f, hub.ID, f.Ledger, held)
	if got := ask(t, "GET", string(anchor)+federation.RevocationsPath, nil).want(t, federation.RevocationsMediaType); got != list.Compact() {
		t.Errorf("the anchor serves %q", got)
	}
	ask(t, "GET", string(other)+federation.RevocationsPath, nil).wantError(t, 404, "not_found")
	ask(t, "GET", string(other)+federation.RevocationsPath+"?iss=x", nil).wantError(t, 400, "invalid_request")
	ask(t, "POST", string(other)+federation.RevocationsPath, nil).wantError(t, 405, "invalid_request")
	for _, from := range []federation.EntityID{anchor, other} {
		compact, err := federation.FetchRevocationList(t.Context(), http.DefaultClient, from, f.Anchor.ID, nil)
		if err != nil || compact != list.Compact() {
			t.Errorf("from %s: %q, %v", from, compact, err)
		}
		if compact, err := federation.FetchRevocationList(t.Context(), http.DefaultClient, from, f.Anchor.ID, list); err != nil || compact != "" {
			t.Errorf("what is held already came again from %s: %q, %v", from, compact, err)
		}
	}
	if _, err := federation.FetchRevocationList(t.Context(), http.DefaultClient, other, hub.ID, nil); err == nil || !strings.Contains(err.Error(), "holds no revocation list") {
		t.Errorf("the list of no anchor: %v", err)
	}
}

// TestFetchRecords: a node gets what it lacks from any other, in whatever order, takes nothing that does not verify, and
// asks no more when nothing is new.
func TestFetchRecords(t *testing.T) {
	f := fedtest.New(t, fedtest.Options{})
	hub := f.AddHub("hub", f.Anchor)
	city := f.AddMember("city", hub)
	f.AdmitClass("municipality", hub, "cvr:1", "cvr:2")
	f.Clock.Advance(time.Second)
	f.Decide(federation.Proposal{Kind: federation.Suspension, Subject: city.ID, Reason: "a leak"})
	asked := 0
	server := federation.NewEndpoints(federation.EndpointOptions{Entity: hub.ID, Ledger: func() *federation.Ledger { return f.Ledger }})
	stray := `["cvr:9"]` // a list that no decision names: anybody can make such
	hostile := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		name := strings.TrimPrefix(r.URL.Path, federation.RecordsPath)
		switch {
		case hostile && name == "":
			hashes := append(f.Ledger.Hashes(), federation.HashOf([]byte(stray)))
			slices.Sort(hashes)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(hashes)
		case hostile && name == "/"+string(federation.HashOf([]byte(stray))):
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, stray)
		default:
			server.ServeHTTP(w, r)
		}
	}))
	defer s.Close()
	empty, err := federation.OpenLedger(f.Charter.Hash(), federation.RecordDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	fetcher := &federation.RecordFetcher{Ledger: empty, HTTP: s.Client()}
	added, err := fetcher.Fetch(t.Context(), federation.EntityID(s.URL))
	if err != nil || added != len(f.Ledger.Hashes()) || !slices.Equal(empty.Hashes(), f.Ledger.Hashes()) {
		t.Fatalf("%d of %d records, %v", added, len(f.Ledger.Hashes()), err)
	}
	if m := empty.Member(city.ID, f.Clock.Now()); m.Standing != federation.Suspended {
		t.Errorf("the city is %s", m.Standing)
	}
	for range 2 {
		asked = 0
		if added, err := fetcher.Fetch(t.Context(), federation.EntityID(s.URL)); err != nil || added != 0 || asked != 1 {
			t.Errorf("with nothing new %d were added with %d requests, %v", added, asked, err)
		}
	}
	hostile = true
	fetcher = &federation.RecordFetcher{Ledger: empty, HTTP: s.Client()}
	for i := range 2 {
		asked = 0
		added, err := fetcher.Fetch(t.Context(), federation.EntityID(s.URL))
		if err != nil || added != 0 || asked != 2-i { // once refused, it is not asked for again
			t.Errorf("of a stray list %d were added with %d requests, %v", added, asked, err)
		}
	}
	s.Close()
	if _, err := fetcher.Fetch(t.Context(), federation.EntityID(s.URL)); err == nil {
		t.Error("nobody answers, and that is no error")
	}
}

// TestIntroductionsClosed: who is known goes on; nobody new comes in while the node can't check revocations.
func TestIntroductionsClosed(t *testing.T) {
	f, _, _, city, firm := region(t)
	var closed error
	in := federation.NewIntroductions(federation.IntroductionOptions{Self: f.Anchor.ID, Chain: f.ChainOptions, Closed: func() error { return closed }})
	chain := city.Chain()
	if _, err := in.Introduce(chain); err != nil {
		t.Fatal(err)
	}
	closed = errors.New("the list is too old")
	if _, err := in.Introduce(chain); err != nil {
		t.Errorf("a chain that is known: %v", err)
	}
	if _, err := in.Introduce(firm.Chain()); !errors.Is(err, federation.ErrIntroductionsClosed) || !strings.Contains(err.Error(), "too old") {
		t.Errorf("a new one: %v", err)
	}
	if _, err := in.Peer(t.Context(), city.ID); err != nil {
		t.Errorf("the known one: %v", err)
	}
	closed = nil
	if _, err := in.Introduce(firm.Chain()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestVerifierAsksLast: a caller whose token is right is refused by Allow, with its key; and a pinned member whose key was
// rotated shows the new one by its chain.
func TestVerifierAsksLast(t *testing.T) {
	f, hub, _, city, _ := region(t)
	var asked string
	refusal := errors.New("the city is suspended")
	var answer error
	pinned := pins{city.ID: must(federation.JWKS(city.Keys.Request))(t)}
	v, err := federation.NewVerifier(federation.VerifierOptions{
		Self: hub.ID, Peers: pinned, Introductions: hub.Introductions, Now: f.Clock.Now, Start: f.Clock.Now().Add(-time.Hour),
		Allow: func(p federation.Peer, kid string) error { asked = string(p.Entity) + " " + kid; return answer },
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func() error {
		r := httptest.NewRequest("GET", string(hub.ID)+"/taxii2/", nil)
		if err := city.Signer().SignRequest(r, hub.ID, nil); err != nil {
			t.Fatal(err)
		}
		_, err := v.Verify(r)
		return err
	}
	if err := call(); err != nil || asked != string(city.ID)+" "+city.Keys.Request.ID() {
		t.Errorf("%v, asked about %q", err, asked)
	}
	answer = refusal
	if err := call(); !errors.Is(err, refusal) || federation.ReasonOf(err) != federation.Disallowed {
		t.Errorf("a revoked caller: %v", err)
	}
	answer = nil
	city.Keys.Request = fedtest.NewKey(t)
	if err := call(); federation.ReasonOf(err) != federation.ChainUnknown {
		t.Errorf("a pinned peer with a key that nobody knows: %v", err)
	}
	if _, err := hub.Introductions.Introduce(city.Chain()); err != nil {
		t.Fatal(err)
	}
	if err := call(); err != nil {
		t.Errorf("after it has shown its chain: %v", err)
	}
}

// pins are pinned peers.
type pins map[federation.EntityID]any

func (p pins) Peer(_ context.Context, id federation.EntityID) (federation.Peer, error) {
	set, ok := p[id]
	if !ok {
		return federation.Peer{}, federation.ErrUnknownPeer
	}
	text, err := json.Marshal(set)
	return federation.Peer{Entity: id, JWKS: text}, err
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
