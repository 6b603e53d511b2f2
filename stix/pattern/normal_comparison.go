package pattern

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
)

// factor is an operand of AND in the normal form of a comparison expression: a comparison, or, where AND is not
// distributed, a set of alternatives.
type factor struct {
	text         string
	types        objectTypes
	alternatives []conjunct // nil for a comparison
}

// conjunct is an alternative: different factors, sorted by text.
type conjunct struct {
	text    string
	types   objectTypes // never empty: some one object can satisfy all factors
	factors []factor
	// mask has a bit for each factor, to tell most non-subsets quickly.
	mask uint64
}

var factorSeed = maphash.MakeSeed()

// normalComparisons returns the alternatives of an expression, sorted by text, none implied by another.
func normalComparisons(e ComparisonExpression) []conjunct {
	switch e := e.(type) {
	case *Comparison:
		return normalComparison(e)
	case *Junction:
		sets := make([][]conjunct, len(e.Operands))
		for i, operand := range e.Operands {
			sets[i] = normalComparisons(operand)
		}
		if e.Operator == Or {
			return absorb(slices.Concat(sets...))
		}
		return conjoin(sets)
	}
	return nil
}

// newConjunct joins factors; ok is false if no one object can satisfy them.
func newConjunct(factors []factor) (c conjunct, ok bool) {
	slices.SortFunc(factors, func(a, b factor) int { return strings.Compare(a.text, b.text) })
	c.factors = slices.CompactFunc(factors, func(a, b factor) bool { return a.text == b.text })
	c.types = c.factors[0].types
	texts := make([]string, len(c.factors))
	for i, f := range c.factors {
		c.types = c.types.intersect(f.types)
		c.mask |= 1 << (maphash.String(factorSeed, f.text) % 64)
		texts[i] = f.text
	}
	c.text = strings.Join(texts, " AND ")
	return c, len(c.types) > 0
}

// conjoin joins sets of alternatives by AND.
func conjoin(sets [][]conjunct) []conjunct {
	sets = prune(split(sets))
	if len(sets) == 1 {
		return sets[0]
	}
	count, length := int64(1), 0
	for _, set := range sets {
		longest := 0
		for _, c := range set {
			longest = max(longest, len(c.text))
		}
		count, length = saturated(0, count, int64(len(set))), length+longest
	}
	if !mayDistribute(count, length) {
		factors := make([]factor, len(sets))
		for i, set := range sets {
			factors[i] = factorOf(set)
		}
		c, _ := newConjunct(factors)
		return []conjunct{c}
	}
	var result []conjunct
	combine(sets, nil, func(factors []factor) {
		// Among the other factors, a set of alternatives may have become small enough to be distributed.
		if slices.ContainsFunc(factors, func(f factor) bool { return f.alternatives != nil }) {
			if c, ok := newConjunct(slices.Clone(factors)); ok {
				result = append(result, conjoin([][]conjunct{{c}})...)
			}
		} else if c, ok := newConjunct(slices.Clone(factors)); ok {
			result = append(result, c)
		}
	})
	return absorb(result)
}

// combine calls yield with the factors of one alternative of each set, for every choice.
func combine(sets [][]conjunct, chosen []factor, yield func([]factor)) {
	if len(sets) == 0 {
		yield(chosen)
		return
	}
	for _, c := range sets[0] {
		combine(sets[1:], append(slices.Clip(chosen), c.factors...), yield)
	}
}

// factorOf makes a set of alternatives an operand of AND.
func factorOf(set []conjunct) factor {
	if len(set) == 1 && len(set[0].factors) == 1 {
		return set[0].factors[0]
	}
	return factor{text: "(" + textOfConjuncts(set) + ")", types: typesOf(set), alternatives: set}
}

// split replaces each set of one alternative by one set per factor, and drops repeated sets.
func split(sets [][]conjunct) [][]conjunct {
	var result [][]conjunct
	seen := map[string]bool{}
	add := func(set []conjunct) {
		if text := textOfConjuncts(set); !seen[text] {
			seen[text] = true
			result = append(result, set)
		}
	}
	for _, set := range sets {
		if len(set) > 1 {
			add(set)
			continue
		}
		for _, f := range set[0].factors {
			if f.alternatives != nil {
				add(f.alternatives)
			} else if c, ok := newConjunct([]factor{f}); ok {
				add([]conjunct{c})
			}
		}
	}
	return result
}

// prune drops alternatives for object types that the other sets exclude.
func prune(sets [][]conjunct) [][]conjunct {
	for {
		common := typesOf(sets[0])
		for _, set := range sets[1:] {
			common = common.intersect(typesOf(set))
		}
		changed := false
		for i, set := range sets {
			kept := slices.DeleteFunc(slices.Clone(set), func(c conjunct) bool { return len(c.types.intersect(common)) == 0 })
			if len(kept) < len(set) {
				sets[i], changed = kept, true
			}
		}
		if !changed {
			return sets
		}
		// A set that has shrunk to one alternative may fall apart, or equal another now.
		sets = split(sets)
	}
}

