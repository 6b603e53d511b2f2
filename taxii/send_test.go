package taxii

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// large is an indicator with a name of n octets.
func large(i, n int) string {
	return strings.Replace(indicator(i, v1, ""), `"name":"`, `"name":"`+strings.Repeat("n", n), 1)
}

// narrow makes connections that hold little, so that a client that does not read is noticed early.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(4096)
	}
	return c, err
}

// finishing tells when each request of a path with "slow" in its query has been handled.
func finishing(h http.Handler, done chan<- struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "slow") {
			defer func() { done <- struct{}{} }()
		}
		h.ServeHTTP(w, r)
	})
}

// slowServer serves a rig with a page of 12 MiB on narrow connections.
func slowServer(t *testing.T, http2 bool, options ...func(*Options)) (g *rig, server *httptest.Server, done chan struct{}) {
	g = newRig(t, options...)
	var objects []string
	for i := range 12 {
		objects = append(objects, large(i, 1<<20))
	}
	g.add(objects...)
	done = make(chan struct{}, 1)
	server = httptest.NewUnstartedServer(finishing(g.handler, done))
	server.Listener = narrow{server.Listener}
	server.EnableHTTP2 = http2
	if http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return g, server, done
}

// slowly asks for the whole page and reads its header only.
func slowly(t *testing.T, g *rig, server *httptest.Server) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+g.objects("?slow"), nil)
	if err != nil {
		t.Fatal(err)
	}
	as("admin")(r)
	r.Header.Set("Accept-Encoding", "identity")
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(4096)
		}
		return c, err
	}
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// TestResponsesInFlightAreBounded holds that pages which slow clients do not take leave no room for further ones, that
// small responses go out all the same, and that the room comes back.
func TestResponsesInFlightAreBounded(t *testing.T) {
	g, server, done := slowServer(t, false, func(o *Options) {
		o.PageBytes, o.MaxSending, o.SendTimeout = 13<<20, 13<<20, time.Hour
	})
	slow := slowly(t, g, server)
	if slow.StatusCode != http.StatusOK || g.server.sending.used.Load() < 12<<20 {
		t.Fatalf("status %d, %d octets counted", slow.StatusCode, g.server.sending.used.Load())
	}
	// The first object of the page has 1 MiB and does not fit.
	refused := g.get(g.objects(""))
	g.wantError(refused, http.StatusServiceUnavailable)
	for _, name := range []string{dateAddedFirst, dateAddedLast, "ETag"} {
		if refused.Header.Get(name) != "" {
			t.Errorf("a 503 with %s", name)
		}
	}
	if refused.Header.Get("Retry-After") == "" {
		t.Error("a 503 without Retry-After")
	}
	if o := g.store.lastObserved(t); o.Objects != 0 || o.Last != 0 || o.Error == "" {
		t.Errorf("observed %+v", o)
	}
	g.wantError(g.get(g.objects(""), header("Accept-Encoding", "gzip")), http.StatusServiceUnavailable)
	g.wantError(g.get(g.objects("")+indicatorID(1)), http.StatusServiceUnavailable)
	for _, path := range []string{root, root + "collections/", g.objects("?added_after=2999-01-01T00:00:00Z")} {
		g.want(g.get(path), http.StatusOK)
	}

	// Objects that are small go on, a few at a time.
	collection, err := g.store.Collection(t.Context(), g.open.ID)
	if err != nil {
		t.Fatal(err)
	}
	var small []string
	for i := range 200 {
		small = append(small, indicator(1000+i, v1, ""))
	}
	g.add(small...)
	got, pages, next := 0, 0, "?added_after="+collection.Last.String()
	for more := true; more; pages++ {
		page := g.get(g.objects(next))
		g.want(page, http.StatusOK)
		e := decode[Envelope](g, page)
		got, more, next = got+len(e.Objects), e.More, "?next="+e.Next
		if len(page.body) > smallResponse {
			t.Errorf("a page of %d octets", len(page.body))
		}
	}
	if got != len(small) || pages < 2 {
		t.Errorf("%d of %d objects on %d pages", got, len(small), pages)
	}

	slow.Body.Close()
	<-done
	g.want(g.get(g.objects("")), http.StatusOK)
	if n := g.server.sending.used.Load(); n != 0 {
		t.Errorf("%d octets are still counted", n)
	}
}

// TestCompressedPagesCountAsTheyAre holds that a page whose compressed form is being sent does not count whole.
func TestCompressedPagesCountAsTheyAre(t *testing.T) {
	g := newRig(t)
	g.add(large(1, 4<<20))
	for coding, most := range map[string]int64{identity: 5 << 20, gzipped: smallResponse, zstded: smallResponse} {
		var counted int64
		w := &spy{ResponseRecorder: httptest.NewRecorder(), wrote: func() { counted = g.server.sending.used.Load() }}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, g.objects(""), nil)
		as("admin")(r)
		r.Header.Set("Accept-Encoding", coding)
		g.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || counted == 0 || counted > most {
			t.Errorf("coding %q: status %d, %d octets counted, want at most %d", coding, w.Code, counted, most)
		}
	}
}

