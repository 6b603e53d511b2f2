package sync

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
)

func TestPull(t *testing.T) {
	r := newRig(t)
	r.peer.add(identities(0, 25)...)
	p := r.puller()
	want := Pulled{Pages: 3, Applied: Applied{Stored: 25}}
	if diff := cmp.Diff(want, r.pull(p)); diff != "" {
		t.Errorf("first pull (-want +got):\n%s", diff)
	}
	r.check()
	if diff := cmp.Diff(Pulled{}, r.pull(p)); diff != "" {
		t.Errorf("nothing new (-want +got):\n%s", diff)
	}
	r.peer.add(identities(25, 27)...)
	if diff := cmp.Diff(Pulled{Pages: 1, Applied: Applied{Stored: 2}}, r.pull(p)); diff != "" {
		t.Errorf("two new (-want +got):\n%s", diff)
	}
	r.check()
	for _, query := range r.peer.asked() {
		if !strings.Contains(query, "match%5Bversion%5D=all") || !strings.Contains(query, "limit=1") {
			t.Errorf("asked %s", query)
		}
	}
}

// TestPullWays: a peer without tokens, one with another largest page, and one whose tokens were made void by a restore.
func TestPullWays(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *rig)
	}{
		{"more without next", func(r *rig) { r.peer.noTokens = true }},
		{"small pages", func(r *rig) { r.peer.max = 3 }},
		{"one object a page", func(r *rig) { r.peer.max = 1 }},
		{"a stored token of another epoch", func(r *rig) {
			r.store.subs[0].Cursor = Cursor{AddedAfter: r.peer.log[0].date.String(), Next: "7.12"}
			r.store.order = []string{identityID(0)} // what the cursor stands behind
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.peer.add(identities(0, 23)...)
			tt.change(r)
			r.pull(r.puller())
			r.check()
			if len(r.store.failed) > 0 {
				t.Errorf("failures: %v", r.store.failed)
			}
		})
	}
}

func TestCollectionNames(t *testing.T) {
	for _, name := range []string{"indicators", "Shared indicators"} {
		r := newRig(t)
		r.store.subs[0].Collection = name
		r.peer.add(identities(0, 3)...)
		p := r.puller()
		r.pull(p)
		r.pull(p)
		r.check()
		if r.peer.lookups != 1 {
			t.Errorf("%s: looked up %d times, want once", name, r.peer.lookups)
		}
	}
	// A title whose collection was made anew is looked up again after the 404.
	r := newRig(t)
	r.store.subs[0].Collection = "indicators"
	p := r.puller()
	r.pull(p)
	r.peer.set(func(p *fakePeer) { p.before = fail(http.StatusNotFound) })
	if _, err := p.Pull(context.Background()); err == nil {
		t.Error("404 is no error")
	}
	r.peer.set(func(p *fakePeer) { p.before = nil })
	r.pull(p)
	if r.peer.lookups != 2 {
		t.Errorf("looked up %d times, want again after the 404", r.peer.lookups)
	}

	r = newRig(t)
	r.store.subs[0].Collection = "other"
	if _, err := r.puller().Pull(context.Background()); err == nil || len(r.store.failed) != 1 {
		t.Errorf("an unknown collection: %v, noted %v", err, r.store.failed)
	}
}

