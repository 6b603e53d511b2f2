package jose

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	stdcrypto "crypto"
)

// badToken is one token of the corpus, and the reason for which it must be refused.
type badToken struct {
	name, token string
	want        Reason
}

// types are all typ values of the federation, and some that others use.
var types = []string{
	"entity-statement+jwt", "trust-mark+jwt", "trust-mark-delegation+jwt", "resolve-response+jwt", "jwk-set+jwt", "charter+jwt",
	"nomination+jwt", "key-proof+jwt", "admission-vote+jwt", "revocation-list+jwt", "stix-origin+jwt", "stix-withdrawal+jwt",
	"suspension+jwt", "key-rotation+jwt", "trust-mark-status-response+jwt", "JWT", "jwt", "at+jwt", "dpop+jwt", "logout+jwt", "JOSE", "JOSE+JSON", "",
}

// TestCorpus makes several hundred tokens from one right token of each algorithm, each wrong in one way, and signed
// correctly over what it says where it can be. Each is refused for its own reason.
func TestCorpus(t *testing.T) {
	var all []badToken
	for _, key := range []*Key{testKeys().ed, testKeys().ec} {
		b := corpusBase{t: t, key: key}
		if _, err := Verify(b.token(header(key), goodClaims), testProfile(t)); err != nil {
			t.Fatalf("the token that the others are made from: %v", err)
		}
		for _, part := range [][]badToken{b.algorithms(), b.headers(), b.headerText(), b.keyIDs(), b.encodings(), b.forms(), b.claims(), b.signatures()} {
			for _, bad := range part {
				bad.name = string(key.Public().Algorithm()) + ": " + bad.name
				all = append(all, bad)
			}
		}
	}
	reasons := make(map[Reason]int)
	seen := make(map[string]string)
	for _, bad := range all {
		reasons[bad.want]++
		if other, twice := seen[bad.token]; twice {
			t.Errorf("%s and %s are one token", other, bad.name)
		}
		seen[bad.token] = bad.name
		_, err := Verify(bad.token, testProfile(t))
		if got := ReasonOf(err); got != bad.want {
			t.Errorf("%s: got %v, want the reason %q", bad.name, err, bad.want)
		}
	}
	if len(all) < 900 {
		t.Errorf("the corpus has only %d tokens", len(all))
	}
	for _, r := range []Reason{
		Oversize, NotCompact, JSONSerialization, Base64, HeaderMember, BadAlgorithm, BadType, BadKeyID, UnknownKey, AlgorithmMismatch,
		SignatureForm, BadSignature, ClaimForm, NoExpiry, Expired, NotYetValid, SeveralAudiences, BadAudience, NotJSON, TrailingData,
		DuplicateMember, TooDeep,
	} {
		if reasons[r] == 0 {
			t.Errorf("no token of the corpus is refused for %q", r)
		}
	}
	t.Logf("%d tokens, %d reasons", len(all), len(reasons))
}

// corpusBase makes the corpus of one key.
type corpusBase struct {
	t   *testing.T
	key *Key
}

func (b corpusBase) token(header, claims string) string { return forge(b.t, b.key, header, claims) }

