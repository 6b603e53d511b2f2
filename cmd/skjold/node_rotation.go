package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
)

// rotationFact is where the processes of a hub agree on who makes the next request key: the number of days since 1970 that
// the last one was made on.
const rotationFact = "request_key_rotation"

// rotationLook is how often a node looks whether its request key is due.
const rotationLook = time.Minute

// rotatesByItself tells whether a node's request keys are renewed without a command: where others learn the new one from
// its trust chain. Peers that know no more than the key set that they have pinned would be lost otherwise.
func rotatesByItself(cfg *config.Config) bool {
	return cfg.Federation.Enabled && cfg.Federation.Charter != "" && len(cfg.Federation.Superiors) > 0
}

// runRotation makes the next request key in time, and removes those that are retired, until ctx ends.
func (n *node) runRotation(ctx context.Context, keys *nodeKeys) error {
	tick := time.NewTicker(rotationLook)
	defer tick.Stop()
	warned := false
	for {
		now := time.Now()
		ring, _ := keys.now()
		switch due := ring.RequestKeyDue(now); {
		case rotatesByItself(n.cfg):
			if err := n.rotate(ctx, keys, now); err != nil && ctx.Err() == nil {
				n.log.Error("the request key can't be rotated; it is tried again", "error", err)
			}
		case due && !warned:
			warned = true
			n.log.Warn("the request key is 90 days old; make the next one with 'skjold federation keys rotate --request', and have your peers pin it")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// rotate does what is due with the request keys: one process at a time, on the keys as they are on disk. A process that is
// killed leaves a whole key behind or none.
func (n *node) rotate(ctx context.Context, keys *nodeKeys, now time.Time) error {
	lock, err := os.OpenFile(filepath.Join(keys.dir, ".rotation.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if mine, err := lockFile(lock); err != nil || !mine {
		return err
	}
	ring, err := federation.OpenKeyRing(keys.dir)
	if err != nil {
		return err
	}
	if ring.RequestKeyDue(now) {
		if mine, err := n.claimRotation(ctx, now); err != nil || !mine {
			return err
		}
	}
	changed, err := ring.RotateRequestKey(now)
	if changed {
		keys.reread()
		next := ring.All(federation.RequestKey)
		last := next[len(next)-1]
		n.log.Info("the request keys have changed", "newest", last.ID(), "signs_from", last.From)
	}
	return err
}

// claimRotation tells whether this process is the one that makes the next key. The processes of a hub may have copies of the
// key directory: two keys would then be two nodes.
func (n *node) claimRotation(ctx context.Context, now time.Time) (bool, error) {
	if n.cfg.Database.URL == "" {
		return true, nil // no other process serves this directory
	}
	before, err := optionalFact(ctx, n.store, rotationFact)
	if err != nil {
		return false, err
	}
	today := fmt.Sprint(now.Unix() / int64(24*time.Hour/time.Second))
	if before == today {
		return false, nil
	}
	return n.store.SwapMeta(ctx, rotationFact, before, today)
}

// reread makes a change of the key directory count at once.
func (k *nodeKeys) reread() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read = time.Time{}
}
