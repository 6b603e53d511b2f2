package pattern

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

type termKind uint8

const (
	termObservation termKind = iota // [conjunct], between start and stop if there are any
	termSet                         // alternatives that are not distributed
	termAll                         // AND of inner terms, each as often as counted
	termSequence                    // FOLLOWEDBY
	termWithin                      // WITHIN around the only inner term
)

// term is an alternative in the normal form of an observation expression.
type term struct {
	kind     termKind
	text     string
	conjunct conjunct
	between  *StartStop
	inner    []*term
	counts   []int64 // of inner, for termAll
	window   Constant
}

// normalObservations returns the alternatives of an expression whose observations lie in between, sorted by text, none
// implied by another.
func normalObservations(e ObservationExpression, between *StartStop) []*term {
	switch e := e.(type) {
	case *Observation:
		return observationTerms(normalComparisons(e.Comparison), between)
	case *Combination:
		switch e.Operator {
		case EitherObservation:
			var all []*term
			for _, operand := range e.Operands {
				all = append(all, normalObservations(operand, between)...)
			}
			return absorbTerms(all)
		case FollowedBy:
			return normalSequence(gatherSequence(nil, e, between))
		}
	case *Qualified:
		switch q := e.Qualifier.(type) {
		case StartStop:
			return normalObservations(e.Operand, intersection(between, q))
		case Within:
			return normalWithin(normalObservations(e.Operand, between), q.Seconds)
		}
	}
	// AND and REPEATS.
	return normalAll(gatherAll(nil, e, between, 1))
}

func observationTerms(set []conjunct, between *StartStop) []*term {
	terms := make([]*term, len(set))
	for i, c := range set {
		terms[i] = &term{kind: termObservation, conjunct: c, between: between, text: "[" + c.text + "]" + textOfBetween(between)}
	}
	slices.SortFunc(terms, compareTerms)
	return terms
}

// intersection is the time that lies in both; q if a is nil.
func intersection(a *StartStop, q StartStop) *StartStop {
	if a != nil {
		if a.Start.Compare(q.Start) > 0 {
			q.Start = a.Start
		}
		if a.Stop.Compare(q.Stop) < 0 {
			q.Stop = a.Stop
		}
	}
	return &q
}

func textOfBetween(b *StartStop) string {
	if b == nil {
		return ""
	}
	text := func(t stix.Timestamp) string { return "t'" + t.SortKey() + "Z'" }
	return " START " + text(b.Start) + " STOP " + text(b.Stop)
}

// counted is a set of alternatives that AND demands a number of times.
type counted struct {
	set   []*term
	times int64
}

// gatherAll lists the operands of AND, through nested ANDs and REPEATS.
func gatherAll(list []counted, e ObservationExpression, between *StartStop, times int64) []counted {
	switch e := e.(type) {
	case *Combination:
		if e.Operator == BothObservations {
			for _, operand := range e.Operands {
				list = gatherAll(list, operand, between, times)
			}
			return list
		}
	case *Qualified:
		switch q := e.Qualifier.(type) {
		case Repeats:
			return gatherAll(list, e.Operand, between, saturated(0, times, q.Times))
		case StartStop:
			return gatherAll(list, e.Operand, intersection(between, q), times)
		}
	}
	return append(list, counted{normalObservations(e, between), times})
}

// normalAll joins sets of alternatives by AND.
func normalAll(list []counted) []*term {
	list = mergeCounted(list)
	if len(list) == 1 && list[0].times == 1 {
		return list[0].set
	}
	count, length := int64(1), 0
	for _, c := range list {
		count = saturated(0, count, multisets(c.times, int64(len(c.set))))
		length += longestText(c.set)
	}
	if !mayDistribute(count, length) {
		var factors []counted
		for _, c := range list {
			factors = append(factors, counted{[]*term{setTerm(c.set)}, c.times})
		}
		return []*term{allTerm(factors)}
	}
	var result []*term
	chooseCounted(list, nil, func(chosen []counted) { result = append(result, allTerm(chosen)) })
	return absorbTerms(result)
}

