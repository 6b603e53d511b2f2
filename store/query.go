package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// maxPageBytes bounds the object bytes of a page, whatever its limit; a page holds one object at least.
	maxPageBytes = 32 << 20
	// maxStreams is how many facets are at most read each by its own index range and merged; where more are wanted, the
	// collection's log is read and the others passed over.
	maxStreams = 64
)

// Entries answers a query from one snapshot; see taxii.Store. The zero VersionMatch means the last versions. A page ends
// before its limit where its objects exceed 32 MiB, with More set.
func (s *Store) Entries(ctx context.Context, q taxii.Query) (taxii.Page, error) {
	var page taxii.Page
	err := s.read(ctx, func(c conn) error {
		page = taxii.Page{}
		col, err := collectionByID(c, q.Collection)
		if err != nil {
			return err
		}
		page.Collection = col.Collection
		facets, err := s.facets(c, col.number, q.After)
		if err != nil {
			return err
		}
		s.sets.remember(facets)
		plan, ok := newPagePlan(col, q, facets)
		if !ok {
			return nil
		}
		return plan.run(c, &page)
	})
	if err != nil {
		return taxii.Page{}, err
	}
	s.metrics.count("served", len(page.Entries))
	return page, nil
}

// pagePlan is how a page is read: which facets, and by which index.
type pagePlan struct {
	collection collection
	query      taxii.Query
	facets     map[int64]facet // the wanted ones that may have entries after the position
	others     []int64         // the others of those
	until      taxii.DateAdded // no wanted entry is later
	args       []any
}

// newPagePlan decides about every facet; false if nothing can be found.
func newPagePlan(col collection, q taxii.Query, facets []facet) (*pagePlan, bool) {
	p := &pagePlan{collection: col, query: q, facets: make(map[int64]facet)}
	visible := make(map[int64]bool) // by marking set: the policy is asked once for each
	for _, f := range facets {
		see, asked := visible[f.setNumber]
		if !asked {
			see = q.Visible == nil || q.Visible(f.set, f.unknown)
			visible[f.setNumber] = see
		}
		if see && wants(q.Types, f.typ) && wants(q.SpecVersions, f.specVersion) {
			p.facets[f.number] = f
			p.until = max(p.until, f.last)
		} else {
			p.others = append(p.others, f.number)
		}
	}
	return p, len(p.facets) > 0 && q.Limit > 0
}

func wants(list []string, value string) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// arg adds an argument and returns its placeholder.
func (p *pagePlan) arg(value any) string {
	p.args = append(p.args, value)
	return "$" + strconv.Itoa(len(p.args))
}

// run reads the page.
func (p *pagePlan) run(c conn, page *taxii.Page) error {
	size := 0
	return c.Query(p.sql(), p.args, func(r row) error {
		if len(page.Entries) == p.query.Limit || size > maxPageBytes {
			page.More = true
			return errStop
		}
		f, ok := p.facets[r.Int(1)]
		if !ok {
			return fmt.Errorf("an entry of facet %d was read that was not asked for", r.Int(1))
		}
		e := taxii.Entry{DateAdded: taxii.DateAdded(r.Int(0)), ID: stix.Identifier(r.Text(2)), Version: r.Text(3), SpecVersion: f.specVersion}
		if p.query.Bytes {
			e.Raw = r.Bytes(4)
			size += len(e.Raw)
		}
		page.Entries = append(page.Entries, e)
		return nil
	})
}

// sql writes the statement. Its shape decides the plan, since neither engine may guess: an index range on the log for
// all or most facets, a range per facet for a few, the object's versions where objects are named.
func (p *pagePlan) sql() string {
	columns := `e.date_added, e.facet, e.object, e.version`
	if p.query.Bytes {
		columns += `, e.raw`
	}
	if p.byFacet() {
		return `SELECT ` + columns + ` FROM entry e WHERE e.seq IN (` + p.merged() + `) ORDER BY e.seq`
	}
	order := `e.date_added`
	conditions := []string{
		`e.collection = ` + p.arg(p.collection.number),
		`e.date_added > ` + p.arg(int64(p.query.After)),
		`e.date_added <= ` + p.arg(int64(p.until)),
	}
	if len(p.query.IDs) > 0 {
		// The unary plus keeps the log's index out, so that only the versions of the objects named are read.
		order = `+` + order
		conditions[1] = `+` + conditions[1]
		conditions[2] = `+` + conditions[2]
		conditions = append(conditions, `e.object IN (`+p.list(texts(p.query.IDs))+`)`)
	}
	conditions = append(conditions, p.facetCondition("e")...)
	conditions = append(conditions, p.versionCondition("e")...)
	return `SELECT ` + columns + ` FROM entry e WHERE ` + strings.Join(conditions, " AND ") +
		` ORDER BY ` + order + ` LIMIT ` + p.arg(p.query.Limit+1)
}

func (p *pagePlan) list(values []string) string {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = p.arg(v)
	}
	return strings.Join(marks, ", ")
}

