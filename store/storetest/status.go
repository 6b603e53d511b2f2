package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var statusTests = []testCase{
	{"a status lists every object's fate in order", testStatus},
	{"a status is for the account that made it", testStatusAccount},
	{"a submission of nothing has a status", testEmptySubmission},
	{"a status is not for another account of the same name", testStatusOfPredecessor},
}

func testStatus(t *testing.T, f *Fixture) {
	c := f.collection(t, "Status")
	f.add(t, c, object{n: 1}.make())
	received := time.Date(2026, 3, 1, 11, 59, 59, 123456789, time.UTC)
	got, err := f.Store.Add(t.Context(), taxii.Submission{Collection: c.ID, Account: "analyst", Received: received, Items: []taxii.Item{
		{Object: object{n: 1}.make()},
		{ID: "indicator--broken", Version: "2026-01-01T00:00:00.000Z", Refused: "the id is not of the form type--UUID"},
		{Object: object{n: 2}.make()},
		{Object: object{n: 3}.make(), Refused: "the pattern does not parse"},
		{Object: object{n: 2, text: " changed"}.make()},
		{},
		{Object: parse(`{"type":"tool","spec_version":"2.1","id":"` + string(id("tool", 4)) + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"x","x_big":123456789012345678901}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const v = "2026-01-01T00:00:00.000Z"
	ofID := func(typ string, n int) string { return string(id(typ, n)) }
	const arrival = "2026-03-01T11:59:59.123456Z"
	want := taxii.Status{
		ID: got.ID, Status: "complete", RequestTimestamp: arrival, TotalCount: 7, SuccessCount: 2, FailureCount: 5,
		Successes: []taxii.StatusDetail{{ID: ofID("indicator", 1), Version: v, Message: taxii.AlreadyHeld}, {ID: ofID("indicator", 2), Version: v}},
		Failures: []taxii.StatusDetail{
			{ID: "indicator--broken", Version: v, Message: "the id is not of the form type--UUID"},
			{ID: ofID("indicator", 3), Version: v, Message: "the pattern does not parse"},
			{ID: ofID("indicator", 2), Version: v, Message: "other content is already held under this id and version; publish a new version with a later modified time"},
			{ID: "", Version: arrival, Message: "is not a STIX object with an id"},
			{ID: ofID("tool", 4), Version: v, Message: got.Failures[4].Message},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if got.Failures[4].Message == "" {
		t.Errorf("an object whose content can't be compared fails without a message")
	}
	f.Reopen(t)
	f.Clock.Add(24 * time.Hour)
	stored, err := f.Store.Status(t.Context(), got.ID, "analyst")
	if err != nil {
		t.Fatalf("Status a day later: %v", err)
	}
	if diff := cmp.Diff(got, stored); diff != "" {
		t.Errorf("the status changed (-returned +stored):\n%s", diff)
	}
	if n := len(f.all(t, c)); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

func testStatusAccount(t *testing.T, f *Fixture) {
	c := f.collection(t, "Accounts")
	status := f.add(t, c, indicator(1, 1, stix.TLPRed))
	for _, q := range []struct{ id, account string }{{status.ID, "another"}, {status.ID, ""}, {"00000000-0000-4000-8000-000000000000", "analyst"}} {
		if _, err := f.Store.Status(t.Context(), q.id, q.account); !errors.Is(err, taxii.ErrNotFound) {
			t.Errorf("Status(%q, %q): %v, want ErrNotFound", q.id, q.account, err)
		}
	}
}

// testStatusOfPredecessor has an account whose name another account had before.
func testStatusOfPredecessor(t *testing.T, f *Fixture) {
	ctx := t.Context()
	c := f.collection(t, "Predecessors")
	client := store.Client{Name: "analyst", Rights: map[string]taxii.Rights{c.ID: {Read: true, Write: true}}}
	if _, err := f.Node.AddClient(ctx, client); err != nil {
		t.Fatal(err)
	}
	status := f.add(t, c, indicator(1, 1, stix.TLPRed))
	others, err := f.Store.Add(ctx, taxii.Submission{Collection: c.ID, Account: "another", Items: []taxii.Item{{Object: indicator(2, 1, 0)}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Node.RemoveClient(ctx, "analyst"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Node.AddClient(ctx, client); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Store.Status(ctx, status.ID, "analyst"); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("the status of a predecessor: %v, want ErrNotFound", err)
	}
	if _, err := f.Store.Status(ctx, others.ID, "another"); err != nil {
		t.Errorf("the status of another account: %v", err)
	}
	if n := len(f.all(t, c)); n != 2 {
		t.Errorf("%d entries, want 2: what was submitted stays", n)
	}
}

func testEmptySubmission(t *testing.T, f *Fixture) {
	c := f.collection(t, "Nothing")
	status := f.add(t, c)
	if status.Status != "complete" || status.TotalCount != 0 || status.Successes != nil || status.Failures != nil {
		t.Errorf("status %+v, want a complete one with nothing in it", status)
	}
	if _, err := f.Store.Status(t.Context(), status.ID, "analyst"); err != nil {
		t.Errorf("Status: %v", err)
	}
}
