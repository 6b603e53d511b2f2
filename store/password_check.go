package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// maxChecks is how many passwords are checked at once: each takes the memory of currentCost.
	maxChecks = 2
	// maxWaiting is how many more may wait for their turn.
	maxWaiting = 32
	// passwordLife is how long a password that was right is known to be, so that a client that polls does not cost a check
	// each time. A password that is changed or taken away ends at once all the same: its hash is part of what is known.
	passwordLife = 10 * time.Minute
	// maxKnown bounds the passwords that are known.
	maxKnown = 4096
)

// passwordChecks computes hashes of passwords, few at a time, and remembers which were right.
type passwordChecks struct {
	now     func() time.Time
	dummy   string
	turns   chan struct{} // has an element for every check under way
	waiting chan struct{} // likewise for every caller of check that has or wants a turn
	secret  [sha256.Size]byte
	// compute tells whether a password matches a hash; it is passwordHash.matches.
	compute func(h passwordHash, password string) bool

	mu    sync.Mutex
	known map[[sha256.Size]byte]time.Time // until when, by a MAC of the hash and the password
}

func newPasswordChecks(now func() time.Time) *passwordChecks {
	p := &passwordChecks{
		now: now, dummy: newDummy(), turns: make(chan struct{}, maxChecks), waiting: make(chan struct{}, maxChecks+maxWaiting),
		compute: passwordHash.matches, known: make(map[[sha256.Size]byte]time.Time),
	}
	_, _ = rand.Read(p.secret[:])
	return p
}

// check tells whether a password is that of a stored hash. The error is taxii.ErrUnavailable while too many are being
// checked, and taxii.ErrUnauthenticated where the caller's guesses are not to be tried (taxii.GuessesRefused).
func (p *passwordChecks) check(ctx context.Context, hash, password string) (bool, error) {
	mac := p.mac(hash, password)
	if p.isKnown(mac) {
		return true, nil
	}
	if taxii.GuessesRefused(ctx) {
		return false, refusal("passwords from this address are not tried now, after too many wrong ones")
	}
	h, err := parsePasswordHash(hash)
	if err != nil {
		return false, err
	}
	select {
	case p.waiting <- struct{}{}:
		defer func() { <-p.waiting }()
	default:
		return false, unavailable("checking a password", fmt.Errorf("%d others are being checked", maxChecks+maxWaiting))
	}
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return false, unavailable("waiting to check a password", ctx.Err())
	}
	if p.isKnown(mac) { // somebody sent the same meanwhile
		return true, nil
	}
	ok := p.compute(h, password)
	if ok {
		p.remember(mac)
	}
	return ok, nil
}

// mac names a password and the hash that it is right for, without telling either.
func (p *passwordChecks) mac(hash, password string) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, p.secret[:])
	m.Write([]byte(hash)) // always ends with the same number of octets behind its last $
	m.Write([]byte{0})
	m.Write([]byte(password))
	m.Sum(sum[:0])
	return sum
}

func (p *passwordChecks) isKnown(mac [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.known[mac]
	return ok && p.now().Before(until)
}

// remember makes room where there is none: first of what is over, then of anything.
func (p *passwordChecks) remember(mac [sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if len(p.known) >= maxKnown {
		for k, until := range p.known {
			if !now.Before(until) {
				delete(p.known, k)
			}
		}
	}
	for k := range p.known {
		if len(p.known) < maxKnown {
			break
		}
		delete(p.known, k)
	}
	p.known[mac] = now.Add(passwordLife)
}
