package store

import (
	"slices"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// The values of an entry's is_first and is_last. Of each facet they mark the first version, and the last: the earliest one
// that revokes the object, or else the latest. The versions of one object may be of several facets, of which a caller
// sees some; so every facet of an object has ends of its own, and which of them is the object's is decided per query.
const (
	innerVersion = 0 // another version of the same facet is its first (its last): the object's end for nobody
	soleEnd      = 1 // the object has no other facet: its end for everybody who sees it
	facetEnd     = 2 // the object's end for those who see no end of another facet that is farther out
)

// divided is what must be known of the facets whose objects have versions of other facets too.
type divided struct {
	// counted are those of a query's wanted specification versions that its caller sees; uncounted are the others.
	counted, uncounted []int64
	// revoking: some counted facet has or had a revocation.
	revoking bool
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
		d.revoking = d.revoking || f.revoking
	} else {
		d.uncounted = append(d.uncounted, f.number)
	}
}

// condition restricts a facet end to the counted ones, by the shorter of IN and NOT IN. The unary plus keeps the facet's
// index out.
func (d *divided) condition(end string) string {
	switch {
	case len(d.uncounted) == 0:
		return ""
	case len(d.uncounted) < len(d.counted):
		return ` AND +` + end + `.facet NOT IN (` + integers(sorted(d.uncounted)) + `)`
	}
	return ` AND +` + end + `.facet IN (` + integers(sorted(d.counted)) + `)`
}

const ofSame = `o.collection = e.collection AND o.object = e.object`

// specOf is the specification version of an entry.
func specOf(entry string) string {
	return `(SELECT f.spec_version FROM facet f WHERE f.number = ` + entry + `.facet)`
}

// sourceOf is where an entry came from.
func sourceOf(entry string) string {
	return `(SELECT m.source FROM facet f JOIN marking_set m ON m.number = f.marking_set WHERE f.number = ` + entry + `.facet)`
}

// outdone tells that an end called e of its facet (flag is_first or is_last) is not the object's end, because the caller
// sees another facet's end farther out (order is < or >), or one of a newer specification, or because it comes after a
// revocation. It reads no other versions: whatever outdoes e, the end of its facet does too.
func (d *divided) outdone(flag, order string) string {
	from, farther := `entry o`, `o.version_key `+order+` e.version_key`
	if d.revoking && flag == "is_last" {
		farther += ` AND NOT ` + d.revoked("o")
	}
	if d.mixed {
		from += ` JOIN facet g ON g.number = o.facet`
		farther = `(g.spec_version > ` + specOf("e") + ` OR g.spec_version = ` + specOf("e") + ` AND ` + farther + `)`
	}
	outdone := `EXISTS (SELECT 1 FROM ` + from + ` WHERE ` + ofSame + ` AND o.` + flag + ` = 2 AND ` + farther + d.condition("o") + `)`
	if d.revoking && flag == "is_last" {
		return `(` + outdone + ` OR ` + d.revoked("e") + `)`
	}
	return outdone
}

// revoked tells that an end of its facet does not count, because the caller sees an earlier revocation of the object that
// came from the same source or was published at this node. What one peer revokes ends the versions of no other.
func (d *divided) revoked(end string) string {
	same := ""
	if d.mixed {
		same = ` AND ` + specOf("r") + ` = ` + specOf(end)
	}
	return `EXISTS (SELECT 1 FROM entry r WHERE r.collection = ` + end + `.collection AND r.object = ` + end + `.object
		AND r.revoked = 1 AND r.version_key < ` + end + `.version_key` + d.condition("r") + same + `
		AND ` + sourceOf("r") + ` IN ('', ` + sourceOf(end) + `))`
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
		WHERE ` + ofSame + ` AND o.is_last = 2 AND g.spec_version > ` + specOf("e") + d.condition("o") + `))`}
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
		any = append(any, append([]string{`e.version_key IN (` + listOf(p, sortKeys(v.Exact)) + `)`}, d.isNewest()...))
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
