package federation

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

func TestDialRule(t *testing.T) {
	const (
		never   = 0
		private = 1 // with AllowPrivate
		always  = 2
	)
	for address, want := range map[string]int{
		"9.9.9.9:443": always, "[2620:fe::9]:443": always, "[::ffff:9.9.9.9]:443": always, "[64:ff9b::909:909]:443": always,
		"[2002:909:909::1]:443": always,

		"10.0.0.1:443": private, "172.16.0.1:443": private, "172.31.255.255:443": private, "192.168.1.1:443": private,
		"100.64.0.1:443": private, "[fd12:3456::1]:443": private, "[::ffff:10.0.0.1]:443": private,
		"[64:ff9b::10.0.0.1]:443": private, "[::10.0.0.1]:443": private, "[2002:a00:1::]:443": private,

		"127.0.0.1:443": never, "127.255.255.254:443": never, "[::1]:443": never, "[::ffff:127.0.0.1]:443": never,
		"[::ffff:7f00:1]:443": never, "[::127.0.0.1]:443": never, "[64:ff9b::7f00:1]:443": never, "[64:ff9b:1::1]:443": never,
		"[2002:7f00:1::]:443": never, "0.0.0.0:443": never, "0.1.2.3:443": never, "[::]:443": never,
		"169.254.169.254:80": never, "[::ffff:169.254.169.254]:80": never, "[64:ff9b::a9fe:a9fe]:80": never,
		"[fe80::1]:443": never, "[fe80::1%eth0]:443": never, "[fec0::1]:443": never, "[fd00:ec2::254]:80": never,
		"224.0.0.1:443": never, "239.1.1.1:443": never, "[ff02::1]:443": never, "255.255.255.255:443": never, "240.0.0.1:443": never,
		"192.0.2.1:443": never, "198.51.100.1:443": never, "203.0.113.1:443": never, "198.18.0.1:443": never,
		"[2001:db8::1]:443": never, "[2001::1]:443": never, "[100::1]:443": never,
		"node.example:443": never, "": never, "127.1:443": never, "2130706433:443": never,
	} {
		for _, allowPrivate := range []bool{false, true} {
			err := dialRule{allowPrivate: allowPrivate}.allow(address)
			ok := want == always || want == private && allowPrivate
			if (err == nil) != ok || err != nil && !errors.Is(err, ErrForbiddenAddress) {
				t.Errorf("%s, private allowed %v: %v, want allowed %v", address, allowPrivate, err, ok)
			}
		}
		ok := address == "127.0.0.1:443" || address == "[::ffff:127.0.0.1]:443" || address == "[::ffff:7f00:1]:443" ||
			address == "[::127.0.0.1]:443" || address == "[64:ff9b::7f00:1]:443" || address == "[2002:7f00:1::]:443"
		if err := (dialRule{loopback: true, allowPrivate: true}).allow(address); (err == nil) != ok {
			t.Errorf("%s for a node on this machine: %v, want allowed %v", address, err, ok)
		}
	}
}

func TestClientDialsByRule(t *testing.T) {
	called := false
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer s.Close()
	plain := httptest.NewServer(s.Config.Handler)
	defer plain.Close()
	real1 := NewHTTPClient(ClientOptions{Self: "https://a.example", AllowPrivate: true})
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, address := range []string{s.URL, "https://localhost" + port, "https://2130706433" + port, "https://0x7f000001" + port,
		"https://0177.0.0.1" + port, "https://[::ffff:127.0.0.1]" + port, "https://0.0.0.0" + port} {
		if resp, err := real1.Get(address); err == nil {
			resp.Body.Close()
			t.Errorf("a real node dialled %s", address)
		}
	}
	if _, err := real1.Get(plain.URL); err == nil || !strings.Contains(err.Error(), "not https") {
		t.Errorf("a real node speaks plain http: %v", err)
	}
	if called {
		t.Error("the server on this machine was reached")
	}
	demo := NewHTTPClient(ClientOptions{Self: "http://127.0.0.1:8080"})
	resp, err := demo.Get(plain.URL)
	if err != nil {
		t.Fatalf("a node on this machine cannot reach another: %v", err)
	}
	resp.Body.Close()
	if _, err := real1.Get("https://localhost" + port); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("the refusal does not match ErrForbiddenAddress: %v", err)
	}
}

func TestClientUsesNoProxyAndNoOldTLS(t *testing.T) {
	transport := NewHTTPClient(ClientOptions{Self: "https://a.example"}).Transport.(httpsOnly).base.(*http.Transport)
	if transport.Proxy != nil {
		t.Error("a proxy of the environment would dial past the address rule")
	}
	if got := transport.TLSClientConfig.MinVersion; got != tls.VersionTLS12 {
		t.Errorf("the oldest TLS is %s", tls.VersionName(got))
	}
}

func TestClientFollowsNoRedirect(t *testing.T) {
	reached := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/target" {
			reached = true
			return
		}
		http.Redirect(w, r, "/target", http.StatusFound)
	}))
	defer s.Close()
	resp, err := NewHTTPClient(ClientOptions{Self: "http://127.0.0.1:8080"}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || reached {
		t.Errorf("the redirect was followed: %s", resp.Status)
	}
}

