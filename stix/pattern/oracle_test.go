package pattern

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// generator writes random patterns over a small vocabulary, so that they often match and often equal each other.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 9))} }

func (g generator) comparison(depth int) string {
	if depth == 0 || g.IntN(3) > 0 {
		switch g.IntN(8) {
		case 7:
			return fmt.Sprintf("a:%s NOT IN (%d, %d)", []string{"b", "c"}[g.IntN(2)], g.IntN(3), g.IntN(3))
		case 6:
			return fmt.Sprintf("a:b != %d", g.IntN(3))
		case 0:
			return fmt.Sprintf("a:b IN (%d, %d)", g.IntN(3), g.IntN(3))
		case 1:
			return fmt.Sprintf("a:c = %d", g.IntN(2))
		case 2:
			return fmt.Sprintf("a:b NOT = %d", g.IntN(3))
		}
		return fmt.Sprintf("a:b = %d", g.IntN(3))
	}
	operator := []string{" AND ", " OR "}[g.IntN(2)]
	operands := make([]string, 2+g.IntN(2))
	for i := range operands {
		operands[i] = g.comparison(depth - 1)
	}
	return "(" + strings.Join(operands, operator) + ")"
}

func (g generator) observation(depth int) string {
	text := ""
	if depth == 0 || g.IntN(4) == 0 {
		text = "[" + g.comparison(g.IntN(3)) + "]"
	} else {
		operator := []string{" AND ", " OR ", " FOLLOWEDBY "}[g.IntN(3)]
		operands := make([]string, 2+g.IntN(2))
		for i := range operands {
			operands[i] = g.observation(depth - 1)
		}
		text = "(" + strings.Join(operands, operator) + ")"
	}
	switch g.IntN(9) {
	case 0:
		text = "(" + text + fmt.Sprintf(" REPEATS %d TIMES)", 1+g.IntN(3))
	case 1:
		text = "(" + text + fmt.Sprintf(" WITHIN %d SECONDS)", 1+g.IntN(3))
	case 2:
		from := g.IntN(4)
		text = "(" + text + fmt.Sprintf(" START t'2020-01-01T00:00:0%dZ' STOP t'2020-01-01T00:00:0%dZ')", from, from+1+g.IntN(4))
	}
	return text
}

// world is a handful of observations. Times are in eighths of a second, fine enough a grid for the strict comparisons
// of this many observations with whole numbers of seconds.
type world struct {
	b, c        []int
	first, last []int
	count       []int
}

const grid = 8

func (g generator) world(intervals bool) world {
	var w world
	for range 1 + g.IntN(5) {
		first := g.IntN(5) * grid
		last := first
		if intervals && g.IntN(2) == 0 {
			last += (1 + g.IntN(2)) * grid
		}
		w.b, w.c = append(w.b, g.IntN(3)), append(w.c, g.IntN(2))
		w.first, w.last = append(w.first, first), append(w.last, last)
		w.count = append(w.count, 1+g.IntN(4)/3)
	}
	return w
}

func (w world) observations(t *testing.T) *Observations {
	t.Helper()
	var objects []string
	for i := range w.b {
		objects = append(objects,
			fmt.Sprintf(`{"type":"observed-data","id":"observed-data--%d","number_observed":%d,"first_observed":"2020-01-01T00:00:0%dZ","last_observed":"2020-01-01T00:00:0%dZ","object_refs":["a--%d"]}`,
				i, w.count[i], w.first[i]/grid, w.last[i]/grid, i),
			fmt.Sprintf(`{"type":"a","id":"a--%d","b":%d,"c":%d}`, i, w.b[i], w.c[i]))
	}
	var o Observations
	if err := o.AddBundle([]byte(`{"type":"bundle","objects":[` + strings.Join(objects, ",") + `]}`)); err != nil {
		t.Fatal(err)
	}
	return &o
}

// oracle computes, by the words of §9.5 and nothing else, every set of different observations that an expression
// matches. It needs no cleverness because there are few observations, and it tries every time on the grid for each.
type oracle struct {
	world
	of   []int // token: observation
	time []int // token: time
}

func (w world) matches(e ObservationExpression) bool {
	o := oracle{world: w}
	for i, n := range w.count {
		for range n {
			o.of = append(o.of, i)
		}
	}
	o.time = make([]int, len(o.of))
	return o.tryTimes(0, e)
}

func (o *oracle) tryTimes(token int, e ObservationExpression) bool {
	if token == len(o.of) {
		return len(o.sets(e)) > 0
	}
	i := o.of[token]
	for t := o.first[i]; t <= o.last[i]; t++ {
		o.time[token] = t
		if o.tryTimes(token+1, e) {
			return true
		}
	}
	return false
}

