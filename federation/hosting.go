package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The times of a node whose hub hosts its configuration.
const (
	// hostingCheck is how often a node looks whether its configuration says something else, or was signed anew.
	hostingCheck = 2 * time.Second
	// hostingRetry and lastRetry bound the pause after a failure; it doubles.
	hostingRetry = time.Second
)

// HostingOptions say how a node gets its configuration hosted.
type HostingOptions struct {
	// Hub is the superior that hosts it.
	Hub EntityID
	// Configuration returns the node's signed entity configuration, signed anew in time (WellKnownHandler.Current).
	Configuration func() (string, error)
	// Signer signs the requests; HTTP is the one outgoing client; Chain returns the node's trust chain, nil for none yet.
	Signer *Signer
	HTTP   *http.Client
	Chain  func() []string
	// OnChange, where set, is told of every configuration that was taken and of every failure that is new.
	OnChange func(HostingState)
	// Logger is told of what fails; nil for slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// HostingState is how the hosting of a node's configuration goes.
type HostingState struct {
	Hub EntityID `json:"hub"`
	// Sent is when the hub last took a configuration, Expires when that ends; zero for never.
	Sent    time.Time `json:"sent,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	// Error is why the last attempt failed, "" if it did not.
	Error string `json:"error,omitempty"`
}

// Hosting keeps the entity configuration of a node without inbound connections at its hub: it sends the configuration when
// the node starts and whenever it is signed anew, so long before the one at the hub ends. It runs concurrently.
type Hosting struct {
	options HostingOptions
	client  *http.Client

	mu    sync.Mutex
	state HostingState
	sent  string // what the hub took last, in this process
}

// NewHosting makes the keeper; nothing is sent before Run or Send.
func NewHosting(o HostingOptions) *Hosting {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Hosting{options: o, state: HostingState{Hub: o.Hub}, client: &http.Client{Timeout: o.HTTP.Timeout, Transport: NewTransport(TransportOptions{
		Signer: o.Signer, Callee: o.Hub, Base: o.HTTP.Transport, Chain: o.Chain,
	})}}
}

// State tells how it goes.
func (h *Hosting) State() HostingState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

// Run keeps the configuration at the hub until ctx ends.
func (h *Hosting) Run(ctx context.Context) error {
	retry := hostingRetry
	for {
		pause := hostingCheck
		switch sent, err := h.update(ctx); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			h.options.Logger.Warn("the hub did not take this node's configuration; it is tried again", "hub", h.options.Hub, "in", retry, "error", err)
			pause, retry = jitter(retry), min(2*retry, lastRetry)
		case sent:
			retry = hostingRetry
			h.options.Logger.Info("the hub hosts this node's configuration", "hub", h.options.Hub, "until", h.State().Expires)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// update sends the configuration if the hub holds another one, as far as this process knows.
func (h *Hosting) update(ctx context.Context) (sent bool, err error) {
	due, err := h.due()
	if err != nil || !due {
		return false, err
	}
	return true, h.Send(ctx)
}

// due tells whether the hub holds another configuration than the present one, as far as this process knows.
func (h *Hosting) due() (bool, error) {
	compact, err := h.options.Configuration()
	if err != nil {
		return false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return compact != h.sent, nil
}

// Send sends the configuration once.
func (h *Hosting) Send(ctx context.Context) error {
	compact, err := h.options.Configuration()
	var expires time.Time
	if err == nil {
		expires, err = h.post(ctx, compact)
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	h.mu.Lock()
	before := h.state
	if err == nil {
		h.sent = compact
		h.state = HostingState{Hub: h.options.Hub, Sent: h.options.Now(), Expires: expires}
	} else {
		h.state.Error = fmt.Sprintf("%.500s", err)
	}
	now := h.state
	h.mu.Unlock()
	if now != before && h.options.OnChange != nil {
		h.options.OnChange(now)
	}
	return err
}

// post returns until when the hub holds the configuration.
func (h *Hosting) post(ctx context.Context, compact string) (time.Time, error) {
	address := string(h.options.Hub) + HostedPath
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(compact))
	if err != nil {
		return time.Time{}, err
	}
	r.Header.Set("Content-Type", StatementMediaType)
	resp, err := h.client.Do(r)
	if err != nil {
		return time.Time{}, fmt.Errorf("send the entity configuration to %s: %w", h.options.Hub, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return time.Time{}, fmt.Errorf("send the entity configuration to %s: %w", h.options.Hub, err)
	}
	switch {
	case asksForChain(resp) && (h.options.Chain == nil || h.options.Chain() == nil):
		return time.Time{}, fmt.Errorf("%s does not know this node yet, and this node has found no trust chain to introduce itself with", h.options.Hub)
	case resp.StatusCode == http.StatusNotFound:
		return time.Time{}, fmt.Errorf("%s hosts no configurations: is it the hub that issues statements about this node?%s", h.options.Hub, toldDescription(body))
	case resp.StatusCode != http.StatusOK:
		return time.Time{}, fmt.Errorf("%s answered %s%s", address, resp.Status, toldDescription(body))
	}
	var told hostedAnswer
	if json.Unmarshal(body, &told) != nil || told.Entity != h.options.Signer.Entity {
		return time.Time{}, errors.New(address + " did not say that it hosts this node's configuration")
	}
	return time.Unix(told.Expires, 0), nil
}
