package store

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/taxii"
)

// TestRanges holds that ranges cover every date, nothing else where there are few, and survive being stored.
func TestRanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 100, maxRanges, maxRanges + 1, 5 * maxRanges} {
		var touched touches
		dates := make(map[int64]bool)
		for range n {
			d := 1 + random.Int64N(int64(4*n))
			if n%2 == 0 {
				d *= 1000 // no two are neighbours
			}
			dates[d] = true
			touched.add(d)
		}
		list := touched.ranges()
		covered := int64(0)
		for i, r := range list {
			covered += int64(r.To-r.From) + 1
			if r.To < r.From || i > 0 && r.From <= list[i-1].To {
				t.Errorf("%d dates: range %d is %v after %v", n, i, r, list[i-1])
			}
		}
		for d := range dates {
			if !slices.ContainsFunc(list, func(r taxii.DateRange) bool { return int64(r.From) <= d && d <= int64(r.To) }) {
				t.Errorf("%d dates: %d is in no range", n, d)
			}
		}
		if len(list) > maxRanges || len(dates) <= maxRanges && covered != int64(len(dates)) {
			t.Errorf("%d dates: %d ranges of %d dates", len(dates), len(list), covered)
		}
		got, err := decodeRanges(encodeRanges(list))
		if diff := cmp.Diff(list, got); err != nil || diff != "" {
			t.Errorf("%d dates, decoded: %v (-want +got):\n%s", n, err, diff)
		}
	}
}

func FuzzDecodeRanges(f *testing.F) {
	f.Add(encodeRanges([]taxii.DateRange{{From: 5, To: 9}, {From: 20, To: 20}}))
	f.Add([]byte{0x80})
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeRanges(b)
		if err != nil {
			return
		}
		again, err := decodeRanges(encodeRanges(list))
		if diff := cmp.Diff(list, again); err != nil || diff != "" {
			t.Errorf("decoded again: %v\n%s", err, diff)
		}
	})
}

// TestForgottenRevisions holds that changes are kept in number, and that who asks for older ones is told.
func TestForgottenRevisions(t *testing.T) {
	s := openDir(t, t.TempDir())
	c := addCollection(t, s)
	err := s.write(t.Context(), func(db conn) error {
		for i := range int64(2 * keptRevisions) {
			touched := touches{dates: []int64{i}}
			if err := touched.record(db, 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	state := c.State()
	state.Revision = 2*keptRevisions - 2
	for _, tt := range []struct {
		since   taxii.LogState
		touched int
		unknown bool
	}{
		{taxii.LogState{}, keptRevisions, true},
		{c.State(), keptRevisions, true},
		{state, 2, false},
	} {
		got, err := s.Changes(t.Context(), c.ID, tt.since)
		if err != nil || got.Unknown != tt.unknown || len(got.Touched) != tt.touched || got.Collection.Revision != 2*keptRevisions {
			t.Errorf("Changes since %+v: unknown %v, %d touched, %v; want %v, %d", tt.since, got.Unknown, len(got.Touched), err, tt.unknown, tt.touched)
		}
		for i, r := range got.Touched {
			if want := int64(2*keptRevisions - len(got.Touched) + 1 + i); r.Number != want || r.Ranges[0].From != taxii.DateAdded(want-1) {
				t.Fatalf("change %d is %+v", want, r)
			}
		}
	}
}

// entryChange finds SQL that changes or removes entries.
var entryChange = regexp.MustCompile(`(?i)\b(update\s+entry|delete\s+from\s+entry)\b`)

// TestEveryChangeIsTouched finds statements that change entries. Pages in caches in front of the store outlive what they
// do unless they are told: each must give the entry's date to a touches, or change nothing that a query can ask for. Who
// adds one decides that, has storetest hold it, and counts it here.
func TestEveryChangeIsTouched(t *testing.T) {
	told := map[string]int{
		"collection.go":      1, // the collection goes, and its epoch with it
		"delete.go":          1,
		"observable.go":      1, // told by who calls it
		"log.go":             2,
		"migrate_history.go": 1, // before any cache has seen the database
		"marking.go":         1,
		"tighten.go":         1,
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(entryChange.FindAll(text, -1)); n != told[file] {
			t.Errorf("%s has %d statements that change entries, %d are known to tell it to caches (see touches)", file, n, told[file])
		}
	}
}
