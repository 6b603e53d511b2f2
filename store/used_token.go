package store

import (
	"context"
	"crypto/sha256"
	"time"
)

// UseToken notes that a token was accepted, for all processes that serve the node, and reports whether it is the first time.
// peer and id name the token; it may be forgotten life later, by the database's clock, when it can't be accepted any more.
// It is durable on return. Of calls for one token, at any of the processes, one returns true. It neither waits for writers
// of collections nor holds them up.
func (s *Store) UseToken(ctx context.Context, peer string, id []byte, life time.Duration) (first bool, err error) {
	h := sha256.New()
	h.Write([]byte(peer))
	h.Write([]byte{0}) // no entity identifier has one
	h.Write(id)
	err = s.aside(ctx, func(c conn) error {
		now, err := s.engine.Clock(c)
		if err != nil {
			return err
		}
		// Who comes second waits for the first one's transaction to end.
		n, err := c.Exec(`INSERT INTO used_token (token, expires) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING`, h.Sum(nil), now+life.Microseconds())
		first = n == 1
		return err
	})
	return first && err == nil, err
}

// forgetTokens removes the tokens that are too old to be accepted again.
func (s *Store) forgetTokens(ctx context.Context) error {
	if !s.roster.shared {
		return nil // one process remembers them by itself
	}
	return s.aside(ctx, func(c conn) error {
		now, err := s.engine.Clock(c)
		if err != nil {
			return err
		}
		_, err = c.Exec(`DELETE FROM used_token WHERE expires <= $1`, now)
		return err
	})
}
