package taxii

import (
	"net/http"
	"strconv"
)

// Header fields of most responses, as http.Header has their names.
const (
	etagField      = "Etag"
	lengthField    = "Content-Length"
	typeField      = "Content-Type"
	codingField    = "Content-Encoding"
	cacheField     = "Cache-Control"
	varyField      = "Vary"
	sniffField     = "X-Content-Type-Options"
	requestIDField = "X-Request-Id"
	firstField     = "X-Taxii-Date-Added-First"
	lastField      = "X-Taxii-Date-Added-Last"
)

// Values of header fields that responses share. Nobody changes them: to add to such a list copies it.
var (
	mediaTypeLine  = []string{MediaType}
	revalidateLine = []string{"private, no-cache"}
	varyLine       = []string{"Accept, Accept-Encoding"}
	noSniffLine    = []string{"nosniff"}
	codingLines    = map[string][]string{gzipped: {gzipped}, zstded: {zstded}}
)

// setLine sets a header field of the response, whose name is in canonical form, to one value that is kept in the exchange:
// http.Header.Set takes memory for each.
func (x *exchange) setLine(h http.Header, name, value string) {
	if x.used == len(x.lines) {
		h[name] = []string{value}
		return
	}
	x.lines[x.used] = value
	h[name] = x.lines[x.used : x.used+1 : x.used+1]
	x.used++
}

// answerLines are header fields of an answer, made once for all who get it.
type answerLines struct {
	etag, length, first, last []string
}

// header returns the answer's lines.
func (a *Answer) header() *answerLines {
	if lines := a.lines.Load(); lines != nil {
		return lines
	}
	lines := &answerLines{
		etag: []string{entityTag(a.Tag, a.Coding)}, length: []string{strconv.Itoa(len(a.Body))},
		first: []string{a.First.String()}, last: []string{a.Last.String()},
	}
	a.lines.Store(lines) // another may have done so: it is the same
	return lines
}

// entityTag is the strong ETag of a body in a coding.
func entityTag(tag, coding string) string {
	if coding != identity {
		tag += "-" + coding
	}
	return `"` + tag + `"`
}
