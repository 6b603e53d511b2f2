package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	feedsync "github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/store/archive"
	"github.com/skjold-exchange/skjold/taxii"
)

// full opens a store and puts something into every table.
func full(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.AddCollection(t.Context(), store.NewCollection{Title: "Full", Alias: "full", DefaultTLP: stix.TLPGreen})
	must(err)
	must(s.SetMeta(t.Context(), "node", "https://node.example thumbprint"))
	_, err = s.AddClient(t.Context(), store.Client{Name: "soc", Certificates: []store.Fingerprint{{1}}, Rights: map[string]taxii.Rights{c.ID: {Read: true}}})
	must(err)
	const peer federation.EntityID = "https://peer.example.org"
	must(s.AddPeer(t.Context(), federation.Peer{Entity: peer, JWKS: []byte("{}")}, false))
	_, err = s.Subscribe(t.Context(), feedsync.Subscription{Peer: peer, Collection: "feed", Into: c.ID})
	must(err)
	for k := range 40 {
		must(submit(t.Context(), s, c.ID, 7, 1, k))
	}
	marked, err := stix.Parse([]byte(`{"type":"indicator","spec_version":"2.1","id":"indicator--11111111-1111-4111-8111-111111111111","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","object_marking_refs":["marking-definition--22222222-2222-4222-8222-222222222222"]}`), stix.DefaultLimits())
	must(err)
	_, err = s.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "soc", Received: time.Now(), Items: []taxii.Item{{Object: marked}}})
	must(err)
	definition, err := stix.Parse([]byte(`{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--22222222-2222-4222-8222-222222222222","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"x"}}`), stix.DefaultLimits())
	must(err)
	_, err = s.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "soc", Received: time.Now(), Items: []taxii.Item{{Object: definition}}})
	must(err)
	subs, err := s.Subscriptions(t.Context())
	must(err)
	_, err = s.Apply(t.Context(), pulledPage(subs[0], 1))
	must(err)
	_, err = s.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: madeObject("add", 7, 1, 3, 0).ID})
	must(err)
	s.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "soc", Collection: c.ID, At: time.Now(), Pull: true, Objects: 3, Last: c.Created + 1, UserAgent: "odd \xff\x00 agent"})
	must(s.Close())
	if s, err = store.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func backup(t *testing.T, s *store.Store) (archive.Manifest, []byte) {
	t.Helper()
	var b bytes.Buffer
	m, err := s.Backup(t.Context(), &b, store.BackupOptions{Program: "test", Node: "https://node.example thumbprint", Files: map[string][]byte{"keys/x.jwk": []byte("k")}})
	if err != nil {
		t.Fatal(err)
	}
	return m, b.Bytes()
}

// engines are the two places of a store that tests restore from and into.
func engines(t *testing.T) map[string]func(t *testing.T) store.Options {
	t.Helper()
	return map[string]func(t *testing.T) store.Options{
		"SQLite":     func(t *testing.T) store.Options { return store.Options{Dir: filepath.Join(t.TempDir(), "db")} },
		"PostgreSQL": func(t *testing.T) store.Options { return store.Options{URL: newSchema(t)} },
	}
}

// TestRestore backs up a store that has something in every table that can be filled, and restores it into each engine from
// each: everything is as it was, but the epochs.
func TestRestore(t *testing.T) {
	sequential(t)
	for from, source := range engines(t) {
		for into, target := range engines(t) {
			t.Run(from+" into "+into, func(t *testing.T) {
				s := full(t, source(t))
				manifest, file := backup(t, s)
				for _, name := range []string{"collection", "marking_set", "marking_set_member", "known_marking", "facet", "entry", "tombstone", "status", "account", "client",
					"client_key", "client_certificate", "peer", "access", "progress", "subscription", "quarantine", "counter", "meta"} {
					if manifest.Tables[name].Rows == 0 {
						t.Errorf("the test has nothing in table %s", name)
					}
				}
				before, err := s.Collection(t.Context(), "full")
				if err != nil {
					t.Fatal(err)
				}
				o := target(t)
				var progress int
				read, err := store.Restore(t.Context(), bytes.NewReader(file), store.RestoreOptions{Dir: o.Dir, URL: o.URL, Progress: func(n int) { progress += n }})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{"keys/x.jwk"}, read.Files); diff != "" || progress == 0 {
					t.Errorf("progress %d, files (-want +got):\n%s", progress, diff)
				}
				restored, err := store.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				defer restored.Close()
				if findings, err := restored.Verify(t.Context()); err != nil || len(findings) > 0 {
					t.Errorf("Verify: %v, %v", err, findings)
				}
				after, err := restored.Collection(t.Context(), "full")
				if err != nil || after.Epoch == before.Epoch || after.Epoch == "" {
					t.Errorf("the epoch was %q and is %q, %v", before.Epoch, after.Epoch, err)
				}
				if after.Epoch = before.Epoch; after != before {
					t.Errorf("the collection was %+v and is %+v", before, after)
				}
				again, _ := backup(t, restored)
				for name, sum := range manifest.Tables {
					got := again.Tables[name]
					if name == "meta" && got.Rows == sum.Rows+1 {
						continue // the time of the restore
					}
					if name != "collection" && got != sum { // its epoch differs
						t.Errorf("table %s was %+v and is %+v", name, sum, got)
					}
				}
				if at, err := restored.Meta(t.Context(), store.RestoredFact); err != nil || at == "" {
					t.Errorf("the time of the restore is not noted: %v", err)
				}
				if err := submit(t.Context(), restored, after.ID, 8, 0, 0); err != nil {
					t.Errorf("publishing after the restore: %v", err)
				}
				_, err = store.Restore(t.Context(), bytes.NewReader(file), store.RestoreOptions{Dir: o.Dir, URL: o.URL})
				if !errors.Is(err, store.ErrNotEmpty) {
					t.Errorf("restoring over it: %v, want ErrNotEmpty", err)
				}
			})
		}
	}
}

