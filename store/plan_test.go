package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestPlans holds the index that each kind of page query uses, so that a page costs the same in a large collection.
func TestPlans(t *testing.T) {
	s := openDir(t, t.TempDir())
	col := collection{number: 1, Collection: taxii.Collection{Objects: 1000}}
	const (
		sort   = "USE TEMP B-TREE FOR ORDER BY" // of the versions of the objects named
		last   = "SEARCH e USING INDEX entry_last (collection=? AND date_added>? AND date_added<?)"
		log    = "SEARCH e USING INDEX entry_log (collection=? AND date_added>? AND date_added<?)"
		object = "SEARCH e USING INDEX entry_object (collection=? AND object=?)"
		place  = "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"
	)
	facetOf := func(n int64, level stix.TLP, spec string, entries int64, divided bool) facet {
		return facet{number: n, setNumber: n, set: stix.MarkingSet{TLP: level}, specVersion: spec, entries: entries, last: 10, divided: divided}
	}
	plain := []facet{facetOf(1, stix.TLPGreen, "2.1", 900, false), facetOf(2, stix.TLPAmber, "2.1", 100, false)}
	dividedBy := func(spec string) []facet {
		return []facet{facetOf(1, stix.TLPGreen, "2.1", 400, true), facetOf(2, stix.TLPAmber, spec, 300, true), facetOf(3, stix.TLPRed, "2.1", 100, true)}
	}
	revoking := dividedBy("2.1")
	for i := range revoking {
		revoking[i].revoking = true
	}
	sees := func(levels ...stix.TLP) func(stix.MarkingSet, bool) bool {
		return func(m stix.MarkingSet, _ bool) bool { return slices.Contains(levels, m.TLP) }
	}
	exact := func(n int) (m taxii.VersionMatch) {
		for i := range n {
			m.Exact = append(m.Exact, stix.TimestampOf(time.Unix(int64(i), 0)))
		}
		return m
	}
	notRed := sees(stix.TLPGreen, stix.TLPAmber)
	for _, c := range []struct {
		name   string
		query  taxii.Query
		facets []facet
		want   []string // the first steps
		reads  []string // the others' indexes
	}{
		{"last versions of everything", taxii.Query{}, plain, []string{last}, nil},
		{"all versions of everything", taxii.Query{Version: taxii.VersionMatch{All: true}}, plain, []string{log}, nil},
		{"first versions of everything", taxii.Query{Version: taxii.VersionMatch{First: true}}, plain, []string{log}, nil},
		{"one of few facets", taxii.Query{Visible: sees(stix.TLPAmber)}, plain, []string{place, "LIST SUBQUERY 4", "CO-ROUTINE s0",
			"SEARCH e USING COVERING INDEX entry_facet (facet=? AND is_last=? AND date_added>?)", "SCAN s0", "CREATE BLOOM FILTER"}, nil},
		{"an object", taxii.Query{IDs: []stix.Identifier{"a"}}, plain, []string{object, sort}, nil},
		{"objects, all versions", taxii.Query{IDs: []stix.Identifier{"a", "b"}, Version: taxii.VersionMatch{All: true}}, plain, []string{object, sort}, nil},
		{"a version", taxii.Query{Version: exact(1)}, plain, []string{place},
			[]string{"SEARCH e USING COVERING INDEX entry_version (collection=? AND version_key=? AND date_added>? AND date_added<?)"}},
		{"very many versions", taxii.Query{Version: exact(100)}, plain, []string{"SEARCH e USING INDEX entry_version (collection=? AND version_key=?)", sort}, nil},
		{"last versions, divided", taxii.Query{Visible: notRed}, dividedBy("2.1"), []string{last},
			[]string{"SEARCH o USING COVERING INDEX entry_last_of_facet (collection=? AND object=? AND version_key>?)"}},
		{"last versions, divided and revoked", taxii.Query{Visible: notRed}, revoking, []string{last},
			[]string{"SEARCH o USING COVERING INDEX entry_last_of_facet (collection=? AND object=? AND version_key>?)",
				"SEARCH r USING COVERING INDEX entry_revoked (collection=? AND object=? AND version_key<?)"}},
		{"last versions, divided, of one facet", taxii.Query{Visible: sees(stix.TLPRed)}, dividedBy("2.1"), []string{place}, []string{
			"SEARCH e USING COVERING INDEX entry_facet (facet=? AND is_last=? AND date_added>?)"}},
		{"first versions, divided", taxii.Query{Visible: notRed, Version: taxii.VersionMatch{First: true}}, dividedBy("2.1"), []string{log},
			[]string{"SEARCH o USING COVERING INDEX entry_first_of_facet (collection=? AND object=? AND version_key<?)"}},
		{"last versions of the newest specification, divided", taxii.Query{Visible: notRed}, dividedBy("2.0"), []string{last},
			[]string{"SEARCH o USING COVERING INDEX entry_last_of_facet (collection=? AND object=?)"}},
		{"all versions of the newest specification, divided", taxii.Query{Visible: notRed, Version: taxii.VersionMatch{All: true}}, dividedBy("2.0"), []string{log},
			[]string{"SEARCH o USING COVERING INDEX entry_last_of_facet (collection=? AND object=?)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.query.Limit, c.query.Bytes = 10, true
			plan, ok := newPagePlan(col, c.query, c.facets)
			if !ok {
				t.Fatal("no plan")
			}
			sql := plan.sql()
			steps := explain(t, s, sql, plan.args)
			if len(steps) < len(c.want) {
				t.Fatalf("plan of %s: %q, want %q first", sql, steps, c.want)
			}
			if diff := cmp.Diff(c.want, steps[:len(c.want)]); diff != "" {
				t.Errorf("plan of %s (-want +got):\n%s", sql, diff)
			}
			for _, index := range c.reads {
				if !slices.Contains(steps, index) {
					t.Errorf("plan of %s does not %s: %q", sql, index, steps)
				}
			}
			if c.reads == nil && len(steps) != len(c.want) {
				t.Errorf("plan of %s has steps beyond those wanted: %q", sql, steps)
			}
			for _, step := range steps {
				if strings.Contains(step, "SCAN") && !strings.HasPrefix(step, "SCAN s") && !strings.HasPrefix(step, "SCAN u") && !strings.HasPrefix(step, "SCAN p") {
					t.Errorf("plan of %s reads a whole table: %s", sql, step)
				}
			}
		})
	}
}

