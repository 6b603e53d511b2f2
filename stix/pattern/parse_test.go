package pattern

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// invalidPatterns are wrong in one way each.
var invalidPatterns = []string{
	"", " ", "[]", "[", "]", "()", "a:b = 1", "[a:b = 1", "[a:b]", "[a]", "[a:]", "[:b = 1]", "[a: = 1]",
	"[a:b = 1]]", "([a:b = 1]", "[a:b = 1])", "[(a:b = 1]", "[a:b = 1 AND]", "[AND a:b = 1]", "[a:b = 1 a:c = 2]",
	"[a:b = 1] [a:c = 2]", "[a:b = 1] AND", "[a:b = 1] FOLLOWEDBY", "[a:b = 1] XOR [a:c = 1]", "[a:b = 1][a:b = 2]",
	// M 24
	"[file:name = 'a' OR 1=1]", "[file:name = 'unterminated]", `[file:name = 'a\n']`, `[file:name = '\u0041']`,
	"[file:name = ‘a’]", "[file:name = \"a\"]", "[file:name = 'a'\x00]", "[file:name = 'a'] -- comment", "[file:name = 'a' /* x */]",
	"[file:name = 'a'] // x", "[file:name == 'a']", "[file:name <> 'a']", "[file:name = 'a'] and [file:name = 'b']",
	"[file:name like 'a']", "[NOT file:name = 'a']", "[file:name = 'a'] trailing", "[file:name = 'a'] [file:name = 'b']",
	"[file:name = 'a'; DROP TABLE x]",
	// constants
	"[a:b = +1]", "[a:b = 01]", "[a:b = 1e5]", "[a:b = 1.]", "[a:b = -]", "[a:b = .]", "[a:b = 0x10]", "[a:b = 9007199254740992]",
	"[a:b = -9007199254740992]", "[a:b = 1" + strings.Repeat("0", 400) + ".0]", "[a:b = TRUE]", "[a:b = null]", "[a:b = h'0']",
	"[a:b = h'0g']", "[a:b = h'FF']", "[a:b = b'A']", "[a:b = b'A===']", "[a:b = b'A-_=']", "[a:b = t'2020-01-01']",
	"[a:b = t'2020-01-01T00:00:00+00:00']", "[a:b = t'2020-02-30T00:00:00Z']", "[a:b = t'2020-01-01T00:00:00,5Z']", "[a:b = x'00']",
	"[a:b = t '2020-01-01T00:00:00Z']", "[a:b = 'a\xff']",
	// operators
	"[a:b < true]", "[a:b LIKE 1]", "[a:b MATCHES h'00']", "[a:b ISSUBSET 1]", "[a:b ISSUBSET 'x']", "[a:b ISSUPERSET '1.2.3.4/33']",
	"[a:b IN 1]", "[a:b IN ()]", "[a:b IN (1,)]", "[a:b IN (1 2)]", "[a:b IN (1, 'a')]", "[a:b IN (true, 1)]", "[a:b NOT NOT = 1]",
	"[a:b EXISTS]", "[EXISTS a:b = 1]", "[EXISTS]", "[NOT a:b = 1]", "[a:b NOT]", "[a:b = a:c]", "[1 = a:b]", "[a:b ! = 1]",
	// paths
	"[a:b-c = 1]", "[a:'' = 1]", "[a:b..c = 1]", "[a:b. = 1]", "[a:b[] = 1]", "[a:b[-1] = 1]", "[a:b[1.5] = 1]", "[a:b['x'] = 1]", "[a:b[*] [ = 1]",
	"[a:b[99999999999999999999] = 1]", "[a.b = 1]", "[a::b = 1]", "['a':b = 1]", "[a:AND = 1]", "[a:1b = 1]", "[a:[0] = 1]",
	// AND over different object types
	"[a:x = 1 AND b:y = 2]", "[(a:x = 1 OR b:x = 1) AND c:x = 1]", "[a:x = 1 AND (b:y = 2 AND c:z = 3)]",
	// qualifiers
	"[a:b = 1] REPEATS 0 TIMES", "[a:b = 1] REPEATS -1 TIMES", "[a:b = 1] REPEATS 1.5 TIMES", "[a:b = 1] REPEATS 2", "[a:b = 1] REPEATS TIMES",
	"[a:b = 1] WITHIN 0 SECONDS", "[a:b = 1] WITHIN 0.0 SECONDS", "[a:b = 1] WITHIN -1 SECONDS", "[a:b = 1] WITHIN 1e308 SECONDS",
	"[a:b = 1] WITHIN 5 MINUTES", "[a:b = 1] WITHIN '5' SECONDS", "[a:b = 1] WITHIN 5SECONDS", "[a:b = 1] START t'2020-01-01T00:00:00Z'",
	"[a:b = 1] START '2020-01-01T00:00:00Z' STOP '2021-01-01T00:00:00Z'", "[a:b = 1] STOP t'2020-01-01T00:00:00Z'",
	"[a:b = 1] WITHIN 1 SECONDS REPEATS 2 TIMES WITHIN 1 SECONDS", "REPEATS 2 TIMES",
	// regular expressions
	"[a:b MATCHES '(']", "[a:b MATCHES ')']", "[a:b MATCHES '[']", "[a:b MATCHES '*']", "[a:b MATCHES 'a**']", "[a:b MATCHES '[b-a]']", "[a:b MATCHES 'a{2,1}']",
	`[a:b MATCHES 'a\\']`, "[a:b MATCHES '(?=a']", "[a:b MATCHES '[[:foo:]]']", "[a:b MATCHES '(?<1>a)']", "[a:b MATCHES '(?#a']", "[a:b MATCHES 'a|*']",
}

