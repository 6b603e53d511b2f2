package pattern

import (
	"slices"
)

// searcher looks for different observations that satisfy a plan. Without FOLLOWEDBY and inner WITHIN, and for a
// FOLLOWEDBY of single expressions over observations with known times, that takes polynomial time; in general it is a
// search with backtracking, which the meter ends.
type searcher struct {
	planner  *planner
	meter    *meter
	bindings bindings
	// gaveUp says why the search is not complete, "" if it is.
	gaveUp string
}

// search tries the alternatives of a plan one after another.
func (s *searcher) search(p *plan) Outcome {
	if p == nil {
		if s.meter.exhausted() {
			return Undecided
		}
		return NotMatched
	}
	found := false
	s.alternatives(p, func(alternative *plan) bool {
		found = alternative != nil && s.conjunction(alternative)
		return !found && !s.meter.exhausted()
	})
	switch {
	case found:
		return Matched
	case s.meter.exhausted() || s.gaveUp != "":
		return Undecided
	}
	return NotMatched
}

// alternatives calls yield with every plan that follows from p by choosing one kid of each OR, until yield returns
// false; then it returns false as well.
func (s *searcher) alternatives(p *plan, yield func(*plan) bool) bool {
	if !s.meter.spend(1) {
		return false
	}
	if !p.branches {
		return yield(p)
	}
	switch p.op {
	case planAny:
		for _, k := range p.kids {
			if !s.alternatives(k, yield) {
				return false
			}
		}
		return true
	case planWindow:
		return s.alternatives(p.kids[0], func(k *plan) bool { return yield(s.planner.within(k, p.window)) })
	case planCopies:
		return s.copies(p, yield)
	}
	join := s.planner.all
	if p.op == planSequence {
		join = s.planner.sequence
	}
	return s.product(p.kids, nil, func(kids []*plan) bool {
		s.meter.spend(len(kids))
		return yield(join(kids))
	})
}

// product combines the alternatives of the remaining kids with those chosen so far.
func (s *searcher) product(remaining, chosen []*plan, yield func([]*plan) bool) bool {
	for len(remaining) > 0 && !remaining[0].branches {
		chosen = append(chosen, remaining[0])
		remaining = remaining[1:]
	}
	if len(remaining) == 0 {
		return yield(chosen)
	}
	return s.alternatives(remaining[0], func(k *plan) bool {
		return k == nil || s.product(remaining[1:], append(slices.Clip(chosen), k), yield)
	})
}

// maxChoices bounds the alternatives that copies distributes over.
const maxChoices = 1024

// copies distributes n copies over the alternatives of one. The copies are interchangeable, so only how often each
// alternative is taken matters.
func (s *searcher) copies(p *plan, yield func(*plan) bool) bool {
	var choices []*plan
	s.alternatives(p.kids[0], func(k *plan) bool {
		if k != nil {
			choices = append(choices, k)
		}
		return len(choices) <= maxChoices
	})
	if len(choices) > maxChoices {
		s.gaveUp = "an expression that is repeated can match in too many ways"
		return true
	}
	var distribute func(i int, left int64, chosen []*plan) bool
	distribute = func(i int, left int64, chosen []*plan) bool {
		if !s.meter.spend(1 + len(chosen)) {
			return false
		}
		if left == 0 {
			return yield(s.planner.all(chosen))
		}
		if i == len(choices) {
			return true
		}
		for n := left; n >= 0; n-- {
			next := slices.Clip(chosen)
			if n > 0 {
				k := s.planner.repeat(choices[i], n)
				if k == nil {
					if !s.meter.spend(1) {
						return false
					}
					continue
				}
				next = append(next, k)
			}
			if !distribute(i+1, left-n, next) {
				return false
			}
		}
		return true
	}
	return distribute(0, p.times, nil)
}

// conjunction solves a plan without OR.
func (s *searcher) conjunction(p *plan) bool {
	// Times left aside, there must be enough observations.
	enough, f := s.distribute(relaxed(s.planner, p), nil)
	if !enough {
		return false
	}
	window, rest := duration{}, p
	for rest.op == planWindow {
		if window == (duration{}) || rest.window.less(window) {
			window = rest.window
		}
		rest = rest.kids[0]
	}
	timeless := rest.timeless()
	switch {
	case timeless && window == (duration{}):
		f.bindings(&s.bindings)
		return true
	case timeless:
		return s.anyWindow(rest, window)
	case rest.op == planSequence && s.isChain(rest):
		return s.chain(rest.kids, window)
	}
	return s.backtrack(p)
}

// timeless tells that nothing inside depends on the order or distance of observations.
func (n *plan) timeless() bool {
	return n.op == planSlot || n.op == planAll && !slices.ContainsFunc(n.kids, func(k *plan) bool { return k.op != planSlot })
}

// relaxed is the plan with FOLLOWEDBY read as AND and without WITHIN.
func relaxed(p *planner, n *plan) *plan {
	switch n.op {
	case planSlot:
		return n
	case planWindow:
		return relaxed(p, n.kids[0])
	case planCopies:
		return p.repeat(relaxed(p, n.kids[0]), n.times)
	}
	kids := make([]*plan, len(n.kids))
	for i, k := range n.kids {
		kids[i] = relaxed(p, k)
	}
	return p.all(kids)
}

// distribute gives every slot of a timeless plan its observations, of those that pass the filter.
func (s *searcher) distribute(p *plan, filter func(*candidateSet, candidate) bool) (bool, *flow) {
	if p == nil {
		return false, nil
	}
	slots := p.kids
	if p.op == planSlot {
		slots = []*plan{p}
	}
	f := newFlow(s.planner)
	for _, slot := range slots {
		candidates := slot.set.list
		if filter != nil {
			candidates = nil
			for _, c := range slot.set.list {
				if filter(slot.set, c) {
					candidates = append(candidates, c)
				}
			}
		}
		if f.push(f.add(candidates), slot.times) < slot.times {
			return false, nil
		}
	}
	return true, f
}

// anyWindow solves a timeless plan with a WITHIN around it. If any window holds a solution, one does that begins at the
// latest time of one of the candidates: move it on until it would lose the first.
func (s *searcher) anyWindow(p *plan, window duration) bool {
	for _, start := range s.times(p, (*candidateSet).last) {
		end := start.plus(window)
		ok, f := s.distribute(p, func(set *candidateSet, c candidate) bool {
			return set.first(s.planner, c).compare(end) < 0 && set.last(s.planner, c).compare(start) >= 0
		})
		if ok {
			f.bindings(&s.bindings)
			return true
		}
		if s.meter.exhausted() {
			return false
		}
	}
	return false
}

// times lists the different times of the candidates of a plan's slots, in order.
func (s *searcher) times(p *plan, of func(*candidateSet, *planner, candidate) instant) []instant {
	var times []instant
	slots := p.kids
	if p.op == planSlot {
		slots = []*plan{p}
	}
	seen := map[instant]struct{}{}
	for _, slot := range slots {
		if !s.meter.spend(len(slot.set.list)) {
			return nil
		}
		for _, c := range slot.set.list {
			t := of(slot.set, s.planner, c)
			if _, ok := seen[t]; !ok {
				seen[t] = struct{}{}
				times = append(times, t)
			}
		}
	}
	slices.SortFunc(times, instant.compare)
	return times
}
