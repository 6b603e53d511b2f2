package federation

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// WellKnownPath is where an entity's configuration is found, below its entity id (OpenID Federation 1.0 §9).
	WellKnownPath = "/.well-known/openid-federation"
	// StatementMediaType is the media type of entity statements (OpenID Federation 1.0 §16).
	StatementMediaType = "application/" + statementType
)

// WellKnownOptions say what WellKnown serves.
type WellKnownOptions struct {
	Entity  EntityID
	Keys    Keys
	APIRoot string           // "" for the entity's default
	Now     func() time.Time // nil for time.Now
}

// WellKnown serves the node's entity configuration at WellKnownPath to everybody, signed anew when half its life is
// over. It costs a caller's request no signature.
func WellKnown(o WellKnownOptions) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &wellKnown{options: o}
}

type wellKnown struct {
	options WellKnownOptions

	mu       sync.Mutex
	compact  string
	signedAt time.Time
}

func (h *wellKnown) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET is possible here", http.StatusMethodNotAllowed)
		return
	}
	compact, err := h.current()
	if err != nil { // the keys or the address are wrong: serve finds that out at its start
		http.Error(w, "the entity configuration cannot be signed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", StatementMediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = io.WriteString(w, compact) // the caller may be gone; nobody is left to tell
}

// current returns the configuration, signed in this half of its life. A clock that was set back signs anew too: what was
// issued in the future is refused by others.
func (h *wellKnown) current() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.options.Now()
	if age := now.Sub(h.signedAt); h.compact != "" && age >= 0 && age < configurationLife/2 {
		return h.compact, nil
	}
	compact, err := SignConfiguration(h.options.Entity, h.options.Keys, h.options.APIRoot, now)
	if err != nil {
		return "", err
	}
	h.compact, h.signedAt = compact, now
	return compact, nil
}

// FetchConfiguration gets an entity's configuration from its well-known address and verifies it against the thumbprint
// that its operator gave (43 characters of base64url, RFC 7638). Only an operator's command calls it: nothing that a
// caller sends makes a node fetch anything.
func FetchConfiguration(ctx context.Context, client *http.Client, entity EntityID, thumbprint string) (Configuration, error) {
	address := string(entity) + WellKnownPath
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Configuration{}, fmt.Errorf("fetch %s: %w", address, err)
	}
	r.Header.Set("Accept", StatementMediaType)
	resp, err := client.Do(r)
	if err != nil {
		return Configuration{}, fmt.Errorf("fetch the entity configuration of %s: %w", entity, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Configuration{}, fmt.Errorf("%s answered %s; is it a node of the federation?", address, resp.Status)
	}
	if mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || mediaType != StatementMediaType {
		return Configuration{}, fmt.Errorf("%s answered with the media type %.64q, not %s", address, resp.Header.Get("Content-Type"), StatementMediaType)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, jose.DefaultMaxSize+1))
	if err != nil {
		return Configuration{}, fmt.Errorf("fetch the entity configuration of %s: %w", entity, err)
	}
	return VerifyConfiguration(strings.TrimSuffix(string(body), "\n"), entity, thumbprint, time.Now())
}
