package taxii

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// firstPause doubles with every attempt.
	firstPause = 500 * time.Millisecond
	// longestPause is the most that a client waits between two attempts; a server that asks for more gets its answer
	// reported instead.
	longestPause = time.Minute
	// maxErrorBody is how much of an error's body is read, in octets.
	maxErrorBody = 64 << 10
)

// send makes a request, repeating it as Client promises. The response has a success status, and its body is bounded.
// tried is how many attempts were made. key is the idempotency key, "" for none.
func (c *Client) send(ctx context.Context, method string, u *url.URL, body []byte, key string) (resp *http.Response, tried int, err error) {
	for {
		tried++
		resp, err = c.attempt(ctx, method, u, body, key)
		if err == nil && resp.StatusCode < 300 {
			return resp, tried, nil
		}
		retry := err != nil
		pause := firstPause << min(tried-1, 6)
		pause += rand.N(pause / 2)
		if err == nil {
			failure := c.responseError(method, resp)
			err, retry = failure, method == http.MethodGet && temporary(failure.Status)
			pause = max(pause, failure.RetryAfter)
		}
		var permanent *permanentError
		if !retry || tried > c.opt.Retries || pause > longestPause || ctx.Err() != nil || errors.As(err, &permanent) {
			return nil, tried, err
		}
		if werr := c.opt.Wait(ctx, pause); werr != nil {
			return nil, tried, errors.Join(err, werr)
		}
	}
}

func temporary(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// permanentError is a failure to send that would come again.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

func (c *Client) attempt(ctx context.Context, method string, u *url.URL, body []byte, key string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &permanentError{err}
	}
	r.Header.Set("Accept", MediaType)
	r.Header.Set("User-Agent", c.opt.UserAgent)
	if len(body) > 0 {
		r.Header.Set("Content-Type", MediaType)
	}
	if key != "" {
		r.Header.Set(IdempotencyHeader, quoteKey(key))
	}
	switch {
	case c.opt.Token != "":
		r.Header.Set("Authorization", "Bearer "+c.opt.Token)
	case c.opt.User != "" || c.opt.Password != "":
		r.SetBasicAuth(c.opt.User, c.opt.Password)
	}
	if c.opt.SignRequest != nil {
		if err := c.opt.SignRequest(r, body); err != nil {
			return nil, &permanentError{fmt.Errorf("signing the request: %w", err)}
		}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, ConnectionError(u, err)
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: c.opt.MaxResponse, limit: c.opt.MaxResponse}
	return resp, nil
}

// boundedBody ends a response that is larger than the limit with an error.
type boundedBody struct {
	io.ReadCloser
	left, limit int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if int64(n) > b.left {
		return int(b.left), fmt.Errorf("the response is larger than %d octets; ask for a smaller limit", b.limit)
	}
	b.left -= int64(n)
	return n, err
}

// responseError reads an error response; whatever its body is, the status remains.
func (c *Client) responseError(method string, resp *http.Response) *ResponseError {
	defer resp.Body.Close()
	e := &ResponseError{Method: method, URL: bareURL(resp.Request.URL), Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header)}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err == nil && isTAXII(resp.Header) {
		_ = json.Unmarshal(body, &e.Resource) // an error message is optional (§3.1)
	}
	return e
}

// retryAfter reads Retry-After, in seconds or as a date.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if n, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

// isTAXII reports that a response is of a media type that TAXII servers answer with, known slips included.
func isTAXII(h http.Header) bool {
	m, ok := parseMediaRange(h.Get("Content-Type"))
	if !ok {
		return false
	}
	switch m.name {
	case "application/taxii+json", "application/json", "application/stix+json",
		"application/vnd.oasis.taxii+json", "application/vnd.oasis.stix+json":
		return true
	}
	return false
}

// open is a GET whose body is read by the caller.
func (c *Client) open(ctx context.Context, u *url.URL) (*http.Response, error) {
	resp, _, err := c.send(ctx, http.MethodGet, u, nil, "")
	if err != nil {
		return nil, err
	}
	if !isTAXII(resp.Header) {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answers with %s, not with TAXII; check the URL of the API root",
			bareURL(u), quote(resp.Header.Get("Content-Type")))
	}
	return resp, nil
}

// fetch gets a resource; the response's headers come with it.
func fetch[T any](ctx context.Context, c *Client, u *url.URL) (resource T, h http.Header, err error) {
	resp, err := c.open(ctx, u)
	if err != nil {
		return resource, nil, err
	}
	resource, err = readResource[T](resp)
	return resource, resp.Header, err
}

func readResource[T any](resp *http.Response) (resource T, err error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resource, ConnectionError(resp.Request.URL, err)
	}
	if err := json.Unmarshal(body, &resource); err != nil {
		return resource, fmt.Errorf("%s answers with JSON that is not the TAXII resource expected there: %w", bareURL(resp.Request.URL), printableError{err})
	}
	return resource, nil
}

// bareURL is a URL for messages: without query and credentials.
func bareURL(u *url.URL) string {
	bare := *u
	bare.User, bare.RawQuery, bare.Fragment = nil, "", ""
	return strings.TrimSuffix(bare.String(), "?")
}
