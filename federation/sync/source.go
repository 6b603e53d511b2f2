package sync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// source reads the pages of one collection of one peer. It is not for concurrent use.
type source struct {
	options *Options
	sub     Subscription // what is subscribed to; its cursor is not used

	client     *taxii.Client
	apiRoot    string // the client's
	collection string // id or alias at the peer, "" until it was looked up
}

// page is a page as it came.
type page struct {
	items []PulledItem
	end   pageEnd
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// read gets the page behind a cursor: at most limit objects, each judged. Nothing of a page that breaks off is returned.
func (s *source) read(ctx context.Context, from Cursor, limit int) (page, error) {
	if err := s.connect(ctx); err != nil {
		return page{}, err
	}
	if err := s.find(ctx); err != nil {
		return page{}, err
	}
	var refuse func(*stix.Object) string
	if s.options.Refuse != nil {
		var err error
		if refuse, err = s.options.Refuse(ctx, s.sub); err != nil {
			return page{}, fmt.Errorf("read the rules of the local collection: %w", err)
		}
	}
	reader, err := s.open(ctx, from, limit)
	if err != nil {
		if errors.Is(err, taxii.ErrNotFound) {
			s.collection = "" // it may have another id now
		}
		return page{}, err
	}
	defer reader.Close()
	return s.items(reader, refuse, from, limit)
}

// connect makes the client of the peer, anew when the operator has pinned another address.
func (s *source) connect(ctx context.Context) error {
	peer, err := s.options.Peers.Peer(ctx, s.sub.Peer)
	if errors.Is(err, federation.ErrUnknownPeer) {
		return fmt.Errorf("%s is not pinned; pin it again or remove the subscription: %w", s.sub.Peer, err)
	}
	if err != nil {
		return fmt.Errorf("look up the peer %s: %w", s.sub.Peer, err)
	}
	if s.client != nil && s.apiRoot == peer.APIRoot {
		return nil
	}
	client, err := newPeerClient(s.options, peer, s.skewed)
	if err != nil {
		return fmt.Errorf("the API root of %s: %w", s.sub.Peer, err)
	}
	s.client, s.apiRoot, s.collection = client, peer.APIRoot, ""
	return nil
}

// newPeerClient makes the TAXII client of a peer, which signs every request and introduces this node where it must.
func newPeerClient(o *Options, peer federation.Peer, onSkew func(federation.EntityID, time.Duration)) (*taxii.Client, error) {
	signing := federation.NewTransport(federation.TransportOptions{
		Signer: o.Signer, Callee: peer.Entity, Base: o.HTTP.Transport, Chain: o.Chain, OnSkew: onSkew,
	})
	return taxii.NewClient(taxii.ClientOptions{
		URL:  peer.APIRoot,
		HTTP: &http.Client{Transport: limitTransport{base: signing, max: o.MaxPageBytes}, Timeout: o.HTTP.Timeout},
		// The transport signs. A signing client also follows no redirect.
		SignRequest: func(*http.Request, []byte) error { return nil },
		UserAgent:   "skjold",
		MaxResponse: o.MaxPageBytes,
		Limits:      o.Limits,
		Retries:     -1, // the scheduler retries, with its own pauses
	})
}

func (s *source) skewed(callee federation.EntityID, skew time.Duration) {
	s.options.Logger.Warn("the clocks of two nodes differ; set them right (NTP)", "peer", callee, "seconds_ahead", skew.Round(time.Second).Seconds())
}

// find looks up the collection that the operator named, once.
func (s *source) find(ctx context.Context) error {
	if s.collection != "" {
		return nil
	}
	if uuid.MatchString(s.sub.Collection) {
		s.collection = s.sub.Collection
		return nil
	}
	found, err := s.client.Collection(ctx, s.sub.Collection)
	if err != nil {
		return err
	}
	if !uuid.MatchString(found.ID) {
		return fmt.Errorf("the peer's collection %q has the id %.64q, which is no UUID", s.sub.Collection, found.ID)
	}
	if !found.CanRead {
		return fmt.Errorf("the peer does not let this node read the collection %q; ask its operator", s.sub.Collection)
	}
	s.collection = found.ID
	return nil
}

// open asks for a page. A token that the peer no longer takes (its collection was restored from a backup) is given up for
// the date of the cursor: objects may come twice, none is missed.
func (s *source) open(ctx context.Context, from Cursor, limit int) (*taxii.PageReader, error) {
	query := taxii.PageRequest{AddedAfter: from.AddedAfter, Next: from.Next, Limit: limit, Versions: []string{"all"}}
	reader, err := s.client.Objects(ctx, s.collection, query)
	if query.Next != "" && statusOf(err) == http.StatusBadRequest {
		query.Next = ""
		reader, err = s.client.Objects(ctx, s.collection, query)
	}
	return reader, err
}

// items reads and judges the objects of a page.
func (s *source) items(reader *taxii.PageReader, refuse func(*stix.Object) string, from Cursor, limit int) (page, error) {
	var p page
	for {
		raw, err := reader.Next()
		var element *stix.ElementError
		switch {
		case err == nil:
			p.items = append(p.items, s.options.judge(s.sub, refuse, raw, place(from, len(p.items))))
		case errors.As(err, &element):
			p.items = append(p.items, unreadable(element, place(from, len(p.items))))
		case errors.Is(err, io.EOF):
			p.end = pageEnd{dateAddedLast: reader.DateAddedLast, more: reader.More(), next: reader.NextToken(), objects: len(p.items)}
			return p, nil
		default:
			return page{}, err
		}
		if len(p.items) > limit {
			return page{}, fmt.Errorf("the peer sends more than the %d objects that it was asked for", limit)
		}
	}
}

// statusOf is the HTTP status of a peer's refusal, 0 for other errors.
func statusOf(err error) int {
	var refused *taxii.ResponseError
	if errors.As(err, &refused) {
		return refused.Status
	}
	return 0
}
