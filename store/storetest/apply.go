package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var applyTests = []testCase{
	{"a page and its cursor are stored together", testApply},
	{"a page from another cursor is a conflict", testApplyConflict},
	{"what is refused or contradicts is quarantined once", testQuarantine},
	{"a full quarantine drops its oldest objects and counts them", testQuarantineFull},
	{"the quarantine is purged by age", testPurgeQuarantine},
	{"a large object is quarantined without its bytes", testQuarantineLarge},
	{"replication does not bring back what was deleted", testTombstones},
	{"subscriptions are kept with how they went", testSubscriptions},
	{"a pulled definition moves what it makes servable", testApplyDefinition},
}

const peerID federation.EntityID = "https://node.example.org"

// subscribe pins a peer and subscribes to its collection "feed".
func (f *Fixture) subscribe(t *testing.T, c taxii.Collection) sync.Subscription {
	t.Helper()
	if err := f.Node.AddPeer(t.Context(), federation.Peer{Entity: peerID, JWKS: []byte(`{"keys":[]}`), APIRoot: "https://node.example.org/taxii2/main/"}, true); err != nil {
		t.Fatalf("AddPeer: %v", err)
	}
	sub, err := f.Node.Subscribe(t.Context(), sync.Subscription{Peer: peerID, Collection: "feed", Into: c.ID})
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	return sub
}

// pulled are the items of a page.
func pulled(objects ...*stix.Object) []sync.PulledItem {
	items := make([]sync.PulledItem, len(objects))
	for i, o := range objects {
		items[i] = sync.PulledItem{Item: taxii.Item{Object: o}, Raw: o.Raw}
	}
	return items
}

func (f *Fixture) apply(t *testing.T, p sync.PulledPage) sync.Applied {
	t.Helper()
	if p.Received.IsZero() {
		p.Received = f.Clock.Now()
	}
	applied, err := f.Node.Apply(t.Context(), p)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	f.verify(t)
	return applied
}

// subscription reads the only subscription.
func (f *Fixture) subscription(t *testing.T) sync.Subscription {
	t.Helper()
	list, err := f.Node.Subscriptions(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("Subscriptions = %+v, %v, want one", list, err)
	}
	return list[0]
}

func testApply(t *testing.T, f *Fixture) {
	c := f.collection(t, "Pulled")
	f.add(t, c, object{n: 1}.make())
	sub := f.subscribe(t, c)
	at1 := sync.Cursor{AddedAfter: "2026-02-01T00:00:00.000001Z", Next: "token"}
	got := f.apply(t, sync.PulledPage{Subscription: sub.ID, To: at1, Items: pulled(object{n: 1}.make(), object{n: 2}.make(), address(3, ""), object{n: 2}.make())})
	if diff := cmp.Diff(sync.Applied{Stored: 2, Known: 2}, got); diff != "" {
		t.Errorf("Applied (-want +got):\n%s", diff)
	}
	if n := len(f.all(t, c)); n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
	f.Reopen(t)
	f.Clock.Add(time.Minute)
	now := f.subscription(t)
	want := sync.Subscription{ID: sub.ID, Peer: peerID, Collection: "feed", Into: c.ID, Cursor: at1, Created: sub.Created,
		LastAttempt: now.LastAttempt, LastSuccess: now.LastAttempt, Received: 4}
	if diff := cmp.Diff(want, now); diff != "" {
		t.Errorf("subscription (-want +got):\n%s", diff)
	}
	if now.LastAttempt.IsZero() {
		t.Errorf("the attempt was not noted")
	}
	// Nothing new only notes the success.
	if got := f.apply(t, sync.PulledPage{Subscription: sub.ID, From: at1, To: at1}); got != (sync.Applied{}) {
		t.Errorf("an empty page: %+v", got)
	}
	if later := f.subscription(t); !later.LastSuccess.Equal(f.Clock.Now()) || later.Cursor != at1 {
		t.Errorf("after an empty page: %+v, want success at %v and the cursor unchanged", later, f.Clock.Now())
	}
}

