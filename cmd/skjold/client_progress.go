package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// mostBehind is up to how many objects a listing counts what a client has not read; beyond, it says that there are more.
const mostBehind = 1000

// clientProgress is how far a client has read one collection.
type clientProgress struct {
	collection taxii.Collection
	position   taxii.DateAdded // it has read everything up to here; 0: it has never polled the collection
	backlog    store.Backlog
}

// progressJSON is a clientProgress in the output of --json.
type progressJSON struct {
	Collection string `json:"collection"` // id
	Title      string `json:"title"`
	Position   string `json:"position,omitempty"`    // X-TAXII-Date-Added-Last; left out: never polled
	Behind     int    `json:"behind"`                // objects it may see and has not read, 1000 at most
	MoreBehind bool   `json:"more_behind,omitempty"` // there are more than 1000
	// LagSeconds is how long the oldest of those has been waiting; 0 for none.
	LagSeconds float64 `json:"lag_seconds"`
}

func (p clientProgress) lag(now time.Time) time.Duration {
	if p.backlog.Objects == 0 {
		return 0
	}
	return max(0, now.Sub(time.UnixMicro(int64(p.backlog.Oldest))))
}

func (p clientProgress) json(now time.Time) progressJSON {
	j := progressJSON{
		Collection: p.collection.ID, Title: p.collection.Title, Behind: p.backlog.Objects, MoreBehind: p.backlog.More,
		LagSeconds: p.lag(now).Seconds(),
	}
	if p.position > 0 {
		j.Position = p.position.String()
	}
	return j
}

// progressOf finds how far a client is with each collection that it reads, in the order of collections. An administrator
// may read everything and need not: only what it has polled counts. What is behind is counted up to most objects, and only
// what the sharing policy lets the client see.
func progressOf(ctx context.Context, st *store.Store, collections []taxii.Collection, c store.Client, most int) ([]clientProgress, error) {
	caller := &taxii.Principal{Kind: taxii.ClientAccount, Name: c.Name, Admin: c.Admin, Rights: c.Rights}
	var list []clientProgress
	for _, col := range collections {
		position, polled := c.Position[col.ID]
		if !caller.RightsOn(col.ID).Read || c.Admin && !polled {
			continue
		}
		p := clientProgress{collection: col, position: position}
		if position < col.Last {
			var err error
			p.backlog, err = st.Backlog(ctx, col.ID, position, most, func(m stix.MarkingSet, unknown bool) bool {
				return policy{}.Visible(caller, col, m, unknown)
			})
			if isNotFound(err) {
				continue // removed since
			} else if err != nil {
				return nil, err
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// clientsToJSON are clients with how far each of them has read.
func clientsToJSON(ctx context.Context, st *store.Store, clients []store.Client) ([]clientJSON, error) {
	collections, err := st.Collections(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	list := make([]clientJSON, 0, len(clients))
	for _, c := range clients {
		progress, err := progressOf(ctx, st, collections, c, mostBehind)
		if err != nil {
			return nil, err
		}
		j := clientToJSON(c)
		for _, p := range progress {
			j.Progress = append(j.Progress, p.json(now))
		}
		list = append(list, j)
	}
	return list, nil
}

// behindInWords tells of all collections together what a client has not read, and for how long the oldest has waited.
func (j clientJSON) behindInWords() string {
	if len(j.Progress) == 0 {
		return "-"
	}
	objects, more, lag, polled := 0, "", 0.0, false
	for _, p := range j.Progress {
		objects += p.Behind
		lag = max(lag, p.LagSeconds)
		polled = polled || p.Position != ""
		if p.MoreBehind {
			more = "+"
		}
	}
	switch {
	case !polled:
		return "all"
	case objects == 0:
		return "nothing"
	}
	return strconv.Itoa(objects) + more + ", " + inWords(time.Duration(lag*float64(time.Second)))
}

// inWords is a duration to the unit that matters.
func inWords(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// inShort is the beginning of a text of others that would make a listing too wide; --json and 'client show' have all of it.
func inShort(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most-1]) + "…"
}
