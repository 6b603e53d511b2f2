package main

import (
	"bytes"
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
		list = append(list, strings.TrimSpace(o.ID+" "+o.Modified+o.Created))
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
	r, err := d.get(d.content + "objects/?limit=1")
	if err != nil {
		d.note(resultFault, "media type", "1.6.8", "%v", err)
		return
	}
	if got := r.Header.Get("Content-Type"); got != taxii.MediaType {
		d.note(resultWarning, "media type", "1.6.8", "the answer's Content-Type is %q; taxii2-client takes only %q", got, taxii.MediaType)
	} else {
		d.note(resultOK, "media type", "1.6.8", "answers are %s", got)
	}
	if r, err = d.get(d.content+"objects/?limit=1", "Accept", "application/vnd.oasis.taxii+json; version=2.0"); err == nil && r.StatusCode != http.StatusNotAcceptable {
		d.note(resultWarning, "media type", "1.6.8", "a request for TAXII 2.0 alone answers %s; Cortex XSOAR waits for 406 before it tries 2.1", r.Status)
	}
	if r, err = d.get(strings.TrimSuffix(d.content, "/") + "/objects?limit=1"); err == nil && r.StatusCode != http.StatusOK {
		d.note(resultWarning, "addresses", "3.1", "without the trailing slash the answer is %s; a redirect loses the body of a POST", r.Status)
	}
}

// errors is what wrong requests get.
func (d *doctor) errors() {
	for _, wrong := range []struct {
		what, url, section string
		want               int
	}{
		{"limit=0", d.content + "objects/?limit=0", "3.4", http.StatusBadRequest},
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
			d.note(resultOK, "errors", wrong.section, "%s answers %d", wrong.what, wrong.want)
		}
	}
	if r, err := d.get(d.content+"objects/?limit=1", "Authorization", ""); err == nil && (d.user != "" || d.token != "") && r.StatusCode == http.StatusOK {
		d.note(resultWarning, "account", "1.6.9", "the collection can be read without an account")
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
	if future, _, err := d.objects(values("added_after", time.Now().AddDate(1, 0, 0).UTC().Format("2006-01-02T15:04:05.000000Z"))); err != nil {
		d.note(resultFault, "paging", "3.5", "nothing new: %v", err)
	} else {
		d.dateHeaders("an empty page", future)
	}
	if len(four.Objects) < 3 {
		d.note(resultSkipped, "paging", "3.5", "the collection has only %d objects for this account", len(four.Objects))
		return
	}
	first, two, err := d.objects(values("limit", "2"))
	if err != nil {
		d.note(resultFault, "paging", "3.5", "%v", err)
		return
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
	}
	d.note(resultOK, "headers", "3.2", "%s comes with its date added headers", where)
}

// filters asks for what is known to be there, and for what cannot be.
func (d *doctor) filters() {
	_, page, err := d.objects(values("limit", "50"))
	if err != nil || len(page.Objects) == 0 {
		d.note(resultSkipped, "filters", "3.4", "there is no object to filter by")
		return
	}
	id, typ := stix.Identity(page.Objects[0])
	for _, f := range []struct{ field, value, member string }{{"type", typ, "type"}, {"id", id, "id"}, {"type", "no-such-type-here", "type"}} {
		_, e, err := d.objects(values("match["+f.field+"]", f.value, "limit", "50"))
		if err != nil {
			d.note(resultFault, "filters", "3.4.1", "match[%s]=%s: %v", f.field, f.value, err)
			continue
		}
		wrong := 0
		for _, raw := range e.Objects {
			var o map[string]json.RawMessage
			if json.Unmarshal(raw, &o) != nil || string(o[f.member]) != fmt.Sprintf("%q", f.value) {
				wrong++
			}
		}
		switch expectNone := strings.HasPrefix(f.value, "no-such"); {
		case wrong > 0:
			d.note(resultFault, "filters", "3.4.1", "match[%s]=%s brings %d objects that do not match", f.field, f.value, wrong)
		case len(e.Objects) == 0 && !expectNone:
			d.note(resultFault, "filters", "3.4.1", "match[%s]=%s brings nothing, though there is such an object", f.field, f.value)
		default:
			d.note(resultOK, "filters", "3.4.1", "match[%s]=%s", f.field, f.value)
		}
	}
}

// single is the manifest, one object and its versions.
func (d *doctor) single() {
	_, page, err := d.objects(values("limit", "1"))
	if err != nil || len(page.Objects) == 0 {
		return
	}
	id, _ := stix.Identity(page.Objects[0])
	for _, at := range []struct{ check, url, section, member string }{
		{"manifest", d.content + "manifest/?limit=1", "5.3", "objects"},
		{"object", d.content + "objects/" + url.PathEscape(id) + "/", "5.6", "objects"},
		{"versions", d.content + "objects/" + url.PathEscape(id) + "/versions/", "5.8", "versions"},
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
	}
}

// roundTrip adds an indicator, reads it back and deletes it.
func (d *doctor) roundTrip() {
	raw, err := newFeed(uint64(time.Now().UnixNano()), time.Now().Add(-time.Hour)).indicator(stix.TLPGreen)
	if err != nil {
		d.note(resultFault, "write", "5.5", "%v", err)
		return
	}
	id, _ := stix.Identity(raw)
	collection := strings.TrimSuffix(strings.TrimPrefix(d.content, d.root+"collections/"), "/")
	status, err := d.client.Add(d.ctx, collection, [][]byte{raw})
	switch {
	case err != nil:
		d.note(resultFault, "write", "5.5", "%v", err)
		return
	case status.SuccessCount != 1:
		reason := "no reason given"
		if len(status.Failures) > 0 {
			reason = status.Failures[0].Message
		}
		d.note(resultFault, "write", "5.5", "the server refused the indicator: %s", reason)
		return
	}
	d.note(resultOK, "write", "5.5", "an indicator was added (status %s)", status.Status)
	r, err := d.get(d.content + "objects/" + id + "/")
	var e examinedEnvelope
	if err == nil {
		err = r.decode(&e)
	}
	switch {
	case err != nil:
		d.note(resultFault, "read back", "5.6", "%v", err)
	case len(e.Objects) != 1:
		d.note(resultFault, "read back", "5.6", "the indicator is not there (%s)", r.Status)
	case !bytes.Equal(bytes.TrimSpace(e.Objects[0]), raw):
		d.note(resultWarning, "read back", "", "the indicator came back in other bytes than it was sent")
	default:
		d.note(resultOK, "read back", "5.6", "the indicator came back as it was sent")
	}
	if err := d.client.Delete(d.ctx, collection, id); err != nil {
		d.note(resultWarning, "delete", "5.7", "the indicator %s stays: %v", id, err)
		return
	}
	if r, err = d.get(d.content + "objects/" + id + "/"); err == nil && r.StatusCode != http.StatusNotFound {
		d.note(resultFault, "delete", "5.7", "after the DELETE the object still answers %s", r.Status)
		return
	}
	d.note(resultOK, "delete", "5.7", "the indicator was deleted again")
}
