package sync

import (
	"fmt"

	"github.com/skjold-exchange/skjold/stix"
)

// maxToken bounds a peer's page token in bytes: it is stored.
const maxToken = 4 << 10

// pageEnd is what a page says about itself: X-TAXII-Date-Added-Last, more and next.
type pageEnd struct {
	dateAddedLast string
	more          bool
	next          string
	objects       int // how many elements the page had
}

// advance returns the cursor after a page. It never moves past the page, and an error instead of a cursor that would
// ask for the same page again, or for an older one: a peer that does not come forward must not keep a node busy.
//
// An empty page leaves the date where it is; a token that led to it has served.
func advance(from Cursor, end pageEnd) (Cursor, error) {
	if len(end.next) > maxToken {
		return from, fmt.Errorf("the peer's page token has %d bytes; at most %d are accepted", len(end.next), maxToken)
	}
	if end.objects == 0 {
		if end.more {
			return from, fmt.Errorf("the peer says that there is more, but sends an empty page")
		}
		return Cursor{AddedAfter: from.AddedAfter}, nil
	}
	last, err := stix.ParseTimestamp(end.dateAddedLast)
	if err != nil {
		return from, fmt.Errorf("the peer's X-TAXII-Date-Added-Last is %.64q, not a TAXII timestamp; without it the pull cannot go on", end.dateAddedLast)
	}
	if from.AddedAfter != "" {
		before, err := stix.ParseTimestamp(from.AddedAfter)
		if err != nil {
			return from, fmt.Errorf("the stored cursor %.64q is damaged; reset the subscription: %w", from.AddedAfter, err)
		}
		if last.Compare(before) <= 0 {
			return from, fmt.Errorf("the peer makes no progress: it sent objects up to %s when asked for those after %s", end.dateAddedLast, from.AddedAfter)
		}
	}
	to := Cursor{AddedAfter: end.dateAddedLast}
	if end.more { // without a token the pull goes on from the date
		to.Next = end.next
	}
	return to, nil
}
