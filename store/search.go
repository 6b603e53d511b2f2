package store

import (
	"fmt"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// Conditions on properties, and whether an object really has a value, are decided by the object's bytes. A search reads
// candidates by the same statements as any page (so that rights and versions are decided in one place) and keeps what
// satisfies. It reads on until the page is full and the next one is known not to be empty, but looks at a bounded number
// of objects:
type looks struct {
	enough int // after how many a search returns what it has found
	most   int // after how many a search that has found nothing is given up
}

var defaultLooks = looks{enough: 50_000, most: 500_000}

// firstLook and widestLook are how many candidates are read at a time, at first and at most.
const firstLook, widestLook = 128, 4096

// search is one query that is decided by the objects' bytes.
type search struct {
	store      *Store
	conn       conn
	collection collection
	query      taxii.Query
	facets     []facet
	conditions *stix.Conditions
	page       *taxii.Page

	size, most int64 // octets of the page's objects, and the most
	looked     int
	full       bool // there is an entry more than the page holds
}

// isSearch tells queries that are decided by the objects' bytes.
func isSearch(q taxii.Query) bool { return len(q.Values) > 0 || len(q.Conditions) > 0 }

// search fills the page.
func (s *Store) search(c conn, col collection, q taxii.Query, facets []facet, page *taxii.Page) error {
	conditions, err := stix.CompileConditions(q.Conditions)
	if err != nil {
		return fmt.Errorf("the conditions of a query: %w", err)
	}
	x := &search{store: s, conn: c, collection: col, query: q, facets: facets, conditions: conditions, page: page, most: pageBytes(q)}
	x.query.Visible = rememberAnswers(q.Visible)
	if len(q.Values) > 0 && len(q.IDs) == 0 {
		if err := unreadEntries(c); err != nil {
			return err
		}
		return x.byValue()
	}
	return x.through()
}

// rememberAnswers asks the policy once for each marking set, however many batches there are.
func rememberAnswers(visible func(stix.MarkingSet, bool) bool) func(stix.MarkingSet, bool) bool {
	if visible == nil {
		return nil
	}
	type question struct {
		set     string
		unknown bool
	}
	answers := make(map[question]bool)
	return func(m stix.MarkingSet, unknown bool) bool {
		q := question{m.Key(), unknown}
		answer, asked := answers[q]
		if !asked {
			answer = visible(m, unknown)
			answers[q] = answer
		}
		return answer
	}
}

// byValue looks at the entries that the observable table knows for the values.
func (x *search) byValue() error {
	behind, err := number(x.conn, `SELECT seq FROM entry WHERE collection = $1 AND date_added <= $2 ORDER BY date_added DESC LIMIT 1`,
		x.collection.number, int64(x.query.After))
	if err != nil {
		return err
	}
	plan, ok := x.plan(x.query.After)
	if !ok {
		return nil
	}
	for width := firstLook; ; width = min(2*width, widestLook) {
		places, err := postings(x.conn, x.collection.number, x.query.Values, behind, width)
		if err != nil || len(places) == 0 {
			return err
		}
		behind = places[len(places)-1]
		plan.places, plan.args = places, nil
		plan.query.Limit = len(places)
		if err := plan.each(x.conn, x.look); err != nil || x.full {
			return err
		}
		x.looked += len(places)
		if len(places) < width {
			return nil
		}
		if ended, err := x.ends(); err != nil || ended {
			until, err := number(x.conn, `SELECT date_added FROM entry WHERE seq <= $1 AND collection = $2 ORDER BY seq DESC LIMIT 1`, behind, x.collection.number)
			x.page.Until = taxii.DateAdded(until)
			return err
		}
	}
}

// plan is how candidates after a position are read; false if there are none.
func (x *search) plan(after taxii.DateAdded) (*pagePlan, bool) {
	q := x.query
	q.After, q.Bytes = after, true
	return newPagePlan(x.collection, q, x.facets)
}

// through looks at the candidates in the order of date_added.
func (x *search) through() error {
	key := x.key()
	after, err := x.recall(key)
	if err != nil {
		return err
	}
	for width := firstLook; ; width = min(2*width, widestLook) {
		plan, ok := x.plan(after)
		if !ok {
			return nil
		}
		plan.query.Limit = width - 1 // a page is read with one more
		rows := 0
		err := plan.each(x.conn, func(e taxii.Entry) error {
			rows, after = rows+1, e.DateAdded
			return x.look(e)
		})
		if err != nil || x.full || rows < width {
			return err
		}
		x.looked += rows
		if err := x.remember(key, after); err != nil {
			return err
		}
		if ended, err := x.ends(); err != nil || ended {
			x.page.Until = after
			return err
		}
	}
}

// look takes a candidate into the page if it satisfies the query.
func (x *search) look(e taxii.Entry) error {
	if !x.satisfies(e.Raw) {
		return nil
	}
	if len(x.page.Entries) == x.query.Limit || x.size > x.most {
		x.full, x.page.More = true, true
		return errStop
	}
	if x.query.Bytes {
		x.size += int64(len(e.Raw))
	} else {
		e.Raw = nil
	}
	x.page.Entries = append(x.page.Entries, e)
	return nil
}

func (x *search) satisfies(raw []byte) bool {
	if !x.conditions.Hold(raw) {
		return false
	}
	if len(x.query.Values) == 0 {
		return true
	}
	values := stix.ObservableValues(raw, x.store.patternValues)
	return slices.ContainsFunc(x.query.Values, func(v string) bool { _, found := slices.BinarySearch(values, v); return found })
}

// ends tells whether the search has looked at enough. What it has found is then a page, and nothing found is an error: a
// page that says that there is more is never empty.
func (x *search) ends() (bool, error) {
	switch {
	case x.looked >= x.store.looks.enough && len(x.page.Entries) > 0:
		x.page.More = true
		return true, nil
	case x.looked >= x.store.looks.most:
		return true, fmt.Errorf("nothing was found among %d objects; the same query again goes on where this one ended: %w", x.looked, taxii.ErrUnavailable)
	}
	return false, nil
}
