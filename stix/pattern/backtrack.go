package pattern

import "slices"

// maxUnits bounds the number of observations that the general search chooses one by one.
const maxUnits = 4096

// unit is one observation to be chosen by the general search.
type unit struct {
	set *candidateSet
	// notBefore is the unit whose choice must not come after this one in the order of candidates, -1 for none: of
	// interchangeable units only one order is tried.
	notBefore int
	// after are the ranges of units that this one follows in time.
	after []span
	// windows are the numbers of the windows around it.
	windows []int

	choice int // index into set.list, -1 before the first
	// earliest is the earliest time that the units before this one leave for the choice; latest its latest time.
	earliest, latest instant
}

// span is a range of units.
type span struct{ from, to int }

// windowSpan is a WITHIN over a range of units.
type windowSpan struct {
	span
	length duration
}

// general is the search with backtracking over units in the order of the pattern.
type general struct {
	searcher *searcher
	units    []unit
	windows  []windowSpan
	used     []int64
}

// backtrack solves a plan without OR by trying one candidate after another for each unit.
func (s *searcher) backtrack(p *plan) bool {
	g := general{searcher: s, used: make([]int64, len(s.planner.observations))}
	if p.needed() > maxUnits {
		s.gaveUp = "too many observations would have to be combined"
		return false
	}
	g.compile(p, nil, nil)
	if !g.run() {
		return false
	}
	for i := range g.units {
		u := &g.units[i]
		s.bindings.add(u.set.list[u.choice], 1)
	}
	return true
}

// compile turns a plan into units. after and windows hold for all of them.
func (g *general) compile(p *plan, after []span, windows []int) {
	start := len(g.units)
	switch p.op {
	case planSlot:
		for i := range int(p.times) {
			u := unit{set: p.set, notBefore: -1, after: after, windows: windows}
			if i > 0 {
				u.notBefore = len(g.units) - 1
			}
			g.units = append(g.units, u)
		}
	case planCopies:
		for range int(p.times) {
			first := len(g.units)
			g.compile(p.kids[0], after, windows)
			if first > start && g.units[first].notBefore < 0 {
				g.units[first].notBefore = first - (len(g.units) - first)
			}
		}
	case planSequence:
		part := span{start, start}
		for i, k := range p.kids {
			inner := after
			if i > 0 {
				inner = append(slices.Clip(after), part)
			}
			part.from = len(g.units)
			g.compile(k, inner, windows)
			part.to = len(g.units)
		}
	case planWindow:
		n := len(g.windows)
		g.windows = append(g.windows, windowSpan{length: p.window})
		g.compile(p.kids[0], after, append(slices.Clip(windows), n))
		g.windows[n].span = span{start, len(g.units)}
	case planAll:
		for _, k := range p.kids {
			g.compile(k, after, windows)
		}
	}
}

// run goes through the units, back whenever one has no candidate left.
func (g *general) run() bool {
	i := 0
	g.reset(0)
	for i >= 0 {
		if i == len(g.units) {
			if g.feasible() {
				return true
			}
			i--
			g.release(i)
			continue
		}
		if g.advance(i) {
			if i++; i < len(g.units) {
				g.reset(i)
			}
		} else if i--; i >= 0 {
			g.release(i)
		}
		if g.searcher.meter.exhausted() {
			return false
		}
	}
	return false
}

func (g *general) reset(i int) {
	u := &g.units[i]
	u.choice = -1
	if u.notBefore >= 0 && g.units[u.notBefore].set == u.set {
		u.choice = g.units[u.notBefore].choice - 1
	}
}

func (g *general) release(i int) {
	u := &g.units[i]
	g.used[u.set.list[u.choice].observation]--
}

// advance moves unit i on to its next candidate that fits, and reports whether there is one.
func (g *general) advance(i int) bool {
	u, p := &g.units[i], g.searcher.planner
	floor, bounded := g.floor(u)
	for u.choice++; u.choice < len(u.set.list); u.choice++ {
		if !g.searcher.meter.spend(1 + len(u.windows)) {
			return false
		}
		c := u.set.list[u.choice]
		if g.used[c.observation] == p.observations[c.observation].count {
			continue
		}
		u.earliest, u.latest = u.set.first(p, c), u.set.last(p, c)
		if bounded {
			u.earliest = latest(u.earliest, floor)
		}
		if u.earliest.compare(u.latest) <= 0 && g.fitsWindows(i) {
			g.used[c.observation]++
			return true
		}
	}
	return false
}

// floor is the earliest time that the units before u allow for it.
func (g *general) floor(u *unit) (floor instant, bounded bool) {
	for _, r := range u.after {
		g.searcher.meter.spend(r.to - r.from)
		for _, before := range g.units[r.from:r.to] {
			if !bounded {
				floor, bounded = before.earliest, true
			}
			floor = latest(floor, before.earliest)
		}
	}
	return floor, bounded
}

// fitsWindows tells whether unit i is near enough to each unit chosen before in the windows around it.
func (g *general) fitsWindows(i int) bool {
	u := &g.units[i]
	for _, w := range u.windows {
		window := g.windows[w]
		g.searcher.meter.spend(i - window.from)
		for _, other := range g.units[window.from:i] {
			if u.earliest.compare(other.latest.plus(window.length)) >= 0 || other.earliest.compare(u.latest.plus(window.length)) >= 0 {
				return false
			}
		}
	}
	return true
}

// feasible tells whether the chosen observations, each at some time from first to last, can have times that satisfy the
// order and the windows together: the earliest times are raised until nothing contradicts.
func (g *general) feasible() bool {
	if len(g.windows) == 0 {
		return true // the search has raised the earliest times along the order already
	}
	units := slices.Clone(g.units)
	defer func() { g.units = units }()
	for changed := true; changed; {
		changed = false
		for i := range g.units {
			u := &g.units[i]
			floor, bounded := g.floor(u)
			for _, w := range u.windows {
				window := g.windows[w]
				g.searcher.meter.spend(window.to - window.from)
				for _, other := range g.units[window.from:window.to] {
					after := other.earliest.minus(window.length)
					after.side = 1
					if !bounded || floor.compare(after) < 0 {
						floor, bounded = after, true
					}
				}
			}
			if bounded && u.earliest.compare(floor) < 0 {
				u.earliest, changed = floor, true
				if u.earliest.compare(u.latest) > 0 {
					return false
				}
			}
		}
		if g.searcher.meter.exhausted() {
			return false
		}
	}
	return true
}
