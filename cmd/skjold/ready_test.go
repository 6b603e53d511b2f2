package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

func TestReadiness(t *testing.T) {
	gone := errors.New("connection refused by 10.0.0.7")
	for _, tt := range []struct {
		up     bool
		health store.Health
		status int
		text   string
	}{
		{false, store.Health{}, 503, "stopping"},
		{false, store.Health{Err: gone, Damaged: true}, 503, "stopping"},
		{true, store.Health{}, 200, "ready"},
		{true, store.Health{Err: gone}, 503, "the database does not answer"},
		{true, store.Health{Damaged: true}, 503, "the database is damaged"},
		{true, store.Health{Damaged: true, Err: gone, WritesFail: true}, 503, "the database is damaged"},
		{true, store.Health{WritesFail: true}, 200, "ready\nwrites: failing"},
		{true, store.Health{WritesFail: true, Err: gone}, 503, "the database does not answer"},
	} {
		r := readiness{up: tt.up}
		for round, wantChange := range []bool{true, false} {
			status, text, changed := r.answer(tt.health)
			if status != tt.status || text != tt.text || changed != wantChange {
				t.Errorf("%v, %+v, round %d: %d %q %v, want %d %q", tt.up, tt.health, round, status, text, changed, tt.status, tt.text)
			}
		}
	}
}

// fetch gets a path of a server on an address.
func fetch(t *testing.T, address, path string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, strings.TrimSpace(string(body))
}

// TestAnswerStarting holds that a node answers while it opens its database, and has its address afterwards.
func TestAnswerStarting(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	end := answerStarting(ln, nil, slog.New(slog.DiscardHandler))
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/metrics": 503} {
		res, body := fetch(t, address, path)
		if res.StatusCode != want || (want == 503) != (body == "starting" && res.Header.Get("Retry-After") != "") {
			t.Errorf("%s: %d %q", path, res.StatusCode, body)
		}
	}
	res, body := fetch(t, address, "/taxii2/main/collections/") // an answer of TAXII has its media type, whatever it is
	var problem taxii.Error
	if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Title == "" || problem.HTTPStatus != "503" || res.StatusCode != 503 ||
		res.Header.Get("Content-Type") != taxii.MediaType || res.Header.Get("Retry-After") == "" {
		t.Errorf("a TAXII client is told %d %v %q, %v", res.StatusCode, res.Header, body, err)
	}
	idle, err := net.Dial("tcp", address) // says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the node") })}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	if _, body := fetch(t, address, "/"); body != "the node" {
		t.Errorf("afterwards: %q", body)
	}
	s.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// TestReadyzWithoutDatabase asks a node whose database is gone.
func TestReadyzWithoutDatabase(t *testing.T) {
	dir, _ := newNodeDir(t, "a")
	n := &node{log: slog.New(slog.DiscardHandler), store: openDirStore(t, dir)}
	n.ready.set(true)
	ask := func() (int, string) {
		w := httptest.NewRecorder()
		n.readyz(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	if err := n.store.Close(); err != nil {
		t.Fatal(err)
	}
	if status, text := ask(); status != 503 || text != "the database does not answer" {
		t.Errorf("%d %q", status, text)
	}
	n.ready.set(false)
	if status, text := ask(); status != 503 || text != "stopping" {
		t.Errorf("%d %q", status, text)
	}
}
