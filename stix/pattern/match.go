package pattern

import (
	"cmp"
	"slices"
)

// Outcome is the answer of a Match.
type Outcome uint8

// The outcomes. Only NotMatched says that the observations do not match.
const (
	NotMatched Outcome = iota
	Matched
	// Undecided means that the budget ended before the answer was known.
	Undecided
	// Unsupported means that the answer depends on a regular expression with a construct that is not supported.
	Unsupported
)

// String returns a word for the outcome.
func (o Outcome) String() string {
	return [...]string{"not matched", "matched", "undecided", "unsupported"}[o]
}

// Result is what Match found.
type Result struct {
	Outcome Outcome
	// Bindings name observations that match together, sorted; nil unless the outcome is Matched. There may be other
	// ways to match.
	Bindings []Binding
	// Reason explains Undecided and Unsupported in a clause, "" otherwise.
	Reason string
}

// Binding says which observation satisfies which part of the pattern.
type Binding struct {
	// Expression is the number of the observation expression, in reading order from 0. Several with the same text
	// count as the first of them.
	Expression int
	// Observation is the number of the observed-data object, in the order it was added, from 0.
	Observation int
	// ObservedData is its identifier.
	ObservedData string
	// Count is how many of the observations are used that the object stands for (number_observed).
	Count int64
}

// Match reads observed-data from bundles and holds the pattern against all of it (§9.4). The error tells that a bundle
// cannot be read.
func Match(p *Pattern, bundles [][]byte, budget Budget) (Result, error) {
	var o Observations
	for _, raw := range bundles {
		if err := o.AddBundle(raw); err != nil {
			return Result{}, err
		}
	}
	return p.Match(&o, budget), nil
}

// Match holds the pattern against observations. It changes neither and may run concurrently with other matches.
func (p *Pattern) Match(o *Observations, budget Budget) Result {
	m := newMeter(budget)
	result, planner := p.match(o, m, false)
	if result.Outcome != NotMatched || !planner.uncertain {
		return result
	}
	// Nothing matches for certain. Would it, if what could not be decided were true?
	result, planner = p.match(o, m, true)
	if result.Outcome == Matched {
		return Result{Outcome: Unsupported, Reason: "a MATCHES has " + planner.unsupported + ", which is not supported"}
	}
	return result
}

func (p *Pattern) match(o *Observations, m *meter, lenient bool) (Result, *planner) {
	planner := newPlanner(o.list, m, lenient)
	s := searcher{planner: planner, meter: m}
	plan := planner.build(p.root, nil, nil)
	outcome := Undecided
	if !m.exhausted() {
		outcome = s.search(plan)
	}
	result := Result{Outcome: outcome}
	switch outcome {
	case Matched:
		result.Bindings = s.bindings.list(o.list)
	case Undecided:
		result.Reason = cmp.Or(s.gaveUp, "the budget of steps is used up")
	}
	return result, planner
}

// bindings counts how often each candidate is used.
type bindings map[candidate]int64

func (b *bindings) add(c candidate, n int64) {
	if *b == nil {
		*b = bindings{}
	}
	(*b)[c] += n
}

func (b bindings) list(observations []observation) []Binding {
	list := make([]Binding, 0, len(b))
	for c, n := range b {
		list = append(list, Binding{
			Expression:   int(c.expression),
			Observation:  int(c.observation),
			ObservedData: observations[c.observation].id,
			Count:        n,
		})
	}
	slices.SortFunc(list, func(x, y Binding) int {
		return cmp.Or(cmp.Compare(x.Expression, y.Expression), cmp.Compare(x.Observation, y.Observation))
	})
	return list
}
