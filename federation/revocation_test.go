package federation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const anchorID, cityID = EntityID("https://anchor.example"), EntityID("https://city.example")

// list signs a list of the tests' anchor with entries of its own making.
func (c *constitution) list(t testing.TB, l *Ledger, previous *RevocationList, now time.Time, more ...Revocation) *RevocationList {
	t.Helper()
	list, err := SignRevocationList(l, previous, anchorID, c.anchor, now, more...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// memberLedger is a ledger with the city admitted, and further records.
func memberLedger(t testing.TB, records ...[]byte) *Ledger {
	t.Helper()
	l := newLedger(t)
	admission, _, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, admission)
	for _, r := range records {
		mustAdd(t, l, r)
	}
	return l
}

func accepted(t testing.TB, r *Revocations, list *RevocationList, now time.Time) {
	t.Helper()
	if _, err := r.Accept(list.Compact(), now); err != nil {
		t.Fatal(err)
	}
}

// TestRevocationListTellsTheLedger: what the records say is in the anchor's list, with the record behind it.
func TestRevocationListTellsTheLedger(t *testing.T) {
	c := testConstitution()
	at, now := testNow.Add(time.Hour), testNow.Add(2*time.Hour)
	for name, tt := range map[string]struct {
		record []byte
		want   Revocation
	}{
		"suspended": {order(t, 1, at), Revocation{Subject: cityID, State: RevokedSuspended}},
		"expelled":  {about(t, Expulsion, at), Revocation{Subject: cityID, State: RevokedExpelled}},
		"recovered": {about(t, Recovery, at, c.other.ID()), Revocation{Subject: cityID, KeyID: c.member.ID(), State: RevokedKey}},
	} {
		t.Run(name, func(t *testing.T) {
			l := memberLedger(t, tt.record)
			tt.want.Since, tt.want.Decision = at.Unix(), hashOf(tt.record)
			list := c.list(t, l, nil, now)
			if diff := cmp.Diff([]Revocation{tt.want}, list.Entries); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			// A node that has not the record yet goes by the list, and checks chains by it.
			r := NewRevocations(memberLedger(t))
			check := r.Check(now)
			if err := errors.Join(check(cityID, "", at), check(cityID, c.member.ID(), at)); err != nil {
				t.Errorf("before the list came: %v", err)
			}
			accepted(t, r, list, now)
			check = r.Check(now)
			if err := errors.Join(check(cityID, "", at), check(cityID, c.member.ID(), at)); err == nil {
				t.Error("the list revokes nothing")
			}
			if since, ok := r.Since(cityID, c.member.ID(), now); !ok || since.Unix() != at.Unix() {
				t.Errorf("since %s, %v", since, ok)
			}
			if _, ok := r.Since("https://another.example", "", now); ok {
				t.Error("another member is revoked too")
			}
		})
	}
}

// TestAListCannotHide: the ledger's suspension counts, whatever the anchor's list leaves out.
func TestAListCannotHide(t *testing.T) {
	c := testConstitution()
	now := testNow.Add(2 * time.Hour)
	r := NewRevocations(memberLedger(t, order(t, 1, testNow.Add(time.Hour))))
	accepted(t, r, c.list(t, memberLedger(t), nil, now), now)
	if err := r.Check(now)(cityID, "", now); err == nil {
		t.Error("a list without the suspension lets the member in")
	}
	// It ends with the ledger's 72 hours, though the anchor's old list is held and names it.
	suspended := memberLedger(t, order(t, 1, testNow.Add(time.Hour)))
	r = NewRevocations(suspended)
	accepted(t, r, c.list(t, suspended, nil, now), now)
	if err := r.Check(testNow.Add(74*time.Hour))(cityID, "", now); err != nil {
		t.Error("after the suspension:", err)
	}
}

// TestAnchorAloneRevokes: without a record an entry counts 72 hours, however often it is repeated.
func TestAnchorAloneRevokes(t *testing.T) {
	c := testConstitution()
	l := memberLedger(t)
	r := NewRevocations(l)
	var previous *RevocationList
	revoked := func(at time.Time) bool { return r.Check(at)(cityID, "", at) != nil }
	for day := range 10 {
		at := testNow.Add(time.Duration(day) * 24 * time.Hour)
		previous = c.list(t, l, previous, at, Revocation{Subject: cityID, State: RevokedSuspended, Since: at.Unix()})
		accepted(t, r, previous, at)
		if got, want := revoked(at), day < 3; got != want {
			t.Errorf("on day %d revoked: %v, want %v", day, got, want)
		}
	}
}

// TestSequence: seq only rises, and two lists that can't both be are evidence.
func TestSequence(t *testing.T) {
	c := testConstitution()
	l := memberLedger(t)
	r := NewRevocations(l)
	entry := Revocation{Subject: cityID, State: RevokedSuspended, Since: testNow.Unix()}
	first := c.list(t, l, nil, testNow)
	second := c.list(t, l, first, testNow.Add(RevocationInterval))
	other := c.list(t, l, first, testNow.Add(RevocationInterval), entry)
	third := c.list(t, l, second, testNow.Add(2*RevocationInterval))
	stranger := c.list(t, l, other, testNow.Add(2*RevocationInterval), Revocation{KeyID: c.other.ID(), State: RevokedKey, Since: testNow.Unix()})
	now := testNow.Add(time.Hour)

	accepted(t, r, second, now) // lists may be missed
	accepted(t, r, second, now)
	if _, err := r.Accept(first.Compact(), now); !errors.Is(err, ErrOldRevocationList) {
		t.Errorf("an older list: %v", err)
	}
	if _, err := r.Accept(other.Compact(), now); !errors.Is(err, ErrForkedRevocationList) {
		t.Errorf("a second list of one seq: %v", err)
	}
	if err := r.Check(now)(cityID, "", now); err == nil {
		t.Error("what either of two lists revokes must count")
	}
	evidence := r.Evidence()
	if slices.Sort(evidence); len(evidence) != 2 || !slices.Contains(evidence, second.Compact()) || !slices.Contains(evidence, other.Compact()) {
		t.Errorf("%d texts are evidence", len(evidence))
	}
	accepted(t, r, stranger, now)
	if err := r.Check(now)(cityID, "", now); err != nil {
		t.Errorf("after a list with a higher seq: %v", err)
	}
	if _, err := r.Accept(third.Compact(), now); !errors.Is(err, ErrForkedRevocationList) {
		t.Errorf("a list that goes on from another past: %v", err)
	}
	if got := r.FreshUntil(); !got.Equal(time.Unix(third.Expires, 0)) {
		t.Errorf("fresh until %s", got)
	}
	if _, err := r.Accept(third.Compact(), testNow); err == nil || !strings.Contains(err.Error(), "future") {
		t.Errorf("a list from the future: %v", err)
	}
}

// TestListsOfNobody: what is not the anchor's own is refused, each for its reason.
func TestListsOfNobody(t *testing.T) {
	c := testConstitution()
	l := memberLedger(t)
	genuine := *c.list(t, l, nil, testNow)
	for want, forge := range map[string]func(list *RevocationList) *jose.Key{
		"no anchor's":        func(*RevocationList) *jose.Key { return c.keys[0] },
		"the key is that of": func(list *RevocationList) *jose.Key { list.Issuer = "https://hub.example"; return c.anchor },
		"at most 15m0s":      func(list *RevocationList) *jose.Key { list.Expires += 60; return c.anchor },
		"names the one":      func(list *RevocationList) *jose.Key { list.Seq = 2; return c.anchor },
		"prev":               func(list *RevocationList) *jose.Key { list.Seq, list.Previous = 2, "x"; return c.anchor },
		"since": func(list *RevocationList) *jose.Key {
			list.Entries = []Revocation{{Subject: cityID, State: RevokedSuspended}}
			return c.anchor
		},
		"is not one of": func(list *RevocationList) *jose.Key {
			list.Entries = []Revocation{{Subject: cityID, State: RevokedKey, Since: 1}}
			return c.anchor
		},
		"no thumbprint": func(list *RevocationList) *jose.Key {
			list.Entries = []Revocation{{KeyID: "x", State: RevokedKey, Since: 1}}
			return c.anchor
		},
		"at most 40": func(list *RevocationList) *jose.Key {
			list.Entries = slices.Repeat([]Revocation{{Subject: cityID, State: RevokedSuspended, Since: 1}}, 41)
			return c.anchor
		},
	} {
		list := genuine
		key := forge(&list)
		compact, err := signRecord(list, key, revocationType)
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewRevocations(l).Accept(compact, testNow)
		check(t, want, err, want)
	}
	vote, err := SignVote(c.charter.Founders[0].Entity, &Proposal{}, For, c.anchor, testNow)
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewRevocations(l).Accept(vote, testNow)
	check(t, "a vote in the place of a list", err, "typ")
	if _, err := SignRevocationList(l, &genuine, anchorID, c.anchor, testNow.Add(-time.Hour)); err == nil {
		t.Error("a list is signed though the clock went back")
	}
}

// TestManyRevocations: the newest are in the list, the others in the ledger.
func TestManyRevocations(t *testing.T) {
	c := testConstitution()
	var many []Revocation
	for i := range 60 {
		many = append(many, Revocation{Subject: cityID + EntityID("/"+strings.Repeat("x", i+1)), State: RevokedSuspended, Since: testNow.Unix() + int64(i), Decision: hashOf(nil)})
	}
	list := c.list(t, memberLedger(t), nil, testNow.Add(time.Hour), many...)
	if len(list.Entries) != maxRevocations || list.Entries[0].Since != testNow.Unix()+59 || list.Entries[maxRevocations-1].Since != testNow.Unix()+20 {
		t.Errorf("%d entries, from %d to %d", len(list.Entries), list.Entries[0].Since, list.Entries[len(list.Entries)-1].Since)
	}
}

// TestStolenAnchorKey: when the charter has replaced the key, its lists and their high seq count no more.
func TestStolenAnchorKey(t *testing.T) {
	c := testConstitution()
	l := memberLedger(t)
	r := NewRevocations(l)
	forged := RevocationList{
		Issuer: anchorID, IssuedAt: testNow.Unix(), Expires: testNow.Add(revocationLife).Unix(), Seq: 1 << 40, Previous: hashOf(nil),
		Entries: []Revocation{{Subject: cityID, State: RevokedExpelled, Since: 1}},
	}
	compact, err := signRecord(forged, c.anchor, revocationType)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Accept(compact, testNow); err != nil {
		t.Fatal(err)
	}
	next := *c.charter
	next.Version, next.Previous, next.IssuedAt = 2, c.charter.hash, testNow.Unix()
	next.Anchors = []Anchor{{anchorID, keySet(c.other)}}
	mustAdd(t, l, signed(t, &next, c.keys...))
	if err := r.Check(testNow.Add(time.Minute))(cityID, "", testNow); err != nil {
		t.Errorf("a stolen key's list counts: %v", err)
	}
	list, err := SignRevocationList(l, nil, anchorID, c.other, testNow.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, r, list, testNow.Add(2*time.Minute))
}

func TestStates(t *testing.T) {
	h := Health{ListFreshUntil: testNow.Add(15 * time.Minute), ChainUntil: testNow.Add(24 * time.Hour)}
	for _, tt := range []struct {
		after                            time.Duration
		state                            State
		introductions, quarantine        bool
		known, knownWithOldChain, pinned bool
	}{
		{0, Normal, true, false, true, false, true},
		{15*time.Minute + 29*time.Second, Normal, true, false, true, false, true},
		{15*time.Minute + 30*time.Second, Stale, false, false, true, false, true},
		{23 * time.Hour, Stale, false, false, true, false, true},
		{24 * time.Hour, Isolated, false, true, false, false, true},
		{95 * time.Hour, Isolated, false, true, false, false, true},
		{96 * time.Hour, Isolated, false, true, false, false, false},
	} {
		now := testNow.Add(tt.after)
		got := []any{h.State(now), h.Introductions(now), h.Quarantine(now), h.AllowPeer(false, now.Add(time.Hour), now),
			h.AllowPeer(false, now, now), h.AllowPeer(true, time.Time{}, now)}
		want := []any{tt.state, tt.introductions, tt.quarantine, tt.known, tt.knownWithOldChain, tt.pinned}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", tt.after, diff)
		}
		if s := h.Sentence(now); !strings.HasPrefix(s, string(tt.state)) {
			t.Errorf("after %s: %q", tt.after, s)
		}
	}
	if s := (Health{}).State(testNow); s != Isolated {
		t.Errorf("a node that knows nothing is %s", s)
	}
}

// TestWatch lets days pass on a clock of its own.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		w := NewWatch(Health{ListFreshUntil: begin.Add(15 * time.Minute), ChainUntil: begin.Add(24 * time.Hour)})
		type change struct {
			State State
			After time.Duration
		}
		var seen []change
		done := make(chan error)
		go func() {
			done <- w.Run(ctx, func(s State, at time.Time) { seen = append(seen, change{s, at.Sub(begin)}) })
		}()
		time.Sleep(10 * time.Minute)
		w.Update(Health{ListFreshUntil: begin.Add(25 * time.Minute), ChainUntil: begin.Add(24 * time.Hour)}) // a new list
		time.Sleep(25 * time.Hour)
		w.Update(Health{ListFreshUntil: time.Now().Add(15 * time.Minute), ChainUntil: time.Now().Add(24 * time.Hour)}) // the centre is back
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		want := []change{{Normal, 0}, {Stale, 25*time.Minute + 30*time.Second}, {Isolated, 24 * time.Hour}, {Normal, 25*time.Hour + 10*time.Minute}}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}
