package taxii

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// ClientOptions are what an Client needs. Only URL is required.
type ClientOptions struct {
	// URL is where the server is: its host alone or its discovery (…/taxii2/), an API root (…/taxii2/main/), or a
	// collection (…/collections/ID/, with or without objects/). Credentials in it are taken as User and Password.
	URL string
	// User and Password are sent by HTTP Basic; Token as "Authorization: Bearer TOKEN". At most one of both.
	User, Password string
	Token          string
	// SignRequest, where set, adds credentials of its own to each attempt at a request, whose body it is given.
	SignRequest func(r *http.Request, body []byte) error

	// HTTP sends the requests; its redirect policy is replaced by the Client's. The default waits 60 s for the head of a
	// response and 10 min for the whole.
	HTTP      *http.Client
	UserAgent string // "skjold"
	// MaxResponse bounds a response, expanded, in octets; 512 MiB. Limits bound each object and their number in a page.
	MaxResponse int64
	Limits      stix.Limits
	// Retries is how often a request is repeated at most; 4. Negative: never.
	Retries int
	// StatusWait is how long Add and Await wait for the next objects of a pending status to be decided; 2 min.
	StatusWait time.Duration
	// Wait sleeps between attempts, or returns early with the context's error; a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client speaks TAXII 2.1 with one server. It may be used concurrently.
//
// GETs are repeated after lost connections and after 429, 502, 503 and 504, with the server's Retry-After or a growing
// pause. A POST or DELETE is repeated only if the connection was lost before any response: adding an identical object
// again is no error (§5.5), and what was deleted stays so. Redirects are followed for GETs on the same host only, so that
// credentials go nowhere else.
type Client struct {
	opt        ClientOptions
	http       *http.Client
	discovery  *url.URL // where discovery is
	apiRoot    *url.URL // with a trailing slash; nil until discovery told it
	collection string   // path segment of the collection that the URL named, "" for none
}

// NewClient returns a client; the error says what is wrong with the options. Nothing is sent yet.
func NewClient(o ClientOptions) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the server's URL must be of the form https://HOST/taxii2/ROOT/, without a query")
	}
	if u.User != nil {
		if o.User == "" && o.Password == "" {
			o.User = u.User.Username()
			o.Password, _ = u.User.Password()
		}
		u.User = nil
	}
	if o.User != "" && o.Token != "" {
		return nil, errors.New("give the client a user and password or a token, not both")
	}
	orDefault(&o.UserAgent, "skjold")
	orDefault(&o.MaxResponse, 512<<20)
	orDefault(&o.Retries, 4)
	orDefault(&o.StatusWait, 2*time.Minute)
	if o.Wait == nil {
		o.Wait = wait
	}
	c := &Client{opt: o}
	c.http = c.guarded(o.HTTP)
	c.locate(u)
	return c, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// locate reads from the URL's path what it is the URL of.
func (c *Client) locate(u *url.URL) {
	path := strings.TrimSuffix(u.EscapedPath(), "/") + "/"
	base := *u
	base.Path, base.RawPath = "/", ""
	c.discovery = base.JoinPath("taxii2/")
	before, after, ok := strings.Cut(path, "/collections/")
	if ok {
		segment, _, _ := strings.Cut(after, "/")
		c.collection, _ = url.PathUnescape(segment)
		c.apiRoot = base.JoinPath(before + "/")
		return
	}
	if path == "/" {
		return
	}
	if strings.HasSuffix(path, "/taxii2/") {
		c.discovery = base.JoinPath(path)
		return
	}
	c.apiRoot = base.JoinPath(path)
}

// guarded is a copy of the HTTP client that follows redirects only where they can do no harm.
func (c *Client) guarded(h *http.Client) *http.Client {
	if h == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.ResponseHeaderTimeout = time.Minute
		h = &http.Client{Transport: transport, Timeout: 10 * time.Minute}
	}
	guarded := *h
	guarded.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if err := c.checkRedirect(r, via); err != nil {
			return &permanentError{err}
		}
		return nil
	}
	return &guarded
}

func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host:
		return fmt.Errorf("the server at %s sends on to %s://%s; credentials are not sent to another host, so give that URL itself if it is right",
			first.URL.Host, r.URL.Scheme, r.URL.Host)
	case first.Method != http.MethodGet:
		return fmt.Errorf("the server at %s redirects a %s, which would lose its body; check the URL", first.URL.Host, first.Method)
	case c.opt.SignRequest != nil:
		return fmt.Errorf("the server at %s redirects a signed request, whose signature is for one URL only", first.URL.Host)
	case len(via) > 3:
		return fmt.Errorf("the server at %s redirects without end", first.URL.Host)
	}
	return nil
}

// root is the API root's URL: the one given, or what discovery names as the default or only one. Roots on other hosts are
// not taken from discovery, since the credentials would go there.
func (c *Client) root(ctx context.Context) (*url.URL, error) {
	if c.apiRoot != nil {
		return c.apiRoot, nil
	}
	d, err := c.Discovery(ctx)
	if err != nil {
		return nil, err
	}
	candidates := d.APIRoots
	if d.Default != "" {
		candidates = append([]string{d.Default}, candidates...)
	}
	for _, candidate := range candidates {
		u, err := c.discovery.Parse(candidate)
		if err != nil || u.Scheme != c.discovery.Scheme || u.Host != c.discovery.Host {
			continue
		}
		u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+"/", ""
		u.RawQuery, u.Fragment, u.User = "", "", nil
		return u, nil
	}
	if len(candidates) == 0 {
		return nil, fmt.Errorf("the server at %s names no API root; give the URL of one", c.discovery)
	}
	return nil, fmt.Errorf("the server at %s names API roots on other hosts only (%s); give the URL of one to send your credentials there",
		c.discovery, cut(strings.Join(candidates, ", "), 300))
}

// APIRootURL is the URL of the API root that the client speaks to, with a trailing slash.
func (c *Client) APIRootURL(ctx context.Context) (string, error) {
	u, err := c.root(ctx)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// endpoint is a URL below the API root; segments are escaped, and a trailing slash is added (§3.1).
func (c *Client) endpoint(ctx context.Context, segments ...string) (*url.URL, error) {
	base, err := c.root(ctx)
	if err != nil {
		return nil, err
	}
	u := *base
	escaped := u.EscapedPath()
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return nil, fmt.Errorf("%q cannot be part of a TAXII address", s)
		}
		u.Path += s + "/"
		escaped += url.PathEscape(s) + "/"
	}
	u.RawPath = escaped
	return &u, nil
}

// CollectionInURL is the collection that the client's URL names: an id or alias, "" if it names none.
func (c *Client) CollectionInURL() string { return c.collection }