func TestQuarantine(t *testing.T) {
	lenient := func(o *Options) { o.Lenient = true }
	const warnedOnly = `{"type":"identity","spec_version":"2.1","id":"identity--00000063-0000-4000-8000-000000000063",` +
		`"created":"1999-12-01T00:00:00.000Z","modified":"1999-12-01T00:00:00.000Z","name":7}`
	for _, tt := range []struct {
		name   string
		raw    string
		change func(o *Options)
		rules  Rules  // of the subscription
		want   string // part of the reason, "" for stored
		broken bool   // stored with violations
	}{
		{name: "clear", raw: identity(99, stix.MarkingOf(stix.TLPClear))},
		{name: "amber", raw: identity(99, stix.MarkingOf(stix.TLPAmber))},
		{name: "unmarked", raw: identity(99, "")},
		{name: "amber+strict", raw: identity(99, stix.MarkingOf(stix.TLPAmberStrict)), want: string(peerID)},
		{name: "red", raw: identity(99, stix.MarkingOf(stix.TLPRed)), want: "TLP:RED"},
		{name: "red of TLP 1", raw: identity(99, "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"), want: "TLP:RED"},
		{name: "in the future", raw: strings.ReplaceAll(identity(99, ""), "1999", "2999"), want: "in the future"},
		{name: "a wrong type of a property", raw: warnedOnly, want: "name"},
		{name: "the same, lenient", raw: warnedOnly, change: lenient, broken: true},
		{name: "the same, lenient by the subscription", raw: warnedOnly, rules: RulesLenient, broken: true},
		{name: "the same, strict by the subscription", raw: warnedOnly, rules: RulesStrict, change: lenient, want: "name"},
		{name: "the same, by rules that a newer program wrote", raw: warnedOnly, rules: "liberal", change: lenient, want: "name"},
		{name: "red, lenient", raw: identity(99, stix.MarkingOf(stix.TLPRed)), rules: RulesLenient, want: "TLP:RED"},
		{name: "structural, lenient by the subscription", raw: strings.Replace(identity(99, ""), `"modified":"1999`, `"modified":"x1999`, 1),
			rules: RulesLenient, want: "modified"},
		{name: "structural, lenient", raw: strings.Replace(identity(99, ""), `"modified":"1999`, `"modified":"x1999`, 1),
			change: lenient, want: "modified"},
		{name: "refused by the collection", raw: identity(99, ""), change: func(o *Options) {
			o.Refuse = func(_ context.Context, s Subscription) (func(*stix.Object) string, error) {
				return func(object *stix.Object) string {
					if string(object.ID) != identityID(99) {
						return ""
					}
					return "not into " + s.Into
				}, nil
			}
		}, want: "not into " + localID},
		{name: "no object", raw: `[1]`, want: "objects[1]"},
		{name: "no id", raw: `{"type":"identity"}`, want: "objects[1]"},
		{name: "no type and no id", raw: `{"name":"x"}`, want: "objects[1]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			if tt.change != nil {
				tt.change(&r.options)
			}
			r.store.subs[0].Rules = tt.rules
			r.peer.add(identity(1, ""), tt.raw, identity(2, ""))
			got := r.pull(r.puller())
			if ids := r.store.ids(); ids[0] != identityID(1) || ids[len(ids)-1] != identityID(2) {
				t.Errorf("stored %v: the siblings must be stored whatever becomes of the one", ids)
			}
			want := Applied{Stored: 3}
			if tt.want != "" {
				want = Applied{Stored: 2, Quarantined: 1}
			}
			if tt.broken {
				want.Violating = 1
			}
			if diff := cmp.Diff(want, got.Applied); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for id, reason := range r.store.quarantine {
				if !strings.Contains(reason, tt.want) && !strings.Contains(id, tt.want) {
					t.Errorf("%s is refused because %q, want %q", id, reason, tt.want)
				}
			}
		})
	}
}

// TestRulesChange holds that a puller goes by the rules as they are stored, and that there are no others.
func TestRulesChange(t *testing.T) {
	broken := func(n int) string {
		return strings.Replace(identity(n, ""), `"identity_class"`, `"labels":[],"identity_class"`, 1)
	}
	r := newRig(t)
	p := r.puller()
	for n, rules := range []Rules{RulesOfNode, RulesLenient, RulesStrict} {
		r.store.subs[0].Rules = rules
		r.peer.add(broken(n))
		want := Applied{Quarantined: 1}
		if rules == RulesLenient {
			want = Applied{Stored: 1, Violating: 1}
		}
		if diff := cmp.Diff(want, r.pull(p).Applied); diff != "" {
			t.Errorf("rules %q (-want +got):\n%s", rules, diff)
		}
		if err := rules.Check(); err != nil {
			t.Errorf("rules %q: %v", rules, err)
		}
	}
	if err := Rules("liberal").Check(); !errors.Is(err, ErrRules) {
		t.Errorf("other rules: %v, want ErrRules", err)
	}
}

// TestCrashAnywhere kills the process at every Apply, before and after its commit, once and twice in a row, and holds that
// the end is the same: each object stored once, in order, and the cursor behind the last.
func TestCrashAnywhere(t *testing.T) {
	for n := 1; n <= 5; n++ { // four pages, because they grow, and the empty one
		for _, committed := range []bool{false, true} {
			for times := 1; times <= 2; times++ {
				r := newRig(t)
				r.peer.add(identities(0, 45)...)
				left := times
				crash := func(apply int) error {
					if apply >= n && left > 0 {
						left--
						return errCrash
					}
					return nil
				}
				if committed {
					r.store.after = crash
				} else {
					r.store.before = crash
				}
				crashes := 0
				for {
					_, err := r.puller().Pull(context.Background()) // a new process each time
					if err == nil {
						break
					}
					if crashes++; !errors.Is(err, errCrash) || crashes > times {
						t.Fatalf("apply %d, committed %v: %v", n, committed, err)
					}
				}
				r.check()
				if crashes != times {
					t.Errorf("apply %d, committed %v: %d crashes, want %d", n, committed, crashes, times)
				}
			}
		}
	}
}

// TestConflict: another process stores the page that was being read; the pull goes on behind it.
func TestConflict(t *testing.T) {
	r := newRig(t)
	r.peer.add(identities(0, 25)...)
	other := r.puller()
	r.peer.before = func(http.ResponseWriter, *http.Request) bool {
		r.peer.set(func(p *fakePeer) { p.before = nil })
		r.pull(other)
		return false
	}
	got := r.pull(r.puller())
	r.check()
	if got.Pages != 0 || len(r.store.failed) != 0 {
		t.Errorf("%+v with failures %v; the other process had done it all", got, r.store.failed)
	}
}

