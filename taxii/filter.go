package taxii

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// Bounds of a query.
const (
	maxQueryText   = 64 << 10 // octets of the raw query
	maxMatchValues = 500      // values of one match field
	maxMatchText   = 16 << 10 // octets of one match field
	maxMatchTotal  = 35 << 10 // octets of all match fields, so that a page token can carry them
	maxVersionText = 64
)

// Match is the match[…] parameters of a query (§3.4.1). A field that the query does not name is empty.
type Match struct {
	IDs          []stix.Identifier
	Types        []string
	SpecVersions []string
	Version      VersionMatch
	// Values are observable values as they were written, TLPs levels, and Conditions those on properties, one for each
	// field: what goes beyond §3.4.1.
	Values     []string
	TLPs       []stix.TLP
	Conditions []stix.Condition
}

// isZero reports that the query names no match field.
func (m *Match) isZero() bool {
	return len(m.IDs)+len(m.Types)+len(m.SpecVersions)+len(m.Values)+len(m.TLPs)+len(m.Conditions) == 0 && m.Version.isZero()
}

// Filter is the query of one request, parsed once (§3.4).
type Filter struct {
	Match
	// AddedAfter is exclusive, cut to the microsecond; it counts only if HasAddedAfter.
	AddedAfter    DateAdded
	HasAddedAfter bool
	// Limit is the page size asked for, 0 if none was.
	Limit int
	// Next is a page token as it came, "" if there is none.
	Next string
}

// Endpoint is an operation that takes a query; they differ in the parameters they take.
type Endpoint int

// The endpoints with queries.
const (
	ObjectsEndpoint  Endpoint = iota // §5.4, and the manifest (§5.3): everything
	ObjectEndpoint                   // §5.6
	VersionsEndpoint                 // §5.8
	DeleteEndpoint                   // §5.7
)

// matchFields are the fields that each endpoint takes, by the tables of §5.3 to §5.8; for the first with those of
// filter_fields.go.
var matchFields = [...][]string{
	ObjectsEndpoint:  append([]string{"id", "spec_version", "type", "version"}, contentFields...),
	ObjectEndpoint:   {"spec_version", "version"},
	VersionsEndpoint: {"spec_version"},
	DeleteEndpoint:   {"spec_version", "version"},
}

// isZero reports that the query does not name match[version].
func (v VersionMatch) isZero() bool {
	return !v.All && !v.First && !v.Last && len(v.Exact) == 0
}

// ParseFilter reads the raw query of a request to an endpoint. The error is a sentence for the client and means 400 (414
// for a query beyond 64 KiB).
//
// Brackets may be raw or percent-encoded. A parameter that may occur once and occurs twice is refused, and so is a match
// field that the endpoint does not take: to leave it out would widen the answer. For the same reason a DELETE refuses
// added_after, limit and next. Every other unknown parameter is ignored. An empty next counts as none.
func ParseFilter(rawQuery string, e Endpoint) (Filter, error) {
	var f Filter
	if len(rawQuery) > maxQueryText {
		return f, refuse(http.StatusRequestURITooLong, "Query too long",
			"The query has %d octets, at most %d are read; ask with fewer match values.", len(rawQuery), maxQueryText)
	}
	seen := make([]string, 0, 8)
	matchText := 0
	for pair := range strings.SplitSeq(rawQuery, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return Filter{}, badQuery("The parameter name %s is not percent-encoded properly.", quote(rawName))
		}
		if !isParameter(name) {
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return Filter{}, badQuery("The value of %s is not percent-encoded properly.", quote(name))
		}
		if slices.Contains(seen, name) {
			return Filter{}, badQuery("The parameter %s occurs more than once; it takes one value, or a comma list for match fields.", quote(name))
		}
		seen = append(seen, name)
		if strings.HasPrefix(name, "match") {
			matchText += len(value)
		}
		if err := f.set(name, value, e); err != nil {
			return Filter{}, err
		}
	}
	if matchText > maxMatchTotal {
		return Filter{}, badQuery("The match fields have %d octets together, at most %d are read; ask in several requests.", matchText, maxMatchTotal)
	}
	return f, nil
}

// isParameter tells the parameters of §3.4 from those that are none of ours. Whatever begins like a match is taken for one,
// so that a slip in its name is told and not answered with everything.
func isParameter(name string) bool {
	return name == "added_after" || name == "limit" || name == "next" || strings.HasPrefix(name, "match")
}

