package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// memoryRecords is a RecordStore of a test.
type memoryRecords map[Hash][]byte

func (m memoryRecords) Records() (map[Hash][]byte, error) {
	records := make(map[Hash][]byte)
	for h, r := range m {
		records[h] = r
	}
	return records, nil
}

func (m memoryRecords) Put(hash Hash, record []byte) error { m[hash] = record; return nil }

// constitution is ten founders, their vote keys, and a secretariat.
type constitution struct {
	charter *Charter
	keys    []*jose.Key // of the founders
	anchor  *jose.Key
	hub     *jose.Key
	member  *jose.Key
	other   *jose.Key // a second key of the member
	founded time.Time
}

// founded is made once per process.
var testConstitution = sync.OnceValue(func() *constitution {
	key := func() *jose.Key {
		k, err := jose.GenerateKey(jose.EdDSA)
		if err != nil {
			panic(err)
		}
		return k
	}
	c := &constitution{anchor: key(), hub: key(), member: key(), other: key(), founded: testNow.Add(-24 * time.Hour)}
	c.charter = &Charter{
		Version: 1, IssuedAt: c.founded.Unix(), Name: "A shared shield", Rules: DefaultRules(),
		Anchors: []Anchor{{"https://anchor.example", keySet(c.anchor)}},
	}
	for i := range 10 {
		c.keys = append(c.keys, key())
		c.charter.Founders = append(c.charter.Founders, Founder{
			Entity: EntityID(fmt.Sprintf("https://founder%d.example", i)), Name: fmt.Sprintf("Founder %d", i), Keys: keySet(c.keys[i]),
		})
	}
	if _, err := c.charter.seal(); err != nil {
		panic(err)
	}
	return c
})

// signed is a charter's record with the signatures of some keys.
func signed(t testing.TB, c *Charter, keys ...*jose.Key) []byte {
	t.Helper()
	s := &SignedCharter{Charter: c}
	for _, k := range keys {
		signature, err := SignCharter(c, k)
		if err != nil {
			t.Fatal(err)
		}
		s.Signatures = append(s.Signatures, signature)
	}
	record, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// proposalRig is an admission whose parts a test may change.
type proposalRig struct {
	t          testing.TB
	c          *constitution
	nomination Nomination
	nominator  *jose.Key
	proof      *jose.Key // nil for none
	proofTo    EntityID  // the anchor unless set
	proposal   Proposal
	voters     []int // founders
	choices    map[int]Choice
	voteAt     time.Time
	votes      func(votes []string) []string // last change
}

func newAdmission(t testing.TB) *proposalRig {
	c := testConstitution()
	return &proposalRig{
		t: t, c: c, nominator: c.keys[0], proof: c.member, voters: []int{0, 1, 2, 3, 4, 5}, voteAt: testNow.Add(time.Minute),
		nomination: Nomination{
			Founder: c.charter.Founders[0].Entity, Subject: "https://city.example", OrgID: "cvr:12345678", Name: "City", Class: "municipality",
			Hub: "https://hub.example", Keys: []string{c.member.ID()},
			Declaration: Declaration{URL: "https://city.example/declaration", SHA256: hashOf([]byte("we declare"))},
		},
		proposal: Proposal{Kind: Admission, Charter: c.charter.hash, IssuedAt: testNow.Unix()},
	}
}

// decide makes the proposal and its votes; the decision's record, or an error of making it.
func (r *proposalRig) decide() ([]byte, *Decision, error) {
	r.t.Helper()
	if r.proposal.Kind == Admission {
		compact, err := r.nomination.Sign(r.nominator, testNow.Add(-time.Minute))
		if err != nil {
			return nil, nil, err
		}
		r.proposal.Nomination = compact
		if r.proof != nil {
			to := r.proofTo
			if to == "" {
				to = anchorID
			}
			r.proposal.KeyProof, err = SignKeyProof(r.nomination.Subject, to, "AAAAAAAAAAAAAAAAAAAAAA", compact, r.proof, testNow)
			if err != nil {
				return nil, nil, err
			}
		}
	}
	var votes []string
	for _, i := range r.voters {
		choice := For
		if r.choices[i] != "" {
			choice = r.choices[i]
		}
		vote, err := SignVote(r.c.charter.Founders[i].Entity, &r.proposal, choice, r.c.keys[i], r.voteAt)
		if err != nil {
			return nil, nil, err
		}
		votes = append(votes, vote)
	}
	if r.votes != nil {
		votes = r.votes(votes)
	}
	return NewDecision(&r.proposal, votes, r.c.charter)
}

func newLedger(t testing.TB) *Ledger {
	t.Helper()
	c := testConstitution()
	l, err := OpenLedger(c.charter.Hash(), memoryRecords{})
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, signed(t, c.charter, c.keys...))
	return l
}

