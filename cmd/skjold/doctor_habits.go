package main

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/taxii"
)

// discoveryHabits are what clients trip over in a discovery resource that is not wrong by itself.
func (d *doctor) discoveryHabits(resource taxii.Discovery) {
	const check = "discovery"
	if resource.Default == "" && len(resource.APIRoots) > 0 {
		d.note(resultWarning, check, "4.1.1", "there is no default API root; Cyware's client fails without one")
	}
	if resource.Default != "" && !slices.Contains(resource.APIRoots, resource.Default) {
		d.note(resultWarning, check, "4.1.1", "default %q is not literally one of api_roots; taxii2-client then sees no default", resource.Default)
	}
	for _, root := range resource.APIRoots {
		u, err := d.base.Parse(root)
		if err != nil {
			d.note(resultFault, check, "4.1.1", "the API root %q is no URL", root)
			continue
		}
		if !strings.HasSuffix(root, "/") {
			d.note(resultWarning, check, "4.1.1", "the API root %q does not end in a slash; clients that append to it ask for other addresses", root)
		}
		if d.base.Scheme == "https" && u.Scheme != "https" {
			d.note(resultFault, check, "4.1.1", "the API root %q is not https: a proxy in front ends TLS and the server does not know", root)
		}
		if u.Host != d.base.Host {
			d.note(resultWarning, check, "4.1.1", "the API root %q is on another host than was asked; some clients send no credentials there", root)
		}
		segments := strings.Split(strings.Trim(u.Path, "/"), "/")
		if name := segments[len(segments)-1]; strings.Contains(name, ".") {
			d.note(resultWarning, check, "", "the API root is called %q, with a dot; OpenCTI's connector cannot select it", name)
		}
	}
}

// collectionHabits are what clients trip over in a list of collections.
func (d *doctor) collectionHabits(list []taxii.CollectionResource) {
	titles := map[string]int{}
	for _, c := range list {
		titles[c.Title]++
		if _, err := uuid.Parse(c.ID); err != nil {
			d.note(resultWarning, "collections", "5.2.1", "the id %q is no UUID", c.ID)
		}
		if strings.Contains(c.Title, ".") {
			d.note(resultWarning, "collections", "", "the title %q has a dot; OpenCTI's connector cannot select it", c.Title)
		}
		if c.Title != strings.TrimSpace(c.Title) {
			d.note(resultWarning, "collections", "", "the title %q begins or ends with a space; nobody types that", c.Title)
		}
	}
	for title, n := range titles {
		if n > 1 {
			d.note(resultWarning, "collections", "", "%d collections are called %q; clients that select by title take any", n, title)
		}
	}
}

// collectionResource is the collection by its own address.
func (d *doctor) collectionResource(want taxii.CollectionResource) {
	r, err := d.get(d.content)
	var got taxii.CollectionResource
	switch {
	case err != nil:
		d.note(resultFault, "collection", "5.2", "%v", err)
	case r.StatusCode != http.StatusOK:
		d.note(resultFault, "collection", "5.2", "it is listed, but its own address answers %s", r.Status)
	case r.decode(&got) != nil || got.ID != want.ID:
		d.note(resultFault, "collection", "5.2", "its own address has the id %q instead of %q", got.ID, want.ID)
	default:
		d.note(resultOK, "collection", "5.2", "its own address has the same id")
	}
}

// addresses asks for things in the spellings that clients use.
func (d *doctor) addresses() {
	without := strings.TrimSuffix(d.content, "/") + "/objects?limit=1"
	r, err := d.get(without)
	slashed, err2 := d.get(d.content + "objects/?limit=1")
	switch {
	case errors.Join(err, err2) != nil:
		d.note(resultFault, "addresses", "3.1", "%v", errors.Join(err, err2))
	case r.StatusCode >= 300 && r.StatusCode < 400:
		d.note(resultWarning, "addresses", "3.1", "without the trailing slash the answer is a redirect (%s); it loses the body of a POST", r.Status)
	case r.StatusCode != http.StatusOK:
		d.note(resultWarning, "addresses", "3.1", "without the trailing slash the answer is %s; some clients leave it out", r.Status)
	case string(r.body) != string(slashed.body):
		d.note(resultFault, "addresses", "3.1", "without the trailing slash the answer is another one: %.100q", r.body)
	default:
		d.note(resultOK, "addresses", "3.1", "the same with and without the trailing slash")
	}
}