func TestConflictWithoutEnd(t *testing.T) {
	r := newRig(t)
	r.peer.add(identities(0, 5)...)
	r.store.before = func(int) error { return ErrConflict }
	_, err := r.puller().Pull(context.Background())
	if !errors.Is(err, ErrConflict) || r.store.applies != maxConflicts+1 {
		t.Errorf("%v after %d attempts, want %v after %d", err, r.store.applies, ErrConflict, maxConflicts+1)
	}
}

// TestReset: the operator sets the cursor back; everything comes again and changes nothing.
func TestReset(t *testing.T) {
	r := newRig(t)
	r.peer.add(identities(0, 15)...)
	p := r.puller()
	r.pull(p)
	r.store.set(func(s *fakeStore) { s.subs[0].Cursor = Cursor{} })
	if diff := cmp.Diff(Pulled{Pages: 2, Applied: Applied{Known: 15}}, r.pull(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.check()
}

func TestPeerChanges(t *testing.T) {
	r := newRig(t)
	r.peer.add(identities(0, 2)...)
	p := r.puller()
	r.pull(p)
	r.pins.set(peerID, nil)
	if _, err := p.Pull(context.Background()); !errors.Is(err, federation.ErrUnknownPeer) || !strings.Contains(r.store.failed[0], "pin it again") {
		t.Errorf("after the pin was removed: %v, noted %v", err, r.store.failed)
	}
	r.pins.set(peerID, &federation.Peer{Entity: peerID, APIRoot: "https://peer.example/elsewhere/"})
	if _, err := p.Pull(context.Background()); err == nil {
		t.Error("the new address was not used")
	}
	r.pins.set(peerID, &federation.Peer{Entity: peerID, APIRoot: peerID.DefaultAPIRoot()})
	r.pull(p)
	r.store.set(func(s *fakeStore) { s.subs = nil })
	if _, err := p.Pull(context.Background()); !errors.Is(err, errGone) || len(r.store.failed) != 2 {
		t.Errorf("after the subscription was removed: %v, noted %v", err, r.store.failed)
	}
}

// TestNotKnownToPeer: the peer does not accept the node; its operator reads why.
func TestNotKnownToPeer(t *testing.T) {
	r := newRig(t)
	r.options.Signer = &federation.Signer{Entity: "https://stranger.example", Key: testKeys().Request}
	if _, err := r.puller().Pull(context.Background()); err == nil || !strings.Contains(r.store.failed[0], "does not accept the credentials") {
		t.Errorf("%v, noted %v", err, r.store.failed)
	}
}

func TestPanicIsAFailure(t *testing.T) {
	r := newRig(t)
	r.peer.add(identity(1, ""))
	r.options.Check = func([]byte) (*stix.Object, stix.Report) { panic("a bug") }
	if _, err := r.puller().Pull(context.Background()); err == nil || len(r.store.failed) != 1 || len(r.store.order) != 0 {
		t.Errorf("%v, noted %v", err, r.store.failed)
	}
}

func TestOnAppliedAndMetrics(t *testing.T) {
	r := newRig(t)
	registry := prometheus.NewRegistry()
	r.options.Registerer = registry
	var pages []int
	r.options.OnApplied = func(s Subscription, page PulledPage, applied Applied) {
		if s.ID != 1 || page.Subscription != 1 || applied.Stored+applied.Quarantined != len(page.Items) {
			t.Errorf("OnApplied(%+v, %d items, %+v)", s, len(page.Items), applied)
		}
		pages = append(pages, len(page.Items))
	}
	r.peer.add(append(identities(0, 12), identity(50, stix.MarkingOf(stix.TLPRed)))...)
	r.pull(r.puller())
	if diff := cmp.Diff([]int{10, 3, 0}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				got[f.GetName()+" "+l.GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	want := map[string]float64{
		"skjold_sync_objects_total stored": 12, "skjold_sync_objects_total quarantined": 1,
		"skjold_sync_objects_total known": 0, "skjold_sync_objects_total tombstoned": 0,
		"skjold_sync_pulls_total applied": 2, "skjold_sync_pulls_total empty": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestOptions(t *testing.T) {
	good := newRig(t).options
	for name, change := range map[string]func(o *Options){
		"no store":          func(o *Options) { o.Store = nil },
		"no peers":          func(o *Options) { o.Peers = nil },
		"no signer":         func(o *Options) { o.Signer = nil },
		"no client":         func(o *Options) { o.HTTP = nil },
		"negative page":     func(o *Options) { o.PageSize = -1 },
		"maximum too small": func(o *Options) { o.MaxPageSize = 5 },
		"negative interval": func(o *Options) { o.Interval = -1 },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
