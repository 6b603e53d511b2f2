package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"time"
)

const testType = "taxii-request+jwt"

// testNow is the time at which the tests' tokens are checked.
var testNow = time.Unix(1_800_000_000, 0)

// testKeys are made once per process.
var testKeys = sync.OnceValue(func() (k struct{ ed, ec, other *Key }) {
	for _, into := range []struct {
		key **Key
		alg Algorithm
	}{{&k.ed, EdDSA}, {&k.ec, ES256}, {&k.other, EdDSA}} {
		key, err := GenerateKey(into.alg)
		if err != nil {
			panic(err)
		}
		*into.key = key
	}
	return k
})

func keySet(t testing.TB, keys ...*Key) KeySet {
	t.Helper()
	public := make([]PublicKey, len(keys))
	for i, k := range keys {
		public[i] = k.Public()
	}
	s, err := NewKeySet(public...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testProfile accepts tokens of the Ed25519 and the P-256 test key.
func testProfile(t testing.TB) Profile {
	return Profile{
		Type: testType, Keys: keySet(t, testKeys().ed, testKeys().ec), RequireExpiry: true,
		Audience: "https://b.example", Now: testNow, Leeway: 30 * time.Second,
	}
}

const goodClaims = `{"iss":"https://a.example","aud":"https://b.example","iat":1800000000,"exp":1800000060}`

// forge signs any header and payload text with the raw key, without the checks of Sign.
func forge(t testing.TB, key *Key, header, payload string) string {
	t.Helper()
	input := encodeBase64([]byte(header)) + "." + encodeBase64([]byte(payload))
	return input + "." + encodeBase64(rawSignature(t, key, input))
}

func rawSignature(t testing.TB, key *Key, input string) []byte {
	t.Helper()
	switch raw := key.raw.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(raw, []byte(input))
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, raw, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 64)
		r.FillBytes(b[:32])
		s.FillBytes(b[32:])
		return b
	}
	t.Fatalf("unknown key %T", key.raw)
	return nil
}

func header(key *Key) string {
	return `{"alg":"` + string(key.Public().Algorithm()) + `","kid":"` + key.ID() + `","typ":"` + testType + `"}`
}

// wantReason fails unless err is an *Error with that reason; "" wants no error.
func wantReason(t *testing.T, err error, want Reason) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) || e.Reason != want {
		t.Fatalf("got %v, want a refusal with the reason %q", err, want)
	}
}

func p256Point(t testing.TB) (x, y []byte) {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := raw.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b[1:33], b[33:]
}
