package federation

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestNextList: a list is due after an interval, at once when something else is revoked, never twice in a second, and its
// seq goes on by one.
func TestNextList(t *testing.T) {
	c := testConstitution()
	l := memberLedger(t)
	issuer := RevocationIssuer{Anchor: anchorID, Ledger: l, Interval: 10 * time.Second}
	var last *RevocationList
	next := func(after time.Duration) *RevocationList {
		t.Helper()
		list, err := issuer.Next(last, c.anchor, time.Time{}, testNow.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		if list != nil {
			last = list
		}
		return list
	}
	if list := next(0); list == nil || list.Seq != 1 || list.Expires-list.IssuedAt != 30 || list.Leeway() != time.Second {
		t.Fatalf("the first list is %+v", list)
	}
	if list := next(9 * time.Second); list != nil {
		t.Errorf("a list before its time: %+v", list)
	}
	if list := next(10 * time.Second); list == nil || list.Seq != 2 || list.Previous == "" {
		t.Fatalf("after an interval: %+v", list)
	}
	mustAdd(t, l, order(t, 1, testNow.Add(10*time.Second)))
	if list := next(10*time.Second + 500*time.Millisecond); list != nil {
		t.Errorf("two lists in a second: %+v", list)
	}
	if list := next(11 * time.Second); list == nil || list.Seq != 3 || len(list.Entries) != 1 {
		t.Fatalf("after a suspension: %+v", list)
	}
	if list := next(12 * time.Second); list != nil {
		t.Errorf("nothing is new, and there is %+v", list)
	}
	read, err := ReadRevocationList(last.Compact())
	if err != nil || read.Hash() != last.Hash() || read.Seq != last.Seq {
		t.Errorf("read back: %+v, %v", read, err)
	}
	_, err = issuer.Next(last, c.anchor, time.Time{}, testNow)
	check(t, "a clock that was set back", err, "clock is behind")
	_, err = issuer.Next(last, c.other, time.Time{}, testNow.Add(time.Minute))
	check(t, "a key of nobody", err, "next charter")
	_, err = issuer.Next(last, c.keys[0], time.Time{}, testNow.Add(time.Minute))
	check(t, "a founder's key", err, "next charter")
	if list, err := (RevocationIssuer{Anchor: anchorID, Ledger: l}).Next(nil, c.anchor, time.Time{}, testNow); err != nil || list.Expires-list.IssuedAt != 900 || list.Leeway() != clockLeeway {
		t.Errorf("the default: %+v, %v", list, err)
	}
}

// TestSeqAfterARestore: an anchor whose memory was put back to any earlier moment signs no seq that it signed before, so
// that nobody takes it for two anchors.
func TestSeqAfterARestore(t *testing.T) {
	c := testConstitution()
	l := memberLedger(t)
	issuer := RevocationIssuer{Anchor: anchorID, Ledger: l, Interval: 5 * time.Second}
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		now, restored := testNow, time.Time{}
		var memory []*RevocationList // every list that was ever the newest here
		peer := NewRevocations(l)
		var held *RevocationList
		for range 40 {
			now = now.Add(time.Duration(rng.Int64N(int64(20 * time.Second))))
			if len(memory) > 0 && rng.IntN(5) == 0 {
				held = memory[rng.IntN(len(memory))]
				now = now.Add(time.Second) // a restore takes its time
				restored = now
				now = now.Add(time.Second)
			}
			list, err := issuer.Next(held, c.anchor, restored, now)
			if err != nil {
				t.Fatal(err)
			}
			if list == nil {
				continue
			}
			held, memory = list, append(memory, list)
			if _, err := peer.Accept(list.Compact(), now); err != nil {
				t.Fatalf("seed %d: a peer takes list %d of %s for wrong: %v", seed, list.Seq, now, err)
			}
		}
		if len(peer.Evidence()) > 0 {
			t.Fatalf("seed %d: the anchor is evidence against itself", seed)
		}
	}
}

// TestRevocationsAreKept: after a restart a node knows what it knew, and nothing is younger.
func TestRevocationsAreKept(t *testing.T) {
	c := testConstitution()
	l := memberLedger(t)
	entry := Revocation{Subject: cityID, State: RevokedSuspended, Since: testNow.Unix()}
	first := c.list(t, l, nil, testNow, entry)
	fork := c.list(t, l, nil, testNow)
	r := NewRevocations(l)
	accepted(t, r, first, testNow)
	if _, err := r.Accept(fork.Compact(), testNow); err == nil {
		t.Fatal("two first lists")
	}
	text, err := r.Text()
	if err != nil {
		t.Fatal(err)
	}
	later := testNow.Add(71 * time.Hour)
	again := NewRevocations(l)
	for range 2 { // what is merged again changes nothing
		if err := again.Merge(text, later); err != nil {
			t.Fatal(err)
		}
	}
	back, err := again.Text()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, back); diff != "" {
		t.Errorf("kept again (-want +got):\n%s", diff)
	}
	if len(again.Evidence()) != 2 || !again.FreshUntil().Equal(r.FreshUntil()) || again.List(anchorID) == nil || again.Freshest() == nil {
		t.Errorf("evidence %d, fresh until %s", len(again.Evidence()), again.FreshUntil())
	}
	// The anchor's word alone counts 72 hours from when it was first seen, not from the restart.
	for at, want := range map[time.Time]bool{later: true, testNow.Add(72 * time.Hour): false} {
		if got := again.Check(at)(cityID, "", at) != nil; got != want {
			t.Errorf("at %s revoked: %v", at, got)
		}
	}
	if err := again.Merge("[", later); err == nil {
		t.Error("damaged text is merged")
	}
	// Under a charter that names another key the lists are passed over.
	if err := NewRevocations(newLedger(t)).Merge(`{"lists":["x.y.z"]}`, later); err != nil {
		t.Error(err)
	}
}

// TestSince: a state that is not normal began when what it follows from ended.
func TestSince(t *testing.T) {
	h := Health{ListFreshUntil: testNow, ListLeeway: time.Second, ChainUntil: testNow.Add(time.Hour)}
	for after, want := range map[time.Duration]time.Time{0: {}, time.Minute: testNow.Add(time.Second), 2 * time.Hour: testNow.Add(time.Hour)} {
		if got := h.Since(testNow.Add(after)); !got.Equal(want) {
			t.Errorf("after %s: since %s, want %s", after, got, want)
		}
	}
	if got := (Health{ChainUntil: testNow.Add(time.Hour)}).Since(testNow); !got.IsZero() {
		t.Errorf("without any list: since %s", got)
	}
}
