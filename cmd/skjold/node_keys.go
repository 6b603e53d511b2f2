package main

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// nodeKeys are the keys of a running node. A next key that a command makes is published within two seconds, and signs when
// its time has come, without a restart.
type nodeKeys struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	ring *federation.KeyRing
	read time.Time
}

// keysReread is how often the key directory is looked at.
const keysReread = time.Second

func openNodeKeys(dir dataDir, log *slog.Logger) (*nodeKeys, error) {
	ring, err := federation.OpenKeyRing(dir.keys())
	if err != nil {
		return nil, err
	}
	return &nodeKeys{dir: dir.keys(), log: log, ring: ring, read: time.Now()}, nil
}

// now is the ring as it is on disk. While the directory can't be read, the keys from before stay in force.
func (k *nodeKeys) now() (*federation.KeyRing, time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if age := now.Sub(k.read); age >= 0 && age < keysReread {
		return k.ring, now
	}
	k.read = now
	ring, err := federation.OpenKeyRing(k.dir)
	if err != nil {
		k.log.Error("the key directory can't be read; the keys from before stay in force", "error", err)
		return k.ring, now
	}
	k.ring = ring
	return ring, now
}

// request is the key that signs requests now.
func (k *nodeKeys) request() *jose.Key {
	ring, now := k.now()
	return ring.Keys(now).Request
}

// federation is the key that signs statements now.
func (k *nodeKeys) federation() *jose.Key {
	ring, now := k.now()
	return ring.Keys(now).Federation
}

// former are the federation keys that do not sign any more; each ended when the next one began.
func (k *nodeKeys) former() []federation.HistoricalKey {
	ring, now := k.now()
	var list []federation.HistoricalKey
	all := ring.All(federation.FederationKey)
	for i, key := range all {
		if i+1 == len(all) || all[i+1].From.After(now) {
			break
		}
		list = append(list, federation.HistoricalKey{Key: key.Public(), IssuedAt: key.From, Expires: all[i+1].From})
	}
	return list
}

// configuration puts the keys of now into what the node says about itself.
func (k *nodeKeys) configuration(c federation.NodeConfiguration) federation.NodeConfiguration {
	ring, now := k.now()
	c.Keys = ring.Keys(now)
	c.FederationKeys, c.RequestKeys = ring.Others(federation.FederationKey, now), ring.Others(federation.RequestKey, now)
	return c
}

// publishedKeys is the key set of a use: the key that signs, and those that stand beside it.
func publishedKeys(ring *federation.KeyRing, use federation.KeyUse, now time.Time) (jose.KeySet, error) {
	keys := ring.Keys(now)
	current := keys.Request
	if use == federation.FederationKey {
		current = keys.Federation
	}
	set, err := jose.NewKeySet(append([]jose.PublicKey{current.Public()}, ring.Others(use, now)...)...)
	if err != nil {
		return set, fmt.Errorf("the node's %s keys: %w", use, err)
	}
	return set, nil
}
