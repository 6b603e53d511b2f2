package main

import (
	"context"
	"time"

	"github.com/skjold-exchange/skjold/federation"
)

// usedTokens is what the processes of a hub remember peers' request tokens in together.
//
// A token whose request may change something is noted in the database, which such a request needs anyway: it is used once
// whatever happens to Redis. Any other is noted in Redis, which is faster, and in the database while Redis does not answer
// or there is none; where Redis fails for one process and not for another, or forgets, a request that only reads can be
// repeated once at each. A token is good for one method, so the two kinds never meet.
type usedTokens struct {
	node string // tells nodes that share a Redis apart
	fast interface {
		Once(ctx context.Context, name string, life time.Duration) (first, known bool)
	}
	sure interface {
		UseToken(ctx context.Context, peer string, id []byte, life time.Duration) (first bool, err error)
	}
}

// UseToken implements federation.TokenMemory.
func (u usedTokens) UseToken(ctx context.Context, issuer federation.EntityID, id []byte, use federation.TokenUse) (bool, error) {
	if !use.Changes {
		if first, known := u.fast.Once(ctx, u.node+"\x00"+string(issuer)+"\x00"+string(id), use.Life); known {
			return first, nil
		}
	}
	return u.sure.UseToken(ctx, string(issuer), id, use.Life)
}