// spy is a response that tells of its writes and deadlines.
type spy struct {
	*httptest.ResponseRecorder
	wrote     func()
	pieces    []int
	deadlines []time.Time
}

func (s *spy) Write(b []byte) (int, error) {
	s.wrote()
	s.pieces = append(s.pieces, len(b))
	return s.ResponseRecorder.Write(b)
}

func (s *spy) SetWriteDeadline(t time.Time) error {
	s.deadlines = append(s.deadlines, t)
	return nil
}

// TestDeadlines holds that every piece of a large response has a deadline of its own, and that none stays behind it.
func TestDeadlines(t *testing.T) {
	g := newRig(t)
	g.add(large(1, 1<<20), indicator(2, v1, ""), large(3, 100_000))
	for query, paced := range map[string]bool{"": true, "?match[id]=" + indicatorID(2): false} {
		w := &spy{ResponseRecorder: httptest.NewRecorder(), wrote: func() {}}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, g.objects(query), nil)
		as("admin")(r)
		g.handler.ServeHTTP(w, r)
		if w.Header().Get("Content-Length") != itoa(w.Body.Len()) {
			t.Errorf("Content-Length %s of %d octets", w.Header().Get("Content-Length"), w.Body.Len())
		}
		if !paced {
			if len(w.deadlines) != 0 {
				t.Errorf("a small response has deadlines %v", w.deadlines)
			}
			continue
		}
		for _, n := range w.pieces {
			if n > sendChunk {
				t.Errorf("a piece of %d octets", n)
			}
		}
		if len(w.deadlines) != len(w.pieces)+1 || !w.deadlines[len(w.deadlines)-1].IsZero() || w.deadlines[0].IsZero() {
			t.Errorf("deadlines %v of %d pieces", w.deadlines, len(w.pieces))
		}
	}
}

func TestDeadlineOfAPiece(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name        string
		sent        int64
		after, want time.Duration // since the start
	}{
		{"the first", 0, 0, 10 * time.Second},
		{"fast", 1 << 30, time.Second, 11 * time.Second},
		{"at the rate", 100 << 10, 100 * time.Second, 110 * time.Second},
		{"slower", 50 << 10, 59 * time.Second, 60 * time.Second},
		{"too slow", 50 << 10, 61 * time.Second, 60 * time.Second},
	} {
		p := pacer{start: start, timeout: 10 * time.Second, rate: 1 << 10, sent: tt.sent}
		if got := p.deadline(start.Add(tt.after)).Sub(start); got != tt.want {
			t.Errorf("%s: %s after the start, want %s", tt.name, got, tt.want)
		}
	}
}

// TestClientsThatStopAreCutOff holds that a client which does not take its page is given up, by HTTP/1.1 and HTTP/2, and
// that the operator reads of it.
func TestClientsThatStopAreCutOff(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			g, server, done := slowServer(t, http2, func(o *Options) { o.SendTimeout = 50 * time.Millisecond })
			resp := slowly(t, g, server)
			if (resp.ProtoMajor == 2) != http2 {
				t.Fatal(resp.Proto)
			}
			<-done // nothing else ends it: the client holds the connection open
			if _, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Error("the page came whole")
			}
			if o := g.store.lastObserved(t); o.Objects != 0 || o.Last != 0 || o.Error != notTaken {
				t.Errorf("observed %+v", o)
			}
			if n := g.server.sending.used.Load(); n != 0 {
				t.Errorf("%d octets are still counted", n)
			}
		})
	}
}

// TestLargePagesKeepTheConnection holds that a connection goes on behind a large page, as before it.
func TestLargePagesKeepTheConnection(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		g, server, _ := slowServer(t, http2)
		for n := range 3 {
			reused := false
			trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
			r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, server.URL+g.objects(""), nil)
			if err != nil {
				t.Fatal(err)
			}
			as("admin")(r)
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || len(got) < 12<<20 || reused != (n > 0) {
				t.Errorf("HTTP/2 %t, page %d: %d octets, %v, connection reused: %t", http2, n, len(got), err, reused)
			}
		}
	}
}

// failing takes a number of octets.
type failing struct{ left int }

var errFull = errors.New("full")

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return f.left, errFull
	}
	f.left -= len(b)
	return len(b), nil
}

