package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// UnknownChain is the error code of a 401 to a node that has not introduced itself, or whose chain has ended: it sends its
// trust chain to IntroducePath and repeats the request.
const UnknownChain = "unknown_chain"

// challenge is the WWW-Authenticate of a 401 on a federation endpoint (RFC 6750 §3).
func challenge(code string) string { return fmt.Sprintf(`Bearer realm="federation", error=%q`, code) }

// concurrentIntroductions is how many chains are verified at once, so that strangers cannot take all processors.
const concurrentIntroductions = 4

// introduceHandler is POST IntroducePath.
type introduceHandler struct {
	introductions *Introductions
	rate          *addressRate
	slots         chan struct{}
}

func newIntroduceHandler(in *Introductions, rate *addressRate) *introduceHandler {
	return &introduceHandler{introductions: in, rate: rate, slots: make(chan struct{}, concurrentIntroductions)}
}

func (h *introduceHandler) handle(w http.ResponseWriter, r *http.Request) error {
	if wait := h.rate.take(r); wait > 0 {
		return &EndpointError{Status: http.StatusTooManyRequests, Code: "temporarily_unavailable", RetryAfter: wait,
			Description: "too many introductions came from your address; wait as long as Retry-After says"}
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != TrustChainMediaType {
		return &EndpointError{Status: http.StatusUnsupportedMediaType, Code: "invalid_request", Description: "the body must be a trust chain, " + TrustChainMediaType}
	}
	if r.ContentLength > maxChainBytes {
		return tooLargeChain()
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return &EndpointError{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "other chains are being verified; try again in some seconds"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxChainBytes+1))
	if err != nil {
		return invalidRequest("the body could not be read")
	}
	if len(body) > maxChainBytes {
		return tooLargeChain()
	}
	statements, err := ParseTrustChain(body)
	if err != nil {
		return &EndpointError{Status: http.StatusBadRequest, Code: "invalid_trust_chain", Description: err.Error()}
	}
	chain, err := h.introductions.Introduce(statements)
	if err == nil {
		if err := h.introductions.share(r.Context(), chain); err != nil {
			return &EndpointError{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "this node's database does not answer; try again later", Cause: err}
		}
	}
	switch {
	case errors.Is(err, ErrIntroductionsClosed):
		return &EndpointError{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: ErrIntroductionsClosed.Error() + ": this node can't check revocations; try again later", Cause: err}
	case errors.Is(err, ErrManyIntroductions):
		return &EndpointError{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "too many nodes have introduced themselves; try again later", Cause: err}
	case err != nil:
		return &EndpointError{Status: http.StatusBadRequest, Code: "invalid_trust_chain", Description: fmt.Sprintf("%.500s", err.Error())}
	}
	answer, err := json.Marshal(map[string]any{"entity": chain.Entity, "exp": chain.Expires.Unix()})
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, "application/json", "no-store", answer)
	return nil
}

func tooLargeChain() error {
	return &EndpointError{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: fmt.Sprintf("a trust chain has at most %d bytes", maxChainBytes)}
}

// asksForChain tells whether an answer wants the caller to introduce itself.
func asksForChain(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, value := range resp.Header.Values("WWW-Authenticate") {
		scheme, parameters, _ := strings.Cut(value, " ")
		if strings.EqualFold(scheme, "Bearer") && strings.Contains(parameters, `error="`+UnknownChain+`"`) {
			return true
		}
	}
	return false
}

// introduce sends a trust chain to a node.
func introduce(ctx context.Context, base http.RoundTripper, callee EntityID, statements []string) error {
	body, err := json.Marshal(statements)
	if err != nil {
		return fmt.Errorf("introduce this node to %s: %w", callee, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, string(callee)+IntroducePath, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("introduce this node to %s: %w", callee, err)
	}
	r.Header.Set("Content-Type", TrustChainMediaType)
	resp, err := base.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("introduce this node to %s: %w", callee, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err == nil && resp.StatusCode == http.StatusOK {
		return nil
	}
	var told struct {
		Description string `json:"error_description"`
	}
	if json.Unmarshal(answer, &told) != nil || told.Description == "" {
		told.Description = "it gives no reason"
	}
	return fmt.Errorf("%s does not accept this node's trust chain (%s): %.500q", callee, resp.Status, told.Description)
}
