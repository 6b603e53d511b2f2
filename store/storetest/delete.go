package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

var deleteTests = []testCase{
	{"delete removes the named versions and no others", testDeleteVersions},
	{"delete does not touch what the caller does not see", testDeleteUnseen},
	{"a deleted version can be added again", testDeleteThenAdd},
}

// delete deletes and returns how many entries went.
func (f *Fixture) delete(t *testing.T, d taxii.Deletion) int {
	t.Helper()
	n, err := f.Store.Delete(t.Context(), d)
	if err != nil {
		t.Fatalf("Delete: %v", err)
	}
	f.verify(t)
	return n
}

func testDeleteVersions(t *testing.T, f *Fixture) {
	days := []string{"2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z", "2026-01-04T00:00:00.000Z"}
	for _, c := range []struct {
		name  string
		match taxii.VersionMatch
		specs []string
		left  []string
	}{
		{"every version by default", taxii.VersionMatch{}, nil, nil},
		{"all", taxii.VersionMatch{All: true}, nil, nil},
		{"first", taxii.VersionMatch{First: true}, nil, days[1:]},
		{"last", taxii.VersionMatch{Last: true}, nil, days[:3]},
		{"first and last", taxii.VersionMatch{First: true, Last: true}, nil, days[1:3]},
		{"exact", taxii.VersionMatch{Exact: []stix.Timestamp{timestamp("2026-01-02T00:00:00Z")}}, nil, []string{days[0], days[2], days[3]}},
		{"a version that does not exist", taxii.VersionMatch{Exact: []stix.Timestamp{timestamp("2026-02-01T00:00:00Z")}}, nil, days},
		{"a specification version that is not held", taxii.VersionMatch{All: true}, []string{"2.0"}, days},
		{"the specification version held", taxii.VersionMatch{Last: true}, []string{"2.1"}, days[:3]},
	} {
		t.Run(c.name, func(t *testing.T) {
			col := f.collection(t, c.name)
			f.add(t, col, indicator(1, 1, 0), indicator(1, 3, 0), indicator(1, 2, 0), indicator(1, 4, 0), indicator(2, 1, 0))
			n := f.delete(t, taxii.Deletion{Collection: col.ID, ID: id("indicator", 1), Version: c.match, SpecVersions: c.specs})
			if n != 4-len(c.left) {
				t.Errorf("Delete = %d, want %d", n, 4-len(c.left))
			}
			var left []string
			for _, e := range f.page(t, taxii.Query{Collection: col.ID, IDs: []stix.Identifier{id("indicator", 1)}, Version: taxii.VersionMatch{All: true}}).Entries {
				left = append(left, e.Version)
			}
			sorted := cmp.Transformer("set", func(l []string) map[string]bool {
				m := map[string]bool{}
				for _, v := range l {
					m[v] = true
				}
				return m
			})
			if diff := cmp.Diff(c.left, left, sorted); diff != "" {
				t.Errorf("versions left (-want +got):\n%s", diff)
			}
		})
	}
}

func testDeleteUnseen(t *testing.T, f *Fixture) {
	c := f.collection(t, "Unseen")
	f.add(t, c, indicator(1, 1, stix.TLPGreen), indicator(1, 2, stix.TLPRed), indicator(2, 1, stix.TLPRed))
	notRed := func(m stix.MarkingSet, _ bool) bool { return m.TLP < stix.TLPRed }
	if n := f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Visible: notRed}); n != 1 {
		t.Errorf("Delete = %d, want 1: the red version is not seen", n)
	}
	for _, n := range []int{2, 3} { // not seen, and not there: the same answer
		_, err := f.Store.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: id("indicator", n), Visible: notRed})
		if !errors.Is(err, taxii.ErrNotFound) {
			t.Errorf("Delete of indicator %d: %v, want ErrNotFound", n, err)
		}
	}
	if _, err := f.Store.Delete(t.Context(), taxii.Deletion{Collection: "00000000-0000-4000-8000-000000000000", ID: id("indicator", 1)}); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Delete in no collection: %v, want ErrNotFound", err)
	}
	if diff := cmp.Diff([]string{"indicator-001 2026-01-02T00:00:00.000Z", "indicator-002 2026-01-01T00:00:00.000Z"}, names(f.all(t, c))); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func testDeleteThenAdd(t *testing.T, f *Fixture) {
	c := f.collection(t, "Again")
	for range 2 { // the second time with the tombstones of the first gone
		f.add(t, c, indicator(1, 1, 0), address(1, ""))
		f.Clock.Add(time.Second)
		for _, object := range []stix.Identifier{id("indicator", 1), id("ipv4-addr", 1)} {
			if n := f.delete(t, taxii.Deletion{Collection: c.ID, ID: object}); n != 1 {
				t.Errorf("Delete(%s) = %d, want 1", object, n)
			}
		}
		if e := f.all(t, c); len(e) != 0 {
			t.Fatalf("left: %v", names(e))
		}
	}
	f.add(t, c, indicator(1, 1, 0), address(1, ""))
	if col, err := f.Store.Collection(t.Context(), c.ID); err != nil || col.Objects != 2 {
		t.Errorf("Collection = %+v, %v, want 2 objects", col, err)
	}
}
