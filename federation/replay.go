package federation

import (
	"sync"
	"time"
)

// replayMemory remembers the tokens that were accepted, so that each is accepted once. Only tokens with a right
// signature come here: nobody but a pinned peer can fill it, and a peer fills its own part only.
type replayMemory struct {
	perPeer int

	mu    sync.Mutex
	peers map[EntityID]*usedTokens
	// sweepAt is how many peers make it worth to look for those that have no token in use; forgotten is the newest second
	// of the tokens of any that were dropped so.
	sweepAt   int
	forgotten int64
}

// minSweep is how many peers are remembered without looking for idle ones.
const minSweep = 1024

// usedTokens are the tokens of one peer, by the second of their iat.
type usedTokens struct {
	bySecond map[int64]map[[jtiSize]byte]struct{}
	count    int
	// forgotten is the newest second whose tokens were dropped. While the clock runs forward such tokens are too old
	// anyway; after it was set back they could be used again, if this were not remembered.
	forgotten int64
}

func newReplayMemory(perPeer int) *replayMemory {
	return &replayMemory{perPeer: perPeer, peers: make(map[EntityID]*usedTokens), sweepAt: minSweep}
}

// remember notes a token until its iat can no longer be accepted; it refuses one that was noted before.
func (m *replayMemory) remember(peer EntityID, id [jtiSize]byte, issued, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := m.peers[peer]
	if used == nil {
		m.sweep(now)
		used = &usedTokens{bySecond: make(map[int64]map[[jtiSize]byte]struct{}), forgotten: m.forgotten}
		m.peers[peer] = used
	}
	used.forget(now)
	second := issued.Unix()
	if second <= used.forgotten {
		return refuse(Forgotten, "the clock was set back: tokens of that time are no longer remembered; the caller must sign again later")
	}
	if _, seen := used.bySecond[second][id]; seen {
		return refuse(Replayed, "the token was used before")
	}
	if used.count >= m.perPeer {
		return refuse(TooMany, "more than %d requests within two minutes", m.perPeer)
	}
	if used.bySecond[second] == nil {
		used.bySecond[second] = make(map[[jtiSize]byte]struct{})
	}
	used.bySecond[second][id] = struct{}{}
	used.count++
	return nil
}

// forget drops the seconds that are too old to be accepted; there are at most 121 of them (90 back, 30 ahead).
func (u *usedTokens) forget(now time.Time) {
	for second, tokens := range u.bySecond {
		if now.Sub(time.Unix(second, 0)) > maxTokenAge {
			u.count -= len(tokens)
			u.forgotten = max(u.forgotten, second)
			delete(u.bySecond, second)
		}
	}
}

// sweep drops peers without a token in use, so that nodes that introduce themselves once do not fill the memory.
func (m *replayMemory) sweep(now time.Time) {
	if len(m.peers) < m.sweepAt {
		return
	}
	for id, used := range m.peers {
		if used.forget(now); used.count == 0 {
			m.forgotten = max(m.forgotten, used.forgotten)
			delete(m.peers, id)
		}
	}
	m.sweepAt = max(minSweep, 2*len(m.peers))
}