// localNode serves handler under an entity id of this machine.
func localNode(t *testing.T, handler http.Handler) EntityID {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	id, err := ParseEntityID(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFetchConfiguration(t *testing.T) {
	keys := testNodes().a.keys
	var answer http.HandlerFunc
	id := localNode(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != WellKnownPath {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	}))
	client := NewHTTPClient(ClientOptions{Self: id})
	right := wellKnownOf(id, keys)
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"right", right.ServeHTTP, ""},
		{"not found", http.NotFound, "404"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, "302"},
		{"a web page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "media type"},
		{"JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
		}, "media type"},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", StatementMediaType)
			for range 1000 {
				_, _ = io.WriteString(w, strings.Repeat("a", 1000))
			}
		}, string(jose.Oversize)},
		{"garbage", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", StatementMediaType)
			_, _ = io.WriteString(w, "a.b.c")
		}, string(jose.Base64)},
		{"another node's", wellKnownOf("http://127.0.0.1:1", keys).ServeHTTP, "its iss"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer = tt.answer
			_, err := FetchConfiguration(context.Background(), client, id, keys.Federation.ID())
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got %v, want a sentence with %q", err, tt.want)
			}
		})
	}
}

// skewedNode answers signed requests by a clock that differs from the caller's, and counts them.
func skewedNode(t *testing.T, callerNow *time.Time, skew *time.Duration, calls *int) (EntityID, EntityID) {
	t.Helper()
	caller := EntityID("http://127.0.0.1:9")
	keys := testNodes().a.keys
	var v *Verifier
	id := localNode(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*calls++
		w.Header().Set("Date", callerNow.Add(*skew).UTC().Format(http.TimeFormat))
		c, err := v.Verify(r)
		if err == nil && c.CheckBody != nil {
			body, _ := io.ReadAll(r.Body)
			err = c.CheckBody(sha(body))
		}
		if err != nil {
			http.Error(w, "not authenticated", http.StatusUnauthorized)
		}
	}))
	v, err := NewVerifier(VerifierOptions{
		Self: id, Peers: pinned(t, testNode{caller, keys}), Start: time.Unix(1, 0),
		Now: func() time.Time { return callerNow.Add(*skew) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return id, caller
}

func TestTransportCorrectsClock(t *testing.T) {
	var skew time.Duration
	var calls int
	now := testNow
	id, caller := skewedNode(t, &now, &skew, &calls)
	var alarms []time.Duration
	transport := NewTransport(TransportOptions{
		Signer: &Signer{Entity: caller, Key: testNodes().a.keys.Request, Now: func() time.Time { return now }},
		Callee: id, Base: NewHTTPClient(ClientOptions{Self: caller}).Transport,
		OnSkew: func(_ EntityID, d time.Duration) { alarms = append(alarms, d) },
	})
	client := &http.Client{Transport: transport}
	for _, step := range []struct {
		name   string
		skew   time.Duration
		calls  int // in this step
		alarms int // so far
		status int // 0 for an error
	}{
		{"clocks agree", 0, 1, 0, 200},
		{"10 seconds are within the leeway", 10 * time.Second, 1, 0, 200},
		{"2 minutes: once more, and an alarm", 2 * time.Minute, 2, 1, 200},
		{"the correction is kept", 2 * time.Minute, 1, 1, 200},
		{"the clock was set right again", 0, 2, 1, 200},
		{"ahead by 2 minutes", -2 * time.Minute, 2, 2, 200},
		{"10 minutes are refused", 10 * time.Minute, 1, 2, 0},
	} {
		skew, calls = step.skew, 0
		now = now.Add(10 * time.Minute) // between two steps, so that a clock set back is none to the callee's memory
		resp, err := client.Post(string(id)+"/x", "text/plain", strings.NewReader("body"))
		status := 0
		if err == nil {
			status = resp.StatusCode
			resp.Body.Close()
		} else if !strings.Contains(err.Error(), "clocks") {
			t.Errorf("%s: %v does not speak of the clocks", step.name, err)
		}
		if status != step.status || calls != step.calls || len(alarms) != step.alarms {
			t.Errorf("%s: status %d after %d calls with %d alarms, want %d, %d, %d", step.name, status, calls, len(alarms), step.status, step.calls, step.alarms)
		}
	}
}

// TestTransportGivesUp: a 401 that the clock does not explain is returned after one attempt.
func TestTransportGivesUp(t *testing.T) {
	var skew time.Duration
	var calls int
	now := testNow
	id, caller := skewedNode(t, &now, &skew, &calls)
	transport := NewTransport(TransportOptions{
		Signer: &Signer{Entity: caller, Key: testNodes().c.keys.Request, Now: func() time.Time { return now }},
		Callee: id, Base: http.DefaultTransport,
	})
	resp, err := (&http.Client{Transport: transport}).Get(string(id) + "/x")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || calls != 1 {
		t.Errorf("%s after %d calls, want 401 after 1", resp.Status, calls)
	}
}

// wellKnownOf serves the configuration of a node.
func wellKnownOf(id EntityID, keys Keys) http.Handler {
	return WellKnown(WellKnownOptions{Configuration: func() (NodeConfiguration, error) {
		return NodeConfiguration{Entity: id, Keys: keys}, nil
	}})
}
