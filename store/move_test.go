package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestCopyTo copies a store that has something in every table into PostgreSQL: all is the same, positions and epochs too.
func TestCopyTo(t *testing.T) {
	sequential(t)
	url := newSchema(t)
	s := full(t, store.Options{Dir: filepath.Join(t.TempDir(), "db")})

	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.CopyTo(ctx, url, store.CopyOptions{Progress: func(int) { cancel() }}); err == nil {
		t.Fatal("a copy that was interrupted ended well")
	}
	progress := 0
	copied, err := s.CopyTo(t.Context(), url, store.CopyOptions{Progress: func(n int) { progress += n }})
	if err != nil || copied.Already || progress == 0 {
		t.Fatalf("%+v after %d rows, %v", copied, progress, err)
	}
	again, err := s.CopyTo(t.Context(), url, store.CopyOptions{})
	if diff := cmp.Diff(copied.Tables, again.Tables); err != nil || !again.Already || diff != "" {
		t.Errorf("again: %v %v (-first +second):\n%s", again.Already, err, diff)
	}
	there, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if findings, err := there.Verify(t.Context()); err != nil || len(findings) > 0 {
		t.Errorf("Verify: %v, %v", err, findings)
	}
	for name, q := range map[string]taxii.Query{"all": {Version: taxii.VersionMatch{All: true}}, "last": {}} {
		var pages [2]taxii.Page
		for i, st := range []*store.Store{s, there} {
			c, err := st.Collection(t.Context(), "full")
			if err != nil {
				t.Fatal(err)
			}
			q.Collection, q.Limit, q.Bytes = c.ID, 1000, true
			if pages[i], err = st.Entries(t.Context(), q); err != nil || len(pages[i].Entries) == 0 {
				t.Fatalf("%d entries, %v", len(pages[i].Entries), err)
			}
		}
		if diff := cmp.Diff(pages[0], pages[1]); diff != "" {
			t.Errorf("%s (-SQLite +PostgreSQL):\n%s", name, diff)
		}
	}
	if err := there.SetMeta(t.Context(), "other", "fact"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CopyTo(t.Context(), url, store.CopyOptions{}); !errors.Is(err, store.ErrNotEmpty) {
		t.Errorf("over another content: %v, want ErrNotEmpty", err)
	}
}
