package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/taxii"
)

// fault is a mistake that a TAXII server of somebody's has or had.
type fault string

// fakeTAXII is a small TAXII 2.1 server of one collection, apart from ours so that it can be wrong in ways that ours is
// not. Without faults doctor finds nothing to say about it.
type fakeTAXII struct {
	faults map[fault]bool

	mu      sync.Mutex
	entries []fakeEntry // ascending by added
	tokens  map[string]int
	states  map[string]taxii.Status
	clock   time.Time
}

type fakeEntry struct {
	filtered
	Modified string `json:"modified"`
	added    time.Time
	raw      json.RawMessage
}

const (
	fakeID   = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
	fakeRoot = "/taxii2/api/"
)

func newFakeTAXII(faults ...fault) *fakeTAXII {
	s := &fakeTAXII{
		faults: map[fault]bool{}, tokens: map[string]int{}, states: map[string]taxii.Status{},
		clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, f := range faults {
		s.faults[f] = true
	}
	var objects []json.RawMessage
	for i := range 7 {
		typ := []string{"indicator", "malware"}[i%2]
		objects = append(objects, json.RawMessage(fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":"%s--00000000-0000-4000-8000-%012d",`+
			`"created":"2025-01-01T00:00:00.000Z","modified":"2025-01-01T00:00:00.000Z","pattern":"x"}`, typ, typ, i)))
	}
	s.store(objects)
	return s
}

// store adds objects and tells what became of them.
func (s *fakeTAXII) store(objects []json.RawMessage) taxii.Status {
	st := taxii.Status{ID: uuid.NewString(), Status: "complete", RequestTimestamp: s.clock.Format(time.RFC3339), TotalCount: len(objects)}
	for _, raw := range objects {
		var e fakeEntry
		_ = json.Unmarshal(raw, &e)
		detail := taxii.StatusDetail{ID: e.ID, Version: cmp.Or(e.Modified, "2026-01-01T00:00:00Z"), Message: "no pattern"}
		if !strings.Contains(string(raw), `"pattern"`) && !s.faults["unchecked"] {
			st.Failures = append(st.Failures, detail)
			continue
		}
		detail.Message = ""
		st.Successes = append(st.Successes, detail)
		held := slices.IndexFunc(s.entries, func(o fakeEntry) bool { return o.ID == e.ID && o.Modified == e.Modified })
		if held >= 0 && !s.faults["readded"] {
			continue
		} else if held >= 0 {
			s.entries = slices.Delete(s.entries, held, held+1)
		}
		if !s.faults["one date for a POST"] {
			s.clock = s.clock.Add(time.Microsecond)
		}
		e.added, e.raw = s.clock, raw
		s.entries = append(s.entries, e)
	}
	s.clock = s.clock.Add(time.Second)
	st.SuccessCount, st.FailureCount = len(st.Successes), len(st.Failures)
	if s.faults["counts"] {
		st.TotalCount++
	}
	s.states[st.ID] = st
	return st
}

func (s *fakeTAXII) send(w http.ResponseWriter, status int, v any) {
	contentType := taxii.MediaType
	switch {
	case s.faults["media type"]:
		contentType = "application/json"
	case s.faults["quoted version"]:
		contentType = `application/taxii+json; version="2.1"`
	case s.faults["space"]:
		contentType = "application/taxii+json; version=2.1"
	case s.faults["errors as JSON"] && status >= 400:
		contentType = "application/json"
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *fakeTAXII) refuse(w http.ResponseWriter, status int) {
	if s.faults["errors without words"] {
		s.send(w, status, map[string]string{})
		return
	}
	s.send(w, status, taxii.Error{Title: http.StatusText(status), HTTPStatus: strconv.Itoa(status)})
}

func (s *fakeTAXII) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	user, password, _ := r.BasicAuth()
	known := user == "soc" && password == "key"
	if !known && r.Method == http.MethodPost && s.faults["body first"] && !json.Valid(body) {
		s.refuse(w, http.StatusUnprocessableEntity)
		return
	}
	if !known && !s.faults["open"] {
		if !s.faults["no challenge"] {
			w.Header().Set("WWW-Authenticate", `Basic realm="fake"`)
		}
		s.refuse(w, http.StatusUnauthorized)
		return
	}
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, "2.0") && !s.faults["2.0 is 200"] {
		s.refuse(w, http.StatusNotAcceptable)
		return
	}
	if accept == "application/taxii+json" && s.faults["version wanted"] {
		s.refuse(w, http.StatusNotAcceptable)
		return
	}
	if s.faults["limited"] && strings.Contains(r.URL.RawQuery, "1970") {
		s.refuse(w, http.StatusTooManyRequests)
		return
	}
	path := r.URL.Path
	if !strings.HasSuffix(path, "/") {
		switch {
		case s.faults["slash redirects"]:
			http.Redirect(w, r, path+"/?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return
		case s.faults["slash is 404"]:
			s.refuse(w, http.StatusNotFound)
			return
		case s.faults["slash is empty"]:
			s.send(w, http.StatusOK, map[string]string{})
			return
		}
		path += "/"
	}
	s.route(w, r, path, body)
}

