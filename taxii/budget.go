package taxii

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// pool is an amount of memory, in octets, that requests share.
type pool struct {
	holds string // what, for the log
	most  int64
	used  atomic.Int64

	mu      sync.Mutex
	readers map[*Answer]int // requests that send an answer, whose memory counts once
}

// room is what is left now.
func (p *pool) room() int64 { return p.most - p.used.Load() }

// Held is how much memory the submissions and larger responses take that are being received and sent now, in octets.
func (s *Server) Held() int64 { return s.buffered.used.Load() + s.sending.used.Load() }

// share is what one request has taken of a pool. It belongs to the request's goroutine.
type share struct {
	pool   *pool
	taken  int64
	answer *Answer // shared with others
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

// takeShared counts the memory of an answer, unless another request does already.
func (s *share) takeShared(a *Answer) error {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readers[a] == 0 {
		if err := s.take(int64(len(a.Body))); err != nil {
			return err
		}
		s.taken -= int64(len(a.Body)) // it is given back by the last reader
	}
	if p.readers == nil {
		p.readers = make(map[*Answer]int)
	}
	p.readers[a]++
	s.answer = a
	return nil
}

// release gives everything back.
func (s *share) release() {
	s.keep(0)
	if s.answer == nil {
		return
	}
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readers[s.answer]--; p.readers[s.answer] == 0 {
		delete(p.readers, s.answer)
		p.used.Add(-int64(len(s.answer.Body)))
	}
	s.answer = nil
}
