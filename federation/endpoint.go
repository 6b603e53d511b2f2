package federation

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// EndpointOptions say what the federation endpoints of a node answer from. What is nil is not there: its endpoints answer
// 404. There is no HTTP client among them: no request makes a node ask another.
type EndpointOptions struct {
	// Entity is the node; FederationKey returns the key that signs now.
	Entity        EntityID
	FederationKey func() *jose.Key
	// BaseURL is the address under which others reach the node, without a trailing slash; "" for the entity id.
	BaseURL string
	// Registry has the entities about which this one issues statements.
	Registry Registry
	// StatementLife is how long a statement holds, at most 24 hours; 0 means 24 hours.
	StatementLife time.Duration
	// Chains finds the trust chain of an entity among those that the node holds; nil if it holds none.
	Chains func(EntityID) *TrustChain
	// HistoricalKeys returns the node's former federation keys.
	HistoricalKeys func(ctx context.Context) ([]HistoricalKey, error)
	// Ledger returns the federation's records, nil while there are none.
	Ledger func() *Ledger
	// Revocations returns the newest revocation list of an anchor that the node holds, nil for none.
	Revocations func(anchor EntityID) *RevocationList
	// Introductions take the trust chains of nodes that introduce themselves.
	Introductions *Introductions
	// IntroductionRate is how many introductions one address may send in a minute, 0 for any number; beyond it the answer
	// is 429. Addresses of IPv6 count by their /64.
	IntroductionRate int
	// Hosted holds the configurations that the entity hosts for those that Registry has; Authenticate tells who sends one,
	// as Verifier.Verify does. Both are needed for it.
	Hosted       HostedStore
	Authenticate func(*http.Request) (Caller, error)
	// Authorize, where set, decides who may fetch and list: for a federation whose members are confidential. Its error is
	// an *EndpointError, or the node's fault.
	Authorize func(*http.Request) error
	// Now is the clock, nil for time.Now; Logger gets the faults of the node, nil for slog.Default.
	Now    func() time.Time
	Logger *slog.Logger
}

// Endpoints serves the federation endpoints of a node (OpenID Federation 1.0 §8) and the records of this federation, at
// the paths of this package. Everything is answered from what the node holds.
type Endpoints struct {
	options    EndpointOptions
	mux        *http.ServeMux
	statements signedTexts
	former     signedTexts
	hostedRate *addressRate // by member
}

// endpointHandler answers a request or says why it cannot.
type endpointHandler func(http.ResponseWriter, *http.Request) error

// NewEndpoints makes the handler of the federation endpoints.
func NewEndpoints(o EndpointOptions) *Endpoints {
	if o.BaseURL == "" {
		o.BaseURL = string(o.Entity)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.StatementLife == 0 {
		o.StatementLife = statementLife
	}
	e := &Endpoints{options: o, mux: http.NewServeMux(), hostedRate: newAddressRate(hostedPerMinute, o.Now)}
	e.routes()
	return e
}

// routes are all paths, with the section of the standard or of this federation's rules.
func (e *Endpoints) routes() {
	o := e.options
	if o.Registry != nil {
		e.handle(http.MethodGet, FetchPath, e.authorized(e.fetch)) // OpenID Federation 1.0 §8.1
		e.handle(http.MethodGet, ListPath, e.authorized(e.list))   // §8.2
	}
	if o.Chains != nil {
		e.handle(http.MethodGet, ResolvePath, e.resolve) // §8.3
	}
	if o.HistoricalKeys != nil {
		e.handle(http.MethodGet, HistoricalKeysPath, e.historicalKeys) // §8.7
	}
	if o.Ledger != nil {
		e.handle(http.MethodGet, RecordsPath, e.records)
		e.handle(http.MethodGet, RecordsPath+"/{hash}", e.record)
		e.handle(http.MethodGet, DecisionsPath+"/{hash}", e.decision)
	}
	if o.Revocations != nil {
		e.handle(http.MethodGet, RevocationsPath, e.revocations)
	}
	if o.Introductions != nil {
		e.handle(http.MethodPost, IntroducePath, newIntroduceHandler(o.Introductions, newAddressRate(o.IntroductionRate, o.Now)).handle)
	}
	if o.Hosted != nil && o.Authenticate != nil && o.Registry != nil {
		e.handleMethods(HostedPath, map[string]endpointHandler{http.MethodGet: e.getHosted, http.MethodPost: e.postHosted})
	}
	e.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound("there is no such endpoint").write(w) })
}

// ServeHTTP implements http.Handler.
func (e *Endpoints) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.mux.ServeHTTP(w, r) }

// handle mounts an endpoint of one method; GET comes with HEAD.
func (e *Endpoints) handle(method, path string, h endpointHandler) {
	e.handleMethods(path, map[string]endpointHandler{method: h})
}

// handleMethods mounts an endpoint of several methods.
func (e *Endpoints) handleMethods(path string, handlers map[string]endpointHandler) {
	if h, ok := handlers[http.MethodGet]; ok {
		handlers[http.MethodHead] = h
	}
	allow := strings.Join(slices.Sorted(maps.Keys(handlers)), ", ")
	e.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		h, ok := handlers[r.Method]
		if !ok {
			w.Header().Set("Allow", allow)
			(&EndpointError{Status: http.StatusMethodNotAllowed, Code: "invalid_request", Description: "only " + allow + " is possible here"}).write(w)
			return
		}
		if err := h(w, r); err != nil {
			answer := endpointErrorOf(err)
			if answer.Status >= http.StatusInternalServerError {
				level := slog.LevelError
				if answer.Status == http.StatusServiceUnavailable { // it is meant so, for a while
					level = slog.LevelWarn
				}
				e.options.Logger.Log(r.Context(), level, "federation endpoint failed", "path", r.URL.Path, "error", err)
			}
			answer.write(w)
		}
	})
}

// authorized asks who may, before anything else.
func (e *Endpoints) authorized(h endpointHandler) endpointHandler {
	if e.options.Authorize == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := e.options.Authorize(r); err != nil {
			return err
		}
		return h(w, r)
	}
}

// single returns a query parameter that stands there once.
func single(query url.Values, name string) (string, error) {
	switch values := query[name]; {
	case len(values) == 0 || values[0] == "":
		return "", invalidRequest("the parameter %s is missing", name)
	case len(values) > 1:
		return "", invalidRequest("the parameter %s stands there %d times", name, len(values))
	default:
		return values[0], nil
	}
}

// boolean reads a query parameter that is true, or false, which is the same as not there.
func boolean(query url.Values, name string) (bool, error) {
	values := query[name]
	if len(values) == 0 {
		return false, nil
	}
	if len(values) > 1 || values[0] != "true" && values[0] != "false" {
		return false, invalidRequest("the parameter %s must be true or false", name)
	}
	return values[0] == "true", nil
}

// entityParameter reads the entity id of a query parameter.
func entityParameter(query url.Values, name string) (EntityID, error) {
	text, err := single(query, name)
	if err != nil {
		return "", err
	}
	id, err := ParseEntityID(text)
	if err != nil {
		return "", invalidRequest("the parameter %s: %v", name, err)
	}
	return id, nil
}

// queryOf reads the query strictly: a part that cannot be read could be what was meant.
func queryOf(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidRequest("the query cannot be read")
	}
	return query, nil
}
