package store

import (
	"context"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// Backlog is what a reader of a collection has not read yet.
type Backlog struct {
	// Objects is how many objects have a version after the reader's position that a poll would give it, counted up to
	// the limit that was asked for. More: there are others beyond.
	Objects int
	More    bool
	// Oldest is the date added of the first of them; 0 for none.
	Oldest taxii.DateAdded
}

// Backlog counts what a poll by who sees what visible allows would still give after a position, at most limit objects.
// It costs what the page of such a poll costs, without the objects' bytes. taxii.ErrNotFound if there is no such collection.
func (s *Store) Backlog(ctx context.Context, collection string, after taxii.DateAdded, limit int, visible func(m stix.MarkingSet, unknown bool) bool) (Backlog, error) {
	page, err := s.page(ctx, taxii.Query{
		Collection: collection, After: after, Limit: limit, Version: taxii.VersionMatch{Last: true}, Visible: visible,
	})
	if err != nil || len(page.Entries) == 0 {
		return Backlog{}, err
	}
	return Backlog{Objects: len(page.Entries), More: page.More, Oldest: page.Entries[0].DateAdded}, nil
}
