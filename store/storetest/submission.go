package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// Submissions are the options that the stores under test are opened with: a part has three objects.
var Submissions = store.SubmissionOptions{PartObjects: 3, PendingPerAccount: 3, Pending: 5, PendingBytesPerAccount: 8 << 10, PendingBytes: 12 << 10, Lease: 10 * time.Second}

var submissionTests = []testCase{
	{"a deferred submission is pending and then decided part by part", testDeferred},
	{"a deferred submission of nothing that can be stored is complete", testDeferredRefusals},
	{"a deferred submission tells of held objects what its caller may know", testDeferredVisible},
	{"a pending submission survives its process", testDeferredReopen},
	{"pending submissions take turns", testDeferredTurns},
	{"pending submissions are bounded for each account and for all", testDeferredBounds},
	{"a pending submission outlives its account and not its collection", testDeferredRemoved},
	{"a status is true at every moment", testDeferredProperty},
	{"an idempotency key names a submission for a day", testKey},
	{"an idempotency key is good for a deferred submission", testKeyDeferred},
	{"of several submissions with one key one is worked on", testKeyConcurrent},
}

// deferred is a submission of objects that may be decided later.
func (f *Fixture) deferred(c taxii.Collection, account string, objects ...*stix.Object) taxii.Submission {
	s := taxii.Submission{Collection: c.ID, Account: account, Received: f.Clock.Now(), Deferred: true}
	for _, o := range objects {
		s.Items = append(s.Items, taxii.Item{Object: o})
	}
	return s
}

// sent adds a submission and returns its status, which must be well formed.
func (f *Fixture) sent(t *testing.T, s taxii.Submission) taxii.Status {
	t.Helper()
	status, err := f.Store.Add(t.Context(), s)
	if err != nil {
		t.Fatalf("Add: %v", err)
	}
	checkCounts(t, status, len(s.Items))
	return status
}

// status reads a status, which must be well formed.
func (f *Fixture) status(t *testing.T, id, account string, total int) taxii.Status {
	t.Helper()
	status, err := f.Store.Status(t.Context(), id, account)
	if err != nil {
		t.Fatalf("Status: %v", err)
	}
	checkCounts(t, status, total)
	return status
}

func checkCounts(t *testing.T, s taxii.Status, total int) {
	t.Helper()
	state := taxii.StatusComplete
	if s.PendingCount > 0 {
		state = taxii.StatusPending
	}
	if s.Status != state || s.TotalCount != total || s.SuccessCount+s.FailureCount+s.PendingCount != total ||
		len(s.Successes) != s.SuccessCount || len(s.Failures) != s.FailureCount || len(s.Pendings) != s.PendingCount {
		t.Errorf("status %s: %d in all, not %d; %d successes (%d listed), %d failures (%d), %d pending (%d)", s.Status, s.TotalCount, total,
			s.SuccessCount, len(s.Successes), s.FailureCount, len(s.Failures), s.PendingCount, len(s.Pendings))
	}
}

// advance decides one part, if there is something to do as want says.
func (f *Fixture) advance(t *testing.T, want bool) {
	t.Helper()
	worked, err := f.Node.Advance(t.Context())
	if err != nil || worked != want {
		t.Fatalf("Advance = %v, %v, want %v", worked, err, want)
	}
}

// settle decides all that is pending.
func (f *Fixture) settle(t *testing.T) {
	t.Helper()
	for {
		worked, err := f.Node.Advance(t.Context())
		if err != nil {
			t.Fatalf("Advance: %v", err)
		}
		if !worked {
			return
		}
	}
}

// many are indicators with the numbers from first on.
func many(first, n int) []*stix.Object {
	var list []*stix.Object
	for i := range n {
		list = append(list, object{n: first + i}.make())
	}
	return list
}

func details(typ string, numbers ...int) []taxii.StatusDetail {
	var list []taxii.StatusDetail
	for _, n := range numbers {
		list = append(list, taxii.StatusDetail{ID: string(id(typ, n)), Version: "2026-01-01T00:00:00.000Z"})
	}
	return list
}

