package federation

import (
	"context"
	"time"
)

// TokenUse is what a TokenMemory is told of a request with a token.
type TokenUse struct {
	// Changes: the request's method is one that may change something (POST, PUT, PATCH, DELETE). A token is good for one
	// method, so that a memory may treat the two kinds differently.
	Changes bool
	// Life is how long the token can be accepted by any process's clock: at most 150 seconds.
	Life time.Duration
}

// TokenMemory remembers accepted request tokens for all processes that serve a node. It runs concurrently.
type TokenMemory interface {
	// UseToken notes a token, named by its issuer and its id (jti, 16 bytes), and reports whether it is the first time.
	// Of calls for one token at any of the processes within its life, one returns true; a memory may return true for more
	// only where that is the lesser evil, and says where. On an error the request is refused, to be tried again.
	UseToken(ctx context.Context, issuer EntityID, id []byte, use TokenUse) (first bool, err error)
}
