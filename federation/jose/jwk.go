package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
)

// jwkText is a JSON Web Key (RFC 7517 §4) of the two kinds that exist here, in the order in which it is written.
type jwkText struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y,omitempty"`
	D   string `json:"d,omitempty"`
	Alg string `json:"alg"`
	Use string `json:"use"`
	Kid string `json:"kid"`
}

// privateMembers are the members of RFC 7518 §6 that hold secrets.
var privateMembers = []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"}

// ParseKey reads a private JWK as MarshalPrivate writes it: kty, crv, x, y (EC only), d, alg, use "sig" and kid.
func ParseKey(data []byte) (*Key, error) {
	o, err := ParseObject(data)
	if err != nil {
		return nil, err
	}
	if !o.Has("d") {
		return nil, refuse(KeyPrivate, "the JWK has no private member: it is a public key")
	}
	text, err := jwkMembers(o, "d")
	if err != nil {
		return nil, err
	}
	d, err := decodeBase64(text.D)
	if err != nil {
		return nil, err
	}
	public, err := text.publicKey()
	if err != nil {
		return nil, err
	}
	var key *Key
	switch public.alg {
	case EdDSA:
		if len(d) != ed25519.SeedSize {
			return nil, refuse(KeyPrivate, "the private member must be %d bytes", ed25519.SeedSize)
		}
		key, err = newKey(ed25519.NewKeyFromSeed(d))
	case ES256:
		raw, perr := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
		if perr != nil {
			return nil, refuse(KeyPrivate, "the private member is no scalar of P-256")
		}
		key, err = newKey(raw)
	}
	if err != nil {
		return nil, err
	}
	if key.ID() != public.id {
		return nil, refuse(KeyThumbprint, "the private and the public member are not of one key")
	}
	return key, nil
}

// MarshalPrivate returns the private JWK, for a file that only its owner can read.
func (k *Key) MarshalPrivate() ([]byte, error) {
	text, err := k.public.text()
	if err != nil {
		return nil, err
	}
	switch raw := k.raw.(type) {
	case ed25519.PrivateKey:
		text.D = encodeBase64(raw.Seed())
	case *ecdsa.PrivateKey:
		d, err := raw.Bytes()
		if err != nil {
			return nil, refuse(KeyPrivate, "the private key has no encoding")
		}
		text.D = encodeBase64(d)
	}
	return json.Marshal(text)
}

// ParsePublicKey reads one public JWK. It must have exactly the members kty, crv, x, y (EC only), alg, use "sig" and
// kid, and kid must be its RFC 7638 thumbprint.
func ParsePublicKey(data []byte) (PublicKey, error) {
	o, err := ParseObject(data)
	if err != nil {
		return PublicKey{}, err
	}
	return publicKeyOf(o)
}

// MarshalJSON returns the public JWK.
func (k PublicKey) MarshalJSON() ([]byte, error) {
	text, err := k.text()
	if err != nil {
		return nil, err
	}
	return json.Marshal(text)
}

func publicKeyOf(o Object) (PublicKey, error) {
	for _, name := range privateMembers {
		if o.Has(name) {
			return PublicKey{}, refuse(KeyPrivate, "the JWK has the private member %q: that key is lost, make a new one", name)
		}
	}
	text, err := jwkMembers(o, "")
	if err != nil {
		return PublicKey{}, err
	}
	return text.publicKey()
}

// jwkMembers takes the members of a JWK; private is the name of the private member, "" for none.
func jwkMembers(o Object, private string) (text jwkText, err error) {
	if text.Kty, err = o.Text("kty"); err != nil {
		return text, refuse(KeyMember, "%v", err)
	}
	want := map[string]*string{"kty": &text.Kty, "crv": &text.Crv, "x": &text.X, "alg": &text.Alg, "use": &text.Use, "kid": &text.Kid}
	switch text.Kty {
	case "OKP":
	case "EC":
		want["y"] = &text.Y
	default:
		return text, refuse(KeyType, "kty %.16q is neither OKP nor EC", text.Kty)
	}
	if private != "" {
		want[private] = &text.D
	}
	for name := range o.members {
		if want[name] == nil {
			return text, refuse(KeyMember, "a JWK here has no member %.64q", name)
		}
	}
	for name, into := range want {
		if *into, err = o.Text(name); err != nil {
			return text, refuse(memberReason(name), "%v", err)
		}
	}
	return text, nil
}

func memberReason(name string) Reason {
	switch name {
	case "alg":
		return KeyAlgorithm
	case "use":
		return KeyUse
	case "kid":
		return KeyThumbprint
	}
	return KeyMember
}

// publicKey builds and checks the public key of the text.
func (t jwkText) publicKey() (PublicKey, error) {
	alg, curve := EdDSA, "Ed25519"
	if t.Kty == "EC" {
		alg, curve = ES256, "P-256"
	}
	switch {
	case t.Crv != curve:
		return PublicKey{}, refuse(KeyType, "crv %.16q of kty %s is not %s", t.Crv, t.Kty, curve)
	case t.Alg != string(alg):
		return PublicKey{}, refuse(KeyAlgorithm, "alg %.16q is not %s, the one of %s", t.Alg, alg, curve)
	case t.Use != "sig":
		return PublicKey{}, refuse(KeyUse, "use %.16q is not \"sig\"", t.Use)
	}
	k, err := t.point()
	if err != nil {
		return PublicKey{}, err
	}
	if k.id != t.Kid {
		return PublicKey{}, refuse(KeyThumbprint, "kid %.64q is not the RFC 7638 thumbprint %s", t.Kid, k.id)
	}
	return k, nil
}

func (t jwkText) point() (PublicKey, error) {
	x, err := decodeBase64(t.X)
	if err != nil {
		return PublicKey{}, err
	}
	if t.Kty == "OKP" {
		return newPublicKey(ed25519.PublicKey(x))
	}
	y, err := decodeBase64(t.Y)
	if err != nil {
		return PublicKey{}, err
	}
	if len(x) != 32 || len(y) != 32 {
		return PublicKey{}, refuse(KeyPoint, "x and y of P-256 must be 32 bytes each")
	}
	raw, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		return PublicKey{}, refuse(KeyPoint, "x and y are no point of P-256")
	}
	return newPublicKey(raw)
}

// text returns the public members.
func (k PublicKey) text() (jwkText, error) {
	t := jwkText{Alg: string(k.alg), Use: "sig", Kid: k.id}
	switch raw := k.raw.(type) {
	case ed25519.PublicKey:
		t.Kty, t.Crv, t.X = "OKP", "Ed25519", encodeBase64(raw)
	case *ecdsa.PublicKey:
		b, err := raw.Bytes()
		if err != nil {
			return t, refuse(KeyPoint, "the public key has no encoding")
		}
		t.Kty, t.Crv, t.X, t.Y = "EC", "P-256", encodeBase64(b[1:33]), encodeBase64(b[33:])
	default:
		return t, refuse(KeyType, "there is no key")
	}
	return t, nil
}
