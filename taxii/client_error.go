package taxii

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// ResponseError is an answer of a server with an error status.
type ResponseError struct {
	Method string
	URL    string // without query and credentials
	Status int
	// Resource is the TAXII error message, empty where the server sent none (§3.6).
	Resource Error
	// RetryAfter is what the server asks to wait, 0 where it does not.
	RetryAfter time.Duration
}

// Error says what happened and what the server said about it.
func (e *ResponseError) Error() string {
	var b strings.Builder
	switch e.Status {
	case http.StatusUnauthorized:
		b.WriteString("the server does not accept the credentials")
	case http.StatusForbidden:
		b.WriteString("the account is not allowed to do this")
	case http.StatusNotFound:
		b.WriteString("the server has nothing at this address, or the account has no access to it")
	case http.StatusNotAcceptable:
		b.WriteString("the server does not speak TAXII 2.1 here")
	case http.StatusRequestEntityTooLarge:
		b.WriteString("the server does not take this much at once")
	case http.StatusTooManyRequests:
		b.WriteString("the server asks for fewer requests")
	default:
		b.WriteString("the server refuses the request")
	}
	fmt.Fprintf(&b, " (%s %s: %d %s)", e.Method, e.URL, e.Status, http.StatusText(e.Status))
	for _, text := range []string{e.Resource.Title, e.Resource.Description} {
		if text != "" {
			b.WriteString(": " + cut(printable(text), 500))
		}
	}
	if e.Resource.ErrorID != "" {
		b.WriteString(" [error_id " + cut(printable(e.Resource.ErrorID), 100) + "]")
	}
	return b.String()
}

// printable keeps what another server wrote from moving the cursor of a terminal, from making lines of its own in a log
// and from turning the direction of the text: every character that has no form of its own becomes a dot.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsGraphic(c) {
			return '·'
		}
		return c
	}, s)
}

// printableError shows the text of an error without what printable takes out.
type printableError struct{ error }

func (e printableError) Error() string { return printable(e.error.Error()) }

func (e printableError) Unwrap() error { return e.error }

// Is makes errors.Is work with the contracts' errors: 401 is ErrUnauthenticated, 404 ErrNotFound, 429 and 503
// ErrUnavailable.
func (e *ResponseError) Is(target error) bool {
	switch e.Status {
	case http.StatusUnauthorized:
		return target == ErrUnauthenticated
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return target == ErrUnavailable
	}
	return false
}

// ConnectionError says in a sentence why a request to u, which failed with err, had no answer. The text may quote the
// other side, such as the names in its certificate; it is printable. A Client does not try again what would fail with
// every attempt.
func ConnectionError(u *url.URL, err error) error { return printableError{explain(u, err)} }

func explain(u *url.URL, err error) error {
	var (
		unknown    x509.UnknownAuthorityError
		hostname   x509.HostnameError
		invalid    x509.CertificateInvalidError
		verify     *tls.CertificateVerificationError
		header     tls.RecordHeaderError
		dns        *net.DNSError
		netTimeout net.Error
		permanent  *permanentError
		wrapped    *url.Error
	)
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, whose query may be long
	}
	host := u.Host
	switch {
	case errors.As(err, &permanent):
		return permanent
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("the request to %s was cancelled: %w", host, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing answers at %s; is the server running there? (%w)", host, err)
	case errors.As(err, &unknown):
		return &permanentError{fmt.Errorf("the certificate of %s is of an authority that this machine does not know; install its root certificate (%w)", host, err)}
	case errors.As(err, &hostname):
		return &permanentError{fmt.Errorf("the certificate of %s is for another name; check the host in the URL (%w)", host, err)}
	case errors.As(err, &invalid), errors.As(err, &verify):
		return &permanentError{fmt.Errorf("the certificate of %s is not valid (%w)", host, err)}
	case errors.As(err, &header), errors.Is(err, http.ErrSchemeMismatch):
		return &permanentError{fmt.Errorf("%s does not speak TLS; use http:// in the URL if that is meant (%w)", host, err)}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &permanentError{fmt.Errorf("there is no host %s; check the URL (%w)", u.Hostname(), err)}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netTimeout) && netTimeout.Timeout():
		return fmt.Errorf("%s did not answer in time: %w", host, err)
	}
	return fmt.Errorf("the connection to %s was lost: %w", host, err)
}
