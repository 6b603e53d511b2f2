package federation

import (
	"context"
	"errors"
	"time"
)

// EntityID is an OpenID Federation entity identifier in the one normal form that this federation admits: an https URL
// with a lower-case ASCII host, no default port, no query, fragment, user info or trailing slash, at most 255
// characters. http://127.0.0.1:PORT is admitted for nodes on one machine (development, demo, tests). Compared byte for
// byte; ParseEntityID refuses anything else.
type EntityID string

// ErrUnknownPeer: the node has not pinned this entity.
var ErrUnknownPeer = errors.New("unknown peer")

// Peer is another node that this node's operator has pinned, or that has introduced itself by its trust chain.
type Peer struct {
	Entity EntityID
	// JWKS is the peer's request keys (RFC 7517), public members only, as pinned.
	JWKS []byte
	// APIRoot is the absolute URL of the peer's TAXII API root, with a trailing slash.
	APIRoot string
	// Added is when the operator pinned it.
	Added time.Time
	// Until is when the trust chain ends by which the peer introduced itself; zero for one that the operator has pinned.
	Until time.Time
	// LastSeen is when the peer last authenticated here; zero for never.
	LastSeen time.Time
}

// Peers finds pinned peers. It runs concurrently, and sees another process's change within two seconds.
type Peers interface {
	// Peer returns a pinned peer, or ErrUnknownPeer.
	Peer(ctx context.Context, id EntityID) (Peer, error)
}
