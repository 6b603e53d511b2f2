package pattern

import (
	"math"
	"slices"
	"strconv"
)

// candidate is an observation that an observation expression matches.
type candidate struct {
	observation, expression int32
}

// candidateSet is what one observation expression, or several joined by OR, matches within START and STOP. Candidates
// are in order of time.
type candidateSet struct {
	key string
	// from and to narrow the time of each candidate; nil where nothing does. to is exclusive.
	from, to *instant
	list     []candidate
}

type planOp uint8

const (
	planSlot     planOp = iota // times different observations of set
	planAll                    // all kids, on different observations
	planAny                    // one of kids
	planSequence               // all kids, each not before the one in front of it
	planWindow                 // the only kid, within the window
	planCopies                 // times copies of the only kid
)

// plan is an observation expression made ready for the search: START and STOP are moved down into the sets, REPEATS
// into counts. A nil plan cannot match.
type plan struct {
	op     planOp
	set    *candidateSet
	times  int64
	kids   []*plan
	window duration
	// branches tells that there is a planAny inside.
	branches bool
}

// planner turns a pattern into a plan over some observations.
type planner struct {
	observations []observation
	// order lists the observations by time, then by position.
	order []int32
	// total is the number of observations, each observed-data counted number_observed times.
	total int64
	meter *meter
	// lenient takes what MATCHES could not decide for a match.
	lenient     bool
	uncertain   bool
	unsupported string
	// leaves remembers what an observation expression matches, by its text.
	leaves     map[string][]candidate
	expression int32
}

func newPlanner(observations []observation, m *meter, lenient bool) *planner {
	p := &planner{observations: observations, meter: m, lenient: lenient, leaves: map[string][]candidate{}}
	for i := range observations {
		p.order = append(p.order, int32(i))
		p.total += observations[i].count
	}
	slices.SortStableFunc(p.order, func(a, b int32) int {
		return observations[a].first.compare(observations[b].first)
	})
	return p
}

// build plans e for observations from from to to, where they are not nil.
func (p *planner) build(e ObservationExpression, from, to *instant) *plan {
	switch e := e.(type) {
	case *Observation:
		return p.leaf(e, from, to)
	case *Qualified:
		return p.qualified(e, from, to)
	case *Combination:
		kids := make([]*plan, len(e.Operands))
		for i, operand := range e.Operands {
			kids[i] = p.build(operand, from, to)
		}
		switch e.Operator {
		case BothObservations:
			return p.all(kids)
		case EitherObservation:
			return p.any(kids)
		}
		return p.sequence(kids)
	}
	return nil
}

func (p *planner) qualified(e *Qualified, from, to *instant) *plan {
	switch q := e.Qualifier.(type) {
	case Repeats:
		return p.repeat(p.build(e.Operand, from, to), q.Times)
	case Within:
		return p.within(p.build(e.Operand, from, to), durationOf(q.Seconds))
	case StartStop:
		start, stop := instantOf(q.Start), instantOf(q.Stop)
		stop.side = -1
		if from != nil {
			start = latest(start, *from)
		}
		if to != nil {
			stop = earliest(stop, *to)
		}
		return p.build(e.Operand, &start, &stop)
	}
	return nil
}

// leaf holds an observation expression against every observation.
func (p *planner) leaf(e *Observation, from, to *instant) *plan {
	key := string(appendComparisons(nil, e.Comparison, Or))
	found, ok := p.leaves[key]
	if !ok {
		found = p.evaluate(e.Comparison)
		p.leaves[key] = found
	}
	p.expression++
	set := &candidateSet{key: key, from: from, to: to}
	for _, bound := range []*instant{from, to} {
		set.key += "|"
		if bound != nil {
			set.key += strconv.FormatInt(bound.second, 10) + "." + bound.fraction
		}
	}
	for _, c := range found {
		if set.first(p, c).compare(set.last(p, c)) <= 0 {
			set.list = append(set.list, c)
		}
	}
	if !p.meter.spend(len(found)) {
		return nil
	}
	return p.slot(set, 1)
}

func (p *planner) evaluate(c ComparisonExpression) []candidate {
	e := evaluator{meter: p.meter}
	var found []candidate
	for _, i := range p.order {
		e.observation = &p.observations[i]
		t := e.matches(c)
		if t == unknown {
			p.uncertain, p.unsupported = true, e.unsupported
		}
		if t == yes || t == unknown && p.lenient {
			found = append(found, candidate{observation: i, expression: p.expression})
		}
	}
	return found
}

// first and last are the earliest and the latest time that a candidate may have been observed.
func (s *candidateSet) first(p *planner, c candidate) instant {
	t := p.observations[c.observation].first
	if s.from != nil {
		t = latest(t, *s.from)
	}
	return t
}

func (s *candidateSet) last(p *planner, c candidate) instant {
	t := p.observations[c.observation].last
	if s.to != nil {
		t = earliest(t, *s.to)
	}
	return t
}

