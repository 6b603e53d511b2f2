package main

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"github.com/skjold-exchange/skjold/federation"
)

// trust is a running node's part in a federation that is founded on a charter: what it believes of nodes that its operator
// has not pinned, and how it shows itself to such nodes.
type trust struct {
	entity        federation.EntityID
	members       *membership
	introductions *federation.Introductions
	chain         *federation.OwnChain // nil without superiors: an anchor, or a node that only pinned peers know
	peers         *federation.PeerChains
	endpoints     http.Handler
}

// newTrust prepares the node's part. identity is what it says about itself.
func (n *node) newTrust(entity federation.EntityID, keys *nodeKeys, identity *federation.WellKnownHandler, client *http.Client) (*trust, error) {
	t := &trust{entity: entity, members: n.members}
	t.introductions = federation.NewIntroductions(federation.IntroductionOptions{Self: entity, Chain: t.chainOptions})
	t.peers = federation.NewPeerChains(federation.PeerChainOptions{
		Self: entity, HTTP: client, Chain: t.chainOptions, Hosts: t.hosts, Logger: n.log, Dir: filepath.Join(string(n.dir), "federation", "chains"),
	})
	if len(n.cfg.Federation.Superiors) > 0 {
		var err error
		t.chain, err = federation.NewOwnChain(federation.OwnChainOptions{
			Configuration: identity.Current, HTTP: client, Chain: t.chainOptions, Logger: n.log, File: filepath.Join(string(n.dir), "federation", "chain.json"),
		})
		if err != nil {
			return nil, err
		}
	}
	t.endpoints = federation.NewEndpoints(federation.EndpointOptions{
		Entity: entity, BaseURL: n.cfg.PublicURL, FederationKey: keys.federation,
		Registry: federation.AdmittedBelow{Superior: entity, Ledger: n.members.current}, Chains: t.chainOf, Ledger: n.members.current,
		Introductions: t.introductions, IntroductionRate: n.cfg.Limits.IntroductionRate, Logger: n.log,
		Hosted: n.store, Authenticate: func(r *http.Request) (federation.Caller, error) { return n.verifier.Verify(r) },
		HistoricalKeys: func(context.Context) ([]federation.HistoricalKey, error) { return keys.former(), nil },
	})
	return t, nil
}

// chainOptions are what trust chains are checked against now.
func (t *trust) chainOptions() federation.ChainOptions {
	if ledger := t.members.current(); ledger != nil {
		return ledgerChainOptions(ledger, time.Now())
	}
	return federation.ChainOptions{Now: time.Now()}
}

// hosts are the hubs that may host the configuration of an entity.
func (t *trust) hosts(id federation.EntityID) []federation.EntityID {
	if ledger := t.members.current(); ledger != nil {
		return ledger.Hosts(id, time.Now())
	}
	return nil
}

// chainOf is the chain of an entity among those that the node holds: its own, and those of nodes that introduced themselves.
func (t *trust) chainOf(id federation.EntityID) *federation.TrustChain {
	if id == t.entity && t.chain != nil {
		return t.chain.Chain()
	}
	return t.introductions.Chain(id)
}

// issues tells whether the node issues statements about others, by the records.
func (t *trust) issues() bool {
	ledger := t.members.current()
	return ledger != nil && ledger.IssuesStatements(t.entity)
}

// statements are the node's own chain, to show to others.
func (t *trust) statements() []string {
	if t.chain == nil {
		return nil
	}
	return t.chain.Statements()
}
