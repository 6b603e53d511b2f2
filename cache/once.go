package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Once notes a name in Redis, for all processes that share it, and reports whether it was noted there for the first time
// within life. known is false where that can't be told: there is no Redis, or it does not answer within the time of a call.
//
// Redis may forget: when it is flushed, restarted without persistence or full, and what a server that failed had not handed
// to its replica yet. A name that was forgotten is new again.
func (s *Store) Once(ctx context.Context, name string, life time.Duration) (first, known bool) {
	if s.redis == nil {
		return false, false
	}
	sum := sha256.Sum256([]byte(name))
	key := prefix + "once:" + hex.EncodeToString(sum[:])
	known = s.redis.call(ctx, "once", func(ctx context.Context) (err error) {
		first, err = s.redis.client.SetNX(ctx, key, "1", life).Result()
		return err
	})
	return first && known, known
}
