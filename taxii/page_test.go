package taxii

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What browsers send for an address that a person enters or follows.
const (
	firefoxAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	chromeAccept  = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)

func TestWantsPage(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		// People.
		firefoxAccept: true,
		chromeAccept:  true,
		"text/html, application/xhtml+xml, image/jxr, */*": true, // Internet Explorer mode
		"text/html":                  true,
		"TEXT/HTML; charset=utf-8":   true,
		"application/xhtml+xml":      true,
		"text/html;q=0.5":            true,
		"text/html;q=0.5, */*;q=0.5": true,
		"text/html;q=0.8,*/*;q=0.1":  true,
		// Nobody in particular, or somebody who would rather have something else.
		"":                               false,
		"*/*":                            false,
		"text/*":                         false,
		"text/plain":                     false,
		"application/xml":                false,
		"text/html;q=0":                  false,
		"text/html;q=0.5, */*":           false,
		"text/html;q=0.5, application/*": false,
		"nonsense":                       false,
		// Whoever names TAXII or JSON gets TAXII, whatever the weights.
		"text/html, application/taxii+json;version=2.1":       false,
		"text/html;q=1, application/taxii+json;q=0.001":       false,
		"text/html, application/json;q=0.9":                   false,
		"application/taxii+json;version=2.1":                  false,
		"application/taxii+json; version=2.1":                 false,
		`application/taxii+json;version="2.1"`:                false,
		"application/taxii+json":                              false,
		"APPLICATION/TAXII+JSON;VERSION=2.1":                  false,
		"application/taxii+json;version=2.1, text/html;q=0.5": false,
		"application/json":                                    false,
		"application/json, text/plain, */*":                   false, // axios: OpenCTI up to 5.10
		"application/vnd.oasis.taxii+json; version=2.0":       false, // Cortex XSOAR's probe
		"application/vnd.oasis.stix+json; version=2.0":        false, // FortiGate
		"text/html, application/vnd.oasis.taxii+json":         false,
		"application/stix+json;version=2.1, text/html":        false,
	} {
		h := http.Header{}
		if accept != "" {
			h.Set("Accept", accept)
		}
		if got := wantsPage(h); got != want {
			t.Errorf("Accept: %q: a page is %t", accept, got)
		}
	}
	if wantsPage(http.Header{"Accept": {"text/html", "application/taxii+json"}}) {
		t.Error("Accept in two lines: TAXII is in the second")
	}
}

