package storetest

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// object describes an object for a test; the zero value of a field is its usual one.
type object struct {
	typ      string // indicator
	n        int    // numbers the id
	modified string // 2026-01-01T00:00:00.000Z; "-" for none
	spec     string // 2.1
	marks    []stix.Identifier
	owner    int    // numbers created_by_ref
	created  string // 2025-12-01T00:00:00.000Z
	revoked  bool
	text     string
}

// id is the nth identifier of a type.
func id(typ string, n int) stix.Identifier {
	return stix.Identifier(fmt.Sprintf("%s--5a1f0000-0000-4000-8000-%012x", typ, n))
}

// parse reads an object as a node does.
func parse(raw string) *stix.Object {
	o, err := stix.Parse([]byte(raw), stix.DefaultLimits())
	if err != nil {
		panic(fmt.Sprintf("storetest: the object of a test can't be read: %v: %s", err, raw))
	}
	return o
}

// make writes the object.
func (d object) make() *stix.Object {
	if d.typ == "" {
		d.typ = "indicator"
	}
	if d.modified == "" {
		d.modified = "2026-01-01T00:00:00.000Z"
	}
	if d.spec == "" {
		d.spec = "2.1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":%q,"id":%q`, d.typ, id(d.typ, d.n))
	if d.spec != "2.0" {
		fmt.Fprintf(&b, `,"spec_version":%q`, d.spec)
	}
	if d.modified != "-" {
		fmt.Fprintf(&b, `,"created":%q,"modified":%q`, cmp.Or(d.created, "2025-12-01T00:00:00.000Z"), d.modified)
	}
	if d.revoked {
		b.WriteString(`,"revoked":true`)
	}
	if d.owner != 0 {
		fmt.Fprintf(&b, `,"created_by_ref":%q`, id("identity", d.owner))
	}
	for i, m := range d.marks {
		if i == 0 {
			b.WriteString(`,"object_marking_refs":[`)
		} else {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q", m)
	}
	if len(d.marks) > 0 {
		b.WriteByte(']')
	}
	fmt.Fprintf(&b, `,"name":%q}`, "object "+fmt.Sprint(d.n)+d.text)
	return parse(b.String())
}

// indicator is the nth indicator in a version of the given day of January 2026, marked with a level.
func indicator(n, day int, level stix.TLP) *stix.Object {
	d := object{n: n, modified: fmt.Sprintf("2026-01-%02dT00:00:00.000Z", day)}
	if m := stix.MarkingOf(level); m != "" {
		d.marks = []stix.Identifier{m}
	}
	return d.make()
}

// address is a cyber-observable, which has no version of its own.
func address(n int, text string) *stix.Object {
	return parse(fmt.Sprintf(`{"type":"ipv4-addr","id":%q,"value":"198.51.100.%d%s"}`, id("ipv4-addr", n), n, text))
}

// statement is a marking definition that informs and does not restrict.
func statement(n int) *stix.Object { return statementOf(n, "2025-12-01T00:00:00.000Z") }

// laterStatement is the same definition with a later time of creation.
func laterStatement(n int) *stix.Object { return statementOf(n, "2025-12-02T00:00:00.000Z") }

func statementOf(n int, created string) *stix.Object {
	return parse(fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":%q,"definition_type":"statement","definition":{"statement":"Copyright %d"}}`,
		id("marking-definition", n), created, n))
}
