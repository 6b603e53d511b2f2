package taxii

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// HTMLMediaType is what the pages for people are sent as.
const HTMLMediaType = "text/html; charset=utf-8"

// maxPageCollections is how many collections a page shows at most; TAXII lists them all.
const maxPageCollections = 500

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(pageStyle) },
	}).Parse(pageText))

	// pagePolicy lets a page have its own style sheet, told by its digest, and nothing else: no script, no image, no
	// form, no frame, nothing from another place.
	pagePolicy = "default-src 'none'; style-src 'sha256-" + digestOf(pageStyle) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// handlerFunc answers a request, or returns the error that the adaptor answers with.
type handlerFunc func(http.ResponseWriter, *http.Request) error

// humanPages are the pages for people, by the pattern of the resource that they are a view of. They show what the resource
// tells the caller, and how to connect a tool to it. Other addresses have none.
func (s *Server) humanPages() map[string]handlerFunc {
	root := "/taxii2/" + s.opt.APIRoot
	return map[string]handlerFunc{
		"/taxii2":                          s.discoveryPage,
		root:                               s.apiRootPage,
		root + "/collections":              s.collectionsPage,
		root + "/collections/{collection}": s.collectionPage,
	}
}

// wantsPage reports whether a request is that of a person's browser: its Accept header names HTML, nothing in it weighs
// more, and it names no kind of JSON. TAXII's own types are JSON, so whoever speaks TAXII gets TAXII.
func wantsPage(h http.Header) bool {
	if speaksTAXII(h) {
		return false
	}
	html, wildcard := 0.0, 0.0
	for list := headerElements(h, "Accept"); list.next(); {
		m, ok := parseMediaRange(list.element)
		switch {
		case !ok:
		case m.name == "text/html" || m.name == "application/xhtml+xml":
			html = max(html, m.q)
		case m.name == "*/*" || m.name == "application/*":
			wildcard = max(wildcard, m.q)
		case strings.HasSuffix(m.name, "json"):
			return false
		}
	}
	return html > 0 && html >= wildcard
}