// mergeCounted adds up equal sets, after taking apart the sets of one alternative that is itself an AND.
func mergeCounted(list []counted) []counted {
	var result []counted
	at := map[string]int{}
	var add func(c counted)
	add = func(c counted) {
		if len(c.set) == 1 {
			switch only := c.set[0]; only.kind {
			case termAll:
				for i, inner := range only.inner {
					add(counted{[]*term{inner}, saturated(0, c.times, only.counts[i])})
				}
				return
			case termSet:
				c.set = only.inner
			}
		}
		text := textOfSet(c.set)
		if i, ok := at[text]; ok {
			result[i].times = saturated(result[i].times, 1, c.times)
			return
		}
		at[text] = len(result)
		result = append(result, c)
	}
	for _, c := range list {
		add(c)
	}
	return result
}

// multisets is the number of ways to choose n of k alternatives with repetition, at least up to maxAlternatives.
func multisets(n, k int64) int64 {
	if k == 1 {
		return 1
	}
	// (n+k-1 choose m) grows with m up to half of n+k-1.
	m, ways := min(n, k-1), int64(1)
	top := saturated(n, 1, k-1)
	for i := int64(1); i <= m; i++ {
		if top == math.MaxInt64 || top > math.MaxInt64/ways {
			return math.MaxInt64
		}
		ways = ways * (top - m + i) / i
		if ways > maxAlternatives {
			return math.MaxInt64
		}
	}
	return ways
}

// chooseCounted calls yield with every way to choose alternatives for all sets.
func chooseCounted(list, chosen []counted, yield func([]counted)) {
	if len(list) == 0 {
		yield(chosen)
		return
	}
	first := list[0]
	var distribute func(i int, left int64, chosen []counted)
	distribute = func(i int, left int64, chosen []counted) {
		if i == len(first.set)-1 {
			if left > 0 {
				chosen = append(slices.Clip(chosen), counted{first.set[i : i+1], left})
			}
			chooseCounted(list[1:], chosen, yield)
			return
		}
		for n := left; n >= 0; n-- {
			next := chosen
			if n > 0 {
				next = append(slices.Clip(chosen), counted{first.set[i : i+1], n})
			}
			distribute(i+1, left-n, next)
		}
	}
	distribute(0, first.times, chosen)
}

// allTerm joins single terms by AND.
func allTerm(factors []counted) *term {
	t := &term{kind: termAll}
	counts := map[string]int64{}
	add := func(inner *term, times int64) {
		if counts[inner.text] == 0 {
			t.inner = append(t.inner, inner)
		}
		counts[inner.text] = saturated(counts[inner.text], 1, times)
	}
	for _, f := range factors {
		only := f.set[0]
		if only.kind != termAll {
			add(only, f.times)
			continue
		}
		for i, inner := range only.inner {
			add(inner, saturated(0, only.counts[i], f.times))
		}
	}
	slices.SortFunc(t.inner, compareTerms)
	texts := make([]string, len(t.inner))
	for i, inner := range t.inner {
		n := counts[inner.text]
		t.counts = append(t.counts, n)
		texts[i] = repeatText(inner, n)
	}
	if len(t.inner) == 1 && t.counts[0] == 1 {
		return t.inner[0]
	}
	t.text = strings.Join(texts, " AND ")
	return t
}

func repeatText(t *term, n int64) string {
	if n == 1 {
		return operandText(t, BothObservations)
	}
	text := t.text
	if t.kind != termObservation {
		text = "(" + text + ")"
	}
	return text + " REPEATS " + strconv.FormatInt(min(n, maxInteger), 10) + " TIMES"
}

// setTerm makes a set of alternatives a single term.
func setTerm(set []*term) *term {
	if len(set) == 1 {
		return set[0]
	}
	return &term{kind: termSet, inner: set, text: textOfSet(set)}
}

// gatherSequence lists the operands of FOLLOWEDBY, which is associative.
func gatherSequence(list [][]*term, e ObservationExpression, between *StartStop) [][]*term {
	if c, ok := e.(*Combination); ok && c.Operator == FollowedBy {
		for _, operand := range c.Operands {
			list = gatherSequence(list, operand, between)
		}
		return list
	}
	if q, ok := e.(*Qualified); ok {
		if s, ok := q.Qualifier.(StartStop); ok {
			return gatherSequence(list, q.Operand, intersection(between, s))
		}
	}
	set := normalObservations(e, between)
	if len(set) == 1 && set[0].kind == termSequence {
		for _, inner := range set[0].inner {
			list = append(list, alternativesOf(inner))
		}
		return list
	}
	return append(list, set)
}

