package taxii

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Discovery gets the discovery resource (§4.1).
func (c *Client) Discovery(ctx context.Context) (Discovery, error) {
	d, _, err := fetch[Discovery](ctx, c, c.discovery)
	return d, err
}

// APIRoot gets the API root resource (§4.2).
func (c *Client) APIRoot(ctx context.Context) (APIRoot, error) {
	u, err := c.endpoint(ctx)
	if err != nil {
		return APIRoot{}, err
	}
	resource, _, err := fetch[APIRoot](ctx, c, u)
	return resource, err
}

// Collections gets all collections that the account sees (§5.1).
func (c *Client) Collections(ctx context.Context) ([]CollectionResource, error) {
	u, err := c.endpoint(ctx, "collections")
	if err != nil {
		return nil, err
	}
	resource, _, err := fetch[CollectionsResource](ctx, c, u)
	return resource.Collections, err
}

// Collection finds a collection by id, alias or title; "" means the one that the client's URL names. ErrNotFound with
// the names that there are, if it is none of them.
func (c *Client) Collection(ctx context.Context, name string) (CollectionResource, error) {
	if name == "" {
		name = c.collection
	}
	if name == "" {
		return CollectionResource{}, errors.New("which collection? Give its id, alias or title, or its URL")
	}
	if isUUID(strings.ToLower(name)) {
		return c.collectionAt(ctx, name)
	}
	all, err := c.Collections(ctx)
	if err != nil {
		return CollectionResource{}, err
	}
	found, err := chooseCollection(all, name)
	if err != nil {
		// A server need not list a collection that it answers for.
		if direct, derr := c.collectionAt(ctx, name); derr == nil {
			return direct, nil
		}
	}
	return found, err
}

func (c *Client) collectionAt(ctx context.Context, segment string) (CollectionResource, error) {
	u, err := c.endpoint(ctx, "collections", segment)
	if err != nil {
		return CollectionResource{}, err
	}
	resource, _, err := fetch[CollectionResource](ctx, c, u)
	return resource, err
}

// chooseCollection matches alias and title as they are written, then in any case if that leaves one.
func chooseCollection(all []CollectionResource, name string) (CollectionResource, error) {
	var titles []string
	var folded []CollectionResource
	for _, r := range all {
		if r.Alias == name || r.Title == name {
			return r, nil
		}
		if strings.EqualFold(r.Alias, name) || strings.EqualFold(r.Title, name) {
			folded = append(folded, r)
		}
		titles = append(titles, strconv.Quote(r.Title))
	}
	if len(folded) == 1 {
		return folded[0], nil
	}
	there := "the account sees no collection at all"
	if len(titles) > 0 {
		there = "there are " + cut(strings.Join(titles, ", "), 500)
	}
	return CollectionResource{}, fmt.Errorf("collection %q: %w; %s", name, ErrNotFound, there)
}

// Status gets the status of a submission (§4.3).
func (c *Client) Status(ctx context.Context, id string) (Status, error) {
	u, err := c.endpoint(ctx, "status", id)
	if err != nil {
		return Status{}, err
	}
	status, _, err := fetch[Status](ctx, c, u)
	return status, err
}

// PageRequest is a query as a client sends it (§3.4). Zero values are left out.
type PageRequest struct {
	AddedAfter string // a timestamp, as the server wrote it
	Next       string // page token
	Limit      int
	// IDs, Types, SpecVersions and Versions are the match fields.
	IDs, Types, SpecVersions, Versions []string
	// Fields are further match fields by name, such as value or confidence-gte, which not every server takes.
	Fields map[string][]string
}

func (q PageRequest) encode() string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("added_after", q.AddedAfter)
	set("next", q.Next)
	if q.Limit > 0 {
		set("limit", strconv.Itoa(q.Limit))
	}
	set("match[id]", strings.Join(q.IDs, ","))
	set("match[type]", strings.Join(q.Types, ","))
	set("match[spec_version]", strings.Join(q.SpecVersions, ","))
	set("match[version]", strings.Join(q.Versions, ","))
	for name, values := range q.Fields {
		set("match["+name+"]", strings.Join(values, ","))
	}
	return v.Encode()
}

// PageHeaders are the headers of §3.2 as the server wrote them; "" where it sent none.
type PageHeaders struct {
	DateAddedFirst, DateAddedLast string
}

func pageHeaders(h http.Header) PageHeaders {
	return PageHeaders{h.Get("X-TAXII-Date-Added-First"), h.Get("X-TAXII-Date-Added-Last")}
}

// Manifest gets a page of a collection's manifest (§5.3).
func (c *Client) Manifest(ctx context.Context, collection string, q PageRequest) (Manifest, PageHeaders, error) {
	u, err := c.endpoint(ctx, "collections", collection, "manifest")
	if err != nil {
		return Manifest{}, PageHeaders{}, err
	}
	u.RawQuery = q.encode()
	m, h, err := fetch[Manifest](ctx, c, u)
	return m, pageHeaders(h), err
}

// Versions gets the versions of an object (§5.8).
func (c *Client) Versions(ctx context.Context, collection, object string, q PageRequest) (Versions, PageHeaders, error) {
	u, err := c.endpoint(ctx, "collections", collection, "objects", object, "versions")
	if err != nil {
		return Versions{}, PageHeaders{}, err
	}
	u.RawQuery = q.encode()
	v, h, err := fetch[Versions](ctx, c, u)
	return v, pageHeaders(h), err
}
