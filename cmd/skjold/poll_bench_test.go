package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// BenchmarkPoll polls a node over loopback connections that stay open, with everything on (authentication, rights, sharing
// policy, access log), and beside it a plain handler that sends the same bytes: R1 is a page of 1,000 objects, R2 one of
// 100, R3 nothing new since the newest. The ratio of the two is what counts.
//
//	go test ./cmd/skjold -run '^$' -bench Poll
func BenchmarkPoll(b *testing.B) {
	dir := dataDir(filepath.Join(b.TempDir(), "node"))
	made, err := initialise(b.Context(), dir, initOptions{defaultTLP: stix.TLPGreen})
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := config.Load(config.LoadOptions{File: dir.config(), Env: []string{}})
	if err != nil {
		b.Fatal(err)
	}
	n, err := openNode(b.Context(), dir, cfg, newLogger(discardLog{}, config.Log{Format: "json"}), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer n.close()
	last := fillForPolls(b, n, 20_000)
	node := serveForBench(b, n.server(n.handler()).Handler)
	path := "/taxii2/main/collections/" + made.Collection + "/objects/"
	login := base64.StdEncoding.EncodeToString([]byte(made.User + ":" + made.Password))
	for _, r := range []struct{ name, query, coding string }{
		{"R1 gzip", "?limit=1000", "gzip"},
		{"R1 plain", "?limit=1000", "identity"},
		{"R2 gzip", "?limit=100", "gzip"},
		{"R3", "?added_after=" + last.String(), "gzip"},
	} {
		request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: node.example\r\nAuthorization: Basic %s\r\nAccept: %s\r\nAccept-Encoding: %s\r\nUser-Agent: bench\r\n\r\n",
			path+r.query, login, taxii.MediaType, r.coding)
		header, body := fetchOnce(b, node, request)
		plain := serveForBench(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length", "ETag"} {
				if v := header.Get(name); v != "" {
					w.Header().Set(name, v)
				}
			}
			_, _ = w.Write(body)
		}))
		b.Run(r.name+"/node", func(b *testing.B) { load(b, node, request) })
		b.Run(r.name+"/handler", func(b *testing.B) { load(b, plain, request) })
	}
}

// fillForPolls stores indicators and returns the date of the newest.
func fillForPolls(b *testing.B, n *node, count int) taxii.DateAdded {
	b.Helper()
	c, err := n.store.FindCollection(b.Context(), firstAlias)
	if err != nil {
		b.Fatal(err)
	}
	f := newFeed(1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for range count / 1000 {
		var items []taxii.Item
		for range 1000 {
			raw, err := f.indicator(stix.TLPGreen)
			if err != nil {
				b.Fatal(err)
			}
			o, err := stix.Parse(raw, stix.DefaultLimits())
			if err != nil {
				b.Fatal(err)
			}
			items = append(items, taxii.Item{Object: o})
		}
		if _, err := n.store.Add(b.Context(), taxii.Submission{Collection: c.ID, Account: "bench", Items: items}); err != nil {
			b.Fatal(err)
		}
	}
	if c, err = n.store.Collection(b.Context(), c.ID); err != nil {
		b.Fatal(err)
	}
	return c.Last
}

// serveForBench serves a handler on an address of its own until the benchmark ends.
func serveForBench(b *testing.B, h http.Handler) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: h}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	b.Cleanup(func() {
		_ = s.Shutdown(context.WithoutCancel(b.Context()))
		<-ended
	})
	return l.Addr().String()
}

// fetchOnce makes one request and returns what came.
func fetchOnce(b *testing.B, address, request string) (http.Header, []byte) {
	b.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		b.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || r.StatusCode != http.StatusOK {
		b.Fatal(r, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	return r.Header, body
}

// load makes requests on 32 connections and reads the answers as cheaply as can be.
func load(b *testing.B, address, request string) {
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		r := bufio.NewReaderSize(c, 64<<10)
		text := []byte(request)
		for pb.Next() {
			if _, err := c.Write(text); err != nil {
				b.Error(err)
				return
			}
			if err := skipResponse(r); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func skipResponse(r *bufio.Reader) error {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		if strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
	_, err := r.Discard(length)
	return err
}
