package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
	"github.com/skjold-exchange/skjold/store"
)

const (
	// marksFact is where a member notes the trust marks that it shows: a JSON array of federation.TrustMarkClaim.
	marksFact = "trust_marks"
	// markTypesFact is where an anchor notes who may issue trust marks: a JSON object of markType by type.
	markTypesFact = "trust_mark_types"
)

// markType is a type of trust mark that an anchor knows.
type markType struct {
	Issuers []federation.EntityID `json:"issuers"`
	// Owner, where set, delegates the issuance; Keys are its.
	Owner federation.EntityID `json:"owner,omitempty"`
	Keys  *jose.KeySet        `json:"jwks,omitempty"`
}

// readFact reads a node fact that is JSON; nothing where there is none.
func readFact[T any](ctx context.Context, st *store.Store, fact string) (value T, err error) {
	text, err := st.Meta(ctx, fact)
	if isNotFound(err) {
		return value, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &value)
	}
	if err != nil {
		return value, fmt.Errorf("read the node's %s: %w", fact, err)
	}
	return value, nil
}

func writeFact(ctx context.Context, st *store.Store, fact string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return st.SetMeta(ctx, fact, string(text))
}

// showMarks puts into what a node says about itself the trust marks that it shows, and the types that it knows as an anchor.
func showMarks(ctx context.Context, st *store.Store, c *federation.NodeConfiguration) error {
	var err error
	if c.TrustMarks, err = readFact[[]federation.TrustMarkClaim](ctx, st, marksFact); err != nil {
		return err
	}
	types, err := readFact[map[string]markType](ctx, st, markTypesFact)
	for name, t := range types {
		if c.TrustMarkIssuers == nil {
			c.TrustMarkIssuers = make(map[string][]federation.EntityID)
		}
		c.TrustMarkIssuers[name] = t.Issuers
		if t.Owner != "" && t.Keys != nil {
			if c.TrustMarkOwners == nil {
				c.TrustMarkOwners = make(map[string]federation.TrustMarkOwner)
			}
			c.TrustMarkOwners[name] = federation.TrustMarkOwner{Subject: t.Owner, Keys: *t.Keys}
		}
	}
	return err
}

// marksFor is how long the trust marks of a member count without being checked anew.
const marksFor = 10 * time.Second

// checkedMarks remembers the trust marks of members that are active, so that a request costs no signatures.
type checkedMarks struct {
	mu    sync.Mutex
	known map[federation.EntityID]checkedMark
}

type checkedMark struct {
	chain *federation.TrustChain
	at    time.Time
	types map[string]bool
}

// maxCheckedMarks bounds the members that are remembered; beyond it all are forgotten.
const maxCheckedMarks = 4096

// of returns the types of the marks that hold of the entity of a chain, self-declared ones not among them.
func (m *checkedMarks) of(chain *federation.TrustChain, issuerKeys func(federation.EntityID) (jose.KeySet, error), now time.Time) map[string]bool {
	m.mu.Lock()
	known, ok := m.known[chain.Entity]
	m.mu.Unlock()
	if age := now.Sub(known.at); ok && known.chain == chain && age >= 0 && age < marksFor {
		return known.types
	}
	marks, _ := chain.VerifyTrustMarks(issuerKeys, now) // what does not hold counts for nothing
	checked := checkedMark{chain: chain, at: now, types: make(map[string]bool)}
	for _, mark := range marks {
		if !mark.SelfDeclared {
			checked.types[mark.Type] = true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= maxCheckedMarks || m.known == nil {
		m.known = make(map[federation.EntityID]checkedMark)
	}
	m.known[chain.Entity] = checked
	return checked.types
}

// classOf is the class that the founders admitted an introduced member as.
func (t *trust) classOf(id federation.EntityID) string {
	ledger, chain := t.members.current(), t.introductions.Chain(id)
	if ledger == nil || chain == nil {
		return ""
	}
	return ledger.Class(chain)
}

// marksOf are the types of the trust marks that an introduced member shows and that hold.
func (t *trust) marksOf(id federation.EntityID) map[string]bool {
	chain := t.introductions.Chain(id)
	if chain == nil {
		return nil
	}
	return t.marks.of(chain, t.issuerKeys, time.Now())
}

// issuerKeys are the federation keys of a trust mark issuer, from a chain that is at hand and holds. It asks nobody.
func (t *trust) issuerKeys(id federation.EntityID) (jose.KeySet, error) {
	chain := t.chainOf(id)
	if chain == nil {
		chain = t.peers.Chain(id)
	}
	if chain == nil {
		return jose.KeySet{}, fmt.Errorf("this node holds no trust chain of %s", id)
	}
	return chain.Superiors[0].Keys, nil
}

// findIssuersEvery is how often the chains of issuers are seen to; those that hold cost nothing.
const findIssuersEvery = 2 * time.Second

// keepIssuers keeps the trust chains of those who may issue the trust marks that this node asks for, until ctx ends: they
// are the operator's choice of types and the anchor's of issuers, and no caller's.
func (t *trust) keepIssuers(ctx context.Context, st *store.Store, log *slog.Logger) error {
	tick := time.NewTicker(findIssuersEvery)
	defer tick.Stop()
	failed := make(map[federation.EntityID]string)
	for {
		issuers, err := t.wantedIssuers(ctx, st)
		if err != nil && ctx.Err() == nil {
			log.Warn("which trust marks are asked for can't be read", "error", err)
		}
		for _, id := range issuers {
			_, err := t.peers.Find(ctx, id)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err == nil:
				delete(failed, id)
			case failed[id] != err.Error():
				failed[id] = err.Error()
				log.Warn("no trust chain of a trust mark issuer holds: its marks count for nothing", "issuer", id, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// wantedIssuers are those whom the anchor of the own chain lets issue the types that some collection asks for.
func (t *trust) wantedIssuers(ctx context.Context, st *store.Store) ([]federation.EntityID, error) {
	opened, err := readOpened(ctx, st)
	if err != nil || t.chain == nil {
		return nil, err
	}
	own := t.chain.Chain()
	if own == nil {
		return nil, nil
	}
	wanted := make(map[federation.EntityID]bool)
	for _, o := range opened {
		for _, name := range o.marks {
			for _, issuer := range own.AnchorConfiguration.TrustMarkIssuers[name] {
				if issuer != own.Anchor && issuer != t.entity {
					wanted[issuer] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(wanted)), nil
}
