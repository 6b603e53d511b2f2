package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

var queryTests = []testCase{
	{"filters restrict and combine", testFilters},
	{"pages are cut at the limit and by position", testPaging},
	{"a page is bounded in bytes", testPageBytes},
	{"first and last are among the wanted specification versions", testSpecVersions},
	{"rare types and levels are found in a large collection", testRare},
	{"a collection that does not exist is not found", testNoCollection},
}

func testFilters(t *testing.T, f *Fixture) {
	c := f.collection(t, "Filters")
	f.add(t, c,
		indicator(1, 1, stix.TLPGreen),
		object{typ: "malware", n: 2, modified: "2026-01-02T00:00:00.000Z"}.make(),
		address(3, ""),
		indicator(1, 3, stix.TLPGreen),
		indicator(4, 1, stix.TLPAmber),
		object{typ: "tool", n: 5}.make(),
		indicator(1, 2, stix.TLPRed))
	scos := f.page(t, taxii.Query{Collection: c.ID, Types: []string{"ipv4-addr"}})
	ip := "ipv4-addr-003 " + scos.Entries[0].Version
	const i1d1, i1d2, i1d3 = "indicator-001 2026-01-01T00:00:00.000Z", "indicator-001 2026-01-02T00:00:00.000Z", "indicator-001 2026-01-03T00:00:00.000Z"
	const malware, i4, tool = "malware-002 2026-01-02T00:00:00.000Z", "indicator-004 2026-01-01T00:00:00.000Z", "tool-005 2026-01-01T00:00:00.000Z"
	exact := func(text ...string) (m taxii.VersionMatch) {
		for _, s := range text {
			m.Exact = append(m.Exact, timestamp(s))
		}
		return m
	}
	all := taxii.VersionMatch{All: true}
	for _, q := range []struct {
		name  string
		query taxii.Query
		want  []string
	}{
		{"nothing: the last versions", taxii.Query{}, []string{malware, ip, i1d3, i4, tool}},
		{"all versions", taxii.Query{Version: all}, []string{i1d1, malware, ip, i1d3, i4, tool, i1d2}},
		{"first versions", taxii.Query{Version: taxii.VersionMatch{First: true}}, []string{i1d1, malware, ip, i4, tool}},
		{"first and last", taxii.Query{Version: taxii.VersionMatch{First: true, Last: true}}, []string{i1d1, malware, ip, i1d3, i4, tool}},
		{"an exact version", taxii.Query{Version: exact("2026-01-02T00:00:00Z")}, []string{malware, i1d2}},
		{"exact versions and first", taxii.Query{Version: taxii.VersionMatch{First: true, Exact: exact("2026-01-03T00:00:00Z").Exact}}, []string{i1d1, malware, ip, i1d3, i4, tool}},
		{"a version that no object has", taxii.Query{Version: exact("2026-02-01T00:00:00Z")}, nil},
		{"one type", taxii.Query{Types: []string{"tool"}}, []string{tool}},
		{"two types", taxii.Query{Types: []string{"tool", "ipv4-addr"}}, []string{ip, tool}},
		{"a type that no object has", taxii.Query{Types: []string{"grouping"}}, nil},
		{"a type, all versions", taxii.Query{Types: []string{"indicator"}, Version: all}, []string{i1d1, i1d3, i4, i1d2}},
		{"one id", taxii.Query{IDs: []stix.Identifier{id("indicator", 1)}}, []string{i1d3}},
		{"one id, all versions", taxii.Query{IDs: []stix.Identifier{id("indicator", 1)}, Version: all}, []string{i1d1, i1d3, i1d2}},
		{"two ids, one unknown", taxii.Query{IDs: []stix.Identifier{id("tool", 5), id("tool", 6)}}, []string{tool}},
		{"an id and another type", taxii.Query{IDs: []stix.Identifier{id("tool", 5)}, Types: []string{"malware"}}, nil},
		{"an id and its type", taxii.Query{IDs: []stix.Identifier{id("tool", 5), id("malware", 2)}, Types: []string{"malware"}}, []string{malware}},
		{"a specification version", taxii.Query{SpecVersions: []string{"2.1"}, Types: []string{"tool"}}, []string{tool}},
		{"a specification version that is not held", taxii.Query{SpecVersions: []string{"2.0"}}, nil},
		{"a level", taxii.Query{Visible: level(stix.TLPGreen), Version: all}, []string{i1d1, i1d3}},
		{"a level that hides the last version", taxii.Query{Visible: level(stix.TLPRed)}, []string{i1d2}},
		{"a level and a type", taxii.Query{Visible: level(stix.TLPUnmarked), Types: []string{"tool", "indicator"}}, []string{tool}},
		{"a level and an id", taxii.Query{Visible: level(stix.TLPRed), IDs: []stix.Identifier{id("indicator", 1)}, Version: all}, []string{i1d2}},
		{"nothing visible", taxii.Query{Visible: func(stix.MarkingSet, bool) bool { return false }, Version: all}, nil},
	} {
		t.Run(q.name, func(t *testing.T) {
			q.query.Collection = c.ID
			for limit := 1; limit <= 8; limit++ { // paging changes nothing
				q.query.Limit, q.query.After = limit, 0
				var got []string
				for {
					p := f.page(t, q.query)
					got = append(got, names(p.Entries)...)
					if !p.More {
						break
					}
					if len(p.Entries) != limit {
						t.Fatalf("limit %d: a page of %d entries says that there are more", limit, len(p.Entries))
					}
					q.query.After = p.Entries[limit-1].DateAdded
				}
				if diff := cmp.Diff(q.want, got); diff != "" {
					t.Errorf("limit %d (-want +got):\n%s", limit, diff)
				}
			}
		})
	}
}

