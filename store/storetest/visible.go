package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

var visibleTests = []testCase{
	{"a hidden version hides no other", testHiddenVersions},
	{"a hidden version that is deleted changes nothing for those who did not see it", testHiddenDeleted},
	{"a hidden version keeps nothing from being deleted as first or last", testDeleteFirstLastSeen},
	{"pollers of either side of a division get what they may see", testDividedPollers},
	{"queries agree with the definition", testOracle},
}

// upTo sees levels up to one.
func upTo(l stix.TLP) func(stix.MarkingSet, bool) bool {
	return func(m stix.MarkingSet, _ bool) bool { return m.TLP <= l }
}

// testHiddenVersions has, for each end of the versions of an object and for its specification versions, one that the
// caller does not see, in both orders of arrival.
func testHiddenVersions(t *testing.T, f *Fixture) {
	of := func(n, day int, level stix.TLP, spec string) *stix.Object {
		return object{n: n, modified: fmt.Sprintf("2026-01-%02dT00:00:00.000Z", day), spec: spec, marks: []stix.Identifier{stix.MarkingOf(level)}}.make()
	}
	objects := []*stix.Object{
		of(1, 1, stix.TLPGreen, "2.1"), of(1, 2, stix.TLPRed, "2.1"), // the newest is hidden
		of(2, 1, stix.TLPRed, "2.1"), of(2, 2, stix.TLPGreen, "2.1"), // the first is hidden
		of(3, 1, stix.TLPGreen, "2.0"), of(3, 2, stix.TLPGreen, "2.0"), of(3, 3, stix.TLPRed, "2.1"), // the newest specification is hidden
		of(4, 1, stix.TLPGreen, "2.1"), of(4, 2, stix.TLPRed, "2.1"), of(4, 3, stix.TLPGreen, "2.1"), // one between is hidden
		of(5, 1, stix.TLPGreen, "2.1"), // nothing is hidden
		of(6, 1, stix.TLPRed, "2.1"),   // everything is hidden
		of(7, 1, stix.TLPClear, "2.1"), of(7, 2, stix.TLPGreen, "2.1"), of(7, 3, stix.TLPRed, "2.0"),
	}
	at := func(n int, days ...int) (list []string) {
		for _, day := range days {
			list = append(list, fmt.Sprintf("indicator-%03d 2026-01-%02dT00:00:00.000Z", n, day))
		}
		return list
	}
	for _, arrival := range []string{"in order", "in reverse"} {
		c := f.collection(t, "Hidden, "+arrival)
		list := slices.Clone(objects)
		if arrival == "in reverse" {
			slices.Reverse(list)
		}
		for _, o := range list {
			f.add(t, c, o)
		}
		for _, q := range []struct {
			name  string
			level stix.TLP
			specs []string
			match taxii.VersionMatch
			want  [][]string // by object
		}{
			{"last", stix.TLPGreen, nil, taxii.VersionMatch{}, [][]string{at(1, 1), at(2, 2), at(3, 2), at(4, 3), at(5, 1), nil, at(7, 2)}},
			{"last, everything seen", stix.TLPRed, nil, taxii.VersionMatch{Last: true}, [][]string{at(1, 2), at(2, 2), at(3, 3), at(4, 3), at(5, 1), at(6, 1), at(7, 2)}},
			{"first", stix.TLPGreen, nil, taxii.VersionMatch{First: true}, [][]string{at(1, 1), at(2, 2), at(3, 1), at(4, 1), at(5, 1), nil, at(7, 1)}},
			{"first, everything seen", stix.TLPRed, nil, taxii.VersionMatch{First: true}, [][]string{at(1, 1), at(2, 1), at(3, 3), at(4, 1), at(5, 1), at(6, 1), at(7, 1)}},
			{"first and last", stix.TLPGreen, nil, taxii.VersionMatch{First: true, Last: true}, [][]string{at(1, 1), at(2, 2), at(3, 1, 2), at(4, 1, 3), at(5, 1), nil, at(7, 1, 2)}},
			{"all", stix.TLPGreen, nil, taxii.VersionMatch{All: true}, [][]string{at(1, 1), at(2, 2), at(3, 1, 2), at(4, 1, 3), at(5, 1), nil, at(7, 1, 2)}},
			{"all, everything seen", stix.TLPRed, nil, taxii.VersionMatch{All: true}, [][]string{at(1, 1, 2), at(2, 1, 2), at(3, 3), at(4, 1, 2, 3), at(5, 1), at(6, 1), at(7, 1, 2)}},
			{"last of 2.0 and 2.1", stix.TLPGreen, []string{"2.0", "2.1"}, taxii.VersionMatch{}, [][]string{at(1, 1), at(2, 2), at(3, 2), at(4, 3), at(5, 1), nil, at(7, 2)}},
			{"last of 2.0 and 2.1, everything seen", stix.TLPRed, []string{"2.0", "2.1"}, taxii.VersionMatch{}, [][]string{at(1, 2), at(2, 2), at(3, 3), at(4, 3), at(5, 1), at(6, 1), at(7, 3)}},
			{"exact", stix.TLPGreen, nil, taxii.VersionMatch{Exact: []stix.Timestamp{timestamp("2026-01-02T00:00:00Z")}}, [][]string{nil, at(2, 2), at(3, 2), nil, nil, nil, at(7, 2)}},
			{"exact, everything seen", stix.TLPRed, nil, taxii.VersionMatch{Exact: []stix.Timestamp{timestamp("2026-01-02T00:00:00Z")}}, [][]string{at(1, 2), at(2, 2), nil, at(4, 2), nil, nil, at(7, 2)}},
		} {
			t.Run(q.name+", "+arrival, func(t *testing.T) {
				query := taxii.Query{Collection: c.ID, SpecVersions: q.specs, Version: q.match, Visible: upTo(q.level)}
				want := slices.Concat(q.want...)
				got := names(f.follow(t, query, 2))
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("of the collection (-want +got):\n%s", diff)
				}
				for i, want := range q.want { // as one object and its versions are asked for
					query.IDs, query.Bytes = []stix.Identifier{id("indicator", i+1)}, i%2 == 0
					got := names(f.follow(t, query, 1))
					slices.Sort(got)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("of object %d (-want +got):\n%s", i+1, diff)
					}
				}
			})
		}
	}
}

