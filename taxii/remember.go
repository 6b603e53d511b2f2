package taxii

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/http"
	"sync"
	"time"
)

const (
	// DefaultCredentialLife is well within the two seconds in which a change of an account takes effect everywhere.
	DefaultCredentialLife = time.Second
	// maxRemembered bounds the credentials that are remembered.
	maxRemembered = 1 << 14
)

// CredentialCache remembers for a moment whom credentials belong to, so that a client that asks often does not cost a
// look into the database each time. Since it asks again after that moment, it needs no word of an account that was
// changed, by whatever process. Only credentials that were right are remembered, by a MAC with a key of this process. It
// may be used concurrently.
type CredentialCache struct {
	life time.Duration
	most int
	now  func() time.Time
	macs sync.Pool // of *credentialMAC

	mu    sync.RWMutex
	known map[[sha256.Size]byte]remembered
}

type remembered struct {
	principal *Principal
	until     time.Time
}

// NewCredentialCache returns a cache that believes an answer for life, DefaultCredentialLife if that is 0. now may be nil
// for time.Now.
func NewCredentialCache(life time.Duration, now func() time.Time) *CredentialCache {
	orDefault(&life, DefaultCredentialLife)
	if now == nil {
		now = time.Now
	}
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails: it ends the program instead
	return &CredentialCache{
		life: life, most: maxRemembered, now: now, known: make(map[[sha256.Size]byte]remembered),
		macs: sync.Pool{New: func() any { return &credentialMAC{hash: hmac.New(sha256.New, secret)} }},
	}
}

// Principal returns whom the credentials belong to: as remembered, or as find says, whose success is remembered. kind
// keeps credentials of different kinds apart.
func (c *CredentialCache) Principal(kind string, credentials []string, find func() (*Principal, error)) (*Principal, error) {
	mac := c.mac(kind, credentials)
	now := c.now() // before asking: what is remembered is at least as old
	if p := c.recall(mac, now); p != nil {
		return p, nil
	}
	p, err := find()
	if err != nil {
		return nil, err
	}
	c.remember(mac, remembered{principal: p, until: now.Add(c.life)}, now)
	return p, nil
}

// recall returns the principal that is remembered, or nil.
func (c *CredentialCache) recall(mac [sha256.Size]byte, now time.Time) *Principal {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if r, ok := c.known[mac]; ok && now.Before(r.until) {
		return r.principal
	}
	return nil
}

// credentialMAC is the memory that making a MAC takes. Between two uses it is empty.
type credentialMAC struct {
	hash hash.Hash
	text [maxCredentials]byte
	sum  [sha256.Size]byte
}

// mac names credentials without telling them.
func (c *CredentialCache) mac(kind string, credentials []string) [sha256.Size]byte {
	m := c.macs.Get().(*credentialMAC)
	defer c.macs.Put(m)
	m.hash.Reset()
	text := binary.AppendUvarint(m.text[:0], uint64(len(kind)))
	text = append(text, kind...)
	for _, part := range credentials { // each with its length, so that no two lists look alike
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	m.hash.Write(text)
	clear(m.text[:min(len(text), len(m.text))])
	m.hash.Sum(m.sum[:0])
	return m.sum
}

// remember makes room where there is none: first of what is over, then of anything.
func (c *CredentialCache) remember(mac [sha256.Size]byte, r remembered, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= c.most {
		for k, old := range c.known {
			if !now.Before(old.until) {
				delete(c.known, k)
			}
		}
	}
	for k := range c.known {
		if len(c.known) < c.most {
			break
		}
		delete(c.known, k)
	}
	c.known[mac] = r
}

// KeyAuth returns KeyAuth for accounts that are asked through the cache. It remembers whom an Authorization header belongs to,
// so that it is not taken apart each time.
func (c *CredentialCache) KeyAuth(accounts Accounts) Authenticator {
	return rememberedHeaders{cache: c, asking: KeyAuth{accounts}, remembering: KeyAuth{c.Remembering(accounts)}}
}

type rememberedHeaders struct {
	cache       *CredentialCache
	asking      KeyAuth // of what is remembered by its header: to remember it twice would be to believe it twice as long
	remembering KeyAuth
}

// Authenticate implements Authenticator.
func (a rememberedHeaders) Authenticate(r *http.Request) (*Principal, error) {
	lines := r.Header["Authorization"]
	if len(lines) != 1 || len(lines[0]) > maxCredentials || r.Header["X-Api-Key"] != nil {
		return a.remembering.Authenticate(r)
	}
	return a.cache.Principal("authorization", lines, func() (*Principal, error) { return a.asking.Authenticate(r) })
}

// Remembering returns accounts that are asked through the cache.
func (c *CredentialCache) Remembering(accounts Accounts) Accounts {
	return rememberedAccounts{c, accounts}
}

type rememberedAccounts struct {
	cache *CredentialCache
	Accounts
}

// Account implements Accounts.
func (a rememberedAccounts) Account(ctx context.Context, name, key string) (*Principal, error) {
	return a.cache.Principal("key", []string{name, key}, func() (*Principal, error) { return a.Accounts.Account(ctx, name, key) })
}
