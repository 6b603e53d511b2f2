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
// before its limit where its objects exceed MaxBytes or 32 MiB, with More set; the object that exceeds it is the last.
func (s *Store) Entries(ctx context.Context, q taxii.Query) (taxii.Page, error) {
	page, err := s.page(ctx, q)
	if err == nil {
		s.metrics.count("served", len(page.Entries))
	}
	return page, err
}

// page is Entries without counting them as served.
func (s *Store) page(ctx context.Context, q taxii.Query) (taxii.Page, error) {
	var page taxii.Page
	if isSearch(q) {
		leave, err := s.enterSearch(ctx)
		if err != nil {
			return page, err
		}
		defer leave()
	}
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
		if isSearch(q) {
			return s.search(c, col, q, facets, &page)
		}
		plan, ok := newPagePlan(col, q, facets)
		if !ok {
			return nil
		}
		return plan.run(c, &page)
	})
	if err != nil {
		return taxii.Page{}, err
	}
	return page, nil
}

// pagePlan is how a page is read: which facets, and by which index.
type pagePlan struct {
	collection collection
	query      taxii.Query
	facets     map[int64]facet // the wanted ones that may have entries after the position
	others     []int64         // the others of those
	divided    divided
	until      taxii.DateAdded // no wanted entry is later
	places     []int64         // the seqs to choose from, nil for all
	args       []any
}

