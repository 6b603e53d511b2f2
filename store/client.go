package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// keyPrefix lets scanners for leaked secrets recognise a key.
const keyPrefix = "skj_"

// keyLength is the length of a key, prefix included.
const keyLength = len(keyPrefix) + 43

// neverExpires is the expiry of a key that has not been rotated out.
const neverExpires = math.MaxInt64

var clientNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Client is an account of this node: a SOC tool or an analyst.
type Client struct {
	Name     string // 1 to 64 letters, digits, ., _ and -, beginning with a letter or digit
	Admin    bool   // reads and writes every collection
	Disabled bool   // it is refused, whatever it logs in with
	// Expires is when the account ends: from then on it is refused as if it were disabled. Zero: never.
	Expires time.Time
	// EmptyList: empty answers carry "objects": [] for this client.
	EmptyList bool
	// Identity is the created_by_ref that what it publishes must have (taxii.Submission.Identity); "" for any.
	Identity stix.Identifier
	// Rights by collection id.
	Rights map[string]taxii.Rights
	// Rates are the account's own bounds.
	Rates taxii.Rates
	// Certificates are those that it may log in with, in order.
	Certificates []Fingerprint
	// HasPassword is told, not taken: see AddClientWithPassword and SetPassword.
	HasPassword bool
	Created     time.Time
	Seen
}

func checkClientName(name string) error {
	if !clientNamePattern.MatchString(name) {
		return invalid("a client's name has 1 to 64 letters, digits, dots, underscores and hyphens, and begins with a letter or digit: not %q", name)
	}
	return nil
}

func checkClientIdentity(id stix.Identifier) error {
	if id == "" {
		return nil
	}
	if parsed, err := stix.ParseIdentifier(string(id)); err != nil || parsed.Type() != "identity" {
		return invalid("a client's identity is the id of a STIX identity object, such as identity--f431f809-377b-45e0-aa1c-6a4751cae5ff: not %q", string(id))
	}
	return nil
}

// newKey makes a key and the hash that is stored of it. It is safe in URLs and does not begin with a hyphen.
func newKey() (key string, hash []byte) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails: it ends the program instead
	key = keyPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(key))
	return key, sum[:]
}

// AddClient adds a client with its rights and flags and returns its key, which is stored as a hash and can't be shown
// again. The errors are ErrInvalid, ErrExists (the name or a certificate is taken) and taxii.ErrNotFound (a collection in
// Rights).
func (s *Store) AddClient(ctx context.Context, client Client) (string, error) {
	key, hash := newKey()
	err := s.addClient(ctx, client, "", func(c conn, account int64, now time.Time) error { return addKey(c, account, hash, now) })
	if err != nil {
		return "", err
	}
	return key, nil
}

// addClient adds a client, which credential may give something to log in with.
func (s *Store) addClient(ctx context.Context, client Client, passwordHash string, credential func(c conn, account int64, now time.Time) error) error {
	if err := errors.Join(checkClientName(client.Name), checkClientIdentity(client.Identity)); err != nil {
		return err
	}
	return s.write(ctx, func(c conn) error {
		now := s.now()
		n, err := addAccount(c, taxii.ClientAccount, client.Name, now)
		if err != nil {
			return err
		}
		if _, err := c.Exec(`INSERT INTO client (account, admin, empty_list, disabled, password) VALUES ($1, 0, 0, 0, $2)`,
			n, passwordHash); err != nil {
			return err
		}
		if err := setClient(c, n, client); err != nil {
			return err
		}
		return credential(c, n, now)
	})
}

func addKey(c conn, account int64, hash []byte, now time.Time) error {
	_, err := c.Exec(`INSERT INTO client_key (hash, account, created, expires) VALUES ($1, $2, $3, $4)`, hash, account, micros(now), int64(neverExpires))
	return err
}

// clientNumber finds a client's account; taxii.ErrNotFound.
func clientNumber(c conn, name string) (int64, error) {
	n, err := accountNumber(c, taxii.ClientAccount, name)
	if err == nil && n == 0 {
		err = notFound("client", name)
	}
	return n, err
}

