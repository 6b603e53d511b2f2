package federation

import (
	"container/list"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// maxAddresses bounds the addresses of which requests are counted.
const maxAddresses = 4096

// addressRate bounds how often an address may ask for something costly: so many times in a minute, which may be used at
// once. It remembers a bounded number of addresses, the ones that asked last; if all of them used up what they may, those
// beyond share one bound. It runs concurrently.
type addressRate struct {
	perMinute float64
	now       func() time.Time

	mu     sync.Mutex
	known  map[string]*list.Element // of *addressUse
	recent *list.List               // the address that asked last is in front
	rest   addressUse               // of all that there is no room for
}

// addressUse is what an address has left, at a time.
type addressUse struct {
	address string
	left    float64
	at      time.Time
}

// newAddressRate makes a bound; nil, which bounds nothing, for a rate of 0.
func newAddressRate(perMinute int, now func() time.Time) *addressRate {
	if perMinute <= 0 {
		return nil
	}
	r := &addressRate{perMinute: float64(perMinute), now: now, known: make(map[string]*list.Element), recent: list.New()}
	r.rest = addressUse{left: r.perMinute, at: now()}
	return r
}

// take counts a request of an address, and returns how long it must wait if it has used up what it may; 0 if not.
func (r *addressRate) take(request *http.Request) time.Duration {
	if r == nil {
		return 0
	}
	return r.takeOf(addressOf(request))
}

// takeOf is take of whoever is counted under a name.
func (r *addressRate) takeOf(name string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	use := r.use(name, now)
	use.refill(r.perMinute, now)
	if use.left < 1 {
		return time.Duration(math.Ceil((1-use.left)/r.perMinute*60)) * time.Second
	}
	use.left--
	return 0
}

// use finds or begins the count of an address.
func (r *addressRate) use(address string, now time.Time) *addressUse {
	if e, ok := r.known[address]; ok {
		r.recent.MoveToFront(e)
		return e.Value.(*addressUse)
	}
	if r.recent.Len() >= maxAddresses {
		oldest := r.recent.Back()
		old := oldest.Value.(*addressUse)
		if old.refill(r.perMinute, now); old.left < r.perMinute {
			return &r.rest // forgetting it would give it all anew
		}
		r.recent.Remove(oldest)
		delete(r.known, old.address)
	}
	use := &addressUse{address: address, left: r.perMinute, at: now}
	r.known[address] = r.recent.PushFront(use)
	return use
}

// refill adds what the time since brought. A clock that was set back brings nothing.
func (u *addressUse) refill(perMinute float64, now time.Time) {
	if since := now.Sub(u.at); since > 0 {
		u.left = min(perMinute, u.left+since.Minutes()*perMinute)
	}
	u.at = now
}

// addressOf is what counts as one address: an IPv4 address, or the /64 that one customer has at least in IPv6.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
