package taxii

import (
	"fmt"
	"sync/atomic"
)

// pool is an amount of memory, in octets, that requests share.
type pool struct {
	holds string // what, for the log
	most  int64
	used  atomic.Int64
}

// room is what is left now.
func (p *pool) room() int64 { return p.most - p.used.Load() }

// share is what one request has taken of a pool. It belongs to the request's goroutine.
type share struct {
	pool  *pool
	taken int64
}

// take counts n octets more; ErrUnavailable, and nothing is counted, where there is no room for them now.
func (s *share) take(n int64) error {
	if s.pool.used.Add(n) > s.pool.most {
		s.pool.used.Add(-n)
		return fmt.Errorf("%s take %d octets of memory, and no more may: %w", s.pool.holds, s.pool.most, ErrUnavailable)
	}
	s.taken += n
	return nil
}

// keep gives back what was taken beyond n octets.
func (s *share) keep(n int64) {
	if n < s.taken {
		s.pool.used.Add(n - s.taken)
		s.taken = n
	}
}

// release gives everything back.
func (s *share) release() { s.keep(0) }
