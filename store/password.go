package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/skjold-exchange/skjold/taxii"
)

// Bounds of a password. The shortest has no rules about its characters beside its length, as NIST SP 800-63B advises; the
// longest is what the server accepts as a key.
const (
	minPassword = 12  // characters
	maxPassword = 512 // bytes
)

// passwordCost are the parameters of Argon2id (RFC 9106).
type passwordCost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// currentCost is for passwords that are set from now on: the second recommended option of RFC 9106 §4. Each check takes
// 64 MiB and about a tenth of a second.
var currentCost = passwordCost{memory: 64 << 10, passes: 3, threads: 4}

// The most that a stored hash may ask for, so that a damaged database does not take the machine along.
const (
	maxMemory  = 1 << 20 // KiB
	maxPasses  = 64
	saltLength = 16
	sumLength  = 32
)

// passwordHash is a password as it is stored.
type passwordHash struct {
	passwordCost
	salt, sum []byte
}

// hashPassword makes the hash of a password with a salt of its own.
func hashPassword(password string) passwordHash {
	h := passwordHash{passwordCost: currentCost, salt: make([]byte, saltLength)}
	_, _ = rand.Read(h.salt) // never fails: it ends the program instead
	h.sum = h.compute(password)
	return h
}

func (h passwordHash) compute(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, sumLength)
}

// matches tells whether the password is the one that was hashed.
func (h passwordHash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.compute(password), h.sum) == 1
}

// String is the usual form, $argon2id$v=19$m=…,t=…,p=…$salt$sum.
func (h passwordHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.sum))
}

// parsePasswordHash reads what String writes.
func parsePasswordHash(s string) (passwordHash, error) {
	bad := fmt.Errorf("a password's hash in the database is not one of Argon2id: %w", ErrDamaged)
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return passwordHash{}, bad
	}
	var h passwordHash
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); err != nil {
		return passwordHash{}, bad
	}
	var saltErr, sumErr error
	h.salt, saltErr = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, sumErr = base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || sumErr != nil || len(h.salt) != saltLength || len(h.sum) != sumLength || h.String() != s ||
		h.memory < 8 || h.memory > maxMemory || h.passes < 1 || h.passes > maxPasses || h.threads < 1 {
		return passwordHash{}, bad
	}
	return h, nil
}

// checkPassword holds a new password against the rules.
func checkPassword(password string) error {
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return invalid("a password is text of one line")
	case utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword:
		return invalid("a password has at least %d characters and at most %d bytes", minPassword, maxPassword)
	case strings.HasPrefix(password, keyPrefix):
		return invalid("a password does not begin with %s, so that it is never taken for a key", keyPrefix)
	}
	return nil
}

// AddClientWithPassword adds a client that logs in with a password and has no key; otherwise it is as AddClient.
func (s *Store) AddClientWithPassword(ctx context.Context, client Client, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	return s.addClient(ctx, client, hashPassword(password).String(), func(conn, int64, time.Time) error { return nil })
}

// SetPassword gives a client a password, or with "" takes it away; its keys stay. The errors are ErrInvalid and
// taxii.ErrNotFound.
func (s *Store) SetPassword(ctx context.Context, name, password string) error {
	hash := ""
	if password != "" {
		if err := checkPassword(password); err != nil {
			return err
		}
		hash = hashPassword(password).String()
	}
	return s.write(ctx, func(c conn) error {
		n, err := clientNumber(c, name)
		if err != nil {
			return err
		}
		_, err = c.Exec(`UPDATE client SET password = $2 WHERE account = $1`, n, hash)
		return err
	})
}

// byPassword is Account for a name and what has not the form of a key. Where any client has a password, a name that does
// not exist costs the same computation as a wrong password. The computation is made outside the transaction.
func (s *Store) byPassword(ctx context.Context, name, password string) (*taxii.Principal, error) {
	var p *taxii.Principal
	var hash string
	var refused error // of an account that may not log in, told only to who knows the password
	err := s.read(ctx, func(c conn) error {
		p, hash, refused = nil, "", nil
		var h holder
		_, err := one(c, `SELECT a.number, a.name, f.password, `+clientFlags+`
			FROM account a JOIN client f ON f.account = a.number WHERE a.kind = $1 AND a.name = $2`, []any{string(taxii.ClientAccount), name},
			func(r row) error {
				h.account, hash = account{number: r.Int(0), name: r.Text(1)}, r.Text(2)
				h.client.scanFlags(r, 3)
				return nil
			})
		if err != nil {
			return err
		}
		if hash != "" {
			p, refused = h.principal(c, s.now())
			if !errors.Is(refused, taxii.ErrUnauthenticated) {
				return refused // nil, or the database does not answer
			}
			return nil
		}
		withPassword, err := number(c, `SELECT COUNT(*) FROM (SELECT account FROM client WHERE password <> '' LIMIT 1) p`)
		if err == nil && withPassword > 0 {
			hash = s.passwords.dummy
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if hash == "" { // nobody logs in with a password here
		return nil, errNobody
	}
	ok, err := s.passwords.check(ctx, hash, password)
	switch {
	case err != nil:
		return nil, err
	case !ok || p == nil && refused == nil:
		return nil, errNobody
	}
	return p, refused
}

// A dummy is the hash of nothing that anybody knows, to be checked where there is no other.
func newDummy() string {
	h := passwordHash{passwordCost: currentCost, salt: make([]byte, saltLength), sum: make([]byte, sha256.Size)}
	_, _ = rand.Read(h.salt)
	_, _ = rand.Read(h.sum)
	return h.String()
}