// TestReplace replaces the content of a PostgreSQL database, or leaves it as it is.
func TestReplace(t *testing.T) {
	sequential(t)
	_, file := backup(t, full(t, store.Options{Dir: filepath.Join(t.TempDir(), "db")}))
	o := store.Options{URL: newSchema(t)}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddCollection(t.Context(), store.NewCollection{Title: "Before"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	titles := func() (list []string) {
		t.Helper()
		s, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		all, err := s.Collections(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			list = append(list, c.Title)
		}
		return list
	}
	if _, err := store.Restore(t.Context(), bytes.NewReader(file[:len(file)-9]), store.RestoreOptions{URL: o.URL, Replace: true}); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a backup that was cut short: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = store.Restore(ctx, bytes.NewReader(file), store.RestoreOptions{URL: o.URL, Replace: true, Progress: func(int) { cancel() }})
	if err == nil {
		t.Error("a restore that was interrupted ended well")
	}
	if got := titles(); !slices.Equal(got, []string{"Before"}) {
		t.Errorf("after two restores that failed there are %v", got)
	}
	if _, err := store.Restore(t.Context(), bytes.NewReader(file), store.RestoreOptions{URL: o.URL, Replace: true}); err != nil {
		t.Fatal(err)
	}
	if got := titles(); !slices.Equal(got, []string{"Full"}) {
		t.Errorf("after the restore there are %v", got)
	}
}

// TestBackupWhileWriting takes backups of a store that is written to: each is one moment, and sound.
func TestBackupWhileWriting(t *testing.T) {
	for name, options := range engines(t) {
		t.Run(name, func(t *testing.T) {
			s := full(t, options(t))
			c, err := s.Collection(t.Context(), "full")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			written := make(chan error, 1)
			go func() {
				for k := 0; ctx.Err() == nil; k++ {
					if err := submit(context.WithoutCancel(ctx), s, c.ID, 9, 2, k); err != nil {
						written <- err
						return
					}
				}
				written <- nil
			}()
			var files [][]byte
			for range 3 {
				_, file := backup(t, s)
				files = append(files, file)
			}
			stop()
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			for i, file := range files {
				o := store.Options{Dir: filepath.Join(t.TempDir(), fmt.Sprint(i))}
				if _, err := store.Restore(t.Context(), bytes.NewReader(file), store.RestoreOptions{Dir: o.Dir}); err != nil {
					t.Fatal(err)
				}
				restored, err := store.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if findings, err := restored.Verify(t.Context()); err != nil || len(findings) > 0 {
					t.Errorf("backup %d: %v %v", i, err, findings)
				}
				if err := restored.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestCheckBackup(t *testing.T) {
	_, file := backup(t, full(t, store.Options{Dir: filepath.Join(t.TempDir(), "db")}))
	files := map[string]string{}
	b, err := store.CheckBackup(bytes.NewReader(file), func(name string, content []byte) error { files[name] = string(content); return nil })
	if err != nil || b.Head.Node != "https://node.example thumbprint" || files["keys/x.jwk"] != "k" {
		t.Errorf("%+v, %v, files %v", b.Head, err, files)
	}
	newer, foreign := b.Head, b.Head
	newer.Schema, foreign.Tables = 999, foreign.Tables[1:]
	if _, err := store.CheckBackup(bytes.NewReader(hollow(t, newer)), nil); !errors.Is(err, store.ErrNewerVersion) {
		t.Errorf("a backup of a newer schema: %v, want ErrNewerVersion", err)
	}
	if _, err := store.CheckBackup(bytes.NewReader(hollow(t, foreign)), nil); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "tables") {
		t.Errorf("a backup of other tables: %v", err)
	}
}

// hollow is a backup of empty tables.
func hollow(t *testing.T, head archive.Head) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, head)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range head.Tables {
		if err := w.Table(table, func(func([]any) error) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
