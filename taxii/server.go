package taxii

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/stix"
)

// Options are what a Server needs. Store, Authenticator and Visibility are required; every other zero value has the
// default that its comment says.
type Options struct {
	Title       string // of the discovery resource (§4.1.1); "TAXII server"
	Description string
	Contact     string
	// PublicURL is the absolute URL at which clients reach the server, without /taxii2. With https the API root is
	// advertised as an absolute URL; with http, or none, as a path, since §4.1.1 allows nothing else.
	PublicURL string

	APIRoot            string // the API root's path segment below /taxii2/, without dots; "main"
	APIRootTitle       string // APIRoot
	APIRootDescription string

	Store         Store
	Authenticator Authenticator
	Visibility    Visibility

	MaxContentLength int64         // octets of a request body, compressed or expanded; 32 MiB
	MaxBuffered      int64         // octets of all submissions in memory at once, then 503; 16 times MaxContentLength, at least 512 MiB
	MaxSending       int64         // octets of all larger responses that are being sent at once, then small pages and 503; 256 MiB
	PageDefault      int           // objects of a page where the request names no limit; 1,000
	PageMax          int           // most objects of a page; 10,000
	PageBytes        int64         // octets of objects after which a page ends early; 32 MiB
	BodyTimeout      time.Duration // for a request body to arrive; 60 s
	SendTimeout      time.Duration // for a client to take 256 KiB of a response; 10 s
	MinSendRate      int64         // octets per second that a client has to take of a larger response on average; 128 KiB
	Timeout          time.Duration // for the store's part of a request; 30 s

	// Limits bound each object of a submission; stix.DefaultLimits.
	Limits stix.Limits
	// MaxObjects is the most objects of a submission, where Limits do not say fewer; DefaultMaxObjects.
	MaxObjects int
	// SyncObjects is the most objects of a submission that are stored before it is answered, with a status that is complete;
	// DefaultSyncObjects. A larger one is pending when it is answered, if the store does so (Submission.Deferred).
	SyncObjects int
	// MaxFutureSkew is how far in the future an object's created and modified may be; 24 h.
	MaxFutureSkew time.Duration
	// CheckObject validates one object of a submission; strict stix.Check.
	CheckObject func(raw []byte) (*stix.Object, stix.Report)

	// Rates bound each account and peer whose own Principal.Rates say nothing; none. Administrators have none here.
	Rates Rates

	// ClientIP tells the client's address for the log; the host of RemoteAddr.
	ClientIP   func(r *http.Request) string
	Logger     *slog.Logger          // slog.Default()
	Registerer prometheus.Registerer // nil: the metrics are not registered
	Now        func() time.Time      // time.Now
}

// DefaultSyncObjects is the most objects of a submission that are stored before the answer where nothing else is said:
// clients that push bundles of some thousand objects and never ask for a status find it complete.
const DefaultSyncObjects = 5000

// maxStatuses is how many statuses are read and written as JSON at once. One may list 50,000 objects.
const maxStatuses = 4

