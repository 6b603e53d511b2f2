package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

var logTests = []testCase{
	{"bytes leave as they came", testBytes},
	{"date_added rises by microseconds", testDates},
	{"date_added rises while the clock goes back", testClockGoesBack},
	{"a deleted entry's date_added is not given again", testDatesAfterDelete},
	{"first and last follow the versions, not the arrival", testFirstLast},
	{"a version that is held is a success and changes nothing", testKnown},
	{"what a caller may not see is not told by a second copy", testKnownHidden},
	{"other content under a held version is a failure", testConflict},
	{"observables have the time of arrival as version", testObservableVersions},
	{"versions are instants", testInstants},
	{"a closed and reopened store goes on", testReopen},
	{"collections keep their own logs", testSeparateLogs},
}

func testBytes(t *testing.T, f *Fixture) {
	c := f.collection(t, "Bytes")
	raw := `{"modified":"2026-01-01T00:00:00.000Z","x_é\u0000":[1.50,1e3,"\u00e6"],"type":"indicator","created":"2026-01-01T00:00:00Z","id":"` + string(id("indicator", 1)) + `","spec_version":"2.1"}`
	f.add(t, c, parse(raw))
	if got := string(f.all(t, c)[0].Raw); got != raw {
		t.Errorf("the object left as\n%s\nit came as\n%s", got, raw)
	}
	if p := f.page(t, taxii.Query{Collection: c.ID}); p.Entries[0].Raw != nil {
		t.Errorf("bytes were returned that the query did not ask for")
	}
}

func testDates(t *testing.T, f *Fixture) {
	c := f.collection(t, "Dates")
	if c.Last != c.Created {
		t.Errorf("a new collection has Last %v, created %v", c.Last, c.Created)
	}
	f.add(t, c, indicator(1, 1, 0), indicator(2, 1, 0), indicator(3, 1, 0))
	f.Clock.Add(time.Hour)
	now := taxii.DateAdded(f.Clock.Now().UnixMicro())
	f.add(t, c, indicator(4, 1, 0), indicator(5, 1, 0))
	var got []taxii.DateAdded
	for _, e := range f.all(t, c) {
		got = append(got, e.DateAdded)
	}
	want := []taxii.DateAdded{c.Created + 1, c.Created + 2, c.Created + 3, now, now + 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("date_added (-want +got):\n%s", diff)
	}
	now2, err := f.Store.Collection(t.Context(), c.ID)
	if err != nil || now2.Last != now+1 || now2.Objects != 5 || now2.Created != c.Created || now2.Epoch != c.Epoch {
		t.Errorf("Collection = %+v, %v; want Last %v and 5 objects", now2, err, now+1)
	}
}

func testClockGoesBack(t *testing.T, f *Fixture) {
	c := f.collection(t, "Clock")
	f.add(t, c, indicator(1, 1, 0))
	f.Clock.Add(-24 * time.Hour)
	f.add(t, c, indicator(2, 1, 0))
	e := f.all(t, c)
	if len(e) != 2 || e[1].DateAdded != e[0].DateAdded+1 {
		t.Errorf("entries %v: want the second one microsecond after the first", e)
	}
}

func testDatesAfterDelete(t *testing.T, f *Fixture) {
	c := f.collection(t, "Deleted dates")
	f.add(t, c, indicator(1, 1, 0))
	before := f.all(t, c)[0].DateAdded
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1)})
	f.Reopen(t)
	f.add(t, c, indicator(1, 1, 0))
	if after := f.all(t, c)[0].DateAdded; after <= before {
		t.Errorf("date_added %v was given again after %v", after, before)
	}
}

func testFirstLast(t *testing.T, f *Fixture) {
	c := f.collection(t, "Flags")
	check := func(first, last string) {
		t.Helper()
		for _, want := range []struct {
			match   taxii.VersionMatch
			version string
		}{{taxii.VersionMatch{First: true}, first}, {taxii.VersionMatch{Last: true}, last}, {taxii.VersionMatch{}, last}} {
			p := f.page(t, taxii.Query{Collection: c.ID, Version: want.match, IDs: []stix.Identifier{id("indicator", 1)}})
			if diff := cmp.Diff([]string{"indicator-001 " + want.version}, names(p.Entries)); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", want.match, diff)
			}
		}
	}
	day := func(d int) string {
		return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05.000Z")
	}
	f.add(t, c, indicator(1, 10, 0))
	check(day(10), day(10))
	f.add(t, c, indicator(1, 5, 0)) // out of order
	check(day(5), day(10))
	f.add(t, c, indicator(1, 20, 0), indicator(1, 7, 0), indicator(1, 25, 0), indicator(1, 2, 0), indicator(1, 22, 0))
	check(day(2), day(25))
	exact := func(d int) taxii.VersionMatch { return taxii.VersionMatch{Exact: []stix.Timestamp{timestamp(day(d))}} }
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Version: exact(25)})
	check(day(2), day(22))
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Version: exact(2)})
	check(day(5), day(22))
	f.add(t, c, indicator(1, 25, 0))
	check(day(5), day(25))
}

