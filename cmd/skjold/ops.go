package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/taxii"
)

// handler is everything that the node serves.
func (n *node) handler() http.Handler {
	r := chi.NewRouter()
	r.Group(func(r chi.Router) {
		r.Use(withoutBody)
		r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
		r.Get("/readyz", n.readyz)
		if n.cfg.Metrics.Listen == "" {
			r.Method(http.MethodGet, "/metrics", n.metricsHandler())
		}
		if n.identity != nil {
			r.Method(http.MethodGet, federation.WellKnownPath, n.hostedByName(n.identity))
		}
		if n.members != nil {
			n.mountDirectory(r)
		}
	})
	if n.trust != nil {
		r.Mount("/federation/v1", n.trust.endpoints)
	}
	r.Mount("/", n.taxii.Handler())
	// Of methods that it does not know chi asks nobody; they too are answered as TAXII wants every answer to be.
	r.MethodNotAllowed(n.taxii.Handler().ServeHTTP)
	return clientAddress(n.cfg.TrustedProxies, beforeOthers("/taxii2/", n.taxii.Handler(), n.belowHosted(r)))
}

// beforeOthers serves what is below a path from one handler, where the router would come to after looking at the others: of
// the requests of a node nearly all are for it.
func beforeOthers(below string, handler, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, below) {
			handler.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// withoutBody closes the connection of a request that announces a body where none belongs: waiting for it would hold the
// connection for a stranger.
func withoutBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			// The answer goes out at once; an error means that there is no deadline to set on this kind of connection.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
		}
		next.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// metricsHandler serves the figures to everybody if the configuration says so, else to programs on this machine and to
// administrators. What a proxy passes on comes from this machine too, perhaps for a stranger: it does not count.
func (n *node) metricsHandler() http.Handler {
	next := promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{Registry: n.registry})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowed := n.cfg.Metrics.Public || (!n.cfg.BehindProxy && !forwarded(r) && fromLoopback(r))
		if !allowed {
			p, err := n.auth.Authenticate(r)
			allowed = err == nil && p.Admin
			var limit *taxii.LimitError
			if errors.As(err, &limit) {
				w.Header().Set("Retry-After", limit.RetryAfter())
				plain(w, http.StatusTooManyRequests, "too many requests without valid credentials; try again later")
				return
			}
		}
		if !allowed {
			w.Header().Set("WWW-Authenticate", `Basic realm="skjold"`)
			plain(w, http.StatusUnauthorized, "/metrics is for administrators and for programs on this machine; metrics.public opens it")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func forwarded(r *http.Request) bool {
	return r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("Via") != ""
}

func fromLoopback(r *http.Request) bool {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && a.Addr().Unmap().IsLoopback()
}
