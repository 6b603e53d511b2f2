package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var backlogTests = []testCase{
	{"a backlog is what a poll would still give", testBacklog},
}

// testBacklog reads a collection with every number of objects at a time, by two readers of whom one does not see
// everything: before each page the backlog is what the pages to come bring.
func testBacklog(t *testing.T, f *Fixture) {
	ctx := t.Context()
	c := f.collection(t, "Backlog")
	backlog := func(after taxii.DateAdded, limit int, visible func(stix.MarkingSet, bool) bool) store.Backlog {
		t.Helper()
		b, err := f.Node.Backlog(ctx, c.ID, after, limit, visible)
		if err != nil {
			t.Fatalf("Backlog: %v", err)
		}
		return b
	}
	notRed := func(m stix.MarkingSet, _ bool) bool { return m.TLP != stix.TLPRed }
	if diff := cmp.Diff(store.Backlog{}, backlog(0, 10, nil)); diff != "" {
		t.Errorf("of an empty collection (-want +got):\n%s", diff)
	}
	f.add(t, c, indicator(1, 1, stix.TLPGreen), indicator(2, 1, stix.TLPRed), indicator(3, 1, stix.TLPGreen),
		indicator(1, 2, stix.TLPGreen), indicator(4, 1, stix.TLPRed), indicator(5, 1, stix.TLPClear))
	for name, visible := range map[string]func(stix.MarkingSet, bool) bool{"everything": nil, "not red": notRed} {
		all := f.page(t, taxii.Query{Collection: c.ID, Limit: 100, Visible: visible}).Entries
		after := taxii.DateAdded(0)
		for i := range len(all) + 1 {
			for limit := 1; limit <= len(all)+1; limit++ {
				left := len(all) - i
				want := store.Backlog{Objects: min(left, limit), More: left > limit}
				if left > 0 {
					want.Oldest = all[i].DateAdded
				}
				if diff := cmp.Diff(want, backlog(after, limit, visible)); diff != "" {
					t.Errorf("%s, after %d objects, up to %d (-want +got):\n%s", name, i, limit, diff)
				}
			}
			if i < len(all) {
				after = all[i].DateAdded
			}
		}
	}
	if _, err := f.Node.Backlog(ctx, "00000000-0000-4000-8000-000000000000", 0, 1, nil); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("of a collection that does not exist: %v", err)
	}
}
