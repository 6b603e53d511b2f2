package jose

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestSignVerify(t *testing.T) {
	for _, key := range []*Key{testKeys().ed, testKeys().ec} {
		compact, err := Sign([]byte(goodClaims), key, testType)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Verify(compact, testProfile(t))
		if err != nil {
			t.Fatalf("%s: %v", key.Public().Algorithm(), err)
		}
		if got := string(c.Raw()); got != goodClaims {
			t.Errorf("claims = %s, want %s", got, goodClaims)
		}
		if want := (Header{key.Public().Algorithm(), key.ID(), testType}); c.Header != want {
			t.Errorf("header = %+v, want %+v", c.Header, want)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	key := testKeys().ed
	for _, tt := range []struct {
		name, claims, typ string
		want              Reason
	}{
		{"a list", `[1]`, testType, NotJSON},
		{"duplicate members", `{"iss":"a","iss":"b"}`, testType, DuplicateMember},
		{"no typ", `{}`, "", BadType},
		{"too much", `{"a":"` + strings.Repeat("x", DefaultMaxSize) + `"}`, testType, Oversize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Sign([]byte(tt.claims), key, tt.typ)
			wantReason(t, err, tt.want)
		})
	}
}

// TestBadTokens holds that each way to be wrong is refused, and for its own reason. Every token is signed correctly over
// what it says, so that no case is refused merely because its signature is wrong.
func TestBadTokens(t *testing.T) {
	ed, ec, other := testKeys().ed, testKeys().ec, testKeys().other
	good := forge(t, ed, header(ed), goodClaims)
	if _, err := Verify(good, testProfile(t)); err != nil {
		t.Fatalf("the token that the others are made from: %v", err)
	}
	parts := strings.Split(good, ".")
	withHeader := func(h string) string { return forge(t, ed, h, goodClaims) }
	withMember := func(m string) string { return withHeader(strings.TrimSuffix(header(ed), "}") + "," + m + "}") }
	withKid := func(kid string) string {
		text, err := json.Marshal(kid)
		if err != nil {
			t.Fatal(err)
		}
		return withHeader(`{"alg":"EdDSA","kid":` + string(text) + `,"typ":"` + testType + `"}`)
	}
	withClaims := func(c string) string { return forge(t, ed, header(ed), c) }
	withAlg := func(alg string) string { return withHeader(strings.Replace(header(ed), "EdDSA", alg, 1)) }

	tests := []struct {
		name, token string
		want        Reason
	}{
		{"empty", "", NotCompact},
		{"two parts", parts[0] + "." + parts[1], NotCompact},
		{"four parts, two signatures", good + "." + parts[2], NotCompact},
		{"five parts, a JWE", "a.b.c.d.e", NotCompact},
		{"flattened JSON", `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`, JSONSerialization},
		{"general JSON, two signatures", ` {"payload":"` + parts[1] + `","signatures":[{},{}]}`, JSONSerialization},
		{"oversize", withClaims(`{"a":"` + strings.Repeat("x", DefaultMaxSize) + `"}`), Oversize},
		{"detached payload", parts[0] + ".." + parts[2], NotJSON},

		{"alg none, no signature", strings.Join([]string{encodeBase64([]byte(`{"alg":"none","kid":"` + ed.ID() + `","typ":"` + testType + `"}`)), parts[1], ""}, "."), BadAlgorithm},
		{"alg none, signed", withAlg("none"), BadAlgorithm},
		{"alg NONE", withAlg("nOnE"), BadAlgorithm},
		{"alg HS256 with the public key as secret", hmacToken(t, ed), BadAlgorithm},
		{"alg RS256", withAlg("RS256"), BadAlgorithm},
		{"alg ES384", withAlg("ES384"), BadAlgorithm},
		{"alg Ed25519, the newer name", withAlg("Ed25519"), BadAlgorithm},
		{"alg in another case", withAlg("eddsa"), BadAlgorithm},
		{"alg empty", withAlg(""), BadAlgorithm},
		{"alg ES256, an Ed25519 key", withAlg("ES256"), AlgorithmMismatch},
		{"alg EdDSA, a P-256 key", forge(t, ec, strings.Replace(header(ec), "ES256", "EdDSA", 1), goodClaims), AlgorithmMismatch},

		{"header jwk", withMember(`"jwk":{"kty":"OKP"}`), HeaderMember},
		{"header jku", withMember(`"jku":"https://evil.example/keys"`), HeaderMember},
		{"header x5u", withMember(`"x5u":"https://evil.example/cert"`), HeaderMember},
		{"header x5c", withMember(`"x5c":["AA=="]`), HeaderMember},
		{"header x5t", withMember(`"x5t":"AA"`), HeaderMember},
		{"header crit", withMember(`"crit":["exp"]`), HeaderMember},
		{"header crit with b64", withMember(`"crit":["b64"],"b64":false`), HeaderMember},
		{"header b64 true", withMember(`"b64":true`), HeaderMember},
		{"header zip", withMember(`"zip":"DEF"`), HeaderMember},
		{"header cty", withMember(`"cty":"JWT"`), HeaderMember},
		{"header ALG in capitals", withMember(`"ALG":"none"`), HeaderMember},
		{"header without kid", withHeader(`{"alg":"EdDSA","typ":"` + testType + `"}`), HeaderMember},
		{"header without typ", withHeader(`{"alg":"EdDSA","kid":"` + ed.ID() + `"}`), HeaderMember},
		{"header without alg", withHeader(`{"kid":"` + ed.ID() + `","typ":"` + testType + `"}`), HeaderMember},
		{"header alg a number", withHeader(`{"alg":1,"kid":"` + ed.ID() + `","typ":"` + testType + `"}`), HeaderMember},
		{"header kid null", withHeader(`{"alg":"EdDSA","kid":null,"typ":"` + testType + `"}`), HeaderMember},
		{"header twice alg", withMember(`"alg":"EdDSA"`), DuplicateMember},
		{"header twice alg, one escaped", withMember(`"\u0061lg":"EdDSA"`), DuplicateMember},
		{"header with trailing data", withHeader(header(ed) + "{}"), TrailingData},
		{"header a list", withHeader(`[]`), NotJSON},
		{"header not JSON", withHeader(`alg=EdDSA`), NotJSON},
		{"header cut short", withHeader(strings.TrimSuffix(header(ed), "}")), NotJSON},
		{"header with a BOM", withHeader("\ufeff" + header(ed)), NotJSON},
		{"header not UTF-8", withHeader(strings.Replace(header(ed), testType, "\xff", 1)), NotJSON},

		{"typ JWT", withHeader(strings.Replace(header(ed), testType, "JWT", 1)), BadType},
		{"typ entity-statement+jwt", withHeader(strings.Replace(header(ed), testType, "entity-statement+jwt", 1)), BadType},
		{"typ with application/", withHeader(strings.Replace(header(ed), testType, "application/"+testType, 1)), BadType},
		{"typ in capitals", withHeader(strings.Replace(header(ed), testType, strings.ToUpper(testType), 1)), BadType},

		{"kid empty", withKid(""), BadKeyID},
		{"kid a path", withKid("../../../../etc/passwd"), BadKeyID},
		{"kid a path of the right length", withKid(strings.Repeat("../", 14) + "x"), BadKeyID},
		{"kid an address", withKid("https://evil.example/key"), BadKeyID},
		{"kid with a NUL", withKid(ed.ID()[:42] + "\x00"), BadKeyID},
		{"kid with padding", withKid(ed.ID() + "="), BadKeyID},
		{"kid in standard base64", withKid(strings.Repeat("+", 43)), BadKeyID},
		{"kid of another entity", forge(t, other, header(other), goodClaims), UnknownKey},
		{"own kid, another's signature", forge(t, other, header(ed), goodClaims), BadSignature},

		{"signature missing", parts[0] + "." + parts[1] + ".", SignatureForm},
		{"signature cut", parts[0] + "." + parts[1] + "." + parts[2][:80], SignatureForm},
		{"signature of zeros", parts[0] + "." + parts[1] + "." + encodeBase64(make([]byte, 64)), BadSignature},
		{"ES256 signature of zeros", esParts(t, make([]byte, 64)), BadSignature},
		{"ES256 in DER", derToken(t, ec), SignatureForm},
		{"payload exchanged", parts[0] + "." + encodeBase64([]byte(strings.Replace(goodClaims, "a.example", "c.example", 1))) + "." + parts[2], BadSignature},
		{"a bit of the signature flipped", parts[0] + "." + parts[1] + "." + flip(t, parts[2]), BadSignature},
		{"Ed25519 signature with s + L", parts[0] + "." + parts[1] + "." + addOrder(t, parts[2]), BadSignature},

		{"base64 with padding", parts[0] + "." + parts[1] + "." + base64.URLEncoding.EncodeToString(make([]byte, 64)), Base64},
		{"base64 of the standard alphabet", parts[0] + "." + parts[1] + "." + strings.Repeat("+", 86), Base64},
		{"base64 with a line end", parts[0] + "." + parts[1] + "\n." + parts[2], Base64},
		{"base64 with stray bits", parts[0] + "." + parts[1] + "." + strayBits(parts[2]), Base64},
		{"base64 with a space", parts[0] + "." + parts[1] + "." + parts[2] + " ", Base64},

		{"payload a list", withClaims(`[]`), NotJSON},
		{"payload a string", withClaims(`"x"`), NotJSON},
		{"payload empty", withClaims(``), NotJSON},
		{"payload with trailing data", withClaims(goodClaims + " {}"), TrailingData},
		{"payload with trailing brace", withClaims(goodClaims + "}"), TrailingData},
		{"payload with a duplicate", withClaims(strings.Replace(goodClaims, "{", `{"iss":"https://b.example",`, 1)), DuplicateMember},
		{"payload with a nested duplicate", withClaims(strings.Replace(goodClaims, "{", `{"m":[{"a":1,"a":2}],`, 1)), DuplicateMember},
		{"payload too deep", withClaims(strings.Replace(goodClaims, "{", `{"m":`+strings.Repeat("[", 16)+strings.Repeat("]", 16)+`,`, 1)), TooDeep},
		{"payload with a lone surrogate", withClaims(strings.Replace(goodClaims, "{", `{"m":"\ud800",`, 1)), NotJSON},
		{"payload not UTF-8", withClaims(strings.Replace(goodClaims, "{", "{\"m\":\"\xc3\",", 1)), NotJSON},

		{"no exp", withClaims(`{"aud":"https://b.example","iat":1800000000}`), NoExpiry},
		{"exp past", withClaims(`{"aud":"https://b.example","exp":1799999970}`), Expired},
		{"exp a string", withClaims(`{"aud":"https://b.example","exp":"1800000060"}`), ClaimForm},
		{"exp a fraction", withClaims(`{"aud":"https://b.example","exp":1800000060.5}`), ClaimForm},
		{"exp with an exponent", withClaims(`{"aud":"https://b.example","exp":1.9e9}`), ClaimForm},
		{"exp null", withClaims(`{"aud":"https://b.example","exp":null}`), ClaimForm},
		{"exp negative", withClaims(`{"aud":"https://b.example","exp":-1}`), ClaimForm},
		{"exp beyond the calendar", withClaims(`{"aud":"https://b.example","exp":9223372036854775807}`), ClaimForm},
		{"EXP in capitals only", withClaims(`{"aud":"https://b.example","EXP":1800000060}`), NoExpiry},
		{"iat in the future", withClaims(`{"aud":"https://b.example","iat":1800000031,"exp":1800000060}`), NotYetValid},
		{"nbf in the future", withClaims(`{"aud":"https://b.example","nbf":1800000031,"exp":1800000060}`), NotYetValid},
		{"nbf a string", withClaims(`{"aud":"https://b.example","nbf":"0","exp":1800000060}`), ClaimForm},

		{"two audiences", withClaims(`{"aud":["https://b.example","https://c.example"],"exp":1800000060}`), SeveralAudiences},
		{"a list of one audience", withClaims(`{"aud":["https://b.example"],"exp":1800000060}`), SeveralAudiences},
		{"another audience", withClaims(`{"aud":"https://c.example","exp":1800000060}`), BadAudience},
		{"no audience", withClaims(`{"exp":1800000060}`), BadAudience},
		{"audience a number", withClaims(`{"aud":1,"exp":1800000060}`), ClaimForm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Verify(tt.token, testProfile(t))
			wantReason(t, err, tt.want)
		})
	}
}

