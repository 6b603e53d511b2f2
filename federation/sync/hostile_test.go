package sync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	day1 = "2000-01-01T00:00:00.000000Z"
	day2 = "2000-01-02T00:00:00.000000Z"
	day3 = "2000-01-03T00:00:00.000000Z"
)

func TestAdvance(t *testing.T) {
	for _, tt := range []struct {
		name string
		from Cursor
		end  pageEnd
		to   Cursor
		want string // part of the error, "" for none
	}{
		{name: "first page", end: pageEnd{day1, true, "t1", 1}, to: Cursor{day1, "t1"}},
		{name: "next page", from: Cursor{day1, "t1"}, end: pageEnd{day2, true, "t2", 1}, to: Cursor{day2, "t2"}},
		{name: "last page", from: Cursor{day1, "t1"}, end: pageEnd{day2, false, "", 1}, to: Cursor{day2, ""}},
		{name: "a token without more means nothing", end: pageEnd{day1, false, "t1", 1}, to: Cursor{day1, ""}},
		{name: "more without a token", from: Cursor{day1, ""}, end: pageEnd{day2, true, "", 1}, to: Cursor{day2, ""}},
		{name: "the same token, but progress", from: Cursor{day1, "t1"}, end: pageEnd{day2, true, "t1", 1}, to: Cursor{day2, "t1"}},
		{name: "fewer digits, the same order", from: Cursor{"2000-01-01T00:00:00.5Z", ""}, end: pageEnd{"2000-01-01T00:00:00.500001Z", false, "", 1},
			to: Cursor{"2000-01-01T00:00:00.500001Z", ""}},
		{name: "empty", from: Cursor{day1, ""}, end: pageEnd{day3, false, "", 0}, to: Cursor{day1, ""}},
		{name: "empty behind a token", from: Cursor{day1, "t1"}, end: pageEnd{day1, false, "", 0}, to: Cursor{day1, ""}},
		{name: "empty collection", end: pageEnd{day1, false, "", 0}, to: Cursor{}},
		{name: "empty without a date", from: Cursor{day1, ""}, end: pageEnd{}, to: Cursor{day1, ""}},

		{name: "empty with more", from: Cursor{day1, "t1"}, end: pageEnd{day1, true, "t2", 0}, want: "empty page"},
		{name: "no progress", from: Cursor{day1, "t1"}, end: pageEnd{day1, true, "t2", 1}, want: "no progress"},
		{name: "no progress, other digits", from: Cursor{day1, ""}, end: pageEnd{"2000-01-01T00:00:00Z", false, "", 1}, want: "no progress"},
		{name: "backwards", from: Cursor{day2, ""}, end: pageEnd{day1, false, "", 1}, want: "no progress"},
		{name: "no date", end: pageEnd{"", false, "", 1}, want: "X-TAXII-Date-Added-Last"},
		{name: "no date, but a token", end: pageEnd{"", true, "t1", 1}, want: "X-TAXII-Date-Added-Last"},
		{name: "a date of garbage", end: pageEnd{"yesterday", false, "", 1}, want: "X-TAXII-Date-Added-Last"},
		{name: "a huge token", end: pageEnd{day1, true, strings.Repeat("t", maxToken+1), 1}, want: "token"},
		{name: "a damaged cursor", from: Cursor{"x", ""}, end: pageEnd{day1, false, "", 1}, want: "reset the subscription"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to, err := advance(tt.from, tt.end)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || to != tt.from {
					t.Fatalf("%+v, %v; want the cursor kept and %q", to, err, tt.want)
				}
				return
			}
			if diff := cmp.Diff(tt.to, to); err != nil || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// FuzzAdvance holds that a cursor never goes back, and never asks again for what a page has just answered.
func FuzzAdvance(f *testing.F) {
	f.Add(day1, "t1", day2, true, "t2", 1)
	f.Add("", "", day1, false, "", 1)
	f.Add(day1, "t", "", true, "", 0)
	f.Fuzz(func(t *testing.T, after, token, last string, more bool, next string, objects int) {
		from := Cursor{after, token}
		to, err := advance(from, pageEnd{last, more, next, max(0, objects)})
		switch {
		case err != nil && to != from:
			t.Fatalf("%v, but the cursor went from %+v to %+v", err, from, to)
		case err == nil && objects > 0 && to.AddedAfter == from.AddedAfter:
			t.Fatalf("%+v is asked again after a page", to)
		case err == nil && objects <= 0 && to.AddedAfter != from.AddedAfter:
			t.Fatalf("an empty page moved the cursor from %+v to %+v", from, to)
		case err == nil && to.Next != "" && !more:
			t.Fatalf("a token is kept at the end: %+v", to)
		}
	})
}

// TestHostilePeer answers the second page wrongly in many ways: the first page stays, nothing of the second is stored, the
// cursor stays behind the first, and the operator reads why.
func TestHostilePeer(t *testing.T) {
	page := func(last, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-TAXII-Date-Added-Last", last)
			_, _ = io.WriteString(w, body)
		}
	}
	objects := func(n int) string { return strings.Join(identities(500, 500+n), ",") }
	later := taxii.DateAdded(946_684_900_000_000).String()
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"the first page again", page(taxii.DateAdded(946_684_800_009_000).String(), `{"more":true,"next":"0.20","objects":[`+objects(10)+`]}`), "no progress"},
		{"an older page", page(day1, `{"objects":[`+objects(1)+`]}`), "no progress"},
		{"empty pages without end", page(later, `{"more":true,"next":"0.10"}`), "empty page"},
		{"no date", page("", `{"objects":[`+objects(1)+`]}`), "Date-Added-Last"},
		{"a date of garbage", page("soon", `{"objects":[`+objects(1)+`]}`), "Date-Added-Last"},
		{"more than asked for", page(later, `{"objects":[`+objects(12)+`]}`), "more than the 11 objects"},
		{"a page that breaks off", page(later, `{"objects":[`+objects(3)+`,{"type":`), "cannot be read"},
		{"garbage", page(later, `\x00\x01`), "cannot be read"},
		{"a list", page(later, `[`+objects(1)+`]`), "cannot be read"},
		{"something behind the page", page(later, `{"objects":[`+objects(1)+`]}{}`), "cannot be read"},
		{"a token of 5 KB", page(later, `{"more":true,"next":"`+strings.Repeat("x", 5000)+`","objects":[`+objects(1)+`]}`), "token"},
		{"a large body", page(later, `{"objects":[`+objects(10)+`],"x":"`+strings.Repeat("x", 9000)+`"}`), "larger than"},
		{"a web page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		}, "text/html"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, "redirect"},
		{"a redirect elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://169.254.169.254/", http.StatusFound)
		}, "another host"},
		{"401", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 401, "who are you") }, "who are you"},
		{"403", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "no right to read") }, "no right to read"},
		{"404", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404, "gone") }, "gone"},
		{"500", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 500, "broken") }, "broken"},
		{"a huge error", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 500, strings.Repeat("x", 100_000)) }, "500"},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "cannot be read|without a TAXII envelope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.options.MaxPageBytes = 8000
			r.peer.add(identities(0, 30)...)
			r.peer.before = func(w http.ResponseWriter, req *http.Request) bool {
				if req.URL.Query().Get("added_after") == "" {
					return false
				}
				tt.answer(w, req)
				return true
			}
			p := r.puller()
			got, err := p.Pull(context.Background())
			if err == nil || len(r.store.failed) != 1 || !containsAny(r.store.failed[0], tt.want) {
				t.Fatalf("%v, noted %.300v; want a reason with %q", err, r.store.failed, tt.want)
			}
			if got.Pages != 1 || len(r.store.order) != 10 || len(r.store.quarantine) != 0 {
				t.Errorf("%d pages, %d objects stored, %d in quarantine; want the first page only", got.Pages, len(r.store.order), len(r.store.quarantine))
			}
			if want := (Cursor{r.peer.log[9].date.String(), "0.10"}); r.store.sub(1).Cursor != want {
				t.Errorf("the cursor is %+v, want %+v", r.store.sub(1).Cursor, want)
			}
			if len(r.store.failed[0]) > maxReason {
				t.Errorf("the reason has %d bytes", len(r.store.failed[0]))
			}
			r.peer.set(func(p *fakePeer) { p.before = nil }) // the peer is well again: nothing was missed
			r.pull(p)
			r.check()
		})
	}
}

