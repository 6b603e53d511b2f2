package store

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// damages are deliberate damages of a store, one of each kind, with a rule that must be told.
var damages = []struct{ sql, rule string }{
	{`DROP INDEX entry_violations`, ruleSchema},
	{`UPDATE marking_set SET content = '{"TLP":4}'`, ruleSet},
	{`UPDATE marking_set SET source = 'https://other.example'`, ruleSet},
	{`DELETE FROM marking_set_member`, ruleSet},
	{`UPDATE status SET content = CAST('{"id":"x"' AS BLOB)`, ruleStatus},
	{`UPDATE status SET content = CAST(REPLACE(CAST(content AS TEXT), '"success_count":1', '"success_count":2') AS BLOB)`, ruleStatus},
	{`UPDATE quarantine SET digest = zeroblob(32)`, ruleDigest},
	{`UPDATE entry SET raw = CAST('{' AS BLOB)`, ruleBytes},
	{`UPDATE entry SET raw = CAST(REPLACE(CAST(raw AS TEXT), '"type":"indicator"', '"type":"x-tool"') AS BLOB)`, ruleID},
	{`UPDATE facet SET spec_version = '2.0'`, ruleID},
	{`UPDATE entry SET version = '2026-01-01T00:00:00Z'`, ruleVersion},
	{`UPDATE entry SET version_key = version_key || 'x'`, ruleVersion},
	{`UPDATE entry SET norm = zeroblob(32)`, ruleNorm},
	{`UPDATE entry SET raw = CAST(REPLACE(CAST(raw AS TEXT), '"name":"x', '"name":"y') AS BLOB)`, ruleNorm},
	{`UPDATE entry SET facet = (SELECT MIN(number) FROM facet)`, ruleMarking},
	{`UPDATE entry SET facet = 999 WHERE seq = 1`, "an entry belongs to a collection and to a facet"},
	{`DROP INDEX entry_log; UPDATE entry SET date_added = (SELECT MAX(date_added) FROM entry)`, "no two entries of a collection have the same date_added"},
	{`DROP INDEX entry_object; INSERT INTO entry (seq, collection, date_added, facet, is_first, is_last, object, version_key, version, norm, raw) SELECT seq + 100, collection, date_added + 100, facet, is_first, is_last, object, version_key, version, norm, raw FROM entry WHERE seq = 1`, "a version of an object is held once"},
	{`INSERT INTO progress (account, collection, date_added) SELECT account, 1, 9000000000000000 FROM client`, "nobody has read a collection further than it goes"},
	{`UPDATE collection SET epoch = ''`, "a collection has an epoch of its own"},
	{`UPDATE collection SET created = last_added + 1`, "a collection was created before what it holds was added"},
	{`UPDATE counter SET value = 1 WHERE name = 'entry'`, "a counter is not behind what it has numbered"},
	{`UPDATE counter SET value = 0 WHERE name = 'quarantine'`, "a counter is not behind what it has numbered"},
	{`UPDATE client_key SET hash = x'00'`, "a tombstone, a key and what is quarantined have a SHA-256"},
	{`UPDATE tombstone SET norm = x'00'`, "a tombstone, a key and what is quarantined have a SHA-256"},
	{`UPDATE access SET account = 77`, "rights are those of an account on a collection"},
	{`UPDATE subscription SET collection = 77`, "a subscription writes into a collection"},
	{`UPDATE access SET collection = 77`, "the database is whole"}, // a foreign key
	{`PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = REPLACE(sql, '(collection, date_added)', '(collection, seq)') WHERE name = 'entry_log'`, "the database is whole"},
}

// TestVerifyNames damages a store behind its back, and expects to be told which rule does not hold, of what.
func TestVerifyNames(t *testing.T) {
	sequential(t)
	for _, damage := range damages {
		t.Run(damage.rule, func(t *testing.T) {
			dir := t.TempDir()
			s := openDirNow(t, dir)
			fillForVerify(t, s)
			if findings, err := s.Verify(t.Context()); err != nil || len(findings) > 0 {
				t.Fatalf("Verify of a sound store: %v, %v", err, findings)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			withRaw(t, dir, func(db *sqlite.Conn) {
				for statement := range strings.SplitSeq("PRAGMA foreign_keys = OFF; "+damage.sql, "; ") {
					if err := sqlitex.ExecuteTransient(db, statement, nil); err != nil {
						t.Fatal(err)
					}
				}
			})
			s = openDir(t, dir)
			var found []Finding
			entries := 0
			err := s.Examine(t.Context(), VerifyOptions{Progress: func(n int) { entries += n }}, func(f Finding) { found = append(found, f) })
			if err != nil {
				t.Fatal(err)
			}
			told := slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == damage.rule && f.Subject != "" })
			if !told || entries == 0 {
				t.Errorf("%s\nafter %d entries it is not told that %s:\n%v", damage.sql, entries, damage.rule, found)
			}
		})
	}
}

