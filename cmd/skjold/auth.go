package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// authenticator tells the realms apart: request tokens of peers, and keys, passwords and certificates of this node's own
// accounts. A key never makes a peer, and a token never makes an account.
type authenticator struct {
	accounts     taxii.Authenticator
	certificates certificateAccounts
	peers        *federation.Verifier
	opened       *openedCollections
	store        *store.Store
}

// newAuthenticator is made once for a node: it remembers credentials, and counts those that fail.
func (n *node) newAuthenticator() taxii.Authenticator {
	cache := taxii.NewCredentialCache(0, nil)
	return taxii.LimitStrangers(authenticator{
		accounts:     cache.KeyAuth(n.store),
		certificates: certificateAccounts{files: n.tls, cache: cache, store: n.store},
		peers:        n.verifier, opened: newOpenedCollections(n.store, n.trust), store: n.store,
	}, taxii.StrangerOptions{PerMinute: int64(n.cfg.Limits.FailureRate)})
}

// Authenticate implements taxii.Authenticator.
func (a authenticator) Authenticate(r *http.Request) (*taxii.Principal, error) {
	authorization := r.Header.Values("Authorization")
	if len(authorization)+len(r.Header.Values("X-Api-Key")) == 0 && a.certificates.sent(r) {
		return a.certificates.Authenticate(r)
	}
	if len(authorization) != 1 || !federation.IsRequestToken(authorization[0]) {
		return a.accounts.Authenticate(r)
	}
	if a.peers == nil {
		return nil, fmt.Errorf("%w: a request token, but federation is off", taxii.ErrUnauthenticated)
	}
	caller, err := a.peers.Verify(r)
	switch reason := federation.ReasonOf(err); {
	case err == nil:
	case reason == federation.ChainUnknown:
		return nil, &taxii.ChallengeError{Code: federation.UnknownChain, Err: err}
	case errors.Is(err, errIsolated): // it is this node that has to come back
		return nil, fmt.Errorf("%w: %w", taxii.ErrUnavailable, err)
	case reason == "" || reason == federation.TooMany: // the store does not answer, or the peer used up its memory of tokens
		return nil, fmt.Errorf("%w: %w", taxii.ErrUnavailable, err)
	default:
		return nil, fmt.Errorf("%w: %w", taxii.ErrUnauthenticated, err)
	}
	p, err := a.principal(r.Context(), caller.Peer)
	if err != nil {
		return nil, err
	}
	p.CheckBody = caller.CheckBody
	return p, nil
}

// principal is a peer that the operator has pinned, with its rights, or a member that introduced itself, with those of
// all members. A node that can't check peers against the federation takes nothing of them; they send it again later.
func (a authenticator) principal(ctx context.Context, p federation.Peer) (principal *taxii.Principal, err error) {
	if p.Until.IsZero() {
		principal, err = a.store.PeerPrincipal(ctx, p.Entity)
	} else {
		principal, err = a.opened.principal(ctx, p.Entity)
	}
	if err == nil && a.opened.trust != nil && a.opened.trust.state.quarantine() != "" {
		for id, r := range principal.Rights {
			r.Write = false
			principal.Rights[id] = r
		}
	}
	return principal, err
}

// certificateAccounts finds the accounts that client certificates are bound to. What a request says of itself in its
// headers goes before the certificate of its connection.
type certificateAccounts struct {
	files *tlsFiles
	cache *taxii.CredentialCache
	store *store.Store
}

// sent tells whether the connection came with a certificate, and whether certificates count here.
func (a certificateAccounts) sent(r *http.Request) bool {
	return a.files != nil && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && a.files.clientRoots() != nil
}

// Authenticate implements taxii.Authenticator. The handshake has shown that the caller holds the certificate's key; here it
// is asked whose it is, then whether it is valid: a stranger's certificate costs one lookup and no signatures.
func (a certificateAccounts) Authenticate(r *http.Request) (*taxii.Principal, error) {
	chain := r.TLS.PeerCertificates
	fingerprint := store.Fingerprint(sha256.Sum256(chain[0].Raw))
	return a.cache.Principal("certificate", []string{string(fingerprint[:])}, func() (*taxii.Principal, error) {
		return a.find(r.Context(), fingerprint, chain)
	})
}

func (a certificateAccounts) find(ctx context.Context, f store.Fingerprint, chain []*x509.Certificate) (*taxii.Principal, error) {
	p, err := a.store.CertificateAccount(ctx, f)
	if err != nil {
		return nil, err
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots: a.files.clientRoots(), Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, fmt.Errorf("%w: the certificate of %s: %w", taxii.ErrUnauthenticated, p.Name, err)
	}
	return p, nil
}
