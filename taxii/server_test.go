package taxii

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestDiscovery(t *testing.T) {
	tests := []struct{ public, want string }{
		{"https://taxii.example/", "https://taxii.example/taxii2/main/"},
		{"https://taxii.example:8443", "https://taxii.example:8443/taxii2/main/"},
		{"http://127.0.0.1:8080/", "/taxii2/main/"},
		{"", "/taxii2/main/"},
	}
	for _, tt := range tests {
		g := newRig(t, func(o *Options) { o.PublicURL, o.Contact = tt.public, "soc@example.org" })
		got := g.get("/taxii2/")
		g.want(got, http.StatusOK)
		want := Discovery{Title: "Test server", Contact: "soc@example.org", Default: tt.want, APIRoots: []string{tt.want}}
		if d := cmp.Diff(want, decode[Discovery](g, got)); d != "" {
			t.Errorf("public URL %q: %s", tt.public, d)
		}
	}
}

func TestAPIRoot(t *testing.T) {
	g := newRig(t, func(o *Options) { o.APIRoot, o.APIRootTitle, o.MaxContentLength = "north", "The north", 1000 })
	got := g.get("/taxii2/north/")
	g.want(got, http.StatusOK)
	if d := cmp.Diff(`{"title":"The north","versions":["application/taxii+json;version=2.1"],"max_content_length":1000}`, got.body); d != "" {
		t.Error(d)
	}
	g.wantError(g.get("/taxii2/main/"), http.StatusNotFound)
}

func TestCollections(t *testing.T) {
	g := newRig(t)
	list := func(user string) []CollectionResource {
		got := g.get(root+"collections/", as(user))
		g.want(got, http.StatusOK)
		return decode[CollectionsResource](g, got).Collections
	}
	media := []string{STIXMediaType}
	open := CollectionResource{ID: g.open.ID, Title: "Open indicators", Alias: "open", CanRead: true, MediaTypes: media}
	if d := cmp.Diff([]CollectionResource{open}, list("reader")); d != "" {
		t.Error(d)
	}
	other := CollectionResource{ID: g.other.ID, Title: "Other", CanRead: true, CanWrite: true, MediaTypes: media}
	open.CanWrite = true
	if d := cmp.Diff([]CollectionResource{open, other}, list("admin")); d != "" {
		t.Error(d)
	}
	if got := g.get(root+"collections/", as("nobody")); got.body != "{}" {
		t.Errorf("no collections: %q, want an empty object", got.body)
	}
}

func TestCollectionByEveryName(t *testing.T) {
	g := newRig(t)
	want := g.get(root + "collections/" + g.open.ID + "/").body
	for _, name := range []string{g.open.ID, strings.ToUpper(g.open.ID), "open", "%6fpen"} {
		for _, slash := range []string{"", "/"} {
			got := g.get(root + "collections/" + name + slash)
			g.want(got, http.StatusOK)
			if got.body != want {
				t.Errorf("collections/%s%s: %s, want %s", name, slash, got.body, want)
			}
		}
	}
	if id := decode[CollectionResource](g, g.get(root+"collections/open")).ID; id != g.open.ID {
		t.Errorf("by alias the id is %s, want the real one, %s", id, g.open.ID)
	}
}

func TestStatusIsForItsAccountOnly(t *testing.T) {
	g := newRig(t)
	st := g.add(indicator(1, v1, ""))
	got := g.get(root + "status/" + strings.ToUpper(st.ID) + "/")
	g.want(got, http.StatusOK)
	if d := cmp.Diff(st, decode[Status](g, got)); d != "" {
		t.Error(d)
	}
	stranger := g.wantError(g.get(root+"status/"+st.ID, as("both")), http.StatusNotFound)
	missing := g.wantError(g.get(root+"status/"+newUUID(), as("both")), http.StatusNotFound)
	stranger.ErrorID, missing.ErrorID = "", ""
	if d := cmp.Diff(missing, stranger); d != "" {
		t.Errorf("another account's status differs from none: %s", d)
	}
	g.wantError(g.get(root+"status/not-a-uuid/"), http.StatusNotFound)
}

// paths are one of each address, with a collection and an object that exist.
func paths(g *rig) []string {
	object := g.objects("") + indicatorID(1) + "/"
	return []string{
		"/taxii2/", root, root + "status/" + newUUID() + "/", root + "collections/", root + "collections/" + g.open.ID + "/",
		root + "collections/" + g.open.ID + "/manifest/", g.objects(""), object, object + "versions/",
	}
}