// browse sends what a browser sends.
func (g *rig) browse(method, path string, edits ...edit) reply {
	g.Helper()
	r := httptest.NewRequestWithContext(g.Context(), method, path, nil)
	as("admin")(r)
	r.Header.Set("Accept", firefoxAccept)
	for _, e := range edits {
		e(r)
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return reply{w.Result(), w.Body.String()}
}

// parsed reads a page as XML, which it is but for its first line, so that what is not closed or not escaped shows. It
// returns the text of all elements of a name, and the values of all attributes of that name.
func parsed(t *testing.T, page, name string) (texts, attributes []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, attributes
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			if token.Name.Local == name {
				texts = append(texts, "")
			}
			for _, a := range token.Attr {
				if a.Name.Local == name {
					attributes = append(attributes, a.Value)
				}
			}
		case xml.CharData:
			if len(open) > 0 && open[len(open)-1] == name {
				texts[len(texts)-1] += string(token)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

// TestPages asks as a browser for everything that the server has: four resources have a page, the others stay TAXII.
func TestPages(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.add(indicator(1, v1, ""))
	collection := root + "collections/" + g.open.ID + "/"
	for path, heading := range map[string]string{
		"/taxii2/": "Test server", "/taxii2": "Test server", root: "main", root + "collections/": "Collections",
		collection: "Open indicators", root + "collections/open": "Open indicators",
	} {
		got := g.browse(http.MethodGet, path)
		g.want(got, http.StatusOK)
		if headings, _ := parsed(t, got.body, "h1"); !slices.Equal(headings, []string{heading}) {
			t.Errorf("%s: headings %q", path, headings)
		}
		if _, lang := parsed(t, got.body, "lang"); !slices.Equal(lang, []string{"en"}) {
			t.Errorf("%s: lang %q", path, lang)
		}
		want := http.Header{
			"Content-Type": {HTMLMediaType}, "Content-Security-Policy": {pagePolicy}, "X-Content-Type-Options": {"nosniff"},
			"Referrer-Policy": {"no-referrer"}, "Cache-Control": {"no-store"}, "Vary": {"Accept, Accept-Encoding"},
			"Content-Length": {strconv.Itoa(len(got.body))}, "X-Request-Id": got.Header["X-Request-Id"],
		}
		if diff := cmp.Diff(want, got.Header); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", path, diff)
		}
		head := g.browse(http.MethodHead, path)
		g.want(head, http.StatusOK)
		if head.body != "" || head.Header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
			t.Errorf("HEAD %s: %d octets, Content-Length %s", path, len(head.body), head.Header.Get("Content-Length"))
		}
	}
	for _, path := range []string{collection + "objects/", collection + "manifest/", collection + "objects/" + indicatorID(1) + "/"} {
		got := g.browse(http.MethodGet, path)
		g.want(got, http.StatusOK)
		if got.Header.Get("Content-Type") != MediaType {
			t.Errorf("%s: %s", path, got.Header.Get("Content-Type"))
		}
		g.want(g.browse(http.MethodGet, path, header("Accept", "text/html")), http.StatusNotAcceptable)
	}
}

// TestPageStyle is the style sheet as it arrives, which the policy must name by its digest, and nothing that is loaded.
func TestPageStyle(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	page := g.browse(http.MethodGet, "/taxii2/").body
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; style == "" || !strings.Contains(pagePolicy, want) {
		t.Errorf("the policy %s does not have the style's digest %s", pagePolicy, want)
	}
	for _, loading := range []string{"<script", "<img", "<link", "<iframe", "<form", "src=", "url(", "@import", "style=", "onclick"} {
		if strings.Contains(strings.ToLower(page), loading) {
			t.Errorf("the page has %s", loading)
		}
	}
	for _, wanted := range []string{"prefers-color-scheme: dark", `name="viewport"`, "<main>", "<h1>", "<title>"} {
		if !strings.Contains(page, wanted) {
			t.Errorf("the page lacks %s", wanted)
		}
	}
}

// TestPageRights: a page shows a collection to those alone that TAXII shows it to, and the tools that they can use.
func TestPageRights(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for _, tt := range []struct {
		user                string
		reads, writes, both bool
	}{
		{user: "reader", reads: true}, {user: "writer", writes: true}, {user: "both", reads: true, writes: true},
		{user: "nobody"}, {user: "admin", reads: true, writes: true, both: true},
	} {
		for _, path := range []string{"/taxii2/", root, root + "collections/"} {
			page := g.browse(http.MethodGet, path, as(tt.user)).body
			if got := strings.Contains(page, g.open.ID); got != (tt.reads || tt.writes) {
				t.Errorf("%s sees the open collection at %s: %t", tt.user, path, got)
			}
			if got := strings.Contains(page, g.other.ID) || strings.Contains(page, ">Other<"); got != tt.both {
				t.Errorf("%s sees the other collection at %s: %t", tt.user, path, got)
			}
			if path == root+"collections/" {
				continue
			}
			if got := strings.Contains(page, "Cortex XSOAR"); got != tt.reads {
				t.Errorf("%s is told how to poll at %s: %t", tt.user, path, got)
			}
			if got := strings.Contains(page, "CTIS app"); got != tt.writes {
				t.Errorf("%s is told how to push at %s: %t", tt.user, path, got)
			}
		}
		want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}
		g.want(g.browse(http.MethodGet, root+"collections/"+g.open.ID, as(tt.user)), want[tt.reads || tt.writes])
		g.want(g.browse(http.MethodGet, root+"collections/"+g.other.ID, as(tt.user)), want[tt.both])
	}
}

// TestPageHostileTitles: titles, descriptions and aliases come from others and are text, whatever they look like.
func TestPageHostileTitles(t *testing.T) {
	t.Parallel()
	const hostile = `</code></style><script>alert("x")</script><a href="javascript:x">&amp;'`
	g := newRig(t, func(o *Options) {
		o.Title, o.Description, o.Contact, o.APIRootTitle = hostile, hostile, hostile, hostile
	})
	g.store.change(g.open.ID, func(c *memCollection) { c.Title, c.Description, c.Alias = hostile, hostile, hostile })
	for _, path := range []string{"/taxii2/", root, root + "collections/", root + "collections/" + g.open.ID + "/"} {
		page := g.browse(http.MethodGet, path).body
		_, hrefs := parsed(t, page, "href")
		for _, href := range hrefs {
			if !strings.HasPrefix(href, "../") {
				t.Errorf("%s: a link to %q", path, href)
			}
		}
		if scripts, _ := parsed(t, page, "script"); len(scripts) > 0 {
			t.Errorf("%s: scripts %q", path, scripts)
		}
		if !strings.Contains(page, "&lt;script&gt;") {
			t.Errorf("%s does not show the text", path)
		}
	}
}

