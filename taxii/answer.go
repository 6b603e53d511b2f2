package taxii

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Answers is a Store that keeps the bodies of responses ready to be sent. Where a Server's Store is one, pages of objects
// and manifests come from it.
type Answers interface {
	Store
	// Answer returns the answer to a query, made now or kept from before. What it says was true when the request was made,
	// or is what the log held shortly before; that is never an entry without those before it. The errors are those of
	// Entries and of Render.
	Answer(ctx context.Context, r AnswerRequest) (*Answer, error)
}

// AnswerRequest asks for an answer.
type AnswerRequest struct {
	Query Query
	// Name tells what Render makes of a page, and what the query restricts it to: requests of equal Name and equal
	// After, Limit and MaxBytes of the Query have equal bodies, apart from what Visible leaves out.
	Name string
	// Timeout is how long making the answer may take; 0 for as long as the context says. What is kept takes no time, and
	// a timer for it would be a good part of its cost.
	Timeout time.Duration
	// Coding is the content coding that the client takes: "" for identity, gzip or zstd.
	Coding string
	// Render writes the body for a page that has entries. It is called on the goroutine of one of those who ask for the
	// same at the same time.
	Render func(Page) ([]byte, error)
}

// Answer is the body of a response and what its headers say. It is shared: nobody may change it.
type Answer struct {
	// Body is as it is sent; nil where there are no objects, as clients differ in what they need then.
	Body []byte
	// Coding is that of Body: the one asked for, or "" for identity where the body is small.
	Coding string
	// Tag names the body in all codings, see BodyTag.
	Tag string
	// Objects is how many there are, First and Last the date added of the first and the last one.
	Objects     int
	First, Last DateAdded
	// More: the log has more after these.
	More bool
	// Collection is as it was when the answer was made.
	Collection Collection

	lines atomic.Pointer[answerLines] // nil until somebody needs them
}

// CompressFrom is the size in octets from which a body is compressed; below, it costs more than it saves.
const CompressFrom = compressFrom

// BodyTag names a body: equal tags, equal bodies.
func BodyTag(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16])
}

// Within ends the page where the bytes of its objects exceed a bound, but never before its first entry. Stores give a
// little more than the bound.
func (p Page) Within(maxBytes int64) Page {
	var sum int64
	for i, e := range p.Entries {
		if sum += int64(len(e.Raw)); sum > maxBytes && i > 0 {
			p.Entries, p.More, p.Until = p.Entries[:i], true, 0
			break
		}
	}
	return p
}

// answerPage answers a request for a page: from answers that are ready, if the store keeps such, or else from entries.
// operation and the query name what render makes of a page that has entries.
func (s *Server) answerPage(w http.ResponseWriter, r *http.Request, p *pageRequest, operation string, render func(*pageRequest, Page) (*body, error)) error {
	if s.answers != nil {
		return s.answerReady(w, r, p, operation, render)
	}
	got, err := s.entries(r, p, p.query)
	if err != nil {
		return err
	}
	p.note(r, got.extent())
	p.x.setDateAdded(w.Header(), p.page, got.extent())
	if len(got.Entries) == 0 {
		return s.writeContent(w, r, empty(p.x.principal.EmptyList))
	}
	b, err := render(p, got)
	if err != nil {
		return err
	}
	return s.writeContent(w, r, b)
}

// note notes what the client is given.
func (p *pageRequest) note(r *http.Request, got extent) {
	if p.query.Bytes && r.Method == http.MethodGet { // a HEAD gives nothing, and a manifest no objects
		p.x.served, p.x.reached = got.objects, reached(p.page, got)
	}
}

// answerReady answers from answers that are ready, or are made now.
func (s *Server) answerReady(w http.ResponseWriter, r *http.Request, p *pageRequest, operation string, render func(*pageRequest, Page) (*body, error)) error {
	a, err := s.answers.Answer(r.Context(), AnswerRequest{
		Query: p.query, Name: p.name(operation), Timeout: s.opt.Timeout, Coding: chooseEncoding(r.Header),
		Render: func(got Page) ([]byte, error) { return p.assemble(got, render) },
	})
	if err != nil {
		return err
	}
	if a.Collection.Epoch != p.x.collection.Epoch {
		return errRestored
	}
	got := extent{objects: a.Objects, first: a.First, last: a.Last, more: a.More, collection: a.Collection}
	p.note(r, got)
	h := w.Header()
	if a.Objects > 0 {
		lines := a.header()
		h[firstField], h[lastField] = lines.first, lines.last
		return s.writeAnswer(w, r, a)
	}
	p.x.setDateAdded(h, p.page, got)
	return s.writeAnswer(w, r, emptyAnswers[p.x.principal.EmptyList])
}

// name is AnswerRequest.Name. Most queries have no match field, and then it takes no memory.
func (p *pageRequest) name(operation string) string {
	if p.Match.isZero() {
		return operation
	}
	return operation + pageToken{after: p.after, limit: p.limit, match: p.Match}.String()
}

var errRestored = fmt.Errorf("the collection was restored from a backup during the request: %w", ErrUnavailable)

// assemble makes the body of a page in one piece, if there is memory for that.
func (p *pageRequest) assemble(got Page, render func(*pageRequest, Page) (*body, error)) ([]byte, error) {
	b, err := render(p, got)
	if err != nil {
		return nil, err
	}
	if b.size() > smallResponse {
		if err := p.x.sending.take(b.memory() + int64(b.size())); err != nil {
			return nil, err
		}
	}
	var text bytes.Buffer
	text.Grow(b.size())
	err = b.writeTo(&text)
	return text.Bytes(), err
}

// emptyAnswers are the bodies that have nothing in them, by whether the client needs an empty list.
var emptyAnswers = map[bool]*Answer{false: emptyAnswer(false), true: emptyAnswer(true)}

func emptyAnswer(list bool) *Answer {
	text := empty(list).head
	return &Answer{Body: text, Tag: BodyTag(text)}
}

// writeAnswer sends an answer. However many requests send it at a time, its memory counts once.
func (s *Server) writeAnswer(w http.ResponseWriter, r *http.Request, a *Answer) error {
	x := exchangeOf(r)
	x.sending.release() // what assembling took
	lines := a.header()
	if s.unchanged(w, r, a.Tag, lines.etag) {
		return nil
	}
	if len(a.Body) > smallResponse {
		if err := x.sending.takeShared(a); err != nil {
			return err
		}
	}
	h := w.Header()
	setCommonHeaders(h)
	h[typeField] = mediaTypeLine
	if !countedByHTTP(r, len(a.Body)) {
		h[lengthField] = lines.length
	}
	if a.Coding != identity {
		h[codingField] = codingLines[a.Coding]
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		x.unsent = s.send(w, r, &body{head: a.Body})
	}
	return nil
}