// frontDoor sends a browser that asks for the server itself to discovery. The address is relative, because a proxy may
// serve the node below a path of its own.
func frontDoor(w http.ResponseWriter) error {
	h := w.Header()
	setCommonHeaders(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Location", "taxii2/")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// humanPage is what the template is given. Titles and descriptions come from others; the template escapes them.
type humanPage struct {
	Title       string
	Description string // what the resource says of itself
	Server      string // the server's title
	Contact     string
	Account     string  // who is logged in; "" for an error before that is known
	Crumbs      []crumb // the resources above this one

	Root        *rootFacts       // nil: the page does not show the API root
	Lists       bool             // the page lists the caller's collections
	Collections []pageCollection // those, or the one that the page is about
	Unlisted    int              // collections that are left out
	Connect     *connect         // nil: the page does not tell how to connect
	Problem     *pageProblem     // nil: no error
}

// crumb is a link to a resource above.
type crumb struct{ Href, Name string }

// rootFacts is what a page tells of the server and its API root.
type rootFacts struct {
	Discovery, URL, Name  string
	Href                  string
	Largest               string // request body, in words
	PageDefault, PageMost int
}

// pageCollection is a collection as the caller may see it. How much is in it is not told: part of that may be for others.
type pageCollection struct {
	CollectionResource
	URL, ObjectsURL, Href string
}

// pageProblem is the error that a page tells.
type pageProblem struct {
	Status int
	ID     string
	Login  bool // another account would help
}

func (s *Server) discoveryPage(w http.ResponseWriter, r *http.Request) error {
	p := s.newPage(r, 0, s.opt.Title, s.opt.Description)
	return s.writeOverview(w, r, p)
}

func (s *Server) apiRootPage(w http.ResponseWriter, r *http.Request) error {
	p := s.newPage(r, 1, s.opt.APIRootTitle, s.opt.APIRootDescription)
	return s.writeOverview(w, r, p)
}

// writeOverview shows the API root, the caller's collections and how to connect.
func (s *Server) writeOverview(w http.ResponseWriter, r *http.Request, p humanPage) error {
	if err := s.list(r, &p); err != nil {
		return err
	}
	root := s.rootURL()
	p.Root = &rootFacts{
		Discovery: s.discoveryURL(), URL: root, Name: s.opt.APIRoot, Href: ascent(r) + "taxii2/" + s.opt.APIRoot + "/",
		Largest: octetsInWords(s.opt.MaxContentLength), PageDefault: s.opt.PageDefault, PageMost: s.opt.PageMax,
	}
	p.Connect = s.newConnect(p.Collections, exchangeOf(r).principal)
	return s.writePage(w, r, http.StatusOK, p)
}

func octetsInWords(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

func (s *Server) collectionsPage(w http.ResponseWriter, r *http.Request) error {
	p := s.newPage(r, 2, "Collections", "")
	if err := s.list(r, &p); err != nil {
		return err
	}
	return s.writePage(w, r, http.StatusOK, p)
}

func (s *Server) collectionPage(w http.ResponseWriter, r *http.Request) error {
	c, rights, err := s.collection(r)
	if err != nil {
		return err
	}
	p := s.newPage(r, 3, c.Title, c.Description)
	p.Collections = []pageCollection{s.pageCollection(r, c.resource(rights))}
	p.Connect = s.newConnect(p.Collections, exchangeOf(r).principal)
	return s.writePage(w, r, http.StatusOK, p)
}

// newPage begins a page of a resource that has so many resources above it.
func (s *Server) newPage(r *http.Request, above int, title, description string) humanPage {
	up := ascent(r)
	crumbs := []crumb{
		{up + "taxii2/", s.opt.Title},
		{up + "taxii2/" + s.opt.APIRoot + "/", s.opt.APIRootTitle},
		{up + "taxii2/" + s.opt.APIRoot + "/collections/", "Collections"},
	}
	p := humanPage{Title: title, Description: description, Server: "TAXII 2.1 server", Crumbs: crumbs[:above]}
	if principal := exchangeOf(r).principal; principal != nil { // strangers learn nothing of the server
		p.Account, p.Server, p.Contact = principal.Name, s.opt.Title, s.opt.Contact
	}
	return p
}

// ascent leads from the request's path to the server's own: links are relative, because a proxy may serve the node below
// a path of its own.
func ascent(r *http.Request) string {
	return strings.Repeat("../", max(0, strings.Count(r.URL.Path, "/")-1))
}

// list puts the caller's collections on a page.
func (s *Server) list(r *http.Request, p *humanPage) error {
	list, err := s.callersCollections(r)
	if err != nil {
		return err
	}
	p.Lists = true
	shown := min(len(list), maxPageCollections)
	p.Unlisted = len(list) - shown
	for _, c := range list[:shown] {
		p.Collections = append(p.Collections, s.pageCollection(r, c))
	}
	return nil
}

func (s *Server) pageCollection(r *http.Request, c CollectionResource) pageCollection {
	below := "collections/" + c.ID + "/"
	return pageCollection{
		CollectionResource: c, URL: s.rootURL() + below, ObjectsURL: s.rootURL() + below + "objects/",
		Href: ascent(r) + "taxii2/" + s.opt.APIRoot + "/" + below,
	}
}

// discoveryURL is where clients find the server: from the configuration, and from nothing that the caller sends.
func (s *Server) discoveryURL() string { return strings.TrimSuffix(s.opt.PublicURL, "/") + "/taxii2/" }

func (s *Server) rootURL() string { return s.discoveryURL() + s.opt.APIRoot + "/" }

// writePage sends a page, which no cache keeps: it is what one account may see.
func (s *Server) writePage(w http.ResponseWriter, r *http.Request, status int, p humanPage) error {
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, p); err != nil {
		return err
	}
	b, x := &body{head: text.Bytes()}, exchangeOf(r)
	if x.sending != nil && b.size() > smallResponse {
		if err := x.sending.take(b.memory()); err != nil {
			return err
		}
	}
	h := w.Header()
	setCommonHeaders(h)
	h.Set("Content-Type", HTMLMediaType)
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(text.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		x.unsent = s.send(w, r, b)
	}
	return nil
}

// problemPage tells a person of an error. It says what the error message (§3.6.1) says.
func (s *Server) problemPage(w http.ResponseWriter, r *http.Request, p *problem) error {
	above := 0
	if exchangeOf(r).principal != nil {
		above = 1 // the way back; strangers learn nothing of the server
	}
	page := s.newPage(r, above, p.title, p.description)
	page.Problem = &pageProblem{Status: p.status, ID: exchangeOf(r).id, Login: p.status == http.StatusUnauthorized}
	return s.writePage(w, r, p.status, page)
}
