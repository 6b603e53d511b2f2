package pattern

import "slices"

// isChain tells that a sequence consists of slots whose candidates all have one known time.
func (s *searcher) isChain(sequence *plan) bool {
	for _, k := range sequence.kids {
		if k.op != planSlot || !s.meter.spend(len(k.set.list)) {
			return false
		}
		for _, c := range k.set.list {
			if k.set.first(s.planner, c).compare(k.set.last(s.planner, c)) != 0 {
				return false
			}
		}
	}
	return true
}

// chain solves a FOLLOWEDBY of slots over observations with known times, with an optional WITHIN around it. Going
// through the times in order and completing as many slots as possible at each is optimal: whoever is further at one
// time can do everything that one who is less far can.
func (s *searcher) chain(slots []*plan, window duration) bool {
	times := s.times(&plan{op: planSequence, kids: slots}, (*candidateSet).first)
	if window == (duration{}) {
		return s.chainFrom(slots, times)
	}
	for i, start := range times {
		end := start.plus(window)
		n, _ := slices.BinarySearchFunc(times, end, instant.compare)
		if s.chainFrom(slots, times[i:n]) {
			return true
		}
		if s.meter.exhausted() {
			return false
		}
	}
	return false
}

// chainFrom completes the slots in order at the given times.
func (s *searcher) chainFrom(slots []*plan, times []instant) bool {
	// An observation has one time, so what is given away at one time is never moved at another.
	f := newFlow(s.planner)
	next, missing := 0, slots[0].times
	for _, t := range times {
		for {
			missing -= f.push(f.add(s.at(slots[next].set, t)), missing)
			if missing > 0 {
				break
			}
			if next++; next == len(slots) {
				f.bindings(&s.bindings)
				return true
			}
			missing = slots[next].times
		}
		if s.meter.exhausted() {
			return false
		}
	}
	return false
}

// at returns the candidates that were observed at time t.
func (s *searcher) at(set *candidateSet, t instant) []candidate {
	order := func(c candidate, t instant) int { return set.first(s.planner, c).compare(t) }
	from, _ := slices.BinarySearchFunc(set.list, t, order)
	to := from
	for to < len(set.list) && order(set.list[to], t) == 0 {
		to++
	}
	s.meter.spend(8 + to - from)
	return set.list[from:to]
}
