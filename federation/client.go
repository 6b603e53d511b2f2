package federation

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ClientOptions shape the client of a node towards other nodes.
type ClientOptions struct {
	// Self is the entity of this node: a loopback entity dials 127.0.0.1 only, a real one never does.
	Self EntityID
	// AllowPrivate lets a real entity dial private addresses (RFC 1918, RFC 6598, RFC 4193).
	AllowPrivate bool
	// Timeout bounds a request from the dial to the last byte of the body; 0 means 2 minutes.
	Timeout time.Duration
	// RootCAs are the certificate authorities to trust; nil for the system's.
	RootCAs *x509.CertPool
}

// NewHTTPClient makes the one door through which a node speaks to others. It decides about every address after it was
// resolved, follows no redirect (the 3xx answer is returned), uses no proxy of the environment, demands TLS 1.2 and, for
// real entities, https. How much of a body is read is up to the caller.
func NewHTTPClient(o ClientOptions) *http.Client {
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	rule := dialRule{loopback: o.Self.Loopback(), allowPrivate: o.AllowPrivate}
	dialer := &net.Dialer{
		Timeout: 10 * time.Second, KeepAlive: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error { return rule.allow(address) },
	}
	transport := &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  time.Minute,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{
		Transport:     httpsOnly{base: transport, loopback: rule.loopback},
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// httpsOnly refuses plain http between real nodes.
type httpsOnly struct {
	base     http.RoundTripper
	loopback bool
}

func (t httpsOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !t.loopback {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper must close it, its error changes nothing
		}
		return nil, fmt.Errorf("%s://%s is not https; nodes speak over TLS only", r.URL.Scheme, r.URL.Host)
	}
	return t.base.RoundTrip(r)
}

// CloseIdleConnections is found by http.Client.CloseIdleConnections.
func (t httpsOnly) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