// times asks with added_after in the forms that clients write it in. All of them precede every object.
func (d *doctor) times() {
	_, want, err := d.objects(values("limit", "2"))
	if err != nil || len(want.Objects) == 0 {
		d.note(resultSkipped, "times", "3.4", "there is no object to ask for")
		return
	}
	good := true
	for _, form := range []struct{ text, who string }{
		{"1970-01-01T00:00:00.000000Z", "EclecticIQ, OpenCTI's connector"},
		{"1970-01-01T00:00:00.000Z", "OpenCTI"},
		{"1970-01-01T00:00:00Z", "taxii2-client, Elastic"},
		{"1970-01-01T00:00:00+00:00", "older OpenCTI"},
	} {
		r, got, err := d.objects(values("limit", "2", "added_after", form.text))
		switch {
		case r.Response != nil && r.StatusCode >= 500:
			d.note(resultFault, "times", "3.4", "added_after=%s answers %s; %s write it so", form.text, r.Status, form.who)
		case err != nil:
			d.note(resultWarning, "times", "3.4", "added_after=%s is refused, though %s write it so: %v", form.text, form.who, err)
		case !slices.Equal(got.ids(), want.ids()):
			d.note(resultFault, "times", "3.4", "added_after=%s brings other objects than no added_after, though it precedes all", form.text)
		default:
			continue
		}
		good = false
	}
	if good {
		d.note(resultOK, "times", "3.4", "added_after is understood with and without a fraction, with Z and with an offset")
	}
}

// dateForm is how §2 writes a timestamp.
var dateForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)

// order compares the manifest with the objects and the headers: this is what clients go on by.
func (d *doctor) order() {
	r, err := d.get(d.content + "manifest/?limit=50")
	var manifest taxii.Manifest
	if err != nil || r.StatusCode != http.StatusOK || r.decode(&manifest) != nil || len(manifest.Objects) == 0 {
		return // told by single
	}
	dates := make([]taxii.DateAdded, len(manifest.Objects))
	same, odd := 0, ""
	for i, m := range manifest.Objects {
		if dates[i], err = taxii.ParseDateAdded(m.DateAdded); err != nil {
			d.note(resultFault, "order", "5.3.1", "date_added %q is no timestamp", m.DateAdded)
			return
		}
		if !dateForm.MatchString(m.DateAdded) {
			odd = m.DateAdded
		}
		if i > 0 && dates[i] == dates[i-1] {
			same++
		}
	}
	switch {
	case !slices.IsSorted(dates):
		d.note(resultFault, "order", "3.3", "objects do not come in the order of their date added: clients that go on by added_after lose some")
	case same > 0:
		d.note(resultFault, "order", "3.3", "%d of %d objects have the same date added as the one before: clients that go on by added_after lose those "+
			"that a page ends between", same, len(dates))
	default:
		d.note(resultOK, "order", "3.3", "ascending, each object with a date added of its own")
	}
	if odd != "" {
		d.note(resultWarning, "order", "2", "timestamps such as %s do not have exactly six fraction digits; some clients fail on that", odd)
	}
	if last := r.Header.Get("X-TAXII-Date-Added-Last"); last != "" {
		if told, err := taxii.ParseDateAdded(last); err == nil && told != dates[len(dates)-1] {
			d.note(resultFault, "headers", "3.2", "X-TAXII-Date-Added-Last is %s, but the last object was added at %s: clients that store it lose or repeat objects",
				last, manifest.Objects[len(dates)-1].DateAdded)
		}
	}
	if ahead := dates[len(dates)-1]; time.UnixMicro(int64(ahead)).After(time.Now().Add(time.Hour)) {
		d.note(resultWarning, "order", "3.4", "objects are dated %s, in the future; the server's clock is wrong", ahead)
	}
}

// unlimited asks for a page without a limit, as OpenCTI, Elastic and Sumo Logic do.
func (d *doctor) unlimited() {
	_, page, err := d.objects(url.Values{})
	switch n := len(page.Objects); {
	case err != nil:
		d.note(resultFault, "paging", "3.5", "a page without limit: %v", err)
	case n > 10000:
		d.note(resultWarning, "paging", "3.5", "without limit %d objects come at once; clients run out of time or memory", n)
	default:
		d.note(resultOK, "paging", "3.5", "a page without limit has %d objects", n)
	}
}