// facetCondition is the shorter of IN and NOT IN. The unary plus keeps the facet's index out, which would need a sort.
func (p *pagePlan) facetCondition(e string) []string {
	if len(p.others) == 0 {
		return nil
	}
	if len(p.others) < len(p.facets) {
		return []string{`+` + e + `.facet NOT IN (` + integers(sorted(p.others)) + `)`}
	}
	return []string{`+` + e + `.facet IN (` + integers(p.wanted()) + `)`}
}

func (p *pagePlan) wanted() []int64 {
	list := make([]int64, 0, len(p.facets))
	for n := range p.facets {
		list = append(list, n)
	}
	return sorted(list)
}

func sorted(list []int64) []int64 {
	slices.Sort(list)
	return list
}

// byFacet tells whether a range per facet costs less than passing over the entries of the others: each range may give
// a whole page to the merge, and the log as many entries per wanted one as their share says.
func (p *pagePlan) byFacet() bool {
	if len(p.query.IDs) > 0 || len(p.others) == 0 || len(p.facets) > maxStreams || p.collection.mixed {
		return false
	}
	var wanted int64
	for _, f := range p.facets {
		wanted += f.entries
	}
	return wanted*int64(len(p.facets)) <= p.collection.Objects
}

// merged selects the places of the page's entries from a range of each facet.
func (p *pagePlan) merged() string {
	after, limit := p.arg(int64(p.query.After)), p.arg(p.query.Limit+1)
	last, version := []int{1}, ""
	if v := p.query.Version; v.All || v.First || len(v.Exact) > 0 {
		last = []int{0, 1}
		for _, condition := range p.versionCondition("r") {
			version += ` AND ` + condition
		}
	}
	var ranges []string
	for _, n := range p.wanted() {
		for _, isLast := range last {
			ranges = append(ranges, fmt.Sprintf(`SELECT * FROM (SELECT r.seq, r.date_added FROM entry r
				WHERE r.facet = %d AND r.is_last = %d AND r.date_added > %s%s
				ORDER BY r.date_added LIMIT %s) s%d`,
				n, isLast, after, version, limit, len(ranges)))
		}
	}
	return `SELECT seq FROM (SELECT seq, date_added FROM (` + strings.Join(ranges, ` UNION ALL `) + `) u ORDER BY date_added LIMIT ` + limit + `) p`
}

// versionCondition is match[version], for an entry called e.
func (p *pagePlan) versionCondition(e string) []string {
	v := p.query.Version
	var any []string
	if p.collection.mixed {
		return p.mixedCondition(e)
	}
	switch {
	case v.All:
		return nil
	case !v.First && !v.Last && len(v.Exact) == 0:
		return []string{e + `.is_last = 1`}
	}
	if v.First {
		any = append(any, e+`.is_first = 1`)
	}
	if v.Last {
		any = append(any, e+`.is_last = 1`)
	}
	if len(v.Exact) > 0 {
		any = append(any, e+`.version_key IN (`+p.list(sortKeys(v.Exact))+`)`)
	}
	if len(any) == 1 {
		return any
	}
	return []string{`(` + strings.Join(any, ` OR `) + `)`}
}

// mixedCondition is match[version] and match[spec_version] where objects of one id may be of different specification
// versions: first and last are then among the versions of the wanted specification, which is the newest one held of the
// object where none is named.
func (p *pagePlan) mixedCondition(e string) []string {
	specOf := func(entry string) string {
		return `(SELECT f.spec_version FROM facet f WHERE f.number = ` + entry + `.facet)`
	}
	newest := `(SELECT MAX(f.spec_version) FROM entry n JOIN facet f ON f.number = n.facet
		WHERE n.collection = ` + e + `.collection AND n.object = ` + e + `.object)`
	eligible := func(entry string) string {
		if len(p.query.SpecVersions) > 0 {
			return specOf(entry) + ` IN (` + p.list(p.query.SpecVersions) + `)`
		}
		return specOf(entry) + ` = ` + newest
	}
	none := func(order string) string {
		return `NOT EXISTS (SELECT 1 FROM entry o WHERE o.collection = ` + e + `.collection AND o.object = ` + e + `.object
			AND o.version_key ` + order + ` ` + e + `.version_key AND ` + eligible("o") + `)`
	}
	conditions := []string{eligible(e)}
	v := p.query.Version
	if v.All {
		return conditions
	}
	var any []string
	if v.First {
		any = append(any, none("<"))
	}
	if v.Last || !v.First && len(v.Exact) == 0 {
		any = append(any, none(">"))
	}
	if len(v.Exact) > 0 {
		any = append(any, e+`.version_key IN (`+p.list(sortKeys(v.Exact))+`)`)
	}
	return append(conditions, `(`+strings.Join(any, ` OR `)+`)`)
}

func texts(ids []stix.Identifier) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return list
}

func sortKeys(list []stix.Timestamp) []string {
	keys := make([]string, len(list))
	for i, t := range list {
		keys[i] = t.SortKey()
	}
	return keys
}
