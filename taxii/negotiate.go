package taxii

import (
	"net/http"
	"strconv"
	"strings"
)

// Headers longer than this, or with more elements than this, are cut there: what stands behind is not looked at.
const (
	maxHeaderText     = 4096
	maxHeaderElements = 64
)

// mediaRange is one element of an Accept or Content-Type header, in lower case.
type mediaRange struct {
	name    string // type/subtype
	version string // the version parameter, "" if there is none
	charset string
	q       float64 // 1 where not given
}

// elements are those of a header, one after the other.
type elements struct {
	element string // the one that next came to
	rest    string
	left    int // how many may come yet
}

// headerElements begins the elements of a header: its lines together, cut at the commas that are outside quotation marks.
// name is in canonical form.
func headerElements(h http.Header, name string) elements {
	text := ""
	switch lines := h[name]; len(lines) {
	case 0:
	case 1:
		text = lines[0]
	default:
		text = strings.Join(lines, ",")
	}
	return elements{rest: text[:min(len(text), maxHeaderText)], left: maxHeaderElements}
}

// next goes on to the next element; false if there is none.
func (e *elements) next() bool {
	if e.left == 0 {
		return false
	}
	var more bool
	e.element, e.rest, more = cutUnquoted(e.rest, ',')
	if e.left--; !more {
		e.left = 0
	}
	return true
}

// cutUnquoted is strings.Cut at the first separator that is outside quotation marks.
func cutUnquoted(s string, sep byte) (before, after string, found bool) {
	i := strings.IndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	if strings.IndexByte(s[:i], '"') < 0 {
		return s[:i], s[i+1:], true
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// parseMediaRange reads type/subtype and its parameters (RFC 9110 §8.3.1, §12.5.1), as forgivingly as clients need: any
// case, any spacing, quoted values; parameters other than version, charset and q are left out.
func parseMediaRange(s string) (mediaRange, bool) {
	name, rest, more := cutUnquoted(strings.ToLower(s), ';')
	m := mediaRange{name: strings.TrimSpace(name), q: 1}
	if main, sub, ok := strings.Cut(m.name, "/"); !ok || main == "" || sub == "" || strings.ContainsAny(m.name, " \t\"") {
		return mediaRange{}, false
	}
	for more {
		var part string
		part, rest, more = cutUnquoted(rest, ';')
		name, value, _ := strings.Cut(part, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.TrimSpace(name) {
		case "version":
			m.version = strings.TrimSpace(value)
		case "charset":
			m.charset = value
		case "q":
			m.q = quality(value)
		}
	}
	return m, true
}

// quality reads a weight (RFC 9110 §12.4.2). One that cannot be read counts as 1, so that a slip in a number does not
// take a client's only media type away.
func quality(s string) float64 {
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 1
	}
	return q
}

// Accepts reports whether the Accept header of a request lets the server answer with MediaType (§1.6.8): it names
// application/taxii+json without a version or with version 2.1, application/json, a wildcard, or nothing at all. The
// most specific range that speaks of TAXII decides; q=0 refuses.
func Accepts(h http.Header) bool {
	if speaksTAXII(h) {
		return true
	}
	best, bestQ, alias, seen := -1, 0.0, 0.0, false
	for list := headerElements(h, "Accept"); list.next(); {
		if strings.TrimSpace(list.element) == "" {
			continue
		}
		seen = true
		m, ok := parseMediaRange(list.element)
		if !ok {
			continue
		}
		specific := -1
		switch {
		case m.name == "application/taxii+json" && m.version == "2.1":
			specific = 3
		case m.name == "application/taxii+json" && m.version == "":
			specific = 2
		case m.name == "application/*":
			specific = 1
		case m.name == "*/*":
			specific = 0
		case m.name == "application/json":
			alias = max(alias, m.q)
		}
		if specific > best {
			best, bestQ = specific, m.q
		} else if specific == best && specific >= 0 {
			bestQ = max(bestQ, m.q)
		}
	}
	return !seen || bestQ > 0 || alias > 0
}

// speaksTAXII reports that the Accept header is the one that most clients send, which needs no reading.
func speaksTAXII(h http.Header) bool {
	lines := h["Accept"]
	return len(lines) == 1 && lines[0] == MediaType
}

// checkContentType admits the media types that clients send objects in: TAXII's, and STIX's under its registered and its
// old name, each without a version or with 2.1, in UTF-8.
func checkContentType(h http.Header) error {
	const accepted = "Send a TAXII envelope or a STIX bundle as application/taxii+json;version=2.1 or application/stix+json;version=2.1."
	lines := h.Values("Content-Type")
	if len(lines) != 1 || len(lines[0]) > maxHeaderText {
		return refuse(http.StatusUnsupportedMediaType, "Media type not supported", "The request needs one Content-Type. %s", accepted)
	}
	m, ok := parseMediaRange(lines[0])
	if ok {
		switch m.name {
		case "application/taxii+json", "application/stix+json", "application/vnd.oasis.stix+json":
			ok = (m.version == "" || m.version == "2.1") && (m.charset == "" || m.charset == "utf-8" || m.charset == "utf8")
		default:
			ok = false
		}
	}
	if !ok {
		return refuse(http.StatusUnsupportedMediaType, "Media type not supported",
			"Content-Type %s is not one that objects can be added in. %s", quote(lines[0]), accepted)
	}
	return nil
}

// Content codings of responses.
const (
	identity = ""
	gzipped  = "gzip"
	zstded   = "zstd"
)

// chooseEncoding picks the content coding of a response from Accept-Encoding (RFC 9110 §12.5.3): what the client
// weighs most, zstd before gzip where it weighs them the same, none where it names neither. A wildcard means gzip.
func chooseEncoding(h http.Header) string {
	var zstdQ, gzipQ, otherQ, identityQ float64
	gzipNamed := false
	for list := headerElements(h, "Accept-Encoding"); list.next(); {
		name, params, _ := strings.Cut(strings.ToLower(list.element), ";")
		q := 1.0
		if _, value, ok := strings.Cut(params, "q="); ok {
			q = quality(strings.TrimSpace(value))
		}
		switch strings.TrimSpace(name) {
		case "zstd":
			zstdQ = q
		case "gzip":
			gzipQ, gzipNamed = q, true
		case "x-gzip", "*":
			otherQ = max(otherQ, q)
		case "identity":
			identityQ = q
		}
	}
	if !gzipNamed {
		gzipQ = otherQ
	}
	switch {
	case zstdQ > 0 && zstdQ >= gzipQ && zstdQ >= identityQ:
		return zstded
	case gzipQ > 0 && gzipQ >= identityQ:
		return gzipped
	}
	return identity
}
