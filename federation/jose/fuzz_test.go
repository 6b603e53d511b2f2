package jose

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzVerify holds that nobody without the key makes a token: what is accepted is the one token that was signed, byte
// for byte.
func FuzzVerify(f *testing.F) {
	ed := testKeys().ed
	good := forge(f, ed, header(ed), goodClaims)
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		good, encodeBase64([]byte(header(ed)+" ")) + "." + parts[1] + "." + parts[2], good + ".", " " + good, good + "\n", strings.ReplaceAll(good, ".", ".."), parts[0] + "." + parts[1] + ".",
		strings.Join([]string{parts[0], parts[2], parts[1]}, "."), `{"payload":"` + parts[1] + `"}`, "", "..", "e30.e30.",
	} {
		f.Add(seed)
	}
	p := testProfile(f)
	p.Keys = keySet(f, ed)
	f.Fuzz(func(t *testing.T, compact string) {
		_, err := Verify(compact, p)
		if err == nil && compact != good {
			t.Fatalf("a token that nobody signed is accepted: %q", compact)
		}
		if err != nil && ReasonOf(err) == "" {
			t.Fatalf("refused without a reason: %v", err)
		}
	})
}

// FuzzParseHeader signs any header and payload: what is accepted has exactly the three members and is JSON to the
// standard library too.
func FuzzParseHeader(f *testing.F) {
	ed := testKeys().ed
	f.Add(header(ed), goodClaims)
	f.Add(`{"alg":"none"}`, `{}`)
	f.Add(strings.Replace(header(ed), "}", `,"crit":[]}`, 1), `{"exp":1,"exp":2}`)
	p := testProfile(f)
	f.Fuzz(func(t *testing.T, h, claims string) {
		c, err := Verify(forge(t, ed, h, claims), p)
		if err != nil {
			if ReasonOf(err) == "" {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		var members map[string]string
		if err := json.Unmarshal([]byte(h), &members); err != nil || len(members) != 3 {
			t.Fatalf("accepted the header %s", h)
		}
		if c.Header.KeyID != ed.ID() || !c.Has("exp") || !json.Valid([]byte(claims)) {
			t.Fatalf("accepted %s with %s", h, claims)
		}
	})
}

// FuzzParseKeySet holds that what is accepted has no private member and reads back to the same text.
func FuzzParseKeySet(f *testing.F) {
	a, b := publicText(f, testKeys().ed), publicText(f, testKeys().ec)
	for _, seed := range []string{`{"keys":[` + a + `]}`, `{"keys":[` + a + `,` + b + `]}`, `{"keys":[]}`, a,
		`{"keys":[` + privateText(f, testKeys().ec) + `]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseKeySet(data)
		if err != nil {
			if ReasonOf(err) == "" {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		text, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKeySet(text)
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		second, err := json.Marshal(again)
		if err != nil || !bytes.Equal(text, second) || bytes.Contains(text, []byte(`"d"`)) {
			t.Fatalf("%s became %s", text, second)
		}
	})
}

// FuzzParseObject compares the strict reader with the standard library's: it accepts less, and never something else.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{`{}`, goodClaims, `{"a":[1,{"b":null}],"c":"\ud83d\ude00"}`, `{"a":1}x`, `{"a":1,"a":2}`,
		`{"a":1,}`, `[{}]`, `{"a":[1,]}`, `{"a" 1}`, strings.Repeat(`{"a":`, 20)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ParseObject(data)
		if err != nil {
			if ReasonOf(err) == "" {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil || len(m) != o.Len() {
			t.Fatalf("accepted %q; the standard library says %v and %d members, not %d", data, err, len(m), o.Len())
		}
	})
}
