package taxii

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIdempotencyKey(t *testing.T) {
	longest := strings.Repeat("k", MaxKeyLength)
	for _, tt := range []struct {
		values []string
		want   string
		says   string // of a 400
	}{
		{nil, "", ""},
		{[]string{`"8e03978e-40d5-43dd-bc93-6894a57f9324"`}, "8e03978e-40d5-43dd-bc93-6894a57f9324", ""},
		{[]string{` 8e03978e `}, "8e03978e", ""},
		{[]string{`"a\"b\\c"`}, `a"b\c`, ""},
		{[]string{`a"b`}, `a"b`, ""},
		{[]string{longest}, longest, ""},
		{[]string{`"` + longest + `"`}, longest, ""},
		{[]string{longest + "k"}, "", "256 characters"},
		{[]string{""}, "", "is empty"},
		{[]string{`""`}, "", "is empty"},
		{[]string{"a", "b"}, "", "2 times"},
		{[]string{`"a`}, "", "quotation mark"},
		{[]string{`"a"b`}, "", "quotation mark"},
		{[]string{`"a";p=1`}, "", "quotation mark"},
		{[]string{`"a\n"`}, "", "quotation mark"},
		{[]string{`"a\`}, "", "quotation mark"},
		{[]string{`"a b"`}, "", "a space"},
		{[]string{"a b"}, "", "a space"},
		{[]string{"nøgle"}, "", "not ASCII"},
	} {
		got, err := idempotencyKey(http.Header{IdempotencyHeader: tt.values})
		if got != tt.want || (err == nil) != (tt.says == "") {
			t.Errorf("%q: %q, %v", tt.values, got, err)
		}
		if err == nil {
			continue
		}
		if p := problemOf(err); p.status != http.StatusBadRequest || !strings.Contains(p.description, tt.says) {
			t.Errorf("%q: %d %q, want a 400 that says %q", tt.values, p.status, p.description, tt.says)
		}
	}
}

// FuzzIdempotencyKey holds that every key that is understood is within its bounds, and is the same when our client sends it.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", `"a"`, `a`, `"a\"b"`, `"\\"`, `"a" `, "\t\"x\"", strings.Repeat("k", 300), "nøgle", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, err := idempotencyKey(http.Header{IdempotencyHeader: {value}})
		if err != nil {
			return
		}
		if key == "" || len(key) > MaxKeyLength || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Fatalf("%q is understood as %q", value, key)
		}
		if again, err := idempotencyKey(http.Header{IdempotencyHeader: {quoteKey(key)}}); err != nil || again != key {
			t.Fatalf("%q is sent as %s, which is %q, %v", key, quoteKey(key), again, err)
		}
	})
}

// TestKeyedSubmission holds what a key does: the same body gives the same status, and nothing is stored again.
func TestKeyedSubmission(t *testing.T) {
	g := newRig(t)
	key := header(IdempotencyHeader, `"one"`)
	body := envelopeOf(indicator(1, v1, ""), indicator(2, v1, ""))
	first := decode[Status](g, g.do(http.MethodPost, g.objects(""), body, key))
	if first.SuccessCount != 2 {
		t.Fatalf("status %+v", first)
	}
	for name, again := range map[string]reply{
		"the same":             g.do(http.MethodPost, g.objects(""), body, key),
		"without quotes":       g.do(http.MethodPost, g.objects(""), body, header(IdempotencyHeader, "one")),
		"compressed":           g.do(http.MethodPost, g.objects(""), zipped(t, body), key, header("Content-Encoding", "gzip")),
		"by the alias":         g.do(http.MethodPost, root+"collections/open/objects/", body, key),
		"another content type": g.do(http.MethodPost, g.objects(""), body, key, header("Content-Type", STIXMediaType)),
	} {
		g.want(again, http.StatusAccepted)
		if diff := cmp.Diff(first, decode[Status](g, again)); diff != "" {
			t.Errorf("%s (-first +again):\n%s", name, diff)
		}
	}
	e := g.wantError(g.do(http.MethodPost, g.objects(""), envelopeOf(indicator(1, v1, "")), key), http.StatusUnprocessableEntity)
	if !strings.Contains(e.Description, "same Idempotency-Key") {
		t.Errorf("description %q", e.Description)
	}
	// Rights, the key's form and the body are judged as without it.
	g.wantError(g.do(http.MethodPost, g.objects(""), body, key, as("reader")), http.StatusForbidden)
	g.wantError(g.do(http.MethodPost, g.objects(""), body, header(IdempotencyHeader, `"`)), http.StatusBadRequest)
	g.wantError(g.do(http.MethodPost, g.objects(""), "{", header(IdempotencyHeader, "two")), http.StatusBadRequest)
	if st := decode[Status](g, g.do(http.MethodPost, g.objects(""), body, header(IdempotencyHeader, "two"))); st.ID == first.ID || st.SuccessCount != 2 {
		t.Errorf("another key: %+v", st)
	}
	if st := decode[Status](g, g.do(http.MethodPost, g.objects(""), body, key, as("both"))); st.ID == first.ID {
		t.Error("another account has the same status")
	}
}

// TestPendingSubmission holds that a large submission is answered before it is stored, and its status then falls.
func TestPendingSubmission(t *testing.T) {
	g := newRig(t, func(o *Options) { o.SyncObjects = 2 })
	g.add(indicator(1, v1, ""), indicator(2, v1, ""))
	got := g.do(http.MethodPost, g.objects(""), envelopeOf(indicator(3, v1, ""), named(4), indicator(5, v1, "")))
	g.want(got, http.StatusAccepted)
	st := decode[Status](g, got)
	if st.Status != StatusPending || st.TotalCount != 3 || st.PendingCount != 2 || len(st.Pendings) != 2 || st.FailureCount != 1 {
		t.Fatalf("status %s", got.body)
	}
	for _, left := range []int{2, 1, 0} {
		now := decode[Status](g, g.get(root+"status/"+st.ID+"/"))
		if now.PendingCount != left || len(now.Pendings) != left || now.SuccessCount != 2-left || now.TotalCount != 3 || (now.Status == StatusPending) != (left > 0) {
			t.Errorf("status %+v, want %d pending", now, left)
		}
		if left > 0 {
			g.store.advance(1)
		}
	}
	g.wantError(g.get(root+"status/"+st.ID+"/", as("both")), http.StatusNotFound)
}

// TestRefusedSubmissions holds what a client is told when the store has too much to do.
func TestRefusedSubmissions(t *testing.T) {
	g := newRig(t)
	for _, tt := range []struct {
		err  error
		want int
	}{{ErrBacklog, http.StatusTooManyRequests}, {ErrUnavailable, http.StatusServiceUnavailable}} {
		g.store.addFails = tt.err
		got := g.do(http.MethodPost, g.objects(""), envelopeOf(indicator(1, v1, "")))
		g.wantError(got, tt.want)
		if got.Header.Get("Retry-After") == "" {
			t.Errorf("a %d without Retry-After", tt.want)
		}
	}
}

// TestStatusesWait holds that no more long statuses are in memory at once than there are places.
func TestStatusesWait(t *testing.T) {
	g := newRig(t)
	st := g.add(indicator(1, v1, ""))
	for range maxStatuses {
		g.server.statuses <- struct{}{}
	}
	g.server.opt.Timeout = 1 // nanosecond: nobody gives a place back
	g.wantError(g.get(root+"status/"+st.ID+"/"), http.StatusServiceUnavailable)
	<-g.server.statuses
	g.server.opt.Timeout = time.Minute
	g.want(g.get(root+"status/"+st.ID+"/"), http.StatusOK)
	if n := len(g.server.statuses); n != maxStatuses-1 {
		t.Errorf("%d places are taken", n)
	}
}

// TestClientSubmitsAndWaits has the client send a key and tell how far the server is.
func TestClientSubmitsAndWaits(t *testing.T) {
	const id = "2d086da7-4bdc-4f91-900e-d77486753710"
	status := func(state string, pending string) http.HandlerFunc {
		return answer(http.StatusAccepted, `{"id":"`+id+`","status":"`+state+`","total_count":2,"success_count":0,"failure_count":0,"pending_count":`+pending+`}`)
	}
	s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get(IdempotencyHeader); got != `"a\"b"` {
			t.Errorf("%s: %s", IdempotencyHeader, got)
		}
		status("pending", "2")(w, r)
	}, status("pending", "2"), status("pending", "1"), status("complete", "0"))
	c, _ := clientOf(t, s.URL+"/api/")
	st, err := c.Submit(t.Context(), "c", nil, `a"b`)
	if err != nil || st.ID != id || st.PendingCount != 2 {
		t.Fatalf("Submit: %+v, %v", st, err)
	}
	var told []int
	st, err = c.Await(t.Context(), st, func(st Status) { told = append(told, st.PendingCount) })
	if diff := cmp.Diff([]int{2, 1, 0}, told); err != nil || st.Status != StatusComplete || diff != "" {
		t.Errorf("Await: %+v, %v; told %v", st, err, told)
	}
}

// TestAwaitIsPatientWithProgress holds that the wait begins anew whenever something was decided.
func TestAwaitIsPatientWithProgress(t *testing.T) {
	status := func(pending string) http.HandlerFunc {
		return answer(http.StatusOK, `{"id":"2d086da7-4bdc-4f91-900e-d77486753710","status":"pending","pending_count":`+pending+`}`)
	}
	done := answer(http.StatusOK, `{"id":"2d086da7-4bdc-4f91-900e-d77486753710","status":"complete"}`)
	for name, tt := range map[string]struct {
		answers []http.HandlerFunc
		want    error
	}{
		"falling":  {[]http.HandlerFunc{status("2"), status("1"), done}, nil},
		"standing": {[]http.HandlerFunc{status("3"), status("3"), done}, ErrPending},
	} {
		s := newScript(t, tt.answers...)
		c, _ := clientOf(t, s.URL+"/api/", func(o *ClientOptions) { o.StatusWait = 1100 * time.Millisecond })
		_, err := c.Await(t.Context(), Status{ID: "2d086da7-4bdc-4f91-900e-d77486753710", Status: StatusPending, PendingCount: 3}, nil)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
