package pattern

// flow distributes observations over slots so that no observed-data is used more often than it counts: a maximum flow
// between slots and observations, found by shortest augmenting paths.
type flow struct {
	planner *planner
	// left is how often each observation may still be used.
	left  []int64
	slots []flowSlot
	// users lists, for each observation, the slots that may use it.
	users [][]edge
}

type flowSlot struct {
	candidates []candidate
	amount     []int64 // used of each candidate
}

// edge is a candidate of a slot.
type edge struct{ slot, candidate int32 }

func newFlow(p *planner) *flow {
	f := &flow{planner: p, left: make([]int64, len(p.observations)), users: make([][]edge, len(p.observations))}
	p.meter.spend(len(p.observations))
	for i := range p.observations {
		f.left[i] = p.observations[i].count
	}
	return f
}

// add opens a slot that may use the given candidates and returns its number.
func (f *flow) add(candidates []candidate) int {
	n := len(f.slots)
	f.slots = append(f.slots, flowSlot{candidates: candidates, amount: make([]int64, len(candidates))})
	for i, c := range candidates {
		f.users[c.observation] = append(f.users[c.observation], edge{int32(n), int32(i)})
	}
	f.planner.meter.spend(len(candidates))
	return n
}

// push gives up to want observations to a slot, moving others between slots where that helps, and returns how many it
// could give. No slot ever loses what it has.
func (f *flow) push(slot int, want int64) (pushed int64) {
	s := &f.slots[slot]
	for i, c := range s.candidates {
		if pushed == want {
			return pushed
		}
		n := min(want-pushed, f.left[c.observation])
		f.left[c.observation] -= n
		s.amount[i] += n
		pushed += n
	}
	f.planner.meter.spend(len(s.candidates))
	for pushed < want {
		n := f.augment(slot, want-pushed)
		if n == 0 {
			break
		}
		pushed += n
	}
	return pushed
}

// augment searches breadth-first from a slot for an observation that is left, through observations that other slots
// could give up, and moves as much as possible along that path.
func (f *flow) augment(slot int, want int64) int64 {
	reached := make(map[int32]edge) // observation: the edge it was reached by
	through := map[int32]int32{}    // slot: the candidate of it that would be given up
	queue := []int32{int32(slot)}
	through[int32(slot)] = -1
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for i, c := range f.slots[s].candidates {
			if !f.planner.meter.spend(1) {
				return 0
			}
			if _, ok := reached[c.observation]; ok {
				continue
			}
			reached[c.observation] = edge{s, int32(i)}
			if f.left[c.observation] > 0 {
				return f.move(c.observation, reached, through, want)
			}
			for _, user := range f.users[c.observation] {
				if !f.planner.meter.spend(1) {
					return 0
				}
				if _, ok := through[user.slot]; !ok && f.slots[user.slot].amount[user.candidate] > 0 {
					through[user.slot] = user.candidate
					queue = append(queue, user.slot)
				}
			}
		}
	}
	return 0
}

// move shifts amounts along the path that ends at observation and returns how much.
func (f *flow) move(observation int32, reached map[int32]edge, through map[int32]int32, want int64) int64 {
	amount := min(want, f.left[observation])
	f.walkBack(observation, reached, through, func(_, given *int64) {
		if given != nil {
			amount = min(amount, *given)
		}
	})
	f.left[observation] -= amount
	f.walkBack(observation, reached, through, func(taken, given *int64) {
		*taken += amount
		if given != nil {
			*given -= amount
		}
	})
	return amount
}

// walkBack visits each slot of an augmenting path from its end: the amount that grows and the one that shrinks, which
// is nil for the slot that the path begins at.
func (f *flow) walkBack(observation int32, reached map[int32]edge, through map[int32]int32, visit func(taken, given *int64)) {
	for {
		e := reached[observation]
		s := &f.slots[e.slot]
		give := through[e.slot]
		if give < 0 {
			visit(&s.amount[e.candidate], nil)
			return
		}
		visit(&s.amount[e.candidate], &s.amount[give])
		observation = s.candidates[give].observation
	}
}

// bindings adds what every slot has been given.
func (f *flow) bindings(b *bindings) {
	for _, s := range f.slots {
		for i, amount := range s.amount {
			if amount > 0 {
				b.add(s.candidates[i], amount)
			}
		}
	}
}
