package taxii

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

// clientOf is a client of a server, with waits noted instead of waited.
func clientOf(t *testing.T, url string, edits ...func(*ClientOptions)) (*Client, *[]time.Duration) {
	t.Helper()
	var waits []time.Duration
	o := ClientOptions{URL: url, User: "admin", Password: "key-of-admin", Wait: func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	}}
	for _, edit := range edits {
		edit(&o)
	}
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, &waits
}

func serveRig(t *testing.T, options ...func(*Options)) (*rig, *httptest.Server) {
	g := filled(t, append(options, func(o *Options) { o.PublicURL = "" })...)
	server := httptest.NewServer(g.handler)
	t.Cleanup(server.Close)
	return g, server
}

// readAll reads a page to its end and lists ids and versions.
func readAll(t *testing.T, next func() ([]byte, error)) []string {
	t.Helper()
	var list []string
	for {
		raw, err := next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		o, err := stix.Parse(raw, stix.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(o.ID)+" "+o.Version().String())
	}
}

func TestClientFindsItsWay(t *testing.T) {
	g, server := serveRig(t)
	for _, path := range []string{
		"", "/", "/taxii2", "/taxii2/", "/taxii2/main", "/taxii2/main/", "/taxii2/main/collections/",
		"/taxii2/main/collections/" + g.open.ID, "/taxii2/main/collections/open/objects/",
	} {
		c, _ := clientOf(t, server.URL+path)
		root, err := c.APIRoot(t.Context())
		if err != nil || root.Title != "main" {
			t.Errorf("%s: API root %+v, %v", path, root, err)
		}
		all, err := c.Collections(t.Context())
		if err != nil || len(all) != 2 {
			t.Errorf("%s: collections %+v, %v", path, all, err)
		}
	}
	c, _ := clientOf(t, server.URL+"/taxii2/main/collections/open/objects/")
	if c.CollectionInURL() != "open" {
		t.Errorf("collection in the URL: %q", c.CollectionInURL())
	}
	for _, name := range []string{"", "open", "OPEN", "Open indicators", "open indicators", g.open.ID, strings.ToUpper(g.open.ID)} {
		got, err := c.Collection(t.Context(), name)
		if err != nil || got.ID != g.open.ID {
			t.Errorf("collection %q: %+v, %v", name, got, err)
		}
	}
	_, err := c.Collection(t.Context(), "Secret")
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), `"Open indicators", "Other"`) {
		t.Errorf("unknown title: %v", err)
	}
	if _, err := c.Collection(t.Context(), ".."); err == nil {
		t.Error("a dot segment was sent")
	}
}

