package store

import (
	"context"
	"fmt"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// PeerInfo is a pinned peer with its rights here and what was observed of it.
type PeerInfo struct {
	federation.Peer
	// Rights and MaxTLP by collection id; nothing is served without an entry in both.
	Rights map[string]taxii.Rights
	MaxTLP map[string]stix.TLP
	Seen   Seen
}

// AddPeer pins a peer. With replace, the keys and the API root of a peer that is pinned already are exchanged and its
// rights stay; without, that is ErrExists.
func (s *Store) AddPeer(ctx context.Context, p federation.Peer, replace bool) error {
	if p.Entity == "" || len(p.JWKS) == 0 {
		return invalid("a peer has an entity id and request keys")
	}
	return s.write(ctx, func(c conn) error {
		n, err := accountNumber(c, taxii.PeerNode, string(p.Entity))
		if err != nil {
			return err
		}
		if n != 0 && replace {
			_, err := c.Exec(`UPDATE peer SET jwks = $2, api_root = $3 WHERE account = $1`, n, p.JWKS, p.APIRoot)
			return err
		}
		added := p.Added
		if added.IsZero() {
			added = s.now()
		}
		if n, err = addAccount(c, taxii.PeerNode, string(p.Entity), added); err != nil {
			return err
		}
		_, err = c.Exec(`INSERT INTO peer (account, jwks, api_root) VALUES ($1, $2, $3)`, n, p.JWKS, p.APIRoot)
		return err
	})
}

// peerNumber finds a peer's account; federation.ErrUnknownPeer.
func peerNumber(c conn, id federation.EntityID) (int64, error) {
	n, err := accountNumber(c, taxii.PeerNode, string(id))
	if err == nil && n == 0 {
		err = fmt.Errorf("%q: %w", id, federation.ErrUnknownPeer)
	}
	return n, err
}

// RemovePeer removes a peer, its rights and the statuses of what it submitted. The errors are federation.ErrUnknownPeer and ErrInUse (something is
// subscribed to from it).
func (s *Store) RemovePeer(ctx context.Context, id federation.EntityID) error {
	return s.write(ctx, func(c conn) error {
		n, err := peerNumber(c, id)
		if err != nil {
			return err
		}
		subscriptions, err := number(c, `SELECT COUNT(*) FROM subscription WHERE peer = $1`, string(id))
		if err != nil {
			return err
		}
		if subscriptions > 0 {
			return fmt.Errorf("%d subscriptions pull from peer %q; remove them first: %w", subscriptions, id, ErrInUse)
		}
		return removeAccount(c, n, string(id))
	})
}

// AllowPeer sets a peer's rights on a collection (by id) and the strictest level that it is served from it; no rights
// at all remove the entry. The errors are federation.ErrUnknownPeer and taxii.ErrNotFound.
func (s *Store) AllowPeer(ctx context.Context, id federation.EntityID, collection string, r taxii.Rights, maxTLP stix.TLP) error {
	if maxTLP > stix.TLPRed {
		return invalid("%v is not a TLP level", maxTLP)
	}
	return s.write(ctx, func(c conn) error {
		n, err := peerNumber(c, id)
		if err != nil {
			return err
		}
		return setRight(c, n, collection, r, maxTLP)
	})
}

// Peers returns all pinned peers in order of entity id.
func (s *Store) Peers(ctx context.Context) ([]PeerInfo, error) {
	var list []PeerInfo
	err := s.read(ctx, func(c conn) error {
		list = nil
		rows, err := accounts(c, taxii.PeerNode)
		if err != nil {
			return err
		}
		for _, a := range rows {
			info := PeerInfo{Rights: a.rights, MaxTLP: a.maxTLP, Seen: a.seen}
			if info.Peer, err = pinned(c, federation.EntityID(a.name)); err != nil {
				return err
			}
			list = append(list, info)
		}
		return nil
	})
	return list, err
}

// onePeer finds what is pinned of a peer.
const onePeer = `SELECT a.created, a.last_seen, p.jwks, p.api_root FROM account a JOIN peer p ON p.account = a.number
	WHERE a.kind = $1 AND a.name = $2`

// pinned reads what is pinned of a peer; federation.ErrUnknownPeer.
func pinned(c conn, id federation.EntityID) (federation.Peer, error) {
	p := federation.Peer{Entity: id}
	found, err := one(c, onePeer, []any{string(taxii.PeerNode), string(id)}, func(r row) error {
		p.Added, p.LastSeen, p.JWKS, p.APIRoot = timeOf(r.Int(0)), timeOf(r.Int(1)), r.Bytes(2), r.Text(3)
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%q: %w", id, federation.ErrUnknownPeer)
	}
	if err != nil {
		return federation.Peer{}, err
	}
	return p, nil
}

// Peer returns a pinned peer; federation.ErrUnknownPeer.
func (s *Store) Peer(ctx context.Context, id federation.EntityID) (federation.Peer, error) {
	var p federation.Peer
	err := s.read(ctx, func(c conn) (err error) {
		p, err = pinned(c, id)
		return err
	})
	return p, err
}

// PeerPrincipal returns the principal of a peer that has authenticated; federation.ErrUnknownPeer.
func (s *Store) PeerPrincipal(ctx context.Context, id federation.EntityID) (*taxii.Principal, error) {
	var a account
	err := s.read(ctx, func(c conn) error {
		n, err := peerNumber(c, id)
		if err != nil {
			return err
		}
		a = account{number: n}
		return a.readRights(c)
	})
	if err != nil {
		return nil, err
	}
	return &taxii.Principal{Kind: taxii.PeerNode, Name: string(id), Rights: a.rights, MaxTLP: a.maxTLP}, nil
}
