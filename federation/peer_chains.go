package federation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// ErrNoChain: no trust chain of the entity holds, and none was found.
var ErrNoChain = errors.New("no trust chain holds")

// maxPeerChains bounds the entities whose chains are kept. Their names are the operator's.
const maxPeerChains = 4096

// PeerChainOptions say how the chains of other nodes are found.
type PeerChainOptions struct {
	// Self is this node.
	Self EntityID
	// HTTP is the one outgoing client.
	HTTP *http.Client
	// Chain says what chains are checked against now.
	Chain func() ChainOptions
	// Hosts names the hubs that may host the configuration of an entity; nil for none.
	Hosts func(EntityID) []EntityID
	// Dir is where chains are kept for the next start, "" for nowhere.
	Dir string
	// Logger is told of what fails; nil for slog.Default.
	Logger *slog.Logger
}

// PeerChains keeps the trust chains of nodes that this node's operator has named and not pinned: those that it pulls from,
// and the issuers of trust marks that it asks for. A chain is looked for when it is first wanted, again at half its life,
// and when it no longer holds: so a peer's new keys and its new address are taken up. While a search fails, a chain that
// holds goes on until its end.
//
// Its methods ask other nodes. They are for what this node does by itself, never for what a caller's request causes: a
// Verifier is given other Peers. It runs concurrently.
type PeerChains struct {
	options PeerChainOptions

	mu    sync.Mutex
	peers map[EntityID]*peerChain
}

// peerChain is what is known of one entity.
type peerChain struct {
	search sync.Mutex // one search at a time

	mu      sync.Mutex // guards what follows
	read    bool       // the file was looked at
	chain   *TrustChain
	renew   time.Time     // when it is looked for again while it holds
	retry   time.Time     // not before, after a search that failed
	pause   time.Duration // that one's
	failure error
}

// NewPeerChains makes the keeper of chains; nothing is asked of anybody yet.
func NewPeerChains(o PeerChainOptions) *PeerChains {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &PeerChains{options: o, peers: make(map[EntityID]*peerChain)}
}

// Peer returns a node as its trust chain describes it, until the chain ends: it implements Peers for a Puller. It looks for
// the chain where there is none. The error matches ErrNoChain and says why there is none.
func (p *PeerChains) Peer(ctx context.Context, id EntityID) (Peer, error) {
	chain, err := p.Find(ctx, id)
	if err != nil {
		return Peer{}, err
	}
	peer, _, err := chain.peer(p.options.Chain().Now)
	if err != nil {
		return Peer{}, fmt.Errorf("trust chain of %s: %w", id, err)
	}
	return peer, nil
}

// Find returns the chain of an entity that the operator has named. The error matches ErrNoChain.
func (p *PeerChains) Find(ctx context.Context, id EntityID) (*TrustChain, error) {
	if id == p.options.Self || !id.sameWorld(p.options.Self) {
		return nil, fmt.Errorf("%s: %w: this node and it are no partners", id, ErrNoChain)
	}
	e, err := p.entry(id)
	if err != nil {
		return nil, err
	}
	if chain, err, settled := e.known(p.options.Chain()); settled {
		return chain, err
	}
	e.search.Lock() // whoever waits here finds what the other found
	defer e.search.Unlock()
	p.read(id, e)
	if chain, err, settled := e.known(p.options.Chain()); settled {
		return chain, err
	}
	found, err := p.resolve(ctx, id)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return e.failed(err, p.options.Chain())
	}
	e.found(found, p.options.Chain().Now)
	if err := p.keep(found); err != nil {
		p.options.Logger.Warn("a peer's trust chain is not kept for the next start", "peer", id, "error", err)
	}
	return found, nil
}

// Chain returns the chain of an entity if it is at hand and holds; nil otherwise. It asks nobody.
func (p *PeerChains) Chain(id EntityID) *TrustChain {
	p.mu.Lock()
	e := p.peers[id]
	p.mu.Unlock()
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.chain == nil || e.chain.Check(p.options.Chain()) != nil {
		return nil
	}
	return e.chain
}