func explain(t *testing.T, s *Store, sql string, args []any) []string {
	t.Helper()
	var steps []string
	err := s.engine.Read(t.Context(), func(db conn) error {
		return db.Query(`EXPLAIN QUERY PLAN `+sql, args, func(r row) error { steps = append(steps, r.Text(3)); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// TestSearchPlans holds that an observable value is found by one probe of an index, and that what it leads to is read by its
// place, in order.
func TestSearchPlans(t *testing.T) {
	s := openDir(t, t.TempDir())
	const probe = "SEARCH observable USING PRIMARY KEY (collection=? AND value=? AND entry>?)"
	for n, want := range map[int]int{1: 1, 2: 2, maxStreams: maxStreams, maxStreams + 1: 1, 1000: 1} {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprint(i)
		}
		sql, args := postingsSQL(1, values, 5, 10)
		probes := 0
		for _, step := range explain(t, s, sql, args) {
			if step == probe {
				probes++
			} else if strings.Contains(step, "observable") {
				t.Errorf("%d values: %s", n, step)
			}
		}
		if probes != want {
			t.Errorf("%d values: %d probes of the index, want %d", n, probes, want)
		}
	}
	facets := []facet{{number: 1, setNumber: 1, set: stix.MarkingSet{TLP: stix.TLPGreen}, specVersion: "2.1", entries: 900, last: 10},
		{number: 2, setNumber: 2, set: stix.MarkingSet{TLP: stix.TLPRed}, specVersion: "2.1", entries: 100, last: 10}}
	for name, q := range map[string]taxii.Query{
		"last versions":    {},
		"an exact version": {Version: taxii.VersionMatch{Exact: []stix.Timestamp{stix.TimestampOf(time.Unix(0, 0))}}},
		"of a level":       {Visible: func(m stix.MarkingSet, _ bool) bool { return m.TLP == stix.TLPRed }},
	} {
		plan, ok := newPagePlan(collection{number: 1, Collection: taxii.Collection{Objects: 1000}}, withLimit(q), facets)
		if !ok {
			t.Fatal("no plan")
		}
		plan.places = []int64{3, 4, 5}
		if diff := cmp.Diff([]string{"SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"}, explain(t, s, plan.sql(), plan.args)); diff != "" {
			t.Errorf("%s: plan of %s (-want +got):\n%s", name, plan.sql(), diff)
		}
	}
}

func withLimit(q taxii.Query) taxii.Query {
	q.Limit, q.Bytes = 10, true
	return q
}

// TestAccountPlans holds that who a request comes from is found without passing over other accounts.
func TestAccountPlans(t *testing.T) {
	s := openDir(t, t.TempDir())
	for name, c := range map[string]struct {
		sql  string
		args []any
	}{
		"the holder of a key":      {keyHolder, []any{[]byte("x")}},
		"the rights of an account": {oneRights, []any{1}},
		"what is pinned of a peer": {onePeer, []any{"peer", "x"}},
	} {
		for _, step := range explain(t, s, c.sql, c.args) {
			if !strings.HasPrefix(step, "SEARCH ") {
				t.Errorf("%s: %s", name, step)
			}
		}
	}
}

// TestViolationPlans holds that the entries with violations are found without passing over the others.
func TestViolationPlans(t *testing.T) {
	s := openDir(t, t.TempDir())
	for _, c := range []struct {
		sql  string
		args []any
		want string
	}{
		{violationsSQL, []any{1, 0, 10}, "SEARCH entry USING INDEX entry_violations (collection=? AND date_added>?)"},
		{violationCountSQL, []any{1}, "SEARCH entry USING INDEX entry_violations (collection=?)"},
	} {
		steps := explain(t, s, c.sql, c.args)
		if diff := cmp.Diff([]string{c.want}, steps); diff != "" {
			t.Errorf("plan of %s (-want +got):\n%s", c.sql, diff)
		}
	}
}

func TestChunks(t *testing.T) {
	for n, want := range map[int]string{0: "[]", 1: "[1]", 2: "[4]", 4: "[4]", 5: "[16]", 16: "[16]", 17: "[64]", 64: "[64]", 65: "[256]", 256: "[256]", 257: "[256 1]", 600: "[256 256 256]"} {
		values := make([]int, n)
		for i := range values {
			values[i] = i
		}
		sizes, seen := []int{}, make(map[int]bool)
		if err := chunks(values, func(list []int) error {
			sizes = append(sizes, len(list))
			for _, v := range list {
				seen[v] = true
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(sizes); got != want || len(seen) != n {
			t.Errorf("%d values: lists of %s with %d values, want %s", n, got, len(seen), want)
		}
	}
}

// TestJoinedPlans holds that ends, and what joins them, are found without passing over other entries.
func TestJoinedPlans(t *testing.T) {
	s := openDir(t, t.TempDir())
	for _, c := range []struct {
		sql  string
		args []any
		want string
	}{
		{joinedTargetsSQL(2), []any{"a", "b"}, "SEARCH joined USING COVERING INDEX sqlite_autoindex_joined_1 (target=?)"},
		{joinersSQL, []any{"a"}, "SEARCH e USING INDEX entry_object (collection=? AND object=?)"},
		{endsSQL(2), []any{"a", "b"}, "SEARCH e USING INDEX entry_object (collection=? AND object=?)"},
	} {
		if steps := explain(t, s, c.sql, c.args); !slices.Contains(steps, c.want) {
			t.Errorf("plan of %s: %q, want %q among them", c.sql, steps, c.want)
		}
	}
}
