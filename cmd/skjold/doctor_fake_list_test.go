package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// list answers with a page: filters, position, limit, headers.
func (s *fakeTAXII) list(w http.ResponseWriter, r *http.Request, entries []fakeEntry, show func(fakeEntry) any, member string) {
	q := r.URL.Query()
	limit := 100
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			if s.faults["limit=0 is 500"] {
				s.refuse(w, http.StatusInternalServerError)
				return
			}
			s.refuse(w, http.StatusBadRequest)
			return
		}
		limit = n
	}
	after, ok := s.position(w, q.Get("added_after"))
	if !ok {
		return
	}
	var rest []fakeEntry
	for _, e := range entries {
		switch {
		case e.added.Before(after), e.added.Equal(after) && !s.faults["inclusive"]:
		case s.matches(e, q.Get("match[id]"), q.Get("match[type]"), q.Get("match[version]"), r.URL.RawQuery):
			rest = append(rest, e)
		}
	}
	if s.faults["unsorted"] {
		slices.Reverse(rest)
	}
	if token := q.Get("next"); token != "" {
		rest = s.goOn(entries, rest, token, q.Get("added_after"))
	}
	page := rest[:min(limit, len(rest))]
	if s.faults["limit ignored"] {
		page = rest
	}
	body := map[string]any{"more": len(rest) > len(page)}
	s.setDates(w.Header(), page, after)
	if len(rest) > len(page) {
		body["next"] = s.token(page[len(page)-1])
	}
	if len(page) == 0 && s.faults["204"] {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if len(page) == 0 {
		delete(body, "more")
		if s.faults["empty with more"] {
			body["more"] = true
		}
		if s.faults["empty with next"] {
			body["next"] = "x"
		}
	}
	if s.faults["no next"] {
		delete(body, "next")
	}
	if s.faults["no more"] {
		delete(body, "more")
	}
	items := []any{}
	for _, e := range page {
		items = append(items, show(e))
	}
	if len(items) > 0 {
		body[member] = items
	}
	s.send(w, http.StatusOK, body)
}

// position reads added_after.
func (s *fakeTAXII) position(w http.ResponseWriter, text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, true
	}
	d, err := taxii.ParseDateAdded(text)
	switch {
	case err != nil:
		s.refuse(w, http.StatusBadRequest)
		return time.Time{}, false
	case !strings.Contains(text, ".") && s.faults["fraction wanted"]:
		s.refuse(w, http.StatusInternalServerError)
		return time.Time{}, false
	case !strings.Contains(text, ".") && s.faults["fraction wanted politely"]:
		s.refuse(w, http.StatusBadRequest)
		return time.Time{}, false
	case s.faults["added_after ignored"]:
		return time.Time{}, true
	}
	return time.UnixMicro(int64(d)).UTC(), true
}

// token names a position; with a fault it is kept on the server and used up.
func (s *fakeTAXII) token(last fakeEntry) string {
	token := s.date(last.added)
	if s.faults["tokens are used up"] {
		s.tokens[token] = 0
	}
	return token
}

// goOn is what comes behind a token.
func (s *fakeTAXII) goOn(entries, rest []fakeEntry, token, addedAfter string) []fakeEntry {
	if s.faults["next loses to added_after"] && addedAfter != "" {
		return rest
	}
	d, err := taxii.ParseDateAdded(token)
	if err != nil {
		return nil
	}
	at := time.UnixMicro(int64(d)).UTC()
	rest = slices.DeleteFunc(slices.Clone(entries), func(e fakeEntry) bool { return !e.added.After(at) })
	if s.faults["tokens are used up"] {
		s.tokens[token]++
		if skip := 2 * (s.tokens[token] - 1); skip > 0 {
			rest = rest[min(skip, len(rest)):]
		}
	}
	return rest
}

func (s *fakeTAXII) matches(e fakeEntry, id, typ, version, rawQuery string) bool {
	if s.faults["match ignored"] || s.faults["encoded brackets ignored"] && strings.Contains(rawQuery, "%5B") {
		return true
	}
	if s.faults["version widens"] && strings.HasPrefix(version, "1999") {
		version = ""
	}
	one := func(list, value string) bool { return list == "" || slices.Contains(strings.Split(list, ","), value) }
	if s.faults["first of a list"] {
		one = func(list, value string) bool { return list == "" || list == value }
	}
	return one(id, e.ID) && one(typ, e.Type) && (version == "" || version == "all" || version == "last" || one(version, e.Modified))
}

// setDates sets the headers of §3.2.
func (s *fakeTAXII) setDates(h http.Header, page []fakeEntry, after time.Time) {
	first, last := s.date(after), s.date(after)
	if after.IsZero() {
		first, last = "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000Z"
	}
	if len(page) > 0 {
		first, last = s.date(page[0].added), s.date(page[len(page)-1].added)
	}
	switch {
	case len(page) == 0 && s.faults["no headers when empty"], s.faults["no headers"]:
		return
	case len(page) == 0 && s.faults["undefined"]:
		first, last = "undefined", "undefined"
	case len(page) > 0 && s.faults["header of another time"]:
		last = s.date(page[len(page)-1].added.Add(time.Hour))
	}
	h.Set("X-TAXII-Date-Added-First", first)
	h.Set("X-TAXII-Date-Added-Last", last)
}
