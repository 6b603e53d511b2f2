package stix

import (
	"bytes"
	"crypto/sha256"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// canonical is the form that digests are taken of.
func canonical(t *testing.T, text string) string {
	t.Helper()
	v := jsontext.Value(bytes.Clone([]byte(text)))
	if err := v.Canonicalize(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(v)
}

// The examples of RFC 8785: §3.2.2 (literals and numbers), §3.2.3 (order by UTF-16 code units).
func TestCanonicalForm(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"section 3.2.2", `{
			"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
			"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
			"literals": [null, true, false]
		}`, `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],` +
			`"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{"section 3.2.3", `{
			"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
			"\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
		}`, `{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis",` +
			`"€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`},
		{"order is by code unit at every level", `{"b":{"z":1,"a":[{"y":1,"x":2}]},"a":1,"":0,"aa":2}`,
			`{"":0,"a":1,"aa":2,"b":{"a":[{"x":2,"y":1}],"z":1}}`},
		{"no normalisation", `{"a":"e\u0301","b":"\u00e9"}`, "{\"a\":\"e\u0301\",\"b\":\"\u00e9\"}"},
		{"escapes", `["\b\f\n\r\t\u0001\u007f\u2028<&>"]`, "[\"\\b\\f\\n\\r\\t\\u0001\u007f\u2028<&>\"]"},
	} {
		if got := canonical(t, c.in); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// RFC 8785 appendix B: doubles by their bits, and their text.
func TestCanonicalNumbers(t *testing.T) {
	for _, c := range []struct {
		bits uint64
		want string
	}{
		{0x0000000000000000, "0"},
		{0x8000000000000000, "0"},
		{0x0000000000000001, "5e-324"},
		{0x8000000000000001, "-5e-324"},
		{0x7fefffffffffffff, "1.7976931348623157e+308"},
		{0xffefffffffffffff, "-1.7976931348623157e+308"},
		{0x4340000000000000, "9007199254740992"},
		{0xc340000000000000, "-9007199254740992"},
		{0x4430000000000000, "295147905179352830000"},
		{0x44b52d02c7e14af5, "9.999999999999997e+22"},
		{0x44b52d02c7e14af6, "1e+23"},
		{0x44b52d02c7e14af7, "1.0000000000000001e+23"},
		{0x444b1ae4d6e2ef4e, "999999999999999700000"},
		{0x444b1ae4d6e2ef4f, "999999999999999900000"},
		{0x444b1ae4d6e2ef50, "1e+21"},
		{0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
		{0x3eb0c6f7a0b5ed8d, "0.000001"},
		{0x41b3de4355555553, "333333333.3333332"},
		{0x41b3de4355555554, "333333333.33333325"},
		{0x41b3de4355555555, "333333333.3333333"},
		{0x41b3de4355555556, "333333333.3333334"},
		{0x41b3de4355555557, "333333333.33333343"},
		{0xbecbf647612f3696, "-0.0000033333333333333333"},
		{0x43143ff3c1cb0959, "1424953923781206.2"},
	} {
		text := strconv.FormatFloat(math.Float64frombits(c.bits), 'e', -1, 64)
		if got := canonical(t, text); got != c.want {
			t.Errorf("%016x: %s becomes %s, want %s", c.bits, text, got, c.want)
		}
	}
}

func TestDigest(t *testing.T) {
	o := &Object{Raw: []byte(`{ "type":"x-acme", "n":1.0, "a":"\u00e9" }`)}
	got, err := o.Digest()
	if want := sha256.Sum256([]byte(`{"a":"é","n":1,"type":"x-acme"}`)); err != nil || got != want {
		t.Errorf("digest %x, %v; want %x", got, err, want)
	}
	if string(o.Raw) != `{ "type":"x-acme", "n":1.0, "a":"\u00e9" }` {
		t.Errorf("the digest changed the object to %s", o.Raw)
	}
}

func TestDigestRefuses(t *testing.T) {
	for _, c := range []struct{ raw, reason string }{
		{`{"a":1,"a":1}`, "given twice"},
		{`{"a":"\ud800"}`, "surrogate"},
		{`{"a":9007199254740992}`, "2^53"},
		{`{"a":-9007199254740992}`, "2^53"},
		{`{"a":[{"b":123456789012345678901234567890}]}`, "2^53"},
		{`{"a":1e400}`, "too large"},
		{`{"a":1e-400}`, "too small"},
		{`{"a":0.123456789012345678}`, "17 digits"},
		{`[]`, "a list"},
		{`{`, "canonical"},
	} {
		o := &Object{Raw: []byte(c.raw)}
		for name, f := range map[string]func() ([32]byte, error){"Digest": o.Digest, "Norm": o.Norm} {
			if _, err := f(); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s of %s: %v, want %q", name, c.raw, err, c.reason)
			}
		}
	}
	for _, raw := range []string{`{"a":9007199254740991}`, `{"a":-0}`, `{"a":1e30}`, `{"a":0.12345678901234567}`, `{"a":0.0000}`, `{"a":1.50000000000000000000}`} {
		if _, err := (&Object{Raw: []byte(raw)}).Digest(); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// Norm is blind for defaults at the top, of the types that have them, and for nothing else.
func TestNorm(t *testing.T) {
	norm := func(raw string) [32]byte {
		t.Helper()
		d, err := (&Object{Raw: []byte(raw)}).Norm()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"type":"indicator","revoked":false,"lang":"en"}`, `{"type":"indicator"}`, true},
		{`{"lang":"\u0065n","type":"indicator"}`, `{"type":"indicator"}`, true},
		{`{"type":"url","spec_version":"2.1","defanged":false}`, `{"type":"url"}`, true},
		{`{"type":"sighting","summary":false}`, `{"type":"sighting"}`, true},
		{`{"type":"indicator","summary":false}`, `{"type":"indicator"}`, false},
		{`{"type":"indicator","spec_version":"2.1"}`, `{"type":"indicator"}`, false},
		{`{"type":"indicator","revoked":true}`, `{"type":"indicator"}`, false},
		{`{"type":"indicator","lang":"de"}`, `{"type":"indicator"}`, false},
		{`{"type":"indicator","x":{"revoked":false}}`, `{"type":"indicator","x":{}}`, false},
		{`{"revoked":false}`, `{}`, true},
	} {
		if same := norm(c.a) == norm(c.b); same != c.same {
			t.Errorf("Norm of %s and %s: same %v, want %v", c.a, c.b, same, c.same)
		}
	}
	plain := &Object{Raw: []byte(`{"type":"indicator","n":1.50}`)}
	digest, err := plain.Digest()
	if err != nil || digest != norm(string(plain.Raw)) {
		t.Errorf("without defaults Norm %x and Digest %x differ: %v", norm(string(plain.Raw)), digest, err)
	}
}
