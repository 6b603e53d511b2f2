package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

// hostingFact is where a node notes how the hosting of its configuration goes: a federation.HostingState.
const hostingFact = "hosting"

// newHosting prepares the keeper of the node's configuration at its hub, nil where none hosts it.
func (n *node) newHosting(signer *federation.Signer, identity *federation.WellKnownHandler, client *http.Client, chain func() []string) *federation.Hosting {
	if n.cfg.Federation.HostedBy == "" {
		return nil
	}
	return federation.NewHosting(federation.HostingOptions{
		Hub: federation.EntityID(n.cfg.Federation.HostedBy), Configuration: identity.Current, Signer: signer, HTTP: client, Chain: chain, Logger: n.log,
		OnChange: func(s federation.HostingState) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := noteHosting(ctx, n.store, s); err != nil {
				n.log.Warn("how the hosting of the configuration goes is not noted", "error", err)
			}
		},
	})
}

// saidBy is what the configuration of a node says about it, to everybody: its keys are missing.
func saidBy(cfg *config.Config) federation.NodeConfiguration {
	c := federation.NodeConfiguration{Entity: federation.EntityID(cfg.Entity), APIRoot: apiRootURL(cfg), BaseURL: cfg.PublicURL}
	for _, s := range cfg.Federation.Superiors {
		c.Superiors = append(c.Superiors, federation.EntityID(s))
	}
	return c
}

func noteHosting(ctx context.Context, st *store.Store, s federation.HostingState) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return st.SetMeta(ctx, hostingFact, string(text))
}

// readHosting returns how the hosting of the node's configuration goes, as the running node noted it.
func readHosting(ctx context.Context, st *store.Store) (s federation.HostingState, err error) {
	text, err := st.Meta(ctx, hostingFact)
	if isNotFound(err) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s, err
}

// hostedByName answers a request for an entity configuration with that of the hosted entity whose name the caller used:
// its host name may lead to its hub. For every other name it is this node's.
func (n *node) hostedByName(own http.Handler) http.Handler {
	if n.trust == nil {
		return own
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme := "https://"
		if federation.EntityID(n.cfg.Entity).Loopback() {
			scheme = "http://"
		}
		id, err := federation.ParseEntityID(scheme + r.Host + strings.TrimSuffix(r.URL.Path, federation.WellKnownPath))
		if err != nil || string(id) == n.cfg.Entity {
			own.ServeHTTP(w, r)
			return
		}
		h, err := n.store.Hosted(r.Context(), id)
		switch {
		case err == nil && time.Now().Before(h.Expires):
			w.Header().Set("Content-Type", federation.StatementMediaType)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "public, max-age=300")
			_, _ = w.Write([]byte(h.Compact)) // the caller may be gone; nobody is left to tell
		case err != nil && !errors.Is(err, federation.ErrNotHosted):
			n.log.ErrorContext(r.Context(), "a hosted configuration can't be read", "error", err)
			http.Error(w, "the node failed; its operator finds the reason in the log", http.StatusInternalServerError)
		default:
			own.ServeHTTP(w, r)
		}
	})
}

// belowHosted takes the requests for configurations of hosted entities whose id has a path, such as
// https://hub.example/members/koege; all else goes on.
func (n *node) belowHosted(next http.Handler) http.Handler {
	if n.trust == nil {
		return next
	}
	hosted := withoutBody(n.hostedByName(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		get := r.Method == http.MethodGet || r.Method == http.MethodHead
		if get && r.URL.Path != federation.WellKnownPath && strings.HasSuffix(r.URL.Path, federation.WellKnownPath) {
			hosted.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