func testDeferred(t *testing.T, f *Fixture) {
	c := f.collection(t, "Deferred")
	f.add(t, c, object{n: 2, text: " as it was"}.make())
	sub := f.deferred(c, "analyst", many(1, 4)...)
	sub.Items = append(sub.Items,
		taxii.Item{ID: "indicator--broken", Version: "2026-01-01T00:00:00.000Z", Refused: "the id is not of the form type--UUID"},
		taxii.Item{Object: object{typ: "marking-definition", n: 5}.make()}, // goes first
		taxii.Item{Object: object{typ: "ipv4-addr", n: 6, modified: "-"}.make()},
		taxii.Item{Object: object{n: 3}.make()}, // the same again
	)
	const received = "2026-03-01T12:00:00.000000Z"
	got := f.sent(t, sub)
	want := taxii.Status{ID: got.ID, Status: taxii.StatusPending, RequestTimestamp: received, TotalCount: 8, PendingCount: 7, FailureCount: 1,
		Failures: []taxii.StatusDetail{{ID: "indicator--broken", Version: "2026-01-01T00:00:00.000Z", Message: "the id is not of the form type--UUID"}},
		Pendings: slices.Concat(details("marking-definition", 5), details("indicator", 1, 2, 3, 4),
			[]taxii.StatusDetail{{ID: string(id("ipv4-addr", 6)), Version: received}}, details("indicator", 3))}
	for round := 0; ; round++ {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("status after %d parts (-want +got):\n%s", round, diff)
		}
		if n := len(f.all(t, c)); n != 1+[]int{0, 2, 5, 5}[round] {
			t.Errorf("%d entries after %d parts", n, round)
		}
		if round == 3 {
			break
		}
		f.Clock.Add(time.Second)
		f.advance(t, true)
		got = f.status(t, got.ID, "analyst", 8)
		switch round {
		case 0:
			want.Successes, want.SuccessCount = slices.Concat(details("marking-definition", 5), details("indicator", 1)), 2
			conflict := details("indicator", 2)
			conflict[0].Message = "other content is already held under this id and version; publish a new version with a later modified time"
			want.Failures, want.FailureCount = append(want.Failures, conflict...), 2
			want.Pendings, want.PendingCount = want.Pendings[3:], 4
		case 1:
			first := got.Successes[len(got.Successes)-1].Version // when it was first seen
			want.Successes = slices.Concat(want.Successes, details("indicator", 3, 4), []taxii.StatusDetail{{ID: string(id("ipv4-addr", 6)), Version: first}})
			want.SuccessCount, want.Pendings, want.PendingCount = 5, want.Pendings[3:], 1
			if first <= received {
				t.Errorf("an object without versions was first seen at %s, when it was not stored", first)
			}
		case 2:
			want.Successes, want.SuccessCount = append(want.Successes, details("indicator", 3)...), 6
			want.Successes[5].Message = taxii.AlreadyHeld
			want.Pendings, want.PendingCount, want.Status = nil, 0, taxii.StatusComplete
		}
	}
	f.advance(t, false)
	entries := f.all(t, c)
	if diff := cmp.Diff(id("marking-definition", 5), entries[1].ID); diff != "" || string(entries[2].Raw) != string(sub.Items[0].Object.Raw) {
		t.Errorf("the first entries are %s; their bytes are those that came: %s", names(entries), diff)
	}
	for _, account := range []string{"another", ""} {
		if _, err := f.Store.Status(t.Context(), got.ID, account); !errors.Is(err, taxii.ErrNotFound) {
			t.Errorf("the status for %q: %v, want ErrNotFound", account, err)
		}
	}
	f.Reopen(t)
	if diff := cmp.Diff(got, f.status(t, got.ID, "analyst", 8)); diff != "" {
		t.Errorf("the status after reopening (-before +after):\n%s", diff)
	}
}

