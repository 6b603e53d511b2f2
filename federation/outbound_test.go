package federation_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
)

// TestStrangersCauseNoRequest: whatever somebody whom nobody has authenticated sends to any endpoint, the node asks nobody
// anything: not the address that the input names, and no other.
func TestStrangersCauseNoRequest(t *testing.T) {
	f, hub, _, city, firm := region(t)
	hosted := host(f, hub)
	var asked atomic.Int64
	bait := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(bait.Close)
	lure := federation.EntityID(bait.URL)

	// A stranger with keys of its own, whose statements name the bait wherever an address can stand.
	stranger := city.Said()
	stranger.Entity, stranger.APIRoot, stranger.BaseURL = lure, lure.DefaultAPIRoot(), bait.URL
	stranger.Keys = federation.Keys{Federation: fedtest.NewKey(t), Request: fedtest.NewKey(t)}
	stranger.Superiors, stranger.IssuesStatements = []federation.EntityID{lure + "1", hub.ID}, true
	configuration, err := stranger.Sign(f.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	chainOf := func(statements ...string) string {
		text, err := json.Marshal(statements)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	signer := &federation.Signer{Entity: lure, Key: stranger.Keys.Request, Now: f.Clock.Now}
	signed := func(method, address, body string) string {
		r, err := http.NewRequest(method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := signer.SignRequest(r, hub.ID, []byte(body)); err != nil {
			t.Fatal(err)
		}
		return r.Header.Get("Authorization")
	}
	base, sub := string(hub.ID), url.QueryEscape(string(lure))
	introduce := base + federation.IntroducePath
	for _, c := range []struct {
		method, address, mediaType, body, authorization string
	}{
		{"GET", base + federation.WellKnownPath, "", "", ""},
		{"GET", base + federation.FetchPath + "?sub=" + sub, "", "", ""},
		{"GET", base + federation.ListPath + "?trust_mark_type=" + sub + "&entity_type=taxii_node", "", "", ""},
		{"GET", base + federation.ResolvePath + "?sub=" + sub + "&trust_anchor=" + sub, "", "", ""},
		{"GET", base + federation.ResolvePath + "?sub=" + sub + "&trust_anchor=" + url.QueryEscape(string(f.Anchor.ID)), "", "", ""},
		{"GET", base + federation.HistoricalKeysPath, "", "", ""},
		{"GET", base + federation.RecordsPath, "", "", ""},
		{"GET", base + federation.RevocationsPath + "?iss=" + sub, "", "", ""},
		{"GET", hosted + "?sub=" + sub, "", "", ""},
		{"POST", introduce, federation.TrustChainMediaType, chainOf(configuration), ""},
		{"POST", introduce, federation.TrustChainMediaType, chainOf(configuration, configuration, configuration), ""},
		{"POST", introduce, federation.TrustChainMediaType, chainOf(configuration, city.SignedStatement(), f.Anchor.Configuration()), ""},
		{"POST", introduce, federation.TrustChainMediaType, chainOf(configuration, hub.SignedStatement(), f.Anchor.Configuration()), ""},
		{"POST", introduce, federation.TrustChainMediaType, chainOf(append([]string{configuration}, firm.Chain()[1:]...)...), ""},
		{"POST", hosted, federation.StatementMediaType, configuration, ""},
		{"POST", hosted, federation.StatementMediaType, configuration, signed("POST", hosted, configuration)},
		{"POST", hosted, federation.StatementMediaType, configuration, "Bearer " + configuration},
	} {
		got := ask(t, c.method, c.address, strings.NewReader(c.body), "Content-Type", c.mediaType, "Authorization", c.authorization)
		if c.method == "POST" && got.status < 400 {
			t.Errorf("%s %s is answered %d %s", c.method, c.address, got.status, got.body)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the address that the input names was asked %d times", asked.Load())
	}
	for _, n := range f.Nodes {
		if n.Dialled.Load() != 0 {
			t.Errorf("%s made %d requests of its own", n.Name, n.Dialled.Load())
		}
	}
}
