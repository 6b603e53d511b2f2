package federation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// fetchTimeout bounds one request for a list or for records.
const fetchTimeout = 30 * time.Second

// FetchRevocationList asks a node for the newest list of an anchor that it holds; the node may be the anchor or any other,
// since the list proves itself: Revocations.Accept is what believes it. held is the list that is held already, nil for
// none; "" is returned where the node has no other. It is for a node's own background work.
func FetchRevocationList(ctx context.Context, client *http.Client, from, anchor EntityID, held *RevocationList) (string, error) {
	address := string(from) + RevocationsPath + "?" + url.Values{"iss": {string(anchor)}}.Encode()
	header := http.Header{"Accept": {RevocationsMediaType}}
	if held != nil {
		header.Set("If-None-Match", `"`+string(held.Hash())+`"`)
	}
	body, err := fetchBounded(ctx, client, address, header, RevocationsMediaType, jose.DefaultMaxSize)
	if errors.Is(err, errNotModified) {
		return "", nil
	}
	return strings.TrimSuffix(string(body), "\n"), err
}

// errNotModified: the answer was a 304.
var errNotModified = errors.New("not modified")

// fetchBounded gets what has a media type and at most so many bytes; errNotModified for a 304.
func fetchBounded(ctx context.Context, client *http.Client, address string, header http.Header, mediaType string, limit int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header = header
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return nil, errNotModified
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answered %s%s", address, resp.Status, toldDescription(body[:min(len(body), 4<<10)]))
	case err != nil || mediaType != "" && got != mediaType:
		return nil, fmt.Errorf("%s answered with the media type %.64q, not %s", address, resp.Header.Get("Content-Type"), mediaType)
	case len(body) > limit:
		return nil, fmt.Errorf("%s answered with more than %d bytes", address, limit)
	}
	return body, nil
}