func TestNewClientRefuses(t *testing.T) {
	for _, o := range []ClientOptions{
		{}, {URL: "taxii.example"}, {URL: "ftp://taxii.example/"}, {URL: "https://"}, {URL: "https://taxii.example/?x=y"},
		{URL: "https://taxii.example/#x"}, {URL: "https://taxii.example/", User: "a", Token: "b"},
	} {
		if _, err := NewClient(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestClientOperations(t *testing.T) {
	g, server := serveRig(t)
	c, _ := clientOf(t, strings.Replace(server.URL, "http://", "http://admin:key-of-admin@", 1), func(o *ClientOptions) { o.User, o.Password = "", "" })
	ctx := t.Context()

	page, err := c.Objects(ctx, "open", PageRequest{Limit: 3, Types: []string{"indicator", "malware"}, Versions: []string{"all"}})
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, page.Next)
	if d := cmp.Diff([]string{entry(1, v1), entry(3, v1), entry(1, v3)}, got); d != "" || !page.More() || page.NextToken() == "" {
		t.Errorf("more %v, next %q, %s", page.More(), page.NextToken(), d)
	}
	if err := page.Close(); err != nil {
		t.Error(err)
	}
	manifest, headers, err := c.Manifest(ctx, "open", PageRequest{Next: page.NextToken(), Limit: 2})
	if err != nil || len(manifest.Objects) != 2 || headers.DateAddedLast != manifest.Objects[1].DateAdded {
		t.Errorf("manifest %+v, %+v, %v", manifest, headers, err)
	}
	versions, _, err := c.Versions(ctx, "open", indicatorID(1), PageRequest{AddedAfter: page.DateAddedLast})
	if d := cmp.Diff(Versions{Versions: []string{v2}}, versions); err != nil || d != "" {
		t.Errorf("versions: %v %s", err, d)
	}
	object, err := c.Object(ctx, "open", indicatorID(1), PageRequest{Versions: []string{v2}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{entry(1, v2)}, readAll(t, object.Next)); d != "" {
		t.Error(d)
	}
	st, err := c.Add(ctx, "open", [][]byte{[]byte(indicator(20, v1, "")), []byte(`{"type":"x"}`)})
	if err != nil || st.SuccessCount != 1 || st.FailureCount != 1 {
		t.Errorf("add: %+v, %v", st, err)
	}
	again, err := c.Status(ctx, st.ID)
	if d := cmp.Diff(st, again); err != nil || d != "" {
		t.Errorf("status: %v %s", err, d)
	}
	if err := c.Delete(ctx, "open", indicatorID(1), v2); err != nil {
		t.Error(err)
	}
	if err := c.Delete(ctx, "open", indicatorID(99)); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting what is not there: %v", err)
	}
	if d := cmp.Diff([]string{entry(1, v1), entry(1, v3)}, ids(g, g.get(g.objects("?match[version]=all&match[id]="+indicatorID(1))))); d != "" {
		t.Error(d)
	}
}

// script is a server that gives its answers in order, the last one again and again.
type script struct {
	*httptest.Server
	requests atomic.Int64
}

func newScript(t *testing.T, answers ...http.HandlerFunc) *script {
	s := &script{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(s.requests.Add(1))
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", MediaType)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestClientRetries(t *testing.T) {
	ok := answer(http.StatusOK, `{"title":"x","versions":[],"max_content_length":1}`)
	tests := []struct {
		name     string
		answers  []http.HandlerFunc
		requests int64
		atLeast  time.Duration // of the first pause
		fails    bool
	}{
		{"at once", []http.HandlerFunc{ok}, 1, 0, false},
		{"busy", []http.HandlerFunc{answer(503, ""), answer(429, ""), ok}, 3, firstPause, false},
		{"gateway", []http.HandlerFunc{answer(502, ""), answer(504, ""), ok}, 3, firstPause, false},
		{"asked to wait", []http.HandlerFunc{answer(503, "", "Retry-After", "7"), ok}, 2, 7 * time.Second, false},
		{"asked to wait for long", []http.HandlerFunc{answer(503, "", "Retry-After", "3600"), ok}, 1, 0, true},
		{"asked to wait till a date", []http.HandlerFunc{answer(429, "", "Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"), ok}, 2, firstPause, false},
		{"lost", []http.HandlerFunc{drop, drop, ok}, 3, firstPause, false},
		{"always busy", []http.HandlerFunc{answer(503, "")}, 5, firstPause, true},
		{"broken", []http.HandlerFunc{answer(500, "")}, 1, 0, true},
		{"not allowed", []http.HandlerFunc{answer(403, "")}, 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			c, waits := clientOf(t, s.URL+"/api/")
			_, err := c.APIRoot(t.Context())
			if (err != nil) != tt.fails || s.requests.Load() != tt.requests {
				t.Errorf("%d requests, %v", s.requests.Load(), err)
			}
			if tt.atLeast > 0 && (len(*waits) == 0 || (*waits)[0] < tt.atLeast) {
				t.Errorf("waits %v", *waits)
			}
		})
	}
}

func TestClientRepeatsPostsOnlyUnanswered(t *testing.T) {
	done := answer(http.StatusAccepted, `{"id":"1","status":"complete","total_count":1,"success_count":1,"failure_count":0,"pending_count":0}`)
	for _, tt := range []struct {
		name     string
		answers  []http.HandlerFunc
		requests int64
		fails    bool
	}{
		{"lost", []http.HandlerFunc{drop, done}, 2, false},
		{"busy", []http.HandlerFunc{answer(503, "", "Retry-After", "1"), done}, 1, true},
	} {
		s := newScript(t, tt.answers...)
		c, _ := clientOf(t, s.URL+"/api/")
		_, err := c.Add(t.Context(), "c", [][]byte{[]byte("{}")})
		if (err != nil) != tt.fails || s.requests.Load() != tt.requests {
			t.Errorf("%s: %d requests, %v", tt.name, s.requests.Load(), err)
		}
	}
	s := newScript(t, drop, answer(http.StatusNotFound, ""))
	c, _ := clientOf(t, s.URL+"/api/")
	if err := c.Delete(t.Context(), "c", "x"); err != nil {
		t.Errorf("a delete whose answer was lost: %v", err)
	}
}

func TestClientWaitsForPending(t *testing.T) {
	status := func(s string) string {
		return `{"id":"2d086da7-4bdc-4f91-900e-d77486753710","status":"` + s + `","total_count":0,"success_count":0,"failure_count":0,"pending_count":0}`
	}
	s := newScript(t, answer(202, status("pending")), answer(200, status("pending")), answer(200, status("complete")))
	c, waits := clientOf(t, s.URL+"/api/")
	st, err := c.Add(t.Context(), "c", nil)
	if err != nil || st.Status != StatusComplete || len(*waits) != 2 || (*waits)[1] <= (*waits)[0] {
		t.Errorf("%+v, %v after waits %v", st, err, *waits)
	}
	s = newScript(t, answer(202, status("pending")), answer(200, status("pending")))
	c, _ = clientOf(t, s.URL+"/api/", func(o *ClientOptions) { o.StatusWait = 10 * time.Second })
	if st, err = c.Add(t.Context(), "c", nil); !errors.Is(err, ErrPending) || st.ID == "" {
		t.Errorf("%+v, %v; want ErrPending", st, err)
	}
}

func TestClientErrorsAreSentences(t *testing.T) {
	const gone = "http://127.0.0.1:1" // a port that is given to nobody who asks for any
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that are meant to fail
	secure.StartTLS()
	defer secure.Close()
	body := `{"title":"Wrong key","description":"Ask the operator.","error_id":"e-1","http_status":"401"}`
	for _, tt := range []struct {
		name, url string
		says      []string
		is        error
	}{
		{"401", newScript(t, answer(401, body)).URL, []string{"does not accept the credentials", "Wrong key", "Ask the operator.", "e-1", "401"}, ErrUnauthenticated},
		{"404", newScript(t, answer(404, "{}")).URL, []string{"has nothing at this address"}, ErrNotFound},
		{"404 in HTML", newScript(t, answer(404, "<html>", "Content-Type", "text/html")).URL, []string{"has nothing at this address"}, ErrNotFound},
		{"406", newScript(t, answer(406, "")).URL, []string{"does not speak TAXII 2.1"}, nil},
		{"413", newScript(t, answer(413, "")).URL, []string{"does not take this much"}, nil},
		{"web page", newScript(t, answer(200, "<html>", "Content-Type", "text/html")).URL, []string{"text/html", "check the URL"}, nil},
		{"not the resource", newScript(t, answer(200, "[1]")).URL, []string{"not the TAXII resource"}, nil},
		{"cut", newScript(t, answer(200, `{"title":`)).URL, []string{"not the TAXII resource"}, nil},
		{"refused", gone, []string{"nothing answers at 127.0.0.1", "is the server running"}, nil},
		{"unknown authority", secure.URL, []string{"authority that this machine does not know"}, nil},
		{"no TLS there", strings.Replace(newScript(t, answer(200, "{}")).URL, "http:", "https:", 1), []string{"does not speak TLS"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := clientOf(t, tt.url+"/api/")
			_, err := c.APIRoot(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			for _, say := range tt.says {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("%q does not say %q", err, say)
				}
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			if strings.Contains(err.Error(), "key-of-admin") {
				t.Errorf("%q has the password", err)
			}
		})
	}
}

func TestClientRedirects(t *testing.T) {
	g, server := serveRig(t)
	stolen := newScript(t, answer(200, "{}"))
	elsewhere := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stolen.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	c, _ := clientOf(t, elsewhere.URL+"/api/")
	if _, err := c.Collections(t.Context()); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("to another host: %v", err)
	}
	if _, err := c.Add(t.Context(), "c", nil); err == nil {
		t.Error("a POST was redirected")
	}
	if stolen.requests.Load() != 0 {
		t.Error("the other host was asked")
	}
	if n := elsewhere.requests.Load(); n != 2 {
		t.Errorf("%d requests: a redirect was tried again", n)
	}

	moved := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/old/") {
			http.Redirect(w, r, strings.Replace(r.URL.Path, "/old/", "/taxii2/main/", 1), http.StatusMovedPermanently)
			return
		}
		g.handler.ServeHTTP(w, r)
	})
	c, _ = clientOf(t, moved.URL+"/old/")
	if all, err := c.Collections(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("on the same host: %v, %v", all, err)
	}
	if _, err := c.Add(t.Context(), "open", nil); err == nil || !strings.Contains(err.Error(), "would lose its body") {
		t.Errorf("a POST on the same host: %v", err)
	}
	c, _ = clientOf(t, moved.URL+"/old/", func(o *ClientOptions) { o.SignRequest = func(*http.Request, []byte) error { return nil } })
	if _, err := c.Collections(t.Context()); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Errorf("a signed request: %v", err)
	}

	// Discovery must not lead credentials to another host either.
	discovery := newScript(t, answer(200, `{"title":"x","default":"`+server.URL+`/taxii2/main/","api_roots":["`+server.URL+`/taxii2/main/"]}`))
	c, _ = clientOf(t, discovery.URL)
	if _, err := c.Collections(t.Context()); err == nil || !strings.Contains(err.Error(), "on other hosts only") {
		t.Errorf("discovery of another host: %v", err)
	}
	none := newScript(t, answer(200, `{"title":"x"}`))
	c, _ = clientOf(t, none.URL)
	if _, err := c.Collections(t.Context()); err == nil || !strings.Contains(err.Error(), "names no API root") {
		t.Errorf("discovery of nothing: %v", err)
	}
}