// level sees one level only.
func level(l stix.TLP) func(stix.MarkingSet, bool) bool {
	return func(m stix.MarkingSet, _ bool) bool { return m.TLP == l }
}

func testPaging(t *testing.T, f *Fixture) {
	c := f.collection(t, "Paging")
	p := f.page(t, taxii.Query{Collection: c.ID})
	if len(p.Entries) != 0 || p.More || p.Collection.ID != c.ID || p.Collection.Last != c.Created {
		t.Errorf("page of an empty collection: %+v", p)
	}
	f.add(t, c, indicator(1, 1, 0), indicator(2, 1, 0), indicator(3, 1, 0))
	for _, want := range []struct {
		limit, n int
		more     bool
	}{{1, 1, true}, {2, 2, true}, {3, 3, false}, {4, 3, false}} {
		p := f.page(t, taxii.Query{Collection: c.ID, Limit: want.limit})
		if len(p.Entries) != want.n || p.More != want.more {
			t.Errorf("limit %d: %d entries, more %v; want %d, %v", want.limit, len(p.Entries), p.More, want.n, want.more)
		}
	}
	last := f.page(t, taxii.Query{Collection: c.ID}).Entries[2].DateAdded
	for after, want := range map[taxii.DateAdded]int{0: 3, last - 1: 1, last: 0, last + 1: 0, 1 << 62: 0} {
		if p := f.page(t, taxii.Query{Collection: c.ID, After: after}); len(p.Entries) != want || p.More {
			t.Errorf("after %d: %d entries, more %v; want %d", after, len(p.Entries), p.More, want)
		}
	}
}

func testPageBytes(t *testing.T, f *Fixture) {
	c := f.collection(t, "Large")
	text := make([]byte, 7<<20)
	for i := range text {
		text[i] = 'x'
	}
	for n := range 6 {
		f.add(t, c, object{n: n, text: string(text)}.make())
	}
	p := f.page(t, taxii.Query{Collection: c.ID, Bytes: true})
	if len(p.Entries) != 5 || !p.More {
		t.Fatalf("six objects of 7 MiB: a page of %d, more %v; want 5 and more", len(p.Entries), p.More)
	}
	p = f.page(t, taxii.Query{Collection: c.ID, Bytes: true, After: p.Entries[4].DateAdded})
	if len(p.Entries) != 1 || p.More {
		t.Errorf("the next page has %d, more %v; want 1 and no more", len(p.Entries), p.More)
	}
	for most, want := range map[int64]int{1: 1, 8 << 20: 2, 1 << 40: 5} {
		p := f.page(t, taxii.Query{Collection: c.ID, Bytes: true, MaxBytes: most})
		if len(p.Entries) == 0 || len(p.Entries) > want || !p.More {
			t.Errorf("at most %d bytes: a page of %d, more %v; want 1 to %d and more", most, len(p.Entries), p.More, want)
		}
	}
	if p := f.page(t, taxii.Query{Collection: c.ID}); len(p.Entries) != 6 {
		t.Errorf("a page without bytes has %d entries, want 6", len(p.Entries))
	}
}

