package taxii

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
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
	"github.com/klauspost/compress/gzip"

	"github.com/skjold-exchange/skjold/stix"
)

const bundleID = "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d"

func TestAddEnvelopesAndBundles(t *testing.T) {
	object := indicator(1, v1, "")
	for name, body := range map[string]string{
		"envelope":               envelopeOf(object),
		"envelope with paging":   `{"more":false,"objects":[` + object + `],"next":"x"}`,
		"bundle":                 `{"type":"bundle","id":"` + bundleID + `","objects":[` + object + `]}`,
		"bundle, objects first":  `{"objects":[` + object + `],"id":"` + bundleID + `","type":"bundle"}`,
		"bundle as OpenCTI does": `{"id":"` + bundleID + `","spec_version":"2.1","type":"bundle","objects":[` + object + `]}`,
		"whitespace":             " {\n\t\"objects\" : [ " + object + " ]\r\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			got := g.do(http.MethodPost, g.objects(""), body, header("Content-Type", "application/stix+json; version=2.1"))
			g.want(got, http.StatusAccepted)
			st := decode[Status](g, got)
			if _, err := ParseDateAdded(st.RequestTimestamp); err != nil || !isUUID(st.ID) {
				t.Errorf("status %+v", st)
			}
			st.ID, st.RequestTimestamp = "", ""
			want := Status{Status: StatusComplete, TotalCount: 1, SuccessCount: 1, Successes: []StatusDetail{{ID: indicatorID(1), Version: v1}}}
			if d := cmp.Diff(want, st); d != "" {
				t.Error(d)
			}
			if !strings.Contains(g.get(g.objects("")).body, object) {
				t.Error("the object's bytes have changed")
			}
		})
	}
}

func TestAddEachObjectStandsAlone(t *testing.T) {
	g := newRig(t)
	good := indicator(1, v1, "")
	body := envelopeOf(good, `{"type":"indicator","id":"`+indicatorID(2)+`"}`, `17`, `null`, `{}`, good, indicator(3, "2999-01-01T00:00:00Z", ""))
	st := decode[Status](g, g.do(http.MethodPost, g.objects(""), body))
	if st.TotalCount != 7 || st.SuccessCount != 2 || st.FailureCount != 5 || len(st.Successes) != 2 || len(st.Failures) != 5 {
		t.Fatalf("counts of %+v", st)
	}
	if st.Successes[1].Message != AlreadyHeld {
		t.Errorf("the repeated object: %+v", st.Successes[1])
	}
	for i, want := range []string{indicatorID(2), "objects[2]", "objects[3]", "objects[4]", indicatorID(3)} {
		f := st.Failures[i]
		if f.ID != want || f.Message == "" || len(f.Message) > maxMessage {
			t.Errorf("failure %d is %+v, want one of %s", i, f, want)
		}
	}
	if d := cmp.Diff([]string{entry(1, v1)}, ids(g, g.get(g.objects("")))); d != "" {
		t.Error(d)
	}
}

