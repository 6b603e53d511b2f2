package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// keyPrefix lets scanners for leaked secrets recognise a key.
const keyPrefix = "skj_"

// neverExpires is the expiry of a key that has not been rotated out.
const neverExpires = math.MaxInt64

var clientNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Client is an account of this node: a SOC tool or an analyst.
type Client struct {
	Name     string // 1 to 64 letters, digits, ., _ and -, beginning with a letter or digit
	Admin    bool   // reads and writes every collection
	Disabled bool   // its keys are refused
	// EmptyList: empty answers carry "objects": [] for this client.
	EmptyList bool
	// Identity is the created_by_ref that what it publishes must have (taxii.Submission.Identity); "" for any.
	Identity stix.Identifier
	// Rights by collection id.
	Rights  map[string]taxii.Rights
	Created time.Time
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
// again. The errors are ErrInvalid, ErrExists and taxii.ErrNotFound (a collection in Rights).
func (s *Store) AddClient(ctx context.Context, client Client) (string, error) {
	if err := checkClientName(client.Name); err != nil {
		return "", err
	}
	if err := checkClientIdentity(client.Identity); err != nil {
		return "", err
	}
	key, hash := newKey()
	err := s.write(ctx, func(c conn) error {
		now := s.now()
		n, err := addAccount(c, taxii.ClientAccount, client.Name, now)
		if err != nil {
			return err
		}
		if _, err := c.Exec(`INSERT INTO client (account, admin, empty_list, disabled, identity) VALUES ($1, $2, $3, $4, $5)`,
			n, client.Admin, client.EmptyList, client.Disabled, string(client.Identity)); err != nil {
			return err
		}
		if err := setRights(c, n, client.Rights); err != nil {
			return err
		}
		return addKey(c, n, hash, now)
	})
	if err != nil {
		return "", err
	}
	return key, nil
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

// SetClient replaces a client's flags, identity and rights. The errors are ErrInvalid, and taxii.ErrNotFound if there is no
// such client or collection.
func (s *Store) SetClient(ctx context.Context, client Client) error {
	if err := checkClientIdentity(client.Identity); err != nil {
		return err
	}
	return s.write(ctx, func(c conn) error {
		n, err := clientNumber(c, client.Name)
		if err != nil {
			return err
		}
		if _, err := c.Exec(`UPDATE client SET admin = $2, empty_list = $3, disabled = $4, identity = $5 WHERE account = $1`,
			n, client.Admin, client.EmptyList, client.Disabled, string(client.Identity)); err != nil {
			return err
		}
		return setRights(c, n, client.Rights)
	})
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
	found, err := one(c, `SELECT admin, empty_list, disabled, identity FROM client WHERE account = $1`, []any{account}, func(r row) error {
		client.Admin, client.EmptyList, client.Disabled = r.Int(0) != 0, r.Int(1) != 0, r.Int(2) != 0
		client.Identity = stix.Identifier(r.Text(3))
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("client %q has no flags in the database", client.Name)
	}
	return err
}

// Account returns the principal of a client's key, with its rights as they are now. An empty name finds the client by
// the key alone. The error is taxii.ErrUnauthenticated for a wrong name, a wrong, expired or removed key and a disabled
// client; what it was is in the text, for the log only.
func (s *Store) Account(ctx context.Context, name, key string) (*taxii.Principal, error) {
	var p *taxii.Principal
	err := s.read(ctx, func(c conn) (err error) {
		p, err = s.principal(c, name, key)
		return err
	})
	return p, err
}

// keyHolder finds the account that a key belongs to.
const keyHolder = `SELECT a.number, a.name, k.hash, k.expires, f.admin, f.empty_list, f.disabled, f.identity
	FROM client_key k JOIN account a ON a.number = k.account JOIN client f ON f.account = k.account WHERE k.hash = $1`

func (s *Store) principal(c conn, name, key string) (*taxii.Principal, error) {
	sum := sha256.Sum256([]byte(key))
	var holder account
	var hash []byte
	var expires int64
	client := Client{}
	// Looking up by hash tells a timing attacker nothing about keys: it would have to choose hashes, not keys.
	found, err := one(c, keyHolder, []any{sum[:]}, func(r row) error {
		holder, hash, expires = account{number: r.Int(0), name: r.Text(1)}, r.Bytes(2), r.Int(3)
		client = Client{Admin: r.Int(4) != 0, EmptyList: r.Int(5) != 0, Disabled: r.Int(6) != 0, Identity: stix.Identifier(r.Text(7))}
		return nil
	})
	if err != nil {
		return nil, err
	}
	refuse := func(reason string) error { return fmt.Errorf("%w: %s", taxii.ErrUnauthenticated, reason) }
	named := name == "" || subtle.ConstantTimeCompare([]byte(name), []byte(holder.name)) == 1
	if !found || subtle.ConstantTimeCompare(hash, sum[:]) != 1 || !named {
		return nil, refuse("no client has this name and key")
	}
	if expires <= s.now().UnixMicro() {
		return nil, refuse(fmt.Sprintf("the key of client %q has expired", holder.name))
	}
	if client.Disabled {
		return nil, refuse(fmt.Sprintf("client %q is disabled", holder.name))
	}
	if err := holder.readRights(c); err != nil {
		return nil, err
	}
	return &taxii.Principal{Kind: taxii.ClientAccount, Name: holder.name, Admin: client.Admin, EmptyList: client.EmptyList,
		Identity: client.Identity, Rights: holder.rights}, nil
}
