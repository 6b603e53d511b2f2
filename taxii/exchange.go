package taxii

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
)

// exchange is one request and what is noted of it on the way, for the log, the metrics and Store.Observe. It is the context
// of what handles the request, and belongs to the request's goroutine, apart from what a context has.
type exchange struct {
	context.Context // the request's as it came
	path            *chi.Context

	id        string
	start     time.Time
	operation string
	principal *Principal
	// collection is the one that the path names, once the caller is known to have rights on it; inCollection tells that
	// the path names one at all.
	collection   Collection
	inCollection bool
	pull         bool      // content of the collection is read
	served       int       // objects sent
	reached      DateAdded // the position that the client has reached by them
	problem      *problem
	page         bool   // a person's browser asks: the answer is a page
	bodyLeft     bool   // the request has a body that was not read to its end
	sending      *share // the memory that the response takes; nil where it is counted elsewhere
	unsent       error  // why the client did not take the response
	status       int
	bytes        int64
	body         *requestBody // of the request, where it was opened

	// What follows is here so that a request is one piece of memory.
	recorder recorder
	share    share
	lines    [6]string // of the response's header, see setLine
	used     int       // of these
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	return r.Context().Value(exchangeKey{}).(*exchange)
}

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	switch key {
	case exchangeKey{}:
		return x
	case chi.RouteCtxKey:
		return x.path
	}
	return x.Context.Value(key)
}

// routeContexts are memory for what chi notes of a path.
var routeContexts = sync.Pool{New: func() any { return chi.NewRouteContext() }}

// serve is the adaptor: it routes, negotiates, authenticates and calls the operation, writes the error that any of them
// returns, and notes the request once.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{
		Context: r.Context(), path: routeContexts.Get().(*chi.Context), id: newRequestID(), start: s.opt.Now(), operation: noOperation,
		bodyLeft: r.ContentLength != 0, share: share{pool: &s.sending},
	}
	x.sending = &x.share
	defer x.release()
	x.recorder = recorder{ResponseWriter: w, x: x, http1: r.ProtoMajor == 1, chunked: len(r.TransferEncoding) > 0, linger: min(lingering, s.opt.BodyTimeout)}
	rw := &x.recorder
	x.setLine(w.Header(), requestIDField, x.id)
	r = r.WithContext(x)
	defer s.finish(x, r)
	defer s.recovered(rw, r, x)
	if err := s.dispatch(rw, r); err != nil {
		s.writeProblem(rw, r, problemOf(err))
	}
}

// release gives back what the request has of others' memory.
func (x *exchange) release() {
	x.share.release()
	x.path.Reset()
	routeContexts.Put(x.path)
	x.path = nil
}

// newRequestID names a request in the log and to the client. It is no secret: it only has to be unlike the others.
func newRequestID() string {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(b[8:], rand.Uint64())
	var text [32]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) error {
	x := exchangeOf(r)
	x.page = wantsPage(r.Header)
	path, ok := routePath(r)
	if !ok {
		return notFound()
	}
	if path == "" && x.page && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return frontDoor(w)
	}
	pattern := s.paths.Find(x.path, http.MethodGet, path)
	methods, ok := s.table[pattern]
	if !ok {
		return notFound()
	}
	page := s.pages[pattern]
	x.page = x.page && page != nil
	x.inCollection = strings.Contains(pattern, "{collection}")
	if !x.page && !Accepts(r.Header) {
		return refuse(http.StatusNotAcceptable, "Not acceptable",
			"This server speaks TAXII 2.1; send Accept: %s.", MediaType)
	}
	if err := s.authenticate(r); err != nil {
		return err
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	rt, ok := methods[method]
	if !ok {
		return methodNotAllowed(methods)
	}
	x.operation = rt.operation
	if x.page {
		return page(w, r)
	}
	return rt.handle(w, r)
}

func (s *Server) authenticate(r *http.Request) error {
	p, err := s.opt.Authenticator.Authenticate(r)
	if err != nil {
		return err
	}
	if p == nil {
		return fmt.Errorf("the authenticator returned no principal: %w", ErrUnauthenticated)
	}
	exchangeOf(r).principal = p
	return s.limiter.admit(p)
}

func methodNotAllowed(methods map[string]*route) *problem {
	allowed := slices.Collect(maps.Keys(methods))
	if methods[http.MethodGet] != nil {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	list := strings.Join(allowed, ", ")
	p := refuse(http.StatusMethodNotAllowed, "Method not allowed", "This address takes %s.", list)
	p.allow = list
	return p
}

// routePath is the request's path, decoded and without the trailing slash, if every reader of the URL understands the
// same by it: an encoded slash, a doubled slash, a dot segment or a control character is refused instead of cleaned away,
// because a proxy in front may have judged another path than the one that cleaning gives.
func routePath(r *http.Request) (string, bool) {
	const longest = 2048
	path := r.URL.Path
	if len(path) > longest || !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || !plainText(path) {
		return "", false
	}
	// Without RawPath, the path was written as it would be encoded, and every slash is one.
	if r.URL.RawPath != "" && strings.Contains(strings.ToLower(r.URL.EscapedPath()), "%2f") {
		return "", false
	}
	if strings.Contains(path, "/.") {
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				return "", false
			}
		}
	}
	return strings.TrimSuffix(path, "/"), true
}

