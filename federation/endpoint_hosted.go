package federation

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// hostedPerMinute is how many configurations a member may send in a minute; it sends one in twelve hours.
const hostedPerMinute = 30

// getHosted answers with the configuration of an entity that this hub hosts, to everybody, as the entity itself would.
func (e *Endpoints) getHosted(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	id, err := entityParameter(query, "sub")
	if err != nil {
		return err
	}
	h, err := e.options.Hosted.Hosted(r.Context(), id)
	if errors.Is(err, ErrNotHosted) || err == nil && !e.options.Now().Before(h.Expires) {
		return notFound("this entity hosts no configuration of %s that holds", id)
	}
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, StatementMediaType, "public, max-age=300", []byte(h.Compact))
	return nil
}

// postHosted takes the configuration of a member: of the one that signed the request, if this entity issues statements
// about it. Both are known before the body is read.
func (e *Endpoints) postHosted(w http.ResponseWriter, r *http.Request) error {
	caller, err := e.caller(r)
	if err != nil {
		return err
	}
	member, err := e.options.Registry.Subordinate(r.Context(), caller.Peer.Entity)
	if errors.Is(err, ErrUnknownSubordinate) {
		return &EndpointError{Status: http.StatusForbidden, Code: "invalid_request", Description: fmt.Sprintf("%s issues no statement about %s, and hosts no configuration of it", e.options.Entity, caller.Peer.Entity)}
	}
	if err != nil {
		return err
	}
	if wait := e.hostedRate.takeOf(string(member.Entity)); wait > 0 {
		return &EndpointError{Status: http.StatusTooManyRequests, Code: "temporarily_unavailable", RetryAfter: wait, Description: "too many configurations came from this node; wait as long as Retry-After says"}
	}
	compact, err := readStatement(r)
	if err != nil {
		return err
	}
	if caller.CheckBody == nil {
		return invalidRequest("the request token does not cover the body")
	}
	if err := caller.CheckBody(sha256.Sum256([]byte(compact))); err != nil {
		return &EndpointError{Status: http.StatusUnauthorized, Code: "invalid_client", Description: "the body is not the one that was signed", Cause: err}
	}
	h, err := CheckHosted(strings.TrimSuffix(compact, "\n"), e.options.Entity, member, e.options.Now())
	if err != nil {
		return invalidRequest("%.500s", err)
	}
	switch err := e.options.Hosted.PutHosted(r.Context(), h); {
	case errors.Is(err, ErrOlderConfiguration):
		return &EndpointError{Status: http.StatusConflict, Code: "invalid_request", Description: "a configuration that was issued later is hosted already; is another node running with the same keys?"}
	case err != nil:
		return err
	}
	answer, err := json.Marshal(hostedAnswer{h.Entity, h.Expires.Unix()})
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, "application/json", "no-store", answer)
	return nil
}

// hostedAnswer tells a member what is hosted of it.
type hostedAnswer struct {
	Entity  EntityID `json:"entity"`
	Expires int64    `json:"exp"`
}

// caller is the node that sent a request, by its request token; the error is the answer to others.
func (e *Endpoints) caller(r *http.Request) (Caller, error) {
	caller, err := e.options.Authenticate(r)
	switch reason := ReasonOf(err); {
	case err == nil:
		return caller, nil
	case reason == ChainUnknown:
		return caller, &EndpointError{Status: http.StatusUnauthorized, Code: UnknownChain, Description: "introduce yourself with your trust chain at " + IntroducePath, Cause: err}
	case reason == TooMany:
		return caller, &EndpointError{Status: http.StatusTooManyRequests, Code: "temporarily_unavailable", Description: "too many request tokens of this node are in use", RetryAfter: time.Minute, Cause: err}
	case reason == "":
		return caller, &EndpointError{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "the node cannot tell who you are now", Cause: err}
	default:
		return caller, &EndpointError{Status: http.StatusUnauthorized, Code: "invalid_client", Description: "a request token of a node that this one knows is needed", Cause: err}
	}
}

// readStatement reads a body that is one entity statement.
func readStatement(r *http.Request) (string, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != StatementMediaType {
		return "", &EndpointError{Status: http.StatusUnsupportedMediaType, Code: "invalid_request", Description: "the body must be an entity statement, " + StatementMediaType}
	}
	tooLarge := &EndpointError{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: fmt.Sprintf("a statement has at most %d bytes", jose.DefaultMaxSize)}
	if r.ContentLength > jose.DefaultMaxSize {
		return "", tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, jose.DefaultMaxSize+1))
	if err != nil {
		return "", invalidRequest("the body could not be read")
	}
	if len(body) > jose.DefaultMaxSize {
		return "", tooLarge
	}
	return string(body), nil
}
