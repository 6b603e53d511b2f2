package stix

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestParseJSON(t *testing.T) {
	for _, c := range []struct {
		name, text string
		fault      jsonFault // 0: accepted
	}{
		{"object", `{"a":[1,-2.5e+3,true,false,null,"x"],"b":{}}`, 0},
		{"whitespace", " \t\r\n{ \"a\" : [ 1 , 2 ] } \n", 0},
		{"escapes", `"\"\\\/\b\f\n\r\t\u0000\ud83d\ude00"`, 0},
		{"zero", `0`, 0},
		{"minus zero", `-0`, 0},
		{"same name at different levels", `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, 0},
		{"empty", ``, faultTruncated},
		{"only whitespace", ` `, faultTruncated},
		{"two values", `{} {}`, faultSyntax},
		{"comma at the end", `{"a":1,}`, faultSyntax},
		{"comma at the end of a list", `[1,]`, faultSyntax},
		{"comma missing", `[1 2]`, faultSyntax},
		{"colon missing", `{"a" 1}`, faultSyntax},
		{"name without quotes", `{a:1}`, faultSyntax},
		{"single quotes", `{'a':1}`, faultSyntax},
		{"brackets crossed", `{"a":[1}`, faultSyntax},
		{"unclosed", `{"a":1`, faultTruncated},
		{"unclosed string", `"abc`, faultTruncated},
		{"leading zero", `01`, faultSyntax},
		{"plus", `+1`, faultSyntax},
		{"no digits", `-`, faultTruncated},
		{"no fraction", `1.`, faultTruncated},
		{"no exponent", `1e`, faultTruncated},
		{"NaN", `NaN`, faultSyntax},
		{"literal cut", `tru`, faultTruncated},
		{"literal in upper case", `True`, faultSyntax},
		{"comment", `{"a":1}//`, faultSyntax},
		{"control character", "\"a\nb\"", faultSyntax},
		{"NUL", "\"a\x00b\"", faultSyntax},
		{"bad escape", `"\x41"`, faultSyntax},
		{"short escape", `"\u12"`, faultSyntax},
		{"byte order mark", "\xEF\xBB\xBF{}", faultBOM},
		{"invalid UTF-8", "\"\xff\"", faultUTF8},
		{"overlong UTF-8", "\"\xc0\xaf\"", faultUTF8},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", faultUTF8},
		{"lone high surrogate", `"\ud800"`, faultSurrogate},
		{"lone low surrogate", `"\udc00"`, faultSurrogate},
		{"high surrogate twice", `"\ud800\ud800"`, faultSurrogate},
		{"surrogate and text", `"\ud800abcdefgh"`, faultSurrogate},
		{"repeated name", `{"a":1,"a":2}`, faultDuplicate},
		{"repeated name, escaped", `{"id":1,"\u0069d":2}`, faultDuplicate},
		{"too deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), faultDepth},
		{"deep enough", strings.Repeat("[", 64) + strings.Repeat("]", 64), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tr tree
			err := tr.parseAll([]byte(c.text), 64)
			switch {
			case c.fault == 0 && err != nil:
				t.Errorf("%s is refused: %v", c.text, err)
			case c.fault != 0 && err == nil:
				t.Errorf("%s is accepted", c.text)
			case c.fault != 0 && err.fault != c.fault:
				t.Errorf("%s: fault %d (%v), want %d", c.text, err.fault, err, c.fault)
			}
		})
	}
}

// A value that is cut anywhere is truncated, never malformed, so that a Reader asks for more.
func TestParseJSONTruncated(t *testing.T) {
	text := `{"type":"x-y","n":[-12.5e+10,true,false,null,{"ab":"c\u00e9\ud83d\ude00\\"}],"é":""}`
	for i := range len(text) {
		var tr tree
		if _, err := tr.parse([]byte(text[:i]), 64, false); err == nil || err.fault != faultTruncated {
			t.Errorf("%s: %v", text[:i], err)
		}
	}
}

func TestParseJSONManyMembers(t *testing.T) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range 100_000 {
		b.WriteString(`"k`)
		b.WriteString(strings.Repeat("x", i%7))
		b.WriteString(string(rune('a'+i%26)) + strings.Repeat("0", i%3))
		b.WriteString(jsontext.Int(int64(i)).String())
		b.WriteString(`":0,`)
	}
	unique := b.String() + `"last":0}`
	repeated := b.String() + `"ka0":0}` // the first name
	var tr tree
	if err := tr.parseAll([]byte(unique), 64); err != nil {
		t.Error(err)
	}
	if err := tr.parseAll([]byte(repeated), 64); err == nil || err.fault != faultDuplicate {
		t.Errorf("a name repeated after 100,000 others: %v", err)
	}
}

// FuzzJSON compares the parser with an independent strict one.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"\ud83d\ude00",null]}`, `{"a":1,"a":2}`, `"\ud800"`, `[`, "\"\xff\"", ` 1 `,
		`{"a":{"b":{"c":[[[]]]}},"\u0061":0}`, `-0.0e-0`, `{"":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var tr tree
		err := tr.parseAll(data, maxDepth)
		if valid := jsontext.Value(data).IsValid(); valid != (err == nil) {
			if err != nil && err.fault == faultDepth {
				return
			}
			t.Fatalf("%q: valid %v, but %v", data, valid, err)
		}
		if err != nil {
			return
		}
		want := jsontext.Value(bytes.Clone(data))
		if err := want.Compact(jsontext.PreserveRawStrings(true)); err != nil {
			t.Fatal(err)
		}
		if got := appendCompact(nil, data); !bytes.Equal(got, want) {
			t.Errorf("%q is compacted to %q, want %q", data, got, want)
		}
		for i := range tr.nodes {
			if n := tr.nodes[i]; n.kind == kindString {
				text, err := jsontext.AppendUnquote(nil, tr.src[n.start:n.stop])
				if err != nil || !bytes.Equal(text, tr.bytes(i)) {
					t.Errorf("the string %s is read as %q, want %q", tr.src[n.start:n.stop], tr.bytes(i), text)
				}
			}
		}
	})
}

// skipPlain finds every byte that is not plain at every place of a word, whatever stands around it.
func TestSkipPlain(t *testing.T) {
	for _, filler := range []byte{' ', '!', '#', '[', ']', '~', 0x7f, 'a'} {
		for size := range 20 {
			text := bytes.Repeat([]byte{filler}, size)
			if got := skipPlain(text, 0); got != size {
				t.Errorf("%q: %d", text, got)
			}
			for at := range size {
				for c := range 256 {
					text[at] = byte(c)
					want := size
					if !plain[c] {
						want = at
					}
					if got := skipPlain(text, 0); got != want {
						t.Fatalf("%q: %d, want %d", text, got, want)
					}
					if at+1 < size && !plain[c] {
						text[at+1] = 0xff
						if got := skipPlain(text, 0); got != want {
							t.Fatalf("%q: %d, want %d", text, got, want)
						}
						text[at+1] = filler
					}
				}
				text[at] = filler
			}
		}
	}
}