func testDeferredRefusals(t *testing.T, f *Fixture) {
	c := f.collection(t, "Refusals")
	sub := f.deferred(c, "analyst")
	sub.Items = []taxii.Item{{ID: "x", Version: "2026-01-01T00:00:00.000Z", Refused: "no"}, {}}
	status := f.sent(t, sub)
	f.advance(t, false)
	if again := f.status(t, status.ID, "analyst", 2); again.FailureCount != 2 || !cmp.Equal(status, again) {
		t.Errorf("status %+v, and then %+v", status, again)
	}
	if _, err := f.Store.Add(t.Context(), f.deferred(taxii.Collection{ID: "00000000-0000-4000-8000-000000000000"}, "analyst", many(1, 1)...)); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("a submission to no collection: %v, want ErrNotFound", err)
	}
}

// testDeferredVisible has a caller who may not see what is RED, nor what is not understood.
func testDeferredVisible(t *testing.T, f *Fixture) {
	c := f.collection(t, "Visible")
	f.add(t, c, indicator(1, 1, stix.TLPRed), indicator(2, 1, stix.TLPGreen))
	sub := f.deferred(c, "analyst", indicator(1, 1, stix.TLPRed), indicator(2, 1, stix.TLPGreen))
	sub.Items[1].Violations = []stix.Violation{{Rule: "x", Message: "It is wrong."}}
	asked := 0
	sub.Visible = func(m stix.MarkingSet, unknown bool) bool { asked++; return m.TLP < stix.TLPRed && !unknown }
	status := f.sent(t, sub)
	if asked != 4 {
		t.Errorf("the policy was asked %d times for two marking sets", asked)
	}
	f.settle(t)
	status = f.status(t, status.ID, "analyst", 2)
	if status.SuccessCount != 2 || status.Successes[0].Message != "" || status.Successes[1].Message != taxii.AlreadyHeld {
		t.Errorf("status %+v", status)
	}
}

func testDeferredReopen(t *testing.T, f *Fixture) {
	c := f.collection(t, "Survivor")
	status := f.sent(t, f.deferred(c, "analyst", many(1, 8)...))
	f.Reopen(t)
	f.advance(t, true)
	f.Reopen(t) // the process that had begun left no word
	f.advance(t, false)
	if got := f.status(t, status.ID, "analyst", 8); got.PendingCount != 5 {
		t.Errorf("%d are pending, want 5", got.PendingCount)
	}
	f.Clock.Add(Submissions.Lease)
	f.advance(t, true)
	f.settle(t)
	if got := f.status(t, status.ID, "analyst", 8); got.SuccessCount != 8 {
		t.Errorf("%d of 8 were stored", got.SuccessCount)
	}
	if n := len(f.all(t, c)); n != 8 {
		t.Errorf("%d entries, want 8", n)
	}
}

func testDeferredTurns(t *testing.T, f *Fixture) {
	c := f.collection(t, "Turns")
	large := f.sent(t, f.deferred(c, "large", many(1, 9)...))
	f.advance(t, true)
	small := f.sent(t, f.deferred(c, "small", many(100, 2)...))
	f.advance(t, true)
	f.advance(t, true)
	if got := f.status(t, small.ID, "small", 2); got.PendingCount != 0 {
		t.Errorf("the small submission waits for the large one, of which %d objects are pending", f.status(t, large.ID, "large", 9).PendingCount)
	}
	f.settle(t)
	f.status(t, large.ID, "large", 9)
}

func testDeferredBounds(t *testing.T, f *Fixture) {
	c := f.collection(t, "Bounds")
	next := 0
	try := func(account string, text int, want error) {
		t.Helper()
		next++
		o := object{n: next, text: fmt.Sprintf(" %0*d", text, 0)}.make()
		if _, err := f.Store.Add(t.Context(), f.deferred(c, account, o)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", account, err, want)
		}
	}
	try("a", 9000, nil) // alone, so whatever its size
	try("a", 1, taxii.ErrBacklog)
	f.settle(t)
	for range 3 {
		try("a", 1, nil)
	}
	try("a", 1, taxii.ErrBacklog)
	try("b", 7000, nil)
	try("b", 1000, taxii.ErrBacklog)
	try("c", 7000, taxii.ErrUnavailable)
	try("c", 1, nil)
	try("d", 1, taxii.ErrUnavailable)
	sub := f.deferred(c, "d", many(1000, 1)...)
	sub.Deferred = false
	if got := f.sent(t, sub); got.SuccessCount != 1 {
		t.Errorf("what is not deferred is refused: %+v", got)
	}
	f.settle(t)
	try("d", 1, nil)
	if n := len(f.all(t, c)); n != 7 {
		t.Errorf("%d entries, want 7: nothing that was refused is stored", n)
	}
}