func TestInvalid(t *testing.T) {
	for _, text := range invalidPatterns {
		err := Check(text)
		var e *SyntaxError
		if !errors.As(err, &e) {
			t.Errorf("%s\nis accepted", text)
		}
	}
}

func TestValid(t *testing.T) {
	for _, text := range []string{
		"[a:b=1]", "\u2003[a:b\n=\r\n\t1\u00a0]\u2028", "[a:b = -0]", "[a:b = .5]", "[a:b = -.5]", "[a:b = 9007199254740991]", "[a:b = '']",
		"[a:b = h'']", "[a:b = b'']", "[a:b = b'AA\n==']", "[a:b = 'smart ‘quotes’ and \x00 are characters']", "[a:b = 'line\nfeed']",
		"[a:b = true]", "[a:b NOT = false]", "[a:b IN (1, 2.5)]", "[a:b IN (h'00', b'AA==')]", "[a:b IN ('x')]",
		"[a:b[0] = 1]", "[a:b[*][*].c = 1]", "[a:b[9007199254740991] = 1]", "[a:'AND' = 1]", "[a:'b'.'c-d' = 1]", `[a:'it\'s' = 1]`, "[a:and = 1]",
		"[EXISTS a:b]", "[NOT EXISTS a:b]", "[a:b = 1 AND NOT EXISTS a:c]", "[a:b ISSUBSET '::1']", "[a:b ISSUPERSET '2001:db8::/32']",
		"[a:b = 1] REPEATS 9007199254740991 TIMES", "([a:b = 1] REPEATS 2 TIMES) REPEATS 2 TIMES", "[a:b = 1] WITHIN .5 SECONDS",
		"[a:b = 1] START t'2021-01-01T00:00:00Z' STOP t'2020-01-01T00:00:00Z'", "[a:b = t'2016-12-31T23:59:60Z']",
		"[a:b = 1] WITHIN 1 SECONDS REPEATS 2 TIMES START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'",
		"[a:b MATCHES '(?=a)']", `[a:b MATCHES '(a)\\1']`, "[a:b MATCHES '(?R)']", "[a:b MATCHES '.{1000}{1000}']", "[a:b MATCHES 'a{,3}']",
	} {
		if err := Check(text); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		checkRoundTrip(t, text)
	}
}

func TestSyntaxErrorPlace(t *testing.T) {
	cases := map[string]SyntaxError{
		"[a:b = 1":                     {1, 9, 8, "expected ']', found the end of the pattern"},
		"[a:b = 1]\n  and [a:b = 2]":   {2, 3, 12, "expected an operator, a qualifier or the end of the pattern, found 'and'; keywords are written in capital letters"},
		"[a:b = 'ä€😀' OR\r\na:c == 1]": {2, 6, 28, "expected a constant, found '='"},
		"[a:b-c = 1]":                  {1, 4, 3, "the property name b-c needs apostrophes around it (§9.7)"},
		"[a:b = 'x\xff']":              {1, 10, 9, "the pattern is not valid UTF-8"},
		"[a:b = 1 AND c:d = 2]":        {1, 10, 9, "AND joins comparisons of different object types, which no one object can satisfy (§9.5)"},
		"[a:b = “x”]":                  {1, 8, 7, "unexpected character '“'; constants stand between apostrophes (U+0027)"},
	}
	for text, want := range cases {
		var got *SyntaxError
		if !errors.As(Check(text), &got) {
			t.Errorf("%q is accepted", text)
			continue
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestPrecedence(t *testing.T) {
	cases := map[string]string{
		"[a:b=1] FOLLOWEDBY [a:b=2] OR [a:b=3] AND [a:b=4]": "[a:b = 1] FOLLOWEDBY ([a:b = 2] OR ([a:b = 3] AND [a:b = 4]))",
		"[a:b=1 OR a:b=2 AND a:b=3]":                        "[a:b = 1 OR (a:b = 2 AND a:b = 3)]",
		"[a:b=1] AND [a:b=2] REPEATS 5 TIMES":               "[a:b = 1] AND ([a:b = 2] REPEATS 5 TIMES)",
		"(([a:b=1]))":                                       "[a:b = 1]",
		"[((a:b=1))]":                                       "[a:b = 1]",
	}
	for text, grouped := range cases {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse(grouped)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b.Root(), a.Root(), sameTree); diff != "" {
			t.Errorf("%s is not grouped as %s (-want +got):\n%s", text, grouped, diff)
		}
	}
	// Grouping of a chain is kept, and printed.
	const nested = "[a:b = 1] AND ([a:b = 2] AND [a:b = 3])"
	p, err := Parse(nested)
	if err != nil || p.String() != nested {
		t.Errorf("%s is printed as %v, %v", nested, p, err)
	}
}

func TestLimits(t *testing.T) {
	small := Limits{Bytes: 200, Depth: 3, Terms: 4, RegexBytes: 5}
	for text, message := range map[string]string{
		"[a:b = '" + strings.Repeat("x", 200) + "']":  "bytes",
		"[((((a:b = 1))))]":                           "nested",
		"(((([a:b = 1]))))":                           "nested",
		"[a:b.c.d.e = 1]":                             "steps",
		"[a:b IN (1,2,3,4,5)]":                        "more than 4",
		"[a:b=1 OR a:b=2 OR a:b=3 OR a:b=4 OR a:b=5]": "more than 4",
		"[a:b=1] OR [a:b=1] OR [a:b=1] REPEATS 2 TIMES WITHIN 1 SECONDS": "more than 4",
		"[a:b MATCHES 'abcdef']": "regular expression has 6 bytes",
	} {
		if _, err := ParseLimits(text, small); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: the error should speak of %q: %v", text, message, err)
		}
	}
}
