package pattern

import (
	"math"
	"slices"
	"strings"
)

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