func TestSlashesHeadAndMethods(t *testing.T) {
	g := newRig(t)
	g.add(indicator(1, v1, ""))
	for i, path := range paths(g) {
		with, without := g.get(path), g.get(strings.TrimSuffix(path, "/"))
		if with.StatusCode != without.StatusCode || with.StatusCode < 400 && with.body != without.body {
			t.Errorf("%s: %d %q with the slash, %d %q without", path, with.StatusCode, with.body, without.StatusCode, without.body)
		}
		head := g.do(http.MethodHead, path, "")
		if head.StatusCode != with.StatusCode || head.body != "" {
			t.Errorf("HEAD %s: %d with %d octets, GET is %d", path, head.StatusCode, len(head.body), with.StatusCode)
		}
		if with.StatusCode == 200 && head.Header.Get("Content-Length") != itoa(len(with.body)) {
			t.Errorf("HEAD %s: Content-Length %s of a body of %d", path, head.Header.Get("Content-Length"), len(with.body))
		}
		allow := "GET, HEAD"
		switch i {
		case 6:
			allow = "GET, HEAD, POST"
		case 7:
			allow = "DELETE, GET, HEAD"
		}
		for _, method := range []string{"PUT", "PATCH", "OPTIONS", "TRACE", "BREW"} {
			got := g.do(method, path, "")
			g.wantError(got, http.StatusMethodNotAllowed)
			if got.Header.Get("Allow") != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, got.Header.Get("Allow"), allow)
			}
			g.wantError(g.do(method, path, "", header("Authorization", "")), http.StatusUnauthorized)
		}
	}
	g.wantError(g.do(http.MethodPost, root+"collections/", "{}"), http.StatusMethodNotAllowed)
	g.wantError(g.do(http.MethodDelete, g.objects(""), ""), http.StatusMethodNotAllowed)
}

func TestUnknownPaths(t *testing.T) {
	g := newRig(t)
	g.add(indicator(1, v1, ""))
	for _, path := range []string{
		"/", "/taxii", "/taxii2/other/", "/TAXII2/", "/taxii2//main/", "//taxii2/main/", "/taxii2/main//", root + "collections//",
		root + "channels/", root + "collections/" + g.open.ID + "/things/", g.objects("") + indicatorID(1) + "/versions/1/",
		"/taxii2/main/./collections/", "/taxii2/x/../main/", "/taxii2/main/%2e/collections/", "/taxii2/%2E%2e/taxii2/main/",
		"/taxii2%2fmain/", "/taxii2/main%2Fcollections/", root + "collections/open%2fobjects/", root + "collections/open%5cobjects/",
		root + "collections/open%00/", root + "collections/op%0aen/", root + "collections/open%ff/", root + "collections/open%20/",
		root + "collections/%252e%252e/", root + "collections/" + newUUID() + "/", root + "collections/open;x=1/",
		g.objects("") + "not-an-identifier/", g.objects("") + indicatorID(2) + "/", g.objects("") + indicatorID(2) + "/versions/",
		root + "collections/" + strings.Repeat("a", 5000) + "/",
	} {
		got := g.get(path)
		g.wantError(got, http.StatusNotFound)
		if got.Header.Get("Location") != "" {
			t.Errorf("%s: redirected to %s", path, got.Header.Get("Location"))
		}
	}
	g.wantError(g.do(http.MethodOptions, "*", ""), http.StatusNotFound)
}

func TestAuthenticationComesFirst(t *testing.T) {
	g := newRig(t)
	g.add(indicator(1, v1, ""))
	for _, path := range paths(g) {
		for name, e := range map[string]edit{
			"none":       header("Authorization", ""),
			"wrong key":  func(r *http.Request) { r.SetBasicAuth("admin", "guess") },
			"wrong name": func(r *http.Request) { r.SetBasicAuth("adminn", "key-of-admin") },
			"scheme":     header("Authorization", "Digest username=admin"),
		} {
			if name == "none" {
				e = func(r *http.Request) { r.Header.Del("Authorization") }
			}
			got := g.get(path, e)
			g.wantError(got, http.StatusUnauthorized)
			want := []string{`Basic realm="TAXII", charset="UTF-8"`, `Bearer realm="TAXII"`}
			if d := cmp.Diff(want, got.Header.Values("WWW-Authenticate")); d != "" {
				t.Errorf("%s, %s: %s", path, name, d)
			}
			if strings.Contains(got.body, "wrong name") {
				t.Errorf("the reason is for the log: %s", got.body)
			}
		}
	}
}

func TestNotAcceptable(t *testing.T) {
	g := newRig(t)
	for _, path := range paths(g) {
		got := g.get(path, header("Accept", "application/vnd.oasis.taxii+json; version=2.0"))
		if e := g.wantError(got, http.StatusNotAcceptable); !strings.Contains(e.Description, MediaType) {
			t.Errorf("%s: %q does not say what is served", path, e.Description)
		}
	}
	g.want(g.get(g.objects(""), header("Content-Type", "text/plain")), http.StatusOK) // Content-Type of a GET means nothing
}