func TestLeeway(t *testing.T) {
	ed := testKeys().ed
	for _, tt := range []struct {
		name string
		at   time.Duration // from iat
		want Reason
	}{
		{"at iat", 0, ""},
		{"at exp", 60 * time.Second, ""},
		{"in the leeway after exp", 89 * time.Second, ""},
		{"after the leeway", 90 * time.Second, Expired},
		{"in the leeway before iat", -30 * time.Second, ""},
		{"before it", -31 * time.Second, NotYetValid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := testProfile(t)
			p.Now = testNow.Add(tt.at)
			_, err := Verify(forge(t, ed, header(ed), goodClaims), p)
			wantReason(t, err, tt.want)
		})
	}
}

func TestProfileWithoutDemands(t *testing.T) {
	ed := testKeys().ed
	token := forge(t, ed, header(ed), `{"iss":"https://a.example"}`)
	p := Profile{Type: testType, Keys: keySet(t, ed), Now: testNow}
	_, err := Verify(token, p)
	wantReason(t, err, "")
	p.Type = ""
	_, err = Verify(token, p)
	wantReason(t, err, BadType) // no profile accepts any typ
	p.Type, p.Keys = testType, KeySet{}
	_, err = Verify(token, p)
	wantReason(t, err, UnknownKey)
}

