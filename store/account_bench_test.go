package store_test

import (
	"testing"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// BenchmarkAccount is what the credentials of a request cost: asked of the database each time, and as remembered.
func BenchmarkAccount(b *testing.B) {
	s, c := openBench(b)
	key, err := s.AddClient(b.Context(), store.Client{Name: "soc", Rights: map[string]taxii.Rights{c.ID: {Read: true}}})
	if err != nil {
		b.Fatal(err)
	}
	for name, accounts := range map[string]taxii.Accounts{
		"asked": s, "remembered": taxii.NewCredentialCache(0, nil).Remembering(s),
	} {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := accounts.Account(b.Context(), "soc", key); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
