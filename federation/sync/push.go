package sync

import (
	"context"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// Push is a collection of this node that is sent to a collection of a peer, by this node's own requests: so a node that
// accepts no connections gives others what it has. Only what was published at this node is sent, nothing that a peer sent.
type Push struct {
	ID         int64               `json:"id"`
	From       string              `json:"from"` // id of the local collection
	Peer       federation.EntityID `json:"peer"`
	Collection string              `json:"collection"` // at the peer: id, alias or title, as the operator wrote it
	// MaxTLP is the strictest level that is sent: clear, green or amber.
	MaxTLP  string    `json:"max_tlp"`
	Created time.Time `json:"created"`
}

// PushState is how far a push is, and how it goes.
type PushState struct {
	// After is the last entry that the peer has answered for.
	After taxii.DateAdded `json:"after"`
	// Sent counts the objects that the peer took or held already, Refused those that it did not; LastRefusal is why, of
	// the last one.
	Sent        int64  `json:"sent"`
	Refused     int64  `json:"refused"`
	LastRefusal string `json:"last_refusal,omitempty"`
	// LastAttempt, LastSuccess and Error tell how the last attempt went; Failures counts those in a row.
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	Error       string    `json:"error,omitempty"`
	Failures    int       `json:"failures"`
}

// PushStore is what pushing needs of the node's store. It runs concurrently.
type PushStore interface {
	// Pushes returns all pushes in order of creation.
	Pushes(ctx context.Context) ([]Push, error)
	// PushState returns how far a push is; the zero value at the beginning.
	PushState(ctx context.Context, id int64) (PushState, error)
	// SetPushState keeps it durably.
	SetPushState(ctx context.Context, id int64, state PushState) error
	// Page returns the next entries of a push with their bytes, after a position: those that may go to its peer at all, at
	// most limit.
	Page(ctx context.Context, p Push, after taxii.DateAdded, limit int) (taxii.Page, error)
}

// PushLevel reads the level up to which a push sends: what is stricter never leaves by federation.
func PushLevel(text string) (stix.TLP, bool) {
	level, err := stix.ParseTLP(text)
	return level, err == nil && level >= stix.TLPClear && level <= stix.TLPAmber
}
