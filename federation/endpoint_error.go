package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// The paths of the federation endpoints below a node's address.
const (
	FetchPath          = "/federation/v1/fetch"
	ListPath           = "/federation/v1/list"
	ResolvePath        = "/federation/v1/resolve"
	HistoricalKeysPath = "/federation/v1/historical-keys"
	IntroducePath      = "/federation/v1/introduce"
	HostedPath         = "/federation/v1/hosted"    // configurations that a hub hosts
	RecordsPath        = "/federation/v1/records"   // and below it each record by its hash
	DecisionsPath      = "/federation/v1/decisions" // and below it each decision by its hash
	RevocationsPath    = "/federation/v1/revocations"
)

// The metadata parameters of a federation_entity that say where its endpoints are (OpenID Federation 1.0 §5.1.1).
const (
	fetchParameter          = "federation_fetch_endpoint"
	listParameter           = "federation_list_endpoint"
	resolveParameter        = "federation_resolve_endpoint"
	historicalKeysParameter = "federation_historical_keys_endpoint"
)

// defaultRetryAfter is how long a caller is asked to wait where nothing else is known.
const defaultRetryAfter = 5 * time.Second

// EndpointError is the answer of a federation endpoint that cannot do what was asked (OpenID Federation 1.0 §8.9).
type EndpointError struct {
	Status int    // of HTTP
	Code   string // the standard's error code, or UnknownChain
	// Description is for people; it says nothing that the caller may not know.
	Description string
	// Cause, where set, is for the log and not for the caller.
	Cause error
	// RetryAfter is how long the caller is asked to wait, in whole seconds, with the status 429 or 503; 0 means 5 s.
	RetryAfter time.Duration
}

func (e *EndpointError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Description, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Description)
}

// Unwrap returns the cause.
func (e *EndpointError) Unwrap() error { return e.Cause }

func invalidRequest(format string, args ...any) *EndpointError {
	return &EndpointError{Status: http.StatusBadRequest, Code: "invalid_request", Description: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *EndpointError {
	return &EndpointError{Status: http.StatusNotFound, Code: "not_found", Description: fmt.Sprintf(format, args...)}
}

// endpointErrorOf gives any error the form of an answer; one without a form is the server's fault and says nothing.
func endpointErrorOf(err error) *EndpointError {
	var e *EndpointError
	if errors.As(err, &e) {
		return e
	}
	return &EndpointError{Status: http.StatusInternalServerError, Code: "server_error", Description: "the node failed; its operator finds the reason in the log", Cause: err}
}

// write answers with the error.
func (e *EndpointError) write(w http.ResponseWriter) {
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{e.Code, e.Description})
	if err != nil { // two strings
		body = []byte(`{"error":"server_error","error_description":"the node failed"}`)
	}
	h := w.Header()
	switch e.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge(e.Code))
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		wait := e.RetryAfter
		if wait <= 0 {
			wait = defaultRetryAfter
		}
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10))
	}
	writeBody(w, e.Status, "application/json", "no-store", body)
}

// writeBody answers with a body that nobody is to take for something else.
func writeBody(w http.ResponseWriter, status int, mediaType, caching string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", caching)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may be gone; nobody is left to tell
}
