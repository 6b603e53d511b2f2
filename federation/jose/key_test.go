package jose

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeyRoundTrip(t *testing.T) {
	for _, alg := range []Algorithm{EdDSA, ES256} {
		key, err := GenerateKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		private, err := key.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKey(private)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		compact, err := Sign([]byte(goodClaims), again, testType)
		if err != nil {
			t.Fatal(err)
		}
		p := testProfile(t)
		p.Keys = keySet(t, key)
		if _, err := Verify(compact, p); err != nil {
			t.Errorf("%s: the key read back signs for another: %v", alg, err)
		}
		if _, err := ParsePublicKey(private); ReasonOf(err) != KeyPrivate {
			t.Errorf("%s: a private key where a public one belongs: %v", alg, err)
		}
	}
	_, err := GenerateKey("RS256")
	wantReason(t, err, BadAlgorithm)
}

// TestThumbprint is the example of RFC 8037 appendix A.3.
func TestThumbprint(t *testing.T) {
	const kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
	k, err := ParsePublicKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
		"alg":"EdDSA","use":"sig","kid":"` + kid + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	if k.ID() != kid {
		t.Errorf("ID = %s, want %s", k.ID(), kid)
	}
}

func TestKeyIsNotPrinted(t *testing.T) {
	key := testKeys().ed
	private, err := key.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	var text jwkText
	if err := json.Unmarshal(private, &text); err != nil {
		t.Fatal(err)
	}
	seed, err := decodeBase64(text.D)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key)
	out := log.String() + fmt.Sprintf("%v %+v %#v %s %x %d", key, key, struct{ K *Key }{key}, key, key, key)
	for _, secret := range []string{text.D, hex.EncodeToString(seed), strings.Trim(fmt.Sprint(seed), "[]")} {
		if strings.Contains(out, secret) {
			t.Errorf("the secret is printed: %s", out)
		}
	}
	if !strings.Contains(log.String(), key.ID()) {
		t.Errorf("the log does not name the key: %s", log.String())
	}
	if _, err := json.Marshal(key); ReasonOf(err) != KeyPrivate {
		t.Errorf("json.Marshal of a private key: %v", err)
	}
}

func TestBadKeys(t *testing.T) {
	good := publicText(t, testKeys().ed)
	ec := publicText(t, testKeys().ec)
	replace := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("%s has no %s", s, old)
		}
		return strings.Replace(s, old, new, 1)
	}
	add := func(m string) string { return strings.TrimSuffix(good, "}") + "," + m + "}" }
	okp := func(x []byte) string {
		return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"alg":"EdDSA","use":"sig","kid":%q}`, encodeBase64(x), testKeys().ed.ID())
	}
	x, y := p256Point(t)
	p256 := func(x, y []byte) string {
		return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q,"alg":"ES256","use":"sig","kid":%q}`,
			encodeBase64(x), encodeBase64(y), testKeys().ec.ID())
	}
	tests := []struct {
		name, key string
		want      Reason
	}{
		{"oct", `{"kty":"oct","k":"AAAA","alg":"HS256","use":"sig","kid":"x"}`, KeyPrivate},
		{"oct without k", `{"kty":"oct","alg":"HS256","use":"sig","kid":"x"}`, KeyType},
		{"RSA", `{"kty":"RSA","n":"AQAB","e":"AQAB","alg":"RS256","use":"sig","kid":"x"}`, KeyType},
		{"X25519", replace(good, "Ed25519", "X25519"), KeyType},
		{"P-384", replace(ec, "P-256", "P-384"), KeyType},
		{"secp256k1", replace(ec, "P-256", "secp256k1"), KeyType},
		{"private member d", add(`"d":"AAAA"`), KeyPrivate},
		{"private member d null", add(`"d":null`), KeyPrivate},
		{"no alg", replace(good, `"alg":"EdDSA",`, ``), KeyAlgorithm},
		{"alg of the other curve", replace(good, `"EdDSA"`, `"ES256"`), KeyAlgorithm},
		{"alg none", replace(good, `"EdDSA"`, `"none"`), KeyAlgorithm},
		{"no use", replace(good, `"use":"sig",`, ``), KeyUse},
		{"use enc", replace(good, `"sig"`, `"enc"`), KeyUse},
		{"no kid", replace(good, `,"kid":"`+testKeys().ed.ID()+`"`, ``), KeyThumbprint},
		{"kid of another key", replace(good, testKeys().ed.ID(), testKeys().other.ID()), KeyThumbprint},
		{"kid empty", replace(good, testKeys().ed.ID(), ""), KeyThumbprint},
		{"x5u", add(`"x5u":"https://evil.example"`), KeyMember},
		{"x5c", add(`"x5c":["AA=="]`), KeyMember},
		{"key_ops", add(`"key_ops":["verify"]`), KeyMember},
		{"y of an OKP key", add(`"y":"AAAA"`), KeyMember},
		{"no y of an EC key", strings.Replace(ec, `"y":`, `"yy":`, 1), KeyMember},
		{"no kty", `{}`, KeyMember},
		{"twice x", add(`"x":"AAAA"`), DuplicateMember},
		{"x with padding", replace(good, `","alg"`, `=","alg"`), Base64},
		{"x too short", okp(make([]byte, 31)), KeyPoint},
		{"x too long", okp(make([]byte, 33)), KeyPoint},
		{"not on the curve", okp(append([]byte{2}, make([]byte, 31)...)), KeyPoint},
		{"P-256 point not on the curve", p256(x, x), KeyPoint},
		{"P-256 point at infinity", p256(make([]byte, 32), make([]byte, 32)), KeyPoint},
		{"P-256 x without its leading zeros", p256(x[:31], y), KeyPoint},
		{"P-256 another key's point", p256(x, y), KeyThumbprint},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParsePublicKey([]byte(tt.key))
			wantReason(t, err, tt.want)
		})
	}
}