func TestAddRefusesBodies(t *testing.T) {
	object := indicator(1, v1, "")
	tests := []struct {
		name, body string
		want       int
	}{
		{"nothing", "", http.StatusBadRequest},
		{"whitespace", " \n", http.StatusBadRequest},
		{"text", "hello", http.StatusBadRequest},
		{"cut", envelopeOf(object)[:40], http.StatusBadRequest},
		{"cut behind the object", `{"objects":[` + object, http.StatusBadRequest},
		{"trailing text", envelopeOf(object) + "x", http.StatusBadRequest},
		{"two envelopes", envelopeOf(object) + envelopeOf(object), http.StatusBadRequest},
		{"byte order mark", "\xEF\xBB\xBF" + envelopeOf(object), http.StatusBadRequest},
		{"single quotes", `{'objects':[]}`, http.StatusBadRequest},
		{"NaN", `{"objects":[NaN]}`, http.StatusBadRequest},
		{"bad UTF-8 in the envelope", "{\"\xff\":1}", http.StatusBadRequest},
		{"list", "[" + object + "]", http.StatusUnprocessableEntity},
		{"string", `"objects"`, http.StatusUnprocessableEntity},
		{"null", "null", http.StatusUnprocessableEntity},
		{"one object", object, http.StatusUnprocessableEntity},
		{"another resource", `{"title":"x"}`, http.StatusUnprocessableEntity},
		{"empty envelope", `{}`, http.StatusUnprocessableEntity},
		{"empty list", `{"objects":[]}`, http.StatusUnprocessableEntity},
		{"objects that are no list", `{"objects":{}}`, http.StatusUnprocessableEntity},
		{"empty bundle", `{"type":"bundle","id":"` + bundleID + `"}`, http.StatusUnprocessableEntity},
		{"bundle with an empty list", `{"type":"bundle","id":"` + bundleID + `","objects":[]}`, http.StatusUnprocessableEntity},
	}
	g := newRig(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := g.do(http.MethodPost, g.objects(""), tt.body)
			g.wantError(got, tt.want)
			if len(got.body) > 2000 {
				t.Errorf("an error of %d octets", len(got.body))
			}
		})
	}
	if got := g.get(g.objects("")); got.body != "{}" {
		t.Errorf("something was stored: %s", got.body)
	}
	g.wantError(g.do(http.MethodPost, g.objects(""), envelopeOf(object), header("Content-Type", "application/json")), http.StatusUnsupportedMediaType)
	g.wantError(g.do(http.MethodPost, g.objects(""), envelopeOf(object), header("Content-Encoding", "br")), http.StatusUnsupportedMediaType)
	g.wantError(g.do(http.MethodPost, g.objects(""), envelopeOf(object), header("Content-Encoding", "gzip, gzip")), http.StatusUnsupportedMediaType)
}

func zipped(t *testing.T, s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// chunked hides the length of a body, as Transfer-Encoding: chunked does.
func chunked(r *http.Request) {
	r.ContentLength = -1
	r.Body = io.NopCloser(struct{ io.Reader }{r.Body})
}

func TestAddBounds(t *testing.T) {
	object := indicator(1, v1, "")
	fits := envelopeOf(object)
	limit := int64(len(fits))
	g := newRig(t, func(o *Options) { o.MaxContentLength = limit })
	asGzip := header("Content-Encoding", "gzip")
	tests := []struct {
		name, body string
		edits      []edit
		want       int
	}{
		{"at the limit", fits, nil, http.StatusAccepted},
		{"at the limit, chunked", fits, []edit{chunked}, http.StatusAccepted},
		{"over", fits + " ", nil, http.StatusRequestEntityTooLarge},
		{"over, chunked", fits + " ", []edit{chunked}, http.StatusRequestEntityTooLarge},
		{"over after an error, chunked", fits + "x" + strings.Repeat(" ", 100), []edit{chunked}, http.StatusRequestEntityTooLarge},
		{"gzip", zipped(t, fits), []edit{asGzip}, http.StatusAccepted},
		{"x-gzip in capitals", zipped(t, fits), []edit{header("Content-Encoding", "X-GZIP")}, http.StatusAccepted},
		{"gzip that expands over", zipped(t, fits+" "), []edit{asGzip}, http.StatusRequestEntityTooLarge},
		{"gzip bomb", zipped(t, strings.Repeat(" ", 64<<20)), []edit{asGzip, chunked}, http.StatusRequestEntityTooLarge},
		{"gzip of gzip", zipped(t, zipped(t, fits)), []edit{asGzip}, http.StatusBadRequest},
		{"no gzip", fits, []edit{asGzip}, http.StatusBadRequest},
		{"empty gzip", "", []edit{asGzip}, http.StatusBadRequest},
		{"gzip cut", zipped(t, fits)[:60], []edit{asGzip}, http.StatusBadRequest},
		{"gzip with a wrong checksum", zipped(t, fits)[:len(zipped(t, fits))-8] + "12345678", []edit{asGzip}, http.StatusBadRequest},
		{"gzip with a tail", zipped(t, fits) + "tail", []edit{asGzip}, http.StatusBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := g.do(http.MethodPost, g.objects(""), tt.body, tt.edits...)
			g.want(got, tt.want)
			if tt.want != http.StatusAccepted {
				g.wantError(got, tt.want)
			}
		})
	}

	many := newRig(t, func(o *Options) { o.Limits.Objects = 3 })
	body := envelopeOf(indicator(1, v1, ""), indicator(2, v1, ""), indicator(3, v1, ""), indicator(4, v1, ""))
	if e := many.wantError(many.do(http.MethodPost, many.objects(""), body), http.StatusUnprocessableEntity); !strings.Contains(e.Description, "At most 3") {
		t.Errorf("too many objects: %+v", e)
	}
}

