package taxii

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// limitedRig is a server with a clock of the test's and these rates.
func limitedRig(t *testing.T, rates Rates) (*rig, *testClock) {
	clock := newTestClock()
	return newRig(t, func(o *Options) { o.Rates, o.Now = rates, clock.Now }), clock
}

// wantLimited expects a 429 with an error message and a true Retry-After, which it returns.
func (g *rig) wantLimited(got reply) time.Duration {
	g.Helper()
	e := g.wantError(got, http.StatusTooManyRequests)
	seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
	if err != nil || seconds < 1 || !strings.Contains(e.Description, " "+strconv.Itoa(seconds)+" second") {
		g.Errorf("Retry-After %q, %q", got.Header.Get("Retry-After"), e.Description)
	}
	return time.Duration(seconds) * time.Second
}

func TestRequestRate(t *testing.T) {
	g, clock := limitedRig(t, Rates{Requests: 3})
	untouched := func(r *http.Request) { r.Body, r.ContentLength = untouchable{t}, 100<<20 }
	for range 3 {
		g.want(g.get(g.objects(""), as("reader")), http.StatusOK)
	}
	for _, method := range []string{"GET", "POST", "DELETE", "PUT"} { // before the body is read, whatever is asked for
		wait := g.wantLimited(g.do(method, g.objects(""), "", as("reader"), untouched))
		if wait != 20*time.Second {
			t.Errorf("%s: wait %s, want 20 s", method, wait)
		}
	}
	if got := g.do("HEAD", g.objects(""), "", as("reader")); got.StatusCode != http.StatusTooManyRequests || got.body != "" {
		t.Errorf("HEAD: %s %q", got.Status, got.body)
	}
	for _, user := range []string{"both", "peer"} { // nobody else is affected
		g.want(g.get(g.objects(""), as(user)), http.StatusOK)
	}
	g.want(g.get(g.objects(""), header("Authorization", "Bearer wrong")), http.StatusUnauthorized)
	for range 20 { // an administrator has no limit
		g.want(g.get(g.objects("")), http.StatusOK)
	}
	clock.advance(20 * time.Second)
	g.want(g.get(g.objects(""), as("reader")), http.StatusOK)
	g.wantLimited(g.get(g.objects(""), as("reader")))
	if last := g.store.lastObserved(t); last.Name != "reader" || !strings.HasPrefix(last.Error, "429 Too many requests: ") {
		t.Errorf("the operator reads %+v", last)
	}
}

// TestPollsAreNeverLimited polls every 30 s for a day, with what OpenCTI and Elastic ask for besides, at the lowest rate
// that allows it.
func TestPollsAreNeverLimited(t *testing.T) {
	g, clock := limitedRig(t, Rates{Requests: 2})
	for range 24 * 60 * 2 {
		g.want(g.get(g.objects(""), as("reader")), http.StatusOK)
		clock.advance(30 * time.Second)
	}
}

func TestByteRate(t *testing.T) {
	const rate = 60_000
	g, clock := limitedRig(t, Rates{Octets: rate})
	big := largeIndicator(1, 2*rate)
	g.add(big) // by the administrator
	first := g.get(g.objects(""), as("reader"))
	g.want(first, http.StatusOK) // it goes out whole, and is paid for afterwards
	wait := g.wantLimited(g.get(g.objects(""), as("reader")))
	if paid := time.Duration(len(first.body)-rate+1) * time.Minute / rate; wait < paid || wait > paid+time.Second {
		t.Errorf("wait %s for %d octets, want %s and less than a second", wait, len(first.body), paid)
	}
	g.want(g.get(g.objects(""), as("both")), http.StatusOK)
	clock.advance(wait)
	g.want(g.get(root, as("reader")), http.StatusOK)

	// What is sent counts as well, as it is on the wire.
	g.want(g.do("POST", g.objects(""), envelopeOf(largeIndicator(2, rate)), as("writer")), http.StatusAccepted)
	g.wantLimited(g.do("POST", g.objects(""), envelopeOf(indicator(3, v1, "")), as("writer")))
}

func TestRatesOfAnAccount(t *testing.T) {
	g, _ := limitedRig(t, Rates{Requests: 2})
	g.users["admin"].Rates = Rates{Requests: 1}
	g.users["reader"].Rates = Rates{Requests: -1}
	g.users["both"].Rates = Rates{Octets: 1}
	for range 10 {
		g.want(g.get(root, as("reader")), http.StatusOK)
	}
	g.want(g.get(root), http.StatusOK)
	g.wantLimited(g.get(root))
	g.want(g.get(root, as("both")), http.StatusOK) // a rate of its own in one leaves the other as it is
	g.wantLimited(g.get(root, as("both")))
}

// strangersRig is a server that bounds what strangers get, at an address that they choose themselves.
func strangersRig(t *testing.T, perMinute int64) (*rig, *testClock) {
	clock := newTestClock()
	return newRig(t, func(o *Options) {
		o.Now = clock.Now
		o.Authenticator = LimitStrangers(o.Authenticator, StrangerOptions{PerMinute: perMinute, Now: clock.Now})
	}), clock
}

func from(address string) edit { return func(r *http.Request) { r.RemoteAddr = address } }

func TestStrangers(t *testing.T) {
	g, clock := strangersRig(t, 2)
	wrong := header("Authorization", "Bearer wrong")
	none := func(r *http.Request) { r.Header.Del("Authorization") }
	untouched := func(r *http.Request) { r.Body, r.ContentLength = untouchable{t}, 100<<20 }
	here, there := from("192.0.2.1:1111"), from("192.0.2.2:1111")
	for range 10 {
		g.want(g.get(root, none, here), http.StatusUnauthorized)
	}
	g.want(g.get(root, wrong, here), http.StatusUnauthorized)
	if wait := g.wantLimited(g.do("POST", g.objects(""), "", wrong, here, untouched)); wait != 30*time.Second {
		t.Errorf("wait %s, want 30 s", wait)
	}
	if wait := g.wantLimited(g.get(root, none, from("192.0.2.1:2222"))); wait != 3*time.Second {
		t.Errorf("wait %s, want 3 s", wait)
	}
	g.want(g.get(root, wrong, there), http.StatusUnauthorized)
	g.want(g.get(root, as("reader"), here), http.StatusOK) // whoever has a key at that address is served
	clock.advance(30 * time.Second)
	g.want(g.get(root, wrong, here), http.StatusUnauthorized)
	g.wantLimited(g.get(root, wrong, here))
}

func TestNetworks(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":               "192.0.2.1",
		"::ffff:192.0.2.1":        "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1:2::/64",
		"2001:db8:1:2::9":         "2001:db8:1:2::/64",
		"2001:db8:1:3::9":         "2001:db8:1:3::/64",
		"fe80::1%eth0":            "fe80::/64",
		"a socket without a name": "a socket without a name",
	} {
		if got := network(address); got != want {
			t.Errorf("network(%s) = %s, want %s", address, got, want)
		}
	}
}

// largeIndicator is longer than size octets.
func largeIndicator(n, size int) string {
	return strings.TrimSuffix(indicator(n, v1, ""), "}") + `,"description":"` + strings.Repeat("x", size) + `"}`
}
