package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

const day = 24 * time.Hour

// compactRig is a store with a clock of its own.
type compactRig struct {
	*Store
	t   *testing.T
	now time.Time
	c   taxii.Collection
}

func newCompactRig(t *testing.T, o Options) *compactRig {
	t.Helper()
	rig := &compactRig{t: t, now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	o.Now = func() time.Time { return rig.now }
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	rig.Store = s
	rig.c = addCollection(t, s)
	return rig
}

// compactStores runs a test on both engines.
func compactStores(t *testing.T, test func(t *testing.T, rig *compactRig)) {
	t.Run("SQLite", func(t *testing.T) { test(t, newCompactRig(t, Options{Dir: t.TempDir()})) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, newCompactRig(t, Options{URL: newInnerSchema(t)})) })
}

// version is an indicator's version of a day in January 2026; more is further JSON.
func (rig *compactRig) version(n, day int, more string) *stix.Object {
	rig.t.Helper()
	o, err := stix.Parse(fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-%012d","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-%02dT00:00:00.000Z"%s}`, n, day, more), stix.DefaultLimits())
	if err != nil {
		rig.t.Fatal(err)
	}
	return o
}

func (rig *compactRig) add(objects ...*stix.Object) {
	rig.t.Helper()
	sub := taxii.Submission{Collection: rig.c.ID, Account: "analyst", Received: rig.now}
	for _, o := range objects {
		sub.Items = append(sub.Items, taxii.Item{Object: o})
	}
	status, err := rig.Add(rig.t.Context(), sub)
	if err != nil || status.SuccessCount != len(objects) {
		rig.t.Fatalf("%+v, %v", status, err)
	}
}

// held lists number and day of all versions in the order of the log.
func (rig *compactRig) held() []string {
	rig.t.Helper()
	page, err := rig.Entries(rig.t.Context(), taxii.Query{Collection: rig.c.ID, Limit: 1000, Version: taxii.VersionMatch{All: true}})
	if err != nil {
		rig.t.Fatal(err)
	}
	list := []string{}
	for _, e := range page.Entries {
		list = append(list, string(e.ID)[len(e.ID)-1:]+"@"+e.Version[8:10])
	}
	return list
}

func (rig *compactRig) want(held ...string) {
	rig.t.Helper()
	if diff := cmp.Diff(held, rig.held()); diff != "" {
		rig.t.Errorf("held (-want +got):\n%s", diff)
	}
	if findings, err := rig.Verify(rig.t.Context()); err != nil || len(findings) > 0 {
		rig.t.Errorf("Verify: %v, %v", err, findings)
	}
}

func (rig *compactRig) rules(r Retention) {
	rig.t.Helper()
	if err := rig.SetRetention(rig.t.Context(), rig.c.ID, r); err != nil {
		rig.t.Fatal(err)
	}
	if got, err := rig.Retention(rig.t.Context(), rig.c.ID); err != nil || got != r {
		rig.t.Fatalf("the rules are %+v, %v, want %+v", got, err, r)
	}
}

// compact tells what went: revoked, expired, superseded, kept.
func (rig *compactRig) compact(o CompactOptions, want ...int) Compacted {
	rig.t.Helper()
	list, err := rig.Compact(rig.t.Context(), o)
	if err != nil || len(list) != 1 {
		rig.t.Fatalf("%+v, %v", list, err)
	}
	c := list[0]
	if diff := cmp.Diff(want, []int{c.Revoked, c.Expired, c.Superseded, c.Kept}); diff != "" {
		rig.t.Errorf("revoked, expired, superseded, kept (-want +got):\n%s", diff)
	}
	return c
}

const greenMark = `,"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]`

func TestCompact(t *testing.T) {
	compactStores(t, func(t *testing.T, rig *compactRig) {
		if list, err := rig.Compact(t.Context(), CompactOptions{}); err != nil || len(list) > 0 {
			t.Fatalf("without rules: %+v, %v", list, err)
		}
		rig.rules(Retention{Revoked: 90 * day, Expired: 60 * day, Superseded: 30 * day, Unread: 30 * day})
		rig.add(rig.version(1, 1, ""), rig.version(1, 2, ""), rig.version(2, 1, ""), rig.version(3, 1, `,"valid_until":"2026-06-05T00:00:00Z"`))
		rig.add(rig.version(2, 2, `,"revoked":true`), rig.version(4, 1, greenMark), rig.version(4, 2, `,"revoked":true`))
		rig.now = rig.now.Add(29 * day)
		rig.add(rig.version(1, 3, ""))
		rig.compact(CompactOptions{}, 0, 0, 0, 0)
		all := []string{"1@01", "1@02", "2@01", "3@01", "2@02", "4@01", "4@02", "1@03"}
		rig.want(all...)

		rig.now = rig.now.Add(2 * day) // version 1 of object 1 was superseded 31 days ago, version 2 two days ago
		rig.compact(CompactOptions{DryRun: true}, 0, 0, 2, 0)
		rig.want(all...)
		rig.compact(CompactOptions{}, 0, 0, 2, 0)
		rig.compact(CompactOptions{}, 0, 0, 0, 0)
		rig.want("1@02", "3@01", "2@02", "4@01", "4@02", "1@03")

		rig.now = rig.now.Add(34 * day) // 65 days in all: object 3 has expired 61 days ago, and version 2 of object 1 is due
		rig.compact(CompactOptions{DryRun: true}, 0, 1, 1, 0)
		rig.compact(CompactOptions{Collection: rig.c.ID}, 0, 1, 1, 0)
		rig.want("2@02", "4@01", "4@02", "1@03")

		// Object 4 is revoked for those who see its unmarked version only: it stays, as others would find the one before.
		rig.now = rig.now.Add(30 * day)
		rig.compact(CompactOptions{}, 1, 0, 0, 0)
		rig.want("4@01", "4@02", "1@03")

		// Replication does not bring back what went; publishing does.
		const peer federation.EntityID = "https://peer.example"
		if err := rig.AddPeer(t.Context(), federation.Peer{Entity: peer, JWKS: []byte("{}")}, false); err != nil {
			t.Fatal(err)
		}
		sub, err := rig.Subscribe(t.Context(), sync.Subscription{Peer: peer, Collection: "feed", Into: rig.c.ID})
		if err != nil {
			t.Fatal(err)
		}
		applied, err := rig.Apply(t.Context(), sync.PulledPage{Subscription: sub.ID, Received: rig.now, To: sync.Cursor{Next: "1"},
			Items: []sync.PulledItem{{Item: taxii.Item{Object: rig.version(3, 1, `,"valid_until":"2026-06-05T00:00:00Z"`)}}}})
		if err != nil || applied.Tombstoned != 1 {
			t.Errorf("pulling it again: %+v, %v", applied, err)
		}
		rig.add(rig.version(3, 1, `,"valid_until":"2026-06-05T00:00:00Z"`))
		rig.want("4@01", "4@02", "1@03", "3@01")
		rig.compact(CompactOptions{}, 0, 1, 0, 0)
		rig.want("4@01", "4@02", "1@03")
		if err := rig.SetRetention(t.Context(), rig.c.ID, Retention{Revoked: time.Minute}); err == nil {
			t.Error("a minute was taken")
		}
	})
}

// TestCompactUnread keeps what a client that pulls has not read, and says who missed what went.
func TestCompactUnread(t *testing.T) {
	compactStores(t, func(t *testing.T, rig *compactRig) {
		rig.rules(Retention{Superseded: day, Unread: 30 * day})
		for _, name := range []string{"slow", "gone", "barred"} {
			rights := map[string]taxii.Rights{rig.c.ID: {Read: true}}
			if name == "barred" {
				rights = nil
			}
			if _, err := rig.AddClient(t.Context(), Client{Name: name, Rights: rights}); err != nil {
				t.Fatal(err)
			}
		}
		rig.add(rig.version(1, 1, ""))
		read := func(name string, last taxii.DateAdded) {
			t.Helper()
			rig.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: name, Collection: rig.c.ID, At: rig.now, Pull: true, Last: last})
			if err := rig.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		position := func() taxii.DateAdded {
			t.Helper()
			c, err := rig.Collection(t.Context(), rig.c.ID)
			if err != nil {
				t.Fatal(err)
			}
			return c.Last
		}
		first := position()
		for _, name := range []string{"slow", "gone", "barred"} {
			read(name, first)
		}
		rig.now = rig.now.Add(time.Hour)
		rig.add(rig.version(1, 2, ""), rig.version(1, 3, ""))
		rig.now = rig.now.Add(29 * day)
		read("slow", first)
		rig.now = rig.now.Add(2 * day)
		// Version 1 was read by everybody. Version 2 was not read by slow, who pulls, nor by gone, who does not any more.
		told := rig.compact(CompactOptions{}, 0, 0, 1, 1)
		if diff := cmp.Diff([]string{"slow"}, told.KeptFor); diff != "" || len(told.Missed) > 0 {
			t.Errorf("missed %v, kept for (-want +got):\n%s", told.Missed, diff)
		}
		rig.want("1@02", "1@03")
		read("slow", position())
		told = rig.compact(CompactOptions{}, 0, 0, 1, 0)
		if diff := cmp.Diff([]string{"gone"}, told.Missed); diff != "" || len(told.KeptFor) > 0 {
			t.Errorf("kept for %v, missed (-want +got):\n%s", told.KeptFor, diff)
		}
		rig.want("1@03")
	})
}

// TestOptimize gives back the room of what was deleted.
func TestOptimize(t *testing.T) {
	sequential(t)
	compactStores(t, func(t *testing.T, rig *compactRig) {
		for n := range 300 {
			rig.add(rig.version(n, 1, `,"name":"`+fmt.Sprintf("%02000d", n)+`"`))
		}
		if err := rig.RemoveCollection(t.Context(), rig.c.ID); err != nil {
			t.Fatal(err)
		}
		before, err := rig.Optimize(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		after, err := rig.Optimize(t.Context(), true)
		if err != nil || after.Size >= before.Size || after.Free != 0 {
			t.Errorf("%+v became %+v, %v", before, after, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := rig.Optimize(ctx, true); err == nil {
			t.Error("it went on after its context had ended")
		}
		if findings, err := rig.Verify(t.Context()); err != nil || len(findings) > 0 {
			t.Errorf("Verify: %v, %v", err, findings)
		}
	})
}
