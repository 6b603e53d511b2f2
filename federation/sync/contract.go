// Package sync replicates collections between nodes: a Puller per subscription reads a peer's collection by cursor and
// stores page and cursor in one transaction, so that a crash repeats a page and never skips one. A Pusher sends what a node
// publishes to peers that cannot connect to it, with keys that make a repetition harmless.
package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/taxii"
)

// ErrConflict: the subscription's cursor is no longer the one that the page was asked with (another process pulled, or
// the operator reset it). Nothing was stored; the puller starts again from the stored cursor.
var ErrConflict = errors.New("the cursor has moved")

// Cursor is a position in a peer's collection.
type Cursor struct {
	// AddedAfter is the last X-TAXII-Date-Added-Last, as the peer wrote it; "" at the beginning.
	AddedAfter string `json:"added_after,omitempty"`
	// Next is the peer's page token, where the last page had more.
	Next string `json:"next,omitempty"`
}

// Rules say what a subscription takes of objects that break rules of STIX 2.1.
type Rules string

// The rules. Objects that an exchange could not handle (stix.Report.Acceptable) are quarantined under all of them.
const (
	RulesOfNode  Rules = ""        // as the node does (Options.Lenient)
	RulesStrict  Rules = "strict"  // every violation keeps an object out
	RulesLenient Rules = "lenient" // stored, and the violations are recorded beside the object
)

// ErrRules: the text is none of the rules.
var ErrRules = errors.New("the rules of a subscription are strict, lenient, or nothing for those of the node")

// Check returns ErrRules for any other text.
func (r Rules) Check() error {
	switch r {
	case RulesOfNode, RulesStrict, RulesLenient:
		return nil
	}
	return fmt.Errorf("%q: %w", string(r), ErrRules)
}

// Subscription is one collection of a peer that is pulled into a collection of this node.
type Subscription struct {
	ID         int64
	Peer       federation.EntityID
	Collection string // at the peer: id, alias or title, as the operator wrote it
	Into       string // id of the local collection
	// Rules are for what comes from this peer's collection, whatever the rules of the local one are: those are for what
	// is published into it here.
	Rules   Rules
	Cursor  Cursor
	Created time.Time
	// LastAttempt, LastSuccess and Error tell how the last pull went; Failures counts those in a row.
	LastAttempt, LastSuccess time.Time
	Error                    string
	Failures                 int
	// Received and Quarantined count objects since the beginning.
	Received, Quarantined int64
	// Dropped counts what the quarantine no longer holds of these because it was full: the oldest make room for the new.
	Dropped int64
}

// PulledPage is one page of a peer's collection, with what is to be made of each object.
type PulledPage struct {
	Subscription int64
	From         Cursor // the cursor that the page was asked with
	To           Cursor // where the next pull begins
	Received     time.Time
	// Items in the peer's order; a refused one is quarantined with its reason and, where there are, its bytes.
	Items []PulledItem
}

// PulledItem is an object of a page.
type PulledItem struct {
	taxii.Item
	Raw []byte // what came, for the quarantine
}

// Applied tells what became of a page.
type Applied struct {
	Stored      int // new entries
	Violating   int // of those stored, the ones that break rules of STIX 2.1, with the violations recorded
	Known       int // already held, nothing changed
	Quarantined int // refused by the rules or in conflict with what is held, kept with the reason
	Tombstoned  int // deleted here before, not brought back
}

// Store is what replication needs of the node's store.
type Store interface {
	// Subscriptions returns all subscriptions in order of creation.
	Subscriptions(ctx context.Context) ([]Subscription, error)
	// Apply stores a page, its quarantine and the cursor in one durable transaction; ErrConflict if the stored cursor
	// is not page.From. An empty page with From == To only notes the success. The violations of an item are recorded
	// beside its object.
	Apply(ctx context.Context, page PulledPage) (Applied, error)
	// PullFailed notes a failed attempt and its reason, in words for the operator.
	PullFailed(ctx context.Context, subscription int64, at time.Time, reason string) error
}