// TestRights goes over the rights of taxii21.md and the table of §5.7.
func TestRights(t *testing.T) {
	g := newRig(t)
	const ok, created, no, none = http.StatusOK, http.StatusAccepted, http.StatusForbidden, http.StatusNotFound
	users := []string{"both", "reader", "writer", "nobody"}
	collection := root + "collections/" + g.open.ID + "/"
	object := g.objects("") + indicatorID(1) + "/"
	tests := []struct {
		method, path string
		want         [4]int
	}{
		{"GET", root, [4]int{ok, ok, ok, ok}},
		{"GET", collection, [4]int{ok, ok, ok, none}},
		{"GET", collection + "manifest/", [4]int{ok, ok, no, none}},
		{"GET", collection + "objects/", [4]int{ok, ok, no, none}},
		{"GET", object, [4]int{ok, ok, no, none}},
		{"GET", object + "versions/", [4]int{ok, ok, no, none}},
		{"POST", collection + "objects/", [4]int{created, no, created, none}},
		{"DELETE", object, [4]int{ok, no, no, none}},
	}
	for _, tt := range tests {
		for i, user := range users {
			g.add(indicator(1, v1, ""))
			body := ""
			if tt.method == "POST" {
				body = envelopeOf(indicator(2, v1, ""))
			}
			if got := g.do(tt.method, tt.path, body, as(user)); got.StatusCode != tt.want[i] {
				t.Errorf("%s %s as %s: %d, want %d: %s", tt.method, tt.path, user, got.StatusCode, tt.want[i], got.body)
			}
		}
	}
}

// TestHiddenCollectionLooksMissing holds that a caller without rights cannot tell a collection that exists from one that
// does not, by any operation, neither by the answer nor by how much the store is asked for.
func TestHiddenCollectionLooksMissing(t *testing.T) {
	g := newRig(t)
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "PUT"} {
		for _, tail := range []string{"/", "/manifest/", "/objects/", "/objects/" + indicatorID(1) + "/", "/objects/" + indicatorID(1) + "/versions/", "/objects/?limit=0"} {
			g.store.inVain = 0
			hidden := g.do(method, root+"collections/"+g.other.ID+tail, "", as("both"))
			searches := g.store.inVain
			missing := g.do(method, root+"collections/"+newUUID()+tail, "", as("both"))
			if g.store.inVain != 2*searches {
				t.Errorf("%s %s: looked in vain %d times, missing: %d times", method, tail, searches, g.store.inVain-searches)
			}
			strip := func(r reply) (int, http.Header, string) {
				h := r.Header.Clone()
				id := h.Get("X-Request-Id")
				h.Del("X-Request-Id")
				return r.StatusCode, h, strings.ReplaceAll(r.body, id, "")
			}
			s1, h1, b1 := strip(hidden)
			s2, h2, b2 := strip(missing)
			if s1 != s2 || b1 != b2 || cmp.Diff(h2, h1) != "" {
				t.Errorf("%s %s: %d %v %s, missing: %d %v %s", method, tail, s1, h1, b1, s2, h2, b2)
			}
		}
	}
}

func TestStoreFailures(t *testing.T) {
	g := newRig(t)
	for _, tt := range []struct {
		err  error
		want int
	}{
		{fmt.Errorf("disk full at /secret/path: %w", ErrUnavailable), http.StatusServiceUnavailable},
		{errors.New("secret detail"), http.StatusInternalServerError},
	} {
		g.store.fail = tt.err
		got := g.get(g.objects(""))
		e := g.wantError(got, tt.want)
		if strings.Contains(got.body, "secret") {
			t.Errorf("the answer has the inner error: %s", got.body)
		}
		if !strings.Contains(g.log.String(), tt.err.Error()) || !strings.Contains(g.log.String(), e.ErrorID) {
			t.Errorf("the log has not %q with %s: %s", tt.err, e.ErrorID, g.log)
		}
		if retry := got.Header.Get("Retry-After"); (retry != "") != (tt.want == http.StatusServiceUnavailable) {
			t.Errorf("%d with Retry-After %q", tt.want, retry)
		}
	}
}

type panicVisibility struct{}

func (panicVisibility) Visible(*Principal, Collection, stix.MarkingSet, bool) bool {
	panic("policy fell over")
}

func TestPanicIsA500(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Visibility = panicVisibility{} })
	g.add(indicator(1, v1, ""))
	got := g.get(g.objects(""))
	g.wantError(got, http.StatusInternalServerError)
	if !strings.Contains(g.log.String(), "policy fell over") || !strings.Contains(g.log.String(), "stack=") {
		t.Errorf("the log has no panic with its stack: %s", g.log)
	}
	g.want(g.get(root), http.StatusOK)
}