// slot plans times different observations of a set, nil if there are not that many.
func (p *planner) slot(set *candidateSet, times int64) *plan {
	available := int64(0)
	for _, c := range set.list {
		available += p.observations[c.observation].count
	}
	if available < times {
		return nil
	}
	return &plan{op: planSlot, set: set, times: times}
}

// all plans kids joined by AND. Equal sets become one slot.
func (p *planner) all(kids []*plan) *plan {
	var flat []*plan
	slots := map[string]int{}
	var add func(k *plan) bool
	add = func(k *plan) bool {
		switch {
		case k == nil:
			return false
		case k.op == planAll:
			for _, inner := range k.kids {
				if !add(inner) {
					return false
				}
			}
			return true
		case k.op == planSlot:
			if i, ok := slots[k.set.key]; ok {
				flat[i] = p.slot(k.set, saturated(flat[i].times, 1, k.times))
				return flat[i] != nil
			}
			slots[k.set.key] = len(flat)
		}
		flat = append(flat, k)
		return true
	}
	for _, k := range kids {
		if !add(k) {
			return nil
		}
	}
	return p.node(&plan{op: planAll, kids: flat})
}

// any plans kids joined by OR. Single observations become one set.
func (p *planner) any(kids []*plan) *plan {
	var flat []*plan
	merged := map[[2]*instant]int{}
	for _, k := range kids {
		switch {
		case k == nil:
			continue
		case k.op == planAny:
			flat = append(flat, k.kids...)
			continue
		case k.op == planSlot && k.times == 1:
			bounds := [2]*instant{k.set.from, k.set.to}
			if i, ok := merged[bounds]; ok {
				flat[i] = &plan{op: planSlot, set: p.union(flat[i].set, k.set), times: 1}
				continue
			}
			merged[bounds] = len(flat)
		}
		flat = append(flat, k)
	}
	if len(flat) == 0 {
		return nil
	}
	return p.node(&plan{op: planAny, kids: flat})
}

func (p *planner) union(a, b *candidateSet) *candidateSet {
	if !p.meter.spend(len(a.list) + len(b.list)) {
		return a
	}
	u := &candidateSet{key: a.key + " OR " + b.key, from: a.from, to: a.to, list: slices.Concat(a.list, b.list)}
	rank := func(c candidate) instant { return p.observations[c.observation].first }
	slices.SortStableFunc(u.list, func(x, y candidate) int {
		if c := rank(x).compare(rank(y)); c != 0 {
			return c
		}
		return int(x.observation - y.observation)
	})
	u.list = slices.CompactFunc(u.list, func(x, y candidate) bool { return x.observation == y.observation })
	return u
}

func (p *planner) sequence(kids []*plan) *plan {
	var flat []*plan
	for _, k := range kids {
		switch {
		case k == nil:
			return nil
		case k.op == planSequence:
			flat = append(flat, k.kids...)
		default:
			flat = append(flat, k)
		}
	}
	return p.node(&plan{op: planSequence, kids: flat})
}

// within plans a WITHIN, which a single observation always satisfies.
func (p *planner) within(k *plan, window duration) *plan {
	if k == nil || k.op == planSlot && k.times == 1 {
		return k
	}
	return p.node(&plan{op: planWindow, kids: []*plan{k}, window: window})
}

// repeat plans n copies of k joined by AND (§9.5.1).
func (p *planner) repeat(k *plan, n int64) *plan {
	switch {
	case k == nil || n == 1:
		return k
	case k.op == planSlot:
		return p.slot(k.set, saturated(0, k.times, n))
	case k.op == planAll:
		kids := make([]*plan, len(k.kids))
		for i, inner := range k.kids {
			kids[i] = p.repeat(inner, n)
		}
		return p.all(kids)
	case k.op == planCopies:
		return p.repeat(k.kids[0], saturated(0, k.times, n))
	}
	return p.node(&plan{op: planCopies, kids: []*plan{k}, times: n})
}

// node finishes a plan: nil if it needs more observations than there are.
func (p *planner) node(n *plan) *plan {
	if len(n.kids) == 1 && n.op != planWindow && n.op != planCopies {
		return n.kids[0]
	}
	n.branches = n.op == planAny || slices.ContainsFunc(n.kids, func(k *plan) bool { return k.branches })
	if n.needed() > p.total {
		return nil
	}
	return n
}

// needed is the smallest number of observations that the plan can match.
func (n *plan) needed() int64 {
	switch n.op {
	case planSlot:
		return n.times
	case planAny:
		least := int64(math.MaxInt64)
		for _, k := range n.kids {
			least = min(least, k.needed())
		}
		return least
	case planCopies:
		return saturated(0, n.kids[0].needed(), n.times)
	}
	sum := int64(0)
	for _, k := range n.kids {
		sum = saturated(sum, 1, k.needed())
	}
	return sum
}

// saturated is a + b·c, or the largest integer if that is larger.
func saturated(a, b, c int64) int64 {
	if b != 0 && c > (math.MaxInt64-a)/b {
		return math.MaxInt64
	}
	return a + b*c
}
