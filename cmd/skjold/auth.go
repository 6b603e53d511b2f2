package main

import (
	"fmt"
	"net/http"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// authenticator tells the two realms apart: request tokens of peers, and keys of this node's own accounts. A key never
// makes a peer, and a token never makes an account.
type authenticator struct {
	accounts taxii.KeyAuth
	peers    *federation.Verifier
	store    *store.Store
}

func (n *node) authenticator() taxii.Authenticator {
	return authenticator{accounts: taxii.KeyAuth{Accounts: n.store}, peers: n.verifier, store: n.store}
}

// Authenticate implements taxii.Authenticator.
func (a authenticator) Authenticate(r *http.Request) (*taxii.Principal, error) {
	if h := r.Header.Values("Authorization"); len(h) != 1 || !federation.IsRequestToken(h[0]) {
		return a.accounts.Authenticate(r)
	}
	if a.peers == nil {
		return nil, fmt.Errorf("%w: a request token, but federation is off", taxii.ErrUnauthenticated)
	}
	caller, err := a.peers.Verify(r)
	switch reason := federation.ReasonOf(err); {
	case err == nil:
	case reason == "" || reason == federation.TooMany: // the store does not answer, or the peer used up its memory of tokens
		return nil, fmt.Errorf("%w: %w", taxii.ErrUnavailable, err)
	default:
		return nil, fmt.Errorf("%w: %w", taxii.ErrUnauthenticated, err)
	}
	p, err := a.store.PeerPrincipal(r.Context(), caller.Peer.Entity)
	if err != nil {
		return nil, err
	}
	p.CheckBody = caller.CheckBody
	return p, nil
}
