package taxii

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/skjold-exchange/skjold/stix"
)

// Position is how far a poll has come in a collection: everything before it has been given. It is safe to store.
type Position struct {
	// AddedAfter is the last date added, as the server wrote it; "" at the beginning.
	AddedAfter string `json:"added_after,omitempty"`
	// Next is the server's page token, where it had more after the last page.
	Next string `json:"next,omitempty"`
}

// Bounds of a poll of a server that gives no end.
const (
	maxEmptyPages = 20
	maxPages      = 1_000_000
)

// Poller reads everything in a collection after a position, page by page. It is not for concurrent use.
type Poller struct {
	client     *Client
	collection string
	query      PageRequest
	position   Position
	stored     bool // the position is the one that Poll was given; nothing has been read from it
	page       *PageReader
	hash       pageHash
	empty      int
	seen       map[pageHash]bool
	done       bool
}

type pageHash [sha256.Size]byte

// Poll returns a poller of a collection (id or alias) from a position, by q's limit and match fields. It sends nothing yet.
//
// Pages are followed by their next token with the original query; where a server says more without a token, by its date
// added headers (§3.5). A stored token that the server no longer takes is given up for the position's AddedAfter:
// objects may come twice then, none is missed. A server that repeats a page, or gives no way on, ends the poll with an
// error instead of looping.
func (c *Client) Poll(collection string, from Position, q PageRequest) *Poller {
	q.AddedAfter, q.Next = "", ""
	return &Poller{client: c, collection: collection, query: q, position: from, stored: true, seen: map[pageHash]bool{}}
}

// Position is what to store once the objects given so far are: it moves when the last object of a page has been given and
// the call of Next after it was made. Polling from it again gives the objects after it.
func (p *Poller) Position() Position { return p.position }

// Next returns the bytes of the next object; io.EOF when the server has no more at the moment. A *stix.ElementError is one
// object that cannot be taken; the poll goes on. All other errors end it.
func (p *Poller) Next(ctx context.Context) ([]byte, error) {
	for !p.done {
		if p.page == nil {
			if err := p.open(ctx); err != nil {
				p.done = true
				return nil, err
			}
		}
		raw, err := p.page.Next()
		var element *stix.ElementError
		switch {
		case err == nil:
			p.hash = sha256.Sum256(append(p.hash[:], raw...))
			return raw, nil
		case errors.As(err, &element):
			p.hash = sha256.Sum256(append(p.hash[:], element.Error()...))
			return nil, err
		case err != io.EOF:
			p.Close()
			return nil, err
		}
		if err := p.turn(); err != nil {
			p.Close()
			return nil, err
		}
	}
	return nil, io.EOF
}

// Close ends the poll.
func (p *Poller) Close() {
	if p.page != nil {
		p.page.Close()
	}
	p.page, p.done = nil, true
}

func (p *Poller) open(ctx context.Context) error {
	q := p.query
	q.AddedAfter, q.Next = p.position.AddedAfter, p.position.Next
	page, err := p.client.Objects(ctx, p.collection, q)
	var refused *ResponseError
	if p.stored && q.Next != "" && errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		p.position.Next, q.Next = "", ""
		page, err = p.client.Objects(ctx, p.collection, q)
	}
	if err != nil {
		return err
	}
	p.page, p.hash, p.stored = page, pageHash{}, false
	return nil
}

// turn moves the position over a page that was given whole.
func (p *Poller) turn() error {
	page := p.page
	page.Close()
	p.page = nil
	last := p.later(page.DateAddedLast)
	if !page.More() {
		p.done = true
		p.position = Position{AddedAfter: last}
		return nil
	}
	if p.hash == (pageHash{}) {
		if p.empty++; p.empty > maxEmptyPages {
			return fmt.Errorf("%s says that there is more, but has sent %d empty pages in a row", bareURL(page.url), p.empty)
		}
	} else if p.empty = 0; p.seen[p.hash] {
		return fmt.Errorf("%s sends a page that it has sent before; going on would never end", bareURL(page.url))
	}
	p.seen[p.hash] = true
	if len(p.seen) > maxPages {
		return fmt.Errorf("%s sends more than %d pages; poll again from the position reached", bareURL(page.url), maxPages)
	}
	next := Position{AddedAfter: p.position.AddedAfter, Next: page.NextToken()}
	if next.Next == "" {
		next.AddedAfter = last
	}
	if next == p.position {
		return fmt.Errorf("%s says that there is more, but gives no way to it: no new next, and no later X-TAXII-Date-Added-Last", bareURL(page.url))
	}
	p.position = next
	return nil
}

// later is the position by date added after a page whose header says last: as the server wrote it, unless it is missing,
// malformed or before the position already reached.
func (p *Poller) later(last string) string {
	at, err := ParseDateAdded(last)
	if err != nil {
		return p.position.AddedAfter
	}
	if before, err := ParseDateAdded(p.position.AddedAfter); err == nil && before >= at {
		return p.position.AddedAfter
	}
	return last
}
