package pattern

import (
	"testing"
)

type equivalenceCase struct {
	Case, A, B, Basis string
	Equivalent        bool
}

func TestCorpusEquivalence(t *testing.T) {
	for _, c := range corpusLines[equivalenceCase](t, "pattern_equiv.jsonl") {
		if c.Basis != "logic" && c.Equivalent && c.A != c.B {
			continue // not by the text of §9
		}
		t.Run(c.Case, func(t *testing.T) {
			checkEquivalence(t, c.A, c.B, c.Equivalent)
		})
	}
}

func checkEquivalence(t *testing.T, a, b string, equivalent bool) {
	t.Helper()
	p, err := Parse(a)
	if err != nil {
		t.Fatalf("%s\n%v", a, err)
	}
	q, err := Parse(b)
	if err != nil {
		t.Fatalf("%s\n%v", b, err)
	}
	if (p.Fingerprint() == q.Fingerprint()) != equivalent {
		t.Errorf("equivalent should be %v:\n%s\n%s\nnormal forms:\n%s\n%s", equivalent, a, b, p.NormalForm(), q.NormalForm())
	}
	checkNormalForm(t, p)
	checkNormalForm(t, q)
}

// checkNormalForm checks that the normal form is a pattern and its own normal form.
func checkNormalForm(t *testing.T, p *Pattern) {
	t.Helper()
	text := p.NormalForm()
	again, err := ParseLimits(text, Limits{Bytes: 64 << 20, Depth: 256, Terms: 10_000_000, RegexBytes: 4 << 10})
	if err != nil {
		t.Fatalf("%s\nhas a normal form that does not parse:\n%s\n%v", p.Text(), excerpt(text), err)
	}
	if got := again.NormalForm(); got != text {
		t.Fatalf("%s\nhas the normal form\n%s\nwhich has another normal form:\n%s", p.Text(), text, got)
	}
}

