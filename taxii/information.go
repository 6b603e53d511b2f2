package taxii

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

// getDiscovery is §4.1.
func (s *Server) getDiscovery(w http.ResponseWriter, r *http.Request) error {
	root := s.advertisedRoot()
	return s.writeResource(w, r, http.StatusOK, Discovery{
		Title: s.opt.Title, Description: s.opt.Description, Contact: s.opt.Contact,
		Default: root, APIRoots: []string{root},
	})
}

// getAPIRoot is §4.2.
func (s *Server) getAPIRoot(w http.ResponseWriter, r *http.Request) error {
	return s.writeResource(w, r, http.StatusOK, APIRoot{
		Title: s.opt.APIRootTitle, Description: s.opt.APIRootDescription,
		Versions: []string{MediaType}, MaxContentLength: s.opt.MaxContentLength,
	})
}

// getStatus is §4.3.
func (s *Server) getStatus(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToLower(chi.URLParam(r, "status"))
	if !isUUID(id) {
		return notFound()
	}
	text, err := s.statusText(r, id)
	if err != nil {
		return err
	}
	return s.writeBody(w, r, http.StatusOK, &body{head: text})
}

// statusText reads a status and writes it as JSON. A long one takes some tens of megabytes until it is text, whose memory
// is counted with the responses: so few are read at once.
func (s *Server) statusText(r *http.Request, id string) ([]byte, error) {
	ctx := s.storeContext(r)
	defer ctx.end()
	select {
	case s.statuses <- struct{}{}:
		defer func() { <-s.statuses }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for other statuses to be read: %w: %w", ErrUnavailable, ctx.Err())
	}
	status, err := s.opt.Store.Status(ctx, id, exchangeOf(r).principal.Name)
	if err != nil {
		return nil, err
	}
	return encodeJSON(status)
}

// getCollections is §5.1: those that the caller has any right on.
func (s *Server) getCollections(w http.ResponseWriter, r *http.Request) error {
	list, err := s.callersCollections(r)
	if err != nil {
		return err
	}
	return s.writeResource(w, r, http.StatusOK, CollectionsResource{Collections: list})
}

// callersCollections are the collections that the caller has any right on, with its rights.
func (s *Server) callersCollections(r *http.Request) ([]CollectionResource, error) {
	ctx := s.storeContext(r)
	defer ctx.end()
	collections, err := s.opt.Store.Collections(ctx)
	if err != nil {
		return nil, err
	}
	var list []CollectionResource
	for _, c := range collections {
		if rights := exchangeOf(r).principal.RightsOn(c.ID); rights.any() {
			list = append(list, c.resource(rights))
		}
	}
	return list, nil
}

// getCollection is §5.2.
func (s *Server) getCollection(w http.ResponseWriter, r *http.Request) error {
	c, rights, err := s.collection(r)
	if err != nil {
		return err
	}
	return s.writeResource(w, r, http.StatusOK, c.resource(rights))
}

func (r Rights) any() bool { return r.Read || r.Write }

// resource is the collection as a caller with these rights sees it; always with its real id, even if asked by alias.
func (c Collection) resource(rights Rights) CollectionResource {
	return CollectionResource{
		ID: c.ID, Title: c.Title, Description: c.Description, Alias: c.Alias,
		CanRead: rights.Read, CanWrite: rights.Write, MediaTypes: []string{STIXMediaType},
	}
}

// noCollection is an id that no collection has: the nil UUID.
const noCollection = "00000000-0000-0000-0000-000000000000"

// collection finds the collection that the path names, by id in any case or by alias. One that the caller has no right on
// is not found.
func (s *Server) collection(r *http.Request) (Collection, Rights, error) {
	name := chi.URLParam(r, "collection")
	if isUUID(strings.ToLower(name)) {
		name = strings.ToLower(name)
	}
	ctx := s.storeContext(r)
	defer ctx.end()
	c, err := s.opt.Store.Collection(ctx, name)
	if err != nil {
		return Collection{}, Rights{}, err
	}
	x := exchangeOf(r)
	rights := x.principal.RightsOn(c.ID)
	if !rights.any() {
		// A store may have at hand what there is, and has to look for what there is not. Here it looks too, so that nobody
		// can tell the one from the other by the time that it takes.
		if _, err = s.opt.Store.Collection(ctx, noCollection); err == nil {
			err = ErrNotFound
		}
		return Collection{}, Rights{}, err
	}
	x.collection = c
	return c, rights, nil
}

// readable is collection for the GETs of its content.
func (s *Server) readable(r *http.Request) (Collection, error) {
	c, rights, err := s.collection(r)
	if err == nil && !rights.Read {
		err = forbidden("Your account may add objects to this collection but not read it.")
	}
	return c, err
}

// isUUID checks the form of a UUID in lower case, hyphens included.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
				return false
			}
		}
	}
	return true
}