// follow reads all pages of a query.
func (f *Fixture) follow(t *testing.T, q taxii.Query, limit int) []taxii.Entry {
	t.Helper()
	q.Limit = limit
	var list []taxii.Entry
	for {
		p := f.page(t, q)
		list = append(list, p.Entries...)
		if !p.More {
			return list
		}
		if len(p.Entries) == 0 {
			t.Fatal("an empty page says that there is more")
		}
		q.After = p.Entries[len(p.Entries)-1].DateAdded
	}
}

func testHiddenDeleted(t *testing.T, f *Fixture) {
	c := f.collection(t, "Hidden and deleted")
	f.add(t, c, indicator(1, 1, stix.TLPGreen), indicator(2, 1, stix.TLPGreen))
	q := taxii.Query{Collection: c.ID, Visible: upTo(stix.TLPGreen)}
	before := f.page(t, q)
	f.add(t, c, indicator(1, 2, stix.TLPRed))
	hidden := f.page(t, q)
	if n := f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Version: taxii.VersionMatch{Last: true}}); n != 1 {
		t.Fatalf("%d versions deleted, want the red one", n)
	}
	after := f.page(t, q)
	for what, page := range map[string]taxii.Page{"with the hidden version": hidden, "after it was deleted": after} {
		if diff := cmp.Diff(before.Entries, page.Entries); diff != "" {
			t.Errorf("%s (-before +got):\n%s", what, diff)
		}
	}
	q.Visible = nil
	if diff := cmp.Diff(before.Entries, f.page(t, q).Entries); diff != "" {
		t.Errorf("for who sees everything, after it was deleted (-before +got):\n%s", diff)
	}
	f.add(t, c, indicator(1, 3, stix.TLPGreen)) // of one facet again
	q.Visible = upTo(stix.TLPGreen)
	if diff := cmp.Diff([]string{"indicator-002 2026-01-01T00:00:00.000Z", "indicator-001 2026-01-03T00:00:00.000Z"}, names(f.page(t, q).Entries)); diff != "" {
		t.Errorf("after a further version (-want +got):\n%s", diff)
	}
}