func TestLogHasNoSecrets(t *testing.T) {
	g := newRig(t)
	g.add(indicator(1, v1, ""), indicator(2, v1, ""))
	next := decode[Envelope](g, g.get(g.objects("?limit=1"))).Next
	g.get(g.objects("?next="+next), header("User-Agent", "soc-tool/1.0"))
	g.get(g.objects("?next="+next+"x"), as("reader"))
	g.get(root, header("Authorization", "Bearer key-of-nobody"))
	log := g.log.String()
	for _, secret := range []string{"key-of-", next, "next="} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	for _, want := range []string{"user_agent=soc-tool/1.0", "principal=reader", "operation=getObjects", "status=400", "objects=1", "client_ip=192.0.2.1"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	}
}

func TestObserve(t *testing.T) {
	g := newRig(t)
	g.add(indicator(1, v1, ""), indicator(2, v1, ""))
	last := func() Served {
		o := g.store.lastObserved(t)
		if o.At.IsZero() {
			t.Error("no time was observed")
		}
		return Served{Kind: o.Kind, Name: o.Name, Collection: o.Collection, Pull: o.Pull, Objects: o.Objects, Last: o.Last, UserAgent: o.UserAgent, Error: o.Error}
	}
	got := g.get(g.objects(""), as("reader"), header("User-Agent", "tool"))
	reached, err := ParseDateAdded(got.Header.Get("X-TAXII-Date-Added-Last"))
	if err != nil {
		t.Fatal(err)
	}
	want := Served{Kind: ClientAccount, Name: "reader", Collection: g.open.ID, Pull: true, Objects: 2, Last: reached, UserAgent: "tool"}
	if d := cmp.Diff(want, last()); d != "" {
		t.Error(d)
	}
	g.get(g.objects("?added_after=2999-01-01T00:00:00Z"), as("reader"), header("User-Agent", "tool"))
	want.Objects = 0 // nobody reaches a position that does not exist yet
	if d := cmp.Diff(want, last()); d != "" {
		t.Error(d)
	}
	g.get(g.objects("?limit=0"), as("reader"))
	if o := last(); o.Collection != g.open.ID || !strings.HasPrefix(o.Error, "400 ") || o.Last != 0 {
		t.Errorf("a bad request was observed as %+v", o)
	}
	g.do(http.MethodPost, g.objects(""), "{}", as("reader"))
	if o := last(); !strings.HasPrefix(o.Error, "403 ") {
		t.Errorf("a forbidden request was observed as %+v", o)
	}
	for request, pull := range map[[2]string]bool{
		{http.MethodGet, "manifest/"}: true, {http.MethodHead, "objects/"}: false, {http.MethodGet, ""}: false, {http.MethodPost, "objects/"}: false,
	} {
		body := ""
		if request[0] == http.MethodPost {
			body = `{"objects":[` + indicator(3, v1, "") + `]}`
		}
		if got := g.do(request[0], root+"collections/"+g.open.ID+"/"+request[1], body, as("admin")); got.StatusCode/100 != 2 {
			t.Errorf("%v: %d", request, got.StatusCode)
		}
		if o := last(); o.Pull != pull {
			t.Errorf("%v was observed as %+v, want pull %v", request, o, pull)
		}
	}
	before := len(g.store.observed)
	g.get(g.objects(""), header("Authorization", "Basic x"))
	g.get(root + "collections/")
	if len(g.store.observed) != before {
		t.Error("a request without an account or without a collection was observed")
	}
}

func TestMetrics(t *testing.T) {
	g := newRig(t)
	g.do(http.MethodPost, g.objects(""), envelopeOf(indicator(1, v1, ""), `{"type":"indicator"}`))
	g.get(g.objects(""), as("reader"))
	g.get(g.objects("")+"/..;/", as("reader"))
	NewServer(Options{Store: g.store, Authenticator: KeyAuth{g}, Visibility: levelVisibility{}, Registerer: g.metrics}) // shares them
	families, err := g.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "skjold_taxii_")
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			if m.GetCounter() != nil {
				got[name] = m.GetCounter().GetValue()
			}
		}
	}
	want := map[string]float64{
		"requests_total 2xx addObjects client": 1,
		"requests_total 2xx getObjects client": 1,
		"requests_total 4xx none none":         1,
		"objects_served_total client":          1,
		"objects_received_total success":       1,
		"objects_received_total failure":       1,
		"objects_received_total pending":       0,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNewServerRefusesToBeOpen(t *testing.T) {
	g := newRig(t)
	for name, o := range map[string]Options{
		"no store":         {Authenticator: KeyAuth{g}, Visibility: levelVisibility{}},
		"no authenticator": {Store: g.store, Visibility: levelVisibility{}},
		"no visibility":    {Store: g.store, Authenticator: KeyAuth{g}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a server was made", name)
				}
			}()
			NewServer(o)
		}()
	}
}