func testApplyConflict(t *testing.T, f *Fixture) {
	c := f.collection(t, "Conflicts")
	sub := f.subscribe(t, c)
	page := sync.PulledPage{Subscription: sub.ID, To: sync.Cursor{Next: "2"}, Items: pulled(object{n: 1}.make()), Received: f.Clock.Now()}
	f.apply(t, page)
	page.Items = pulled(object{n: 2}.make())
	page.Items = append(page.Items, sync.PulledItem{Item: taxii.Item{ID: "x", Refused: "no"}, Raw: []byte("{}")})
	for name, from := range map[string]sync.Cursor{"the same page twice": {}, "another position": {AddedAfter: "2026-01-01T00:00:00.000000Z", Next: "2"}} {
		page.From = from
		if _, err := f.Node.Apply(t.Context(), page); !errors.Is(err, sync.ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", name, err)
		}
	}
	if e := f.all(t, c); len(e) != 1 {
		t.Errorf("a page in conflict stored something: %v", names(e))
	}
	if rows, err := f.Node.Quarantine(t.Context(), 10); err != nil || len(rows) != 0 {
		t.Errorf("a page in conflict quarantined %v, %v", rows, err)
	}
	if err := f.Node.ResetCursor(t.Context(), sub.ID, sync.Cursor{}); err != nil {
		t.Fatal(err)
	}
	page.From = sync.Cursor{}
	f.apply(t, page)
	page.Subscription++
	if _, err := f.Node.Apply(t.Context(), page); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Apply to no subscription: %v, want ErrNotFound", err)
	}
}

func testQuarantine(t *testing.T, f *Fixture) {
	c := f.collection(t, "Quarantine")
	f.add(t, c, object{n: 1}.make())
	sub := f.subscribe(t, c)
	changed := object{n: 1, text: " changed"}.make()
	items := append(pulled(changed, object{n: 2}.make()),
		sync.PulledItem{Item: taxii.Item{Object: object{n: 3}.make(), Refused: "edits an object of another owner"}, Raw: object{n: 3}.make().Raw},
		sync.PulledItem{Item: taxii.Item{ID: "indicator--zero", Version: "v", Refused: "is no object"}, Raw: []byte(`{"id":"indicator--zero"}`)},
		sync.PulledItem{Item: taxii.Item{Refused: "is no object"}, Raw: []byte(`[1]`)},
		sync.PulledItem{Item: taxii.Item{Refused: "is no object"}, Raw: []byte(`[2]`)})
	for round := range 3 { // a peer that repeats itself fills nothing
		got := f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: items})
		want := sync.Applied{Stored: 1, Quarantined: 5}
		if round > 0 {
			want = sync.Applied{Known: 1, Quarantined: 5}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("round %d: Applied (-want +got):\n%s", round, diff)
		}
	}
	rows, err := f.Node.Quarantine(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	const v = "2026-01-01T00:00:00.000Z"
	row := func(id, version, reason, raw string) store.QuarantineRow {
		return store.QuarantineRow{Subscription: sub.ID, Peer: peerID, Collection: c.ID, ID: id, Version: version, Reason: reason, Raw: []byte(raw), Received: f.Clock.Now()}
	}
	want := []store.QuarantineRow{ // the newest first
		row("", "", "is no object", `[2]`),
		row("", "", "is no object", `[1]`),
		row("indicator--zero", "v", "is no object", `{"id":"indicator--zero"}`),
		row(string(id("indicator", 3)), v, "edits an object of another owner", string(object{n: 3}.make().Raw)),
		row(string(id("indicator", 1)), v, "other content is already held under this id and version; publish a new version with a later modified time", string(changed.Raw)),
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("quarantine (-want +got):\n%s", diff)
	}
	if two, err := f.Node.Quarantine(t.Context(), 2); err != nil || len(two) != 2 {
		t.Errorf("Quarantine(2) = %d rows, %v", len(two), err)
	}
	if s := f.subscription(t); s.Quarantined != 5 || s.Received != 18 {
		t.Errorf("subscription counts %d received, %d quarantined; want 18 and 5", s.Received, s.Quarantined)
	}
	if err := f.Node.Unsubscribe(t.Context(), sub.ID); err != nil {
		t.Fatal(err)
	}
	if rows, err := f.Node.Quarantine(t.Context(), 100); err != nil || len(rows) != 5 {
		t.Errorf("after unsubscribing the quarantine has %d rows, %v; want 5", len(rows), err)
	}
}

// refusals are n items of about size bytes each, numbered from first.
func refusals(first, n, size int) []sync.PulledItem {
	items := make([]sync.PulledItem, n)
	for i := range items {
		name := fmt.Sprint("x", first+i)
		items[i] = sync.PulledItem{Item: taxii.Item{ID: name, Refused: "no"}, Raw: append([]byte(name), bytes.Repeat([]byte("."), size)...)}
	}
	return items
}

func (f *Fixture) wantQuarantine(t *testing.T, newest, rows int, dropped int64) {
	t.Helper()
	list, err := f.Node.Quarantine(t.Context(), 1000)
	if err != nil || len(list) != rows {
		t.Fatalf("the quarantine has %d rows, %v, want %d", len(list), err, rows)
	}
	for i, r := range list {
		if want := fmt.Sprint("x", newest-i); r.ID != want {
			t.Fatalf("row %d is %s, want %s: the oldest make room", i, r.ID, want)
		}
	}
	if s := f.subscription(t); s.Dropped != dropped || s.Quarantined != int64(newest)+1 {
		t.Errorf("the subscription counts %d quarantined and %d dropped, want %d and %d", s.Quarantined, s.Dropped, newest+1, dropped)
	}
}