func testSpecVersions(t *testing.T, f *Fixture) {
	c := f.collection(t, "Specifications")
	of := func(n, day int, spec string) *stix.Object {
		return object{n: n, modified: fmt.Sprintf("2026-01-%02dT00:00:00.000Z", day), spec: spec}.make()
	}
	f.add(t, c, of(1, 5, "2.1"), of(2, 1, "2.1"), of(3, 1, "2.0"))
	f.add(t, c, of(1, 3, "2.0"), of(1, 7, "2.0"), of(1, 4, "2.1"), of(2, 2, "2.1"))
	at := func(n, day int) string { return fmt.Sprintf("indicator-%03d 2026-01-%02dT00:00:00.000Z", n, day) }
	for _, q := range []struct {
		name  string
		specs []string
		match taxii.VersionMatch
		want  []string
	}{
		{"the newest specification of each object, last", nil, taxii.VersionMatch{}, []string{at(1, 5), at(3, 1), at(2, 2)}},
		{"the newest specification of each object, first", nil, taxii.VersionMatch{First: true}, []string{at(2, 1), at(3, 1), at(1, 4)}},
		{"the newest specification of each object, all", nil, taxii.VersionMatch{All: true}, []string{at(1, 5), at(2, 1), at(3, 1), at(1, 4), at(2, 2)}},
		{"2.0, last", []string{"2.0"}, taxii.VersionMatch{Last: true}, []string{at(3, 1), at(1, 7)}},
		{"2.0, first", []string{"2.0"}, taxii.VersionMatch{First: true}, []string{at(3, 1), at(1, 3)}},
		{"2.1, all", []string{"2.1"}, taxii.VersionMatch{All: true}, []string{at(1, 5), at(2, 1), at(1, 4), at(2, 2)}},
		{"both, last", []string{"2.0", "2.1"}, taxii.VersionMatch{Last: true}, []string{at(3, 1), at(1, 7), at(2, 2)}},
		{"exact in another specification", []string{"2.1"}, taxii.VersionMatch{Exact: []stix.Timestamp{timestamp("2026-01-07T00:00:00Z")}}, nil},
	} {
		p := f.page(t, taxii.Query{Collection: c.ID, SpecVersions: q.specs, Version: q.match})
		if diff := cmp.Diff(q.want, names(p.Entries)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", q.name, diff)
		}
		for _, e := range p.Entries {
			if e.ID == id("indicator", 3) && e.SpecVersion != "2.0" || e.ID == id("indicator", 2) && e.SpecVersion != "2.1" {
				t.Errorf("%s: %s has specification version %s", q.name, e.ID, e.SpecVersion)
			}
		}
	}
}

// testRare has few wanted entries among many others, before, between and after them.
func testRare(t *testing.T, f *Fixture) {
	c := f.collection(t, "Rare")
	var want []string
	n := 0
	common := func(count int) {
		var list []*stix.Object
		for range count {
			n++
			list = append(list, indicator(n, 1, stix.TLPAmber))
		}
		f.add(t, c, list...)
	}
	rare := func() {
		n++
		f.add(t, c, object{typ: "malware", n: n, marks: []stix.Identifier{stix.MarkingOf(stix.TLPGreen)}}.make(), object{typ: "tool", n: n}.make())
		want = append(want, fmt.Sprintf("malware-%03x 2026-01-01T00:00:00.000Z", n), fmt.Sprintf("tool-%03x 2026-01-01T00:00:00.000Z", n))
	}
	common(100)
	rare()
	common(100)
	rare()
	rare()
	common(200)
	for _, q := range []taxii.Query{
		{Types: []string{"malware", "tool"}},
		{Visible: func(m stix.MarkingSet, _ bool) bool { return m.TLP < stix.TLPAmber }},
		{Types: []string{"malware", "tool"}, Version: taxii.VersionMatch{All: true}},
		{Types: []string{"malware", "tool"}, Version: taxii.VersionMatch{First: true, Exact: []stix.Timestamp{timestamp("2026-01-01T00:00:00Z")}}},
	} {
		for _, limit := range []int{1, 3, 100} {
			q.Collection, q.Limit, q.After = c.ID, limit, 0
			var got []string
			for {
				p := f.page(t, q)
				got = append(got, names(p.Entries)...)
				if !p.More {
					break
				}
				q.After = p.Entries[len(p.Entries)-1].DateAdded
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%+v, limit %d (-want +got):\n%s", q, limit, diff)
			}
		}
	}
}

func testNoCollection(t *testing.T, f *Fixture) {
	const nowhere = "00000000-0000-4000-8000-000000000000"
	if _, err := f.Store.Entries(t.Context(), taxii.Query{Collection: nowhere, Limit: 1}); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Entries: %v, want ErrNotFound", err)
	}
	if _, err := f.Store.Collection(t.Context(), nowhere); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Collection: %v, want ErrNotFound", err)
	}
	if _, err := f.Store.Add(t.Context(), taxii.Submission{Collection: nowhere, Items: []taxii.Item{{Object: indicator(1, 1, 0)}}}); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Add: %v, want ErrNotFound", err)
	}
}
