package federation_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
)

// answer is what an endpoint said.
type answer struct {
	status    int
	mediaType string
	body      string
	header    http.Header
}

// ask sends a request as a stranger.
func ask(t testing.TB, method, address string, body io.Reader, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Content-Type"), string(text), resp.Header}
}

// wantError fails unless the answer is an error of the standard's form.
func (a answer) wantError(t testing.TB, status int, code string) {
	t.Helper()
	var told struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal([]byte(a.body), &told); err != nil || a.status != status || told.Error != code || told.Description == "" || a.mediaType != "application/json" {
		t.Errorf("got %d %s %s, want %d with the error %s", a.status, a.mediaType, a.body, status, code)
	}
}

func (a answer) want(t testing.TB, mediaType string) string {
	t.Helper()
	if a.status != http.StatusOK || a.mediaType != mediaType {
		t.Fatalf("got %d %s %s, want 200 with %s", a.status, a.mediaType, a.body, mediaType)
	}
	return a.body
}

// region is a federation of an anchor, a hub and members: a hub below the hub, and two that issue nothing.
func region(t testing.TB) (f *fedtest.Federation, hub, inner, city, firm *fedtest.Node) {
	f = fedtest.New(t, fedtest.Options{})
	hub = f.AddHub("region", f.Anchor)
	inner = f.AddHub("sector hub", hub)
	city, firm = f.AddMember("city", hub), f.AddMember("firm", inner)
	return f, hub, inner, city, firm
}

func TestFetchEndpoint(t *testing.T) {
	f, hub, _, city, firm := region(t)
	address := string(hub.ID) + federation.FetchPath
	get := func(query string) answer { return ask(t, "GET", address+query, nil) }
	compact := get("?sub="+url.QueryEscape(string(city.ID))+"&unknown=1").want(t, "application/entity-statement+jwt")
	keys, err := federation.JWKS(hub.Keys.Federation)
	if err != nil {
		t.Fatal(err)
	}
	s, err := federation.VerifySubordinateStatement(compact, keys, f.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if s.Issuer != hub.ID || s.Subject != city.ID || s.Admission != string(city.Admission) || s.SourceEndpoint != address {
		t.Errorf("the statement is of %s about %s, admission %q, from %q", s.Issuer, s.Subject, s.Admission, s.SourceEndpoint)
	}
	if again := get("?sub=" + url.QueryEscape(string(city.ID))).body; again != compact {
		t.Error("a second request costs a signature")
	}
	city.OrgID = "cvr:99999999"
	if changed := get("?sub=" + url.QueryEscape(string(city.ID))).body; changed == compact {
		t.Error("a statement that says something else is not signed anew")
	}
	city.OrgID = "cvr:00000004"
	f.Clock.Advance(12 * time.Hour)
	if later := get("?sub=" + url.QueryEscape(string(city.ID))).body; later == compact {
		t.Error("the statement is not signed anew at half its life")
	}
	get("").wantError(t, 400, "invalid_request")
	get("?sub=").wantError(t, 400, "invalid_request")
	get("?sub=a&sub=b").wantError(t, 400, "invalid_request")
	get("?sub=ftp%3A%2F%2Fa").wantError(t, 400, "invalid_request")
	get("?sub=%zz").wantError(t, 400, "invalid_request")
	get("?sub="+string(hub.ID)).wantError(t, 400, "invalid_request")
	get("?sub="+string(firm.ID)).wantError(t, 404, "not_found") // it is below another hub
	get("?sub=https://nobody.example").wantError(t, 404, "not_found")
	ask(t, "POST", address, strings.NewReader("sub=x")).wantError(t, 405, "invalid_request")
	ask(t, "GET", string(city.ID)+federation.FetchPath+"?sub="+string(firm.ID), nil).wantError(t, 404, "not_found") // a leaf issues nothing
}

func TestListEndpoint(t *testing.T) {
	f, hub, inner, city, _ := region(t)
	const mark = "https://federation.example/marks/backup"
	city.TrustMarks = map[string]time.Time{mark: f.Clock.Now().Add(time.Hour)}
	inner.TrustMarks = map[string]time.Time{mark: f.Clock.Now().Add(-time.Hour)}
	both := []string{string(inner.ID), string(city.ID)}
	if both[0] > both[1] {
		both[0], both[1] = both[1], both[0]
	}
	for query, want := range map[string][]string{
		"": both, "?unknown=x": both, "?intermediate=true": {string(inner.ID)}, "?intermediate=false": both,
		"?entity_type=taxii_node": both, "?entity_type=taxii_node&entity_type=federation_entity": {string(inner.ID)},
		"?entity_type=openid_provider": {}, "?trust_marked=true": {string(city.ID)}, "?trust_marked=false": both,
		"?trust_mark_type=" + url.QueryEscape(mark): {string(city.ID)}, "?trust_mark_type=https%3A%2F%2Fother": {},
		"?trust_marked=true&intermediate=true": {},
	} {
		var got []string
		body := ask(t, "GET", string(hub.ID)+federation.ListPath+query, nil).want(t, "application/json")
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("list%s (-want +got):\n%s", query, diff)
		}
	}
	for _, query := range []string{"?intermediate=yes", "?intermediate=", "?trust_marked=1", "?trust_marked=true&trust_marked=true", "?trust_mark_type=", "?a=%zz"} {
		ask(t, "GET", string(hub.ID)+federation.ListPath+query, nil).wantError(t, 400, "invalid_request")
	}
}

