package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// indicators makes n indicators of about 650 bytes from a seed.
func indicators(tb testing.TB, seed uint64, n int) []taxii.Item {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	items := make([]taxii.Item, n)
	for i := range items {
		u := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&0xffffffffffff)
		at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(300*24*3600)) * time.Second).Format("2006-01-02T15:04:05.000Z")
		raw := fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--%s","created_by_ref":"identity--f431f809-377b-45e0-aa1c-6a4751cae5ff","created":%q,"modified":%q,"name":"Connection to %d.%d.%d.%d","description":"Seen in connections from several organisations; the host answers as a command server and has no other known use.","indicator_types":["malicious-activity"],"pattern":"[ipv4-addr:value = '%d.%d.%d.%d']","pattern_type":"stix","valid_from":%q,"confidence":%d,"labels":["botnet","c2"],"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]}`,
			u, at, at, r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), at, r.IntN(101))
		o, err := stix.Parse([]byte(raw), stix.DefaultLimits())
		if err != nil {
			tb.Fatal(err)
		}
		items[i] = taxii.Item{Object: o}
	}
	return items
}

func openBench(b *testing.B) (*store.Store, taxii.Collection) {
	b.Helper()
	s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir(), PatternValues: pattern.Values})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	c, err := s.AddCollection(b.Context(), store.NewCollection{Title: "Bench", DefaultTLP: stix.TLPAmberStrict})
	if err != nil {
		b.Fatal(err)
	}
	return s, c
}

// fill adds n indicators in submissions of 1,000.
func fill(b *testing.B, s *store.Store, c taxii.Collection, n int) {
	b.Helper()
	for i := range n / 1000 {
		if _, err := s.Add(b.Context(), taxii.Submission{Collection: c.ID, Received: time.Now(), Items: indicators(b, uint64(i), 1000)}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdd stores submissions of 1,000 new objects each; the rate is in objects per second.
func BenchmarkAdd(b *testing.B) {
	s, c := openBench(b)
	seed := uint64(1)
	objects := 0
	for b.Loop() {
		b.StopTimer()
		items := indicators(b, seed, 1000)
		seed++
		b.StartTimer()
		if _, err := s.Add(b.Context(), taxii.Submission{Collection: c.ID, Received: time.Now(), Items: items}); err != nil {
			b.Fatal(err)
		}
		objects += len(items)
	}
	b.ReportMetric(float64(objects)/b.Elapsed().Seconds(), "objects/s")
}

// BenchmarkAddOne stores single objects from concurrent callers, who share commits.
func BenchmarkAddOne(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", 2*callers), func(b *testing.B) {
			s, c := openBench(b)
			items := indicators(b, 7, 200_000)
			var next atomic.Int64
			b.SetParallelism(callers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := next.Add(1)
					if _, err := s.Add(b.Context(), taxii.Submission{Collection: c.ID, Received: time.Now(), Items: items[i : i+1]}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(next.Load())/b.Elapsed().Seconds(), "objects/s")
		})
	}
}

// BenchmarkEntries reads pages of a collection of 100,000.
func BenchmarkEntries(b *testing.B) {
	s, c := openBench(b)
	fill(b, s, c, 100_000)
	for _, q := range []struct {
		name string
		q    taxii.Query
	}{
		{"page=1000", taxii.Query{Limit: 1000, Bytes: true}},
		{"page=100", taxii.Query{Limit: 100, Bytes: true}},
		{"manifest=1000", taxii.Query{Limit: 1000}},
		{"nothing-new", taxii.Query{Limit: 1000, After: 1 << 60, Bytes: true}},
		{"none-visible", taxii.Query{Limit: 1000, Bytes: true, Visible: func(stix.MarkingSet, bool) bool { return false }}},
		{"by-id", taxii.Query{Limit: 10, IDs: []stix.Identifier{indicators(b, 50, 1)[0].Object.ID}, Bytes: true}},
		{"by-value", taxii.Query{Limit: 10, Values: []string{"203.0.113.7", namedBy(b, indicators(b, 50, 1)[0])}, Bytes: true}},
		{"confident=1000", taxii.Query{Limit: 1000, Bytes: true, Conditions: []stix.Condition{
			{Property: "confidence", Type: stix.IntegerProperty, Comparison: stix.AtLeast, Values: []string{"90"}}}}},
		{"looked-through", taxii.Query{Limit: 1000, Bytes: true, Conditions: []stix.Condition{{Property: "labels", Values: []string{"no such label"}}}}},
	} {
		b.Run(q.name, func(b *testing.B) {
			q.q.Collection = c.ID
			for b.Loop() {
				if _, err := s.Entries(b.Context(), q.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// namedBy is the value that an indicator names.
func namedBy(b *testing.B, item taxii.Item) string {
	b.Helper()
	return stix.ObservableValues(item.Object.Raw, pattern.Values)[0]
}

// BenchmarkOpen opens a store of 100,000 objects.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, err := store.Open(b.Context(), store.Options{Dir: dir, PatternValues: pattern.Values})
	if err != nil {
		b.Fatal(err)
	}
	c, err := s.AddCollection(b.Context(), store.NewCollection{Title: "Bench"})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, s, c, 100_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.Open(b.Context(), store.Options{Dir: dir, PatternValues: pattern.Values})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