// plainText reports that a path is UTF-8 without control characters and backslashes.
func plainText(path string) bool {
	ascii := true
	for i := range len(path) {
		switch c := path[i]; {
		case c == '\\' || c < 0x20 || c == 0x7f:
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(path) && !strings.ContainsFunc(path, unicode.IsControl)
}

// recovered turns a panic into a 500. http.ErrAbortHandler goes on: it is how a handler drops a connection.
func (s *Server) recovered(w *recorder, r *http.Request, x *exchange) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	s.opt.Logger.ErrorContext(r.Context(), "request panicked", "request_id", x.id, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	p := problemOf(fmt.Errorf("panic: %v", v))
	if x.status != 0 { // the answer has begun; what is left is to cut it off
		x.problem = p
		panic(http.ErrAbortHandler)
	}
	s.writeProblem(w, r, p)
}

// recorder notes the status and the octets of the answer.
type recorder struct {
	http.ResponseWriter
	x       *exchange
	http1   bool
	chunked bool          // the request's body comes in chunks
	linger  time.Duration // how long to read on for a body that nobody wants
}

// lingering is how long an HTTP/1 connection is read on at most for a body that nobody wants. HTTP/2 resets the stream.
const lingering = 5 * time.Second

// WriteHeader answers at once where a body is still to come: over HTTP/1 net/http would first read on, without end if the
// body does not come and the server has no deadline.
//
// The connection of a body in chunks ends with the answer: where a Content-Length stood beside the chunks net/http has
// removed it, and a proxy in front that went by it takes what stands behind the body for another request than we would
// (RFC 9112 §6.1).
func (w *recorder) WriteHeader(status int) {
	if w.x.status == 0 {
		w.x.status = status
	}
	if w.http1 && (w.x.bodyLeft || w.chunked) {
		w.Header().Set("Connection", "close")
	}
	if w.http1 && w.x.bodyLeft {
		_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Now().Add(w.linger))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.x.status == 0 {
		w.x.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.x.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// notTaken is what the operator reads of a client whose response broke off.
const notTaken = "the response was not taken to its end: the client is too slow or has gone"

// finish notes the request: one log event, the metrics, and for an authenticated request on a collection Store.Observe.
// The query is left out of the log, as page tokens are in it.
func (s *Server) finish(x *exchange, r *http.Request) {
	now := s.opt.Now()
	took := now.Sub(x.start)
	kind, name := "none", ""
	if x.principal != nil {
		kind, name = kindLabel(x.principal.Kind), x.principal.Name
		s.limiter.charge(x.principal, x.bytes+x.body.received())
	}
	level, failure, told := slog.LevelInfo, "", x.problem.safeText()
	if x.unsent != nil {
		x.served, x.reached = 0, 0
		failure, told = "the client did not take the response: "+x.unsent.Error(), notTaken
	}
	s.metrics.request(x, kind, took)
	if x.problem != nil {
		failure = x.problem.Error()
		if x.status >= 500 && r.Context().Err() == nil {
			level = slog.LevelError
		}
	}
	if log := s.opt.Logger.Handler(); log.Enabled(x, level) {
		e := slog.NewRecord(now, level, "request", 0) // where in the program it is said tells nothing, and costs
		e.AddAttrs(
			slog.String("request_id", x.id),
			slog.String("method", cut(r.Method, 16)),
			slog.String("path", cut(r.URL.Path, 512)),
			slog.String("operation", x.operation),
			slog.Int("status", x.status),
			slog.Int64("bytes", x.bytes),
			slog.Float64("duration_ms", float64(took.Microseconds())/1000),
			slog.String("principal_kind", kind),
			slog.String("principal", name),
			slog.String("client_ip", s.opt.ClientIP(r)),
			slog.String("user_agent", cut(r.UserAgent(), 256)),
			slog.Int("objects", x.served),
		)
		if failure != "" {
			e.AddAttrs(slog.String("error", cut(failure, 2048)))
		}
		_ = log.Handle(x, e) // what slog.Logger does with the error
	}
	if x.principal != nil && x.inCollection && !x.page { // a person who looks is not the client at work
		s.opt.Store.Observe(Served{
			Kind: x.principal.Kind, Name: name, Collection: x.collection.ID, At: now, Pull: x.pull, Objects: x.served, Last: x.reached,
			UserAgent: cut(r.UserAgent(), 256), Error: told,
		})
	}
}

// safeText is the status and the text that the caller was told, "" for no problem.
func (p *problem) safeText() string {
	if p == nil {
		return ""
	}
	return cut(strconv.Itoa(p.status)+" "+p.title+": "+cmp.Or(p.description, http.StatusText(p.status)), 512)
}

// cut shortens s to at most n octets of whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
