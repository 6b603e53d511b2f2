package pattern

import "slices"

// absorbTerms sorts a set and drops every alternative that implies another.
func absorbTerms(set []*term) []*term {
	slices.SortFunc(set, compareTerms)
	set = slices.CompactFunc(set, func(a, b *term) bool { return a.text == b.text })
	set = absorbObservations(set)
	if len(set) > maxPairwise {
		return set
	}
	var kept []*term
	for i, t := range set {
		// Of two that imply each other the first stays.
		dropped := slices.ContainsFunc(set[:i], func(u *term) bool { return t.implies(u) }) ||
			slices.ContainsFunc(set[i+1:], func(u *term) bool { return t.implies(u) && !u.implies(t) })
		if !dropped {
			kept = append(kept, t)
		}
	}
	return kept
}

// absorbObservations drops single observations that imply another one without times or between the same times. It is
// fast for long lists of indicators.
func absorbObservations(set []*term) []*term {
	groups := map[string][]conjunct{}
	for _, t := range set {
		if t.kind == termObservation {
			between := textOfBetween(t.between)
			groups[between] = append(groups[between], t.conjunct)
		}
	}
	kept := map[string]map[string]bool{}
	for between, group := range groups {
		kept[between] = map[string]bool{}
		for _, c := range absorb(group) {
			kept[between][c.text] = true
		}
	}
	return slices.DeleteFunc(set, func(t *term) bool {
		return t.kind == termObservation && !kept[textOfBetween(t.between)][t.conjunct.text]
	})
}

// implies tells whether observations that satisfy t always satisfy u. It may miss that, and is never wrong.
func (t *term) implies(u *term) bool {
	if t.text == u.text {
		return true
	}
	switch {
	case u.kind == termSet:
		return slices.ContainsFunc(u.inner, t.implies)
	case t.kind == termSet:
		return !slices.ContainsFunc(t.inner, func(inner *term) bool { return !inner.implies(u) })
	case t.kind == termWithin && u.kind == termWithin:
		return t.window.Number <= u.window.Number && t.inner[0].implies(u.inner[0])
	case u.kind == termWithin:
		return false
	case t.kind == termWithin:
		return t.inner[0].implies(u)
	}
	switch u.kind {
	case termObservation:
		return t.impliesObservation(u)
	case termSequence:
		return t.kind == termSequence && isSubsequence(u.inner, t.inner)
	case termAll:
		return includes(t.parts(), u.parts())
	}
	return false
}

// impliesObservation tells whether t demands an observation that satisfies u.
func (t *term) impliesObservation(u *term) bool {
	if t.kind != termObservation {
		return slices.ContainsFunc(t.inner, func(inner *term) bool { return inner.implies(u) })
	}
	if u.between != nil && (t.between == nil || t.between.Start.Compare(u.between.Start) < 0 ||
		t.between.Stop.Compare(u.between.Stop) > 0) {
		return false
	}
	return t.conjunct.text == u.conjunct.text || u.conjunct.isProperSubset(&t.conjunct)
}

// isSubsequence tells whether the terms of short are implied by terms of long in the same order.
func isSubsequence(short, long []*term) bool {
	i := 0
	for _, t := range long {
		if i < len(short) && t.implies(short[i]) {
			i++
		}
	}
	return i == len(short)
}

// part is a term that others demand a number of times, on different observations.
type part struct {
	*term
	times int64
}

// parts are what t demands on different observations, whatever their times.
func (t *term) parts() []part {
	var list []part
	switch t.kind {
	case termAll:
		for i, inner := range t.inner {
			list = append(list, part{inner, t.counts[i]})
		}
	case termSequence:
		for _, inner := range t.inner {
			list = append(list, inner.parts()...)
		}
	default:
		list = append(list, part{t, 1})
	}
	return list
}

// maxInclusion and maxInclusionRounds bound the search for an assignment in includes.
const (
	maxInclusion       = 32
	maxInclusionRounds = 1024
)

// includes tells whether each of the wanted parts is implied by a part of its own. For long lists only equal parts are
// seen.
func includes(have, want []part) bool {
	if len(have) > maxInclusion || len(want) > maxInclusion {
		return includesEqual(have, want)
	}
	left := make([]int64, len(have))
	given := make([][]int64, len(want)) // want × have
	for i := range have {
		left[i] = have[i].times
	}
	for w := range want {
		given[w] = make([]int64, len(have))
	}
	for w, rounds := 0, 0; w < len(want); w++ {
		for need := want[w].times; need > 0; rounds++ {
			n := assign(have, want, left, given, w, need, make([]bool, len(have)))
			if n == 0 || rounds == maxInclusionRounds {
				return false
			}
			need -= n
		}
	}
	return true
}

// assign gives part w up to need more, taking from other parts what they can have elsewhere.
func assign(have, want []part, left []int64, given [][]int64, w int, need int64, tried []bool) int64 {
	for h := range have {
		if tried[h] || !have[h].implies(want[w].term) {
			continue
		}
		tried[h] = true
		if left[h] == 0 {
			for other := range want {
				if other != w && given[other][h] > 0 {
					n := assign(have, want, left, given, other, min(need, given[other][h]), tried)
					given[other][h] -= n
					left[h] += n
					if n > 0 {
						break
					}
				}
			}
		}
		if n := min(need, left[h]); n > 0 {
			left[h] -= n
			given[w][h] += n
			return n
		}
	}
	return 0
}

func includesEqual(have, want []part) bool {
	count := map[string]int64{}
	for _, p := range have {
		count[p.text] = saturated(count[p.text], 1, p.times)
	}
	for _, p := range want {
		if count[p.text] -= p.times; count[p.text] < 0 {
			return false
		}
	}
	return true
}