// TestPageValues are the values that a person copies: each program's own choice among id, title and alias.
func TestPageValues(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	page := g.browse(http.MethodGet, root+"collections/open", as("both")).body
	codes, _ := parsed(t, page, "code")
	base := "https://taxii.example/taxii2/"
	for _, value := range []string{
		base, base + "main/", "main", g.open.ID, "open", "Open indicators", "main.Open indicators", "both",
		base + "main/collections/" + g.open.ID + "/", base + "main/collections/" + g.open.ID + "/objects/",
	} {
		if !slices.Contains(codes, value) {
			t.Errorf("the page does not offer %q in\n%q", value, codes)
		}
	}
	for _, name := range []string{"Sentinel", "Splunk", "OpenCTI", "MISP", "Elastic", "taxii2-client"} {
		if !strings.Contains(page, name) {
			t.Errorf("the page says nothing of %s", name)
		}
	}
	if strings.Contains(page, "key-of-") {
		t.Error("the page has the account's key")
	}
}

// TestPageErrors: what goes wrong is told in a page too, with the status, headers and words that TAXII has.
func TestPageErrors(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(o *Options) { o.Contact = "soc@taxii.example" })
	stranger := func(r *http.Request) { r.Header.Del("Authorization") }
	for _, tt := range []struct {
		method, path string
		edits        []edit
		status       int
	}{
		{"GET", "/taxii2/", []edit{stranger}, http.StatusUnauthorized},
		{"GET", root + "collections/open", []edit{stranger}, http.StatusUnauthorized},
		{"GET", root + "collections/none", nil, http.StatusNotFound},
		{"GET", "/taxii2/none/", nil, http.StatusNotFound},
		{"GET", "/elsewhere", nil, http.StatusNotFound},
		{"POST", "/taxii2/", nil, http.StatusMethodNotAllowed},
	} {
		got := g.browse(tt.method, tt.path, tt.edits...)
		plain := g.browse(tt.method, tt.path, append(tt.edits, header("Accept", MediaType))...)
		g.want(got, tt.status)
		e := g.wantError(plain, tt.status)
		if titles, _ := parsed(t, got.body, "h1"); !slices.Equal(titles, []string{e.Title}) || got.Header.Get("Content-Type") != HTMLMediaType {
			t.Errorf("%s %s: %s with the heading %q instead of %q", tt.method, tt.path, got.Header.Get("Content-Type"), titles, e.Title)
		}
		if codes, _ := parsed(t, got.body, "code"); !slices.Contains(codes, got.Header.Get("X-Request-Id")) {
			t.Errorf("%s %s: the page does not name the error: %q", tt.method, tt.path, codes)
		}
		for _, name := range []string{"WWW-Authenticate", "Allow"} {
			if diff := cmp.Diff(plain.Header.Values(name), got.Header.Values(name)); diff != "" {
				t.Errorf("%s %s: %s (-TAXII +page):\n%s", tt.method, tt.path, name, diff)
			}
		}
		if tt.status == http.StatusUnauthorized && (strings.Contains(got.body, "Test server") || strings.Contains(got.body, "soc@")) {
			t.Errorf("%s tells a stranger whose server it is", tt.path)
		}
	}
}

// TestPagesAreNotPolls: what the operator sees of a client is not overwritten by a person who looks at a page with its
// account.
func TestPagesAreNotPolls(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.want(g.get(root+"collections/open/objects/", as("reader"), header("User-Agent", "tool/1.0")), http.StatusOK)
	want := g.store.lastObserved(t)
	g.want(g.browse(http.MethodGet, root+"collections/open/", as("reader"), header("User-Agent", "Mozilla/5.0")), http.StatusOK)
	g.want(g.browse(http.MethodGet, root+"collections/none/", as("reader"), header("User-Agent", "Mozilla/5.0")), http.StatusNotFound)
	if diff := cmp.Diff(want, g.store.lastObserved(t)); diff != "" {
		t.Errorf("observed (-before +after):\n%s", diff)
	}
}

// TestFrontDoor: a browser that asks for the server itself is sent to discovery, others are told that there is nothing.
func TestFrontDoor(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	got := g.browse(http.MethodGet, "/")
	g.want(got, http.StatusSeeOther)
	if got.Header.Get("Location") != "taxii2/" || got.body != "" {
		t.Errorf("Location %q, body %q", got.Header.Get("Location"), got.body)
	}
	g.wantError(g.get("/"), http.StatusNotFound)
	g.want(g.browse(http.MethodPost, "/"), http.StatusNotFound)
}