func testDeferredRemoved(t *testing.T, f *Fixture) {
	ctx := t.Context()
	c, other := f.collection(t, "Stays"), f.collection(t, "Goes")
	client := store.Client{Name: "analyst", Rights: map[string]taxii.Rights{c.ID: {Write: true}}}
	if _, err := f.Node.AddClient(ctx, client); err != nil {
		t.Fatal(err)
	}
	mine := f.sent(t, f.deferred(c, "analyst", many(1, 4)...))
	lost := f.sent(t, f.deferred(other, "another", many(1, 4)...))
	f.advance(t, true)
	f.advance(t, true)
	if err := f.Node.RemoveClient(ctx, "analyst"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Node.AddClient(ctx, client); err != nil {
		t.Fatal(err)
	}
	if err := f.Node.RemoveCollection(ctx, other.ID); err != nil {
		t.Fatal(err)
	}
	f.settle(t)
	if _, err := f.Store.Status(ctx, mine.ID, "analyst"); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("the status of a predecessor: %v, want ErrNotFound", err)
	}
	if n := len(f.all(t, c)); n != 4 {
		t.Errorf("%d entries, want 4: what was accepted is stored", n)
	}
	got := f.status(t, lost.ID, "another", 4)
	if got.SuccessCount != 3 || got.FailureCount != 1 || got.Failures[0].Message != "the collection was removed before the object was stored" {
		t.Errorf("status %+v", got)
	}
}

