package main

import (
	"context"
	"encoding/json"
	"fmt"
	stdsync "sync"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// openedFact is where a node notes which collections all members of its federation may read: a JSON object of the
// strictest level that they are served, by collection id.
const openedFact = "members_read"

// readOpened returns the collections that are opened to members.
func readOpened(ctx context.Context, st *store.Store) (map[string]stix.TLP, error) {
	text, err := st.Meta(ctx, openedFact)
	if isNotFound(err) {
		return map[string]stix.TLP{}, nil
	}
	if err != nil {
		return nil, err
	}
	var levels map[string]string
	if err := json.Unmarshal([]byte(text), &levels); err != nil {
		return nil, fmt.Errorf("the collections that are opened to members: %w", err)
	}
	opened := make(map[string]stix.TLP, len(levels))
	for id, level := range levels {
		if opened[id], err = stix.ParseTLP(level); err != nil {
			return nil, fmt.Errorf("the collections that are opened to members: %w", err)
		}
	}
	return opened, nil
}

// writeOpened notes the collections that are opened to members.
func writeOpened(ctx context.Context, st *store.Store, opened map[string]stix.TLP) error {
	levels := make(map[string]string, len(opened))
	for id, level := range opened {
		levels[id] = level.String()
	}
	text, err := json.Marshal(levels)
	if err != nil {
		return err
	}
	return st.SetMeta(ctx, openedFact, string(text))
}

// openedCollections gives the rights of members that the operator has not pinned. A change counts within two seconds.
type openedCollections struct {
	store *store.Store

	mu     stdsync.Mutex
	levels map[string]stix.TLP
	read   time.Time
}

func newOpenedCollections(st *store.Store) *openedCollections { return &openedCollections{store: st} }

// principal is a member with the rights that all members have.
func (o *openedCollections) principal(ctx context.Context, id federation.EntityID) (*taxii.Principal, error) {
	levels, err := o.current(ctx)
	if err != nil {
		return nil, err
	}
	p := &taxii.Principal{Kind: taxii.PeerNode, Name: string(id), Rights: make(map[string]taxii.Rights), MaxTLP: make(map[string]stix.TLP)}
	for collection, level := range levels {
		p.Rights[collection] = taxii.Rights{Read: true}
		p.MaxTLP[collection] = level
	}
	return p, nil
}

func (o *openedCollections) current(ctx context.Context) (map[string]stix.TLP, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.levels != nil && time.Since(o.read) < time.Second {
		return o.levels, nil
	}
	levels, err := readOpened(ctx, o.store)
	if err != nil {
		return nil, err
	}
	o.levels, o.read = levels, time.Now()
	return levels, nil
}
