package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/skjold-exchange/skjold/taxii"
)

// Fingerprint names a certificate: the SHA-256 of its DER.
type Fingerprint [sha256.Size]byte

// fingerprintPrefix says which hash a fingerprint is of.
const fingerprintPrefix = "sha256:"

// ParseFingerprint reads "sha256:" and 64 hexadecimal digits, in any case and with or without colons between them as
// openssl writes them.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	digits, ok := strings.CutPrefix(strings.ToLower(s), fingerprintPrefix)
	digits = strings.ReplaceAll(digits, ":", "")
	if !ok || len(digits) != hex.EncodedLen(len(f)) {
		return f, invalid("a certificate's fingerprint is sha256: and 64 hexadecimal digits, not %q", s)
	}
	if _, err := hex.Decode(f[:], []byte(digits)); err != nil {
		return f, invalid("a certificate's fingerprint is sha256: and 64 hexadecimal digits, not %q", s)
	}
	return f, nil
}

// String is the form that ParseFingerprint reads.
func (f Fingerprint) String() string { return fingerprintPrefix + hex.EncodeToString(f[:]) }

// CertificateAccount returns the principal of the client that a certificate is bound to, as Account does. Whoever calls it
// has made sure that the caller holds the certificate's private key.
func (s *Store) CertificateAccount(ctx context.Context, f Fingerprint) (*taxii.Principal, error) {
	var p *taxii.Principal
	err := s.read(ctx, func(c conn) error {
		var h holder
		found, err := one(c, `SELECT a.number, a.name, `+clientFlags+`
			FROM client_certificate x JOIN account a ON a.number = x.account JOIN client f ON f.account = x.account WHERE x.fingerprint = $1`,
			[]any{f[:]}, func(r row) error {
				h.account = account{number: r.Int(0), name: r.Text(1)}
				h.client.scanFlags(r, 2)
				return nil
			})
		if err == nil && !found {
			err = refusal(fmt.Sprintf("no client has the certificate %s", f))
		}
		if err == nil {
			p, err = h.principal(c, s.now())
		}
		return err
	})
	return p, err
}

// setCertificates replaces the certificates of a client; ErrExists if another client has one of them.
func setCertificates(c conn, account int64, list []Fingerprint) error {
	if _, err := c.Exec(`DELETE FROM client_certificate WHERE account = $1`, account); err != nil {
		return err
	}
	for _, f := range slices.CompactFunc(sortedFingerprints(list), func(a, b Fingerprint) bool { return a == b }) {
		taken, err := number(c, `SELECT COUNT(*) FROM client_certificate WHERE fingerprint = $1`, f[:])
		if err != nil {
			return err
		}
		if taken > 0 {
			return fmt.Errorf("another client has the certificate %s: %w", f, ErrExists)
		}
		if _, err := c.Exec(`INSERT INTO client_certificate (fingerprint, account) VALUES ($1, $2)`, f[:], account); err != nil {
			return err
		}
	}
	return nil
}

// certificatesOf reads the certificates of a client in order.
func certificatesOf(c conn, account int64) ([]Fingerprint, error) {
	var list []Fingerprint
	err := c.Query(`SELECT fingerprint FROM client_certificate WHERE account = $1`, []any{account}, func(r row) error {
		list = append(list, Fingerprint(r.Bytes(0)))
		return nil
	})
	return sortedFingerprints(list), err
}

func sortedFingerprints(list []Fingerprint) []Fingerprint {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Fingerprint) int { return slices.Compare(a[:], b[:]) })
	return list
}