func containsAny(s, alternatives string) bool {
	for a := range strings.SplitSeq(alternatives, "|") {
		if strings.Contains(s, a) {
			return true
		}
	}
	return false
}

// TestEndlessProgress: a peer that always has a new page is left alone after a number of pages.
func TestEndlessProgress(t *testing.T) {
	r := newRig(t)
	n := 0
	r.peer.before = func(w http.ResponseWriter, _ *http.Request) bool {
		n++
		w.Header().Set("X-TAXII-Date-Added-Last", taxii.DateAdded(946_684_800_000_000+n).String())
		fmt.Fprintf(w, `{"more":true,"next":"0.%d","objects":[%s]}`, n, identity(1, ""))
		return true
	}
	p := r.puller()
	p.maxPages = 50
	if got := r.pull(p); got.Pages != 50 || got.Applied.Stored != 1 {
		t.Errorf("%+v, want 50 pages and one object", got)
	}
}

// TestRealConnection pulls over TCP from a node on this machine: chunked bodies beyond the limit, and an answer that stops.
func TestRealConnection(t *testing.T) {
	hang := make(chan struct{})
	for _, tt := range []struct {
		name   string
		before func(w http.ResponseWriter, r *http.Request) bool
		want   string
	}{
		{name: "right"},
		{name: "chunked without end", before: func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, `{"x":"`)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					break
				}
			}
			return true
		}, want: "larger than"},
		{name: "a body that stops", before: func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, `{"objects":[`)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return true
		}, want: "in time"},
		{name: "a connection that is cut", before: func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"objects":[`)
			return true
		}, want: "lost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			server := httptest.NewServer(r.peer)
			defer server.Close()
			peer, self := federation.EntityID(server.URL), federation.EntityID("http://127.0.0.1:9")
			keys, err := federation.JWKS(testKeys().Request)
			if err != nil {
				t.Fatal(err)
			}
			jwks, err := keys.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			r.peer.verifier, err = federation.NewVerifier(federation.VerifierOptions{
				Self: peer, Start: time.Unix(1, 0), Peers: &pins{peers: map[federation.EntityID]federation.Peer{self: {Entity: self, JWKS: jwks}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			r.peer.before = tt.before
			r.peer.add(identities(0, 15)...)
			r.pins.set(peer, &federation.Peer{Entity: peer, APIRoot: peer.DefaultAPIRoot()})
			r.store.subs[0].Peer = peer
			r.options.Signer = &federation.Signer{Entity: self, Key: testKeys().Request}
			r.options.HTTP = federation.NewHTTPClient(federation.ClientOptions{Self: self, Timeout: time.Minute})
			if tt.want == "in time" {
				r.options.HTTP.Timeout = 100 * time.Millisecond // it must pass, whatever the machine does
			}
			r.options.MaxPageBytes = 1 << 20
			_, err = r.puller().Pull(context.Background())
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				r.check()
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(r.store.order) != 0 {
				t.Fatalf("%v with %d objects stored, want %q and none", err, len(r.store.order), tt.want)
			}
		})
	}
	close(hang)
}

// closeCounter is a body that must not be read.
type closeCounter struct {
	t      *testing.T
	closed int
}

func (b *closeCounter) Read([]byte) (int, error) {
	b.t.Error("a body that says it is too large was read")
	return 0, io.EOF
}

func (b *closeCounter) Close() error { b.closed++; return nil }

type oneAnswer struct{ response *http.Response }

func (a oneAnswer) RoundTrip(*http.Request) (*http.Response, error) { return a.response, nil }

func TestLimitTransport(t *testing.T) {
	body := &closeCounter{t: t}
	r := httptest.NewRequest("GET", "https://peer.example/", nil)
	_, err := limitTransport{base: oneAnswer{&http.Response{ContentLength: 11, Body: body}}, max: 10}.RoundTrip(r)
	if !errors.Is(err, errPageTooLarge) || body.closed != 1 {
		t.Errorf("%v, closed %d times; want a refusal, and the body closed", err, body.closed)
	}
	for size, want := range map[int]error{0: nil, 9: nil, 10: nil, 11: errPageTooLarge, 5000: errPageTooLarge} {
		resp, err := limitTransport{base: oneAnswer{&http.Response{
			ContentLength: -1, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size))),
		}}, max: 10}.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if !errors.Is(err, want) || len(got) != min(size, 10) {
			t.Errorf("of %d bytes %d were read, %v", size, len(got), err)
		}
	}
}

// TestPageSize follows the limit that the peer is asked for.
func TestPageSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.options.PageSize, r.options.MaxPageSize, r.options.MaxPageBytes = 100, 120, 1<<20
		var trouble http.HandlerFunc
		r.peer.before = func(w http.ResponseWriter, req *http.Request) bool {
			if trouble != nil {
				trouble(w, req)
			}
			return trouble != nil
		}
		p := r.puller()
		status := func(code int) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { refuse(w, code, "trouble") }
		}
		for _, step := range []struct {
			name    string
			trouble http.HandlerFunc
			size    int // after it
		}{
			{"413", status(413), 50},
			{"503", status(503), 25},
			{"429", status(429), 12},
			{"a body too large", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat(" ", 1<<20+1)) }, 6},
			{"no answer in time", func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }, 3},
			{"401 has another cause", status(401), 3},
			{"500 has another cause", status(500), 3},
			{"413 once more", status(413), 1},
			{"and again", status(413), 1},
		} {
			trouble = step.trouble
			if _, err := p.Pull(t.Context()); err == nil {
				t.Errorf("%s: no error", step.name)
			}
			if p.size.size != step.size {
				t.Errorf("%s: the page size is %d, want %d", step.name, p.size.size, step.size)
			}
		}
		trouble = nil
		r.peer.add(identities(0, 3000)...)
		r.pull(p)
		r.check()
		if p.size.size != 120 {
			t.Errorf("after many full pages the page size is %d, want the maximum 120", p.size.size)
		}
	})
}