func (p *PeerChains) entry(id EntityID) (*peerChain, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.peers[id]
	if e == nil {
		if len(p.peers) >= maxPeerChains {
			return nil, fmt.Errorf("%s: %w: the chains of %d nodes are kept already", id, ErrNoChain, maxPeerChains)
		}
		e = new(peerChain)
		p.peers[id] = e
	}
	return e, nil
}

func (p *PeerChains) resolve(ctx context.Context, id EntityID) (*TrustChain, error) {
	var hosts []EntityID
	if p.options.Hosts != nil {
		hosts = p.options.Hosts(id)
	}
	chain, err := ResolveTrustChain(ctx, p.options.HTTP, id, hosts, p.options.Chain())
	if err != nil {
		return nil, err
	}
	if chain.Entity != id {
		return nil, fmt.Errorf("the trust chain that was found is that of %s", chain.Entity)
	}
	return chain, nil
}

// known returns what needs no search: a chain that holds and is not due, or the failure of a search that is not due again.
func (e *peerChain) known(o ChainOptions) (chain *TrustChain, err error, settled bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	holds := e.chain != nil && e.chain.Check(o) == nil
	waits := o.Now.Before(e.retry) && e.retry.Sub(o.Now) <= e.pause // a clock that was set back waits no longer
	switch {
	case holds && (o.Now.Before(e.renew) || waits):
		return e.chain, nil, true
	case waits:
		return nil, e.noChain(o), true
	}
	return nil, nil, false
}

// noChain says why there is no chain. The caller holds the lock.
func (e *peerChain) noChain(o ChainOptions) error {
	if e.chain != nil {
		return fmt.Errorf("%w: %w", ErrNoChain, errors.Join(e.chain.Check(o), e.failure))
	}
	return fmt.Errorf("%w: %w", ErrNoChain, e.failure)
}

func (e *peerChain) found(chain *TrustChain, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.chain, e.failure, e.retry, e.pause = chain, nil, time.Time{}, 0
	e.renew = now.Add(max(jitter(chain.Expires.Sub(now)/2), soonest))
}

// failed notes a search that found nothing, and returns the chain from before if it holds.
func (e *peerChain) failed(failure error, o ChainOptions) (*TrustChain, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pause = min(max(2*e.pause, firstRetry), lastRetry)
	e.retry, e.failure = o.Now.Add(e.pause), failure
	if e.chain != nil && e.chain.Check(o) == nil {
		return e.chain, nil
	}
	return nil, e.noChain(o)
}

// file is where the chain of an entity is kept.
func (p *PeerChains) file(id EntityID) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(p.options.Dir, base64.RawURLEncoding.EncodeToString(sum[:])+".json")
}

// read takes the chain of the file, once, if it is the entity's and still holds.
func (p *PeerChains) read(id EntityID, e *peerChain) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.read || p.options.Dir == "" {
		return
	}
	e.read = true
	text, err := os.ReadFile(p.file(id))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.options.Logger.Warn("a kept trust chain cannot be read; it is looked for anew", "peer", id, "error", err)
		}
		return
	}
	statements, err := ParseTrustChain(text)
	if err != nil {
		return
	}
	o := p.options.Chain()
	if chain, err := VerifyTrustChain(statements, o); err == nil && chain.Entity == id {
		e.chain = chain
		e.renew = chain.Configuration.IssuedAt.Add(jitter(chain.Expires.Sub(chain.Configuration.IssuedAt) / 2))
	}
}

func (p *PeerChains) keep(chain *TrustChain) error {
	if p.options.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(p.options.Dir, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(chain.Statements)
	if err != nil {
		return err
	}
	return replaceFile(p.file(chain.Entity), text)
}

// peer is the entity of a chain as this node speaks with it, and its request keys.
func (c *TrustChain) peer(added time.Time) (Peer, jose.KeySet, error) {
	keys, err := c.RequestKeys()
	if err != nil {
		return Peer{}, keys, err
	}
	text, err := json.Marshal(keys)
	if err != nil {
		return Peer{}, keys, err
	}
	apiRoot := c.Metadata.Text(nodeType, "api_root")
	if err := CheckAPIRoot(c.Entity, apiRoot); err != nil {
		return Peer{}, keys, err
	}
	return Peer{Entity: c.Entity, JWKS: text, APIRoot: apiRoot, Added: added, Until: c.Expires}, keys, nil
}
