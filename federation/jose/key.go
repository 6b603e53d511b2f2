package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

// Algorithm is a JWS algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
type Algorithm string

// The algorithms; nothing else exists.
const (
	EdDSA Algorithm = "EdDSA" // with Ed25519
	ES256 Algorithm = "ES256" // ECDSA with P-256 and SHA-256
)

func (a Algorithm) jwa() (jwa.SignatureAlgorithm, bool) {
	switch a {
	case EdDSA:
		return jwa.EdDSA(), true
	case ES256:
		return jwa.ES256(), true
	}
	return jwa.EmptySignatureAlgorithm(), false
}

// PublicKey is a checked public key: a canonical point of its curve, not of small order. It is immutable.
type PublicKey struct {
	id  string
	alg Algorithm
	raw crypto.PublicKey // ed25519.PublicKey or *ecdsa.PublicKey
}

// ID returns the kid: the RFC 7638 SHA-256 thumbprint in base64url, 43 characters.
func (k PublicKey) ID() string { return k.id }

// Algorithm returns the one algorithm that the key is for.
func (k PublicKey) Algorithm() Algorithm { return k.alg }

// newPublicKey checks the point and computes the thumbprint.
func newPublicKey(raw crypto.PublicKey) (PublicKey, error) {
	k := PublicKey{raw: raw}
	switch raw := raw.(type) {
	case ed25519.PublicKey:
		k.alg = EdDSA
		if err := checkEd25519(raw); err != nil {
			return PublicKey{}, err
		}
	case *ecdsa.PublicKey: // parsed by crypto/ecdsa, which refuses points outside the curve
		k.alg = ES256
		if raw.Curve != elliptic.P256() {
			return PublicKey{}, refuse(KeyType, "the key is not of the curve P-256")
		}
	default:
		return PublicKey{}, refuse(KeyType, "the key is neither Ed25519 nor P-256")
	}
	j, err := jwk.Import(raw)
	if err != nil {
		return PublicKey{}, refuse(KeyPoint, "the public key is not usable")
	}
	sum, err := j.Thumbprint(crypto.SHA256)
	if err != nil {
		return PublicKey{}, refuse(KeyPoint, "the public key has no thumbprint")
	}
	k.id = encodeBase64(sum)
	return k, nil
}

// Key is a private key that signs with one algorithm. It prints as its kid only, in every format, so that it cannot be
// logged by accident; MarshalPrivate is the one way to its secret.
type Key struct {
	public PublicKey
	raw    crypto.Signer // ed25519.PrivateKey or *ecdsa.PrivateKey
}

// GenerateKey makes a new key from the system's random source.
func GenerateKey(alg Algorithm) (*Key, error) {
	switch alg {
	case EdDSA:
		_, raw, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make an Ed25519 key: %w", err)
		}
		return newKey(raw)
	case ES256:
		raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a P-256 key: %w", err)
		}
		return newKey(raw)
	}
	return nil, refuse(BadAlgorithm, "%q is neither EdDSA nor ES256", alg)
}

func newKey(raw crypto.Signer) (*Key, error) {
	pub := raw.Public()
	public, err := newPublicKey(pub)
	if err != nil {
		return nil, err
	}
	return &Key{public: public, raw: raw}, nil
}

// Public returns the public half.
func (k *Key) Public() PublicKey { return k.public }

// ID returns the kid: the RFC 7638 thumbprint.
func (k *Key) ID() string { return k.public.id }

// Format prints the kid whatever the verb: %v of a struct that holds a key must not print the secret.
func (k *Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "private key %s", k.public.id) }

// LogValue logs the kid.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.public.id) }

// MarshalJSON refuses: a private key is written with MarshalPrivate, on purpose.
func (k *Key) MarshalJSON() ([]byte, error) {
	return nil, refuse(KeyPrivate, "a private key is not written to JSON by accident")
}
