package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

var searchTests = []testCase{
	{"objects are found by value", testValues},
	{"what was deleted is not found by value", testValuesDeleted},
	{"values are found in their own collection", testValuesElsewhere},
	{"what becomes servable is found by value at its new place", testValuesMoved},
	{"values, levels and properties agree with the definition", testSearchOracle},
	{"conditions that mean nothing are refused", testBadConditions},
}

// searchable is an object whose values and properties are known to its test.
type searchable struct {
	*stix.Object
	level      stix.TLP
	values     []string       // in canonical form
	properties map[string]any // as JSON has them
}

// spelling is a value as a pattern or an observable writes it.
type spelling struct{ typ, written, canonical string }

var spellings = []spelling{
	{"ipv4-addr", "203.0.113.7", "203.0.113.7"}, {"ipv4-addr", "203.0.113.7/32", "203.0.113.7"}, {"ipv4-addr", "203.0.113.0/24", "203.0.113.0/24"},
	{"ipv6-addr", "2001:DB8:0::1", "2001:db8::1"}, {"ipv6-addr", "2001:db8::1", "2001:db8::1"},
	{"domain-name", "A.Example", "a.example"}, {"domain-name", "a.example.", "a.example"},
	{"url", "HTTPS://A.Example/x,Y", "https://a.example/x,Y"}, {"email-addr", "Doe@A.EXAMPLE", "Doe@a.example"},
	{"mac-addr", "00-00-5E-00-53-01", "00:00:5e:00:53:01"},
}

// indicatorOf is an indicator that names values, with further properties.
func indicatorOf(n, day int, level stix.TLP, properties map[string]any, named ...spelling) searchable {
	var terms []string
	s := searchable{level: level, properties: map[string]any{}}
	for _, v := range named {
		terms = append(terms, fmt.Sprintf("%s:value = '%s'", v.typ, v.written))
		s.values = append(s.values, v.canonical)
	}
	all := map[string]any{
		"type": "indicator", "spec_version": "2.1", "id": id("indicator", n), "created": "2025-12-01T00:00:00.000Z",
		"modified": fmt.Sprintf("2026-01-%02dT00:00:00.000Z", day), "pattern_type": "stix", "pattern": "[" + strings.Join(terms, " OR ") + "]",
	}
	if m := stix.MarkingOf(level); m != "" {
		all["object_marking_refs"] = []any{m}
	}
	maps.Copy(s.properties, all)
	maps.Copy(s.properties, properties)
	return s.made()
}

// observableOf is a cyber-observable with a value, which has no version.
func observableOf(n int, v spelling) searchable {
	s := searchable{level: stix.TLPUnmarked, values: []string{v.canonical}}
	s.properties = map[string]any{"type": v.typ, "id": id(v.typ, n), "value": v.written}
	return s.made()
}

func (s searchable) made() searchable {
	raw, err := json.Marshal(s.properties)
	if err != nil {
		panic(err)
	}
	s.Object = parse(string(raw))
	return s
}

func objectsOf(list ...searchable) []*stix.Object {
	objects := make([]*stix.Object, len(list))
	for i, s := range list {
		objects[i] = s.Object
	}
	return objects
}

