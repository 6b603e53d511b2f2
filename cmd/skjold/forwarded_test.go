package main

import (
	"net/http"
	"net/netip"
	"testing"
)

// TestClientAddress tries to be somebody else: what a client writes itself never counts, whoever passes it on.
func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("2001:db8:1::/48")}
	for _, tt := range []struct {
		name, from string
		header     http.Header
		want       string
	}{
		{"no header", "10.0.0.1:99", http.Header{}, "10.0.0.1:99"},
		{"by the proxy", "10.0.0.1:99", forwardedFor("192.0.2.7"), "192.0.2.7:0"},
		{"over IPv6", "[2001:db8:1::1]:99", forwardedFor("2001:db8:9::7"), "[2001:db8:9::7]:0"},
		{"mapped", "[::ffff:10.0.0.1]:99", forwardedFor("::ffff:192.0.2.7"), "192.0.2.7:0"},
		{"with a port", "10.0.0.1:99", forwardedFor("192.0.2.7:4711"), "192.0.2.7:0"},
		{"with a port, IPv6", "10.0.0.1:99", forwardedFor("[2001:db8:9::7]:4711"), "[2001:db8:9::7]:0"},
		{"with a zone", "10.0.0.1:99", forwardedFor("fe80::1%eth0"), "[fe80::1]:0"},
		{"two proxies", "10.0.0.1:99", forwardedFor("192.0.2.7, 10.0.0.2"), "192.0.2.7:0"},
		{"from the proxy itself", "10.0.0.1:99", forwardedFor("10.0.0.3"), "10.0.0.3:0"},
		{"by a stranger", "192.0.2.66:99", forwardedFor("192.0.2.7"), "192.0.2.66:99"},
		{"by a stranger, as the proxy", "192.0.2.66:99", forwardedFor("10.0.0.1"), "192.0.2.66:99"},
		{"made up in front", "10.0.0.1:99", forwardedFor("127.0.0.1, 192.0.2.66"), "192.0.2.66:0"},
		{"made up in a line of its own", "10.0.0.1:99", forwardedFor("127.0.0.1", "192.0.2.66"), "192.0.2.66:0"},
		{"made up with a proxy behind", "10.0.0.1:99", forwardedFor("127.0.0.1, 192.0.2.66, 10.0.0.2"), "192.0.2.66:0"},
		{"nonsense in front", "10.0.0.1:99", forwardedFor("nonsense, 192.0.2.66"), "192.0.2.66:0"},
		{"nonsense", "10.0.0.1:99", forwardedFor("unknown"), "10.0.0.1:99"},
		{"empty", "10.0.0.1:99", forwardedFor(""), "10.0.0.1:99"},
		{"Forwarded", "10.0.0.1:99", http.Header{"Forwarded": {"for=127.0.0.1"}}, "10.0.0.1:99"},
		{"Forwarded beside it", "10.0.0.1:99", http.Header{"Forwarded": {"for=127.0.0.1"}, "X-Forwarded-For": {"192.0.2.66"}}, "192.0.2.66:0"},
		{"X-Real-IP", "10.0.0.1:99", http.Header{"X-Real-Ip": {"127.0.0.1"}, "True-Client-Ip": {"127.0.0.1"}}, "10.0.0.1:99"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })
			clientAddress(trusted, next).ServeHTTP(nil, &http.Request{RemoteAddr: tt.from, Header: tt.header})
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			clientAddress(nil, next).ServeHTTP(nil, &http.Request{RemoteAddr: tt.from, Header: tt.header})
			if got != tt.from {
				t.Errorf("without trusted proxies: got %s, want %s", got, tt.from)
			}
		})
	}
}

func forwardedFor(lines ...string) http.Header { return http.Header{"X-Forwarded-For": lines} }