func TestEquivalence(t *testing.T) {
	const year = " START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'"
	for _, c := range []struct {
		a, b       string
		equivalent bool
	}{
		{"[a:b = 1 OR a:b = 2]", "[a:b = 2] OR [a:b = 1]", true},
		{"[a:b IN (2, 1, 1.0)]", "[a:b = 1 OR a:b = 2]", true},
		{"[a:b NOT IN (2, 1)]", "[a:b NOT IN (1, 2, 2)]", true},
		{"[a:b NOT IN (1)]", "[a:b != 1]", true},
		{"[a:b NOT IN (1, 2)]", "[a:b != 2 AND a:b NOT = 1]", true},
		{"[a:b NOT IN (1, 2)]", "[a:b != 1 OR a:b != 2]", false},
		{"[a:b NOT IN (1, 2) OR a:b != 1]", "[a:b != 1]", true},
		{"[a:b[0].c NOT IN ('x', 'y')]", "[a:b[0].c != 'x' AND a:b[0].c != 'y']", true},
		{"[a:b NOT IN (1, 2)] AND [a:b NOT IN (2, 1)]", "[a:b != 1 AND a:b != 2] REPEATS 2 TIMES", true},
		{"[a:b NOT != 1]", "[a:b = 1]", true},
		{"[a:b NOT < 1]", "[a:b >= 1]", false}, // of a text, only the first is true
		{"[a:b[*] NOT IN (1, 2)]", "[a:b[*] != 1 AND a:b[*] != 2]", false},
		{"[a:b = h'00ff']", "[a:b = b'AP8=']", true},
		{"[a:b = 'x']", "[a:b = h'78']", false},
		{"[a:b = t'2020-01-01T00:00:00.50Z']", "[a:b = t'2020-01-01T00:00:00.5Z']", true},
		{"[a:b = '1.0']", "[a:b = '1']", false},
		{"[a:'b'.'c' = 1]", "[a:b.c = 1]", true},
		{"[a:b ISSUBSET '198.51.100.9/24']", "[a:b ISSUBSET '198.51.100.0/24']", true},
		{"[a:b ISSUBSET '198.51.100.9/32']", "[a:b ISSUBSET '198.51.100.9']", true},
		{"[a:b = '198.51.100.9/24']", "[a:b = '198.51.100.0/24']", false},
		{"[a:b LIKE 'é']", "[a:b LIKE 'e\u0301']", true},
		{"[a:b = 'é']", "[a:b = 'e\u0301']", false},
		{"[a:b = 1] REPEATS 2 TIMES", "[a:b = 1] AND [a:b = 1]", true},
		{"[a:b = 1] REPEATS 1 TIMES", "[a:b = 1]", true},
		{"([a:b = 1] REPEATS 2 TIMES) REPEATS 3 TIMES", "[a:b = 1] REPEATS 6 TIMES", true},
		{"([a:b = 1] AND [a:c = 1]) REPEATS 2 TIMES", "[a:b = 1] REPEATS 2 TIMES AND [a:c = 1] REPEATS 2 TIMES", true},
		{"([a:b = 1] FOLLOWEDBY [a:c = 1]) REPEATS 2 TIMES", "[a:b = 1] REPEATS 2 TIMES FOLLOWEDBY [a:c = 1] REPEATS 2 TIMES", false},
		{"([a:b = 1] OR [a:c = 1]) REPEATS 2 TIMES", "[a:b = 1] REPEATS 2 TIMES OR [a:c = 1] REPEATS 2 TIMES OR ([a:c = 1] AND [a:b = 1])", true},
		{"([a:b = 1] AND [a:c = 1])" + year, "[a:c = 1]" + year + " AND [a:b = 1]" + year, true},
		{"[a:b = 1]" + year + " REPEATS 2 TIMES", "[a:b = 1] REPEATS 2 TIMES" + year, true},
		{"[a:b = 1] OR [a:b = 1]" + year, "[a:b = 1]", true},
		{"[a:b = 1 OR a:b = 11]" + year, "[a:b = 11]" + year + " OR [a:b = 1]" + year, true},
		{"[a:b = 1] WITHIN 5 SECONDS", "[a:b = 1]", false},
		{"[a:b = 1] REPEATS 1 TIMES WITHIN 5 SECONDS", "[a:b = 1] WITHIN 5.0 SECONDS", true},
		{"[a:b = 1 OR a:c = 1] WITHIN 5 SECONDS", "[a:b = 1] WITHIN 5 SECONDS OR [a:c = 1] WITHIN 5 SECONDS", true},
		{"([a:b = 1] OR ([a:c = 1] AND [a:d = 1])) WITHIN 5 SECONDS", "[a:b = 1] WITHIN 5 SECONDS OR ([a:c = 1] AND [a:d = 1]) WITHIN 5 SECONDS", true},
		{"([a:b = 1] AND [a:c = 1]) WITHIN 5 SECONDS", "[a:b = 1] AND [a:c = 1]", false},
		{"[a:b = 1] REPEATS 2 TIMES WITHIN 5 SECONDS", "[a:b = 1] WITHIN 5 SECONDS REPEATS 2 TIMES", false},
		{"([a:b = 1] OR [a:c = 1]) WITHIN 5 SECONDS", "[a:c = 1] WITHIN 5.0 SECONDS OR [a:b = 1] WITHIN 5 SECONDS", true},
		{"(([a:b = 1] AND [a:c = 1]) WITHIN 5 SECONDS) WITHIN 3 SECONDS", "([a:b = 1] AND [a:c = 1]) WITHIN 3 SECONDS", true},
		{"([a:b = 1] AND [a:c = 1]) OR ([a:b = 1] FOLLOWEDBY [a:c = 1])", "[a:b = 1] AND [a:c = 1]", true},
		{"([a:b = 1] FOLLOWEDBY [a:c = 1]) OR ([a:b = 1] FOLLOWEDBY [a:d = 1] FOLLOWEDBY [a:c = 1])", "[a:b = 1] FOLLOWEDBY [a:c = 1]", true},
		{"[a:b = 1] OR [a:b = 1 AND a:c = 2]", "[a:b = 1]", true},
		{"[a:b = 1] AND [a:b = 1 AND a:c = 2]", "[a:b = 1 AND a:c = 2]", false},
		{"[(a:b = 1 OR c:b = 1) AND a:c = 1]", "[a:b = 1 AND a:c = 1]", true},
	} {
		checkEquivalence(t, c.a, c.b, c.equivalent)
	}
}
