package federation

import (
	"context"
	"errors"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// ErrUnknownSubordinate: a registry has no such entity.
var ErrUnknownSubordinate = errors.New("no such subordinate")

// Registry is what an anchor or an intermediate knows about the entities right below it. It runs concurrently.
type Registry interface {
	// Subordinate returns one, or ErrUnknownSubordinate.
	Subordinate(ctx context.Context, id EntityID) (Subordinate, error)
	// Subordinates returns all in ascending order of id.
	Subordinates(ctx context.Context) ([]Subordinate, error)
}

// Subordinate is an entity right below another, which issues statements about it.
type Subordinate struct {
	Entity EntityID
	// Keys are its federation keys.
	Keys jose.KeySet
	// Metadata are those that the superior asserts, org_id of taxii_node among them.
	Metadata Metadata
	// Constraints and Policy are for what is below it.
	Constraints Constraints
	Policy      MetadataPolicy
	// Admission is the decision by which it was admitted.
	Admission Hash
	// EntityTypes are those that it has; Intermediate tells whether it issues statements itself.
	EntityTypes  []string
	Intermediate bool
	// TrustMarks are those that this entity has issued to it: when each ends, by type.
	TrustMarks map[string]time.Time
}

// statement is what the superior says about it.
func (s Subordinate) statement(issuer EntityID, endpoint string) SubordinateStatement {
	return SubordinateStatement{
		Statement:   Statement{Issuer: issuer, Subject: s.Entity, Keys: s.Keys, Metadata: s.Metadata},
		Constraints: s.Constraints, Policy: s.Policy, Admission: string(s.Admission), SourceEndpoint: endpoint,
	}
}