// RotateClient gives a client a new key and returns it; the old keys end after overlap, or sooner if they were to.
func (s *Store) RotateClient(ctx context.Context, name string, overlap time.Duration) (string, error) {
	key, hash := newKey()
	err := s.write(ctx, func(c conn) error {
		n, err := clientNumber(c, name)
		if err != nil {
			return err
		}
		now := s.now()
		if _, err := c.Exec(`DELETE FROM client_key WHERE account = $1 AND expires <= $2`, n, micros(now)); err != nil {
			return err
		}
		if _, err := c.Exec(`UPDATE client_key SET expires = $2 WHERE account = $1 AND expires > $2`, n, micros(now.Add(max(overlap, 0)))); err != nil {
			return err
		}
		return addKey(c, n, hash, now)
	})
	if err != nil {
		return "", err
	}
	return key, nil
}

// RemoveClient removes a client, its keys, its rights and the statuses of what it submitted; taxii.ErrNotFound.
func (s *Store) RemoveClient(ctx context.Context, name string) error {
	return s.write(ctx, func(c conn) error {
		n, err := clientNumber(c, name)
		if err != nil {
			return err
		}
		return removeAccount(c, n, name)
	})
}

// SetClient replaces a client's flags, identity, end, bounds, certificates and rights; its keys and its password stay. The
// errors are ErrInvalid, taxii.ErrNotFound if there is no such client or collection, and ErrExists if another client has one
// of the certificates.
func (s *Store) SetClient(ctx context.Context, client Client) error {
	if err := checkClientIdentity(client.Identity); err != nil {
		return err
	}
	return s.write(ctx, func(c conn) error {
		n, err := clientNumber(c, client.Name)
		if err != nil {
			return err
		}
		return setClient(c, n, client)
	})
}

func setClient(c conn, account int64, client Client) error {
	if _, err := c.Exec(`UPDATE client SET admin = $2, empty_list = $3, disabled = $4, expires = $5, request_rate = $6, byte_rate = $7, identity = $8
		WHERE account = $1`, account, client.Admin, client.EmptyList, client.Disabled, micros(client.Expires), client.Rates.Requests,
		client.Rates.Octets, string(client.Identity)); err != nil {
		return err
	}
	if err := setCertificates(c, account, client.Certificates); err != nil {
		return err
	}
	return setRights(c, account, client.Rights)
}

// Clients returns all clients in order of name.
func (s *Store) Clients(ctx context.Context) ([]Client, error) {
	var list []Client
	err := s.read(ctx, func(c conn) error {
		list = nil
		rows, err := accounts(c, taxii.ClientAccount)
		if err != nil {
			return err
		}
		for _, a := range rows {
			client := Client{Name: a.name, Created: a.created, Rights: a.rights, Seen: a.seen}
			if err := readFlags(c, a.number, &client); err != nil {
				return err
			}
			list = append(list, client)
		}
		return nil
	})
	return list, err
}

func readFlags(c conn, account int64, client *Client) error {
	found, err := one(c, `SELECT `+clientFlags+`, CASE WHEN f.password <> '' THEN 1 ELSE 0 END FROM client f WHERE f.account = $1`, []any{account}, func(r row) error {
		client.scanFlags(r, 0)
		client.HasPassword = r.Int(numClientFlags) != 0
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("client %q has no flags in the database", client.Name)
	}
	if err != nil {
		return err
	}
	client.Certificates, err = certificatesOf(c, account)
	return err
}

// clientFlags are what a client's row says of an account, for scanFlags.
const (
	clientFlags    = `f.admin, f.empty_list, f.disabled, f.expires, f.request_rate, f.byte_rate, f.identity`
	numClientFlags = 7
)

// scanFlags reads clientFlags, the first of which is the given column.
func (client *Client) scanFlags(r row, column int) {
	client.Admin, client.EmptyList, client.Disabled = r.Int(column) != 0, r.Int(column+1) != 0, r.Int(column+2) != 0
	client.Expires = timeOf(r.Int(column + 3))
	client.Rates = taxii.Rates{Requests: r.Int(column + 4), Octets: r.Int(column + 5)}
	client.Identity = stix.Identifier(r.Text(column + 6))
}
