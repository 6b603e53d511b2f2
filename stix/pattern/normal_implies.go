package pattern

import "slices"

// absorbTerms sorts a set and drops every alternative that implies another.
func absorbTerms(set []*term) []*term {
	slices.SortFunc(set, compareTerms)
	set = slices.CompactFunc(set, func(a, b *term) bool { return a.text == b.text })
	set = absorbObservations(set)
	compound := 0
	for _, t := range set {
		if t.kind != termObservation {
			compound++
		}
	}
	if len(set) > maxPairwise || compound > maxCompoundPairwise {
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
	i := implication{left: maxImplicationSteps}
	return i.holds(t, u)
}

// maxImplicationSteps bounds the pairs of inner terms that are compared to find out whether one term implies another.
// The bound is per pair of terms, so that the answer depends on nothing else.
const maxImplicationSteps = 128

// implication is one question whether a term implies another. It answers no when its steps are used up.
type implication struct{ left int }

func (i *implication) holds(t, u *term) bool {
	if t.text == u.text {
		return true
	}
	if i.left--; i.left < 0 {
		return false
	}
	implied := func(inner *term) bool { return i.holds(t, inner) }
	doesNotImply := func(inner *term) bool { return !i.holds(inner, u) }
	switch {
	case u.kind == termSet:
		return slices.ContainsFunc(u.inner, implied)
	case t.kind == termSet:
		return !slices.ContainsFunc(t.inner, doesNotImply)
	case t.kind == termWithin && u.kind == termWithin:
		return t.window.Number <= u.window.Number && i.holds(t.inner[0], u.inner[0])
	case u.kind == termWithin:
		return false
	case t.kind == termWithin:
		return i.holds(t.inner[0], u)
	}
	switch u.kind {
	case termObservation:
		return i.observation(t, u)
	case termSequence:
		return t.kind == termSequence && i.subsequence(u.inner, t.inner)
	case termAll:
		return i.includes(t.parts(), u.parts())
	}
	return false
}

// observation tells whether t demands an observation that satisfies u.
func (i *implication) observation(t, u *term) bool {
	if t.kind != termObservation {
		return slices.ContainsFunc(t.inner, func(inner *term) bool { return i.holds(inner, u) })
	}
	if u.between != nil && (t.between == nil || t.between.Start.Compare(u.between.Start) < 0 ||
		t.between.Stop.Compare(u.between.Stop) > 0) {
		return false
	}
	return t.conjunct.text == u.conjunct.text || u.conjunct.isProperSubset(&t.conjunct)
}

// subsequence tells whether the terms of short are implied by terms of long in the same order.
func (i *implication) subsequence(short, long []*term) bool {
	n := 0
	for _, t := range long {
		if n < len(short) && i.holds(t, short[n]) {
			n++
		}
	}
	return n == len(short)
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

// includes tells whether each of the wanted parts is implied by a part of its own: a flow from parts to parts.
func (i *implication) includes(have, want []part) bool {
	if len(have)*len(want) > i.left {
		return includesEqual(have, want)
	}
	f := inclusion{have: have, want: want, left: make([]int64, len(have)), implied: make([][]bool, len(want)), given: make([][]int64, len(want))}
	for h := range have {
		f.left[h] = have[h].times
	}
	for w := range want {
		f.given[w], f.implied[w] = make([]int64, len(have)), make([]bool, len(have))
		for h := range have {
			f.implied[w][h] = i.holds(have[h].term, want[w].term)
		}
	}
	rounds := 0
	for w := range want {
		for need := want[w].times; need > 0; rounds++ {
			n := f.assign(w, need, make([]bool, len(have)))
			if n == 0 || rounds == maxImplicationSteps {
				return false
			}
			need -= n
		}
	}
	return true
}

// inclusion assigns the parts that a term demands to the parts of another that they imply.
type inclusion struct {
	have, want []part
	left       []int64   // of have
	implied    [][]bool  // want × have
	given      [][]int64 // want × have
}

// assign gives part w up to need more, taking from other parts what they can have elsewhere.
func (f *inclusion) assign(w int, need int64, tried []bool) int64 {
	for h := range f.have {
		if tried[h] || !f.implied[w][h] {
			continue
		}
		tried[h] = true
		for other := 0; other < len(f.want) && f.left[h] == 0; other++ {
			if other != w && f.given[other][h] > 0 {
				n := f.assign(other, min(need, f.given[other][h]), tried)
				f.given[other][h] -= n
				f.left[h] += n
			}
		}
		if n := min(need, f.left[h]); n > 0 {
			f.left[h] -= n
			f.given[w][h] += n
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