func TestClientSigns(t *testing.T) {
	var attempts []string
	s := newScript(t, drop, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := fmt.Sprintf("Signed %x", sha256.Sum256(body)); r.Header.Get("Authorization") != want {
			t.Errorf("Authorization %q, want %q", r.Header.Get("Authorization"), want)
		}
		answer(202, `{"id":"1","status":"complete"}`)(w, r)
	})
	c, _ := clientOf(t, s.URL+"/api/", func(o *ClientOptions) {
		o.User, o.Password = "", ""
		o.SignRequest = func(r *http.Request, body []byte) error {
			attempts = append(attempts, r.Method)
			r.Header.Set("Authorization", fmt.Sprintf("Signed %x", sha256.Sum256(body)))
			return nil
		}
	})
	if _, err := c.Add(t.Context(), "c", [][]byte{[]byte("{}")}); err != nil {
		t.Error(err)
	}
	if len(attempts) != 2 {
		t.Errorf("signed %v, want each attempt once", attempts)
	}
	c, _ = clientOf(t, s.URL+"/api/", func(o *ClientOptions) {
		o.SignRequest = func(*http.Request, []byte) error { return errors.New("no key") }
	})
	if _, err := c.Collections(t.Context()); err == nil || !strings.Contains(err.Error(), "no key") || s.requests.Load() != 2 {
		t.Errorf("without a key: %v", err)
	}
}

