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
