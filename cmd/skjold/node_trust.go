package main

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

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
	marks         checkedMarks
	endpoints     http.Handler
	revoked       *revocations
	state         *nodeState
	stated        *stated
}

// registry is what the node knows of members below it.
func (t *trust) registry() federation.AdmittedBelow {
	return federation.AdmittedBelow{Superior: t.entity, Ledger: t.members.current, Vouched: t.stated.vouched}
}

// newTrust prepares the node's part. identity is what it says about itself.
func (n *node) newTrust(ctx context.Context, entity federation.EntityID, keys *nodeKeys, identity *federation.WellKnownHandler, client *http.Client) (*trust, error) {
	t := &trust{entity: entity, members: n.members}
	t.stated = &stated{store: n.store, client: client, log: n.log, every: min(followEvery, n.cfg.Federation.StatementLife/2)}
	if err := t.openRevocations(ctx, n, keys, client); err != nil {
		return nil, err
	}
	t.introductions = federation.NewIntroductions(federation.IntroductionOptions{
		Self: entity, Chain: t.chainOptions, Closed: func() error { return t.state.closed() }, Shared: n.store,
	})
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
	var err error
	if t.state, err = newNodeState(ctx, t, n.store, n.registry, n.log); err != nil {
		return nil, err
	}
	t.endpoints = federation.NewEndpoints(federation.EndpointOptions{
		Entity: entity, BaseURL: n.cfg.PublicURL, FederationKey: keys.federation, StatementLife: n.cfg.Federation.StatementLife, Revocations: t.revoked.list,
		Registry: t.registry(), Chains: t.chainOf, Ledger: n.members.current,
		Introductions: t.introductions, IntroductionRate: n.cfg.Limits.IntroductionRate, Logger: n.log,
		Hosted: n.store, Authenticate: func(r *http.Request) (federation.Caller, error) { return n.verifier.Verify(r) },
		HistoricalKeys: func(context.Context) ([]federation.HistoricalKey, error) { return keys.former(), nil },
	})
	return t, nil
}

// chainOptions are what trust chains are checked against now.
func (t *trust) chainOptions() federation.ChainOptions {
	if ledger := t.members.current(); ledger != nil {
		o := admissionChainOptions(ledger, time.Now())
		o.Revoked = t.revoked.refuse
		return o
	}
	return federation.ChainOptions{Now: time.Now()}
}

// openRevocations prepares the node to sign, fetch and keep revocation lists.
func (t *trust) openRevocations(ctx context.Context, n *node, keys *nodeKeys, client *http.Client) error {
	failures := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "skjold_federation_list_failures_total", Help: "Attempts to get the revocation lists of the anchors, and records, that failed.",
	})
	if err := n.registry.Register(failures); err != nil {
		return err
	}
	t.revoked = &revocations{
		entity: t.entity, store: n.store, client: client, members: n.members, key: keys.federation, interval: n.cfg.Federation.RevocationInterval,
		log: n.log, failures: failures.Inc,
	}
	for _, s := range n.cfg.Federation.Superiors {
		t.revoked.superiors = append(t.revoked.superiors, federation.EntityID(s))
	}
	return t.revoked.open(ctx)
}

// run keeps the node's part in the federation until ctx ends.
func (t *trust) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.members.run(ctx) })
	group.Go(func() error { return t.revoked.run(ctx) })
	group.Go(func() error { return t.state.run(ctx) })
	group.Go(func() error { return t.stated.run(ctx, t.registry()) })
	if t.chain != nil {
		group.Go(func() error { return t.chain.Run(ctx) })
	}
	return group.Wait()
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
