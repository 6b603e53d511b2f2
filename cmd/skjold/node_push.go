package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// pushesFact is where a node notes what it pushes: a JSON array of sync.Push. Commands write it.
	pushesFact = "pushes"
	// pushStateFact and a push's number are where it notes how far that is. The running node writes it.
	pushStateFact = "push_state_"
)

// pushStore gives a Pusher what it needs of the node's store.
type pushStore struct{ store *store.Store }

// Pushes implements sync.PushStore.
func (s pushStore) Pushes(ctx context.Context) ([]sync.Push, error) {
	return readFact[[]sync.Push](ctx, s.store, pushesFact)
}

// assignedPushes are those that this process sees to, of several that serve the node.
type assignedPushes struct{ pushStore }

// pushing is the prefix of the duty of a hub's process to see to a push, before its number.
const pushing = "push "

// Pushes implements sync.PushStore.
func (s assignedPushes) Pushes(ctx context.Context) ([]sync.Push, error) {
	all, err := s.pushStore.Pushes(ctx)
	if err != nil {
		return nil, err
	}
	duty := func(p sync.Push) string { return pushing + strconv.FormatInt(p.ID, 10) }
	duties := make([]string, len(all))
	for i, p := range all {
		duties[i] = duty(p)
	}
	held, err := s.store.Hold(ctx, "pushes", duties)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p sync.Push) bool { return !slices.Contains(held, duty(p)) }), nil
}

// PushState implements sync.PushStore.
func (s pushStore) PushState(ctx context.Context, id int64) (sync.PushState, error) {
	return readFact[sync.PushState](ctx, s.store, pushStateFact+strconv.FormatInt(id, 10))
}

// SetPushState implements sync.PushStore.
func (s pushStore) SetPushState(ctx context.Context, id int64, state sync.PushState) error {
	return writeFact(ctx, s.store, pushStateFact+strconv.FormatInt(id, 10), state)
}

// pushBytes bounds the objects of a batch, in bytes; one object is always sent.
const pushBytes = 4 << 20

// Page implements sync.PushStore: what the sharing policy serves to the peer up to the push's level, of what was published
// at this node.
func (s pushStore) Page(ctx context.Context, p sync.Push, after taxii.DateAdded, limit int) (taxii.Page, error) {
	level, ok := sync.PushLevel(p.MaxTLP)
	if !ok {
		return taxii.Page{}, fmt.Errorf("push %d has the level %q", p.ID, p.MaxTLP)
	}
	c, err := s.store.Collection(ctx, p.From)
	if err != nil {
		return taxii.Page{}, err
	}
	peer := &taxii.Principal{Kind: taxii.PeerNode, Name: string(p.Peer), MaxTLP: map[string]stix.TLP{c.ID: level}}
	return s.store.Entries(ctx, taxii.Query{
		Collection: c.ID, After: after, Limit: limit, Version: taxii.VersionMatch{All: true}, SpecVersions: []string{"2.0", "2.1"}, Bytes: true, MaxBytes: pushBytes,
		Visible: func(m stix.MarkingSet, unknown bool) bool {
			return m.Source == "" && policy{}.Visible(peer, c, m, unknown)
		},
	})
}
