package store

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestPlans holds the index that each kind of page query uses, so that a page costs the same in a large collection.
func TestPlans(t *testing.T) {
	s := openDir(t, t.TempDir())
	col := collection{number: 1, Collection: taxii.Collection{Objects: 1000}}
	const sort = "USE TEMP B-TREE FOR ORDER BY" // of the versions of the objects named
	green, amber := facet{number: 1, setNumber: 1, set: stix.MarkingSet{TLP: stix.TLPGreen}, entries: 900, last: 10}, facet{number: 2, setNumber: 2, set: stix.MarkingSet{TLP: stix.TLPAmber}, entries: 100, last: 10}
	sees := func(l stix.TLP) func(stix.MarkingSet, bool) bool {
		return func(m stix.MarkingSet, _ bool) bool { return m.TLP == l }
	}
	for _, c := range []struct {
		name  string
		query taxii.Query
		want  []string
	}{
		{"last versions of everything", taxii.Query{}, []string{"SEARCH e USING INDEX entry_last (collection=? AND date_added>? AND date_added<?)"}},
		{"all versions of everything", taxii.Query{Version: taxii.VersionMatch{All: true}}, []string{"SEARCH e USING INDEX entry_log (collection=? AND date_added>? AND date_added<?)"}},
		{"first versions of everything", taxii.Query{Version: taxii.VersionMatch{First: true}}, []string{"SEARCH e USING INDEX entry_log (collection=? AND date_added>? AND date_added<?)"}},
		{"one of few facets", taxii.Query{Visible: sees(stix.TLPAmber)}, []string{
			"SEARCH e USING INTEGER PRIMARY KEY (rowid=?)", "LIST SUBQUERY 4", "CO-ROUTINE s0",
			"SEARCH r USING COVERING INDEX entry_facet (facet=? AND is_last=? AND date_added>?)", "SCAN s0", "CREATE BLOOM FILTER"}},
		{"an object", taxii.Query{IDs: []stix.Identifier{"a"}}, []string{"SEARCH e USING INDEX entry_object (collection=? AND object=?)", sort}},
		{"objects, all versions", taxii.Query{IDs: []stix.Identifier{"a", "b"}, Version: taxii.VersionMatch{All: true}}, []string{"SEARCH e USING INDEX entry_object (collection=? AND object=?)", sort}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.query.Limit, c.query.Bytes = 10, true
			plan, ok := newPagePlan(col, c.query, []facet{green, amber})
			if !ok {
				t.Fatal("no plan")
			}
			sql := plan.sql()
			var steps []string
			err := s.engine.Read(t.Context(), func(db conn) error {
				return db.Query(`EXPLAIN QUERY PLAN `+sql, plan.args, func(r row) error { steps = append(steps, r.Text(3)); return nil })
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, steps); diff != "" {
				t.Errorf("plan of %s (-want +got):\n%s", sql, diff)
			}
		})
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
		var steps []string
		err := s.engine.Read(t.Context(), func(db conn) error {
			return db.Query(`EXPLAIN QUERY PLAN `+c.sql, c.args, func(r row) error { steps = append(steps, r.Text(3)); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{c.want}, steps); diff != "" {
			t.Errorf("plan of %s (-want +got):\n%s", c.sql, diff)
		}
	}
}

func TestChunks(t *testing.T) {
	for n, want := range map[int]string{0: "[]", 1: "[1]", 2: "[8]", 8: "[8]", 9: "[64]", 64: "[64]", 65: "[256]", 256: "[256]", 257: "[256 1]", 600: "[256 256 256]"} {
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