func (f *Filter) set(name, value string, e Endpoint) error {
	if field, ok := strings.CutPrefix(name, "match"); ok {
		return f.setMatch(field, value, e)
	}
	if e == DeleteEndpoint {
		return badQuery("A DELETE does not take %s; it takes %s.", name, listMatches(e))
	}
	switch name {
	case "added_after":
		t, err := ParseDateAdded(value)
		if err != nil {
			return badQuery("added_after %s.", err)
		}
		f.AddedAfter, f.HasAddedAfter = t, true
	case "limit":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil && !isDigits(value) || err == nil && n == 0 {
			return badQuery("limit %s is not a positive integer.", quote(value))
		}
		f.Limit = int(min(n, 1<<30)) // ParseUint gives the largest number for more digits than fit
	case "next":
		f.Next = value
	}
	return nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (f *Filter) setMatch(bracketed, value string, e Endpoint) error {
	field, ok := strings.CutPrefix(bracketed, "[")
	if ok {
		field, ok = strings.CutSuffix(field, "]")
	}
	if !ok || !slices.Contains(matchFields[e], field) {
		return badQuery("%s is not a match field of this endpoint; it takes %s.", quote("match"+bracketed), listMatches(e))
	}
	if len(value) > maxMatchText {
		return badQuery("match[%s] has %d octets, at most %d are read; ask in several requests.", field, len(value), maxMatchText)
	}
	values := strings.Split(value, ",")
	if len(values) > maxMatchValues {
		return badQuery("match[%s] has %d values, at most %d are read; ask in several requests.", field, len(values), maxMatchValues)
	}
	for i, v := range values {
		if v == "" {
			return badQuery("match[%s] has an empty value; write the values with commas and nothing else between them.", field)
		}
		if slices.Contains(values[:i], v) {
			if field == "version" { // §3.4.1 forbids it; elsewhere it changes nothing
				return badQuery("match[version] has %s twice.", quote(v))
			}
			continue
		}
		if err := f.addMatch(field, v); err != nil {
			return err
		}
	}
	if field == "version" && f.Version.All && len(values) > 1 {
		return badQuery("match[version]=all cannot be combined with other values.")
	}
	return nil
}

func (m *Match) addMatch(field, value string) error {
	switch field {
	case "id":
		id, err := stix.ParseIdentifier(value)
		if err != nil {
			return badQuery("match[id] has %s, which is not a STIX identifier, such as indicator--252c7c11-daf2-42bd-843b-be65edca9f61.", quote(value))
		}
		m.IDs = append(m.IDs, id)
	case "type":
		if !isTypeName(value) {
			return badQuery("match[type] has %s, which is not a STIX object type, such as indicator.", quote(value))
		}
		m.Types = append(m.Types, value)
	case "spec_version":
		if !isSpecVersion(value) {
			return badQuery("match[spec_version] has %s, which is not a version of the form 2.1.", quote(value))
		}
		m.SpecVersions = append(m.SpecVersions, value)
	case "version":
		return m.Version.add(value)
	default:
		return m.addContent(field, value)
	}
	return nil
}

func (v *VersionMatch) add(value string) error {
	switch value {
	case "all":
		v.All = true
	case "first":
		v.First = true
	case "last":
		v.Last = true
	default:
		t, err := stix.ParseTimestamp(value)
		if err != nil || len(value) > maxVersionText {
			return badQuery("match[version] has %s, which is neither last, first, all nor a STIX timestamp, such as 2026-01-31T12:00:00.000Z.", quote(value))
		}
		v.Exact = append(v.Exact, t)
	}
	return nil
}

func listMatches(e Endpoint) string {
	return "match[" + strings.Join(matchFields[e], "], match[") + "]"
}

// isTypeName admits STIX 2.1 type names (§2.1) and, more widely, what STIX 2.0 and custom types are seen with.
func isTypeName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 250
}

func isSpecVersion(s string) bool {
	major, minor, ok := strings.Cut(s, ".")
	return ok && isDigits(major) && isDigits(minor) && len(s) <= 8
}

// page is where and how far a request reads: the filter and its page token taken together, with the server's bounds.
type page struct {
	Match
	after DateAdded
	asked bool // the request or its token says where to begin
	limit int
}

// resolve applies the page token in f, if it has one, and the page sizes. A token carries its whole query and works alone;
// what the request itself names wins, except that of two positions the later one counts. A token of another collection
// carries nothing.
func (f Filter) resolve(c Collection, pageDefault, pageMax int) (page, error) {
	p := page{Match: f.Match, after: f.AddedAfter, asked: f.HasAddedAfter, limit: f.Limit}
	if f.Next != "" {
		t, err := parseToken(f.Next)
		if err != nil {
			return page{}, badQuery("next is not a page token of this server; repeat the request without next.").because(err)
		}
		if t.collection == tokenHash(c.ID) {
			if t.epoch != tokenHash(c.Epoch) {
				return page{}, badQuery("next is from before this collection was restored from a backup; start again without next.")
			}
			p.merge(t)
		}
	}
	if p.limit == 0 {
		p.limit = pageDefault
	}
	p.limit = min(p.limit, pageMax)
	return p, nil
}

func (p *page) merge(t pageToken) {
	if !p.asked || t.after > p.after {
		p.after = t.after
	}
	p.asked = true
	if p.limit == 0 {
		p.limit = t.limit
	}
	if p.IDs == nil {
		p.IDs = t.match.IDs
	}
	if p.Types == nil {
		p.Types = t.match.Types
	}
	if p.SpecVersions == nil {
		p.SpecVersions = t.match.SpecVersions
	}
	if p.Version.isZero() {
		p.Version = t.match.Version
	}
	p.mergeContent(t.match)
}

// next is the token of the page that goes on after a position. What it carries of the limit is the size that this page had.
func (p page) next(c Collection, after DateAdded) string {
	return pageToken{
		collection: tokenHash(c.ID), epoch: tokenHash(c.Epoch), after: after, limit: p.limit, match: p.Match,
	}.String()
}

// version is what the request wants of match[version]; last is the default (§3.4.1).
func (p page) version() VersionMatch {
	if p.Version.isZero() {
		return VersionMatch{Last: true}
	}
	return p.Version
}
