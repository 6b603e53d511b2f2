package taxii

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Rates are how much one caller may ask for in a minute; what was not asked for in one minute may be in the next. 0 leaves
// it to the server, a negative number is no bound.
type Rates struct {
	Requests int64 // requests
	Octets   int64 // octets of bodies, received and sent, as they are on the wire
}

// LimitError says that a caller has used up what it may ask for now. The server answers with 429 and Retry-After.
type LimitError struct {
	// Of is what was used up, for the caller and the log: "the 600 requests a minute of your account".
	Of string
	// Wait is when it is worth trying again; more than 0.
	Wait time.Duration
}

func (e *LimitError) Error() string { return fmt.Sprintf("too many requests: %s are used up", e.Of) }

// seconds is the wait in whole seconds, rounded up.
func (e *LimitError) seconds() int { return int((e.Wait + time.Second - 1) / time.Second) }

// RetryAfter is the value of the header (RFC 9110 §10.2.3).
func (e *LimitError) RetryAfter() string { return strconv.Itoa(e.seconds()) }

func (e *LimitError) problem() *problem {
	s := e.seconds()
	unit := "seconds"
	if s == 1 {
		unit = "second"
	}
	p := refuse(http.StatusTooManyRequests, "Too many requests", "%s are used up; go on in %d %s.", capital(e.Of), s, unit)
	p.retryAfter = e.RetryAfter()
	return p
}

// rateLimiter holds callers to their rates. An administrator has none unless they are the account's own: who has to look
// after a node that is flooded is not to be kept out.
type rateLimiter struct {
	rates           Rates
	accounts, peers callerBuckets // which have names of their own
}

// callerBuckets are the buckets of callers by name.
type callerBuckets struct {
	requests, octets *buckets
}

func newRateLimiter(rates Rates, now func() time.Time) *rateLimiter {
	both := func() callerBuckets { return callerBuckets{newBuckets(now), newBuckets(now)} }
	return &rateLimiter{rates: rates, accounts: both(), peers: both()}
}

func (l *rateLimiter) bucketsOf(p *Principal) callerBuckets {
	if p.Kind == PeerNode {
		return l.peers
	}
	return l.accounts
}

// of are the rates that hold for a caller; 0 and less is none.
func (l *rateLimiter) of(p *Principal) Rates {
	rates := p.Rates
	if p.Admin {
		return rates
	}
	orDefault(&rates.Requests, l.rates.Requests)
	orDefault(&rates.Octets, l.rates.Octets)
	return rates
}

// admit counts a request, or refuses it with a LimitError.
func (l *rateLimiter) admit(p *Principal) error {
	rates, buckets := l.of(p), l.bucketsOf(p)
	if rates.Octets > 0 {
		if wait := buckets.octets.wait(p.Name, rates.Octets, 1); wait > 0 {
			return &LimitError{Of: fmt.Sprintf("the %d octets a minute of your account", rates.Octets), Wait: wait}
		}
	}
	if rates.Requests > 0 {
		if wait := buckets.requests.take(p.Name, rates.Requests, 1); wait > 0 {
			return &LimitError{Of: fmt.Sprintf("the %d requests a minute of your account", rates.Requests), Wait: wait}
		}
	}
	return nil
}

// charge counts the octets of a request that has been answered.
func (l *rateLimiter) charge(p *Principal, octets int64) {
	if rates := l.of(p); rates.Octets > 0 && octets > 0 {
		l.bucketsOf(p).octets.charge(p.Name, rates.Octets, float64(octets))
	}
}
