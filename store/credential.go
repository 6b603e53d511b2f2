package store

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// holder is whom credentials were found to belong to.
type holder struct {
	account account
	client  Client
}

// errNobody is the one reason for every wrong name, key or password.
var errNobody = refusal("no client has this name and key")

func refusal(reason string) error { return fmt.Errorf("%w: %s", taxii.ErrUnauthenticated, reason) }

// Account returns the principal of a client's key or password, with its rights as they are now. An empty name finds the
// client by the key alone. The error is taxii.ErrUnauthenticated for a wrong name, a wrong, ended or removed key, a wrong
// password, and a client that is disabled or has ended; what it was is in the text, for the log only. It is
// taxii.ErrUnavailable while too many passwords are being checked.
func (s *Store) Account(ctx context.Context, name, key string) (*taxii.Principal, error) {
	if name != "" && !isKey(key) {
		return s.byPassword(ctx, name, key)
	}
	var p *taxii.Principal
	err := s.read(ctx, func(c conn) error {
		h, err := s.byKey(c, name, key)
		if err == nil {
			p, err = h.principal(c, s.now())
		}
		return err
	})
	return p, err
}

// isKey tells the form of a key. Passwords never have it, so that a key costs no more to check than a lookup.
func isKey(secret string) bool {
	return strings.HasPrefix(secret, keyPrefix) && len(secret) == keyLength
}

// keyHolder finds the account that a key belongs to.
const keyHolder = `SELECT a.number, a.name, k.hash, k.expires, ` + clientFlags + `
	FROM client_key k JOIN account a ON a.number = k.account JOIN client f ON f.account = k.account WHERE k.hash = $1`

func (s *Store) byKey(c conn, name, key string) (holder, error) {
	sum := sha256.Sum256([]byte(key))
	var h holder
	var hash []byte
	var expires int64
	// Looking up by hash tells a timing attacker nothing about keys: it would have to choose hashes, not keys.
	found, err := one(c, keyHolder, []any{sum[:]}, func(r row) error {
		h.account, hash, expires = account{number: r.Int(0), name: r.Text(1)}, r.Bytes(2), r.Int(3)
		h.client.scanFlags(r, 4)
		return nil
	})
	if err != nil {
		return h, err
	}
	named := name == "" || subtle.ConstantTimeCompare([]byte(name), []byte(h.account.name)) == 1
	if !found || subtle.ConstantTimeCompare(hash, sum[:]) != 1 || !named {
		return h, errNobody
	}
	if expires <= s.now().UnixMicro() {
		return h, refusal(fmt.Sprintf("the key of client %q has expired", h.account.name))
	}
	return h, nil
}

// principal is the caller as the server knows it, unless the account is refused as a whole.
func (h holder) principal(c conn, now time.Time) (*taxii.Principal, error) {
	switch {
	case h.client.Disabled:
		return nil, refusal(fmt.Sprintf("client %q is disabled", h.account.name))
	case h.client.Ended(now):
		return nil, refusal(fmt.Sprintf("client %q has ended: it was to expire %s", h.account.name, h.client.Expires.Format(time.RFC3339)))
	}
	if err := h.account.readRights(c); err != nil {
		return nil, err
	}
	return &taxii.Principal{
		Kind: taxii.ClientAccount, Name: h.account.name, Admin: h.client.Admin, EmptyList: h.client.EmptyList,
		Identity: h.client.Identity, Rights: h.account.rights, Rates: h.client.Rates,
	}, nil
}

// Ended tells whether the account's time is over.
func (client *Client) Ended(now time.Time) bool {
	return !client.Expires.IsZero() && !now.Before(client.Expires)
}