func TestBody(t *testing.T) {
	for _, tt := range []struct {
		body body
		want string
	}{
		{body{head: []byte("{}")}, "{}"},
		{body{head: []byte("["), tail: []byte("]")}, "[]"},
		{body{head: []byte("["), entries: []Entry{{Raw: []byte("1")}}, tail: []byte("]")}, "[1]"},
		{body{head: []byte("["), entries: []Entry{{Raw: []byte("1")}, {Raw: []byte("22")}, {Raw: []byte("3")}}, tail: []byte("]")}, "[1,22,3]"},
	} {
		var got bytes.Buffer
		if err := sendPieces(&got, &tt.body, tt.body.size()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, got.String()); d != "" || tt.body.size() != len(tt.want) {
			t.Errorf("size %d of %s: %s", tt.body.size(), tt.want, d)
		}
		for left := range len(tt.want) {
			if err := tt.body.writeTo(&failing{left}); !errors.Is(err, errFull) {
				t.Errorf("%s with room for %d: %v", tt.want, left, err)
			}
		}
	}
}

// TestRefusalsEndTheConnection holds that whoever announces a body and does not send it is answered and then left: by
// HTTP/1.1 the connection is closed soon, whatever the answer.
func TestRefusalsEndTheConnection(t *testing.T) {
	g := newRig(t, func(o *Options) { o.BodyTimeout = 20 * time.Millisecond })
	server := httptest.NewServer(g.handler)
	defer server.Close()
	const length, chunks = "Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"
	admin, reader := "Authorization: Bearer key-of-admin\r\n", "Authorization: Bearer key-of-reader\r\n"
	for _, tt := range []struct {
		request, headers string
		want             int
	}{
		{"GET " + g.objects(""), length, 401},
		{"GET " + g.objects(""), chunks, 401},
		{"HEAD " + g.objects(""), length, 401},
		{"GET /taxii2/", length + "Expect: 100-continue\r\n", 401},
		{"POST " + g.objects(""), length, 401},
		{"POST " + g.objects(""), chunks + "Authorization: Basic !\r\n", 401},
		{"DELETE " + g.objects("") + indicatorID(1), length, 401},
		{"PUT " + g.objects(""), chunks, 401},
		{"GET /taxii2/nothing/", length, 404},
		{"GET /taxii2//", chunks, 404},
		{"GET " + g.objects(""), length + "Accept: text/html\r\n", 406},
		{"PUT " + g.objects(""), length + admin, 405},
		{"POST " + g.objects(""), length + reader, 403},
		{"POST " + g.objects(""), length + admin, 415},
		{"POST " + g.objects(""), "Content-Length: 100000000\r\nContent-Type: " + MediaType + "\r\n" + admin, 413},
		{"GET " + g.objects("?limit=0"), length + admin, 400},
		{"GET " + g.objects(""), length + admin, 200},
		{"DELETE " + g.objects("") + indicatorID(1), length + admin, 408},
	} {
		t.Run(fmt.Sprintf("%s %d", tt.request, tt.want), func(t *testing.T) {
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, tt.request+" HTTP/1.1\r\nHost: x\r\n"+tt.headers+"\r\n"); err != nil {
				t.Fatal(err)
			}
			method, _, _ := strings.Cut(tt.request, " ")
			in := bufio.NewReader(c)
			answer, err := http.ReadResponse(in, &http.Request{Method: method})
			if err != nil || answer.StatusCode != tt.want {
				t.Fatalf("%+v, %v", answer, err)
			}
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				t.Error(err)
			}
			// The end of the connection, which the client keeps open.
			if rest, err := io.ReadAll(in); len(rest) > 0 {
				t.Errorf("%q behind the answer, %v", rest, err)
			}
		})
	}
}

// TestRefusalsEndTheStream is the same for HTTP/2: the client is told to stop sending.
func TestRefusalsEndTheStream(t *testing.T) {
	g := newRig(t)
	server := httptest.NewUnstartedServer(g.handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, tt := range []struct {
		method, path string
		edits        []edit
		want         int
	}{
		{"GET", g.objects(""), nil, 401},
		{"POST", g.objects(""), nil, 401},
		{"POST", g.objects(""), []edit{as("reader")}, 403},
		{"POST", g.objects(""), []edit{as("admin")}, 415},
		{"GET", "/taxii2/nothing/", nil, 404},
	} {
		body, sending := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range tt.edits {
			e(r)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.ProtoMajor != 2 || resp.StatusCode != tt.want {
			t.Errorf("%s %s: %s %s, %v; want %d", tt.method, tt.path, resp.Proto, resp.Status, err, tt.want)
		}
		resp.Body.Close()
		for err = nil; err == nil; { // ends when the transport has given the body up
			_, err = sending.Write(make([]byte, 1<<10))
		}
	}
}
