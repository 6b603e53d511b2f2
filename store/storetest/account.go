package storetest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var accountTests = []testCase{
	{"collections are added, found and removed", testCollections},
	{"collections that break the rules are refused", testCollectionRules},
	{"clients authenticate by name and key", testClients},
	{"a rotated key overlaps with the old one", testRotate},
	{"clients that break the rules are refused", testClientRules},
	{"peers have keys and rights", testPeers},
	{"what was served is kept with the account", testObserve},
	{"node facts", testMeta},
	{"configurations are hosted, the newest of each member", testHosted},
}

func testCollections(t *testing.T, f *Fixture) {
	ctx := t.Context()
	a, err := f.Node.AddCollection(ctx, store.NewCollection{Title: "Førsteår Æble", Description: "d", Alias: "first", DefaultTLP: stix.TLPGreen})
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.Node.AddCollection(ctx, store.NewCollection{ID: "11111111-2222-4333-8444-555555555555", Title: "first b"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Store.Collections(ctx)
	if diff := cmp.Diff([]taxii.Collection{a, b}, list); err != nil || diff != "" {
		t.Errorf("Collections: %v (-want +got):\n%s", err, diff)
	}
	for ref, want := range map[string]string{a.ID: a.ID, "first": a.ID, "Førsteår Æble": a.ID, "FØRSTEÅR æBLE": a.ID, b.ID: b.ID, "First B": b.ID, "": "", "second": "", "FIRST": ""} {
		got, err := f.Node.FindCollection(ctx, ref)
		if got.ID != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, taxii.ErrNotFound) {
			t.Errorf("FindCollection(%q) = %q, %v; want %q", ref, got.ID, err, want)
		}
	}
	for ref, want := range map[string]string{a.ID: a.ID, "first": a.ID, b.ID: b.ID, "": "", "first b": ""} {
		got, err := f.Store.Collection(ctx, ref)
		if got.ID != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, taxii.ErrNotFound) {
			t.Errorf("Collection(%q) = %q, %v; want %q", ref, got.ID, err, want)
		}
	}
	f.add(t, a, indicator(1, 1, 0), indicator(2, 1, stix.TLPGreen))
	f.delete(t, taxii.Deletion{Collection: a.ID, ID: id("indicator", 1)})
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "siem", Rights: map[string]taxii.Rights{a.ID: {Read: true}}}); err != nil {
		t.Fatal(err)
	}
	f.Store.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "siem", Collection: a.ID, Objects: 1, Last: 5})
	f.Reopen(t)
	if err := f.Node.RemoveCollection(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	if err := f.Node.RemoveCollection(ctx, a.ID); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("RemoveCollection twice: %v, want ErrNotFound", err)
	}
	f.verify(t)
	again, err := f.Node.AddCollection(ctx, store.NewCollection{ID: a.ID, Title: "Førsteår Æble", Alias: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if again.Epoch == a.Epoch {
		t.Errorf("a collection added again has the epoch of the one removed")
	}
	f.add(t, again, indicator(1, 1, 0))
	if clients, err := f.Node.Clients(ctx); err != nil || len(clients) != 1 || len(clients[0].Rights) != 0 || len(clients[0].Position) != 0 {
		t.Errorf("Clients = %+v, %v: want one whose rights and position went with the collection", clients, err)
	}
}

func testCollectionRules(t *testing.T, f *Fixture) {
	ctx := t.Context()
	if _, err := f.Node.AddCollection(ctx, store.NewCollection{ID: "11111111-2222-4333-8444-555555555555", Title: "Taken", Alias: "taken"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		new  store.NewCollection
		want error
	}{
		{"no title", store.NewCollection{}, store.ErrInvalid},
		{"a dot", store.NewCollection{Title: "a.b"}, store.ErrInvalid},
		{"201 characters", store.NewCollection{Title: strings.Repeat("æ", 201)}, store.ErrInvalid},
		{"200 characters", store.NewCollection{Title: strings.Repeat("æ", 200)}, nil},
		{"a line break", store.NewCollection{Title: "a\nb"}, store.ErrInvalid},
		{"invalid UTF-8", store.NewCollection{Title: "a\xff"}, store.ErrInvalid},
		{"a space at the end", store.NewCollection{Title: "a "}, store.ErrInvalid},
		{"a title in another case", store.NewCollection{Title: "TAKEN"}, store.ErrExists},
		{"an alias that is taken", store.NewCollection{Title: "b", Alias: "taken"}, store.ErrExists},
		{"an id that is taken", store.NewCollection{Title: "b", ID: "11111111-2222-4333-8444-555555555555"}, store.ErrExists},
		{"an upper-case alias", store.NewCollection{Title: "b", Alias: "B"}, store.ErrInvalid},
		{"a long alias", store.NewCollection{Title: "b", Alias: strings.Repeat("b", 64)}, store.ErrInvalid},
		{"an alias that begins with a hyphen", store.NewCollection{Title: "b", Alias: "-b"}, store.ErrInvalid},
		{"an alias that is a UUID", store.NewCollection{Title: "b", Alias: "11111111-2222-4333-8444-555555555556"}, store.ErrInvalid},
		{"an alias that is a UUID without hyphens", store.NewCollection{Title: "b", Alias: "11111111222243338444555555555556"}, store.ErrInvalid},
		{"an id that is no UUID", store.NewCollection{Title: "b", ID: "b"}, store.ErrInvalid},
		{"an id of another version", store.NewCollection{Title: "b", ID: "11111111-2222-1333-8444-555555555555"}, store.ErrInvalid},
		{"an id in upper case", store.NewCollection{Title: "b", ID: "AAAAAAAA-2222-4333-8444-555555555555"}, store.ErrInvalid},
		{"a level that does not exist", store.NewCollection{Title: "b", DefaultTLP: 6}, store.ErrInvalid},
		{"a long alias of 63", store.NewCollection{Title: "c", Alias: strings.Repeat("b", 63)}, nil},
	} {
		if _, err := f.Node.AddCollection(ctx, c.new); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func testClients(t *testing.T, f *Fixture) {
	ctx := t.Context()
	c, d := f.collection(t, "C"), f.collection(t, "D")
	siem := store.Client{Name: "siem.prod", EmptyList: true, Rights: map[string]taxii.Rights{c.ID: {Read: true}, d.ID: {Read: true, Write: true}}}
	key, err := f.Node.AddClient(ctx, siem)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^skj_[A-Za-z0-9_-]{43}$`).MatchString(key) {
		t.Errorf("key %q is not skj_ and 43 URL-safe characters", key)
	}
	adminKey, err := f.Node.AddClient(ctx, store.Client{Name: "root", Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	f.Reopen(t)
	want := &taxii.Principal{Kind: taxii.ClientAccount, Name: "siem.prod", EmptyList: true, Rights: siem.Rights}
	for _, name := range []string{"siem.prod", ""} {
		got, err := f.Node.Account(ctx, name, key)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("Account(%q): %v (-want +got):\n%s", name, err, diff)
		}
	}
	for _, q := range []struct{ name, key string }{
		{"siem.prod", ""}, {"", ""}, {"siem.prod", adminKey}, {"root", key}, {"SIEM.prod", key}, {"siem.prod", key + "x"}, {"siem.prod", key[:len(key)-1]}, {"nobody", key},
	} {
		if p, err := f.Node.Account(ctx, q.name, q.key); !errors.Is(err, taxii.ErrUnauthenticated) || p != nil {
			t.Errorf("Account(%q, …): %v, %v, want ErrUnauthenticated", q.name, p, err)
		} else if q.key != "" && strings.Contains(err.Error(), q.key) {
			t.Errorf("the error names the key")
		}
	}
	if p, err := f.Node.Account(ctx, "root", adminKey); err != nil || !p.Admin || !p.RightsOn(c.ID).Write {
		t.Errorf("Account(root) = %+v, %v, want an admin", p, err)
	}
	if err := f.Node.SetClient(ctx, store.Client{Name: "siem.prod", Disabled: true, Rights: map[string]taxii.Rights{c.ID: {Write: true}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Node.Account(ctx, "siem.prod", key); !errors.Is(err, taxii.ErrUnauthenticated) {
		t.Errorf("a disabled client: %v, want ErrUnauthenticated", err)
	}
	clients, err := f.Node.Clients(ctx)
	wantClients := []store.Client{
		{Name: "root", Admin: true, Created: clients[0].Created},
		{Name: "siem.prod", Disabled: true, Created: clients[0].Created, Rights: map[string]taxii.Rights{c.ID: {Write: true}}},
	}
	if diff := cmp.Diff(wantClients, clients, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("Clients: %v (-want +got):\n%s", err, diff)
	}
	if err := f.Node.RemoveClient(ctx, "root"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Node.Account(ctx, "root", adminKey); !errors.Is(err, taxii.ErrUnauthenticated) {
		t.Errorf("a removed client: %v, want ErrUnauthenticated", err)
	}
}

func testRotate(t *testing.T, f *Fixture) {
	ctx := t.Context()
	first, err := f.Node.AddClient(ctx, store.Client{Name: "tool"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.Node.RotateClient(ctx, "tool", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, key string, valid bool) {
		t.Helper()
		if _, err := f.Node.Account(ctx, "tool", key); (err == nil) != valid || err != nil && !errors.Is(err, taxii.ErrUnauthenticated) {
			t.Errorf("%s: %v, want valid %v", when, err, valid)
		}
	}
	check("the new key", second, true)
	f.Clock.Add(time.Hour - time.Microsecond)
	check("the old key within the overlap", first, true)
	third, err := f.Node.RotateClient(ctx, "tool", time.Hour) // does not prolong the first
	if err != nil {
		t.Fatal(err)
	}
	f.Clock.Add(time.Microsecond)
	check("the first key after its overlap", first, false)
	check("the second key", second, true)
	fourth, err := f.Node.RotateClient(ctx, "tool", 0)
	if err != nil {
		t.Fatal(err)
	}
	check("the second key after a rotation without overlap", second, false)
	check("the third key", third, false)
	check("the fourth key", fourth, true)
	if _, err := f.Node.RotateClient(ctx, "nobody", 0); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("RotateClient(nobody): %v, want ErrNotFound", err)
	}
}

func testClientRules(t *testing.T, f *Fixture) {
	ctx := t.Context()
	for name, want := range map[string]error{
		"a": nil, "Team_1.soc-x": nil, strings.Repeat("a", 64): nil,
		"": store.ErrInvalid, "-a": store.ErrInvalid, "a b": store.ErrInvalid, "a:b": store.ErrInvalid, "æ": store.ErrInvalid, "a\n": store.ErrInvalid, strings.Repeat("a", 65): store.ErrInvalid,
	} {
		if _, err := f.Node.AddClient(ctx, store.Client{Name: name}); !errors.Is(err, want) {
			t.Errorf("AddClient(%q): %v, want %v", name, err, want)
		}
	}
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "a"}); !errors.Is(err, store.ErrExists) {
		t.Errorf("AddClient twice: %v, want ErrExists", err)
	}
	nowhere := map[string]taxii.Rights{"00000000-0000-4000-8000-000000000000": {Read: true}}
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "b", Rights: nowhere}); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("rights on no collection: %v, want ErrNotFound", err)
	}
	if clients, err := f.Node.Clients(ctx); err != nil || len(clients) != 3 {
		t.Errorf("%d clients, %v: want 3, the refused ones have left nothing", len(clients), err)
	}
	for what, err := range map[string]error{"SetClient": f.Node.SetClient(ctx, store.Client{Name: "b"}), "RemoveClient": f.Node.RemoveClient(ctx, "b")} {
		if !errors.Is(err, taxii.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
}

func testPeers(t *testing.T, f *Fixture) {
	ctx := t.Context()
	c, d := f.collection(t, "C"), f.collection(t, "D")
	p := federation.Peer{Entity: peerID, JWKS: []byte(`{"keys":[1]}`), APIRoot: "https://node.example.org/taxii2/main/", Added: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if err := f.Node.AddPeer(ctx, p, false); err != nil {
		t.Fatal(err)
	}
	if err := f.Node.AddPeer(ctx, p, false); !errors.Is(err, store.ErrExists) {
		t.Errorf("AddPeer twice: %v, want ErrExists", err)
	}
	if got, err := f.Node.Peer(ctx, peerID); err != nil || cmp.Diff(p, got) != "" {
		t.Errorf("Peer: %v (-want +got):\n%s", err, cmp.Diff(p, got))
	}
	if err := f.Node.AllowPeer(ctx, peerID, c.ID, taxii.Rights{Read: true}, stix.TLPAmber); err != nil {
		t.Fatal(err)
	}
	if err := f.Node.AllowPeer(ctx, peerID, d.ID, taxii.Rights{Write: true}, stix.TLPUnmarked); err != nil {
		t.Fatal(err)
	}
	p.JWKS = []byte(`{"keys":[2]}`)
	if err := f.Node.AddPeer(ctx, p, true); err != nil {
		t.Fatal(err)
	}
	want := &taxii.Principal{Kind: taxii.PeerNode, Name: string(peerID), Rights: map[string]taxii.Rights{c.ID: {Read: true}, d.ID: {Write: true}}, MaxTLP: map[string]stix.TLP{c.ID: stix.TLPAmber}}
	got, err := f.Node.PeerPrincipal(ctx, peerID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("PeerPrincipal: %v (-want +got):\n%s", err, diff)
	}
	list, err := f.Node.Peers(ctx)
	if diff := cmp.Diff([]store.PeerInfo{{Peer: p, Rights: want.Rights, MaxTLP: want.MaxTLP}}, list); err != nil || diff != "" {
		t.Errorf("Peers: %v (-want +got):\n%s", err, diff)
	}
	if err := f.Node.AllowPeer(ctx, peerID, c.ID, taxii.Rights{}, stix.TLPAmber); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Node.PeerPrincipal(ctx, peerID); err != nil || len(got.Rights) != 1 || len(got.MaxTLP) != 0 {
		t.Errorf("PeerPrincipal after a right was taken: %+v, %v", got, err)
	}
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "tool"}); err != nil {
		t.Fatal(err)
	}
	for _, stranger := range []federation.EntityID{"https://other.example", "", "tool"} {
		_, peerErr := f.Node.Peer(ctx, stranger)
		_, principalErr := f.Node.PeerPrincipal(ctx, stranger)
		for what, err := range map[string]error{"Peer": peerErr, "PeerPrincipal": principalErr, "RemovePeer": f.Node.RemovePeer(ctx, stranger),
			"AllowPeer": f.Node.AllowPeer(ctx, stranger, c.ID, taxii.Rights{Read: true}, stix.TLPGreen)} {
			if !errors.Is(err, federation.ErrUnknownPeer) {
				t.Errorf("%s(%q): %v, want ErrUnknownPeer", what, stranger, err)
			}
		}
	}
	if err := f.Node.AllowPeer(ctx, peerID, "nowhere", taxii.Rights{Read: true}, stix.TLPGreen); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("AllowPeer on no collection: %v, want ErrNotFound", err)
	}
	if err := f.Node.RemovePeer(ctx, peerID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Node.Peer(ctx, peerID); !errors.Is(err, federation.ErrUnknownPeer) {
		t.Errorf("Peer after RemovePeer: %v, want ErrUnknownPeer", err)
	}
}

func testObserve(t *testing.T, f *Fixture) {
	ctx := t.Context()
	c := f.collection(t, "C")
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "siem"}); err != nil {
		t.Fatal(err)
	}
	f.subscribe(t, c)
	at := f.Clock.Now()
	f.Store.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "siem", Collection: c.ID, At: at, Pull: true, Objects: 10, Last: 100, UserAgent: "agent/1"})
	f.Store.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "siem", Collection: c.ID, At: at.Add(time.Second), Pull: true, Objects: 5, Last: 200})
	f.Store.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "siem", Collection: c.ID, At: at.Add(2 * time.Second)}) // writes
	f.Store.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "siem", At: at.Add(2 * time.Second), Error: "400 " + strings.Repeat("x", 1000)})
	f.Store.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "nobody", At: at, Objects: 1})
	f.Store.Observe(taxii.Served{Kind: taxii.PeerNode, Name: string(peerID), Collection: c.ID, At: at, Objects: 3, Last: 300})
	f.Reopen(t) // Close writes
	clients, err := f.Node.Clients(ctx)
	if err != nil || len(clients) != 1 {
		t.Fatalf("Clients = %+v, %v", clients, err)
	}
	want := store.Seen{LastSeen: at.Add(2 * time.Second), LastPull: at.Add(time.Second), ObjectsServed: 15, UserAgent: "agent/1",
		LastError: "400 " + strings.Repeat("x", 496), Position: map[string]taxii.DateAdded{c.ID: 200}}
	if diff := cmp.Diff(want, clients[0].Seen); diff != "" {
		t.Errorf("seen of the client (-want +got):\n%s", diff)
	}
	f.Store.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "siem", Collection: c.ID, At: at.Add(3 * time.Second), Pull: true}) // nothing new
	f.Reopen(t)
	want.LastSeen, want.LastPull, want.LastError = at.Add(3*time.Second), at.Add(3*time.Second), ""
	if clients, err = f.Node.Clients(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, clients[0].Seen); diff != "" {
		t.Errorf("seen after a success (-want +got):\n%s", diff)
	}
	peers, err := f.Node.Peers(ctx)
	if err != nil || len(peers) != 1 {
		t.Fatalf("Peers = %+v, %v", peers, err)
	}
	if s := peers[0].Seen; s.ObjectsServed != 3 || s.Position[c.ID] != 300 || !peers[0].LastSeen.Equal(at) {
		t.Errorf("seen of the peer: %+v", peers[0])
	}
}

func testMeta(t *testing.T, f *Fixture) {
	ctx := t.Context()
	if _, err := f.Node.Meta(ctx, "entity"); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Meta: %v, want ErrNotFound", err)
	}
	for _, value := range []string{"https://a.example", "", "https://b.example"} {
		if err := f.Node.SetMeta(ctx, "entity", value); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Node.Meta(ctx, "entity"); err != nil || got != value {
			t.Errorf("Meta = %q, %v, want %q", got, err, value)
		}
	}
	// A swap succeeds from the value that is there, and once.
	for _, swap := range []struct {
		old, value string
		want       bool
	}{{"other", "x", false}, {"", "x", false}, {"https://b.example", "x", true}, {"https://b.example", "y", false}, {"x", "z", true}} {
		if got, err := f.Node.SwapMeta(ctx, "entity", swap.old, swap.value); err != nil || got != swap.want {
			t.Errorf("SwapMeta from %q to %q: %v, %v, want %v", swap.old, swap.value, got, err, swap.want)
		}
	}
	if ok, err := f.Node.SwapMeta(ctx, "new", "", "n"); err != nil || !ok {
		t.Errorf("SwapMeta of a new fact: %v, %v", ok, err)
	}
	if got, err := f.Node.Meta(ctx, "entity"); err != nil || got != "z" {
		t.Errorf("after the swaps Meta = %q, %v", got, err)
	}
	var won atomic.Int64
	var racers sync.WaitGroup
	for i := range 8 {
		racers.Go(func() {
			ok, err := f.Node.SwapMeta(ctx, "entity", "z", fmt.Sprint("racer ", i))
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
	}
	racers.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 8 swaps from one value succeeded, want 1", won.Load())
	}
	if err := f.Node.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
}
