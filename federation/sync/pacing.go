package sync

import (
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = time.Second
	maxBackoff   = 15 * time.Minute
)

// backoff is the pause after the nth failure in a row, n from 1: 1 s × 2ⁿ⁻¹ × (0.8–1.4), at most 15 min.
func backoff(n int) time.Duration {
	// 2¹⁰ s is beyond the maximum even with the smallest factor; the shift must not overflow.
	return min(maxBackoff, spread(firstBackoff<<min(n-1, 11), 0.8, 1.4))
}

// spread multiplies a duration by a random factor, so that nodes that fail together do not come back together.
func spread(d time.Duration, from, to float64) time.Duration {
	return time.Duration(float64(d) * (from + rand.Float64()*(to-from)))
}

// pageSize is how many objects to ask for: it grows by a step for each full page and halves with each trouble.
type pageSize struct {
	size, step, max int
}

func newPageSize(start, maximum int) pageSize {
	return pageSize{size: start, step: max(1, start/10), max: maximum}
}

func (p *pageSize) grow() { p.size = min(p.size+p.step, p.max) }

func (p *pageSize) halve() { p.size = max(p.size/2, 1) }