func testValues(t *testing.T, f *Fixture) {
	c := f.collection(t, "Values")
	ip, same, network, other := spellings[0], spellings[1], spellings[2], spellings[5]
	f.add(t, c, objectsOf(
		indicatorOf(1, 1, stix.TLPGreen, nil, ip),
		indicatorOf(2, 1, stix.TLPGreen, nil, other, same),
		indicatorOf(3, 1, stix.TLPGreen, nil, network),
		observableOf(4, ip), observableOf(5, other),
		indicatorOf(6, 1, stix.TLPRed, nil, ip),
		indicatorOf(7, 1, stix.TLPGreen, nil, ip), indicatorOf(7, 2, stix.TLPGreen, nil, other))...)
	for _, q := range []struct {
		name  string
		query taxii.Query
		want  []string // without versions
	}{
		{"an address", taxii.Query{Values: []string{"203.0.113.7"}}, []string{"indicator-001", "indicator-002", "ipv4-addr-004", "indicator-006"}},
		{"for who does not see all", taxii.Query{Values: []string{"203.0.113.7"}, Visible: upTo(stix.TLPGreen)}, []string{"indicator-001", "indicator-002", "ipv4-addr-004"}},
		{"a network", taxii.Query{Values: []string{"203.0.113.0/24"}}, []string{"indicator-003"}},
		{"one of two", taxii.Query{Values: []string{"203.0.113.0/24", "a.example"}}, []string{"indicator-002", "indicator-003", "domain-name-005", "indicator-007"}},
		{"all versions", taxii.Query{Values: []string{"203.0.113.7"}, Version: taxii.VersionMatch{All: true}, IDs: []stix.Identifier{id("indicator", 7)}}, []string{"indicator-007"}},
		{"a type", taxii.Query{Values: []string{"203.0.113.7"}, Types: []string{"ipv4-addr"}}, []string{"ipv4-addr-004"}},
		{"a value that nothing has", taxii.Query{Values: []string{"203.0.113.8"}}, nil},
		{"very many values", taxii.Query{Values: append(manyValues(900), "203.0.113.7", "a.example"), Types: []string{"ipv4-addr", "domain-name"}}, []string{"ipv4-addr-004", "domain-name-005"}},
		{"a level", taxii.Query{Values: []string{"203.0.113.7"}, TLPs: []stix.TLP{stix.TLPRed}}, []string{"indicator-006"}},
		{"unmarked", taxii.Query{TLPs: []stix.TLP{stix.TLPUnmarked}}, []string{"ipv4-addr-004", "domain-name-005"}},
	} {
		q.query.Collection = c.ID
		for limit := 1; limit <= 8; limit++ {
			var got []string
			for _, e := range f.follow(t, q.query, limit) {
				got = append(got, short(e.ID))
			}
			if diff := cmp.Diff(q.want, got); diff != "" {
				t.Errorf("%s, limit %d (-want +got):\n%s", q.name, limit, diff)
			}
		}
	}
	p := f.page(t, taxii.Query{Collection: c.ID, Values: []string{"a.example"}, Bytes: true, Types: []string{"domain-name"}})
	if len(p.Entries) != 1 || string(p.Entries[0].Raw) != string(observableOf(5, other).Raw) {
		t.Errorf("with bytes: %+v", p.Entries)
	}
	p = f.page(t, taxii.Query{Collection: c.ID, Values: []string{"a.example"}})
	for _, e := range p.Entries {
		if e.Raw != nil {
			t.Errorf("bytes that were not asked for: %s", e.Raw)
		}
	}
}

func manyValues(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("v%d.example", i)
	}
	return list
}

func testValuesDeleted(t *testing.T, f *Fixture) {
	c := f.collection(t, "Deleted")
	ip := spellings[0]
	f.add(t, c, objectsOf(indicatorOf(1, 1, stix.TLPGreen, nil, ip), indicatorOf(1, 2, stix.TLPGreen, nil, spellings[5]), indicatorOf(2, 1, stix.TLPGreen, nil, ip))...)
	q := taxii.Query{Collection: c.ID, Values: []string{ip.canonical}}
	for _, step := range []struct {
		delete taxii.Deletion
		want   []string
	}{
		{taxii.Deletion{ID: id("indicator", 1), Version: taxii.VersionMatch{Last: true}}, []string{"indicator-001 2026-01-01T00:00:00.000Z", "indicator-002 2026-01-01T00:00:00.000Z"}},
		{taxii.Deletion{ID: id("indicator", 2)}, []string{"indicator-001 2026-01-01T00:00:00.000Z"}},
		{taxii.Deletion{ID: id("indicator", 1)}, nil},
	} {
		step.delete.Collection = c.ID
		f.delete(t, step.delete)
		f.verify(t)
		if diff := cmp.Diff(step.want, names(f.page(t, q).Entries)); diff != "" {
			t.Errorf("after deleting %s (-want +got):\n%s", step.delete.ID, diff)
		}
	}
	f.add(t, c, indicatorOf(2, 1, stix.TLPGreen, nil, ip).Object)
	if diff := cmp.Diff([]string{"indicator-002 2026-01-01T00:00:00.000Z"}, names(f.page(t, q).Entries)); diff != "" {
		t.Errorf("after it was stored again (-want +got):\n%s", diff)
	}
	if err := f.Node.RemoveCollection(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
}

func testValuesElsewhere(t *testing.T, f *Fixture) {
	a, b := f.collection(t, "A"), f.collection(t, "B")
	f.add(t, a, indicatorOf(1, 1, stix.TLPGreen, nil, spellings[0]).Object)
	f.add(t, b, indicatorOf(2, 1, stix.TLPGreen, nil, spellings[0]).Object)
	for c, want := range map[string]string{a.ID: "indicator-001 2026-01-01T00:00:00.000Z", b.ID: "indicator-002 2026-01-01T00:00:00.000Z"} {
		if diff := cmp.Diff([]string{want}, names(f.page(t, taxii.Query{Collection: c, Values: []string{"203.0.113.7"}}).Entries)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func testValuesMoved(t *testing.T, f *Fixture) {
	c := f.collection(t, "Moved")
	marked := map[string]any{"object_marking_refs": []any{id("marking-definition", 1)}}
	hidden := indicatorOf(1, 1, stix.TLPUnmarked, marked, spellings[0])
	f.add(t, c, hidden.Object, indicatorOf(2, 1, stix.TLPGreen, nil, spellings[0]).Object)
	q := taxii.Query{Collection: c.ID, Values: []string{spellings[0].canonical}, Visible: func(_ stix.MarkingSet, unknown bool) bool { return !unknown }}
	if diff := cmp.Diff([]string{"indicator-002 2026-01-01T00:00:00.000Z"}, names(f.page(t, q).Entries)); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	f.add(t, c, statement(1))
	if diff := cmp.Diff([]string{"indicator-002 2026-01-01T00:00:00.000Z", "indicator-001 2026-01-01T00:00:00.000Z"}, names(f.page(t, q).Entries)); diff != "" {
		t.Errorf("after its marking became known (-want +got):\n%s", diff)
	}
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1)})
	f.verify(t)
}

func testBadConditions(t *testing.T, f *Fixture) {
	c := f.collection(t, "Bad")
	_, err := f.Store.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 1, Conditions: []stix.Condition{{Property: "confidence", Type: stix.IntegerProperty, Values: []string{"x"}}}})
	if err == nil || errors.Is(err, taxii.ErrUnavailable) || errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Entries: %v, want an internal error", err)
	}
}

