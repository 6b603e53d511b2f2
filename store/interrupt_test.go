package store

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/skjold-exchange/skjold/taxii"
)

// TestReadEndsWithContext holds, for each engine, that a statement ends when its caller's context does, and that its
// connection serves the next caller.
func TestReadEndsWithContext(t *testing.T) {
	engines := map[string]func(t *testing.T) engine{
		"SQLite": func(t *testing.T) engine { return openDir(t, t.TempDir()).engine },
		"PostgreSQL": func(t *testing.T) engine {
			url := os.Getenv("SKJOLD_TEST_POSTGRES_URL")
			if url == "" {
				t.Skip("SKJOLD_TEST_POSTGRES_URL is not set")
			}
			e, err := openPostgres(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
			return e
		},
	}
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			for range 40 { // more often than there are connections
				ctx, cancel := context.WithCancel(t.Context())
				rows := 0
				err := e.Read(ctx, func(c conn) error {
					return c.Query(`WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n`, nil, func(row) error {
						if rows++; rows == 100 {
							cancel()
						}
						return nil
					})
				})
				if !errors.Is(err, taxii.ErrUnavailable) || !errors.Is(err, context.Canceled) || rows < 100 {
					t.Fatalf("a read without end: %v after %d rows, want ErrUnavailable and the context's error", err, rows)
				}
				if err := e.Read(ctx, func(conn) error { return nil }); !errors.Is(err, taxii.ErrUnavailable) {
					t.Fatalf("a read whose context has ended: %v, want ErrUnavailable", err)
				}
				for range 3 {
					err = e.Read(t.Context(), func(c conn) error {
						n, err := number(c, `SELECT 41 + 1`)
						if err == nil && n != 42 {
							t.Errorf("the connection answers %d", n)
						}
						return err
					})
					if err != nil {
						t.Fatalf("the next read: %v", err)
					}
				}
			}
		})
	}
}

// TestEndedContextAfterRead holds that a context which ends together with the read leaves nothing behind on the connection.
func TestEndedContextAfterRead(t *testing.T) {
	e := openDir(t, t.TempDir()).engine
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		err := e.Read(ctx, func(c conn) error {
			_, err := number(c, `SELECT COUNT(*) FROM counter`)
			go cancel()
			return err
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		err = e.Read(context.Background(), func(c conn) error {
			n, err := number(c, `SELECT COUNT(*) FROM counter`)
			if err == nil && n == 0 {
				t.Error("nothing was read")
			}
			return err
		})
		if err != nil {
			t.Fatalf("the next read: %v", err)
		}
	}
}

// TestWriteOutlivesContext holds that a write that has begun is finished.
func TestWriteOutlivesContext(t *testing.T) {
	s := openDir(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	err := s.engine.Write(ctx, func(c conn) error {
		cancel()
		_, err := c.Exec(`INSERT INTO meta (name, value) VALUES ('a', 'b')`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if value, err := s.Meta(t.Context(), "a"); err != nil || value != "b" {
		t.Errorf("Meta = %q, %v", value, err)
	}
}
