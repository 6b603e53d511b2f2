package pattern

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

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

// repeatText writes a term that is demanded n times.
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

// textOfBetween writes START and STOP, nothing for nil.
func textOfBetween(b *StartStop) string {
	if b == nil {
		return ""
	}
	text := func(t stix.Timestamp) string { return "t'" + t.SortKey() + "Z'" }
	return " START " + text(b.Start) + " STOP " + text(b.Stop)
}
