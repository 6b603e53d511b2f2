package pattern

import (
	"slices"
	"strings"
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

func longestText(set []*term) (n int) {
	for _, t := range set {
		n = max(n, len(t.text))
	}
	return n
}

func compareTerms(a, b *term) int { return strings.Compare(a.text, b.text) }