// alternativesOf is the reverse of setTerm.
func alternativesOf(t *term) []*term {
	if t.kind == termSet {
		return t.inner
	}
	return []*term{t}
}

func normalSequence(sets [][]*term) []*term {
	count, length := int64(1), 0
	for _, set := range sets {
		count = saturated(0, count, int64(len(set)))
		length += longestText(set)
	}
	if !mayDistribute(count, length) {
		inner := make([]*term, len(sets))
		for i, set := range sets {
			inner[i] = setTerm(set)
		}
		return []*term{sequenceTerm(inner)}
	}
	var result []*term
	var choose func(sets [][]*term, chosen []*term)
	choose = func(sets [][]*term, chosen []*term) {
		if len(sets) == 0 {
			result = append(result, sequenceTerm(chosen))
			return
		}
		for _, t := range sets[0] {
			choose(sets[1:], append(slices.Clip(chosen), t))
		}
	}
	choose(sets, nil)
	return absorbTerms(result)
}

func sequenceTerm(terms []*term) *term {
	t := &term{kind: termSequence}
	for _, inner := range terms {
		if inner.kind == termSequence {
			t.inner = append(t.inner, inner.inner...)
		} else {
			t.inner = append(t.inner, inner)
		}
	}
	texts := make([]string, len(t.inner))
	for i, inner := range t.inner {
		texts[i] = operandText(inner, EitherObservation)
	}
	t.text = strings.Join(texts, " FOLLOWEDBY ")
	return t
}

// normalWithin puts WITHIN around each alternative; of two around each other the narrower counts.
func normalWithin(set []*term, seconds Constant) []*term {
	seconds = normalConstant(seconds)
	result := make([]*term, len(set))
	for i, inner := range set {
		window := seconds
		if inner.kind == termWithin {
			if inner.window.Number <= seconds.Number {
				window = inner.window
			}
			inner = inner.inner[0]
		}
		text := inner.text
		single := inner.kind == termAll && len(inner.inner) == 1 && inner.inner[0].kind == termObservation
		if inner.kind != termObservation && !single {
			text = "(" + text + ")"
		}
		result[i] = &term{kind: termWithin, inner: []*term{inner}, window: window,
			text: text + " WITHIN " + window.Text + " SECONDS"}
	}
	return absorbTerms(result)
}

// operandText writes a term where only operators that bind at least as tightly as place may stand without parentheses.
func operandText(t *term, place ObservationOperator) string {
	loose := t.kind == termSequence || t.kind == termAll && len(t.inner) > 1 && place > BothObservations
	if t.kind == termSet && place > EitherObservation {
		loose = !isOneBracket(t.inner)
	}
	if loose {
		return "(" + t.text + ")"
	}
	return t.text
}

// textOfSet writes alternatives. Those that are single observations between the same times share their brackets.
func textOfSet(set []*term) string {
	var texts []string
	brackets := map[string]int{}
	var conjuncts [][]conjunct
	for _, t := range set {
		if t.kind != termObservation {
			texts = append(texts, operandText(t, EitherObservation))
			conjuncts = append(conjuncts, nil)
			continue
		}
		between := textOfBetween(t.between)
		i, ok := brackets[between]
		if !ok {
			i = len(texts)
			brackets[between] = i
			texts, conjuncts = append(texts, between), append(conjuncts, nil)
		}
		conjuncts[i] = append(conjuncts[i], t.conjunct)
	}
	for i, c := range conjuncts {
		if c != nil {
			slices.SortFunc(c, func(a, b conjunct) int { return strings.Compare(a.text, b.text) })
			texts[i] = "[" + textOfConjuncts(c) + "]" + texts[i]
		}
	}
	return strings.Join(texts, " OR ")
}

// isOneBracket tells that the alternatives are written as one observation.
func isOneBracket(set []*term) bool {
	for _, t := range set {
		if t.kind != termObservation || textOfBetween(t.between) != textOfBetween(set[0].between) {
			return false
		}
	}
	return true
}

func longestText(set []*term) (n int) {
	for _, t := range set {
		n = max(n, len(t.text))
	}
	return n
}

func compareTerms(a, b *term) int { return strings.Compare(a.text, b.text) }
