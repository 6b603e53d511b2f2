package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/skjold-exchange/skjold/taxii"
)

var (
	// taxiiTimestamp is §2: RFC 3339, UTC, Z, exactly six fraction digits.
	taxiiTimestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
	contentPath    = regexp.MustCompile(`/collections/[^/]+/(manifest|objects(/[^/]+(/versions)?)?)/?$`)
)

// wellFormed checks what TAXII 2.1 wants of every answer, whatever was asked. Answers of net/http itself, which refuses
// what is not HTTP before TAXII begins, and of the addresses beside TAXII have no request id and are left out.
func (c *conversation) wellFormed(a answer) error {
	if a.header.Get("X-Request-Id") == "" {
		if strings.HasPrefix(a.target, "/taxii2/") && a.status < 300 && a.status >= 200 {
			return fmt.Errorf("%s: an answer without a request id", a.target)
		}
		return nil
	}
	if a.header.Get("Content-Type") == taxii.HTMLMediaType || a.status == http.StatusSeeOther {
		return wellFormedPage(a)
	}
	path, _, _ := strings.Cut(a.target, "?")
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s %s: %d: "+format, append([]any{a.method, a.target, a.status}, args...)...))
	}
	if a.status == http.StatusNoContent || a.status >= 300 && a.status < 400 && a.status != http.StatusNotModified {
		wrong("clients can't take this status") // a redirect turns a POST into a GET
	}
	if a.body != "" && a.header.Get("Content-Type") != taxii.MediaType { // §3.1
		wrong("Content-Type is %q", a.header.Get("Content-Type"))
	}
	if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" { // §1.6.9
		wrong("no WWW-Authenticate")
	}
	if a.status == http.StatusOK && (a.method == "GET" || a.method == "HEAD") && contentPath.MatchString(path) { // §3.2
		first, last := a.header.Get("X-TAXII-Date-Added-First"), a.header.Get("X-TAXII-Date-Added-Last")
		if !taxiiTimestamp.MatchString(first) || !taxiiTimestamp.MatchString(last) || first > last {
			wrong("date added headers %q and %q", first, last)
		}
	}
	switch {
	case a.method == "HEAD" || a.status == http.StatusNotModified || a.method == "DELETE" && a.status == http.StatusOK:
		if a.body != "" {
			wrong("a body: %q", a.body)
		}
	case a.header.Get("Content-Encoding") != "":
	case a.status >= 400:
		errs = append(errs, wellFormedError(a))
	default:
		errs = append(errs, c.wellFormedResource(a))
	}
	return errors.Join(errs...)
}

// wellFormedPage checks what holds of every page for people: only who asks for HTML gets one, nothing is loaded, run or
// kept, and the redirection of a browser from the server's own address is the only one.
func wellFormedPage(a answer) error {
	var errs []error
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; ", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cache-Control": "no-store", "Vary": "Accept",
	} {
		redirects := a.status == http.StatusSeeOther && (name == "Content-Security-Policy" || name == "Referrer-Policy")
		if got := a.header.Get(name); !redirects && !strings.HasPrefix(got, want) {
			errs = append(errs, fmt.Errorf("%s: a page with %s %q", a.target, name, got))
		}
	}
	if a.status == http.StatusSeeOther && (a.target != "/" || a.body != "") {
		errs = append(errs, fmt.Errorf("%s is redirected, with the body %q", a.target, a.body))
	}
	if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
		errs = append(errs, fmt.Errorf("%s: a 401 without WWW-Authenticate", a.target))
	}
	if strings.Contains(strings.ToLower(a.body), "<script") || strings.Contains(a.body, "src=") || strings.Contains(a.body, "url(") {
		errs = append(errs, fmt.Errorf("%s: a page that loads or runs something: %.2000s", a.target, a.body))
	}
	return errors.Join(errs...)
}

// wellFormedError is §3.6.1.
func wellFormedError(a answer) error {
	var e taxii.Error
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		return fmt.Errorf("%s %s: %d: no error message (%w): %q", a.method, a.target, a.status, err, a.body)
	}
	if e.Title == "" || e.Description == "" || e.HTTPStatus != strconv.Itoa(a.status) || e.ErrorID != a.header.Get("X-Request-Id") {
		return fmt.Errorf("%s %s: %d: error message %q", a.method, a.target, a.status, a.body)
	}
	return nil
}

// wellFormedResource is §2 (no empty lists, timestamps), §3.3 (ascending) and §3.5 (more and next) for any resource.
func (c *conversation) wellFormedResource(a answer) error {
	var r struct {
		More    *bool
		Next    string
		Objects []struct {
			DateAdded string `json:"date_added"`
		}
		Versions    []string
		Collections []json.RawMessage
		Total       *int `json:"total_count"`
		Success     int  `json:"success_count"`
		Failure     int  `json:"failure_count"`
		Pending     int  `json:"pending_count"`
		Successes   []taxii.StatusDetail
		Failures    []taxii.StatusDetail
		Pendings    []taxii.StatusDetail
	}
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		return fmt.Errorf("%s: %w: %q", a.target, err, a.body)
	}
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format+" in %.2000s", append(append([]any{a.target}, args...), a.body)...))
	}
	if !c.caller.emptyList && regexp.MustCompile(`"(objects|versions|collections|successes|failures|pendings)":\[\]`).MatchString(a.body) {
		wrong("an empty list")
	}
	path, _, _ := strings.Cut(a.target, "?")
	more, held := r.More != nil && *r.More, len(r.Objects)+len(r.Versions)
	if contentPath.MatchString(path) && a.method == "GET" && (more != (r.Next != "") || (r.More != nil) != (held > 0)) {
		wrong("more with next %q and %d objects", r.Next, held)
	}
	for i, o := range r.Objects {
		if o.DateAdded != "" && (!taxiiTimestamp.MatchString(o.DateAdded) || i > 0 && o.DateAdded <= r.Objects[i-1].DateAdded) {
			wrong("date_added %q of record %d", o.DateAdded, i)
		}
	}
	if r.Total != nil && (*r.Total != r.Success+r.Failure+r.Pending || r.Success != len(r.Successes) ||
		r.Failure != len(r.Failures) || r.Pending != len(r.Pendings)) {
		wrong("counts that do not add up")
	}
	return errors.Join(errs...)
}
