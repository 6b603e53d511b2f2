package federation

import (
	"context"
	"encoding/json"
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
	// Configuration tells what the node says about itself now. It is asked at most every two seconds, one at a time.
	Configuration func() (NodeConfiguration, error)
	// Life is how long a configuration holds, at most 24 hours; 0 means 24 hours.
	Life time.Duration
	Now  func() time.Time // nil for time.Now
}

// WellKnown serves the node's entity configuration at WellKnownPath to everybody, signed anew when half its life is
// over or when it says something else. It costs a caller's request no signature.
func WellKnown(o WellKnownOptions) *WellKnownHandler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Life == 0 {
		o.Life = configurationLife
	}
	return &WellKnownHandler{options: o}
}

// WellKnownHandler holds the entity configuration that is served. It runs concurrently.
type WellKnownHandler struct {
	options WellKnownOptions

	mu       sync.Mutex
	compact  string
	content  string // what it says, apart from its times
	signedAt time.Time
	askedAt  time.Time
}

func (h *WellKnownHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET is possible here", http.StatusMethodNotAllowed)
		return
	}
	compact, err := h.Current()
	if err != nil { // the keys or the address are wrong: serve finds that out at its start
		http.Error(w, "the entity configuration cannot be signed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", StatementMediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = io.WriteString(w, compact) // the caller may be gone; nobody is left to tell
}

// changesAfter is how long a change of what the node says may wait.
const changesAfter = 2 * time.Second

// Current returns the signed entity configuration, in the first half of its life. A clock that was set back signs anew
// too: what was issued in the future is refused by others.
func (h *WellKnownHandler) Current() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.options.Now()
	age := now.Sub(h.signedAt)
	fresh := h.compact != "" && age >= 0 && age < h.options.Life/2
	if asked := now.Sub(h.askedAt); fresh && asked >= 0 && asked < changesAfter {
		return h.compact, nil
	}
	said, err := h.options.Configuration()
	if err != nil {
		return "", err
	}
	content, err := said.content()
	if err != nil {
		return "", err
	}
	h.askedAt = now
	if fresh && content == h.content {
		return h.compact, nil
	}
	compact, err := said.SignFor(h.options.Life, now)
	if err != nil {
		return "", err
	}
	h.compact, h.content, h.signedAt = compact, content, now
	return compact, nil
}

// content is what a configuration says, apart from its times: equal texts are equal configurations.
func (c NodeConfiguration) content() (string, error) {
	configuration, err := c.entityConfiguration()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(configuration.claims(time.Time{}))
	return c.Keys.Federation.ID() + string(text), err
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
