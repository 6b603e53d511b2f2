package taxii

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// requestBody reads the body of a request within bounds, expanding gzip, and hashes it as it came for
// Principal.CheckBody. Whatever reads it may hide its errors: the first is kept.
type requestBody struct {
	http    io.Reader
	wire    bounded // what came
	content bounded // what it expands to; the same reader where it is not compressed
	sum     hash.Hash
}

// bounded reads at most limit octets and keeps the first error that is not io.EOF.
type bounded struct {
	src    io.Reader
	left   int64
	limit  int64
	memory *share // that the octets count against, where set
	err    error
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// One octet beyond the limit tells a body that ends there from one that does not.
	p = p[:min(int64(len(p)), b.left+1)]
	n, err := b.src.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), tooLarge(b.limit)
	}
	b.left -= int64(n)
	if b.memory != nil {
		if full := b.memory.take(int64(n)); full != nil {
			err = full
		}
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// openBody checks what the headers say of the body before any of it is read, and bounds it.
func openBody(r *http.Request, limit int64, hashed bool) (*requestBody, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	b := &requestBody{http: r.Body, sum: sha256.New()}
	if hashed {
		b.http = io.TeeReader(r.Body, b.sum)
	}
	b.wire = bounded{src: b.http, left: limit, limit: limit}
	b.content = bounded{src: &b.wire, left: limit, limit: limit}
	coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
	switch coding {
	case "", "identity":
	case "gzip", "x-gzip":
		b.content.src = &gunzip{src: &b.wire}
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "Content coding not supported",
			"Content-Encoding %s is not understood; send the body plain or as gzip.", quote(coding))
	}
	exchangeOf(r).body = b
	return b, nil
}

// received is how many octets of the body came; 0 where none was wanted.
func (b *requestBody) received() int64 {
	if b == nil {
		return 0
	}
	return b.wire.limit - b.wire.left
}

// gunzip opens the stream at the first Read, so that nothing is read before a handler wants it.
type gunzip struct {
	src io.Reader
	z   *gzip.Reader
}

func (g *gunzip) Read(p []byte) (int, error) {
	if g.z == nil {
		z, err := gzip.NewReader(g.src)
		if err != nil {
			return 0, noEOF(err)
		}
		g.z = z
	}
	return g.z.Read(p)
}

// noEOF keeps an input that ends before it began from looking like an empty one.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (b *requestBody) Read(p []byte) (int, error) { return b.content.Read(p) }

// failure is the problem with the body itself, nil if all that was read came well. It goes before whatever the reader of
// the body made of it.
func (b *requestBody) failure() error {
	err := b.content.err
	if b.wire.err != nil {
		err = b.wire.err
	}
	var p *problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p), errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "Body too slow",
			"The body did not arrive in time; send fewer objects in a request.").because(err)
	case b.wire.err != nil:
		return refuse(http.StatusBadRequest, "Body incomplete", "The request's body ended early or is not framed properly.").because(err)
	}
	return refuse(http.StatusBadRequest, "Malformed gzip", "Content-Encoding says gzip, but the body is not, or it is damaged.").because(err)
}

// finish reads what is left on the wire, such as whitespace behind the JSON that the decompressor left, so that the hash
// covers the body whole.
func (b *requestBody) finish() error {
	_, err := io.Copy(io.Discard, &b.wire)
	if problem := b.failure(); problem != nil {
		return problem
	}
	return err
}

// withinTime sets the deadline for the body to arrive, and returns what takes it back: the connection is read in the
// background afterwards, and a deadline there would cancel the request. Servers without deadlines go without.
func withinTime(w http.ResponseWriter, limit time.Duration) (restore func()) {
	c := http.NewResponseController(w)
	if c.SetReadDeadline(time.Now().Add(limit)) != nil {
		return func() {}
	}
	return func() { _ = c.SetReadDeadline(time.Time{}) }
}

// checkBody lets the caller's credentials judge the body, where they cover it.
func (p *Principal) checkBody(sum []byte) error {
	if p.CheckBody == nil {
		return nil
	}
	err := p.CheckBody([32]byte(sum))
	if err == nil || errors.Is(err, ErrUnauthenticated) || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: the credentials are not for this body: %w", ErrUnauthenticated, err)
}

// maxDeleteBody is the most that a DELETE may carry as its body, in octets.
const maxDeleteBody = 1 << 10

// readSmall reads and checks the body of a request that needs none.
func readSmall(w http.ResponseWriter, r *http.Request, p *Principal, limit time.Duration) error {
	body, err := openBody(r, maxDeleteBody, true)
	if err != nil {
		return err
	}
	defer withinTime(w, limit)()
	if err := body.finish(); err != nil {
		return err
	}
	exchangeOf(r).bodyLeft = false
	return p.checkBody(body.sum.Sum(nil))
}
