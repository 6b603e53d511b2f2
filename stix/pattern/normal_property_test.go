package pattern

import (
	"fmt"
	"strings"
	"testing"
)

// wideComparison writes a comparison expression with many alternatives over three object types, large enough to reach
// the bounds of distribution.
func (g generator) wideComparison(depth int) string {
	if depth == 0 || g.IntN(8) == 0 {
		objectType := strings.Repeat("a", 30) + "bc"
		at := g.IntN(len(objectType))
		objectType = objectType[at : at+1]
		if g.IntN(4) == 0 {
			return fmt.Sprintf("%s:b IN (%d, %d, %d, %d)", objectType, g.IntN(20), g.IntN(20), g.IntN(20), g.IntN(20))
		}
		return fmt.Sprintf("%s:b = %d", objectType, g.IntN(20))
	}
	return g.joined([]string{" AND ", " OR "}, func() string { return g.wideComparison(depth - 1) })
}

func (g generator) wideObservation(depth int) string {
	if depth == 0 || g.IntN(8) == 0 {
		return "[" + g.wideComparison(1+g.IntN(2)) + "]"
	}
	text := g.joined([]string{" AND ", " OR ", " OR ", " FOLLOWEDBY "}, func() string { return g.wideObservation(depth - 1) })
	switch g.IntN(8) {
	case 0:
		return "(" + text + fmt.Sprintf(" REPEATS %d TIMES)", 1+g.IntN(4))
	case 1:
		return "(" + text + fmt.Sprintf(" WITHIN %d SECONDS)", 1+g.IntN(3))
	case 2:
		return "(" + text + " START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z')"
	}
	return text
}

func (g generator) joined(operators []string, operand func() string) string {
	operands := make([]string, 2+g.IntN(3))
	for i := range operands {
		operands[i] = operand()
	}
	return "(" + strings.Join(operands, operators[g.IntN(len(operators))]) + ")"
}

// checkWide checks that the normal form of a large pattern is stable and blind to order, in the parts that are not
// distributed as well.
func checkWide(t *testing.T, seed uint64) (checked bool) {
	g := newGenerator(seed)
	text := "[" + g.wideComparison(3+g.IntN(2)) + "]"
	if g.IntN(2) == 0 {
		text = g.wideObservation(2 + g.IntN(2))
	}
	p, err := ParseLimits(text, Limits{Bytes: 1 << 20, Depth: 64, Terms: 100_000})
	if err != nil {
		return false // AND over different object types
	}
	checkNormalForm(t, p)
	if q := (&Pattern{root: reversed(p.root)}); p.NormalForm() != q.NormalForm() {
		t.Fatalf("seed %d: %s\nhas the normal form\n%s\nbut with AND and OR the other way round\n%s", seed, text, p.NormalForm(), q.NormalForm())
	}
	return true
}

func TestWideNormalForms(t *testing.T) {
	checked := 0
	for seed := range uint64(400) {
		if checkWide(t, seed) {
			checked++
		}
	}
	if checked < 50 {
		t.Errorf("only %d patterns were checked", checked)
	}
}

func FuzzWideNormalForms(f *testing.F) {
	f.Add(uint64(1 << 40))
	f.Fuzz(func(t *testing.T, seed uint64) { checkWide(t, seed) })
}

// NOT IN says of one value what inequalities joined by AND say, whatever the types of the value and the constants, and of an
// absent value nothing; the normal form relies on it.
func TestNotInIsAllInequalities(t *testing.T) {
	var o Observations
	if err := o.AddBundle([]byte(fuzzBundle)); err != nil {
		t.Fatal(err)
	}
	paths := []string{"a:b", "a:c", "a:d", "a:c_hex", "a:l", "a:l[0]", "a:l[1]", "a:l[2]", "a:e_ref", "a:e_ref.b", "a:e_ref.c", "a:absent",
		"c:t", "c:n_bin", "c:d", "ipv4-addr:value", "absent:b"}
	sets := [][]string{{"1", "2"}, {"1", "2.0"}, {"1.5", "7"}, {"true", "false"}, {"'x'", "'xyz'"}, {"'x'", "'y'"}, {"h'00ff'", "b'AA=='"}, {"'\u0100'", "'\u00ff'"},
		{"t'2020-06-01T00:00:00.0Z'", "t'2021-06-01T00:00:00Z'"}, {"'198.51.100.7'", "'two'"}}
	matched := 0
	for _, path := range paths {
		for _, set := range sets {
			in := fmt.Sprintf("[%s NOT IN (%s)]", path, strings.Join(set, ", "))
			all := fmt.Sprintf("[%s != %s]", path, strings.Join(set, " AND "+path+" != "))
			p, err := Parse(in)
			if err != nil {
				t.Fatalf("%s: %v", in, err)
			}
			q, err := Parse(all)
			if err != nil {
				t.Fatalf("%s: %v", all, err)
			}
			a, b := p.Match(&o, Budget{}).Outcome, q.Match(&o, Budget{}).Outcome
			if a != b || p.Fingerprint() != q.Fingerprint() {
				t.Errorf("%s is %v, %s is %v; normal forms %s and %s", in, a, all, b, p.NormalForm(), q.NormalForm())
			}
			if a == Matched {
				matched++
			}
		}
	}
	if matched == 0 || matched == len(paths)*len(sets) {
		t.Errorf("%d of %d are matched, which tells nothing", matched, len(paths)*len(sets))
	}
}
