package store

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/taxii"
)

func TestRun(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	registry := prometheus.NewRegistry()
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Now: func() time.Time { return time.UnixMicro(now.Load()) }, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := addCollection(t, s)
	if _, err := s.AddClient(t.Context(), Client{Name: "siem"}); err != nil {
		t.Fatal(err)
	}
	old, err := s.Add(t.Context(), oneObject(t, c.ID))
	if err != nil {
		t.Fatal(err)
	}
	now.Add((7 * 24 * time.Hour).Microseconds())
	kept, err := s.Add(t.Context(), oneObject(t, c.ID))
	if err != nil {
		t.Fatal(err)
	}
	now.Add(1)
	s.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "siem", Collection: c.ID, Objects: 4})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // Run does what is due, writes what was observed, and ends
	if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if clients, err := s.Clients(t.Context()); err != nil || clients[0].ObjectsServed != 4 {
		t.Errorf("Clients = %+v, %v: what was observed was not written", clients, err)
	}
	if err := s.purgeStatuses(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Status(t.Context(), old.ID, ""); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("a status older than a week: %v, want ErrNotFound", err)
	}
	if _, err := s.Status(t.Context(), kept.ID, ""); err != nil {
		t.Errorf("a status of less than a week: %v", err)
	}
	if got := storedMetric(t, registry); got != 2 {
		t.Errorf("metrics say %v objects were stored, want 2", got)
	}
}

// storedMetric reads how many objects the metrics say were stored.
func storedMetric(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if family.GetName() == "skjold_store_objects_total" && label.GetValue() == "stored" {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

// TestMaintain checks that a long write-ahead log is emptied, and that a short one is left alone.
func TestMaintain(t *testing.T) {
	s := openDir(t, t.TempDir())
	e := s.engine.(*sqliteEngine)
	addCollection(t, s)
	size := func() int64 {
		n, err := e.walSize()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := size()
	if err := e.Maintain(t.Context()); err != nil || before == 0 || size() != before {
		t.Errorf("Maintain of a log of %d bytes: %v, then %d", before, err, size())
	}
	if err := e.truncate(t.Context()); err != nil || size() != 0 {
		t.Errorf("truncate: %v, %d bytes left", err, size())
	}
}

// TestRetireQuarantine holds that the background work lets go of what has been quarantined for 90 days.
func TestRetireQuarantine(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := addCollection(t, s)
	if err := s.AddPeer(t.Context(), federation.Peer{Entity: "https://node.example", JWKS: []byte("{}")}, false); err != nil {
		t.Fatal(err)
	}
	sub, err := s.Subscribe(t.Context(), sync.Subscription{Peer: "https://node.example", Collection: "feed", Into: c.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 2, 2} { // the third comes when the first is too old
		page := sync.PulledPage{Subscription: sub.ID, Received: now, Items: []sync.PulledItem{{Item: taxii.Item{ID: now.String(), Refused: "no"}}}}
		if _, err := s.Apply(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		if err := s.retireQuarantine(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rows, err := s.Quarantine(t.Context(), 10); err != nil || len(rows) != want {
			t.Errorf("%d rows at %v, %v, want %d", len(rows), now, err, want)
		}
		now = now.Add(46 * 24 * time.Hour)
	}
}