// TestAuthorizedEndpoints: where members are confidential, nothing is told before it is known who asks.
func TestAuthorizedEndpoints(t *testing.T) {
	f, hub, _, city, _ := region(t)
	e := federation.NewEndpoints(federation.EndpointOptions{
		Entity: hub.ID, Registry: hub.Registry(), Now: f.Clock.Now,
		Authorize: func(r *http.Request) error {
			return &federation.EndpointError{Status: 401, Code: "invalid_client", Description: "who asks?"}
		},
	})
	hub.Mux.Handle("/closed/", http.StripPrefix("/closed", e))
	for _, path := range []string{federation.ListPath, federation.ListPath + "?a=%zz", federation.FetchPath + "?sub=" + string(city.ID)} {
		a := ask(t, "GET", string(hub.ID)+"/closed"+path, nil)
		a.wantError(t, 401, "invalid_client")
		if a.header.Get("WWW-Authenticate") == "" {
			t.Error("a 401 without WWW-Authenticate")
		}
	}
}

func TestResolveEndpoint(t *testing.T) {
	f, hub, _, _, firm := region(t)
	const mark = "https://federation.example/marks/backup"
	f.Anchor.Say = func(c *federation.NodeConfiguration) {
		c.TrustMarkIssuers = map[string][]federation.EntityID{mark: {f.Anchor.ID}}
	}
	sign := func(issuer *fedtest.Node) string {
		compact, err := federation.TrustMark{Issuer: issuer.ID, Subject: firm.ID, Type: mark}.Sign(issuer.Keys.Federation, f.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	good := sign(f.Anchor)
	firm.Say = func(c *federation.NodeConfiguration) {
		c.TrustMarks = []federation.TrustMarkClaim{{Type: mark, Mark: good}, {Type: mark, Mark: sign(firm)}, {Type: mark, Mark: sign(hub)}}
	}
	if _, err := hub.Introductions.Introduce(firm.Chain()); err != nil {
		t.Fatal(err)
	}
	address := string(hub.ID) + federation.ResolvePath
	query := "?sub=" + url.QueryEscape(string(firm.ID)) + "&trust_anchor=" + url.QueryEscape(string(f.Anchor.ID))
	keys, err := federation.JWKS(hub.Keys.Federation)
	if err != nil {
		t.Fatal(err)
	}
	resolve := func(query string) *federation.ResolveResponse {
		t.Helper()
		body := ask(t, "GET", address+query, nil).want(t, "application/resolve-response+jwt")
		r, err := federation.VerifyResolveResponse(body, hub.ID, keys, f.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := resolve(query + "&trust_anchor=https%3A%2F%2Fother.example")
	chain, err := federation.VerifyTrustChain(r.TrustChain, f.ChainOptions())
	if err != nil {
		t.Fatal(err)
	}
	if r.Subject != firm.ID || r.Metadata.Text("taxii_node", "org_id") != firm.OrgID || !r.Expires.Equal(chain.Expires) {
		t.Errorf("resolved %s: %v until %s", r.Subject, r.Metadata, r.Expires)
	}
	if diff := cmp.Diff([]federation.TrustMarkClaim{{Type: mark, Mark: good}}, r.TrustMarks); diff != "" {
		t.Errorf("trust marks (-want +got):\n%s", diff)
	}
	if r := resolve(query + "&entity_type=federation_entity"); len(r.Metadata) != 0 {
		t.Errorf("metadata of other types: %v", r.Metadata)
	}
	for query, want := range map[string]struct {
		status int
		code   string
	}{
		"?sub=" + string(firm.ID):                                     {400, "invalid_request"},
		"?trust_anchor=" + string(f.Anchor.ID):                        {400, "invalid_request"},
		query + strings.Repeat("&entity_type=x", 17):                  {400, "invalid_request"},
		"?sub=https://nobody.example&trust_anchor=https://a.example":  {404, "not_found"},
		"?sub=" + string(firm.ID) + "&trust_anchor=https://a.example": {404, "invalid_trust_anchor"},
	} {
		ask(t, "GET", address+query, nil).wantError(t, want.status, want.code)
	}
	f.Clock.Advance(24 * time.Hour)
	ask(t, "GET", address+query, nil).wantError(t, 404, "not_found")
	if n := hub.Dialled.Load(); n != 0 {
		t.Errorf("the hub made %d requests of its own", n)
	}
}

func TestHistoricalKeysEndpoint(t *testing.T) {
	f, hub, _, _, _ := region(t)
	now := f.Clock.Now().Truncate(time.Second)
	old, stolen := fedtest.NewKey(t).Public(), fedtest.NewKey(t).Public()
	hub.Historical = []federation.HistoricalKey{
		{Key: old, IssuedAt: now.Add(-1000 * time.Hour), Expires: now.Add(-10 * time.Hour)},
		{Key: stolen, Expires: now.Add(-time.Hour), RevokedAt: now.Add(-5 * time.Hour), Reason: federation.KeyCompromised},
	}
	address := string(hub.ID) + federation.HistoricalKeysPath
	body := ask(t, "GET", address, nil).want(t, "application/jwk-set+jwt")
	keys, err := federation.JWKS(hub.Keys.Federation)
	if err != nil {
		t.Fatal(err)
	}
	got, err := federation.VerifyHistoricalKeys(body, hub.ID, keys, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[time.Duration]bool{
		{-1001 * time.Hour: false, -1000 * time.Hour: true, -11 * time.Hour: true, -10 * time.Hour: false},
		{-1001 * time.Hour: true, -6 * time.Hour: true, -5 * time.Hour: false, -2 * time.Hour: false},
	} {
		if got[i].Key.ID() != hub.Historical[i].Key.ID() || got[i].Reason != hub.Historical[i].Reason {
			t.Errorf("key %d is %+v", i, got[i])
		}
		for at, valid := range want {
			if got[i].ValidAt(now.Add(at)) != valid {
				t.Errorf("key %d at %s: valid is not %v", i, at, valid)
			}
		}
	}
	if ask(t, "GET", address, nil).body != body {
		t.Error("a second request costs a signature")
	}
}

func TestRecordsEndpoints(t *testing.T) {
	f, hub, _, city, _ := region(t)
	base := string(hub.ID)
	var hashes []federation.Hash
	if err := json.Unmarshal([]byte(ask(t, "GET", base+federation.RecordsPath, nil).want(t, "application/json")), &hashes); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.Ledger.Hashes(), hashes); diff != "" || len(hashes) != 5 {
		t.Errorf("%d hashes (-want +got):\n%s", len(hashes), diff)
	}
	var after []federation.Hash
	if err := json.Unmarshal([]byte(ask(t, "GET", base+federation.RecordsPath+"?after="+string(hashes[2]), nil).body), &after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hashes[3:], after); diff != "" {
		t.Errorf("after the third (-want +got):\n%s", diff)
	}
	ledger, err := federation.OpenLedger(f.Charter.Hash(), federation.RecordDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a decision needs its charter first
		for _, h := range hashes {
			a := ask(t, "GET", fmt.Sprintf("%s%s/%s", base, federation.RecordsPath, h), nil)
			_, _ = ledger.Add([]byte(a.want(t, "application/json"))) // in the first round some need others
			if a.header.Get("ETag") != `"`+string(h)+`"` || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
				t.Errorf("the record %s has the headers %v", h, a.header)
			}
		}
	}
	if m := ledger.Member(city.ID, f.Clock.Now()); m.Standing != federation.InGood {
		t.Errorf("a ledger of what was served has the city as %s", m.Standing)
	}
	decision := base + federation.DecisionsPath + "/" + string(city.Admission)
	ask(t, "GET", decision, nil).want(t, "application/json")
	if a := ask(t, "GET", decision, nil, "If-None-Match", `"`+string(city.Admission)+`"`); a.status != http.StatusNotModified || a.body != "" {
		t.Errorf("asked again: %d", a.status)
	}
	ask(t, "GET", base+federation.DecisionsPath+"/"+charterRecord(t, f), nil).wantError(t, 404, "not_found")
	for _, path := range []string{"/short", "/" + strings.Repeat("A", 43), "/..%2f..%2fetc%2fpasswd", "/" + strings.Repeat("A", 5000)} {
		ask(t, "GET", base+federation.RecordsPath+path, nil).wantError(t, 404, "not_found")
	}
	ask(t, "GET", base+federation.RecordsPath+"?after=x", nil).wantError(t, 400, "invalid_request")
	ask(t, "GET", base+"/federation/v1/nothing", nil).wantError(t, 404, "not_found")
}

// charterRecord is the address of the charter's record.
func charterRecord(t testing.TB, f *fedtest.Federation) string {
	t.Helper()
	for _, h := range f.Ledger.Hashes() {
		record, err := f.Ledger.Record(h)
		if err != nil {
			t.Fatal(err)
		}
		if record[0] == '[' {
			return string(h)
		}
	}
	t.Fatal("there is no charter")
	return ""
}
