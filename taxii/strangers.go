package taxii

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// strangerShare is how many requests without any credentials count as one with wrong ones. There are clients that ask
// without at first, each time, and repeat the request with credentials when they are told to.
const strangerShare = 10

// StrangerOptions are what LimitStrangers needs.
type StrangerOptions struct {
	// PerMinute is how many requests with wrong credentials are answered to one address in a minute; ten times as many
	// without any. 0: no bound.
	PerMinute int64
	// ClientIP tells the client's address; the host of RemoteAddr. Addresses of IPv6 count by their /64.
	ClientIP func(r *http.Request) string
	Now      func() time.Time // time.Now
}

// LimitStrangers bounds what an address gets that fails to authenticate: beyond it, the answer is a LimitError instead of
// what a says. Requests with valid credentials are never refused for what others of their address do, except that
// passwords are not tried there meanwhile (GuessesRefused).
func LimitStrangers(a Authenticator, o StrangerOptions) Authenticator {
	if o.PerMinute <= 0 {
		return a
	}
	if o.ClientIP == nil {
		o.ClientIP = remoteHost
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &strangerLimiter{next: a, opt: o, buckets: newBuckets(o.Now)}
}

type strangerLimiter struct {
	next    Authenticator
	opt     StrangerOptions
	buckets *buckets
}

// Authenticate implements Authenticator. While nobody fails, it costs nothing.
func (l *strangerLimiter) Authenticate(r *http.Request) (*Principal, error) {
	var wait time.Duration
	if !l.buckets.full() {
		wait = l.buckets.wait(l.cost(r))
	}
	if wait > 0 {
		r = r.WithContext(context.WithValue(r.Context(), guessesKey{}, true))
	}
	p, err := l.next.Authenticate(r)
	switch {
	case !errors.Is(err, ErrUnauthenticated):
		return p, err
	case wait > 0:
		return nil, fmt.Errorf("%w (%w)", &LimitError{Of: "the requests without valid credentials of your address", Wait: wait}, err)
	}
	l.buckets.charge(l.cost(r))
	return nil, err
}

// cost is whose bucket a request takes from if it fails, what comes into that in a minute, and how much the request takes.
func (l *strangerLimiter) cost(r *http.Request) (address string, rate int64, cost float64) {
	cost = 1
	if hasCredentials(r) {
		cost = strangerShare
	}
	return network(l.opt.ClientIP(r)), l.opt.PerMinute * strangerShare, cost
}

func hasCredentials(r *http.Request) bool {
	return r.Header["Authorization"] != nil || r.Header["X-Api-Key"] != nil || (r.TLS != nil && len(r.TLS.PeerCertificates) > 0)
}

// network is what counts as one address: an IPv4 address, or the /64 that one customer has at least in IPv6.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

type guessesKey struct{}

// GuessesRefused tells Accounts that the caller's address has sent too many wrong credentials: what takes a costly check
// is to be refused with ErrUnauthenticated unchecked.
func GuessesRefused(ctx context.Context) bool { return ctx.Value(guessesKey{}) != nil }
