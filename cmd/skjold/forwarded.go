package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress puts the address that a trusted proxy names into RemoteAddr: the last one in X-Forwarded-For that is not
// itself a trusted proxy. Proxies append to that header, so what stands left of it is what the client wrote there itself.
// From everybody else it is ignored. Forwarded (RFC 7239) is ignored from all: proxies that do not know it pass on what a
// client wrote.
func clientAddress(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	isTrusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && isTrusted(from.Addr().Unmap()) {
			hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
			for _, hop := range slices.Backward(hops) {
				a, ok := parseHop(hop)
				if !ok {
					break
				}
				r.RemoteAddr = net.JoinHostPort(a.String(), "0")
				if !isTrusted(a) {
					break
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// parseHop reads one element of X-Forwarded-For: an address, with or without the port that some proxies add.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(s)
		a, err = withPort.Addr(), portErr
	}
	return a.Unmap().WithZone(""), err == nil
}