// testSearchOracle compares random queries of random collections with the definition.
func testSearchOracle(t *testing.T, f *Fixture) {
	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(seed, 11))
		c := f.collection(t, fmt.Sprint("Search ", seed))
		known := make(map[string]searchable) // by name
		levels := make(map[string]stix.TLP)
		for range 8 {
			var list []searchable
			for range 1 + random.IntN(8) {
				list = append(list, randomSearchable(random))
			}
			status := f.submit(t, c, objectsOf(list...)...)
			for i, s := range list {
				name := short(s.ID) + " " + s.Version().String()
				if _, ok := known[name]; ok || status.FailureCount > 0 && slices.ContainsFunc(status.Failures, func(d taxii.StatusDetail) bool {
					return d.ID == string(s.ID) && d.Version == s.Version().String()
				}) {
					continue
				}
				known[name] = list[i]
				levels[name] = s.level
			}
			if random.IntN(3) == 0 {
				_, err := f.Store.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: id("indicator", random.IntN(9)), Version: taxii.VersionMatch{Last: true}, Visible: upTo(stix.TLP(1 + random.IntN(5)))})
				if err != nil && !errors.Is(err, taxii.ErrNotFound) {
					t.Fatal(err)
				}
			}
			f.compareSearches(t, c, known, levels, random)
			if t.Failed() {
				return
			}
		}
	}
}

// randomSearchable is a version of one of a few objects; of what id and version say, it is always the same.
func randomSearchable(random *rand.Rand) searchable {
	n, day := random.IntN(9), 1+random.IntN(6)
	if n == 0 {
		v := random.IntN(len(spellings))
		return observableOf(v, spellings[v])
	}
	of := rand.New(rand.NewPCG(uint64(n), uint64(day)))
	properties := map[string]any{}
	maybe := func(name string, value any) {
		if of.IntN(3) > 0 {
			properties[name] = value
		}
	}
	maybe("confidence", of.IntN(5)*25)
	maybe("revoked", day == 6) // the last version, as nothing counts after it
	maybe("labels", []any{"common", fmt.Sprint("l", of.IntN(3))})
	maybe("name", fmt.Sprint("n", of.IntN(3)))
	maybe("valid_until", fmt.Sprintf("2026-02-%02dT00:00:00Z", 1+of.IntN(5)))
	maybe("valid_from", fmt.Sprintf("2026-01-%02dT00:00:00.000Z", 1+of.IntN(5)))
	return indicatorOf(n, day, stix.TLP(1+of.IntN(5)), properties, spellings[of.IntN(len(spellings))], spellings[of.IntN(len(spellings))])
}

