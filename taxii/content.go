package taxii

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/skjold-exchange/skjold/stix"
)

// getObjects is §5.4.
func (s *Server) getObjects(w http.ResponseWriter, r *http.Request) error {
	p, err := s.readablePage(r, ObjectsEndpoint)
	if err != nil {
		return err
	}
	p.query.Bytes = true
	return s.answerPage(w, r, p, "objects", func(p *pageRequest, got Page) (*body, error) { return envelope(p.page, got, false), nil })
}

// getManifest is §5.3.
func (s *Server) getManifest(w http.ResponseWriter, r *http.Request) error {
	p, err := s.readablePage(r, ObjectsEndpoint)
	if err != nil {
		return err
	}
	return s.answerPage(w, r, p, "manifest", func(p *pageRequest, got Page) (*body, error) {
		manifest := Manifest{More: got.More, Next: nextToken(p.page, got)}
		for _, e := range got.Entries {
			manifest.Objects = append(manifest.Objects, e.manifestRecord())
		}
		text, err := encodeJSON(manifest)
		return &body{head: text}, err
	})
}

func (e Entry) manifestRecord() ManifestRecord {
	mediaType := STIXMediaType
	if e.SpecVersion == "2.0" {
		mediaType = STIX20MediaType
	}
	return ManifestRecord{ID: string(e.ID), DateAdded: e.DateAdded.String(), Version: e.Version, MediaType: mediaType}
}

// getObject is §5.6.
func (s *Server) getObject(w http.ResponseWriter, r *http.Request) error {
	p, err := s.readablePage(r, ObjectEndpoint)
	if err != nil {
		return err
	}
	p.query.Bytes = true
	got, err := s.objectEntries(r, p)
	if err != nil {
		return err
	}
	x := exchangeOf(r)
	if r.Method == http.MethodGet {
		x.served = len(got.Entries)
	}
	x.setDateAdded(w.Header(), p.page, got.extent())
	return s.writeContent(w, r, envelope(p.page, got, x.principal.EmptyList))
}

// getVersions is §5.8: all versions, in the order of their date added.
func (s *Server) getVersions(w http.ResponseWriter, r *http.Request) error {
	p, err := s.readablePage(r, VersionsEndpoint)
	if err != nil {
		return err
	}
	p.Version, p.query.Version = VersionMatch{All: true}, VersionMatch{All: true}
	got, err := s.objectEntries(r, p)
	if err != nil {
		return err
	}
	exchangeOf(r).setDateAdded(w.Header(), p.page, got.extent())
	if len(got.Entries) == 0 {
		return s.writeContent(w, r, empty(false))
	}
	versions := Versions{More: got.More, Next: nextToken(p.page, got)}
	for _, e := range got.Entries {
		versions.Versions = append(versions.Versions, e.Version)
	}
	return s.writeContentResource(w, r, versions)
}

func (s *Server) writeContentResource(w http.ResponseWriter, r *http.Request, resource any) error {
	text, err := encodeJSON(resource)
	if err != nil {
		return err
	}
	return s.writeContent(w, r, &body{head: text})
}

// pageRequest is a request that reads a page of a collection.
type pageRequest struct {
	page
	x      *exchange // whose collection is as the rights and the page token were checked on it
	query  Query
	policy Visibility
}

// readablePage checks the rights on the collection and then reads the query.
func (s *Server) readablePage(r *http.Request, e Endpoint) (*pageRequest, error) {
	c, err := s.readable(r)
	if err != nil {
		return nil, err
	}
	f, err := ParseFilter(r.URL.RawQuery, e)
	if err != nil {
		return nil, err
	}
	x := exchangeOf(r)
	x.pull = r.Method == http.MethodGet // a HEAD reads nothing
	p := &pageRequest{x: x, policy: s.opt.Visibility}
	if p.page, err = f.resolve(c, s.opt.PageDefault, s.opt.PageMax); err != nil {
		return nil, err
	}
	p.query = Query{
		Collection: c.ID, After: p.after, Limit: p.limit,
		IDs: p.IDs, Types: p.Types, SpecVersions: p.SpecVersions, Version: p.version(),
		Values: p.observableValues(), TLPs: p.TLPs, Conditions: p.conditions(),
		Visible:  p.visible,
		MaxBytes: s.pageBytes(),
	}
	return p, nil
}

// visible asks the sharing policy for the caller.
func (p *pageRequest) visible(m stix.MarkingSet, unknown bool) bool {
	return p.policy.Visible(p.x.principal, p.x.collection, m, unknown)
}

