package federation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cityBallot is the admission of the tests' city, as founders get it.
func cityBallot(t testing.TB) (*Ballot, []byte) {
	t.Helper()
	r := newAdmission(t)
	if _, _, err := r.decide(); err != nil { // signs the nomination and the key proof
		t.Fatal(err)
	}
	b, err := NewBallot(r.c.charter, &r.proposal, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Text()
	if err != nil {
		t.Fatal(err)
	}
	return b, text
}

// TestBallot: votes that are made from the file alone count for the proposal.
func TestBallot(t *testing.T) {
	c := testConstitution()
	_, text := cityBallot(t)
	b, err := ReadBallot(text)
	if err != nil {
		t.Fatal(err)
	}
	if b.Nomination.Name != "City" || b.Charter.Hash() != c.charter.Hash() {
		t.Errorf("read %+v under %s", b.Nomination, b.Charter.Hash())
	}
	var votes []string
	for _, key := range c.keys[:6] {
		vote, founder, err := b.Vote(For, key, testNow.Add(-clockLeeway)) // a clock that is a little behind
		if err != nil {
			t.Fatal(err)
		}
		if founder.Keys.Keys()[0].ID() != key.ID() {
			t.Errorf("the vote of %s is by the key %s", founder.Entity, key.ID())
		}
		votes = append(votes, vote)
	}
	if _, d, err := NewDecision(b.Proposal, votes, c.charter); err != nil || len(d.Votes) != 6 {
		t.Errorf("decision %+v, %v", d, err)
	}
	_, _, err = b.Vote(For, c.anchor, testNow)
	check(t, "the anchor's key", err, "no founder")
	_, _, err = b.Vote(For, c.keys[0], testNow.Add(-time.Hour))
	check(t, "a clock that is an hour behind", err, "set the clock")
	_, _, err = b.Vote("perhaps", c.keys[0], testNow)
	check(t, "no choice", err, "no vote")
}

// TestBallotsAreReadStrictly: what a founder is shown is what it signs.
func TestBallotsAreReadStrictly(t *testing.T) {
	_, text := cityBallot(t)
	for want, change := range map[string]func(string) string{
		"canonical":    func(s string) string { return strings.Replace(s, `{"charter"`, `{ "charter"`, 1) },
		"is not known": func(s string) string { return strings.Replace(s, `{"charter"`, `{"advice":"vote for it","charter"`, 1) },
		"another charter": func(s string) string {
			return strings.Replace(s, `"name":"A shared shield"`, `"name":"Another shield"`, 1)
		},
		"no charter or no":   func(s string) string { return `{"charter":null,"proposal":null}` },
		"belongs to a class": func(s string) string { return strings.Replace(s, `,"proposal"`, `,"members":["cvr:1"],"proposal"`, 1) },
		"of whom its nominat": func(s string) string {
			return strings.Replace(s, `"kind":"admission"`, `"keys":["x"],"kind":"admission"`, 1)
		},
	} {
		changed := change(string(text))
		if changed == string(text) {
			t.Fatalf("%q: nothing was changed", want)
		}
		_, err := ReadBallot([]byte(changed))
		check(t, want, err, want)
	}
}

// TestBallotOfAClass: the list that founders see is the list that was nominated.
func TestBallotOfAClass(t *testing.T) {
	c := testConstitution()
	list := ClassList{"cvr:1", "cvr:2"}
	hash, err := list.Hash()
	if err != nil {
		t.Fatal(err)
	}
	n := newAdmission(t).nomination
	n.Subject, n.OrgID, n.Keys, n.Members = "", "", nil, hash
	compact, err := n.Sign(c.keys[0], testNow)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proposal{Kind: Admission, Charter: c.charter.hash, IssuedAt: testNow.Unix(), Nomination: compact}
	b, err := NewBallot(c.charter, p, list)
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Text()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadBallot(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, again.Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	_, err = NewBallot(c.charter, p, ClassList{"cvr:1", "cvr:3"})
	check(t, "another list", err, "not the one that was nominated")
	_, err = NewBallot(c.charter, p, nil)
	check(t, "no list", err, "not the one that was nominated")
}

// TestDirectory tells what the records say, with each vote.
func TestDirectory(t *testing.T) {
	l := memberLedger(t, order(t, 1, testNow.Add(time.Hour)))
	d, err := l.Directory(testNow.Add(2 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Founders) != 10 || len(d.Anchors) != 1 || len(d.Members) != 1 || len(d.Decisions) != 1 {
		t.Fatalf("directory %+v", d)
	}
	m := d.Members[0]
	if m.Standing != Suspended || m.Until == nil || m.OrgID != "cvr:12345678" || m.Issues || m.Declaration.URL != "https://city.example/declaration" {
		t.Errorf("member %+v", m)
	}
	if m.OrderedBy != d.Founders[1].Entity || d.NameOf(m.OrderedBy) != "Founder 1" || d.NameOf(m.Entity) != m.Name || d.NameOf("https://x.example") != "https://x.example" {
		t.Errorf("ordered by %s, %s", m.OrderedBy, d.NameOf(m.OrderedBy))
	}
	if len(d.With(Suspended)) != 1 || len(d.With(InGood)) != 0 || len(d.Members) != 1 {
		t.Errorf("suspended %+v, members %+v", d.With(Suspended), d.With(InGood))
	}
	decision := d.Decision(m.Admission)
	if diff := cmp.Diff([]string{"Founder 6", "Founder 7", "Founder 8", "Founder 9"}, decision.Silent); diff != "" {
		t.Errorf("silent founders (-want +got):\n%s", diff)
	}
	if decision == nil || decision.For != 6 || len(decision.Votes) != 6 || decision.Votes[5].Name != "Founder 5" || decision.Rule != MoreThanHalf {
		t.Errorf("decision %+v", decision)
	}
	if d.Decision("x") != nil {
		t.Error("a decision that nobody made")
	}
	if _, err := mustOpen(OpenLedger(testConstitution().charter.hash, memoryRecords{})).Directory(testNow); err == nil {
		t.Error("a directory without a charter")
	}
}

// TestRefresh: what another process puts into the store is taken; what does not verify is not, and keeps out nothing else.
func TestRefresh(t *testing.T) {
	c, records := testConstitution(), memoryRecords{}
	charter := signed(t, c.charter, c.keys...)
	records[hashOf(charter)] = charter
	l := mustOpen(OpenLedger(c.charter.hash, records))
	admission, _, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	records[hashOf(admission)] = admission
	records[hashOf([]byte("x"))] = []byte("x")
	records[hashOf([]byte("y"))] = []byte(`["cvr:1"]`)
	n, err := l.Refresh()
	if n != 1 || err == nil || !strings.Contains(err.Error(), "it was changed") {
		t.Errorf("took %d records, %v", n, err)
	}
	if m := l.Member(cityID, testNow.Add(time.Hour)); m.Standing != InGood {
		t.Errorf("the city is %s", m.Standing)
	}
	delete(records, hashOf([]byte("x")))
	delete(records, hashOf([]byte("y")))
	if n, err := l.Refresh(); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

func mustOpen(l *Ledger, err error) *Ledger {
	if err != nil {
		panic(err)
	}
	return l
}

func TestRecordKinds(t *testing.T) {
	c := testConstitution()
	admission, _, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	for want, record := range map[string][]byte{
		"charter": signed(t, c.charter, c.keys...), "decision: admission": admission, "class list": []byte(`["a"]`),
		"suspension": order(t, 1, testNow), "key rotation": rotation(t, c.member, testNow, c.other.ID()), "unknown": []byte("x"),
	} {
		if got := RecordKind(record); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// FuzzBallot: what is read is what is written, and nothing else is read.
func FuzzBallot(f *testing.F) {
	_, text := cityBallot(f)
	f.Add(text)
	f.Add([]byte(`{"charter":null,"proposal":null}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ReadBallot(text)
		if err != nil {
			return
		}
		again, err := b.Text()
		if err != nil || string(again) != string(text) {
			t.Errorf("%s\nis written as\n%s (%v)", text, again, err)
		}
	})
}

// FuzzRevocationList: no list counts that the anchor did not sign.
func FuzzRevocationList(f *testing.F) {
	c := testConstitution()
	l := memberLedger(f)
	genuine := c.list(f, l, nil, testNow, Revocation{Subject: cityID, State: RevokedSuspended, Since: testNow.Unix()}).Compact()
	f.Add(genuine)
	f.Add(strings.Replace(genuine, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, compact string) {
		r := NewRevocations(l)
		if _, err := r.Accept(compact, testNow); (err == nil) != (compact == genuine) {
			t.Errorf("accepted: %v: %q", err, compact)
		}
	})
}