// newPagePlan decides about every facet that has entries after the position or is divided; false if nothing can be found.
func newPagePlan(col collection, q taxii.Query, facets []facet) (*pagePlan, bool) {
	p := &pagePlan{collection: col, query: q, facets: make(map[int64]facet)}
	visible := make(map[int64]bool) // by marking set: the policy is asked once for each
	newest := ""
	for _, f := range facets {
		see, asked := visible[f.setNumber]
		if !asked {
			see = q.Visible == nil || q.Visible(f.set, f.unknown)
			visible[f.setNumber] = see
		}
		see = see && wants(q.SpecVersions, f.specVersion)
		p.divided.add(f, see)
		if f.divided && see && len(q.SpecVersions) == 0 {
			p.divided.mixed = p.divided.mixed || newest != "" && newest != f.specVersion
			newest = f.specVersion
		}
		switch {
		case f.last <= q.After:
		case see && wants(q.Types, f.typ) && (len(q.TLPs) == 0 || slices.Contains(q.TLPs, f.set.TLP)):
			p.facets[f.number] = f
			p.until = max(p.until, f.last)
		default:
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

// pageBytes is the most octets of objects on a page.
func pageBytes(q taxii.Query) int64 {
	if q.MaxBytes > 0 {
		return min(maxPageBytes, q.MaxBytes)
	}
	return maxPageBytes
}

// run reads the page.
func (p *pagePlan) run(c conn, page *taxii.Page) error {
	size, most := int64(0), pageBytes(p.query)
	return p.each(c, func(e taxii.Entry) error {
		if len(page.Entries) == p.query.Limit || size > most {
			page.More = true
			return errStop
		}
		size += int64(len(e.Raw))
		page.Entries = append(page.Entries, e)
		return nil
	})
}

// each calls fn for the entries of the page and one more, until it returns an error; errStop ends it without one.
func (p *pagePlan) each(c conn, fn func(taxii.Entry) error) error {
	return c.Query(p.sql(), p.args, func(r row) error {
		f, ok := p.facets[r.Int(1)]
		if !ok {
			return fmt.Errorf("an entry of facet %d was read that was not asked for", r.Int(1))
		}
		e := taxii.Entry{DateAdded: taxii.DateAdded(r.Int(0)), ID: stix.Identifier(r.Text(2)), Version: r.Text(3), SpecVersion: f.specVersion,
			Level: f.set.Level(p.collection.DefaultTLP, f.unknown)}
		if p.query.Bytes {
			e.Raw = r.Bytes(4)
		}
		return fn(e)
	})
}

// sql writes the statement. Its shape decides the plan, since neither engine may guess: an index range on the log for
// all or most facets, a range per facet for a few or per version for exact ones, the object's versions where objects are
// named.
func (p *pagePlan) sql() string {
	columns := `e.date_added, e.facet, e.object, e.version`
	if p.query.Bytes {
		columns += `, e.raw`
	}
	if p.places != nil {
		return `SELECT ` + columns + ` FROM entry e WHERE e.seq IN (` + listOf(p, padded(p.places)) + `)` +
			and(append(p.facetCondition(), p.versionCondition()...)) + ` ORDER BY e.seq`
	}
	if ranges := p.ranges(); len(ranges) > 0 {
		return `SELECT ` + columns + ` FROM entry e WHERE e.seq IN (` + p.merged(ranges) + `) ORDER BY e.seq`
	}
	order := `e.date_added`
	conditions := []string{
		`e.collection = ` + p.arg(p.collection.number),
		`e.date_added > ` + p.arg(int64(p.query.After)),
		`e.date_added <= ` + p.arg(int64(p.until)),
	}
	if len(p.query.IDs) > 0 || p.exactOnly() {
		// The unary plus keeps the log's index out, so that only the versions of the objects named are read.
		order = `+` + order
		conditions[1] = `+` + conditions[1]
		conditions[2] = `+` + conditions[2]
	}
	if len(p.query.IDs) > 0 {
		conditions = append(conditions, `e.object IN (`+listOf(p, texts(p.query.IDs))+`)`)
	}
	conditions = append(conditions, p.facetCondition()...)
	conditions = append(conditions, p.versionCondition()...)
	return `SELECT ` + columns + ` FROM entry e WHERE ` + strings.Join(conditions, " AND ") +
		` ORDER BY ` + order + ` LIMIT ` + p.arg(p.query.Limit+1)
}

// listOf writes the placeholders of arguments.
func listOf[T any](p *pagePlan, values []T) string {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = p.arg(v)
	}
	return strings.Join(marks, ", ")
}

// facetCondition is the shorter of IN and NOT IN, for an entry called e. The unary plus keeps the facet's index out, which
// would need a sort.
func (p *pagePlan) facetCondition() []string {
	if len(p.others) == 0 {
		return nil
	}
	if len(p.others) < len(p.facets) {
		return []string{`+e.facet NOT IN (` + integers(sorted(p.others)) + `)`}
	}
	return []string{`+e.facet IN (` + integers(p.wanted()) + `)`}
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

// ranges are the index ranges to merge into a page: one for each exact version, or a few for each facet; none where
// another plan is better.
func (p *pagePlan) ranges() []string {
	switch {
	case len(p.query.IDs) > 0:
		return nil
	case p.exactOnly():
		return p.versionRanges()
	case p.byFacet():
		return p.facetRanges()
	}
	return nil
}

// byFacet tells whether a range per facet costs less than passing over the entries of the others: each range may give
// a whole page to the merge, and the log as many entries per wanted one as their share says.
func (p *pagePlan) byFacet() bool {
	if len(p.others) == 0 || len(p.facets) > maxStreams {
		return false
	}
	var wanted int64
	for _, f := range p.facets {
		wanted += f.entries
	}
	return wanted*int64(len(p.facets)) <= p.collection.Objects
}

// facetRanges are conditions for an entry called e, a range of the facets' index each.
func (p *pagePlan) facetRanges() []string {
	after := ` AND e.date_added > ` + p.arg(int64(p.query.After))
	version := and(p.versionCondition())
	if p.lastOnly() {
		version = "" // said by is_last
	}
	var ranges []string
	for _, n := range p.wanted() {
		add := func(isLast int, more string) {
			ranges = append(ranges, fmt.Sprintf(`e.facet = %d AND e.is_last = %d%s%s`, n, isLast, after, more))
		}
		if !p.lastOnly() {
			add(innerVersion, version)
		}
		add(soleEnd, version)
		if !p.facets[n].divided {
			continue
		}
		if p.lastOnly() && len(p.divided.counted) > 1 {
			add(facetEnd, ` AND NOT `+p.divided.outdone("is_last", ">"))
		} else {
			add(facetEnd, version)
		}
	}
	return ranges
}

// versionRanges are conditions for an entry called e, a range of the versions' index each; none for too many versions.
func (p *pagePlan) versionRanges() []string {
	keys := sortKeys(p.query.Version.Exact)
	if len(keys) > maxStreams {
		return nil
	}
	rest := fmt.Sprintf(` AND e.date_added > %s AND e.date_added <= %s%s%s`, p.arg(int64(p.query.After)), p.arg(int64(p.until)),
		and(p.facetCondition()), and(p.divided.isNewest()))
	collection := p.arg(p.collection.number)
	ranges := make([]string, len(keys))
	for i, key := range keys {
		ranges[i] = `e.collection = ` + collection + ` AND e.version_key = ` + p.arg(key) + rest
	}
	return ranges
}

// and continues a condition with others.
func and(conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return ` AND ` + strings.Join(conditions, ` AND `)
}

// merged selects the places of the page's entries from ranges of an index that are each in the order of date_added.
func (p *pagePlan) merged(ranges []string) string {
	limit := p.arg(p.query.Limit + 1)
	for i, condition := range ranges {
		ranges[i] = fmt.Sprintf(`SELECT * FROM (SELECT e.seq, e.date_added FROM entry e WHERE %s ORDER BY e.date_added LIMIT %s) s%d`, condition, limit, i)
	}
	return `SELECT seq FROM (SELECT seq, date_added FROM (` + strings.Join(ranges, ` UNION ALL `) + `) u ORDER BY date_added LIMIT ` + limit + `) p`
}

// padded repeats the last of at least one place until there are a power of two of them, so that the statements are few.
func padded(places []int64) []int64 {
	list := slices.Clone(places)
	for len(list)&(len(list)-1) != 0 {
		list = append(list, places[len(places)-1])
	}
	return list
}

func texts(ids []stix.Identifier) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return list
}