func testDeleteFirstLastSeen(t *testing.T, f *Fixture) {
	c := f.collection(t, "First and last seen")
	f.add(t, c, indicator(1, 1, stix.TLPRed), indicator(1, 2, stix.TLPGreen), indicator(1, 3, stix.TLPClear), indicator(1, 4, stix.TLPGreen), indicator(1, 5, stix.TLPRed))
	d := taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Visible: upTo(stix.TLPGreen), Version: taxii.VersionMatch{First: true, Last: true}}
	if n := f.delete(t, d); n != 2 {
		t.Errorf("first and last: %d deleted, want 2", n)
	}
	want := []string{"indicator-001 2026-01-01T00:00:00.000Z", "indicator-001 2026-01-03T00:00:00.000Z", "indicator-001 2026-01-05T00:00:00.000Z"}
	if diff := cmp.Diff(want, names(f.all(t, c))); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	d.Version = taxii.VersionMatch{}
	if n := f.delete(t, d); n != 1 {
		t.Errorf("everything that is seen: %d deleted, want 1", n)
	}
	if _, err := f.Store.Delete(t.Context(), d); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Delete of what is hidden: %v, want ErrNotFound", err)
	}
	if n := len(f.all(t, c)); n != 2 {
		t.Errorf("%d entries are left, want the two hidden ones", n)
	}
}

// testDividedPollers has pollers on both sides of a division read after each submission.
func testDividedPollers(t *testing.T, f *Fixture) {
	c := f.collection(t, "Divided")
	var followers []*poller
	for _, l := range []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPRed} {
		for _, match := range []taxii.VersionMatch{{}, {All: true}} {
			followers = append(followers, &poller{name: fmt.Sprint(l, match.All), visible: upTo(l), match: match, jump: true,
				random: rand.New(rand.NewPCG(1, uint64(l))), got: make(map[string]taxii.DateAdded)})
		}
	}
	random := rand.New(rand.NewPCG(2, 3))
	levels := []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPRed}
	sent := make(map[string]bool)
	newest := make(map[string]map[stix.TLP]int) // by object: the last day that who sees up to a level sees
	for range 120 {
		n, day := 1+random.IntN(6), 1+random.IntN(28)
		if sent[fmt.Sprint(n, day)] {
			continue
		}
		sent[fmt.Sprint(n, day)] = true
		level := levels[(n*day)%3]
		f.add(t, c, indicator(n, day, level))
		for _, l := range levels {
			if level <= l {
				key := short(id("indicator", n))
				if newest[key] == nil {
					newest[key] = make(map[stix.TLP]int)
				}
				newest[key][l] = max(newest[key][l], day)
			}
		}
		for i, p := range followers {
			if err := p.drain(t.Context(), f.Store, c.ID); err != nil {
				t.Fatalf("poller %s: %v", p.name, err)
			}
			for key, days := range newest { // whoever polls has the newest that it may see
				day := days[levels[i/2]]
				if day == 0 {
					continue
				}
				want := fmt.Sprintf("%s 2026-01-%02dT00:00:00.000Z", id("indicator", int(key[len(key)-1]-'0')), day)
				if _, ok := p.got[want]; !ok {
					t.Fatalf("poller %s does not have %s", p.name, want)
				}
			}
		}
	}
	for i, p := range followers {
		if !p.match.All {
			continue
		}
		held := f.follow(t, taxii.Query{Collection: c.ID, Visible: upTo(levels[i/2]), Version: p.match}, 100)
		if len(held) != len(p.got) || len(held) == 0 {
			t.Errorf("poller %s has %d versions, %d are held", p.name, len(p.got), len(held))
		}
	}
}

// oracleEntry is an entry as the oracle sees it.
type oracleEntry struct {
	taxii.Entry
	at    stix.Timestamp
	level stix.TLP
}

// oracle answers a query by its definition: first and last are among the versions of the object that the caller sees and
// that are of the wanted specifications, or of the newest one that the caller sees.
func oracle(list []oracleEntry, q taxii.Query, level stix.TLP) []string {
	counts := func(e oracleEntry) bool {
		return e.level <= level && (len(q.SpecVersions) == 0 || slices.Contains(q.SpecVersions, e.SpecVersion))
	}
	var out []string
	for _, e := range list {
		match := counts(e) && e.DateAdded > q.After &&
			(len(q.IDs) == 0 || slices.Contains(q.IDs, e.ID)) && (len(q.Types) == 0 || slices.Contains(q.Types, e.ID.Type()))
		first, last := true, true
		for _, o := range list {
			if o.ID != e.ID || !counts(o) {
				continue
			}
			if len(q.SpecVersions) == 0 {
				match = match && o.SpecVersion <= e.SpecVersion
				if o.SpecVersion != e.SpecVersion {
					continue
				}
			}
			first, last = first && o.at.Compare(e.at) >= 0, last && o.at.Compare(e.at) <= 0
		}
		v := q.Version
		match = match && (v.All || v.First && first || v.Last && last || !v.First && len(v.Exact) == 0 && last ||
			slices.ContainsFunc(v.Exact, e.at.Equal))
		if match {
			out = append(out, short(e.ID)+" "+e.Version)
		}
	}
	return out
}

