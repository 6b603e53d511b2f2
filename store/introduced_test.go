package store

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
)

// TestIntroduced holds, for each engine, that the chain that was kept last is found, that chains that have ended are removed,
// and that there are never more than are kept.
func TestIntroduced(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *Store{
		"SQLite":     func(t *testing.T) *Store { return openDir(t, t.TempDir()) },
		"PostgreSQL": func(t *testing.T) *Store { return hubProcess(t, newInnerSchema(t), "a:1", time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			keep := func(entity federation.EntityID, until time.Time, statements ...string) {
				t.Helper()
				if err := s.KeepChain(t.Context(), entity, statements, until); err != nil {
					t.Fatal(err)
				}
			}
			kept := func(entity federation.EntityID) []string {
				t.Helper()
				statements, err := s.KeptChain(t.Context(), entity)
				if err != nil {
					t.Fatal(err)
				}
				return statements
			}
			later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
			if list := kept("https://a.example"); list != nil {
				t.Errorf("kept of nobody: %q", list)
			}
			keep("https://a.example", later, "one", "two")
			keep("https://b.example", before, "three")
			keep("https://a.example", later, "four", "five", "six")
			if list := kept("https://a.example"); !slices.Equal(list, []string{"four", "five", "six"}) {
				t.Errorf("kept last: %q", list)
			}
			if list := kept("https://b.example"); list != nil {
				t.Errorf("a chain that has ended is still there: %q", list)
			}
			// So many others that the oldest goes.
			err := s.write(t.Context(), func(c conn) error {
				rows := make([][]any, maxIntroduced)
				for i := range rows {
					rows[i] = []any{fmt.Sprintf("https://n%04d.example", i), "x", micros(later), time.Now().UnixMicro() + int64(i)}
				}
				return c.ExecMany(`INSERT INTO introduced (entity, statements, expires, kept) VALUES ($1, $2, $3, $4)`, rows)
			})
			if err != nil {
				t.Fatal(err)
			}
			keep("https://n0000.example", later, "again")
			if kept("https://a.example") != nil || kept("https://n0001.example") == nil || kept("https://n0000.example")[0] != "again" {
				t.Error("the oldest did not make room, or another one did")
			}
		})
	}
}

// TestIntroducedAtOnce keeps chains from two processes at the same time, which must not wait for each other for ever.
func TestIntroducedAtOnce(t *testing.T) {
	url := newInnerSchema(t)
	stores := []*Store{hubProcess(t, url, "a:1", time.Hour), hubProcess(t, url, "b:1", time.Hour)}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			until := time.Now().Add(time.Duration(i%3-1) * time.Hour)
			if err := stores[i%2].KeepChain(t.Context(), federation.EntityID(fmt.Sprintf("https://n%d.example", i%4)), []string{"x"}, until); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