func (f *Fixture) compareSearches(t *testing.T, c taxii.Collection, known map[string]searchable, levels map[string]stix.TLP, random *rand.Rand) {
	t.Helper()
	var held []oracleEntry
	for _, e := range f.follow(t, taxii.Query{Collection: c.ID, SpecVersions: []string{"2.1"}, Version: taxii.VersionMatch{All: true}}, 1000) {
		name := short(e.ID) + " " + e.Version
		if e.ID.Type() != "indicator" { // its version is when it was stored
			known[name] = known[short(e.ID)+" "]
			levels[name] = known[name].level
		}
		held = append(held, oracleEntry{Entry: e, at: timestamp(e.Version), level: levels[name]})
	}
	for range 25 {
		q := taxii.Query{Collection: c.ID}
		q.Version = []taxii.VersionMatch{{}, {Last: true}, {First: true}, {All: true}, {Exact: []stix.Timestamp{timestamp("2026-01-03T00:00:00Z")}}}[random.IntN(5)]
		q.Types = [][]string{nil, nil, {"indicator"}, {"ipv4-addr", "domain-name"}}[random.IntN(4)]
		if random.IntN(6) == 0 {
			q.IDs = []stix.Identifier{id("indicator", 1+random.IntN(8)), id("indicator", 1+random.IntN(8))}
		}
		if random.IntN(4) == 0 && len(held) > 0 {
			q.After = held[random.IntN(len(held))].DateAdded
		}
		for range random.IntN(3) {
			q.Values = append(q.Values, spellings[random.IntN(len(spellings))].canonical)
		}
		if random.IntN(4) == 0 {
			q.TLPs = []stix.TLP{stix.TLP(random.IntN(6)), stix.TLP(random.IntN(6))}
		}
		for range random.IntN(3) {
			q.Conditions = append(q.Conditions, randomCondition(random))
		}
		level := stix.TLP(random.IntN(6))
		want := slices.DeleteFunc(oracle(held, q, level), func(name string) bool { return !known[name].satisfies(q) })
		q.Visible = upTo(level)
		got := names(f.follow(t, q, 1+random.IntN(5)))
		if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Errorf("%s, values %q, levels %v, conditions %+v (-want +got):\n%s", describe(q, level), q.Values, q.TLPs, q.Conditions, diff)
		}
	}
}

func randomCondition(random *rand.Rand) stix.Condition {
	comparison := stix.Comparison(random.IntN(3))
	switch random.IntN(6) {
	case 0:
		return stix.Condition{Property: "confidence", Type: stix.IntegerProperty, Comparison: comparison, Values: []string{fmt.Sprint(random.IntN(5) * 25)}}
	case 1:
		return stix.Condition{Property: "revoked", Type: stix.BooleanProperty, Values: []string{fmt.Sprint(random.IntN(2) == 0)}}
	case 2:
		return stix.Condition{Property: "labels", Values: []string{fmt.Sprint("l", random.IntN(3)), "l7"}}
	case 3:
		return stix.Condition{Property: "name", Values: []string{fmt.Sprint("n", random.IntN(3))}}
	case 4:
		return stix.Condition{Property: "valid_until", Type: stix.TimestampProperty, Comparison: comparison, Values: []string{fmt.Sprintf("2026-02-%02dT00:00:00.000Z", 1+random.IntN(5))}}
	}
	return stix.Condition{Property: "modified", Type: stix.TimestampProperty, Comparison: comparison, Values: []string{fmt.Sprintf("2026-01-%02dT00:00:00Z", 1+random.IntN(6))}}
}

// satisfies is the definition of values, levels and conditions, by what the object was made of.
func (s searchable) satisfies(q taxii.Query) bool {
	if len(q.Values) > 0 && !slices.ContainsFunc(q.Values, func(v string) bool { return slices.Contains(s.values, v) }) ||
		len(q.TLPs) > 0 && !slices.Contains(q.TLPs, s.level) {
		return false
	}
	return !slices.ContainsFunc(q.Conditions, func(c stix.Condition) bool {
		return !slices.ContainsFunc(c.Values, func(wanted string) bool { return s.holds(c, wanted) })
	})
}

func (s searchable) holds(c stix.Condition, wanted string) bool {
	value, ok := s.properties[c.Property]
	order := 0
	switch v := value.(type) {
	case []any:
		return slices.Contains(v, any(wanted))
	case bool:
		return fmt.Sprint(v) == wanted
	case int:
		n := 0
		fmt.Sscan(wanted, &n)
		order = v - n
	case string:
		if c.Type == stix.TextProperty {
			return v == wanted
		}
		order = timestamp(v).Compare(timestamp(wanted))
	}
	if !ok {
		return c.Property == "revoked" && wanted == "false"
	}
	return order == 0 || c.Comparison == stix.AtLeast && order > 0 || c.Comparison == stix.AtMost && order < 0
}