// pageBytes is the most octets of objects on a page. While slow clients hold nearly all the memory for responses, pages
// are small enough to be sent always: the others go on, and nothing is read in vain.
func (s *Server) pageBytes() int64 {
	if s.sending.room() < s.opt.PageBytes {
		return smallResponse / 2
	}
	return s.opt.PageBytes
}

func (s *Server) visible(p *Principal, c Collection) func(stix.MarkingSet, bool) bool {
	return func(m stix.MarkingSet, unknown bool) bool { return s.opt.Visibility.Visible(p, c, m, unknown) }
}

// entries asks the store.
func (s *Server) entries(r *http.Request, p *pageRequest, q Query) (Page, error) {
	ctx := s.storeContext(r)
	defer ctx.end()
	got, err := s.opt.Store.Entries(ctx, q)
	if err != nil {
		return Page{}, err
	}
	if got.Collection.Epoch != p.x.collection.Epoch {
		return Page{}, errRestored
	}
	return got.Within(q.MaxBytes), nil
}

// objectEntries answers a query about the one object that the path names. ErrNotFound if the caller sees nothing of that
// object at all; a version or a time that matches nothing is an empty page.
func (s *Server) objectEntries(r *http.Request, p *pageRequest) (Page, error) {
	id, err := stix.ParseIdentifier(chi.URLParam(r, "object"))
	if err != nil {
		return Page{}, notFound()
	}
	q := p.query
	q.IDs, q.Types = []stix.Identifier{id}, nil
	got, err := s.entries(r, p, q)
	if err != nil || len(got.Entries) > 0 {
		return got, err
	}
	held, err := s.entries(r, p, Query{
		Collection: q.Collection, Limit: 1, IDs: q.IDs, Version: VersionMatch{All: true}, Visible: q.Visible,
	})
	if err == nil && len(held.Entries) == 0 {
		err = ErrNotFound
	}
	return got, err
}

// empty is the answer that has nothing in it: an empty object (§2, §3.7), or one with an empty list for a client that
// needs it.
func empty(list bool) *body {
	if list {
		return &body{head: []byte(`{"objects":[]}`)}
	}
	return &body{head: []byte("{}")}
}

// envelope puts the objects' bytes into an envelope (§3.7) as they are.
func envelope(p page, got Page, emptyList bool) *body {
	if len(got.Entries) == 0 {
		return empty(emptyList)
	}
	head := `{"more":false,"objects":[`
	if got.More {
		head = `{"more":true,"next":"` + nextToken(p, got) + `","objects":[` // base64url: nothing to escape
	}
	return &body{head: []byte(head), entries: got.Entries, tail: []byte("]}")}
}

// nextToken is the token of the following page, "" if this is the last.
func nextToken(p page, got Page) string {
	if !got.More || len(got.Entries) == 0 {
		return ""
	}
	return p.next(got.Collection, max(got.Until, got.Entries[len(got.Entries)-1].DateAdded))
}

// extent is what of a page the headers tell.
type extent struct {
	objects     int
	first, last DateAdded // where there are objects
	more        bool
	collection  Collection
}

func (p Page) extent() extent {
	e := extent{objects: len(p.Entries), more: p.More, collection: p.Collection}
	if e.objects > 0 {
		e.first, e.last = p.Entries[0].DateAdded, p.Entries[e.objects-1].DateAdded
	}
	return e
}

// Headers of §3.2.
const (
	dateAddedFirst = "X-TAXII-Date-Added-First"
	dateAddedLast  = "X-TAXII-Date-Added-Last"
)

// setDateAdded sets the headers of §3.2: the first and last date added of what is returned. An empty page repeats the
// position that was asked from, or the collection's creation, which no object precedes, so that a client that stores the
// value misses nothing.
func (x *exchange) setDateAdded(h http.Header, p page, got extent) {
	if got.objects > 0 {
		x.setLine(h, firstField, got.first.String())
		x.setLine(h, lastField, got.last.String())
		return
	}
	position := got.collection.Created
	if p.asked {
		position = p.after
	}
	x.setLine(h, firstField, position.String())
	h[lastField] = h[firstField]
}

// reached is the position that a client which polls the collection has come to with this page: where the page ends, or, if
// nothing more is behind it, the collection's end, since what the client's filters leave out is not waiting for it. 0 where
// the query is for certain objects or values and says nothing of a position.
func reached(p page, got extent) DateAdded {
	switch {
	case len(p.IDs) > 0, len(p.Values) > 0:
		return 0
	case got.more && got.objects > 0:
		return got.last
	default:
		return got.collection.Last
	}
}
