package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// readiness is whether a proxy should send requests here.
type readiness struct {
	mu     sync.Mutex
	up     bool
	logged string // what the log was told last
}

func (r *readiness) set(up bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up = up
}

// answer is what /readyz says; changed tells that it is not what was said before.
func (r *readiness) answer(h store.Health) (status int, text string, changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	status, text = http.StatusServiceUnavailable, ""
	switch {
	case !r.up:
		text = "stopping"
	case h.Damaged:
		text = "the database is damaged"
	case h.Err != nil:
		text = "the database does not answer"
	case h.WritesFail: // what reads, and that is most, is served
		status, text = http.StatusOK, "ready\nwrites: failing"
	default:
		status, text = http.StatusOK, "ready"
	}
	changed = text != r.logged
	r.logged = text
	return status, text, changed
}

// readyz tells a proxy whether the node can serve: not while it starts or stops, and not without its database or with a
// damaged one. Where only writing fails it can, and says so. The log is told what changes.
func (n *node) readyz(w http.ResponseWriter, r *http.Request) {
	h := n.store.Health(r.Context())
	status, text, changed := n.ready.answer(h)
	switch {
	case changed && status != http.StatusOK:
		n.log.Error("not ready", "reason", text, "error", h.Err)
	case changed && h.WritesFail:
		n.log.Error("ready to serve what is there, but the database can't be written: is the disk full?")
	}
	plain(w, status, text)
}

// answerStarting answers every request on ln with 503 until the function that it returns is called: opening a large
// database of an older version takes its time, and a proxy that asks should not wait for it. ln is then free for the node.
func answerStarting(ln net.Listener, files *tlsFiles, log *slog.Logger) (end func() error) {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return func() error { return nil }
	}
	taxiiStarting := taxii.Starting()
	s := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			switch {
			case r.URL.Path == "/healthz":
				plain(w, http.StatusOK, "ok")
			case strings.HasPrefix(r.URL.Path, "/taxii2"):
				taxiiStarting.ServeHTTP(w, r)
			default:
				w.Header().Set("Retry-After", "5")
				plain(w, http.StatusServiceUnavailable, "starting")
			}
		}),
	}
	done := make(chan error, 1)
	go func() {
		if files != nil {
			s.TLSConfig = files.serverConfig()
			done <- s.ServeTLS(lent{tcp}, "", "")
			return
		}
		done <- s.Serve(lent{tcp})
	}()
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil { // somebody does not take the answer
			_ = s.Close()
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return tcp.SetDeadline(time.Time{})
	}
}

// lent is a listener that stays open when a server has finished with it.
type lent struct{ *net.TCPListener }

// Close ends an Accept that waits.
func (l lent) Close() error { return l.SetDeadline(time.Now()) }