// hmacToken is the classic confusion: the public key's bytes as the secret of HS256.
func hmacToken(t *testing.T, key *Key) string {
	t.Helper()
	secret, err := key.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	input := encodeBase64([]byte(strings.Replace(header(key), "EdDSA", "HS256", 1))) + "." + encodeBase64([]byte(goodClaims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + encodeBase64(mac.Sum(nil))
}

func esParts(t *testing.T, signature []byte) string {
	t.Helper()
	return encodeBase64([]byte(header(testKeys().ec))) + "." + encodeBase64([]byte(goodClaims)) + "." + encodeBase64(signature)
}

// derToken carries a right ES256 signature in the wrong form, ASN.1.
func derToken(t *testing.T, key *Key) string {
	t.Helper()
	input := encodeBase64([]byte(header(key))) + "." + encodeBase64([]byte(goodClaims))
	sum := sha256.Sum256([]byte(input))
	der, err := ecdsa.SignASN1(rand.Reader, key.raw.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encodeBase64(der)
}

func flip(t *testing.T, part string) string {
	t.Helper()
	b, err := decodeBase64(part)
	if err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	return encodeBase64(b)
}

// addOrder adds the group order to s: an Ed25519 verifier that does not check s < L accepts a second signature.
func addOrder(t *testing.T, part string) string {
	t.Helper()
	b, err := decodeBase64(part)
	if err != nil {
		t.Fatal(err)
	}
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}
	carry := 0
	for i, o := range order {
		sum := int(b[32+i]) + int(o) + carry
		b[32+i], carry = byte(sum), sum>>8
	}
	return encodeBase64(b)
}

// strayBits sets unused low bits of the last character: lenient decoders read the same bytes.
func strayBits(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + string(alphabet[last|1])
}
