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