func mustAdd(t testing.TB, l *Ledger, record []byte) Hash {
	t.Helper()
	hash, err := l.Add(record)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// statement is what the hub says about the city.
func (c *constitution) statement(admission Hash) *SubordinateStatement {
	return &SubordinateStatement{Admission: string(admission), Statement: Statement{
		Issuer: "https://hub.example", Subject: "https://city.example", Keys: keySet(c.member),
		Metadata: Metadata{nodeType: {orgIDParameter: json.RawMessage(`"cvr:12345678"`)}},
	}}
}

func TestAdmission(t *testing.T) {
	l := newLedger(t)
	record, d, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	hash := mustAdd(t, l, record)
	if hash != d.Hash || len(d.Votes) != 6 || !d.At.Equal(testNow.Add(time.Minute).Truncate(time.Second)) {
		t.Errorf("decision %s at %s with %d votes; its record is %s", d.Hash, d.At, len(d.Votes), hash)
	}
	c := testConstitution()
	now := testNow.Add(time.Hour)
	if err := l.CheckAdmission("https://hub.example", c.statement(hash), now); err != nil {
		t.Error(err)
	}
	m := l.Member("https://city.example", now)
	if m.Standing != InGood || m.By != hash || !slices.Equal(m.Keys, []string{c.member.ID()}) {
		t.Errorf("member %+v", m)
	}
	for want, change := range map[string]func(*SubordinateStatement) (superior EntityID){
		"votes": func(s *SubordinateStatement) EntityID { s.Admission = ""; return s.Issuer },
		"no such record": func(s *SubordinateStatement) EntityID {
			s.Admission = string(hashOf([]byte("no decision")))
			return s.Issuer
		},
		"not https://stranger.example": func(s *SubordinateStatement) EntityID { s.Subject = "https://stranger.example"; return s.Issuer },
		"(cvr:99999999)": func(s *SubordinateStatement) EntityID {
			s.Metadata[nodeType][orgIDParameter] = json.RawMessage(`"cvr:99999999"`)
			return s.Issuer
		},
		"and not https://otherhub.example": func(*SubordinateStatement) EntityID { return "https://otherhub.example" },
		"neither nominated":                func(s *SubordinateStatement) EntityID { s.Keys = keySet(c.member, c.other); return s.Issuer },
	} {
		s := c.statement(hash)
		if err := l.CheckAdmission(change(s), s, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestNobodyIsAdmittedBy tries everything that looks like a decision and is none.
func TestNobodyIsAdmittedBy(t *testing.T) {
	c := testConstitution()
	another := Nomination{}
	for name, attack := range map[string]struct {
		change func(r *proposalRig)
		want   string
	}{
		"five of ten votes":       {func(r *proposalRig) { r.voters = r.voters[:5] }, "5 of 10"},
		"six votes, one against":  {func(r *proposalRig) { r.choices = map[int]Choice{3: Against} }, "5 of 10"},
		"six votes, one abstains": {func(r *proposalRig) { r.choices = map[int]Choice{3: Abstain} }, "5 of 10"},
		"no votes":                {func(r *proposalRig) { r.voters = nil }, "0 of 10"},
		"one founder six times":   {func(r *proposalRig) { r.voters = []int{1, 1, 1, 1, 1, 1} }, "more than once"},
		"one vote six times": {func(r *proposalRig) {
			r.votes = func(v []string) []string { return []string{v[0], v[0], v[0], v[0], v[0], v[0]} }
		}, "more than once"},
		"a founder with two words": {func(r *proposalRig) { r.voters = []int{0, 1, 2, 3, 4, 5, 5}; r.choices = nil }, "more than once"},
		"the anchor's key in six votes": {func(r *proposalRig) {
			r.votes = func([]string) []string { return r.forge(c.anchor) }
		}, "is no founder's"},
		"a hub's key in six votes": {func(r *proposalRig) {
			r.votes = func([]string) []string { return r.forge(c.hub) }
		}, "is no founder's"},
		"one founder's key in the others' names": {func(r *proposalRig) {
			r.votes = func([]string) []string { return r.forge(c.keys[0]) }
		}, "the key is that of"},
		"a vote for another proposal": {func(r *proposalRig) {
			r.votes = func(v []string) []string {
				other := r.proposal
				other.IssuedAt--
				vote, err := SignVote(c.charter.Founders[5].Entity, &other, For, c.keys[5], testNow)
				if err != nil {
					r.t.Fatal(err)
				}
				return append(v[:5:5], vote)
			}
		}, "another proposal"},
		"votes that were reused for another applicant": {func(r *proposalRig) {
			r.votes = func(v []string) []string {
				another = r.nomination
				another.Subject = "https://evil.example"
				compact, err := another.Sign(r.nominator, testNow.Add(-time.Minute))
				if err != nil {
					r.t.Fatal(err)
				}
				r.proposal.Nomination = compact
				if r.proposal.KeyProof, err = SignKeyProof(another.Subject, "https://anchor.example", "AAAAAAAAAAAAAAAAAAAAAA", compact, r.proof, testNow); err != nil {
					r.t.Fatal(err)
				}
				return v
			}
		}, "another proposal"},
		"a charter that nobody signed":   {func(r *proposalRig) { r.proposal.Charter = hashOf([]byte("ours")) }, "another charter"},
		"a nomination by no founder":     {func(r *proposalRig) { r.nominator = c.anchor }, "is no founder's"},
		"a nomination in another's name": {func(r *proposalRig) { r.nominator = c.keys[1] }, "the key is that of"},
		"a key that nobody proved":       {func(r *proposalRig) { r.proof = nil }, "key proof"},
		"a proof of another key":         {func(r *proposalRig) { r.proof = c.other }, "none that was nominated"},
		"a proof to no anchor":           {func(r *proposalRig) { r.proofTo = "https://hub.example" }, "which is no anchor"},
		"a nomination that has ended": {func(r *proposalRig) {
			r.proposal.IssuedAt = testNow.Add(61 * 24 * time.Hour).Unix()
			r.voteAt = testNow.Add(61 * 24 * time.Hour)
		}, "does not hold"},
		"votes after the nomination's end":  {func(r *proposalRig) { r.voteAt = testNow.Add(61 * 24 * time.Hour) }, "no time at which"},
		"votes from before the proposal":    {func(r *proposalRig) { r.voteAt = testNow.Add(-time.Hour) }, "older than the proposal"},
		"a proposal older than the charter": {func(r *proposalRig) { r.proposal.IssuedAt = c.founded.Add(-time.Hour).Unix() }, "older than charter"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newAdmission(t)
			attack.change(r)
			if _, _, err := r.decide(); err == nil || !strings.Contains(err.Error(), attack.want) {
				t.Errorf("got %v, want %q", err, attack.want)
			}
		})
	}
}

// forge votes in the names of six founders with one key.
func (r *proposalRig) forge(key *jose.Key) []string {
	r.t.Helper()
	var votes []string
	for i := range 6 {
		vote, err := SignVote(r.c.charter.Founders[i].Entity, &r.proposal, For, key, r.voteAt)
		if err != nil {
			r.t.Fatal(err)
		}
		votes = append(votes, vote)
	}
	return votes
}

// TestDecisionsAreReadStrictly: what NewDecision would not make is not taken as a record either.
func TestDecisionsAreReadStrictly(t *testing.T) {
	record, _, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Proposal map[string]any `json:"proposal"`
		Votes    []string       `json:"votes"`
	}
	if err := json.Unmarshal(record, &d); err != nil {
		t.Fatal(err)
	}
	fewer, err := canonicalJSON(map[string]any{"proposal": d.Proposal, "votes": d.Votes[:5]})
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"5 of 10":       string(fewer),
		"canonical":     strings.Replace(string(record), `{"proposal"`, `{ "proposal"`, 1),
		"is not known":  strings.Replace(string(record), `{"proposal"`, `{"extra":1,"proposal"`, 1),
		"no proposal":   `{"proposal":null,"votes":[]}`,
		"signature":     strings.Replace(string(record), d.Votes[0], d.Votes[0][:len(d.Votes[0])-8]+"AAAAAAAA", 1),
		"class list":    `["b","a"]`,
		"charter":       `["eyJhbGciOiJub25lIn0.e30."]`,
		"key rotation":  "eyJhbGciOiJub25lIn0.e30.",
		"a record has":  "",
		"duplicate":     `{"proposal":null,"proposal":null,"votes":[]}`,
		"not of its fo": `{"proposal":[],"votes":[]}`,
	} {
		l := newLedger(t)
		before := l.Hashes()
		if _, err := l.Add([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", text, err, want)
		}
		if diff := cmp.Diff(before, l.Hashes()); diff != "" {
			t.Errorf("%.60s was kept:\n%s", text, diff)
		}
	}
}

func TestClassAdmission(t *testing.T) {
	l, c := newLedger(t), testConstitution()
	list := ClassList{"cvr:00000001", "cvr:00000002"}
	hash, err := list.Hash()
	if err != nil {
		t.Fatal(err)
	}
	r := newAdmission(t)
	r.proof = nil
	r.nomination.Subject, r.nomination.OrgID, r.nomination.Keys, r.nomination.Members = "", "", nil, hash
	record, _, err := r.decide()
	if err != nil {
		t.Fatal(err)
	}
	s := c.statement(mustAdd(t, l, record))
	s.Metadata[nodeType][orgIDParameter] = json.RawMessage(`"cvr:00000002"`)
	if err := l.CheckAdmission(s.Issuer, s, testNow.Add(time.Hour)); !errors.Is(err, ErrUnknownRecord) {
		t.Errorf("without the list: %v", err)
	}
	text, err := list.Record()
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, text)
	if err := l.CheckAdmission(s.Issuer, s, testNow.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	s.Metadata[nodeType][orgIDParameter] = json.RawMessage(`"cvr:00000003"`)
	check(t, "an organisation that is not listed", l.CheckAdmission(s.Issuer, s, testNow.Add(time.Hour)), "not in the list")
	delete(s.Metadata[nodeType], orgIDParameter)
	check(t, "no organisation", l.CheckAdmission(s.Issuer, s, testNow.Add(time.Hour)), "not in the list")
	if classes := l.Classes(); len(classes) != 1 || !classes[0].List.Has("cvr:00000001") || classes[0].List.Has("cvr") {
		t.Errorf("classes %+v", classes)
	}
}

// about is a decision of another kind about the city.
func about(t testing.TB, kind ProposalKind, at time.Time, keys ...string) []byte {
	t.Helper()
	r := newAdmission(t)
	r.proposal = Proposal{Kind: kind, Charter: r.c.charter.hash, IssuedAt: at.Unix(), Subject: "https://city.example", Reason: "because", Keys: keys}
	r.voteAt = at
	record, _, err := r.decide()
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// addAll adds records in an order as near to the given one as may be: one that needs another is tried again after it.
func addAll(t testing.TB, l *Ledger, records [][]byte) {
	t.Helper()
	for len(records) > 0 {
		var waiting [][]byte
		var last error
		for _, record := range records {
			if _, err := l.Add(record); err != nil {
				waiting, last = append(waiting, record), err
			}
		}
		if len(waiting) == len(records) {
			t.Fatal(last)
		}
		records = waiting
	}
}

func order(t testing.TB, founder int, at time.Time) []byte {
	t.Helper()
	c := testConstitution()
	compact, err := SuspensionOrder{Issuer: c.charter.Founders[founder].Entity, Subject: "https://city.example", Reason: "its feed is false"}.Sign(c.keys[founder], at)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(compact)
}

func rotation(t testing.TB, key *jose.Key, at time.Time, keys ...string) []byte {
	t.Helper()
	compact, err := SignKeyRotation("https://city.example", keys, key, at)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(compact)
}

// TestStanding replays lives of a member, each in many orders of arrival, which must not matter.
func TestStanding(t *testing.T) {
	c := testConstitution()
	admission, _, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	day := func(n float64) time.Time { return testNow.Add(time.Duration(n * 24 * float64(time.Hour))) }
	for name, life := range map[string]struct {
		records [][]byte
		at      map[float64]Standing // by day
		keys    []string             // at last
	}{
		"admitted": {[][]byte{admission}, map[float64]Standing{-0.5: Stranger, 1: InGood}, []string{c.member.ID()}},
		"suspended for 72 hours": {[][]byte{admission, order(t, 2, day(1))},
			map[float64]Standing{0.9: InGood, 1.1: Suspended, 3.9: Suspended, 4.1: InGood}, []string{c.member.ID()}},
		"suspended again by the same founder": {[][]byte{admission, order(t, 2, day(1)), order(t, 2, day(4)), order(t, 2, day(40))},
			map[float64]Standing{3.9: Suspended, 4.1: InGood, 40.1: Suspended, 43.1: InGood}, []string{c.member.ID()}},
		"suspended again by another founder": {[][]byte{admission, order(t, 2, day(1)), order(t, 3, day(3))},
			map[float64]Standing{3.9: Suspended, 5.9: Suspended, 6.1: InGood}, []string{c.member.ID()}},
		"a suspension that is confirmed": {[][]byte{admission, order(t, 2, day(1)), about(t, Suspension, day(2))},
			map[float64]Standing{1.1: Suspended, 100: Suspended}, []string{c.member.ID()}},
		"reinstated": {[][]byte{admission, about(t, Suspension, day(2)), about(t, Reinstatement, day(3))},
			map[float64]Standing{2.5: Suspended, 3.1: InGood}, []string{c.member.ID()}},
		"admitted, suspended and reinstated within a second": {[][]byte{admission, order(t, 2, testNow.Add(time.Minute)), about(t, Reinstatement, testNow.Add(time.Minute))},
			map[float64]Standing{1: InGood}, []string{c.member.ID()}},
		"admitted and suspended within a second": {[][]byte{admission, order(t, 2, testNow.Add(time.Minute))},
			map[float64]Standing{1: Suspended}, []string{c.member.ID()}},
		"expelled": {[][]byte{admission, about(t, Expulsion, day(2)), order(t, 2, day(3)), about(t, Reinstatement, day(4))},
			map[float64]Standing{1: InGood, 2.1: Expelled, 9: Expelled}, []string{c.member.ID()}},
		"its key was rotated": {[][]byte{admission, rotation(t, c.member, day(1), c.member.ID(), c.other.ID()), rotation(t, c.other, day(2), c.other.ID())},
			map[float64]Standing{3: InGood}, []string{c.other.ID()}},
		"a rotation by a key that it has no more": {[][]byte{admission, rotation(t, c.member, day(1), c.other.ID()), rotation(t, c.member, day(2), c.hub.ID())},
			map[float64]Standing{3: InGood}, []string{c.other.ID()}},
		"its key was stolen and recovered": {[][]byte{admission, about(t, Recovery, day(1), c.other.ID()), rotation(t, c.member, day(2), c.hub.ID())},
			map[float64]Standing{3: InGood}, []string{c.other.ID()}},
	} {
		t.Run(name, func(t *testing.T) {
			for try := range 6 {
				l := newLedger(t)
				records := slices.Clone(life.records)
				r := rand.New(rand.NewPCG(1, uint64(try)))
				r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
				addAll(t, l, records)
				for at, want := range life.at {
					if m := l.Member("https://city.example", day(at)); m.Standing != want {
						t.Errorf("on day %v: %s, want %s", at, m.Standing, want)
					}
				}
				if m := l.Member("https://city.example", day(100)); !slices.Equal(m.Keys, life.keys) {
					t.Errorf("keys %v, want %v", m.Keys, life.keys)
				}
			}
		})
	}
}

// TestStandingIsAsked: a statement about a member that is not in good standing is worth nothing.
func TestStandingIsAsked(t *testing.T) {
	c := testConstitution()
	admission, _, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	later := testNow.Add(48 * time.Hour)
	for want, records := range map[string][][]byte{
		"":                  {order(t, 1, testNow.Add(-24*time.Hour))}, // before it was admitted
		"is suspended":      {order(t, 1, testNow.Add(24*time.Hour))},
		"was expelled":      {about(t, Expulsion, testNow.Add(24*time.Hour))},
		"neither nominated": {about(t, Recovery, testNow.Add(24*time.Hour), c.other.ID())},
	} {
		l := newLedger(t)
		s := c.statement(mustAdd(t, l, admission))
		for _, r := range records {
			mustAdd(t, l, r)
		}
		check(t, want, l.CheckAdmission(s.Issuer, s, later), want)
	}
}

func TestRotationsOfNobody(t *testing.T) {
	c, l := testConstitution(), newLedger(t)
	_, err := l.Add(rotation(t, c.member, testNow, c.other.ID()))
	check(t, "of a stranger", err, "none that")
	admission, _, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, admission)
	_, err = l.Add(rotation(t, c.hub, testNow, c.hub.ID()))
	check(t, "by another's key", err, "none that")
}

func TestSuspensionsOfNobody(t *testing.T) {
	c := testConstitution()
	l := newLedger(t)
	for want, sign := range map[string]func() (string, error){
		"neither a founder's nor": func() (string, error) {
			return SuspensionOrder{Issuer: "https://hub.example", Subject: "https://city.example", Reason: "x"}.Sign(c.hub, testNow)
		},
		"the key is that of": func() (string, error) {
			return SuspensionOrder{Issuer: c.charter.Founders[1].Entity, Subject: "https://city.example", Reason: "x"}.Sign(c.keys[2], testNow)
		},
		"nobody suspends itself": func() (string, error) {
			return SuspensionOrder{Issuer: "https://anchor.example", Subject: "https://anchor.example", Reason: "x"}.Sign(c.anchor, testNow)
		},
	} {
		compact, err := sign()
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Add([]byte(compact))
		check(t, want, err, want)
	}
	compact, err := SuspensionOrder{Issuer: "https://anchor.example", Subject: "https://city.example", Reason: "x"}.Sign(c.anchor, testNow)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, []byte(compact))
	if m := l.Member("https://city.example", testNow.Add(time.Hour)); m.Standing != Suspended {
		t.Errorf("the anchor's order: %+v", m)
	}
}

func TestCharterVersions(t *testing.T) {
	c := testConstitution()
	next := func(name string) *Charter {
		n := *c.charter
		n.Version, n.Previous, n.Name, n.IssuedAt = 2, c.charter.hash, name, testNow.Unix()
		n.Founders = slices.Clone(c.charter.Founders[1:])
		return &n
	}
	if _, err := OpenLedger("not a hash", memoryRecords{}); err == nil {
		t.Error("a ledger without a pinned charter opens")
	}
	l, err := OpenLedger(c.charter.hash, memoryRecords{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Charter()
	if !errors.Is(err, ErrUnknownRecord) {
		t.Errorf("an empty ledger has a charter: %v", err)
	}
	_, err = l.Add(signed(t, c.charter, c.keys[:9]...))
	check(t, "nine of ten founders", err, "missing: https://founder9.example")
	_, err = l.Add(signed(t, next("early"), c.keys...))
	check(t, "the second before the first", err, "first")
	other := *c.charter
	other.Name = "Another federation"
	_, err = l.Add(signed(t, &other, c.keys...))
	check(t, "another founding charter", err, "pinned")
	mustAdd(t, l, signed(t, c.charter, c.keys...))
	_, err = l.Add(signed(t, next("six sign"), c.keys[:6]...))
	check(t, "six of ten for another charter", err, "at least 2/3")
	_, err = l.Add(signed(t, next("the anchor signs"), append(slices.Clone(c.keys[:7]), c.anchor)...))
	check(t, "the anchor among the founders", err, "is no founder's")
	skipped := next("version 3")
	skipped.Version = 3
	_, err = l.Add(signed(t, skipped, c.keys...))
	check(t, "a version left out", err, "does not continue")

	second := next("A larger shield")
	mustAdd(t, l, signed(t, second, c.keys[:7]...))
	if now, err := l.Charter(); err != nil || now.Version != 2 || now.Founder("https://founder0.example") != nil {
		t.Fatalf("in force: %+v, %v", now, err)
	}
	// Founder 0 has left: a decision under the old charter from after its end admits nobody, one from before it stays.
	before, _, err := newAdmission(t).decide() // votes one minute after the second charter
	if err != nil {
		t.Fatal(err)
	}
	s := c.statement(mustAdd(t, l, before))
	check(t, "votes under an old charter", l.CheckAdmission(s.Issuer, s, testNow.Add(time.Hour)), "no such record")
	r := newAdmission(t)
	r.nomination.Class, r.proposal.IssuedAt, r.voteAt = "region", testNow.Add(-30*time.Second).Unix(), testNow.Add(-10*time.Second)
	early, _, err := r.decide()
	if err != nil {
		t.Fatal(err)
	}
	s = c.statement(mustAdd(t, l, early))
	if err := l.CheckAdmission(s.Issuer, s, testNow.Add(time.Hour)); err != nil {
		t.Error("a decision from before the charter changed:", err)
	}

	mustAdd(t, l, signed(t, next("A third shield"), c.keys[2:]...)) // founders who signed two second versions
	if now, err := l.Charter(); err != nil || now.Version != 1 || len(l.Contested()) != 2 {
		t.Errorf("with two charters of one version, version %d counts (%v), evidence %v", now.Version, err, l.Contested())
	}
}

// TestLedgerFiles: what was added is there again, in any order of the files; a file that was changed is found.
func TestLedgerFiles(t *testing.T) {
	c, dir := testConstitution(), RecordDir(t.TempDir())
	l, err := OpenLedger(c.charter.hash, dir)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, signed(t, c.charter, c.keys...))
	admission, _, err := newAdmission(t).decide()
	if err != nil {
		t.Fatal(err)
	}
	hash := mustAdd(t, l, admission)
	mustAdd(t, l, order(t, 1, testNow.Add(time.Hour)))
	mustAdd(t, l, rotation(t, c.member, testNow.Add(time.Hour), c.other.ID()))
	mustAdd(t, l, admission)
	for range 5 {
		again, err := OpenLedger(c.charter.hash, dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l.Hashes(), again.Hashes()); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		if record, err := again.Record(hash); err != nil || string(record) != string(admission) {
			t.Errorf("the record is %.40s, %v", record, err)
		}
		if got, want := again.Members(testNow.Add(2*time.Hour)), l.Members(testNow.Add(2*time.Hour)); len(got) != 1 || got[0].Standing != want[0].Standing {
			t.Errorf("members %+v, want %+v", got, want)
		}
	}
	if err := dir.Put(hash, []byte(`{"changed":true}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLedger(c.charter.hash, dir); err == nil {
		t.Error("a changed record was taken")
	}
}

func TestThresholds(t *testing.T) {
	for text, met := range map[string][2]int{ // the fewest of ten that are enough, and of three
		"more than 1/2": {6, 2}, "at least 1/2": {5, 2}, "at least 2/3": {7, 2}, "more than 2/3": {7, 3}, "at least 1/1": {10, 3}, "at least 1/100": {1, 1},
	} {
		threshold, err := ParseThreshold(text)
		if err != nil {
			t.Error(err)
		}
		for i, all := range []int{10, 3} {
			for votes := range all + 1 {
				if got, want := threshold.Met(votes, all), votes >= met[i]; got != want {
					t.Errorf("%s: %d of %d is enough: %v", text, votes, all, got)
				}
			}
		}
	}
	for _, text := range []string{"", "1/2", "more than 1/1", "at least 0/1", "at least 3/2", "more than  1/2", "more than 01/2", "at least 1/1000", "more than -1/2", "more than 1/0"} {
		if got, err := ParseThreshold(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

// FuzzLedger: no record from anybody gets into a ledger that the founders did not sign.
func FuzzLedger(f *testing.F) {
	c := testConstitution()
	admission, _, err := newAdmission(f).decide()
	if err != nil {
		f.Fatal(err)
	}
	genuine := [][]byte{signed(f, c.charter, c.keys...), admission, order(f, 1, testNow), rotation(f, c.member, testNow, c.other.ID())}
	for _, record := range genuine {
		f.Add(record)
	}
	f.Add([]byte(`["cvr:1","cvr:2"]`))
	f.Fuzz(func(t *testing.T, record []byte) {
		l := newLedger(t)
		if _, err := l.Add(record); err != nil {
			return
		}
		if members := l.Members(testNow.Add(time.Hour)); len(members) > 0 && !slices.ContainsFunc(genuine, func(g []byte) bool { return string(g) == string(record) }) {
			t.Errorf("a record that nobody signed says %+v", members)
		}
	})
}
