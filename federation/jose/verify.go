package jose

import (
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jws/jwsbb"
)

// DefaultMaxSize is the most bytes that a compact token may have unless its profile says otherwise.
const DefaultMaxSize = 16 << 10

// thumbprintSize is the length of a SHA-256 in base64url.
const thumbprintSize = 43

// signatureSize is the length of an Ed25519 signature, and of an ES256 signature in the form of RFC 7518 §3.4.
const signatureSize = 64

// Profile says what kind of token is expected.
type Profile struct {
	// Type is the only accepted typ.
	Type string
	// Keys are the keys that the expected signer may use, and no other entity's.
	Keys KeySet
	// MaxSize is the most bytes of the compact form; 0 means DefaultMaxSize.
	MaxSize int
	// RequireExpiry refuses tokens without exp. An exp that is there is always checked.
	RequireExpiry bool
	// Audience, where not empty, must be aud. An aud that is there is always one string.
	Audience string
	// Now is the time to check exp, nbf and iat at; Leeway is how far the clocks may differ.
	Now    time.Time
	Leeway time.Duration
}

// Header is the protected header of a token: these members exactly.
type Header struct {
	Algorithm Algorithm // alg
	KeyID     string    // kid
	Type      string    // typ
}

// Claims is the payload of a token whose signature and times have been checked.
type Claims struct {
	Header Header
	Object
}

// Verify checks a compact token: its form, its header, its claims as far as the profile speaks of them, and its
// signature. Every error is an *Error.
func Verify(compact string, p Profile) (Claims, error) {
	u, err := Parse(compact, p.Type, p.MaxSize)
	if err != nil {
		return Claims{}, err
	}
	if err := p.checkTimes(u.Claims); err != nil {
		return Claims{}, err
	}
	if err := p.checkAudience(u.Claims); err != nil {
		return Claims{}, err
	}
	return u.Verify(p.Keys)
}

// Unverified is a token of correct form whose signature has not been checked: its claims serve to find the keys to check
// it with and to refuse it early, and for nothing else.
type Unverified struct {
	Header    Header
	Claims    Object
	signed    string // the first two parts with the dot between them
	signature []byte
}

// Parse reads a compact token of one typ without checking its signature; maxSize 0 means DefaultMaxSize.
func Parse(compact, typ string, maxSize int) (*Unverified, error) {
	if maxSize == 0 {
		maxSize = DefaultMaxSize
	}
	if len(compact) > maxSize {
		return nil, refuse(Oversize, "the token has %d bytes, more than %d", len(compact), maxSize)
	}
	if strings.HasPrefix(strings.TrimSpace(compact), "{") {
		return nil, refuse(JSONSerialization, "only the compact serialization is accepted")
	}
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return nil, refuse(NotCompact, "a compact token has three parts, not %d", len(parts))
	}
	header, err := parsePart(parts[0])
	if err != nil {
		return nil, err
	}
	u := &Unverified{signed: compact[:len(parts[0])+1+len(parts[1])]}
	if u.Header, err = parseHeader(header, typ); err != nil {
		return nil, err
	}
	if u.Claims, err = parsePart(parts[1]); err != nil {
		return nil, err
	}
	if u.signature, err = decodeBase64(parts[2]); err != nil {
		return nil, err
	}
	if len(u.signature) != signatureSize {
		return nil, refuse(SignatureForm, "a signature has %d bytes, not %d", signatureSize, len(u.signature))
	}
	return u, nil
}

// Verify checks the signature with the key of the set that the header names. This does not check times or audience.
func (u *Unverified) Verify(keys KeySet) (Claims, error) {
	key, ok := keys.Key(u.Header.KeyID)
	if !ok {
		return Claims{}, refuse(UnknownKey, "kid %s is none of the signer's keys", u.Header.KeyID)
	}
	if u.Header.Algorithm != key.alg {
		return Claims{}, refuse(AlgorithmMismatch, "alg is %s, the key is for %s", u.Header.Algorithm, key.alg)
	}
	// The signature is checked over the very text that was read (RFC 7515 §5.2). The library's reader of whole tokens is
	// not asked: it passes over white space around the header, and one signature would hold for several texts.
	if jwsbb.Verify(key.raw, string(key.alg), []byte(u.signed), u.signature) != nil {
		return Claims{}, refuse(BadSignature, "the signature is not that of key %s", key.id)
	}
	return Claims{Header: u.Header, Object: u.Claims}, nil
}

func parsePart(part string) (Object, error) {
	b, err := decodeBase64(part)
	if err != nil {
		return Object{}, err
	}
	return ParseObject(b)
}

func parseHeader(o Object, typ string) (h Header, err error) {
	for name := range o.members {
		if name != "alg" && name != "kid" && name != "typ" {
			return h, refuse(HeaderMember, "the header member %.64q is not accepted", name)
		}
	}
	alg, err := o.Text("alg")
	if err != nil {
		return h, refuse(HeaderMember, "%v", err)
	}
	if h.Type, err = o.Text("typ"); err != nil {
		return h, refuse(HeaderMember, "%v", err)
	}
	if h.KeyID, err = o.Text("kid"); err != nil {
		return h, refuse(HeaderMember, "%v", err)
	}
	h.Algorithm = Algorithm(alg)
	if _, ok := h.Algorithm.jwa(); !ok {
		return h, refuse(BadAlgorithm, "alg %.16q is neither EdDSA nor ES256", alg)
	}
	if typ == "" || h.Type != typ {
		return h, refuse(BadType, "typ is %.64q, not %q", h.Type, typ)
	}
	if !ValidThumbprint(h.KeyID) {
		return h, refuse(BadKeyID, "kid is not an RFC 7638 thumbprint")
	}
	return h, nil
}

// ValidThumbprint tells whether s is the text of an RFC 7638 SHA-256 thumbprint: 43 characters of canonical base64url.
func ValidThumbprint(s string) bool {
	if len(s) != thumbprintSize {
		return false
	}
	_, err := decodeBase64(s)
	return err == nil
}

func (p Profile) checkTimes(claims Object) error {
	if !claims.Has("exp") && p.RequireExpiry {
		return refuse(NoExpiry, "the token has no exp")
	}
	if claims.Has("exp") {
		exp, err := claims.Time("exp")
		if err != nil {
			return err
		}
		if !p.Now.Before(exp.Add(p.Leeway)) {
			return refuse(Expired, "the token expired at %s", exp.UTC().Format(time.RFC3339))
		}
	}
	for _, name := range []string{"iat", "nbf"} {
		if !claims.Has(name) {
			continue
		}
		t, err := claims.Time(name)
		if err != nil {
			return err
		}
		if t.After(p.Now.Add(p.Leeway)) {
			return refuse(NotYetValid, "%s is %s, in the future", name, t.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

func (p Profile) checkAudience(claims Object) error {
	if !claims.Has("aud") {
		if p.Audience != "" {
			return refuse(BadAudience, "the token has no aud")
		}
		return nil
	}
	aud, err := OneAudience(claims)
	if err != nil {
		return err
	}
	if p.Audience != "" && aud != p.Audience {
		return refuse(BadAudience, "aud is %.255q, not %q", aud, p.Audience)
	}
	return nil
}

// OneAudience returns aud, which must be one string; a list, even of one, is refused with SeveralAudiences.
func OneAudience(claims Object) (string, error) {
	if raw := claims.members["aud"]; len(raw) > 0 && raw[0] == '[' {
		return "", refuse(SeveralAudiences, "aud must be one string, not a list")
	}
	return claims.Text("aud")
}