func typesOf(set []conjunct) objectTypes {
	var types objectTypes
	for i, c := range set {
		if i == 0 || !slices.Equal(c.types, set[i-1].types) {
			types = append(types, c.types...)
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

func textOfConjuncts(set []conjunct) string {
	texts := make([]string, len(set))
	for i, c := range set {
		texts[i] = c.text
	}
	return strings.Join(texts, " OR ")
}

// absorb sorts a set and drops every alternative that has all factors of another.
func absorb(set []conjunct) []conjunct {
	slices.SortFunc(set, func(a, b conjunct) int { return strings.Compare(a.text, b.text) })
	set = slices.CompactFunc(set, func(a, b conjunct) bool { return a.text == b.text })
	single := map[string]bool{}
	for _, c := range set {
		if len(c.factors) == 1 {
			single[c.text] = true
		}
	}
	set = slices.DeleteFunc(set, func(c conjunct) bool {
		return len(c.factors) > 1 && slices.ContainsFunc(c.factors, func(f factor) bool { return single[f.text] })
	})
	if len(set)-len(single) > maxPairwise {
		return set
	}
	// A larger alternative may not stand for a smaller one, so it does not matter which have been dropped before.
	all := slices.Clone(set)
	return slices.DeleteFunc(set, func(c conjunct) bool {
		return len(c.factors) > 1 && slices.ContainsFunc(all, func(d conjunct) bool { return d.isProperSubset(&c) })
	})
}

// isProperSubset tells whether c has fewer factors than d and d has them all.
func (c conjunct) isProperSubset(d *conjunct) bool {
	if c.mask&^d.mask != 0 || len(c.factors) >= len(d.factors) {
		return false
	}
	i := 0
	for _, f := range d.factors {
		if i < len(c.factors) && c.factors[i].text == f.text {
			i++
		}
	}
	return i == len(c.factors)
}

// normalComparison writes one comparison in one way. IN becomes a list of alternatives.
func normalComparison(c *Comparison) []conjunct {
	n := Comparison{Path: c.Path, Negated: c.Negated, Operator: c.Operator, Values: make([]Constant, len(c.Values))}
	for i, v := range c.Values {
		n.Values[i] = normalConstant(v)
	}
	switch c.Operator {
	case Like:
		n.Values[0].Text = c.operand.like
	case IsSubset, IsSuperset:
		n.Values[0].Text = c.operand.network.String()
		if c.operand.network.IsSingleIP() {
			n.Values[0].Text = c.operand.network.Addr().String()
		}
	case In:
		slices.SortFunc(n.Values, func(a, b Constant) int { return strings.Compare(a.String(), b.String()) })
		n.Values = slices.CompactFunc(n.Values, func(a, b Constant) bool { return a.String() == b.String() })
		if len(n.Values) == 1 {
			n.Operator = Equal
		}
	}
	// An equation is false of incompatible types and an inequality true, so NOT turns one into the other. For no other
	// operators is that so.
	if n.Negated && (n.Operator == Equal || n.Operator == NotEqual) {
		n.Negated, n.Operator = false, Equal+NotEqual-n.Operator
	}
	switch {
	case n.Operator != In:
		return []conjunct{conjunctOf(&n)}
	case n.Negated:
		return normalNotIn(&n)
	}
	set := make([]conjunct, len(n.Values))
	for i, v := range n.Values {
		set[i] = conjunctOf(&Comparison{Path: n.Path, Operator: Equal, Values: []Constant{v}})
	}
	return absorb(set)
}

// normalNotIn writes NOT IN as inequalities joined by AND. They are about one value only where the path leads to one: of
// several, NOT IN asks for one that is none of the constants, the inequalities for one each (§9.7.2).
func normalNotIn(c *Comparison) []conjunct {
	if slices.ContainsFunc(c.Path.Steps, func(s Step) bool { return s.Kind == AnyIndex }) {
		return []conjunct{conjunctOf(c)}
	}
	factors := make([]factor, len(c.Values))
	for i, v := range c.Values {
		factors[i] = factorOfComparison(&Comparison{Path: c.Path, Operator: NotEqual, Values: []Constant{v}})
	}
	result, _ := newConjunct(factors)
	return []conjunct{result}
}

func conjunctOf(c *Comparison) conjunct {
	result, _ := newConjunct([]factor{factorOfComparison(c)})
	return result
}

func factorOfComparison(c *Comparison) factor {
	return factor{text: string(appendComparison(nil, c)), types: objectTypes{c.Path.ObjectType}}
}

// normalConstant writes a value in one way.
func normalConstant(c Constant) Constant {
	switch c.class() {
	case Integer:
		// A float beyond the integers keeps its point, so that it is read as a float again.
		c.Text = strconv.FormatFloat(c.Number+0, 'f', -1, 64)
		if (c.Number > maxInteger || c.Number < -maxInteger) && strings.IndexByte(c.Text, '.') < 0 {
			c.Text += ".0"
		}
	case Binary:
		c.Kind = Hex
	case Timestamp:
		c.Text = c.Time.SortKey() + "Z"
	}
	return c
}
