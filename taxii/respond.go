package taxii

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressFrom is the size of a body in octets below which compression costs more than it saves.
const compressFrom = 1024

// encodeJSON is encoding/json without the escapes that are meant for HTML pages.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// writeResource answers with a resource.
func writeResource(w http.ResponseWriter, r *http.Request, status int, resource any) error {
	body, err := encodeJSON(resource)
	if err != nil {
		return err
	}
	return writeBody(w, r, status, body)
}

// writeContent answers a GET of a collection's content: with an ETag, and with 304 where the client has it already. The
// ETag is strong: the hash of the body and the coding it is sent in. One of the same body in another coding also counts
// as known, because what it names has not changed.
func writeContent(w http.ResponseWriter, r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	tag := hex.EncodeToString(sum[:16])
	etag := tag
	if coding := codingOf(r, body); coding != identity {
		etag += "-" + coding
	}
	h := w.Header()
	h.Set("ETag", `"`+etag+`"`)
	h.Set("Cache-Control", "private, no-cache")
	if knows(r.Header, tag) {
		exchangeOf(r).served = 0 // the client has them already
		setCommonHeaders(h)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeBody(w, r, http.StatusOK, body)
}

// knows reports whether If-None-Match has the tag, in any coding.
func knows(h http.Header, tag string) bool {
	for _, element := range headerList(h, "If-None-Match") {
		element = strings.Trim(strings.TrimPrefix(strings.TrimSpace(element), "W/"), `"`)
		base, _, _ := strings.Cut(element, "-")
		if base == tag {
			return true
		}
	}
	return false
}

func codingOf(r *http.Request, body []byte) string {
	if len(body) < compressFrom {
		return identity
	}
	return chooseEncoding(r.Header)
}

func setCommonHeaders(h http.Header) {
	h.Set("Vary", "Accept, Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
}

func writeBody(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	coding := codingOf(r, body)
	switch coding {
	case gzipped:
		body = compressGzip(body)
	case zstded:
		body = zstdEncoder().EncodeAll(body, make([]byte, 0, len(body)/4))
	}
	h := w.Header()
	setCommonHeaders(h)
	h.Set("Content-Type", MediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if coding != identity {
		h.Set("Content-Encoding", coding)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// The only error here is that the client has gone; there is nobody left to tell.
		_, _ = w.Write(body)
	}
	return nil
}

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func compressGzip(body []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(body) / 4)
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	z.Reset(&b)
	_, _ = z.Write(body) // a bytes.Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	// A window of 1 MiB keeps the client's memory small; the options are constants, so there is no error to come.
	e, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("taxii: " + err.Error())
	}
	return e
})

// writeProblem answers with an error message (§3.6.1) and notes it for the log.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	x := exchangeOf(r)
	x.problem = p
	h := w.Header()
	for _, name := range []string{"ETag", "Content-Encoding", "Content-Length"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	switch p.status {
	case http.StatusUnauthorized:
		h.Add("WWW-Authenticate", `Basic realm="TAXII", charset="UTF-8"`)
		h.Add("WWW-Authenticate", `Bearer realm="TAXII"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", p.allow)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	resource := Error{
		Title: p.title, Description: p.description, ErrorID: x.id, HTTPStatus: strconv.Itoa(p.status),
	}
	if err := writeResource(w, r, p.status, resource); err != nil {
		s.opt.Logger.ErrorContext(r.Context(), "writing an error message", "request_id", x.id, "error", err)
	}
}