// sets returns the sets of tokens, as bits, that e matches.
func (o *oracle) sets(e ObservationExpression) map[uint]bool {
	result := map[uint]bool{}
	switch e := e.(type) {
	case *Observation:
		for token := range o.of {
			if o.holds(e.Comparison, o.of[token]) {
				result[1<<token] = true
			}
		}
	case *Combination:
		result = o.sets(e.Operands[0])
		for _, operand := range e.Operands[1:] {
			result = o.join(e.Operator, result, o.sets(operand))
		}
	case *Qualified:
		inner := o.sets(e.Operand)
		switch q := e.Qualifier.(type) {
		case Repeats:
			result = inner
			for range q.Times - 1 {
				result = o.join(BothObservations, result, inner)
			}
		case Within:
			for s := range inner {
				if low, high := o.span(s); high < low+int(q.Seconds.Number)*grid {
					result[s] = true
				}
			}
		case StartStop:
			for s := range inner {
				if low, high := o.span(s); low >= q.Start.Time().Second()*grid && high < q.Stop.Time().Second()*grid {
					result[s] = true
				}
			}
		}
	}
	return result
}

func (o *oracle) join(op ObservationOperator, a, b map[uint]bool) map[uint]bool {
	result := map[uint]bool{}
	if op == EitherObservation {
		for _, sets := range []map[uint]bool{a, b} {
			for s := range sets {
				result[s] = true
			}
		}
		return result
	}
	for s := range a {
		for u := range b {
			if s&u != 0 {
				continue
			}
			_, end := o.span(s)
			begin, _ := o.span(u)
			if op == BothObservations || begin >= end {
				result[s|u] = true
			}
		}
	}
	return result
}

func (o *oracle) span(set uint) (low, high int) {
	low, high = 1<<30, -1
	for token, t := range o.time {
		if set&(1<<token) != 0 {
			low, high = min(low, t), max(high, t)
		}
	}
	return low, high
}

func (o *oracle) holds(e ComparisonExpression, i int) bool {
	switch e := e.(type) {
	case *Comparison:
		value := o.b[i]
		if e.Path.Steps[0].Name == "c" {
			value = o.c[i]
		}
		negated := e.Negated != (e.Operator == NotEqual)
		for _, v := range e.Values {
			if int(v.Number) == value {
				return !negated
			}
		}
		return negated
	case *Junction:
		for _, operand := range e.Operands {
			if o.holds(operand, i) == (e.Operator == Or) {
				return e.Operator == Or
			}
		}
		return e.Operator == And
	}
	return false
}

// checkAgainstOracle generates a pattern and observations and compares every answer with the oracle's.
func checkAgainstOracle(t *testing.T, seed uint64) {
	g := newGenerator(seed)
	text := g.observation(1 + g.IntN(3))
	if len(text) > 4000 {
		return
	}
	p, err := Parse(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	checkRoundTrip(t, text)
	checkNormalForm(t, p)
	if q := (&Pattern{root: reversed(p.root)}); p.NormalForm() != q.NormalForm() {
		t.Fatalf("%s\nhas the normal form\n%s\nbut with AND and OR the other way round\n%s", text, p.NormalForm(), q.NormalForm())
	}
	normal, err := ParseLimits(p.NormalForm(), Limits{Bytes: 64 << 20, Depth: 256, Terms: 10_000_000, RegexBytes: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w := g.world(false)
		if g.IntN(4) == 0 {
			w = g.world(true)
			n := min(3, len(w.b))
			w = world{w.b[:n], w.c[:n], w.first[:n], w.last[:n], []int{1, 1, 1}[:n]}
		}
		o := w.observations(t)
		want := NotMatched
		if w.matches(p.root) {
			want = Matched
		}
		got := p.Match(o, Budget{})
		if got.Outcome != want {
			t.Fatalf("seed %d: %s\nis %v %s, want %v, of\n%+v", seed, text, got.Outcome, got.Reason, want, w)
		}
		checkBindings(t, p, o, got)
		if n := normal.Match(o, Budget{}); n.Outcome != want {
			t.Fatalf("seed %d: %s\nis %v, but its normal form\n%s\nis %v, of\n%+v", seed, text, want, normal.Text(), n.Outcome, w)
		}
	}
}

func TestAgainstOracle(t *testing.T) {
	for seed := range uint64(600) {
		checkAgainstOracle(t, seed)
	}
}

func FuzzAgainstOracle(f *testing.F) {
	f.Add(uint64(1 << 40))
	f.Fuzz(checkAgainstOracle)
}

// TestEquivalentAreFingerprintedEqual pairs random patterns: whenever two have one fingerprint they must match alike.
func TestEqualFingerprintsMatchAlike(t *testing.T) {
	byFingerprint := map[[32]byte]string{}
	pairs := 0
	for seed := range uint64(3000) {
		g := newGenerator(1<<50 + seed)
		text := g.observation(1)
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		other, ok := byFingerprint[p.Fingerprint()]
		byFingerprint[p.Fingerprint()] = text
		if !ok || other == text {
			continue
		}
		q, err := Parse(other)
		if err != nil {
			t.Fatal(err)
		}
		pairs++
		for range 4 {
			w := g.world(false)
			if w.matches(p.root) != w.matches(q.root) {
				t.Fatalf("%s\n%s\nhave one fingerprint but do not match alike: %+v", text, other, w)
			}
		}
	}
	if pairs < 100 {
		t.Errorf("only %d pairs were compared", pairs)
	}
}
