package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// BenchmarkPublishOne publishes single objects over HTTP to a node with its data in TMPDIR, on one connection and on 32 at
// once, who share commits. Beside the rate it reports how many submissions a commit carried.
func BenchmarkPublishOne(b *testing.B) {
	for _, connections := range []int{1, 32} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			n, made, address := newBenchNode(b)
			transport := &http.Transport{MaxIdleConnsPerHost: connections}
			defer transport.CloseIdleConnections()
			client, err := taxii.NewClient(taxii.ClientOptions{URL: "http://" + address + "/taxii2/" + n.cfg.APIRoot.Name + "/", User: made.User, Password: made.Password,
				Retries: -1, HTTP: &http.Client{Transport: transport}})
			if err != nil {
				b.Fatal(err)
			}
			objects := make([][][]byte, b.N)
			f := newFeed(7, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			for i := range objects {
				raw, err := f.indicator(stix.TLPGreen)
				if err != nil {
					b.Fatal(err)
				}
				objects[i] = [][]byte{raw}
			}
			commits, writes := commitsOf(b, n)
			var next atomic.Int64
			b.ResetTimer()
			ended := make(chan error, connections)
			for range connections {
				go func() {
					for {
						i := int(next.Add(1)) - 1
						if i >= b.N {
							ended <- nil
							return
						}
						if status, err := client.Submit(b.Context(), made.Collection, objects[i], ""); err != nil || status.SuccessCount != 1 {
							ended <- fmt.Errorf("%+v, %w", status, err)
							return
						}
					}
				}()
			}
			for range connections {
				if err := <-ended; err != nil {
					b.Error(err)
				}
			}
			b.StopTimer()
			commitsAfter, writesAfter := commitsOf(b, n)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "objects/s")
			b.ReportMetric((writesAfter-writes)/float64(commitsAfter-commits), "submissions/commit")
		})
	}
}

// newBenchNode makes a node without limits of rate and serves it.
func newBenchNode(b *testing.B) (*node, initJSON, string) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := ln.Addr().String()
	dir := dataDir(filepath.Join(b.TempDir(), "node"))
	made, err := initialise(b.Context(), dir, initOptions{entity: "http://" + address, listen: address, defaultTLP: stix.TLPGreen})
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := config.Load(config.LoadOptions{File: dir.config(), Env: []string{}})
	if err != nil {
		b.Fatal(err)
	}
	cfg.Limits.RequestRate = 0
	n, err := openNode(b.Context(), dir, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)), nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- n.serve(ctx, ln) }()
	b.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			b.Errorf("serve: %v", err)
		}
		if err := n.close(); err != nil {
			b.Errorf("close: %v", err)
		}
	})
	return n, made, address
}

// commitsOf reads how many commits a node has made and how many writes they carried.
func commitsOf(b *testing.B, n *node) (commits uint64, writes float64) {
	b.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "skjold_store_commit_writes" {
			h := family.GetMetric()[0].GetHistogram()
			return h.GetSampleCount(), h.GetSampleSum()
		}
	}
	b.Fatal("there is no metric of shared commits")
	return 0, 0
}

// BenchmarkPublishEnvelope publishes envelopes of 1,000 objects over HTTP to a node with its data in TMPDIR; the rate is in
// objects a second.
func BenchmarkPublishEnvelope(b *testing.B) {
	_, made, address := newBenchNode(b)
	access := benchAccess{client: newBenchClient(), user: made.User, key: made.Password,
		objects: "http://" + address + "/taxii2/main/collections/" + made.Collection + "/objects/"}
	f := newBenchFeed(7)
	posted := 0
	for b.Loop() {
		b.StopTimer()
		lots, err := envelopes(f, benchEnvelope)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := access.post(b.Context(), lots[0]); err != nil {
			b.Fatal(err)
		}
		posted += len(lots[0])
	}
	b.ReportMetric(float64(posted)/b.Elapsed().Seconds(), "objects/s")
}