func (o Options) withDefaults() Options {
	orDefault(&o.Title, "TAXII server")
	orDefault(&o.APIRoot, "main")
	orDefault(&o.APIRootTitle, o.APIRoot)
	orDefault(&o.MaxContentLength, 32<<20)
	orDefault(&o.MaxBuffered, max(512<<20, 16*o.MaxContentLength))
	orDefault(&o.MaxSending, 256<<20)
	orDefault(&o.PageDefault, 1000)
	orDefault(&o.PageMax, 10000)
	orDefault(&o.PageBytes, 32<<20)
	orDefault(&o.BodyTimeout, time.Minute)
	orDefault(&o.SendTimeout, 10*time.Second)
	orDefault(&o.MinSendRate, 128<<10)
	orDefault(&o.Timeout, 30*time.Second)
	orDefault(&o.SyncObjects, DefaultSyncObjects)
	orDefault(&o.Logger, slog.Default())
	if o.ClientIP == nil {
		o.ClientIP = remoteHost
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Server answers the eleven operations of TAXII 2.1. Between requests it holds nothing but what callers have used of
// their rates.
type Server struct {
	opt      Options
	answers  Answers // the store, where it keeps answers; else nil
	intake   *Intake
	metrics  *metrics
	paths    chi.Router                   // finds the pattern of a path; the methods are in table
	table    map[string]map[string]*route // by pattern and method
	pages    map[string]handlerFunc       // for people, by pattern
	buffered pool                         // memory of the submissions
	sending  pool                         // memory of the larger responses
	statuses chan struct{}                // a place for each status that is being read
	limiter  *rateLimiter
}

// NewServer returns a server. It panics if the store, the authenticator or the visibility is missing, because a server
// without one of them would answer everybody.
func NewServer(o Options) *Server {
	if o.Store == nil || o.Authenticator == nil || o.Visibility == nil {
		panic("taxii: NewServer needs a Store, an Authenticator and a Visibility")
	}
	o = o.withDefaults()
	s := &Server{
		opt: o,
		intake: NewIntake(IntakeOptions{
			Limits: o.Limits, MaxObjects: o.MaxObjects, CheckObject: o.CheckObject, MaxFutureSkew: o.MaxFutureSkew, Now: o.Now,
		}),
		paths:    chi.NewRouter(),
		table:    map[string]map[string]*route{},
		buffered: pool{holds: "submissions", most: o.MaxBuffered},
		sending:  pool{holds: "responses that are being sent", most: o.MaxSending},
		statuses: make(chan struct{}, maxStatuses),
		limiter:  newRateLimiter(o.Rates, o.Now),
	}
	s.pages = s.humanPages()
	s.answers, _ = o.Store.(Answers)
	operations := []string{noOperation}
	for _, rt := range s.routes() {
		operations = append(operations, rt.operation)
		if s.table[rt.path] == nil {
			s.table[rt.path] = map[string]*route{}
			s.paths.Get(rt.path, http.NotFound)
		}
		s.table[rt.path][rt.method] = &rt
	}
	s.metrics = newMetrics(o.Registerer, operations)
	return s
}

// noOperation is what a request is counted as that is none of the routes.
const noOperation = "none"

// route is one operation.
type route struct {
	method    string
	path      string // chi pattern, without the trailing slash; both spellings are served
	section   string // of TAXII 2.1
	operation string
	handle    func(w http.ResponseWriter, r *http.Request) error
}

// routes is the map of the server. Every operation needs authentication, HEAD is GET without the body, and what is not
// here is a 404 or 405.
func (s *Server) routes() []route {
	root := "/taxii2/" + s.opt.APIRoot
	const (
		collection = "/collections/{collection}"
		object     = collection + "/objects/{object}"
	)
	return []route{
		{"GET", "/taxii2", "4.1", "getDiscovery", s.getDiscovery},
		{"GET", root, "4.2", "getAPIRoot", s.getAPIRoot},
		{"GET", root + "/status/{status}", "4.3", "getStatus", s.getStatus},
		{"GET", root + "/collections", "5.1", "getCollections", s.getCollections},
		{"GET", root + collection, "5.2", "getCollection", s.getCollection},
		{"GET", root + collection + "/manifest", "5.3", "getManifest", s.getManifest},
		{"GET", root + collection + "/objects", "5.4", "getObjects", s.getObjects},
		{"POST", root + collection + "/objects", "5.5", "addObjects", s.addObjects},
		{"GET", root + object, "5.6", "getObject", s.getObject},
		{"DELETE", root + object, "5.7", "deleteObject", s.deleteObject},
		{"GET", root + object + "/versions", "5.8", "getVersions", s.getVersions},
	}
}

// Handler serves every path below /taxii2, with and without the trailing slash and without redirects, and answers all
// others with a 404 as a TAXII error. It looks at the request's own path, wherever it is mounted.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// advertisedRoot is the API root's URL as discovery says it (§4.1.1).
func (s *Server) advertisedRoot() string {
	path := "/taxii2/" + s.opt.APIRoot + "/"
	if base := strings.TrimSuffix(s.opt.PublicURL, "/"); strings.HasPrefix(base, "https://") {
		return base + path
	}
	return path
}