func (s *fakeTAXII) route(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	base := "http://" + r.Host
	collection := map[string]any{"id": fakeID, "title": "Feed", "can_read": true, "can_write": !s.faults["read only"]}
	if s.faults["title with a dot"] {
		collection["title"] = "Feed v1.0"
	}
	content := fakeRoot + "collections/" + fakeID + "/"
	switch {
	case path == "/taxii2/":
		root := base + fakeRoot
		d := taxii.Discovery{Title: "Fake", Default: root, APIRoots: []string{root}}
		if s.faults["default elsewhere"] {
			d.Default = strings.TrimSuffix(root, "/")
		}
		if s.faults["no default"] {
			d.Default = ""
		}
		if s.faults["root without slash"] {
			d.Default, d.APIRoots = strings.TrimSuffix(root, "/"), []string{strings.TrimSuffix(root, "/")}
		}
		s.send(w, http.StatusOK, d)
	case path == fakeRoot:
		root := map[string]any{"title": "API", "versions": []string{taxii.MediaType}, "max_content_length": 1 << 20}
		if s.faults["no length"] {
			delete(root, "max_content_length")
		}
		s.send(w, http.StatusOK, root)
	case path == fakeRoot+"collections/" && s.faults["two of a title"]:
		other := map[string]any{"id": uuid.NewString(), "title": collection["title"], "can_read": true, "can_write": false}
		s.send(w, http.StatusOK, map[string]any{"collections": []any{collection, other}})
	case path == fakeRoot+"collections/":
		s.send(w, http.StatusOK, map[string]any{"collections": []any{collection}})
	case path == content && s.faults["collection is 404"]:
		s.refuse(w, http.StatusNotFound)
	case path == content:
		s.send(w, http.StatusOK, collection)
	case strings.HasPrefix(path, fakeRoot+"status/"):
		st, ok := s.states[strings.Trim(strings.TrimPrefix(path, fakeRoot+"status/"), "/")]
		if !ok || s.faults["status is lost"] {
			s.refuse(w, http.StatusNotFound)
			return
		}
		s.send(w, http.StatusOK, st)
	case path == content+"objects/" && r.Method == http.MethodPost:
		s.add(w, body)
	case path == content+"objects/":
		s.list(w, r, s.entries, func(e fakeEntry) any { return e.raw }, "objects")
	case path == content+"manifest/":
		s.list(w, r, s.entries, func(e fakeEntry) any {
			return map[string]string{"id": e.ID, "date_added": s.date(e.added), "version": e.Modified}
		}, "objects")
	case strings.HasPrefix(path, content+"objects/"):
		s.one(w, r, strings.Split(strings.Trim(strings.TrimPrefix(path, content+"objects/"), "/"), "/"))
	default:
		s.refuse(w, http.StatusNotFound)
	}
}

// date writes a timestamp.
func (s *fakeTAXII) date(t time.Time) string {
	if s.faults["nanoseconds"] {
		return t.Format("2006-01-02T15:04:05.000000000Z")
	}
	return t.Format("2006-01-02T15:04:05.000000Z")
}

// one is an object, or its versions.
func (s *fakeTAXII) one(w http.ResponseWriter, r *http.Request, segments []string) {
	var held []fakeEntry
	for _, e := range s.entries {
		if e.ID == segments[0] {
			held = append(held, e)
		}
	}
	switch {
	case len(held) == 0:
		s.refuse(w, http.StatusNotFound)
	case r.Method == http.MethodDelete:
		if !s.faults["delete does nothing"] {
			s.entries = slices.DeleteFunc(s.entries, func(e fakeEntry) bool { return e.ID == segments[0] })
		}
		w.WriteHeader(http.StatusOK)
	case len(segments) == 2:
		s.list(w, r, held, func(e fakeEntry) any { return e.Modified }, "versions")
	default:
		s.list(w, r, held, func(e fakeEntry) any { return e.raw }, "objects")
	}
}

func (s *fakeTAXII) add(w http.ResponseWriter, body []byte) {
	var envelope struct {
		Type    string
		Objects []json.RawMessage
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Type == "bundle" && s.faults["no bundles"] {
		s.refuse(w, http.StatusUnprocessableEntity)
		return
	}
	whole := func(raw json.RawMessage) bool { return strings.Contains(string(raw), `"pattern"`) }
	if s.faults["all or nothing"] || s.faults["half stored"] {
		if broken := slices.IndexFunc(envelope.Objects, func(raw json.RawMessage) bool { return !whole(raw) }); broken >= 0 {
			if s.faults["half stored"] {
				s.store(envelope.Objects[:broken])
			}
			s.refuse(w, http.StatusUnprocessableEntity)
			return
		}
	}
	st := s.store(envelope.Objects)
	if s.faults["200 for 202"] {
		s.send(w, http.StatusOK, st)
		return
	}
	s.send(w, http.StatusAccepted, st)
}
