package federation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// SharedChains keeps the chains of nodes that introduced themselves for all processes that serve this node, those that are
// started later included: a proxy gives the request after an introduction to whichever it likes, and a node that is
// restarted while its revocation list is too old for introductions still knows whom it knew. It runs concurrently.
type SharedChains interface {
	// KeepChain keeps the statements of an entity's chain, in the place of earlier ones, at most until they end. It may
	// forget those that were kept first when there are many.
	KeepChain(ctx context.Context, entity EntityID, statements []string, until time.Time) error
	// KeptChain returns the statements that were kept last, nil for none. They were verified by the process that kept them.
	KeptChain(ctx context.Context, entity EntityID) ([]string, error)
}

// maxDoubted bounds the entities whose kept chains are known not to hold.
const maxDoubted = 1024

// share keeps a chain for the other processes.
func (in *Introductions) share(ctx context.Context, chain *TrustChain) error {
	if in.options.Shared == nil {
		return nil
	}
	if err := in.options.Shared.KeepChain(ctx, chain.Entity, chain.Statements, chain.Expires); err != nil {
		return fmt.Errorf("keep the trust chain of %s for the other processes: %w", chain.Entity, err)
	}
	return nil
}

// learn takes the chain that an entity has shown to another process, after verifying it anew, and reports whether there is
// one that was not known here. Such an entity is not new, so that Closed is not asked. A chain that does not hold is not
// verified again for two seconds, whoever asks.
func (in *Introductions) learn(ctx context.Context, id EntityID) (bool, error) {
	if in.options.Shared == nil || in.doubted(id) {
		return false, nil
	}
	statements, err := in.options.Shared.KeptChain(ctx, id)
	if err != nil {
		return false, fmt.Errorf("look up the trust chain that %s has shown to another process: %w", id, err)
	}
	if known := in.find(id); len(statements) == 0 || known != nil && slices.Equal(known.chain.Statements, statements) {
		return false, nil
	}
	chain, err := in.accept(statements, in.options.Chain())
	if err != nil || chain.Entity != id {
		in.doubt(id)
		return false, nil // the caller introduces itself, and is told what is wrong
	}
	return true, nil
}

func (in *Introductions) doubted(id EntityID) bool {
	now := in.options.Chain().Now
	in.mu.Lock()
	defer in.mu.Unlock()
	at, ok := in.doubts[id]
	since := now.Sub(at)
	return ok && since >= 0 && since < recheckAfter
}

func (in *Introductions) doubt(id EntityID) {
	now := in.options.Chain().Now
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.doubts == nil || len(in.doubts) >= maxDoubted {
		in.doubts = make(map[EntityID]time.Time)
	}
	in.doubts[id] = now
}
