package federation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The reasons of a store of hosted configurations.
var (
	// ErrNotHosted: no configuration of the entity is held.
	ErrNotHosted = errors.New("no such configuration is hosted here")
	// ErrOlderConfiguration: a configuration that was issued later is held.
	ErrOlderConfiguration = errors.New("a configuration that was issued later is held")
)

// Hosted is the entity configuration of a node that accepts no connections, held by its hub (§1.10 of the federation's
// rules): the hub answers in its place. It is the node's own signed text, so the hub can leave it out and not change it.
type Hosted struct {
	Entity            EntityID
	Compact           string
	IssuedAt, Expires time.Time
	// Received is when the hub took it.
	Received time.Time
}

// HostedStore holds the configurations that a hub hosts, one of each entity. It runs concurrently, and is durable.
type HostedStore interface {
	// Hosted returns the configuration of an entity, even one that has ended, or ErrNotHosted.
	Hosted(ctx context.Context, id EntityID) (Hosted, error)
	// PutHosted takes a configuration in the place of the entity's earlier one. One that was issued before the one that is
	// held is ErrOlderConfiguration: what a node said yesterday is not brought back by whoever kept it.
	PutHosted(ctx context.Context, h Hosted) error
}

// CheckHosted tells whether a hub may host a configuration: it is of the one subordinate, by a federation key that the hub
// states, names the hub as a superior, holds now, and is that of a node that issues no statements itself.
func CheckHosted(compact string, hub EntityID, of Subordinate, now time.Time) (Hosted, error) {
	c, err := VerifyEntityConfiguration(compact, now)
	if err != nil {
		return Hosted{}, err
	}
	fault := func(format string, args ...any) (Hosted, error) {
		return Hosted{}, fmt.Errorf("entity configuration of %s: %s", c.Subject, fmt.Sprintf(format, args...))
	}
	if c.Subject != of.Entity {
		return fault("it is not that of %s", of.Entity)
	}
	if _, ok := of.Keys.Key(c.KeyID); !ok {
		return fault("it is signed by the key %s, which this hub does not state", c.KeyID)
	}
	if !slices.Contains(c.AuthorityHints, hub) {
		return fault("it does not name %s as a superior (federation.superiors)", hub)
	}
	if _, ok := c.Metadata[nodeType]; !ok {
		return fault("it is no %s", nodeType)
	}
	if _, ok := c.Metadata[federationEntityType]; ok {
		return fault("it issues statements itself: others must reach such an entity")
	}
	if c.IssuedAt.After(now.Add(clockLeeway)) {
		return fault("it was issued in the future: compare the clocks")
	}
	return Hosted{Entity: c.Subject, Compact: compact, IssuedAt: c.IssuedAt, Expires: c.Expires, Received: now}, nil
}