// TestSmallOrder tries the eight points of small order and every non-canonical text of them.
func TestSmallOrder(t *testing.T) {
	for _, text := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		// the same with y + p, or with the sign of a zero x
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkEd25519(key); ReasonOf(err) != KeyPoint {
			t.Errorf("%s: %v, want a refusal with %s", text, err, KeyPoint)
		}
	}
	for range 20 {
		if _, err := GenerateKey(EdDSA); err != nil { // goes through checkEd25519
			t.Fatalf("a good key is refused: %v", err)
		}
	}
}

// TestNonCanonicalPoint tries the texts with y from p to 2²⁵⁵ - 1: lenient decoders read them as y - p, so that one key
// would have two texts and two thumbprints.
func TestNonCanonicalPoint(t *testing.T) {
	key := bytes.Repeat([]byte{0xff}, 32)
	for low := 0xed; low <= 0xff; low++ {
		for _, high := range []byte{0x7f, 0xff} {
			key[0], key[31] = byte(low), high
			if err := checkEd25519(key); ReasonOf(err) != KeyPoint {
				t.Errorf("%x: %v, want a refusal with %s", key, err, KeyPoint)
			}
		}
	}
}

func TestBadPrivateKeys(t *testing.T) {
	ed, other := privateText(t, testKeys().ed), privateText(t, testKeys().other)
	ec := privateText(t, testKeys().ec)
	withD := func(text, d string) string {
		var k jwkText
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			t.Fatal(err)
		}
		k.D = d
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var o jwkText
	if err := json.Unmarshal([]byte(other), &o); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, key string
		want      Reason
	}{
		{"public", publicText(t, testKeys().ed), KeyPrivate},
		{"not JSON", "-----BEGIN PRIVATE KEY-----", NotJSON},
		{"another key's d", withD(ed, o.D), KeyThumbprint},
		{"d too short", withD(ed, "AAAA"), KeyPrivate},
		{"d with padding", withD(ed, o.D+"="), Base64},
		{"P-256 scalar zero", withD(ec, encodeBase64(make([]byte, 32))), KeyPrivate},
		{"P-256 scalar beyond the order", withD(ec, encodeBase64(bytes.Repeat([]byte{255}, 32))), KeyPrivate},
		{"RSA's p beside d", strings.Replace(ed, "{", `{"p":"AAAA",`, 1), KeyMember},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseKey([]byte(tt.key))
			wantReason(t, err, tt.want)
		})
	}
}

func TestKeySet(t *testing.T) {
	set := keySet(t, testKeys().ed, testKeys().ec)
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseKeySet(text)
	if err != nil {
		t.Fatal(err)
	}
	ids := func(s KeySet) (ids []string) {
		for _, k := range s.Keys() {
			ids = append(ids, k.ID())
		}
		return ids
	}
	if diff := cmp.Diff(ids(set), ids(again)); diff != "" {
		t.Errorf("keys differ:\n%s", diff)
	}
	a, b := publicText(t, testKeys().ed), publicText(t, testKeys().ec)
	for _, tt := range []struct {
		name, set string
		want      Reason
	}{
		{"empty", `{"keys":[]}`, KeyCount},
		{"no keys", `{}`, KeyMember},
		{"keys null", `{"keys":null}`, KeyCount},
		{"keys an object", `{"keys":{}}`, KeyMember},
		{"another member", `{"keys":[` + a + `],"x":1}`, KeyMember},
		{"a key twice", `{"keys":[` + a + `,` + b + `,` + a + `]}`, KeyDuplicate},
		{"too many", `{"keys":[` + strings.Repeat(a+",", MaxKeys) + a + `]}`, KeyCount},
		{"a private key among them", `{"keys":[` + a + `,` + privateText(t, testKeys().ec) + `]}`, KeyPrivate},
		{"a bare key", a, KeyMember},
		{"a string among them", `{"keys":["x"]}`, NotJSON},
		{"trailing data", `{"keys":[` + a + `]}{}`, TrailingData},
		{"too deep", `{"keys":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, TooDeep},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseKeySet([]byte(tt.set))
			wantReason(t, err, tt.want)
		})
	}
}

func publicText(t testing.TB, k *Key) string {
	t.Helper()
	b, err := k.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func privateText(t testing.TB, k *Key) string {
	t.Helper()
	b, err := k.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
