package sync

import (
	"errors"
	"io"
	"net/http"
)

// errPageTooLarge: the body of a page is larger than Options.MaxPageBytes.
var errPageTooLarge = errors.New("the page is larger than the limit for one page")

// limitTransport ends the reading of a body that is larger than max, with an error that says so.
type limitTransport struct {
	base http.RoundTripper
	max  int64
}

func (t limitTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > t.max {
		return nil, errors.Join(errPageTooLarge, resp.Body.Close())
	}
	resp.Body = &limitedBody{ReadCloser: resp.Body, left: t.max}
	return resp, nil
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read reads one byte more than allowed, to tell a body of just the limit from a larger one.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if int64(n) > b.left {
		return int(b.left), errPageTooLarge
	}
	b.left -= int64(n)
	return n, err
}
