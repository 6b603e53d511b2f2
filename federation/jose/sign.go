package jose

import (
	"fmt"

	"github.com/lestrrat-go/jwx/v3/jws"
)

// Sign returns the compact JWS (RFC 7515 §7.1) of claims, a JSON object, with the header members alg, kid and typ. It
// refuses to sign what Verify would not read.
func Sign(claims []byte, key *Key, typ string) (string, error) {
	return SignUpTo(DefaultMaxSize, claims, key, typ)
}

// SignUpTo is Sign for a kind of token whose profile has another limit of bytes.
func SignUpTo(maxSize int, claims []byte, key *Key, typ string) (string, error) {
	if _, err := ParseObject(claims); err != nil {
		return "", fmt.Errorf("sign a %s: %w", typ, err)
	}
	if typ == "" {
		return "", refuse(BadType, "a token needs a typ")
	}
	alg, ok := key.public.alg.jwa()
	if !ok {
		return "", refuse(BadAlgorithm, "the key has no algorithm")
	}
	header := jws.NewHeaders()
	if err := header.Set(jws.KeyIDKey, key.ID()); err != nil {
		return "", fmt.Errorf("sign a %s: %w", typ, err)
	}
	if err := header.Set(jws.TypeKey, typ); err != nil {
		return "", fmt.Errorf("sign a %s: %w", typ, err)
	}
	compact, err := jws.Sign(claims, jws.WithKey(alg, key.raw, jws.WithProtectedHeaders(header)))
	if err != nil {
		return "", fmt.Errorf("sign a %s: %w", typ, err)
	}
	if len(compact) > maxSize {
		return "", refuse(Oversize, "a %s of %d bytes is over the limit of %d", typ, len(compact), maxSize)
	}
	return string(compact), nil
}
