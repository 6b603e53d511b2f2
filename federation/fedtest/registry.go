package fedtest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// serve mounts the federation endpoints of a node.
func (n *Node) serve() {
	o := federation.EndpointOptions{
		Entity: n.ID, FederationKey: func() *jose.Key { return n.Keys.Federation }, Ledger: func() *federation.Ledger { return n.federation.Ledger }, Introductions: n.Introductions,
		Chains: n.Introductions.Chain, Now: n.federation.Clock.Now,
		HistoricalKeys: func(context.Context) ([]federation.HistoricalKey, error) { return n.Historical, nil },
	}
	if n.IssuesStatements() {
		o.Registry = n.Registry()
	}
	n.Mux.Handle("/federation/v1/", federation.NewEndpoints(o))
}

// Registry is what the node knows of those right below it.
func (n *Node) Registry() federation.Registry { return registry{n} }

// registry is what a node knows of its subordinates.
type registry struct{ node *Node }

// Subordinate implements federation.Registry.
func (r registry) Subordinate(_ context.Context, id federation.EntityID) (federation.Subordinate, error) {
	for _, n := range r.node.subordinates {
		if n.ID == id {
			return n.subordinate(), nil
		}
	}
	return federation.Subordinate{}, federation.ErrUnknownSubordinate
}

// Subordinates implements federation.Registry.
func (r registry) Subordinates(context.Context) ([]federation.Subordinate, error) {
	list := make([]federation.Subordinate, len(r.node.subordinates))
	for i, n := range r.node.subordinates {
		list[i] = n.subordinate()
	}
	slices.SortFunc(list, func(a, b federation.Subordinate) int { return cmp.Compare(a.Entity, b.Entity) })
	return list, nil
}

// subordinate is the node as its superior knows it.
func (n *Node) subordinate() federation.Subordinate {
	s := n.Statement()
	types := []string{nodeType}
	if n.IssuesStatements() {
		types = append(types, "federation_entity")
	}
	return federation.Subordinate{
		Entity: n.ID, Keys: s.Keys, Metadata: s.Metadata, Constraints: s.Constraints, Policy: s.Policy, Admission: n.Admission,
		EntityTypes: types, Intermediate: n.IssuesStatements(), TrustMarks: n.TrustMarks,
	}
}

// Verifier authenticates requests to the node: of peers that are pinned, nil for none, and of those that introduced
// themselves.
func (n *Node) Verifier(pinned federation.Peers) *federation.Verifier {
	if pinned == nil {
		pinned = nobody{}
	}
	v, err := federation.NewVerifier(federation.VerifierOptions{
		Self: n.ID, Peers: pinned, Introductions: n.Introductions, Now: n.federation.Clock.Now, Start: n.federation.Clock.Now().Add(-time.Hour),
	})
	return must(v, err)(n.federation.T)
}

// nobody is pinned.
type nobody struct{}

func (nobody) Peer(context.Context, federation.EntityID) (federation.Peer, error) {
	return federation.Peer{}, federation.ErrUnknownPeer
}
