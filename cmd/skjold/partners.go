package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

// partners finds the nodes that this one pulls from: those that the operator has pinned, and members of the federation by
// their trust chains. It asks others for chains, so it is for the node's own work and for no caller's request.
type partners struct {
	pinned federation.Peers
	chains *federation.PeerChains // nil where no founding charter is pinned
	// revoked, where set, is why a node is not asked anything; allow, where set, has the last word.
	revoked func(id federation.EntityID) error
	allow   func(p federation.Peer) error
}

// Peer implements federation.Peers.
func (p partners) Peer(ctx context.Context, id federation.EntityID) (federation.Peer, error) {
	if p.revoked != nil {
		if err := p.revoked(id); err != nil {
			return federation.Peer{}, err
		}
	}
	peer, err := p.pinned.Peer(ctx, id)
	if p.chains != nil && errors.Is(err, federation.ErrUnknownPeer) {
		peer, err = p.chains.Peer(ctx, id)
	}
	if err == nil && p.allow != nil {
		err = p.allow(peer)
	}
	return peer, err
}

// checkPartner tells whether a node may be pulled from: it is pinned, or its trust chain is found and holds; the chain is
// nil for a pinned one.
func (a *app) checkPartner(ctx context.Context, st *store.Store, id federation.EntityID) (*federation.TrustChain, error) {
	_, err := st.Peer(ctx, id)
	if !errors.Is(err, federation.ErrUnknownPeer) {
		return nil, err
	}
	cfg, err := a.loadConfig(dataDir(a.data), nil)
	if err != nil {
		return nil, err
	}
	switch {
	case string(id) == cfg.Entity:
		return nil, usagef("%s is this node itself", id)
	case cfg.Federation.Charter == "":
		return nil, fmt.Errorf("%s is not pinned: pin it with 'skjold federation peer add', or set federation.charter to pull from members of a federation that are not", id)
	case len(cfg.Federation.Superiors) == 0:
		return nil, fmt.Errorf("%s is not pinned, and this node could not introduce itself there: set federation.superiors to the entity that issues statements about it", id)
	}
	chain, err := a.resolveChain(ctx, cfg, id)
	if err != nil {
		return nil, fmt.Errorf("%s is not pinned, and nothing proves that it is a member:\n%w\n--later subscribes all the same, and the node goes on looking", id, err)
	}
	return chain, nil
}

// resolveChain finds the trust chain of an entity by what is held here and what its superiors answer.
func (a *app) resolveChain(ctx context.Context, cfg *config.Config, id federation.EntityID) (*federation.TrustChain, error) {
	ledger, _, err := a.charterOf("")
	if err != nil {
		return nil, err
	}
	client := federation.NewHTTPClient(federation.ClientOptions{Self: federation.EntityID(cfg.Entity), AllowPrivate: cfg.Federation.AllowPrivateAddresses})
	defer client.CloseIdleConnections()
	now := time.Now()
	return federation.ResolveTrustChain(ctx, client, id, ledger.Hosts(id, now), ledgerChainOptions(ledger, now))
}

// ledgerChainOptions are what chains are checked against by the records alone: the anchors of the charter in force, the
// votes behind every statement, and who is suspended. Without a charter there are no anchors, and no chain holds.
func ledgerChainOptions(ledger *federation.Ledger, now time.Time) federation.ChainOptions {
	o := admissionChainOptions(ledger, now)
	if o.Anchors != nil {
		o.Revoked = federation.NewRevocations(ledger).Check(now)
	}
	return o
}

// admissionChainOptions leave out who is suspended otherwise than by the records.
func admissionChainOptions(ledger *federation.Ledger, now time.Time) federation.ChainOptions {
	o := federation.ChainOptions{Now: now}
	charter, err := ledger.Charter()
	if err != nil {
		return o
	}
	o.Anchors = charter.TrustAnchors()
	o.Admission = func(superior federation.EntityID, s *federation.SubordinateStatement) error {
		return ledger.CheckAdmission(superior, s, now)
	}
	return o
}

// chainWords says in a sentence what a trust chain proves.
func chainWords(c *federation.TrustChain) string {
	path := []string{string(c.Entity)}
	for _, s := range c.Superiors {
		path = append(path, string(s.Issuer))
	}
	who := c.OrgID()
	if who == "" {
		who = "no legal identity"
	}
	return fmt.Sprintf("It is a member (%s) by the trust chain %s, which holds until %s and is renewed by itself.", who, strings.Join(path, " -> "), stamp(c.Expires))
}
