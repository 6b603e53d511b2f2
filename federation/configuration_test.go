package federation

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation/jose"
)

func TestConfiguration(t *testing.T) {
	a := testNodes().a
	compact, err := NodeConfiguration{Entity: a.id, Keys: a.keys}.Sign(testNow)
	if err != nil {
		t.Fatal(err)
	}
	c, err := VerifyConfiguration(compact, a.id, a.keys.Federation.ID(), testNow.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Expires.Sub(c.IssuedAt); got != 24*time.Hour {
		t.Errorf("it lives %s, want 24h", got)
	}
	got, err := c.Peer(testNow)
	if err != nil {
		t.Fatal(err)
	}
	want := a.peer(t)
	want.Added = testNow
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the pinned peer differs (-want +got):\n%s", diff)
	}
}

// TestBadConfigurations signs wrong claims with the right key, and right ones with wrong keys.
func TestBadConfigurations(t *testing.T) {
	a, c := testNodes().a, testNodes().c
	node := func(claims map[string]any) map[string]any {
		return claims["metadata"].(map[string]any)[nodeType].(map[string]any)
	}
	keysOf := func(keys ...*jose.Key) any {
		set, err := JWKS(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	tests := []struct {
		name   string
		mutate func(c map[string]any)
		key    *jose.Key
		typ    string
		pin    string
		want   string // part of the sentence, "" for success
	}{
		{name: "right"},
		{name: "more keys beside the pinned one", mutate: func(m map[string]any) { m["jwks"] = keysOf(c.keys.Federation, a.keys.Federation) }},
		{name: "another node's", mutate: set("sub", "https://c.example"), want: "its sub"},
		{name: "about itself by another", mutate: set("iss", "https://c.example"), want: "its iss"},
		{name: "no sub", mutate: drop("sub"), want: "its sub"},
		{name: "expired", mutate: both(set("iat", testNow.Unix()-7200), set("exp", testNow.Unix()-3600)), want: string(jose.Expired)},
		{name: "from the future", mutate: both(set("iat", testNow.Unix()+3600), set("exp", testNow.Unix()+7200)), want: string(jose.NotYetValid)},
		{name: "no exp", mutate: drop("exp"), want: string(jose.NoExpiry)},
		{name: "no iat", mutate: drop("iat"), want: "iat"},
		{name: "valid for a year", mutate: set("exp", testNow.Unix()+365*86400), want: "at most"},
		{name: "exp before iat", mutate: set("iat", testNow.Unix()+20), key: nil, want: ""},
		{name: "no keys", mutate: drop("jwks"), want: "jwks"},
		{name: "not the pinned key", mutate: func(m map[string]any) { m["jwks"] = keysOf(c.keys.Federation) }, key: c.keys.Federation, want: "thumbprint"},
		{name: "signed by another of its keys", mutate: func(m map[string]any) { m["jwks"] = keysOf(c.keys.Federation, a.keys.Federation) }, key: c.keys.Federation, want: string(jose.UnknownKey)},
		{name: "signed by the request key", key: a.keys.Request, want: string(jose.UnknownKey)},
		{name: "another typ", typ: requestType, want: string(jose.BadType)},
		{name: "no metadata", mutate: drop("metadata"), want: "metadata"},
		{name: "no node", mutate: func(m map[string]any) { m["metadata"] = map[string]any{"openid_provider": map[string]any{}} }, want: nodeType},
		{name: "no request keys", mutate: func(m map[string]any) { delete(node(m), "jwks") }, want: "jwks"},
		{name: "private request keys", mutate: func(m map[string]any) {
			node(m)["jwks"] = map[string]any{"keys": []any{map[string]any{"kty": "OKP", "d": "AAAA"}}}
		}, want: string(jose.KeyPrivate)},
		{name: "no API root", mutate: func(m map[string]any) { delete(node(m), "api_root") }, want: "api_root"},
		{name: "API root with http", mutate: func(m map[string]any) { node(m)["api_root"] = "http://a.example/taxii2/main/" }, want: "https"},
		{name: "API root on this machine", mutate: func(m map[string]any) { node(m)["api_root"] = "http://127.0.0.1:1/taxii2/main/" }, want: "https"},
		{name: "thumbprint of another", pin: c.keys.Federation.ID(), want: "compare it"},
		{name: "thumbprint in groups", pin: "abcd efgh", want: "43 characters"},
		{name: "no thumbprint", pin: "-", want: "43 characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			compact := forgedConfiguration(t, tt.mutate, tt.key, tt.typ)
			if tt.pin == "" {
				tt.pin = a.keys.Federation.ID()
			}
			_, err := VerifyConfiguration(compact, a.id, tt.pin, testNow)
			switch {
			case tt.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got %v, want a sentence with %q", err, tt.want)
			}
		})
	}
}

func forgedConfiguration(t *testing.T, mutate func(map[string]any), key *jose.Key, typ string) string {
	t.Helper()
	a := testNodes().a
	good, err := NodeConfiguration{Entity: a.id, Keys: a.keys}.Sign(testNow)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.Parse(good, statementType, 0)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(parsed.Claims.Raw(), &claims); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iat", "exp"} { // numbers as numbers, not as floats with an exponent
		claims[name] = int64(claims[name].(float64))
	}
	if mutate != nil {
		mutate(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	if key == nil {
		key = a.keys.Federation
	}
	if typ == "" {
		typ = statementType
	}
	compact, err := jose.Sign(payload, key, typ)
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func TestCheckAPIRoot(t *testing.T) {
	for _, tt := range []struct {
		entity  EntityID
		apiRoot string
		ok      bool
	}{
		{"https://a.example", "https://a.example/taxii2/main/", true},
		{"https://a.example", "https://taxii.a.example:8443/taxii2/main/", true},
		{"https://a.example", "https://a.example/taxii2/main", false},
		{"https://a.example", "http://a.example/taxii2/main/", false},
		{"https://a.example", "/taxii2/main/", false},
		{"https://a.example", "", false},
		{"https://a.example", "https:///taxii2/main/", false},
		{"https://a.example", "https://u:p@a.example/taxii2/main/", false},
		{"https://a.example", "https://a.example/taxii2/main/?x=/", false},
		{"https://a.example", "https://a.example/taxii2/main/?", false},
		{"https://a.example", "https://a.example/taxii2/main/#", false},
		{"https://a.example", "http://127.0.0.1:8080/taxii2/main/", false},
		{"https://a.example", "https://a.example/" + strings.Repeat("a", 2048) + "/", false},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/taxii2/main/", true},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8081/taxii2/main/", false},
		{"http://127.0.0.1:8080", "https://a.example/taxii2/main/", false},
	} {
		if err := CheckAPIRoot(tt.entity, tt.apiRoot); (err == nil) != tt.ok {
			t.Errorf("CheckAPIRoot(%s, %.60s) = %v, want ok %v", tt.entity, tt.apiRoot, err, tt.ok)
		}
	}
}

func TestWellKnown(t *testing.T) {
	a, now := testNodes().a, testNow
	said := NodeConfiguration{Entity: a.id, Keys: a.keys}
	h := WellKnown(WellKnownOptions{Configuration: func() (NodeConfiguration, error) { return said, nil }, Now: func() time.Time { return now }})
	get := func() string {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", WellKnownPath, nil))
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/entity-statement+jwt" {
			t.Fatalf("%d with %q", w.Code, w.Header().Get("Content-Type"))
		}
		if _, err := VerifyConfiguration(w.Body.String(), a.id, a.keys.Federation.ID(), now); err != nil {
			t.Fatal(err)
		}
		return w.Body.String()
	}
	first := get()
	now = now.Add(12*time.Hour - time.Second)
	if get() != first {
		t.Error("it was signed anew before half its life")
	}
	now = now.Add(time.Second)
	second := get()
	if second == first {
		t.Error("it was not signed anew at half its life")
	}
	said.RequestKeys = []jose.PublicKey{testNodes().c.keys.Request.Public()}
	if get() != second {
		t.Error("what the node says is asked for on every request")
	}
	now = now.Add(2 * time.Second)
	third := get()
	if c, err := VerifyConfiguration(third, a.id, a.keys.Federation.ID(), now); err != nil || len(c.RequestKeys.Keys()) != 2 {
		t.Errorf("a new request key is not served within two seconds: %v", err)
	}
	now = now.Add(-24 * time.Hour) // the clock is set right: what is served must not be from the future
	if get() == third {
		t.Error("it was not signed anew after the clock was set back")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", WellKnownPath, nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}
