package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// slow is when an answer is worth a warning: OpenCTI and Cyware's client give up after 30 seconds.
const slow = 10 * time.Second

// habits are what doctor notices of every answer, to tell it once at the end.
type habits struct {
	answers    int
	mediaTypes map[string]string // Content-Types other than the literal one, with the address that had it first
	slowest    time.Duration
	slowestAt  string
	empty204   string // address that answered 204
	limited    string // address that answered 429
	limitedFor string // its Retry-After
}

// notice keeps what is out of the ordinary about an answer.
func (h *habits) notice(r reply, target string, took time.Duration) {
	h.answers++
	at := pathOf(target)
	if got := r.Header.Get("Content-Type"); len(r.body) > 0 && got != taxii.MediaType {
		if h.mediaTypes == nil {
			h.mediaTypes = map[string]string{}
		}
		if _, seen := h.mediaTypes[got]; !seen && len(h.mediaTypes) < 5 {
			h.mediaTypes[got] = r.Request.Method + " " + at + " (" + r.Status + ")"
		}
	}
	if took > h.slowest {
		h.slowest, h.slowestAt = took, at
	}
	switch {
	case r.StatusCode == http.StatusNoContent && h.empty204 == "":
		h.empty204 = at
	case r.StatusCode == http.StatusTooManyRequests && h.limited == "":
		h.limited, h.limitedFor = at, r.Header.Get("Retry-After")
	}
}

// pathOf is where an answer came from, without the query, in which page tokens are.
func pathOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	return u.Path
}

// readByClients reports whether taxii2-client takes an answer of this type: the literal one, with a space or a charset.
func readByClients(contentType string) bool {
	plain, _, _ := strings.Cut(strings.ReplaceAll(contentType, " ", ""), ";charset=")
	return plain == taxii.MediaType
}

// answered tells what was noticed of all answers.
func (d *doctor) answered() {
	h := &d.habits
	if len(h.mediaTypes) == 0 {
		d.note(resultOK, "media type", "1.6.8", "every answer with a body is %s", taxii.MediaType)
	}
	for _, got := range slices.Sorted(maps.Keys(h.mediaTypes)) {
		switch where := h.mediaTypes[got]; {
		case readByClients(got):
			d.note(resultOK, "media type", "1.6.8", "%s is %q, which clients read", where, got)
		case strings.Contains(where, "(2"):
			d.note(resultFault, "media type", "1.6.8", "%s is %q; taxii2-client, and what is built on it, takes only %q", where, got, taxii.MediaType)
		default:
			d.note(resultWarning, "media type", "1.6.8", "%s is %q; clients that read error messages expect %q", where, got, taxii.MediaType)
		}
	}
	if h.empty204 != "" {
		d.note(resultFault, "answers", "1.6.8", "%s answers 204; taxii2-client fails on an answer without a Content-Type", h.empty204)
	}
	if h.limited != "" && h.limitedFor == "" {
		d.note(resultWarning, "answers", "", "%s answers 429 without Retry-After; clients can't tell when to come back", h.limited)
	} else if h.limited != "" {
		d.note(resultWarning, "answers", "", "%s answers 429 (Retry-After: %s) to %d requests in a row", h.limited, h.limitedFor, h.answers)
	}
	if h.slowest > slow {
		d.note(resultWarning, "answers", "", "%s took %.0f s; clients give up after 30 s", h.slowestAt, h.slowest.Seconds())
	}
}

// errorMessage notes an error answer that is no error message (§3.6.1).
func (d *doctor) errorMessage(what string, r reply) {
	var e taxii.Error
	if json.Unmarshal(r.body, &e) != nil || e.Title == "" {
		d.note(resultWarning, "errors", "3.6.1", "%s answers %s without an error message that has a title: people see no reason", what, r.Status)
	}
}