// TestMemoryOfSubmissions holds that what is being submitted at once is bounded, and that the room comes back.
func TestMemoryOfSubmissions(t *testing.T) {
	body := envelopeOf(indicator(1, v1, ""))
	g := newRig(t, func(o *Options) { o.MaxBuffered = int64(len(body)) + itemOctets + 4*int64(len(v1)) })
	for range 3 {
		g.want(g.do(http.MethodPost, g.objects(""), body), http.StatusAccepted)
		g.wantError(g.do(http.MethodPost, g.objects(""), body+" "), http.StatusServiceUnavailable)
	}
	if n := g.server.buffered.used.Load(); n != 0 {
		t.Errorf("%d octets are still counted", n)
	}
}

// untouchable is a body that must not be read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func (untouchable) Close() error { return nil }

// TestBodyIsNotReadInVain holds that whoever may not add, or sends what cannot be added by its headers, costs nothing.
func TestBodyIsNotReadInVain(t *testing.T) {
	g := newRig(t)
	hundredMB := func(r *http.Request) { r.Body, r.ContentLength = untouchable{t}, 100<<20 }
	unknown := func(r *http.Request) { r.Body, r.ContentLength = untouchable{t}, -1 }
	tests := []struct {
		name   string
		method string
		path   string
		edits  []edit
		want   int
	}{
		{"unauthenticated", "POST", g.objects(""), []edit{hundredMB, func(r *http.Request) { r.Header.Del("Authorization") }}, 401},
		{"unauthenticated, chunked", "POST", g.objects(""), []edit{unknown, header("Authorization", "Basic !")}, 401},
		{"not acceptable", "POST", g.objects(""), []edit{unknown, header("Accept", "text/html")}, 406},
		{"no right to write", "POST", g.objects(""), []edit{unknown, as("reader")}, 403},
		{"no right at all", "POST", g.objects(""), []edit{unknown, as("nobody")}, 404},
		{"no such collection", "POST", root + "collections/none/objects/", []edit{unknown}, 404},
		{"media type", "POST", g.objects(""), []edit{unknown, header("Content-Type", "text/plain")}, 415},
		{"content coding", "POST", g.objects(""), []edit{unknown, header("Content-Encoding", "deflate")}, 415},
		{"declared length", "POST", g.objects(""), []edit{hundredMB}, 413},
		{"method", "PUT", g.objects(""), []edit{unknown}, 405},
		{"delete without rights", "DELETE", g.objects("") + indicatorID(1), []edit{unknown, as("writer")}, 403},
		{"delete with a bad query", "DELETE", g.objects("") + indicatorID(1) + "?match[version]=x", []edit{unknown}, 400},
		{"delete with a large body", "DELETE", g.objects("") + indicatorID(1), []edit{hundredMB}, 413},
		{"get", "GET", g.objects(""), []edit{unknown}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := g.do(tt.method, tt.path, "", tt.edits...); got.StatusCode != tt.want {
				t.Errorf("%d, want %d: %s", got.StatusCode, tt.want, got.body)
			}
		})
	}
}