// testDeferredProperty has accounts that submit and ask, while others decide. Whatever they see is consistent.
func testDeferredProperty(t *testing.T, f *Fixture) {
	c := f.collection(t, "Property")
	r := rand.New(rand.NewPCG(7, 7))
	type asked struct {
		taxii.Status
		account string
	}
	var open []asked
	submitted := make(map[stix.Identifier]bool)
	for step := range 120 {
		switch r.IntN(3) {
		case 0:
			var list []*stix.Object
			for range 1 + r.IntN(8) {
				o := object{n: r.IntN(60)}.make()
				list = append(list, o)
			}
			account := fmt.Sprint("account", r.IntN(3))
			status, err := f.Store.Add(t.Context(), f.deferred(c, account, list...))
			if errors.Is(err, taxii.ErrBacklog) || errors.Is(err, taxii.ErrUnavailable) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			checkCounts(t, status, len(list))
			for _, o := range list {
				submitted[o.ID] = true
			}
			open = append(open, asked{status, account})
		case 1:
			if _, err := f.Node.Advance(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 2:
			if step%10 == 0 {
				f.Reopen(t)
				f.Clock.Add(time.Duration(r.IntN(2)) * Submissions.Lease)
			}
			held := make(map[stix.Identifier]bool)
			for i := range open {
				before := &open[i]
				now := f.status(t, before.ID, before.account, before.TotalCount)
				if now.PendingCount > before.PendingCount || now.SuccessCount < before.SuccessCount || now.FailureCount < before.FailureCount {
					t.Errorf("step %d: the counts went back: %d pending, %d before", step, now.PendingCount, before.PendingCount)
				}
				before.Status = now
				for _, d := range now.Successes {
					held[stix.Identifier(d.ID)] = true
				}
			}
			for _, e := range f.all(t, c) {
				delete(held, e.ID)
			}
			if len(held) > 0 {
				t.Errorf("step %d: successes that are not held: %v", step, held)
			}
		}
	}
	f.Clock.Add(Submissions.Lease)
	f.settle(t)
	for _, s := range open {
		if got := f.status(t, s.ID, s.account, s.TotalCount); got.SuccessCount != got.TotalCount {
			t.Errorf("in the end: %+v", got)
		}
	}
	if n := len(f.all(t, c)); n != len(submitted) {
		t.Errorf("%d entries of %d objects", n, len(submitted))
	}
}

// keyed is a submission with a key.
func (f *Fixture) keyed(c taxii.Collection, account, key string, body byte, objects ...*stix.Object) taxii.Submission {
	s := f.deferred(c, account, objects...)
	s.Deferred = false
	s.Key = &taxii.IdempotencyKey{Name: key, Body: [32]byte{body}}
	return s
}

func testKey(t *testing.T, f *Fixture) {
	c, other := f.collection(t, "Keys"), f.collection(t, "Others")
	first := f.sent(t, f.keyed(c, "analyst", "k", 1, many(1, 2)...))
	f.Reopen(t)
	f.Clock.Add(time.Hour)
	again := f.sent(t, f.keyed(c, "analyst", "k", 1, many(1, 2)...))
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same submission again (-first +again):\n%s", diff)
	}
	if _, err := f.Store.Add(t.Context(), f.keyed(c, "analyst", "k", 2, many(7, 2)...)); !errors.Is(err, taxii.ErrKeyReused) {
		t.Errorf("another submission under the key: %v, want ErrKeyReused", err)
	}
	ids := map[string]bool{first.ID: true}
	for _, s := range []taxii.Submission{
		f.keyed(c, "another", "k", 3, many(1, 2)...), f.keyed(other, "analyst", "k", 4, many(1, 2)...), f.keyed(c, "analyst", "K", 5, many(1, 2)...),
	} {
		status := f.sent(t, s)
		if ids[status.ID] || status.SuccessCount != 2 {
			t.Errorf("another account, collection or key has the status %+v", status)
		}
		ids[status.ID] = true
	}
	f.Clock.Add(taxii.KeyLife - time.Hour - time.Microsecond)
	if again := f.sent(t, f.keyed(c, "analyst", "k", 1, many(1, 2)...)); again.ID != first.ID {
		t.Errorf("the key was forgotten within a day")
	}
	f.Clock.Add(time.Hour)
	late := f.sent(t, f.keyed(c, "analyst", "k", 2, many(1, 2)...))
	if late.ID == first.ID || late.Successes[0].Message != taxii.AlreadyHeld {
		t.Errorf("a day later the key stands for %+v", late)
	}
	if n := len(f.all(t, c)); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

func testKeyDeferred(t *testing.T, f *Fixture) {
	c := f.collection(t, "Keys")
	sub := f.keyed(c, "analyst", "k", 1, many(1, 5)...)
	sub.Deferred = true
	first := f.sent(t, sub)
	for range 3 { // also where no more may be pending, since nothing more is
		f.sent(t, f.deferred(c, fmt.Sprint(f.Clock.Now().UnixNano()), many(20, 1)...))
		f.Clock.Add(time.Second)
	}
	f.advance(t, true)
	half := f.sent(t, sub)
	if half.ID != first.ID || half.PendingCount != 2 || half.SuccessCount != 3 {
		t.Errorf("the submission again is %+v", half)
	}
	f.settle(t)
	if end := f.sent(t, sub); end.ID != first.ID || end.SuccessCount != 5 {
		t.Errorf("the submission again is %+v", end)
	}
	f.advance(t, false)
}

func testKeyConcurrent(t *testing.T, f *Fixture) {
	c := f.collection(t, "Keys")
	statuses := make([]taxii.Status, 8)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			status, err := f.Store.Add(t.Context(), f.keyed(c, "analyst", "k", 1, many(1, 20)...))
			if err != nil {
				t.Errorf("Add: %v", err)
			}
			statuses[i] = status
		})
	}
	wg.Wait()
	for _, s := range statuses {
		if diff := cmp.Diff(statuses[0], s, cmpopts.EquateEmpty()); diff != "" || s.SuccessCount != 20 {
			t.Errorf("of one key (-first +other):\n%s", diff)
		}
	}
	if p := f.page(t, taxii.Query{Collection: c.ID}); len(p.Entries) != 20 {
		t.Errorf("%d entries, want 20", len(p.Entries))
	}
}