func timestamp(text string) stix.Timestamp {
	v, err := stix.ParseTimestamp(text)
	if err != nil {
		panic(err)
	}
	return v
}

func testKnown(t *testing.T, f *Fixture) {
	c := f.collection(t, "Known")
	first := parse(`{"type":"indicator","id":"` + string(id("indicator", 1)) + `","spec_version":"2.1","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"a"}`)
	again := parse(`{"name":"a","revoked":false,"modified":"2026-01-01T00:00:00.000Z","created":"2026-01-01T00:00:00.000Z","spec_version":"2.1","lang":"en","id":"` + string(id("indicator", 1)) + `","type":"indicator"}`)
	f.add(t, c, first)
	before := f.all(t, c)
	status := f.add(t, c, again, first)
	if diff := cmp.Diff(before, f.all(t, c)); diff != "" {
		t.Errorf("the collection changed (-before +after):\n%s", diff)
	}
	want := taxii.StatusDetail{ID: string(first.ID), Version: "2026-01-01T00:00:00.000Z", Message: taxii.AlreadyHeld}
	if diff := cmp.Diff([]taxii.StatusDetail{want, want}, status.Successes); diff != "" {
		t.Errorf("successes (-want +got):\n%s", diff)
	}
	// Twice within one submission.
	status = f.add(t, c, indicator(2, 1, 0), indicator(2, 1, 0))
	if got := []string{status.Successes[0].Message, status.Successes[1].Message}; !cmp.Equal(got, []string{"", taxii.AlreadyHeld}) {
		t.Errorf("messages of one object submitted twice: %q", got)
	}
	if n := len(f.all(t, c)); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

// testKnownHidden holds that a copy of something held that the caller may not see is answered as a new object is.
func testKnownHidden(t *testing.T, f *Fixture) {
	c := f.collection(t, "Known and hidden")
	notRed := func(m stix.MarkingSet, _ bool) bool { return m.TLP < stix.TLPRed }
	red := object{n: 1, marks: []stix.Identifier{stix.MarkingOf(stix.TLPRed)}}.make()
	seen, plain := object{n: 2}.make(), address(1, "")
	f.add(t, c, red, seen, plain)
	before := f.all(t, c)
	f.Clock.Add(time.Hour)
	for name, tt := range map[string]struct {
		visible func(stix.MarkingSet, bool) bool
		want    []string // messages for red, seen and plain
	}{
		"all":     {nil, []string{taxii.AlreadyHeld, taxii.AlreadyHeld, taxii.AlreadyHeld}},
		"not red": {notRed, []string{"", taxii.AlreadyHeld, taxii.AlreadyHeld}},
		"nothing": {func(stix.MarkingSet, bool) bool { return false }, []string{"", "", ""}},
	} {
		status, err := f.Store.Add(t.Context(), taxii.Submission{
			Collection: c.ID, Account: "soc", Received: f.Clock.Now(), Visible: tt.visible,
			Items: []taxii.Item{{Object: red}, {Object: seen}, {Object: plain}},
		})
		if err != nil || status.SuccessCount != 3 {
			t.Fatalf("%s: %+v, %v", name, status, err)
		}
		var got []string
		for _, s := range status.Successes {
			got = append(got, s.Message)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if told := status.Successes[2].Version == before[2].Version; told != (tt.want[2] != "") {
			t.Errorf("%s: version %s of an object that was first seen at %s", name, status.Successes[2].Version, before[2].Version)
		}
	}
	if diff := cmp.Diff(before, f.all(t, c)); diff != "" {
		t.Errorf("the collection changed (-before +after):\n%s", diff)
	}
}

func testConflict(t *testing.T, f *Fixture) {
	c := f.collection(t, "Conflict")
	f.add(t, c, object{n: 1}.make())
	before := f.all(t, c)
	status := f.submit(t, c, object{n: 1, text: " changed"}.make(), object{n: 2}.make(), object{n: 2, text: " changed"}.make())
	if status.SuccessCount != 1 || status.FailureCount != 2 || status.TotalCount != 3 || status.Failures[0].ID != string(id("indicator", 1)) || status.Failures[1].ID != string(id("indicator", 2)) {
		t.Fatalf("status %+v: want the first and the third object among the failures", status)
	}
	for _, failure := range status.Failures {
		const want = "other content is already held under this id and version; publish a new version with a later modified time"
		if failure.Message != want {
			t.Errorf("message %q, want %q", failure.Message, want)
		}
	}
	after := f.all(t, c)
	if diff := cmp.Diff(before, after[:1]); diff != "" {
		t.Errorf("the first content did not stay (-before +after):\n%s", diff)
	}
	if len(after) != 2 {
		t.Errorf("%d entries, want 2", len(after))
	}
}

func testObservableVersions(t *testing.T, f *Fixture) {
	c := f.collection(t, "Observables")
	status := f.add(t, c, address(1, ""), address(1, ""))
	e := f.all(t, c)
	if len(e) != 1 || e[0].Version != e[0].DateAdded.String() {
		t.Fatalf("entries %v: want one whose version is its date_added", e)
	}
	for _, s := range status.Successes {
		if s.Version != e[0].Version {
			t.Errorf("the status says version %s, the entry %s", s.Version, e[0].Version)
		}
	}
	f.Clock.Add(time.Hour)
	again := f.add(t, c, address(1, ""))
	if again.Successes[0].Version != e[0].Version || again.Successes[0].Message != taxii.AlreadyHeld {
		t.Errorf("the same content seen again: %+v, want version %s", again.Successes[0], e[0].Version)
	}
	f.add(t, c, address(1, "0"), address(1, "00"))
	all := f.all(t, c)
	if len(all) != 3 || all[1].Version <= all[0].Version || all[2].Version <= all[1].Version {
		t.Fatalf("other content of the same id: %v, want three rising versions", names(all))
	}
	last := f.page(t, taxii.Query{Collection: c.ID}).Entries
	if len(last) != 1 || last[0].Version != all[2].Version {
		t.Errorf("last is %v, want %s", names(last), all[2].Version)
	}
}

func testInstants(t *testing.T, f *Fixture) {
	c := f.collection(t, "Instants")
	f.add(t, c,
		object{n: 1, modified: "2026-01-01T00:00:00.5Z"}.make(),
		object{n: 1, modified: "2026-01-01T00:00:00.4999999999Z"}.make(),
		object{n: 1, modified: "2026-01-01T00:00:00Z"}.make())
	last := f.page(t, taxii.Query{Collection: c.ID}).Entries
	if diff := cmp.Diff([]string{"indicator-001 2026-01-01T00:00:00.5Z"}, names(last)); diff != "" {
		t.Errorf("last (-want +got):\n%s", diff)
	}
	exact := f.page(t, taxii.Query{Collection: c.ID, Version: taxii.VersionMatch{Exact: []stix.Timestamp{timestamp("2026-01-01T00:00:00.000000Z")}}}).Entries
	if diff := cmp.Diff([]string{"indicator-001 2026-01-01T00:00:00Z"}, names(exact)); diff != "" {
		t.Errorf("an exact version written otherwise (-want +got):\n%s", diff)
	}
	status := f.submit(t, c, object{n: 1, modified: "2026-01-01T00:00:00.50Z"}.make())
	if status.FailureCount != 1 {
		t.Errorf("the same instant written otherwise is other content under the same version; got %+v", status)
	}
}

func testReopen(t *testing.T, f *Fixture) {
	c := f.collection(t, "Reopen")
	f.add(t, c, indicator(1, 1, stix.TLPGreen), indicator(2, 1, 0), address(3, ""))
	before := f.all(t, c)
	f.Reopen(t)
	if diff := cmp.Diff(before, f.all(t, c)); diff != "" {
		t.Errorf("entries after reopening (-before +after):\n%s", diff)
	}
	f.add(t, c, indicator(4, 1, stix.TLPGreen))
	after := f.all(t, c)
	if len(after) != 4 || after[3].DateAdded <= before[2].DateAdded {
		t.Errorf("entries %v after adding one to %v", after, before)
	}
}

func testSeparateLogs(t *testing.T, f *Fixture) {
	a, b := f.collection(t, "A"), f.collection(t, "B")
	f.add(t, a, object{n: 1}.make())
	f.add(t, b, object{n: 1, text: " in B"}.make(), indicator(2, 2, 0))
	f.add(t, a, indicator(3, 3, 0))
	if diff := cmp.Diff([]string{"indicator-001 2026-01-01T00:00:00.000Z", "indicator-003 2026-01-03T00:00:00.000Z"}, names(f.all(t, a))); diff != "" {
		t.Errorf("A (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"indicator-001 2026-01-01T00:00:00.000Z", "indicator-002 2026-01-02T00:00:00.000Z"}, names(f.all(t, b))); diff != "" {
		t.Errorf("B (-want +got):\n%s", diff)
	}
	f.delete(t, taxii.Deletion{Collection: a.ID, ID: id("indicator", 1)})
	if n := len(f.all(t, b)); n != 2 {
		t.Errorf("a delete in A left %d entries in B, want 2", n)
	}
}