// fillForVerify puts something into every table that a damage concerns.
func fillForVerify(t *testing.T, s *Store) {
	t.Helper()
	c := addCollection(t, s)
	var first taxii.Submission
	for range 3 {
		sub := oneObject(t, c.ID)
		sub.Account = "soc"
		if _, err := s.Add(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
		first = sub
	}
	marked, err := stix.Parse([]byte(`{"type":"indicator","spec_version":"2.1","id":"`+string(stix.NewIdentifier("indicator"))+
		`","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","object_marking_refs":["marking-definition--22222222-2222-4222-8222-222222222222"]}`), stix.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	const peer federation.EntityID = "https://peer.example"
	_, keyErr := s.AddClient(t.Context(), Client{Name: "soc", Rights: map[string]taxii.Rights{c.ID: {Read: true}}})
	_, addErr := s.Add(t.Context(), taxii.Submission{Collection: c.ID, Items: []taxii.Item{{Object: marked}}})
	_, deleteErr := s.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: first.Items[0].Object.ID})
	peerErr := s.AddPeer(t.Context(), federation.Peer{Entity: peer, JWKS: []byte("{}")}, false)
	sub, subErr := s.Subscribe(t.Context(), sync.Subscription{Peer: peer, Collection: "feed", Into: c.ID})
	_, applyErr := s.Apply(t.Context(), sync.PulledPage{Subscription: sub.ID, Received: time.Now(), To: sync.Cursor{Next: "1"},
		Items: []sync.PulledItem{{Item: taxii.Item{ID: "x", Refused: "no"}, Raw: []byte("bytes")}}})
	if err := errors.Join(keyErr, addErr, deleteErr, peerErr, subErr, applyErr); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyBounded holds that a rule that nothing keeps to is told some times and not for ever, and what Quick leaves out.
func TestVerifyBounded(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	c := addCollection(t, s)
	for range 3 * maxFindings {
		if _, err := s.Add(t.Context(), oneObject(t, c.ID)); err != nil {
			t.Fatal(err)
		}
	}
	withRaw(t, dir, func(db *sqlite.Conn) {
		if err := sqlitex.ExecuteTransient(db, `UPDATE entry SET norm = zeroblob(32)`, nil); err != nil {
			t.Fatal(err)
		}
	})
	findings, err := s.Verify(t.Context())
	if err != nil || len(findings) != maxFindings+1 || !strings.HasPrefix(findings[0], "Test: indicator--") || !strings.HasPrefix(findings[maxFindings], "and more") {
		t.Errorf("%d findings, %v: %v", len(findings), err, findings)
	}
	var quick []Finding
	if err := s.Examine(t.Context(), VerifyOptions{Quick: true}, func(f Finding) { quick = append(quick, f) }); err != nil || len(quick) > 0 {
		t.Errorf("quickly: %v, %v", err, quick)
	}
}

// TestNoLessStrict compares sets with objects that tell of others, and with those that do not.
func TestNoLessStrict(t *testing.T) {
	object := func(typ, more string) *stix.Object {
		o, err := stix.Parse([]byte(`{"type":"`+typ+`","spec_version":"2.1","id":"`+string(stix.NewIdentifier(typ))+`","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z"`+more+`}`), stix.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	const ends = `,"relationship_type":"uses","source_ref":"malware--11111111-1111-4111-8111-111111111111","target_ref":"tool--11111111-1111-4111-8111-111111111111"`
	const green = `,"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]`
	got := map[string]bool{}
	for name, tt := range map[string]struct {
		set stix.MarkingSet
		o   *stix.Object
	}{
		"its own":                        {object("tool", green).Markings(), object("tool", green)},
		"a stricter one":                 {stix.MarkingSet{TLP: stix.TLPAmber}, object("tool", green)},
		"a floor":                        {stix.MarkingSet{Floor: stix.TLPGreen, Source: "x"}, object("tool", "")},
		"a relationship, stricter":       {stix.MarkingSet{TLP: stix.TLPAmber}, object("relationship", ends+green)},
		"a relationship, less strict":    {stix.MarkingSet{TLP: stix.TLPClear}, object("relationship", ends+green)},
		"a relationship, more markings":  {stix.MarkingSet{TLP: stix.TLPGreen, Others: []stix.Identifier{"a"}}, object("relationship", ends+green)},
		"a relationship, fewer markings": {stix.MarkingSet{TLP: stix.TLPGreen}, object("relationship", ends+`,"object_marking_refs":["marking-definition--22222222-2222-4222-8222-222222222222"]`)},
	} {
		got[name] = noLessStrict(tt.set, tt.o)
	}
	want := map[string]bool{"its own": true, "a stricter one": false, "a floor": true, "a relationship, stricter": true, "a relationship, less strict": false,
		"a relationship, more markings": true, "a relationship, fewer markings": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// sequential marks a test that does one thing after the other. The race detector finds nothing in it that it does not find
// elsewhere, and makes it many times as long.
func sequential(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("it does one thing after the other: it is left out under the race detector")
	}
}
