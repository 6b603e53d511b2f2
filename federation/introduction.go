package federation

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// The bounds of Introductions unless its options say otherwise.
const (
	defaultIntroductions = 4096
	// defaultPerSuperior is what the subordinates of one superior may take: a hub whose key was stolen can fill its own
	// share and no more.
	defaultPerSuperior = 1024
)

// inUse is how long a node that was introduced is not forgotten for another: as long as its tokens are remembered.
const inUse = maxTokenAge + clockLeeway

// recheckAfter is how often the chain of a caller is held against the records and the revocations anew.
const recheckAfter = 2 * time.Second

// ErrManyIntroductions: as many nodes have introduced themselves, and are active, as are remembered.
var ErrManyIntroductions = errors.New("too many nodes have introduced themselves")

// ErrIntroductionsClosed: the node can't check new chains at present, as its revocation list is too old.
var ErrIntroductionsClosed = errors.New("nobody new is accepted at present")

// IntroductionOptions say what introductions are checked against.
type IntroductionOptions struct {
	// Self is this node.
	Self EntityID
	// Chain says what chains are checked against now: its time, the anchors, admissions and revocations.
	Chain func() ChainOptions
	// Closed, where set, returns why nobody who is not known already is taken at present; nil if everybody may come.
	Closed func() error
	// Shared, where set, keeps chains for all processes that serve this node, and over restarts; without it each process asks
	// for them by itself, and forgets them when it ends.
	Shared SharedChains
	// Capacity is how many nodes are remembered, 0 means 4,096; PerSuperior how many below one superior, 0 means 1,024.
	Capacity, PerSuperior int
}

// Introductions remembers the nodes that have introduced themselves by their trust chain, until the chain ends. It fetches
// nothing, and it runs concurrently.
type Introductions struct {
	options IntroductionOptions

	mu     sync.Mutex
	known  map[EntityID]*list.Element // of *introduced
	recent *list.List                 // the one used last is in front
	shares map[EntityID]int           // how many by their immediate superior
	doubts map[EntityID]time.Time     // when a chain of Shared was found not to hold
}

// introduced is one node.
type introduced struct {
	chain   *TrustChain
	peer    Peer
	keys    jose.KeySet
	used    time.Time
	checked time.Time
}

// NewIntroductions makes an empty memory.
func NewIntroductions(o IntroductionOptions) *Introductions {
	if o.Capacity == 0 {
		o.Capacity = defaultIntroductions
	}
	if o.PerSuperior == 0 {
		o.PerSuperior = defaultPerSuperior
	}
	return &Introductions{options: o, known: make(map[EntityID]*list.Element), recent: list.New(), shares: make(map[EntityID]int)}
}

// Introduce verifies a chain against the pinned anchors and remembers whom it is about. A chain that is known already
// costs no signatures.
func (in *Introductions) Introduce(statements []string) (*TrustChain, error) {
	o := in.options.Chain()
	if known := in.same(statements, o); known != nil {
		return known, nil
	}
	if in.options.Closed != nil {
		if err := in.options.Closed(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrIntroductionsClosed, err)
		}
	}
	return in.accept(statements, o)
}

// accept verifies a chain and remembers whom it is about, also while nobody new may come.
func (in *Introductions) accept(statements []string, o ChainOptions) (*TrustChain, error) {
	chain, err := VerifyTrustChain(statements, o)
	if err != nil {
		return nil, err
	}
	if chain.Entity == in.options.Self || !chain.Entity.sameWorld(in.options.Self) {
		return nil, fmt.Errorf("trust chain of %s: this node and it are no partners", chain.Entity)
	}
	peer, keys, err := chain.peer(o.Now)
	if err != nil {
		return nil, fmt.Errorf("trust chain of %s: %w", chain.Entity, err)
	}
	return chain, in.remember(&introduced{chain: chain, peer: peer, keys: keys, used: o.Now, checked: o.Now})
}

// same returns the chain of these statements if it is remembered and holds.
func (in *Introductions) same(statements []string, o ChainOptions) *TrustChain {
	in.mu.Lock()
	defer in.mu.Unlock()
	for e := in.recent.Front(); len(statements) > 0 && e != nil; e = e.Next() {
		chain := e.Value.(*introduced).chain
		if chain.Statements[0] != statements[0] { // it is one entity's
			continue
		}
		if len(chain.Statements) != len(statements) || chain.Check(o) != nil {
			return nil
		}
		for i, s := range statements {
			if chain.Statements[i] != s {
				return nil
			}
		}
		return chain
	}
	return nil
}

func (in *Introductions) remember(n *introduced) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if e, ok := in.known[n.chain.Entity]; ok {
		in.drop(e)
	}
	superior := n.chain.Superiors[0].Issuer
	if in.shares[superior] >= in.options.PerSuperior && !in.dropIdle(n.used, superior) || in.recent.Len() >= in.options.Capacity && !in.dropIdle(n.used, "") {
		return fmt.Errorf("trust chain of %s: %w", n.chain.Entity, ErrManyIntroductions)
	}
	in.known[n.chain.Entity] = in.recent.PushFront(n)
	in.shares[superior]++
	return nil
}

// dropIdle forgets the node that was silent for longest, of one superior or, with "", of all; false if all are active.
func (in *Introductions) dropIdle(now time.Time, superior EntityID) bool {
	for e := in.recent.Back(); e != nil; e = e.Prev() {
		n := e.Value.(*introduced)
		if now.Sub(n.used) < inUse {
			return false // those in front were used later
		}
		if superior == "" || n.chain.Superiors[0].Issuer == superior {
			in.drop(e)
			return true
		}
	}
	return false
}

// drop forgets a node. The caller holds the lock.
func (in *Introductions) drop(e *list.Element) {
	n := in.recent.Remove(e).(*introduced)
	delete(in.known, n.chain.Entity)
	superior := n.chain.Superiors[0].Issuer
	if in.shares[superior]--; in.shares[superior] == 0 {
		delete(in.shares, superior)
	}
}

// find returns a node whose chain still holds; nil if there is none.
func (in *Introductions) find(id EntityID) *introduced {
	o := in.options.Chain()
	in.mu.Lock()
	defer in.mu.Unlock()
	e, ok := in.known[id]
	if !ok {
		return nil
	}
	n := e.Value.(*introduced)
	since := o.Now.Sub(n.checked)
	if !o.Now.Before(n.chain.Expires) {
		in.drop(e)
		return nil
	}
	if since < 0 || since >= recheckAfter {
		if n.chain.Check(o) != nil {
			in.drop(e)
			return nil
		}
		n.checked = o.Now
	}
	n.used = o.Now
	in.recent.MoveToFront(e)
	return n
}

// Peer returns a node that has introduced itself and whose chain still holds, or ErrUnknownPeer: it implements Peers.
func (in *Introductions) Peer(_ context.Context, id EntityID) (Peer, error) {
	if n := in.find(id); n != nil {
		return n.peer, nil
	}
	return Peer{}, ErrUnknownPeer
}

// Chain returns the chain of a node that has introduced itself, if it still holds; nil otherwise.
func (in *Introductions) Chain(id EntityID) *TrustChain {
	if n := in.find(id); n != nil {
		return n.chain
	}
	return nil
}

// Len is how many nodes are remembered.
func (in *Introductions) Len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.recent.Len()
}