func testQuarantineFull(t *testing.T, f *Fixture) {
	sub := f.subscribe(t, f.collection(t, "Full"))
	page := sync.PulledPage{Subscription: sub.ID, Items: refusals(0, QuarantineRows, 10)}
	f.apply(t, page)
	f.wantQuarantine(t, QuarantineRows-1, QuarantineRows, 0)
	f.apply(t, page) // again: nothing new
	f.wantQuarantine(t, QuarantineRows-1, QuarantineRows, 0)
	page.Items = refusals(QuarantineRows, 3, 10)
	f.apply(t, page)
	f.wantQuarantine(t, QuarantineRows+2, QuarantineRows, 3)
	f.Reopen(t)
	page.Items = refusals(QuarantineRows+3, 5, QuarantineBytes/8) // five of them and few of the small ones fit
	f.apply(t, page)
	f.wantQuarantine(t, QuarantineRows+7, QuarantineRows, 8)
	page.Items = refusals(QuarantineRows+8, 3, QuarantineBytes/8) // eight of them do not
	f.apply(t, page)
	f.wantQuarantine(t, QuarantineRows+10, 7, QuarantineRows+4)
	page.Items = refusals(QuarantineRows+11, QuarantineRows+9, 10) // a page that is more than the quarantine holds
	f.apply(t, page)
	f.wantQuarantine(t, 2*QuarantineRows+19, QuarantineRows, QuarantineRows+20)
}

func testPurgeQuarantine(t *testing.T, f *Fixture) {
	sub := f.subscribe(t, f.collection(t, "Purged"))
	page := sync.PulledPage{Subscription: sub.ID, Items: refusals(0, 4, 10)}
	f.apply(t, page)
	f.Clock.Add(time.Hour)
	at := f.Clock.Now()
	page.Items = refusals(4, 2, 10)
	f.apply(t, page)
	for before, want := range map[time.Time]int{at.Add(-2 * time.Hour): 0, {}: 0} {
		if n, err := f.Node.PurgeQuarantine(t.Context(), before); err != nil || n != want {
			t.Errorf("PurgeQuarantine(%v) = %d, %v, want %d", before, n, err, want)
		}
	}
	if n, err := f.Node.PurgeQuarantine(t.Context(), at); err != nil || n != 4 {
		t.Errorf("PurgeQuarantine = %d, %v, want 4", n, err)
	}
	f.verify(t)
	f.wantQuarantine(t, 5, 2, 0)
	if err := f.Node.Unsubscribe(t.Context(), sub.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Node.PurgeQuarantine(t.Context(), at.Add(time.Microsecond)); err != nil || n != 2 {
		t.Errorf("PurgeQuarantine after unsubscribing = %d, %v, want 2", n, err)
	}
}

func testQuarantineLarge(t *testing.T, f *Fixture) {
	c := f.collection(t, "Large quarantine")
	sub := f.subscribe(t, c)
	at, over := bytes.Repeat([]byte("a"), 1<<20), bytes.Repeat([]byte("b"), 1<<20+1)
	item := func(raw []byte) sync.PulledItem {
		return sync.PulledItem{Item: taxii.Item{ID: "x", Refused: "too large"}, Raw: raw}
	}
	f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: []sync.PulledItem{item(at), item(over)}})
	rows, err := f.Node.Quarantine(t.Context(), 2)
	if err != nil || len(rows) != 2 {
		t.Fatalf("Quarantine = %d rows, %v", len(rows), err)
	}
	if len(rows[0].Raw) != 0 || !strings.Contains(rows[0].Reason, "1048577 bytes were not kept") || len(rows[1].Raw) != 1<<20 || rows[1].Reason != "too large" {
		t.Errorf("kept %d bytes (%q) and %d bytes (%q)", len(rows[0].Raw), rows[0].Reason, len(rows[1].Raw), rows[1].Reason)
	}
}

func testTombstones(t *testing.T, f *Fixture) {
	c := f.collection(t, "Tombstones")
	sub := f.subscribe(t, c)
	page := sync.PulledPage{Subscription: sub.ID, Items: pulled(indicator(1, 1, 0), indicator(1, 2, 0), address(3, ""))}
	f.apply(t, page)
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("indicator", 1), Version: taxii.VersionMatch{Last: true}})
	f.delete(t, taxii.Deletion{Collection: c.ID, ID: id("ipv4-addr", 3)})
	page.Items = append(page.Items, pulled(address(3, "0"))...) // other content was not deleted
	f.Clock.Add(time.Hour)
	if diff := cmp.Diff(sync.Applied{Stored: 1, Known: 1, Tombstoned: 2}, f.apply(t, page)); diff != "" {
		t.Errorf("Applied (-want +got):\n%s", diff)
	}
	f.add(t, c, indicator(1, 2, 0), address(3, "")) // this node's own publishers may
	if n := len(f.all(t, c)); n != 4 {
		t.Errorf("%d entries after adding what was deleted, want 4", n)
	}
	if diff := cmp.Diff(sync.Applied{Known: 4}, f.apply(t, page)); diff != "" {
		t.Errorf("Applied once more (-want +got):\n%s", diff)
	}
}

