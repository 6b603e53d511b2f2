package pattern

import (
	"strings"
	"testing"
)

func TestRegexDialect(t *testing.T) {
	cases := []struct {
		expression string
		match      []string
		differ     []string
	}{
		{`a.c`, []string{"xabcx", "a\nc"}, []string{"ac"}}, // search, DOTALL
		{`^abc$`, []string{"abc", "abc\n"}, []string{"abc\n\n", "xabc"}},
		{`a\Z`, []string{"a", "a\n"}, []string{"ab"}},
		{`a\z`, []string{"a"}, []string{"a\n"}},
		{`(?m)^b$`, []string{"a\nb\nc"}, []string{"ab"}},
		{`(?m:^b$)`, []string{"a\nb\nc"}, nil},
		{`(?i)ABC`, []string{"abc"}, nil},
		{`(?i:a)B`, []string{"AB"}, []string{"Ab"}},
		{`(?-s).`, []string{"a"}, []string{"\n"}},
		{`\x41\x{e9}\x4`, []string{"Aé\x04"}, nil},
		{`\h+\v`, []string{"\u00a0\t\x0b", " \u2028"}, []string{"a\n"}},
		{`\H\V`, []string{"ab"}, []string{"\t\n"}},
		{`\s\S`, []string{"\x0ba"}, []string{"ab"}},
		{`[\s-z]`, []string{"-", "z", "\x0b"}, []string{"a"}},
		{`[a-\d]`, []string{"a", "-", "5"}, []string{"b"}},
		{`[^\S]`, []string{" "}, []string{"a"}},
		{`[]a]+b`, []string{"]ab"}, []string{"b"}},
		{`[[:alpha:]_]`, []string{"x", "_"}, []string{"1"}},
		{`[[a]`, []string{"[", "a"}, []string{"b"}},
		{`[\b]`, []string{"\b"}, []string{"b"}},
		{`[\x00-\x1f\101]`, []string{"\x01", "A"}, []string{"a"}},
		{`\Qa.b\E+`, []string{"a.bb"}, []string{"axb"}},
		{`\e\cA\a\0`, []string{"\x1b\x01\a\x00"}, nil},
		{`a{2}b{,3}`, []string{"aab{,3}"}, []string{"aabbb"}},
		{`a{x}`, []string{"a{x}"}, []string{"a"}},
		{`(?<name>a)(?'other'b)`, []string{"ab"}, nil},
		{`a(?#comment)b`, []string{"ab"}, nil},
		{`\é\-\@`, []string{"é-@"}, nil},
		{`\p{L}\PL`, []string{"é1"}, []string{"ab"}},
		{`\N`, []string{"a"}, []string{"\n"}},
		{`\bfoo\b`, []string{"a foo"}, []string{"afoo"}},
		{`(a|)*?b`, []string{"b"}, nil},
		{`^C:\\Windows\\\w+$`, []string{`C:\Windows\x`}, nil},
		{``, []string{"", "a"}, nil},
	}
	for _, c := range cases {
		r, err := compileRegex(c.expression)
		if err != nil || r.unsupported != "" {
			t.Errorf("%s: %v, unsupported: %+v", c.expression, err, r)
			continue
		}
		for _, s := range c.match {
			if !r.match(s) {
				t.Errorf("%s should match %q", c.expression, s)
			}
		}
		for _, s := range c.differ {
			if r.match(s) {
				t.Errorf("%s should not match %q", c.expression, s)
			}
		}
	}
}

var unsupportedExpressions = []string{
	`(?=x)`, `(?!x)`, `(?<=x)y`, `(?<!x)y`, `(a)\1`, `(?R)`, `(?1)`, `(?&n)`, `(?P>n)`, `(?P<n>a)(?P=n)`, `a++`, `a*+`, `a{2}+`, `(?>a)`,
	`(?|a|b)`, `(?(1)a|b)`, `(?x) a # )`, `.{1000}{1000}`, `a{2000}`, `((a{100}){100}){100}`, `(*UTF)a`, `\R`, `\X`, `\Ka`, `\G`, `\g1`, `\k<n>`,
	`\Ufoo`, `\y`, `$a`, `\p{NoSuchProperty}`, `((((((((((x{9}){9}){9}){9}){9}){9}){9}){9}){9}){9})`, `(?C1)`, `(?J)a`, `[\R]`,
}

