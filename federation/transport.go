package federation

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// The bounds of the clock correction.
const (
	skewIgnored = 5 * time.Second  // a 401 with a Date this close has another cause
	skewAlarm   = 30 * time.Second // beyond the leeway: the operator is told
	skewRefused = 5 * time.Minute  // a clock that wrong is not worked around
)

// maxSignedBody bounds a request body that is buffered to be signed, in bytes.
const maxSignedBody = 64 << 20

// TransportOptions say for whom a signing transport signs.
type TransportOptions struct {
	Signer *Signer
	Callee EntityID
	// Base sends the requests: the Transport of NewHTTPClient.
	Base http.RoundTripper
	// Chain, where set, returns the trust chain of this node, nil for none yet. With it the transport introduces this node
	// to a callee that does not know it.
	Chain func() []string
	// OnSkew, where set, is told when the callee's clock is more than 30 seconds from this node's; positive: it is ahead.
	OnSkew func(callee EntityID, skew time.Duration)
}

// NewTransport makes a transport that signs every request to one callee anew, also those that are retried. A 401 whose
// Date is more than 5 seconds from this node's clock is tried once more with the callee's time, and what was learnt is
// kept for later requests; more than 5 minutes are an error. A 401 that asks for the trust chain is answered with it, and the
// request is repeated once. So is a 403 or 404, where this node says something else of itself now than when it introduced itself:
// it may show a trust mark that it is asked for. Request bodies up to 64 MiB are buffered.
func NewTransport(o TransportOptions) http.RoundTripper {
	return &signingTransport{options: o}
}

type signingTransport struct {
	options TransportOptions
	skew    atomic.Int64 // nanoseconds to add to the own clock
	shown   atomic.Value // string: the own configuration that the callee was shown last
}

func (t *signingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	resp, err := t.send(r, body)
	if err == nil {
		resp, err = t.afterIntroduction(r, body, resp)
	}
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return resp, nil // without a Date there is nothing to learn
	}
	skew := date.Sub(t.now())
	if known := time.Duration(t.skew.Load()); (skew - known).Abs() <= skewIgnored {
		return resp, nil
	}
	_ = resp.Body.Close() // the answer is not used
	if skew.Abs() > skewRefused {
		return nil, fmt.Errorf("the clocks of this node and of %s differ by %s: set them right (NTP); more than %s is not worked around",
			t.options.Callee, skew.Abs().Round(time.Second), skewRefused)
	}
	if skew.Abs() > skewAlarm && t.options.OnSkew != nil {
		t.options.OnSkew(t.options.Callee, skew)
	}
	t.skew.Store(int64(skew))
	return t.send(r, body)
}

// afterIntroduction introduces this node where the answer gives a reason to, and repeats the request; else it returns the
// answer as it is.
func (t *signingTransport) afterIntroduction(r *http.Request, body []byte, resp *http.Response) (*http.Response, error) {
	asked := asksForChain(resp)
	if !asked && resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusNotFound {
		return resp, nil
	}
	chain := t.chain()
	if chain == nil || !asked && (len(chain) == 0 || t.shown.Load() == any(chain[0])) {
		return resp, nil
	}
	if len(chain) > 0 {
		t.shown.Store(chain[0])
	}
	err := introduce(r.Context(), t.options.Base, t.options.Callee, chain)
	switch {
	case err == nil:
	case asked:
		_ = resp.Body.Close() // the answer is not used
		return nil, err
	default: // a node that has pinned this one may take no introductions
		return resp, nil
	}
	_ = resp.Body.Close() // the answer is not used
	return t.send(r, body)
}

func (t *signingTransport) chain() []string {
	if t.options.Chain == nil {
		return nil
	}
	return t.options.Chain()
}

func (t *signingTransport) now() time.Time {
	if t.options.Signer.Now != nil {
		return t.options.Signer.Now()
	}
	return time.Now()
}

// send signs a copy of the request and sends it: a RoundTripper must not change what it was given.
func (t *signingTransport) send(r *http.Request, body []byte) (*http.Response, error) {
	signed := r.Clone(r.Context())
	if body != nil {
		signed.Body, signed.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		// A lost connection must not repeat the request with the token that was used already.
		signed.GetBody = nil
	}
	at := t.now().Add(time.Duration(t.skew.Load()))
	if err := t.options.Signer.signAt(signed, t.options.Callee, sha256.Sum256(body), at); err != nil {
		return nil, err
	}
	return t.options.Base.RoundTrip(signed)
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSignedBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the request's body to sign it: %w", err)
	}
	if len(body) > maxSignedBody {
		return nil, fmt.Errorf("a signed request has at most %d bytes", maxSignedBody)
	}
	return body, nil
}