func TestClientBoundsResponses(t *testing.T) {
	s := newScript(t, answer(200, envelopeOf(indicator(1, v1, ""), indicator(2, v1, ""))))
	size := int64(len(envelopeOf(indicator(1, v1, ""), indicator(2, v1, ""))))
	for limit, fails := range map[int64]bool{size: false, size - 1: true, 10: true} {
		c, _ := clientOf(t, s.URL+"/api/", func(o *ClientOptions) { o.MaxResponse = limit })
		page, err := c.Objects(t.Context(), "c", PageRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = page.Next()
		}
		if (err != io.EOF) != fails {
			t.Errorf("limit %d: %v", limit, err)
		}
		if _, err = c.Collections(t.Context()); (err != nil) != fails {
			t.Errorf("resource with limit %d: %v", limit, err)
		}
	}
}

func TestPagesThatAreNone(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "list": "[]", "one object": indicator(1, v1, ""), "error": `{"title":"x"}`, "cut": `{"objects":[`, "trailing": `{}{}`,
	} {
		c, _ := clientOf(t, newScript(t, answer(200, body)).URL+"/api/")
		page, err := c.Objects(t.Context(), "c", PageRequest{})
		for err == nil {
			_, err = page.Next()
		}
		if err == io.EOF || !strings.Contains(err.Error(), "/api/collections/c/objects/") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
