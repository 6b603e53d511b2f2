package taxii

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
func (s *Server) writeResource(w http.ResponseWriter, r *http.Request, status int, resource any) error {
	text, err := encodeJSON(resource)
	if err != nil {
		return err
	}
	return s.writeBody(w, r, status, &body{head: text})
}

// writeContent answers a GET of a collection's content: with an ETag, and with 304 where the client has it already. The
// ETag is strong: the hash of the body and the coding it is sent in. One of the same body in another coding also counts
// as known, because what it names has not changed.
func (s *Server) writeContent(w http.ResponseWriter, r *http.Request, b *body) error {
	sum := sha256.New()
	if err := b.writeTo(sum); err != nil {
		return err
	}
	tag := hex.EncodeToString(sum.Sum(nil)[:16])
	if s.unchanged(w, r, tag, []string{entityTag(tag, codingOf(r, b.size()))}) {
		return nil
	}
	return s.writeBody(w, r, http.StatusOK, b)
}

// unchanged sets the headers that let a client ask for the same again, and answers with 304 if it has the body already.
// etag is the entityTag of the body named by tag.
func (s *Server) unchanged(w http.ResponseWriter, r *http.Request, tag string, etag []string) bool {
	h := w.Header()
	h[etagField] = etag
	h[cacheField] = revalidateLine
	if !knows(r.Header, tag) {
		return false
	}
	exchangeOf(r).served = 0 // the client has them already
	setCommonHeaders(h)
	w.WriteHeader(http.StatusNotModified)
	return true
}

// knows reports whether If-None-Match has the tag, in any coding.
func knows(h http.Header, tag string) bool {
	if h["If-None-Match"] == nil {
		return false
	}
	for list := headerElements(h, "If-None-Match"); list.next(); {
		element := strings.Trim(strings.TrimPrefix(strings.TrimSpace(list.element), "W/"), `"`)
		base, _, _ := strings.Cut(element, "-")
		if base == tag {
			return true
		}
	}
	return false
}

func codingOf(r *http.Request, size int) string {
	if size < compressFrom {
		return identity
	}
	return chooseEncoding(r.Header)
}

func setCommonHeaders(h http.Header) {
	h[varyField] = varyLine
	h[sniffField] = noSniffLine
}

// countedByHTTP tells that net/http finds out the Content-Length by itself: it does for a body that is written before its
// buffer is full. The most frequent response of all, to a poll that finds nothing new, then has few enough header fields for
// the smallest kind of map, which is half the cost of its header.
func countedByHTTP(r *http.Request, size int) bool {
	return size <= 64 && r.Method != http.MethodHead
}

// writeBody sends a response, compressed if the client likes that. ErrUnavailable, and nothing is sent, where the memory
// for larger responses is taken.
func (s *Server) writeBody(w http.ResponseWriter, r *http.Request, status int, b *body) error {
	x := exchangeOf(r)
	coding := codingOf(r, b.size())
	if x.sending != nil && b.size() > smallResponse {
		if err := x.sending.take(b.memory()); err != nil {
			return err
		}
	}
	if coding != identity {
		packed, err := compress(b, coding)
		if err != nil {
			return err
		}
		*b = body{head: packed} // the page itself may go
		if x.sending != nil {
			x.sending.keep(b.memory())
		}
	}
	h := w.Header()
	setCommonHeaders(h)
	h.Set("Content-Type", MediaType)
	if !countedByHTTP(r, b.size()) {
		h.Set("Content-Length", strconv.Itoa(b.size()))
	}
	if coding != identity {
		h.Set("Content-Encoding", coding)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		x.unsent = s.send(w, r, b)
	}
	return nil
}

// compressor is a gzip.Writer or a zstd.Encoder.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

var compressors = map[string]*sync.Pool{
	gzipped: {New: func() any { return gzip.NewWriter(nil) }},
	zstded: {New: func() any {
		// A window of 1 MiB keeps the client's memory small; the options are constants, so there is no error to come.
		e, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic("taxii: " + err.Error())
		}
		return e
	}},
}

func compress(b *body, coding string) ([]byte, error) {
	var packed bytes.Buffer
	packed.Grow(b.size() / 8)
	z := compressors[coding].Get().(compressor)
	defer compressors[coding].Put(z)
	defer z.Reset(nil)
	z.Reset(&packed)
	if err := b.writeTo(z); err != nil {
		return nil, fmt.Errorf("compressing a response: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing a response: %w", err)
	}
	return packed.Bytes(), nil
}

// writeProblem answers with an error message (§3.6.1) and notes it for the log.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	x := exchangeOf(r)
	x.problem = p
	h := w.Header()
	x.served, x.reached = 0, 0
	for _, name := range []string{"ETag", "Content-Encoding", "Content-Length", dateAddedFirst, dateAddedLast} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	switch p.status {
	case http.StatusUnauthorized:
		h.Add("WWW-Authenticate", `Basic realm="TAXII", charset="UTF-8"`)
		bearer := `Bearer realm="TAXII"`
		var challenge *ChallengeError
		if errors.As(p.err, &challenge) {
			bearer += `, error="` + challenge.Code + `"`
		}
		h.Add("WWW-Authenticate", bearer)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", p.allow)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", "5")
	}
	if p.retryAfter != "" {
		h.Set("Retry-After", p.retryAfter)
	}
	if x.page {
		if err := s.problemPage(w, r, p); err != nil {
			s.opt.Logger.ErrorContext(r.Context(), "writing an error page", "request_id", x.id, "error", err)
		}
		return
	}
	resource := Error{
		Title: p.title, Description: p.description, ErrorID: x.id, HTTPStatus: strconv.Itoa(p.status),
	}
	if err := s.writeResource(w, r, p.status, resource); err != nil {
		s.opt.Logger.ErrorContext(r.Context(), "writing an error message", "request_id", x.id, "error", err)
	}
}
