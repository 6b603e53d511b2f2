package store

import (
	"slices"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// The values of an entry's is_first and is_last. The versions of one object may be of several facets, of which a caller
// sees some; so every facet of an object has ends of its own, and which of them is the object's is decided per query.
const (
	innerVersion = 0 // an earlier (a later) version of the same facet is held: the object's end for nobody
	soleEnd      = 1 // the object has no other facet: its end for everybody who sees it
	facetEnd     = 2 // the object's end for those who see no end of another facet that is farther out
)

// divided is what must be known of the facets whose objects have versions of other facets too.
type divided struct {
	// counted are those of a query's wanted specification versions that its caller sees; uncounted are the others.
	counted, uncounted []int64
	// mixed: the counted ones are of several specification versions, and the query names none: the newest counts.
	mixed bool
}

// add notes a facet.
func (d *divided) add(f facet, counts bool) {
	if !f.divided {
		return
	}
	if counts {
		d.counted = append(d.counted, f.number)
	} else {
		d.uncounted = append(d.uncounted, f.number)
	}
}

// condition restricts a facet end called o to the counted ones, by the shorter of IN and NOT IN. The unary plus keeps the
// facet's index out.
func (d *divided) condition() string {
	switch {
	case len(d.uncounted) == 0:
		return ""
	case len(d.uncounted) < len(d.counted):
		return ` AND +o.facet NOT IN (` + integers(sorted(d.uncounted)) + `)`
	}
	return ` AND +o.facet IN (` + integers(sorted(d.counted)) + `)`
}

const (
	specOf = `(SELECT f.spec_version FROM facet f WHERE f.number = e.facet)`
	ofSame = `o.collection = e.collection AND o.object = e.object`
)

// outdone tells that an end called e of its facet (flag is_first or is_last) is not the object's end, because the caller
// sees another facet's end farther out (order is < or >), or one of a newer specification. It reads no other versions:
// whatever outdoes e, the end of its facet does too.
func (d *divided) outdone(flag, order string) string {
	from, farther := `entry o`, `o.version_key `+order+` e.version_key`
	if d.mixed {
		from += ` JOIN facet g ON g.number = o.facet`
		farther = `(g.spec_version > ` + specOf + ` OR g.spec_version = ` + specOf + ` AND ` + farther + `)`
	}
	return `EXISTS (SELECT 1 FROM ` + from + ` WHERE ` + ofSame + ` AND o.` + flag + ` = 2 AND ` + farther + d.condition() + `)`
}

// isEnd is the condition that e is the object's first or last version for the caller.
func (d *divided) isEnd(flag, order string) []string {
	if len(d.counted) < 2 { // nothing that counts is divided from anything else that counts
		return []string{`e.` + flag + ` > 0`}
	}
	return []string{`e.` + flag + ` > 0`, `(e.` + flag + ` = 1 OR NOT ` + d.outdone(flag, order) + `)`}
}

// isNewest is the condition that e is of the newest specification version that the caller sees of the object.
func (d *divided) isNewest() []string {
	if !d.mixed {
		return nil
	}
	return []string{`(e.is_last = 1 OR e.is_first = 1 OR NOT EXISTS (SELECT 1 FROM entry o JOIN facet g ON g.number = o.facet
		WHERE ` + ofSame + ` AND o.is_last = 2 AND g.spec_version > ` + specOf + d.condition() + `))`}
}

// versionCondition is match[version], and match[spec_version] where none is named, for an entry called e.
func (p *pagePlan) versionCondition() []string {
	v, d := p.query.Version, &p.divided
	if v.All {
		return d.isNewest()
	}
	var any [][]string
	if v.First {
		any = append(any, d.isEnd("is_first", "<"))
	}
	if v.Last || !v.First && len(v.Exact) == 0 {
		any = append(any, d.isEnd("is_last", ">"))
	}
	if len(v.Exact) > 0 {
		any = append(any, append([]string{`e.version_key IN (` + p.list(sortKeys(v.Exact)) + `)`}, d.isNewest()...))
	}
	if len(any) == 1 {
		return any[0]
	}
	alternatives := make([]string, len(any))
	for i, conditions := range any {
		alternatives[i] = `(` + strings.Join(conditions, " AND ") + `)`
	}
	return []string{`(` + strings.Join(alternatives, ` OR `) + `)`}
}

// exactOnly tells that the query asks for versions by their time and for nothing else.
func (p *pagePlan) exactOnly() bool {
	v := p.query.Version
	return len(v.Exact) > 0 && !v.All && !v.First && !v.Last
}

// lastOnly tells that the query asks for the last versions and for nothing else.
func (p *pagePlan) lastOnly() bool {
	v := p.query.Version
	return !v.All && !v.First && len(v.Exact) == 0
}

// sortKeys lists the keys of instants, each once.
func sortKeys(list []stix.Timestamp) []string {
	keys := make([]string, len(list))
	for i, t := range list {
		keys[i] = t.SortKey()
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
