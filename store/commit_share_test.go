package store

import (
	"fmt"
	"testing"
	"time"

	gosync "sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestSubmissionsShareCommits has another process write to the database while publishers of single objects come. When
// it is their turn, all of them are stored in two commits: that of the first, who was waiting, and one of the others.
func TestSubmissionsShareCommits(t *testing.T) {
	dir := t.TempDir()
	registry := prometheus.NewRegistry()
	s, err := Open(t.Context(), Options{Dir: dir, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := addCollection(t, s)
	other := openDir(t, dir)
	writing, release := make(chan struct{}), make(chan struct{})
	var working gosync.WaitGroup
	working.Go(func() {
		err := other.write(t.Context(), func(conn) error {
			close(writing)
			<-release
			return nil
		})
		if err != nil {
			t.Errorf("the other process: %v", err)
		}
	})
	<-writing
	commits, writes := sharedMetric(t, registry)

	const publishers = 32
	for i := range publishers {
		o, err := stix.Parse(fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-%012d","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z"}`, i), stix.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		working.Go(func() {
			status, err := s.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "analyst", Items: []taxii.Item{{Object: o}}})
			if err != nil || status.SuccessCount != 1 {
				t.Errorf("Add: %+v, %v", status, err)
			}
		})
	}
	deadline := time.Now().Add(time.Minute)
	for queued := 0; queued != publishers-1; { // all but the first, who waits for the other process
		if time.Now().After(deadline) {
			t.Fatalf("%d publishers wait, want %d", queued, publishers-1)
		}
		timer := time.NewTimer(time.Millisecond)
		<-timer.C
		s.commits.mu.Lock()
		queued = len(s.commits.queue)
		s.commits.mu.Unlock()
	}
	close(release)
	working.Wait()
	commitsAfter, writesAfter := sharedMetric(t, registry)
	if commitsAfter-commits != 2 || writesAfter-writes != publishers {
		t.Errorf("%d submissions took %d commits, which carried %v; want %d in 2", publishers, commitsAfter-commits, writesAfter-writes, publishers)
	}
}

// sharedMetric reads how many commits there were and how many writes they carried.
func sharedMetric(t *testing.T, registry *prometheus.Registry) (commits uint64, writes float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "skjold_store_commit_writes" {
			h := family.GetMetric()[0].GetHistogram()
			return h.GetSampleCount(), h.GetSampleSum()
		}
	}
	t.Fatal("there is no metric of shared commits")
	return 0, 0
}
