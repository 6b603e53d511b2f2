package main

import (
	"bytes"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// BenchmarkHandler is what of a poll is ours: the node's handler with everything on, called without a connection, and the
// log line written to nowhere. Every answer comes from memory.
//
//	go test ./cmd/skjold -run '^$' -bench Handler -benchmem
func BenchmarkHandler(b *testing.B) {
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
	last := fillForPolls(b, n, 2_000)
	handler := n.handler()
	path := "/taxii2/main/collections/" + made.Collection + "/objects/"
	for _, p := range []struct {
		name, query string
		known       bool // If-None-Match names what there is
		status      int
	}{
		{"page", "?limit=100", false, http.StatusOK},
		{"nothing new", "?added_after=" + last.String(), false, http.StatusOK},
		{"not modified", "?limit=100", true, http.StatusNotModified},
	} {
		b.Run(p.name, func(b *testing.B) {
			header := http.Header{"Accept": {taxii.MediaType}, "Accept-Encoding": {"gzip"}, "User-Agent": {"bench"}}
			w := &discarded{header: http.Header{}}
			ask := func() {
				u, err := url.ParseRequestURI(path + p.query)
				if err != nil {
					b.Fatal(err)
				}
				r := &http.Request{Method: http.MethodGet, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
					Header: header, Body: http.NoBody, Host: "node.example", RemoteAddr: "192.0.2.1:4711"}
				r = r.WithContext(b.Context())
				clear(w.header)
				handler.ServeHTTP(w, r)
			}
			login := &http.Request{Header: header}
			login.SetBasicAuth(made.User, made.Password)
			ask()
			if p.known {
				header.Set("If-None-Match", w.header.Get("ETag"))
				ask()
			}
			if w.status != p.status {
				b.Fatalf("the answer is %d, not %d: %s", w.status, p.status, w.body.String())
			}
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}

// discarded is a response that nobody reads.
type discarded struct {
	header http.Header
	status int
	body   bytes.Buffer // of errors
}

func (d *discarded) Header() http.Header { return d.header }

func (d *discarded) WriteHeader(status int) { d.status = status }

func (d *discarded) Write(p []byte) (int, error) {
	if d.status >= http.StatusBadRequest {
		return d.body.Write(p)
	}
	return len(p), nil
}