func TestRegexUnsupported(t *testing.T) {
	for _, s := range unsupportedExpressions {
		r, err := compileRegex(s)
		if err != nil || r.unsupported == "" {
			t.Errorf("%s: %+v, %v; want it unsupported", s, r, err)
		}
	}
}

func TestRegexInvalid(t *testing.T) {
	for _, s := range []string{
		`(`, `)`, `a)`, `(a`, `[`, `[a`, `[]`, `[^]`, `*`, `+a`, `?`, `|*`, `(*)`, `(?`, `(?y)`, `(?<`, `(?<>a)`, `(?<1a>a)`, `a**`, `a{2}*`, `a+*`,
		`a{3,2}`, `a{70000}`, `[z-a]`, `\`, `[\`, `[\]`, `\x{110000}`, `\x{d800}`, `\x{zz}`, `\c`, `\cé`, `\p`, `\p{L`, `[[:nothing:]]`, `[[.a.]]`,
		`(?=a`, `(?#a`, `(?i`, `(?i-s-m)`, `(?R`, strings.Repeat("(", 600) + strings.Repeat(")", 600),
	} {
		if r, err := compileRegex(s); err == nil {
			t.Errorf("%.40s is accepted: %+v", s, r)
		}
	}
}

// TestUnsupportedIsNotNoMatch: what cannot be carried out must never count as a comparison that is false, nor as true.
func TestUnsupportedIsNotNoMatch(t *testing.T) {
	var o Observations
	if err := o.AddBundle([]byte(fuzzBundle)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Outcome{
		`[a:d MATCHES '(?=x)']`:                                Unsupported,
		`[a:d NOT MATCHES '(?=x)']`:                            Unsupported,
		`[a:b = 1 AND a:d MATCHES '(x)\\1']`:                   Unsupported,
		`[a:b = 7 AND a:d MATCHES '(x)\\1']`:                   NotMatched,
		`[a:b = 1 OR a:d MATCHES '(?R)']`:                      Matched,
		`[a:nothing MATCHES '(?R)']`:                           NotMatched,
		`[a:b MATCHES '(?R)']`:                                 NotMatched, // b is no string
		`[a:d MATCHES '(?=x)'] AND [a:b = 7]`:                  NotMatched,
		`[a:d MATCHES '(?=x)'] AND [a:b = 1]`:                  Unsupported,
		`[a:d MATCHES '(?=x)'] OR [a:b = 1]`:                   Matched,
		`[a:d MATCHES '(?=x)'] REPEATS 100 TIMES`:              NotMatched,
		`[a:d MATCHES '(?=x)'] REPEATS 4 TIMES`:                Unsupported,
		`[c:d = 3] FOLLOWEDBY [a:d MATCHES '(?=x)' AND a:b=1]`: NotMatched,
		`[a:d MATCHES '^(x+)+$']`:                              Matched,
	} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r := p.Match(&o, Budget{})
		if r.Outcome != want || (r.Outcome == Unsupported) != (r.Reason != "") {
			t.Errorf("%s is %v (%s), want %v", text, r.Outcome, r.Reason, want)
		}
	}
}

// FuzzRegex checks that the translation never gives the engine something it chokes on.
func FuzzRegex(f *testing.F) {
	for _, s := range unsupportedExpressions {
		f.Add(s, "abc")
	}
	f.Add(`^[\w.-]+@(x|y)\.example$`, "a@x.example")
	f.Fuzz(func(t *testing.T, expression, text string) {
		if len(expression) > 200 || len(text) > 1000 {
			return
		}
		r, err := compileRegex(expression)
		if err != nil {
			return
		}
		if (r.unsupported == "") == (r.program == "") {
			t.Fatalf("%q: %+v", expression, r)
		}
		if r.unsupported == "" {
			r.match(text)
		}
	})
}