// TestUnwantedBodiesAreNotWaitedFor holds, on a real connection, that a refusal by the headers does not wait for a body
// that never comes, and that a connection whose body was read stays open.
func TestUnwantedBodiesAreNotWaitedFor(t *testing.T) {
	g := newRig(t)
	server := httptest.NewServer(g.handler)
	defer server.Close()
	for head, want := range map[string]string{
		"POST " + g.objects("") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n":                                               "HTTP/1.1 401 ",
		"POST " + g.objects("") + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-reader\r\nTransfer-Encoding: chunked\r\n\r\n": "HTTP/1.1 403 ",
		"GET /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n":                                                             "HTTP/1.1 404 ",
	} {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || !strings.HasPrefix("HTTP/1.1 "+answer.Status, want) || !answer.Close {
			t.Errorf("%q: %+v, %v", head, answer, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	// Chunks beside a length are answered once: what stands behind them is not taken for a request.
	body := envelopeOf(indicator(9, v1, ""))
	both := "POST " + g.objects("") + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-admin\r\nContent-Type: " + MediaType +
		"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) +
		"GET " + root + " HTTP/1.1\r\nHost: x\r\n\r\n"
	if got := overTCP(t, server.Listener.Addr().String(), both); !strings.HasPrefix(got, "HTTP/1.1 202 ") || strings.Contains(got, "HTTP/1.1 401") {
		t.Errorf("chunks beside a length: %q", got)
	}

	c, _ := clientOf(t, server.URL+root)
	for n := range 2 {
		reused := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		if _, err := c.Add(ctx, "open", [][]byte{[]byte(indicator(n, v1, ""))}); err != nil || reused != (n > 0) {
			t.Errorf("request %d on a connection used before: %v, %v", n, reused, err)
		}
	}
}

// TestSlowAndBrokenBodies talks to a real connection: a body that stops, one that ends early, and bad framing.
func TestSlowAndBrokenBodies(t *testing.T) {
	g := newRig(t, func(o *Options) { o.BodyTimeout = 20 * time.Millisecond })
	server := httptest.NewServer(g.handler)
	defer server.Close()
	head := "POST " + g.objects("") + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-admin\r\nContent-Type: " + MediaType + "\r\nConnection: close\r\n"
	tests := []struct {
		name, text string
		hangUp     bool // close the sending side behind the text
		want       string
	}{
		{"stops", head + "Content-Length: 100\r\n\r\n{\"objects\":[", false, "HTTP/1.1 408 "},
		{"ends early", head + "Content-Length: 100\r\n\r\n{\"objects\":[", true, "HTTP/1.1 400 "},
		{"bad chunk", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", true, "HTTP/1.1 400 "},
		{"chunks without end", head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", true, "HTTP/1.1 400 "},
		{"two transfer codings", head + "Transfer-Encoding: chunked, chunked\r\n\r\n{}", true, "HTTP/1.1 501 "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte(tt.text)); err != nil {
				t.Fatal(err)
			}
			if tt.hangUp {
				if err := c.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			answer, err := io.ReadAll(c)
			if !strings.HasPrefix(string(answer), tt.want) {
				t.Errorf("answer %q, %v; want %s", answer, err, tt.want)
			}
		})
	}
	if got := g.get(g.objects("")); got.body != "{}" {
		t.Errorf("something was stored: %s", got.body)
	}
}

func TestCheckBody(t *testing.T) {
	for name, tt := range map[string]struct {
		method, path, body string
		edits              []edit
		want               int
	}{
		"post":               {"POST", "", envelopeOf(indicator(2, v1, "")) + "\n", nil, http.StatusAccepted},
		"gzip":               {"POST", "", zipped(t, envelopeOf(indicator(2, v1, ""))), []edit{header("Content-Encoding", "gzip")}, http.StatusAccepted},
		"delete":             {"DELETE", indicatorID(1) + "/", "", nil, http.StatusOK},
		"delete with a body": {"DELETE", indicatorID(1) + "/", "why", nil, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.add(indicator(1, v1, ""))
			right := sha256.Sum256([]byte(tt.body))
			for _, outcome := range []struct {
				err  error
				want int
			}{
				{errors.New("bdh differs"), http.StatusUnauthorized},
				{fmt.Errorf("replay cache: %w", ErrUnavailable), http.StatusServiceUnavailable},
				{nil, tt.want},
			} {
				asked := 0
				g.users["signer"] = &Principal{Kind: ClientAccount, Name: "signer", Admin: true, CheckBody: func(sum [32]byte) error {
					asked++
					if sum != right {
						t.Errorf("sum %x, want %x", sum, right)
					}
					return outcome.err
				}}
				before := g.get(g.objects("")).body
				got := g.do(tt.method, g.objects("")+tt.path, tt.body, append(tt.edits, as("signer"))...)
				g.want(got, outcome.want)
				if asked != 1 {
					t.Errorf("asked %d times", asked)
				}
				if after := g.get(g.objects("")).body; (after == before) != (outcome.err != nil) {
					t.Errorf("with %v from CheckBody the collection went from %.60s to %.60s", outcome.err, before, after)
				}
			}
		})
	}
	g := newRig(t)
	g.users["signer"] = &Principal{Kind: PeerNode, Name: "signer", Admin: true, CheckBody: func([32]byte) error { return errors.New("no") }}
	g.want(g.get(g.objects(""), as("signer")), http.StatusOK)
}

func TestDelete(t *testing.T) {
	seeded := func() *rig {
		g := newRig(t)
		g.add(indicator(1, v1, ""), indicator(2, v1, ""))
		g.add(indicator(1, v2, ""))
		g.add(indicator(1, v3, ""), indicator(3, v1, stix.MarkingOf(stix.TLPRed)))
		return g
	}
	all := []string{entry(1, v1), entry(2, v1), entry(1, v2), entry(1, v3)}
	for _, tt := range []struct {
		object, query string
		want          int
		left          []string
	}{
		{indicatorID(1), "", http.StatusOK, []string{entry(2, v1)}},
		{indicatorID(1), "?match[version]=all", http.StatusOK, []string{entry(2, v1)}},
		{indicatorID(1), "?match[version]=last", http.StatusOK, []string{entry(1, v1), entry(2, v1), entry(1, v2)}},
		{indicatorID(1), "?match[version]=first", http.StatusOK, []string{entry(2, v1), entry(1, v2), entry(1, v3)}},
		{indicatorID(1), "?match[version]=" + v2, http.StatusOK, []string{entry(1, v1), entry(2, v1), entry(1, v3)}},
		{indicatorID(1), "?match[version]=2020-01-01T00:00:00Z", http.StatusOK, all}, // never widens
		{indicatorID(1), "?match[spec_version]=2.0", http.StatusOK, all},
		{indicatorID(1), "?match[version]=newest", http.StatusBadRequest, all},
		{indicatorID(1), "?match[type]=malware", http.StatusBadRequest, all},
		{indicatorID(1), "?added_after=2026-01-01T00:00:00Z", http.StatusBadRequest, all},
		{indicatorID(9), "", http.StatusNotFound, all},
		{indicatorID(3), "", http.StatusNotFound, all}, // red: the caller sees nothing of it
		{"indicator--1", "", http.StatusNotFound, all},
	} {
		g := seeded()
		got := g.do(http.MethodDelete, g.objects("")+tt.object+"/"+tt.query, "")
		g.want(got, tt.want)
		if tt.want == http.StatusOK && (got.body != "" || got.Header.Get("Content-Type") != MediaType) {
			t.Errorf("DELETE %s%s: body %q, Content-Type %q", tt.object, tt.query, got.body, got.Header.Get("Content-Type"))
		}
		if d := cmp.Diff(tt.left, ids(g, g.get(g.objects("?match[version]=all")))); d != "" {
			t.Errorf("DELETE %s%s: %s", tt.object, tt.query, d)
		}
	}
	g := seeded()
	g.want(g.do(http.MethodDelete, g.objects("")+indicatorID(1), ""), http.StatusOK)
	g.wantError(g.get(g.objects("")+indicatorID(1)), http.StatusNotFound)
	g.wantError(g.do(http.MethodDelete, g.objects("")+indicatorID(1), ""), http.StatusNotFound)
}

// TestStoreDeadline holds that a store that does not answer is given up, and the caller told to try again.
func TestStoreDeadline(t *testing.T) {
	g := newRig(t, func(o *Options) {
		o.Timeout = time.Millisecond
		o.Store = stuckStore{o.Store}
	})
	for _, path := range []string{root + "collections/", root + "collections/open/", g.objects(""), root + "status/" + newUUID()} {
		g.wantError(g.get(path), http.StatusServiceUnavailable)
	}
}

// stuckStore answers only when the context ends.
type stuckStore struct{ Store }

func (stuckStore) Collections(ctx context.Context) ([]Collection, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (stuckStore) Collection(ctx context.Context, _ string) (Collection, error) {
	<-ctx.Done()
	return Collection{}, ctx.Err()
}

func (stuckStore) Status(ctx context.Context, _, _ string) (Status, error) {
	<-ctx.Done()
	return Status{}, ctx.Err()
}

// overTCP sends a text and reads until the server closes.
func overTCP(t *testing.T, address, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	return string(answer)
}