// testOracle compares random queries of random collections with the definition.
func testOracle(t *testing.T, f *Fixture) {
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 7))
		c := f.collection(t, fmt.Sprint("Oracle ", seed))
		specs := []string{"2.1", "2.1", "2.0"}
		if seed == 0 {
			specs = specs[:1]
		}
		types := []string{"indicator", "malware", "tool"}
		levels := make(map[string]stix.TLP)
		for range 14 {
			var list []*stix.Object
			for range 1 + random.IntN(9) {
				n, day := random.IntN(14), 1+random.IntN(9)
				d := object{typ: types[n%3], n: n, modified: fmt.Sprintf("2026-01-%02dT00:00:00.000Z", day), spec: specs[(n+day*5)%len(specs)]}
				level := stix.TLPGreen
				if n%2 == 0 { // the others keep theirs
					level = stix.TLP(1 + (n*day+day)%5)
				}
				d.marks = []stix.Identifier{stix.MarkingOf(level)}
				levels[short(id(d.typ, n))+" "+d.modified] = level
				list = append(list, d.make())
			}
			f.add(t, c, list...)
			if random.IntN(3) == 0 {
				n := random.IntN(14)
				match := taxii.VersionMatch{First: random.IntN(2) == 0, Last: true}
				_, err := f.Store.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: id(types[n%3], n), Version: match, Visible: upTo(stix.TLP(1 + random.IntN(5)))})
				if err != nil && !errors.Is(err, taxii.ErrNotFound) {
					t.Fatal(err)
				}
				f.verify(t)
			}
			f.compareWithOracle(t, c, levels, random)
			if t.Failed() {
				return
			}
		}
	}
}

func (f *Fixture) compareWithOracle(t *testing.T, c taxii.Collection, levels map[string]stix.TLP, random *rand.Rand) {
	t.Helper()
	var held []oracleEntry
	for _, e := range f.follow(t, taxii.Query{Collection: c.ID, SpecVersions: []string{"2.0", "2.1"}, Version: taxii.VersionMatch{All: true}}, 1000) {
		held = append(held, oracleEntry{Entry: e, at: timestamp(e.Version), level: levels[short(e.ID)+" "+e.Version]})
	}
	exact := func(n int) (list []stix.Timestamp) {
		for range n {
			list = append(list, timestamp(fmt.Sprintf("2026-01-%02dT00:00:00Z", 1+random.IntN(9))))
		}
		return list
	}
	for range 12 {
		q := taxii.Query{Collection: c.ID}
		q.Version = []taxii.VersionMatch{{}, {Last: true}, {First: true}, {First: true, Last: true}, {All: true}, {Exact: exact(1)}, {Exact: exact(3)},
			{First: true, Exact: exact(1)}, {Last: true, Exact: exact(2)}, {Exact: exact(70)}}[random.IntN(10)]
		q.SpecVersions = [][]string{nil, nil, {"2.1"}, {"2.0"}, {"2.0", "2.1"}}[random.IntN(5)]
		q.Types = [][]string{nil, nil, {"tool"}, {"indicator", "tool"}}[random.IntN(4)]
		if random.IntN(4) == 0 {
			q.IDs = []stix.Identifier{id("indicator", 3*random.IntN(5)), id("tool", 2+3*random.IntN(4))}
		}
		if random.IntN(3) == 0 && len(held) > 0 {
			q.After = held[random.IntN(len(held))].DateAdded
		}
		level := stix.TLP(random.IntN(6))
		want := oracle(held, q, level)
		q.Visible = upTo(level)
		got := names(f.follow(t, q, 1+random.IntN(12)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", describe(q, level), diff)
		}
	}
}

func describe(q taxii.Query, level stix.TLP) string {
	return strings.Join([]string{fmt.Sprintf("match %+v", q.Version), fmt.Sprint("specifications ", q.SpecVersions), fmt.Sprint("types ", q.Types),
		fmt.Sprint("ids ", q.IDs), fmt.Sprint("after ", int64(q.After)), fmt.Sprint("up to ", level)}, ", ")
}
