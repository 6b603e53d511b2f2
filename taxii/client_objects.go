package taxii

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// PageReader reads the objects of one page while the page arrives. Close it when done.
type PageReader struct {
	PageHeaders
	body   io.ReadCloser
	url    *url.URL
	reader *stix.Reader
}

// Objects asks for a page of a collection's objects (§5.4). collection is an id or alias.
func (c *Client) Objects(ctx context.Context, collection string, q PageRequest) (*PageReader, error) {
	return c.page(ctx, q, "collections", collection, "objects")
}

// Object asks for the versions of one object that q matches, the last without match (§5.6).
func (c *Client) Object(ctx context.Context, collection, object string, q PageRequest) (*PageReader, error) {
	return c.page(ctx, q, "collections", collection, "objects", object)
}

func (c *Client) page(ctx context.Context, q PageRequest, segments ...string) (*PageReader, error) {
	u, err := c.endpoint(ctx, segments...)
	if err != nil {
		return nil, err
	}
	u.RawQuery = q.encode()
	resp, err := c.open(ctx, u)
	if err != nil {
		return nil, err
	}
	return &PageReader{
		PageHeaders: pageHeaders(resp.Header), body: resp.Body, url: u,
		reader: stix.NewReader(resp.Body, c.opt.Limits).Single(),
	}, nil
}

// Next returns the bytes of the next object, io.EOF after the last. A *stix.ElementError is one object that cannot be
// taken; the ones after it can still be read.
func (p *PageReader) Next() ([]byte, error) {
	raw, err := p.reader.Next()
	var element *stix.ElementError
	var syntax *stix.SyntaxError
	switch {
	case err == nil, errors.As(err, &element):
		return raw, err
	case err == io.EOF:
		switch p.reader.Container() {
		case stix.ContainerEnvelope, stix.ContainerBundle:
			return nil, io.EOF
		}
		return nil, fmt.Errorf("%s answers without a TAXII envelope", bareURL(p.url))
	case errors.As(err, &syntax), errors.Is(err, stix.ErrNotContainer), errors.Is(err, stix.ErrTooManyObjects):
		return nil, fmt.Errorf("the page of %s cannot be read: %w", bareURL(p.url), printableError{err})
	}
	return nil, ConnectionError(p.url, err)
}

// More is whether the server has further objects; known after io.EOF.
func (p *PageReader) More() bool { return p.reader.More() }

// NextToken is the page token of the following page, "" if the server gave none; known after io.EOF.
func (p *PageReader) NextToken() string { return p.reader.NextToken() }

// Close gives the connection back.
func (p *PageReader) Close() error { return p.body.Close() }

// ErrPending says that a submission was accepted but not finished while Add or Await waited. Its status goes with it.
var ErrPending = errors.New("the server is still working on the submission; ask for its status later")

// Add posts objects in one envelope (§5.5) and waits until the status is complete: Submit without a key, and Await. Objects
// that the server refused are in the status's failures and are no error here.
func (c *Client) Add(ctx context.Context, collection string, objects [][]byte) (Status, error) {
	status, err := c.Submit(ctx, collection, objects, "")
	if err != nil {
		return status, err
	}
	return c.Await(ctx, status, nil)
}

// Submit posts objects in one envelope (§5.5) and returns the status as the server answers it, complete or pending. key,
// where it is not "", is sent as the Idempotency-Key: a server that knows it does not repeat a submission that it has seen.
func (c *Client) Submit(ctx context.Context, collection string, objects [][]byte, key string) (Status, error) {
	u, err := c.endpoint(ctx, "collections", collection, "objects")
	if err != nil {
		return Status{}, err
	}
	resp, _, err := c.send(ctx, http.MethodPost, u, JoinEnvelope(objects), key)
	if err != nil {
		return Status{}, err
	}
	return readResource[Status](resp)
}

// Await asks for the status of a submission, with growing pauses, until it is complete. note, where it is not nil, is told
// every status. Where nothing has been decided for StatusWait, it returns the last status and ErrPending.
func (c *Client) Await(ctx context.Context, status Status, note func(Status)) (Status, error) {
	const longest = 5 * time.Second
	pause, waited := firstPause/2, time.Duration(0)
	for status.Status == StatusPending {
		if waited += pause; waited > c.opt.StatusWait || status.ID == "" {
			return status, ErrPending
		}
		if err := c.opt.Wait(ctx, pause); err != nil {
			return status, errors.Join(ErrPending, err)
		}
		pause = min(2*pause, longest)
		now, err := c.Status(ctx, status.ID)
		if err != nil {
			return status, err
		}
		if now.PendingCount < status.PendingCount {
			waited = 0
		}
		if status = now; note != nil {
			note(status)
		}
	}
	return status, nil
}

const (
	envelopeHead = `{"objects":[`
	envelopeTail = `]}`
)

// JoinEnvelope wraps objects into an envelope (§3.7) without looking at them.
func JoinEnvelope(objects [][]byte) []byte {
	size := len(envelopeHead) + len(envelopeTail) + len(objects)
	for _, o := range objects {
		size += len(o)
	}
	b := append(make([]byte, 0, size), envelopeHead...)
	for i, o := range objects {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, o...)
	}
	return append(b, envelopeTail...)
}

// Delete deletes an object's version, or all versions for version "" (§5.7). versions are as in match[version].
func (c *Client) Delete(ctx context.Context, collection, object string, versions ...string) error {
	u, err := c.endpoint(ctx, "collections", collection, "objects", object)
	if err != nil {
		return err
	}
	u.RawQuery = PageRequest{Versions: versions}.encode()
	resp, tried, err := c.send(ctx, http.MethodDelete, u, nil, "")
	if errors.Is(err, ErrNotFound) && tried > 1 {
		return nil // an earlier attempt whose answer was lost has deleted it
	}
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