func testSubscriptions(t *testing.T, f *Fixture) {
	c := f.collection(t, "Subscriptions")
	sub := f.subscribe(t, c)
	ctx := t.Context()
	if _, err := f.Node.Subscribe(ctx, sync.Subscription{Peer: peerID, Collection: "feed", Into: c.ID}); !errors.Is(err, store.ErrExists) {
		t.Errorf("Subscribe twice: %v, want ErrExists", err)
	}
	if _, err := f.Node.Subscribe(ctx, sync.Subscription{Peer: "ftp://unknown.example", Collection: "feed", Into: c.ID}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("Subscribe to what is no entity: %v, want ErrInvalid", err)
	}
	unpinned, err := f.Node.Subscribe(ctx, sync.Subscription{Peer: "https://unpinned.example", Collection: "feed", Into: c.ID})
	if err != nil || unpinned.Peer != "https://unpinned.example" || unpinned.ID == sub.ID {
		t.Errorf("Subscribe to a peer that is not pinned: %+v, %v", unpinned, err)
	}
	if err := f.Node.Unsubscribe(ctx, unpinned.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Node.Subscribe(ctx, sync.Subscription{Peer: peerID, Collection: "feed", Into: "nowhere"}); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("Subscribe into nothing: %v, want ErrNotFound", err)
	}
	for n := 1; n <= 2; n++ {
		f.Clock.Add(time.Minute)
		if err := f.Node.PullFailed(ctx, sub.ID, f.Clock.Now(), "connection refused"); err != nil {
			t.Fatal(err)
		}
		if s := f.subscription(t); s.Failures != n || s.Error != "connection refused" || !s.LastAttempt.Equal(f.Clock.Now()) || !s.LastSuccess.IsZero() {
			t.Errorf("after %d failures: %+v", n, s)
		}
	}
	f.apply(t, sync.PulledPage{Subscription: sub.ID})
	if s := f.subscription(t); s.Failures != 0 || s.Error != "" || s.LastSuccess.IsZero() {
		t.Errorf("after a success: %+v", s)
	}
	if err := f.Node.RemoveCollection(ctx, c.ID); !errors.Is(err, store.ErrInUse) {
		t.Errorf("RemoveCollection with a subscription: %v, want ErrInUse", err)
	}
	if err := f.Node.RemovePeer(ctx, peerID); !errors.Is(err, store.ErrInUse) {
		t.Errorf("RemovePeer with a subscription: %v, want ErrInUse", err)
	}
	if err := f.Node.Unsubscribe(ctx, sub.ID); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Unsubscribe": f.Node.Unsubscribe(ctx, sub.ID),
		"ResetCursor": f.Node.ResetCursor(ctx, sub.ID, sync.Cursor{}),
		"PullFailed":  f.Node.PullFailed(ctx, sub.ID, f.Clock.Now(), "x"),
	} {
		if !errors.Is(err, taxii.ErrNotFound) {
			t.Errorf("%s of no subscription: %v, want ErrNotFound", what, err)
		}
	}
	if again := f.subscribe(t, c); again.ID <= sub.ID {
		t.Errorf("subscription id %d was given again after %d", again.ID, sub.ID)
	}
	if err := f.Node.Unsubscribe(ctx, f.subscription(t).ID); err != nil {
		t.Fatal(err)
	}
	if err := f.Node.RemoveCollection(ctx, c.ID); err != nil {
		t.Errorf("RemoveCollection: %v", err)
	}
}

func testApplyDefinition(t *testing.T, f *Fixture) {
	c := f.collection(t, "Pulled definition")
	sub := f.subscribe(t, c)
	mark := id("marking-definition", 1)
	f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(object{n: 1, marks: []stix.Identifier{mark}}.make())})
	q := taxii.Query{Collection: c.ID, Visible: known}
	before := f.page(t, q)
	if len(before.Entries) != 0 {
		t.Fatalf("served: %v", names(before.Entries))
	}
	f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: pulled(statement(1))})
	q.After = before.Collection.Last
	if diff := cmp.Diff([]string{"marking-definition-001 2025-12-01T00:00:00.000Z", "indicator-001 2026-01-01T00:00:00.000Z"}, names(f.page(t, q).Entries)); diff != "" {
		t.Errorf("after the definition (-want +got):\n%s", diff)
	}
}
