package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// examinedEnvelope is an envelope (§3.7) as doctor looks at it.
type examinedEnvelope struct {
	More    bool              `json:"more"`
	Next    string            `json:"next"`
	Objects []json.RawMessage `json:"objects"`
}

// ids names the objects by id and version, in order.
func (e examinedEnvelope) ids() []string {
	var list []string
	for _, raw := range e.Objects {
		var o struct{ ID, Modified, Created string }
		_ = json.Unmarshal(raw, &o) // what cannot be read has no name
		list = append(list, strings.TrimSpace(o.ID+" "+cmp.Or(o.Modified, o.Created)))
	}
	return list
}

// objects asks for a page.
func (d *doctor) objects(query url.Values) (reply, examinedEnvelope, error) {
	r, err := d.get(d.content + "objects/?" + query.Encode())
	if err != nil {
		return r, examinedEnvelope{}, err
	}
	if r.StatusCode != http.StatusOK {
		return r, examinedEnvelope{}, fmt.Errorf("the server answers %s: %.200s", r.Status, r.body)
	}
	var e examinedEnvelope
	return r, e, r.decode(&e)
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// negotiation is what the media types do.
func (d *doctor) negotiation() {
	for _, form := range []struct{ accept, who string }{
		{"application/taxii+json", "clients that leave the version out"},
		{"application/taxii+json; version=2.1", "clients that write a space"},
	} {
		if r, err := d.get(d.content+"objects/?limit=1", "Accept", form.accept); err == nil && r.StatusCode != http.StatusOK {
			d.note(resultFault, "media type", "1.6.8", "Accept: %s answers %s; %s get nothing", form.accept, r.Status, form.who)
		}
	}
	r, err := d.get(d.content+"objects/?limit=1", "Accept", "application/vnd.oasis.taxii+json; version=2.0")
	if err == nil && r.StatusCode != http.StatusNotAcceptable {
		d.note(resultWarning, "media type", "1.6.8", "a request for TAXII 2.0 alone answers %s; Cortex XSOAR waits for 406 before it tries 2.1", r.Status)
	}
}

// errors is what wrong requests get.
func (d *doctor) errors() {
	for _, wrong := range []struct {
		what, url, section string
		want               int
	}{
		{"limit=0", d.content + "objects/?limit=0", "3.4", http.StatusBadRequest},
		{"limit=-1", d.content + "objects/?limit=-1", "3.4", http.StatusBadRequest},
		{"a malformed added_after", d.content + "objects/?added_after=yesterday", "3.4", http.StatusBadRequest},
		{"a collection that does not exist", d.root + "collections/00000000-0000-4000-8000-000000000000/objects/", "5.4", http.StatusNotFound},
	} {
		r, err := d.get(wrong.url)
		switch {
		case err != nil:
			d.note(resultFault, "errors", wrong.section, "%s: %v", wrong.what, err)
		case r.StatusCode != wrong.want:
			d.note(resultFault, "errors", wrong.section, "%s answers %s instead of %d", wrong.what, r.Status, wrong.want)
		default:
			d.errorMessage(wrong.what, r)
			d.note(resultOK, "errors", wrong.section, "%s answers %d", wrong.what, wrong.want)
		}
	}
	if r, err := d.get(d.content+"objects/?limit=1", "Authorization", ""); err == nil && (d.user != "" || d.token != "") && r.StatusCode == http.StatusOK {
		d.note(resultWarning, "account", "1.6.9", "the collection can be read without an account")
	} else if err == nil && r.StatusCode == http.StatusUnauthorized && r.Header.Get("WWW-Authenticate") == "" {
		d.note(resultFault, "account", "1.6.9", "without an account the answer is 401 without WWW-Authenticate; clients that wait to be asked never send their password")
	}
}

// pages compares a page of four with two pages of two, by next and by added_after.
func (d *doctor) pages() {
	r, four, err := d.objects(values("limit", "4"))
	if err != nil {
		d.note(resultFault, "paging", "3.5", "%v", err)
		return
	}
	d.dateHeaders("a page with objects", r)
	if len(four.Objects) > 4 {
		d.note(resultFault, "paging", "3.4", "limit=4 brought %d objects", len(four.Objects))
	}
	d.nothingNew()
	if len(four.Objects) < 3 {
		d.note(resultSkipped, "paging", "3.5", "the collection has only %d objects for this account", len(four.Objects))
		return
	}
	first, two, err := d.objects(values("limit", "2"))
	if err != nil {
		d.note(resultFault, "paging", "3.5", "%v", err)
		return
	}
	if !two.More && two.Next != "" {
		d.note(resultWarning, "paging", "3.5", "next comes without more; clients that heed more stop there")
	}
	if !two.More {
		d.note(resultFault, "paging", "3.5", "limit=2 brought 2 of at least %d objects, but more is not true", len(four.Objects))
	}
	want := four.ids()[2:]
	last := first.Header.Get("X-TAXII-Date-Added-Last")
	d.continued("added_after", values("limit", "2", "added_after", last), want)
	if two.Next == "" {
		d.note(resultWarning, "paging", "3.5", "more without next: clients must go on by added_after, which not all do")
		return
	}
	d.continued("next", values("limit", "2", "next", two.Next), want)
	d.continued("next, asked again", values("limit", "2", "next", two.Next), want)
	// OpenCTI's ingestion and Elastic's integration send next beside the added_after that they began with.
	if _, begun, err := d.objects(values("limit", "2", "added_after", longAgo)); err == nil && begun.Next != "" {
		d.continued("next beside the same added_after", values("limit", "2", "added_after", longAgo, "next", begun.Next), want)
	}
}

// longAgo precedes every object.
const longAgo = "1970-01-01T00:00:00.000000Z"

// nothingNew asks for what is added in a year's time.
func (d *doctor) nothingNew() {
	r, page, err := d.objects(values("added_after", time.Now().AddDate(1, 0, 0).UTC().Format("2006-01-02T15:04:05.000000Z")))
	switch {
	case err != nil:
		d.note(resultFault, "paging", "3.5", "nothing new: %v", err)
		return
	case len(page.Objects) > 0:
		d.note(resultFault, "paging", "3.4", "added_after in the future brings %d objects: it is not heeded", len(page.Objects))
	case page.More:
		d.note(resultFault, "paging", "3.5", "an empty page says that there is more: clients ask for ever")
	case page.Next != "":
		d.note(resultWarning, "paging", "3.5", "an empty page carries next, though more is not true: Elastic's integration asks for ever")
	}
	d.dateHeaders("an empty page", r)
}

// continued checks that a request goes on with the objects that must come.
func (d *doctor) continued(by string, query url.Values, want []string) {
	_, e, err := d.objects(query)
	switch got := e.ids(); {
	case err != nil:
		d.note(resultFault, "paging", "3.5", "going on by %s: %v", by, err)
	case !slices.Equal(got, want):
		d.note(resultFault, "paging", "3.5", "going on by %s brings %q instead of %q: objects are lost or repeated", by, got, want)
	default:
		d.note(resultOK, "paging", "3.5", "going on by %s brings what comes next", by)
	}
}

// dateHeaders are the cursor of many clients (§3.2).
func (d *doctor) dateHeaders(where string, r reply) {
	for _, name := range []string{"X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"} {
		text := r.Header.Get(name)
		if text == "" {
			d.note(resultFault, "headers", "3.2", "%s comes without %s", where, name)
			return
		}
		if _, err := taxii.ParseDateAdded(text); err != nil {
			d.note(resultFault, "headers", "3.2", "%s comes with %s %q, which is no timestamp", where, name, text)
			return
		}
		if !dateForm.MatchString(text) {
			d.note(resultWarning, "headers", "2", "%s comes with %s %s, which does not have exactly six fraction digits and Z; some clients fail on that", where, name, text)
		}
	}
	d.note(resultOK, "headers", "3.2", "%s comes with its date added headers", where)
}

// single is the manifest, one object and its versions.
func (d *doctor) single() {
	_, page, err := d.objects(values("limit", "1"))
	if err != nil || len(page.Objects) == 0 {
		return
	}
	id, _ := stix.Identity(page.Objects[0])
	for _, at := range []struct{ check, what, url, section, member string }{
		{"manifest", "a page of the manifest", d.content + "manifest/?limit=1", "5.3", "objects"},
		{"object", "one object", d.content + "objects/" + url.PathEscape(id) + "/", "5.6", "objects"},
		{"versions", "a page of versions", d.content + "objects/" + url.PathEscape(id) + "/versions/", "5.8", "versions"},
	} {
		r, err := d.get(at.url)
		var list map[string]json.RawMessage
		switch {
		case err != nil:
			d.note(resultFault, at.check, at.section, "%v", err)
			continue
		case r.StatusCode != http.StatusOK:
			d.note(resultFault, at.check, at.section, "the server answers %s", r.Status)
			continue
		case r.decode(&list) != nil:
			d.note(resultFault, at.check, at.section, "the body is no JSON object")
			continue
		}
		var items []json.RawMessage
		if json.Unmarshal(list[at.member], &items) != nil || len(items) == 0 {
			d.note(resultFault, at.check, at.section, "%s is empty, though the object is there", at.member)
			continue
		}
		d.note(resultOK, at.check, at.section, "%d in %s", len(items), at.member)
		d.dateHeaders(at.what, r)
	}
}