// header is a header with values in the place of those that are right; raw JSON, "" leaves a member out.
func (b corpusBase) header(alg, kid, typ string) string {
	var members []string
	for _, m := range []struct{ name, value string }{{"alg", alg}, {"kid", kid}, {"typ", typ}} {
		if m.value != "" {
			members = append(members, `"`+m.name+`":`+m.value)
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (b corpusBase) right() (alg, kid, typ string) {
	return quote(string(b.key.Public().Algorithm())), quote(b.key.ID()), quote(testType)
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// algorithms: every name that is registered, spellings of none, and the other algorithm that exists here.
func (b corpusBase) algorithms() (list []badToken) {
	_, kid, typ := b.right()
	for _, alg := range []string{
		"none", "None", "NONE", "nOnE", "none ", " none", "none\x00", "", " ", "null", "HS256", "HS384", "HS512", "hs256", "RS256", "RS384", "RS512",
		"PS256", "PS384", "PS512", "ES384", "ES512", "ES256K", "es256", "ES256 ", " EdDSA", "EDDSA", "eddsa", "Ed25519", "Ed448", "ed25519",
		"RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "A128KW", "A256KW", "dir", "ECDH-ES", "ECDH-ES+A256KW", "A256GCMKW", "PBES2-HS256+A128KW", "A256GCM",
		"ML-DSA-44", "ML-DSA-65", "SHA256", "EdDSA,ES256", "EdDSA\n", "*",
	} {
		list = append(list, badToken{"alg " + alg, b.token(b.header(quote(alg), kid, typ), goodClaims), BadAlgorithm})
	}
	other := EdDSA
	if b.key.Public().Algorithm() == EdDSA {
		other = ES256
	}
	list = append(list, badToken{"alg of the other curve", b.token(b.header(quote(string(other)), kid, typ), goodClaims), AlgorithmMismatch})
	parts := strings.Split(b.token(header(b.key), goodClaims), ".")
	unsigned := encodeBase64([]byte(b.header(`"none"`, kid, typ))) + "." + parts[1] + "."
	return append(list,
		badToken{"alg none and no signature", unsigned, BadAlgorithm},
		badToken{"HS256 with the public key as its secret", hmacToken256(b.t, b.key), BadAlgorithm},
		badToken{"RS256, rightly signed by a stranger's RSA key", rsaToken(b.t, b.key), BadAlgorithm},
	)
}

// hmacToken256 is the classic confusion: the public key's text as the secret of HS256.
func hmacToken256(t *testing.T, key *Key) string {
	t.Helper()
	return strings.Replace(hmacToken(t, key), encodeBase64([]byte(header(key))),
		encodeBase64([]byte(strings.Replace(header(key), string(key.Public().Algorithm()), "HS256", 1))), 1)
}

func rsaToken(t *testing.T, key *Key) string {
	t.Helper()
	raw, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	input := encodeBase64([]byte(strings.Replace(header(key), string(key.Public().Algorithm()), "RS256", 1))) + "." + encodeBase64([]byte(goodClaims))
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, raw, stdcrypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encodeBase64(signature)
}

// headers: every other registered header parameter with a value of every JSON type, the three that must be there missing
// and of every wrong type, and each of them twice.
func (b corpusBase) headers() (list []badToken) {
	values := []string{`""`, `"https://evil.example/"`, `0`, `true`, `null`, `[]`, `["exp"]`, `{}`, `{"kty":"oct","k":"AAAA"}`}
	for _, name := range []string{
		"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "cty", "enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c",
		"url", "nonce", "trust_chain", "peer_trust_chain", "iss", "sub", "aud", "exp", "svt", "ppt", "jwt", "Alg", "ALG", "Kid", "TYP", "alg ", "",
	} {
		for _, value := range values {
			h := strings.TrimSuffix(header(b.key), "}") + "," + quote(name) + ":" + value + "}"
			list = append(list, badToken{fmt.Sprintf("header %q: %s", name, value), b.token(h, goodClaims), HeaderMember})
		}
	}
	for i, name := range []string{"alg", "kid", "typ"} {
		var member [3]string
		for _, value := range []string{"", `0`, `1.5`, `true`, `null`, `[]`, `{}`, `["EdDSA"]`} {
			member[0], member[1], member[2] = b.right()
			member[i] = value
			list = append(list, badToken{name + " " + value, b.token(b.header(member[0], member[1], member[2]), goodClaims), HeaderMember})
		}
		alg, kid, typ := b.right()
		again := map[string]string{"alg": alg, "kid": kid, "typ": typ}[name]
		for _, second := range []string{`"` + name + `":` + again, `"` + name + `":"none"`, fmt.Sprintf(`"\u%04x%s":%s`, name[0], name[1:], again)} {
			for _, h := range []string{
				strings.TrimSuffix(header(b.key), "}") + "," + second + "}", "{" + second + "," + strings.TrimPrefix(header(b.key), "{"),
			} {
				list = append(list, badToken{name + " twice: " + h, b.token(h, goodClaims), DuplicateMember})
			}
		}
	}
	for _, typ := range types {
		alg, kid, _ := b.right()
		list = append(list, badToken{"typ " + typ, b.token(b.header(alg, kid, quote(typ)), goodClaims), BadType})
	}
	return unique(list)
}

// unique drops tokens that two rules made: a member put twice in front of and behind the same text.
func unique(list []badToken) []badToken {
	seen := make(map[string]bool)
	kept := list[:0]
	for _, bad := range list {
		part, _, _ := strings.Cut(bad.token, ".")
		if seen[part] {
			continue
		}
		seen[part] = true
		kept = append(kept, bad)
	}
	return kept
}

// headerText: headers that are no JSON object, or one and something more.
func (b corpusBase) headerText() (list []badToken) {
	good := header(b.key)
	for h, want := range map[string]Reason{
		"": NotJSON, " ": NotJSON, "null": NotJSON, "true": NotJSON, "1": NotJSON, `"alg"`: NotJSON, "[]": NotJSON, "[" + good + "]": NotJSON,
		"{": NotJSON, "}": NotJSON, strings.TrimSuffix(good, "}"): NotJSON, strings.TrimSuffix(good, "}") + ",}": NotJSON,
		"\ufeff" + good: NotJSON, "\x00" + good: NotJSON, strings.ReplaceAll(good, `"`, `'`): NotJSON, strings.ReplaceAll(good, `:`, `=`): NotJSON,
		strings.Replace(good, ",", ",,", 1): NotJSON, "// x\n" + good: NotJSON, good + "//": TrailingData, good + "{}": TrailingData,
		good + good: TrailingData, good + "]": TrailingData, good + "\x00": TrailingData, good + ",": TrailingData,
		strings.Replace(good, testType, "\xc0\x80", 1): NotJSON, strings.Replace(good, testType, "\xed\xa0\x80", 1): NotJSON,
		strings.Replace(good, testType, `\ud800`, 1): NotJSON, strings.Replace(good, testType, "a\nb", 1): NotJSON, "{}": HeaderMember,
	} {
		list = append(list, badToken{fmt.Sprintf("header text %.60q", h), b.token(h, goodClaims), want})
	}
	return list
}

// keyIDs: what is no thumbprint, and thumbprints of keys that are not the signer's.
func (b corpusBase) keyIDs() (list []badToken) {
	alg, _, typ := b.right()
	id := b.key.ID()
	for _, kid := range []string{
		"", " ", "0", "key-1", "../../etc/passwd", "/dev/null", `..\..\x`, "https://evil.example/jwks.json", "file:///etc/passwd", "' OR 1=1 --", "$(id)",
		"%00", strings.Repeat("../", 14) + "x", id[:42], id + "A", id + "=", "=" + id[1:], " " + id[1:], id[:42] + " ", id[:42] + "\n", id[:42] + "\x00",
		strings.Repeat("+", 43), strings.Repeat("/", 43), strings.Repeat("ä", 21) + "a", strings.Repeat("A", 42) + "B", strings.Repeat("A", 1000),
	} {
		list = append(list, badToken{fmt.Sprintf("kid %.50q", kid), b.token(b.header(alg, quote(kid), typ), goodClaims), BadKeyID})
	}
	for name, kid := range map[string]string{
		"of another entity": testKeys().other.ID(), "of nobody": strings.Repeat("A", 43), "in small letters": thumbprintOf(strings.ToLower(id)),
	} {
		list = append(list, badToken{"kid " + name, b.token(b.header(alg, quote(kid), typ), goodClaims), UnknownKey})
	}
	return list
}

// thumbprintOf is the thumbprint of some text: right in form, of no key.
func thumbprintOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return encodeBase64(sum[:])
}

// encodings: each of the three parts in base64 that other decoders accept.
func (b corpusBase) encodings() (list []badToken) {
	good := strings.Split(b.token(header(b.key), goodClaims), ".")
	for i, part := range good {
		middle := len(part) / 2
		for name, changed := range map[string]string{
			"padding": part + "=", "more padding": part + "==", "a space in front": " " + part, "a space behind": part + " ",
			"a line end": part[:middle] + "\n" + part[middle:], "a carriage return": part[:middle] + "\r" + part[middle:],
			"both": part + "\r\n", "a tab": part[:middle] + "\t" + part[middle:], "a NUL": part[:middle] + "\x00" + part[middle+1:],
			"a plus": part[:middle] + "+" + part[middle+1:], "a slash": part[:middle] + "/" + part[middle+1:], "a percent": part[:middle] + "%" + part[middle+1:],
			"a letter of another alphabet": part[:middle] + "а" + part[middle+1:], "one character more than can be": cut(part),
		} {
			if changed == part {
				continue
			}
			parts := append([]string(nil), good...)
			parts[i] = changed
			list = append(list, badToken{fmt.Sprintf("part %d with %s", i+1, name), strings.Join(parts, "."), Base64})
		}
		if stray := strayBits(part); len(part)%4 != 0 && stray != part {
			parts := append([]string(nil), good...)
			parts[i] = stray
			list = append(list, badToken{fmt.Sprintf("part %d with stray bits", i+1), strings.Join(parts, "."), Base64})
		}
	}
	return list
}

// cut makes the length of a base64 text one that no byte string has.
func cut(part string) string {
	for len(part)%4 != 1 {
		part += "A"
	}
	return part
}

// forms: what is no compact serialization, or too much of it.
func (b corpusBase) forms() (list []badToken) {
	good := b.token(header(b.key), goodClaims)
	p := strings.Split(good, ".")
	protected, payload, signature := quote(p[0]), quote(p[1]), quote(p[2])
	for name, token := range map[string]string{
		"flattened":               `{"protected":` + protected + `,"payload":` + payload + `,"signature":` + signature + `}`,
		"general":                 `{"payload":` + payload + `,"signatures":[{"protected":` + protected + `,"signature":` + signature + `}]}`,
		"general, two signatures": `{"payload":` + payload + `,"signatures":[{"protected":` + protected + `,"signature":` + signature + `},{"protected":` + protected + `,"signature":` + signature + `}]}`,
		"unprotected header":      `{"header":` + header(b.key) + `,"payload":` + payload + `}`,
		"after spaces":            "\n\t {\"payload\":" + payload + `,"signature":` + signature + `}`,
	} {
		list = append(list, badToken{"JSON serialization, " + name, token, JSONSerialization})
	}
	for _, token := range []string{
		"." + p[0], p[0], p[0] + "." + p[1], good + ".", good + "." + p[2], "." + good, good + "." + good, good + "~", good + "...", good + "..", p[0] + "." + p[1] + "." + p[2] + "." + p[2] + "." + p[2],
	} {
		want := NotCompact
		if strings.Count(token, ".") == 2 { // a character that is none of base64url
			want = Base64
		}
		list = append(list, badToken{fmt.Sprintf("form with %d dots, %d bytes", strings.Count(token, "."), len(token)), token, want})
	}
	for _, size := range []int{DefaultMaxSize, DefaultMaxSize * 4, 1 << 20} {
		list = append(list, badToken{fmt.Sprintf("%d bytes more", size), b.token(header(b.key), `{"a":"`+strings.Repeat("x", size)+`"}`), Oversize})
	}
	return append(list,
		badToken{"detached payload", p[0] + ".." + p[2], NotJSON},
		badToken{"parts in another order", p[0] + "." + p[2] + "." + p[1], NotJSON},
		badToken{"payload and header exchanged", p[1] + "." + p[0] + "." + p[2], HeaderMember},
	)
}

// claims: payloads that are no JSON object, and claims of wrong form or value.
func (b corpusBase) claims() (list []badToken) {
	add := func(name, claims string, want Reason) {
		list = append(list, badToken{name + " " + shorten(claims), b.token(header(b.key), claims), want})
	}
	for _, text := range []string{
		"null", "true", "0", "-1", `"x"`, "[]", "[{}]", "{", "}", "{]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{'a':1}`, "{\"a\":\"\x01\"}", `{"a":01}`,
		`{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":0x1}`, `{"a":"\x41"}`, `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`,
		`{"\ud800":1}`, "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xf4\x90\x80\x80\"}", "\ufeff{}", "/**/{}", `{"a":tru}`, "\xff\xfe{\x00}\x00",
	} {
		add("payload", text, NotJSON)
	}
	for _, behind := range []string{"{}", "}", "]", " x", "\x00", "null", ",", ` {"exp":1}`, "//"} {
		add("trailing", goodClaims+behind, TrailingData)
	}
	for depth := range 15 {
		open, shut := strings.Repeat(`{"a":`, depth), strings.Repeat("}", depth)
		add("duplicate", `{"exp":1800000060,"x":`+open+`{"b":1,"b":2}`+shut+`}`, duplicateAt(depth))
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "jwks", "metadata", "crit"} {
		add("duplicate "+name, `{"`+name+`":1,"`+name+`":2}`, DuplicateMember)
		add("duplicate, one escaped, "+name, fmt.Sprintf(`{"%s":1,"\u%04x%s":2}`, name, name[0], name[1:]), DuplicateMember)
	}
	for _, depth := range []int{16, 17, 100, 1000} {
		add("lists nested", `{"a":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`, TooDeep)
		add("objects nested", `{"a":`+strings.Repeat(`{"a":`, depth)+`1`+strings.Repeat("}", depth)+`}`, TooDeep)
	}
	return append(list, b.timesAndAudiences()...)
}

// duplicateAt is the reason for a duplicate so many objects deep: what lies deeper than may be is refused for that.
func duplicateAt(depth int) Reason {
	if depth+2 > MaxDepth {
		return TooDeep
	}
	return DuplicateMember
}

func shorten(s string) string { return fmt.Sprintf("%.48q (%d bytes)", s, len(s)) }

func (b corpusBase) timesAndAudiences() (list []badToken) {
	add := func(name, claims string, want Reason) {
		list = append(list, badToken{name + " " + shorten(claims), b.token(header(b.key), claims), want})
	}
	const aud = `"aud":"https://b.example"`
	for _, name := range []string{"exp", "iat", "nbf"} {
		for _, value := range []string{`"1800000030"`, `""`, `null`, `true`, `[]`, `[1800000030]`, `{}`, `1800000030.5`, `1.8e9`, `1.80000003E9`, `-1`, `253402300800`, `9223372036854775807`,
			`9223372036854775808`, `1e400`} {
			claims := `{` + aud + `,"exp":1800000060,"` + name + `":` + value + `}`
			if name == "exp" {
				claims = `{` + aud + `,"exp":` + value + `}`
			}
			add(name, claims, ClaimForm)
		}
	}
	for _, exp := range []string{"0", "1", "1700000000", "1799999969", "1799999970"} {
		add("exp", `{`+aud+`,"exp":`+exp+`}`, Expired)
	}
	for _, name := range []string{"iat", "nbf"} {
		for _, at := range []string{"1800000031", "1800000060", "1900000000", "253402300799"} {
			add(name, `{`+aud+`,"exp":253402300799,"`+name+`":`+at+`}`, NotYetValid)
		}
	}
	for _, name := range []string{"EXP", "Exp", "exp ", "expires", "expires_at", "ex", ""} {
		add("no exp but", `{`+aud+`,"`+name+`":1800000060}`, NoExpiry)
	}
	for _, value := range []string{`[]`, `["https://b.example"]`, `["https://b.example","https://c.example"]`, `[null]`, `[1]`} {
		add("aud", `{"exp":1800000060,"aud":`+value+`}`, SeveralAudiences)
	}
	for _, value := range []string{`null`, `1`, `true`, `{}`, `{"https://b.example":1}`} {
		add("aud", `{"exp":1800000060,"aud":`+value+`}`, ClaimForm)
	}
	for _, value := range []string{``, `*`, `https://c.example`, `https://b.example/`, `https://B.example`, `http://b.example`, `https://b.example:443`, ` https://b.example`,
		`https://b.example\u0000`, `b.example`} {
		add("aud", `{"exp":1800000060,"aud":"`+value+`"}`, BadAudience)
	}
	add("no aud", `{"exp":1800000060}`, BadAudience)
	add("AUD", `{"exp":1800000060,"AUD":"https://b.example"}`, BadAudience)
	return list
}

// signatures: each byte changed, every other length, forms of other libraries, and signatures over something else.
func (b corpusBase) signatures() (list []badToken) {
	good := strings.Split(b.token(header(b.key), goodClaims), ".")
	raw, err := decodeBase64(good[2])
	if err != nil {
		b.t.Fatal(err)
	}
	with := func(signature []byte) string { return good[0] + "." + good[1] + "." + encodeBase64(signature) }
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] ^= 1 << (i % 8)
		list = append(list, badToken{fmt.Sprintf("signature with byte %d changed", i), with(changed), BadSignature})
	}
	for _, n := range []int{0, 1, 31, 32, 33, 63} {
		list = append(list, badToken{fmt.Sprintf("signature of %d bytes", n), with(raw[:n]), SignatureForm})
	}
	list = append(list,
		badToken{"signature of 65 bytes", with(append(raw[:64:64], 0)), SignatureForm},
		badToken{"signature of 128 bytes", with(append(raw[:64:64], raw...)), SignatureForm},
		badToken{"signature of zeros", with(make([]byte, 64)), BadSignature},
		badToken{"halves exchanged", with(append(raw[32:64:64], raw[:32]...)), BadSignature},
		badToken{"signature of another key", good[0] + "." + good[1] + "." + encodeBase64(rawSignature(b.t, testKeys().other, good[0]+"."+good[1])), BadSignature},
		badToken{"signature of the payload alone", with(rawSignature(b.t, b.key, good[1])), BadSignature},
		badToken{"signature of the decoded payload", with(rawSignature(b.t, b.key, goodClaims)), BadSignature},
		badToken{"another payload", good[0] + "." + encodeBase64([]byte(strings.Replace(goodClaims, "a.example", "c.example", 1))) + "." + good[2], BadSignature},
		badToken{"the payload with a space", good[0] + "." + encodeBase64([]byte(goodClaims+" ")) + "." + good[2], BadSignature},
		badToken{"the header with a space behind", encodeBase64([]byte(header(b.key)+" ")) + "." + good[1] + "." + good[2], BadSignature},
		badToken{"the header with a line end in front", encodeBase64([]byte("\n"+header(b.key))) + "." + good[1] + "." + good[2], BadSignature},
		badToken{"the header with a space inside", encodeBase64([]byte(strings.Replace(header(b.key), ",", ", ", 1))) + "." + good[1] + "." + good[2], BadSignature},
		badToken{"the header in another order", encodeBase64([]byte(reordered(b))) + "." + good[1] + "." + good[2], BadSignature},
	)
	if b.key.Public().Algorithm() == EdDSA {
		return append(list, badToken{"s beyond the order of the group", good[0] + "." + good[1] + "." + addOrder(b.t, good[2]), BadSignature})
	}
	order, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	return append(list,
		badToken{"DER", derToken(b.t, b.key), SignatureForm},
		badToken{"r of zero", with(append(make([]byte, 32), raw[32:]...)), BadSignature},
		badToken{"s of zero", with(append(raw[:32:32], make([]byte, 32)...)), BadSignature},
		badToken{"r the order", with(append(order.Bytes(), raw[32:]...)), BadSignature},
		badToken{"s the order", with(append(raw[:32:32], order.Bytes()...)), BadSignature},
	)
}

func reordered(b corpusBase) string {
	alg, kid, typ := b.right()
	return `{"typ":` + typ + `,"kid":` + kid + `,"alg":` + alg + `}`
}
