package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// maxFetches bounds the requests that finding one chain may cost: a configuration and a statement a level.
const maxFetches = 2 * maxChainDepth

// chainSearch looks upwards from an entity for a chain to a pinned anchor (OpenID Federation 1.0 §10.1). What it fetches
// is no more than a proposal: VerifyTrustChain decides. It is bounded in depth, requests and bytes, whatever it is told.
type chainSearch struct {
	http    *http.Client
	options ChainOptions
	fetches int
	bytes   int
	failed  []error // why each way ended, for the operator
}

// find returns the chain whose lower part is known, nil if there is none; failed then tells why. entity is at the end of
// the part. The error is that of ctx.
func (s *chainSearch) find(ctx context.Context, below []string, entity EntityID, hints []EntityID) (*TrustChain, error) {
	if len(hints) == 0 {
		s.fail(fmt.Errorf("%s names no superior and is no pinned anchor", entity))
	}
	for _, hint := range s.anchorsFirst(hints) {
		if len(below) > maxChainDepth {
			s.fail(fmt.Errorf("%s would be more than %d levels above", hint, maxChainDepth))
			break
		}
		chain, err := s.through(ctx, below, entity, hint)
		if chain != nil {
			return chain, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.fail(fmt.Errorf("by %s: %w", hint, err))
		}
	}
	return nil, nil
}

// fail notes why a way ended; there are no more ways than fetches.
func (s *chainSearch) fail(err error) { s.failed = append(s.failed, err) }

// through tries one superior: its configuration, its statement, and then the ways above it.
func (s *chainSearch) through(ctx context.Context, below []string, entity, superior EntityID) (*TrustChain, error) {
	if !superior.sameWorld(entity) {
		return nil, errors.New("a node on one machine and a real one never speak for each other")
	}
	text, err := s.fetch(ctx, string(superior)+WellKnownPath)
	if err != nil {
		return nil, err
	}
	configuration, err := VerifyEntityConfiguration(text, s.options.Now)
	if err != nil {
		return nil, err
	}
	if configuration.Subject != superior {
		return nil, fmt.Errorf("its configuration is that of %s", configuration.Subject)
	}
	address, err := fetchAddress(configuration, entity)
	if err != nil {
		return nil, err
	}
	statement, err := s.fetch(ctx, address)
	if err != nil {
		return nil, err
	}
	if _, err := VerifySubordinateStatement(statement, configuration.Keys, s.options.Now); err != nil {
		return nil, err // it would be fetched again with everything above it for nothing
	}
	chain := append(slices.Clone(below), statement)
	if s.isAnchor(superior) {
		return VerifyTrustChain(append(chain, text), s.options)
	}
	return s.find(ctx, chain, superior, configuration.AuthorityHints)
}

func (s *chainSearch) isAnchor(id EntityID) bool {
	return slices.ContainsFunc(s.options.Anchors, func(a TrustAnchor) bool { return a.Entity == id })
}

// anchorsFirst puts pinned anchors in front, so that the shortest way is tried first.
func (s *chainSearch) anchorsFirst(hints []EntityID) []EntityID {
	sorted := slices.Clone(hints)
	slices.SortStableFunc(sorted, func(a, b EntityID) int {
		switch isA, isB := s.isAnchor(a), s.isAnchor(b); {
		case isA == isB:
			return 0
		case isA:
			return -1
		}
		return 1
	})
	return sorted
}

// fetchAddress is where a superior's statement about an entity is found.
func fetchAddress(c *EntityConfiguration, entity EntityID) (string, error) {
	endpoint := c.Metadata.Text(federationEntityType, fetchParameter)
	u, err := url.Parse(endpoint)
	switch {
	case endpoint == "":
		return "", fmt.Errorf("its configuration has no %s", fetchParameter)
	case err != nil || len(endpoint) > 2048 || u.User != nil || u.Fragment != "" || u.Host == "":
		return "", fmt.Errorf("its %s is no address", fetchParameter)
	case c.Subject.Loopback() && !strings.HasPrefix(endpoint, string(c.Subject)+"/"), !c.Subject.Loopback() && u.Scheme != "https":
		return "", fmt.Errorf("its %s must be an https address", fetchParameter)
	}
	query := u.Query()
	query.Set("sub", string(entity))
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// fetch gets one statement.
func (s *chainSearch) fetch(ctx context.Context, address string) (string, error) {
	if s.fetches >= maxFetches {
		return "", fmt.Errorf("more than %d requests would be needed", maxFetches)
	}
	s.fetches++
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", StatementMediaType)
	resp, err := s.http.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, jose.DefaultMaxSize+1))
	if s.bytes += len(body); err != nil {
		return "", fmt.Errorf("%s: %w", address, err)
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s answered %s%s", address, resp.Status, toldDescription(body))
	case err != nil || mediaType != StatementMediaType:
		return "", fmt.Errorf("%s answered with the media type %.64q, not %s", address, resp.Header.Get("Content-Type"), StatementMediaType)
	case len(body) > jose.DefaultMaxSize || s.bytes > maxChainBytes:
		return "", fmt.Errorf("%s: a statement has at most %d bytes, and all of a search %d", address, jose.DefaultMaxSize, maxChainBytes)
	}
	return strings.TrimSuffix(string(body), "\n"), nil
}

// toldDescription is the reason in an error answer, with a colon in front; "" for none.
func toldDescription(body []byte) string {
	var told struct {
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &told) != nil || told.Description == "" {
		return ""
	}
	return fmt.Sprintf(": %.500q", told.Description)
}

// FindTrustChain finds the trust chain of an entity whose configuration is at hand: it asks the superiors that the
// configuration names, and theirs, up to a pinned anchor, with at most 8 requests and 64 KB. It is for a node's own
// background work and for operators' commands: nothing that a caller sends leads here.
func FindTrustChain(ctx context.Context, client *http.Client, configuration string, o ChainOptions) (*TrustChain, error) {
	c, err := VerifyEntityConfiguration(configuration, o.Now)
	if err != nil {
		return nil, err
	}
	if len(c.AuthorityHints) == 0 {
		return nil, fmt.Errorf("find the trust chain of %s: its configuration names no superior", c.Subject)
	}
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	s := &chainSearch{http: client, options: o}
	chain, err := s.find(ctx, []string{configuration}, c.Subject, c.AuthorityHints)
	if chain == nil {
		err = errors.Join(append(s.failed, err)...)
		return nil, fmt.Errorf("find the trust chain of %s: %w", c.Subject, err)
	}
	return chain, nil
}

// searchTimeout bounds a search.
const searchTimeout = time.Minute
