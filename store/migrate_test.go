package store

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// firstRelease fills a database of schema version 1 as the first release did.
const firstRelease = `
	INSERT INTO collection (number, id, title, title_folded, description, alias, default_tlp, created, last_added, epoch, objects, mixed)
	VALUES (1, '3c1d2f60-0000-4000-8000-000000000001', 'Old', 'old', '', 'old', 4, 1000, 1001, 'e', 1, 0);
	INSERT INTO marking_set (number, name, content, unknown) VALUES (1, 'none', '{}', 0);
	INSERT INTO facet (number, collection, marking_set, type, spec_version, entries, last_added) VALUES (1, 1, 1, 'identity', '2.1', 1, 1001);
	INSERT INTO entry (seq, collection, date_added, facet, is_first, is_last, object, version_key, version, norm, raw)
	VALUES (1, 1, 1001, 1, 1, 1, 'identity--3c1d2f60-0000-4000-8000-000000000002', 'k', 'v', x'00', x'7b7d');
	UPDATE counter SET value = 1 WHERE name IN ('collection', 'marking_set', 'facet', 'entry', 'account', 'subscription');
	INSERT INTO account (number, kind, name, created, last_seen, last_pull, objects_served, user_agent, last_error)
	VALUES (1, 'peer', 'https://node.example', 1, 0, 0, 0, '', '');
	INSERT INTO peer (account, jwks, api_root) VALUES (1, x'7b7d', 'https://node.example/taxii2/main/');
	INSERT INTO subscription (id, peer, source, collection, added_after, next, created, last_attempt, last_success, error, failures, received, quarantined)
	VALUES (1, 'https://node.example', 'feed', 1, '', '', 1, 0, 0, '', 0, 0, 0);`

// brokenInvariants tells which invariants of the log a store breaks. The objects of the databases in this file are made
// up, and so are their digests and marking sets, which Verify would find.
func brokenInvariants(t *testing.T, s *Store) ([]string, error) {
	t.Helper()
	var list []string
	err := s.read(t.Context(), func(c conn) error {
		for _, rule := range invariants {
			if err := c.Query(rule.sql, nil, func(r row) error { list = append(list, rule.rule+": "+r.Text(0)); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// TestOldDatabase opens a database of the first schema: what it holds is strict, as it was, and the new is there.
func TestOldDatabase(t *testing.T) {
	dir := t.TempDir()
	old, err := openSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	same := func(sql string) string { return sql }
	err = old.Write(t.Context(), func(c conn) error {
		return errors.Join(steps[0].apply(c, same, time.Unix(1, 0)), c.Script(firstRelease))
	})
	if err := errors.Join(err, old.Close()); err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // the second time there is nothing to do
		s := openDirNow(t, dir)
		c, err := s.Collection(t.Context(), "old")
		if err != nil || c.Lenient || c.Objects != int64(1+round) {
			t.Fatalf("the collection is now %+v, %v", c, err)
		}
		if list, err := s.Violations(t.Context(), c.ID, 0, 10); err != nil || len(list) != round {
			t.Errorf("violations %v, %v", list, err)
		}
		if subs, err := s.Subscriptions(t.Context()); err != nil || len(subs) != 1 || subs[0].Rules != "" {
			t.Errorf("subscriptions %+v, %v", subs, err)
		}
		page, err := s.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 1, Bytes: true})
		if err != nil || len(page.Entries) != 1 || string(page.Entries[0].Raw) != "{}" {
			t.Errorf("entries %+v, %v", page.Entries, err)
		}
		sub := oneObject(t, c.ID)
		sub.Items[0].Violations = []stix.Violation{{Path: "labels", Rule: "empty-list", Section: "2.10", Message: "It is empty."}}
		if round == 0 {
			if _, err := s.Add(t.Context(), sub); err != nil {
				t.Fatal(err)
			}
		}
		if findings, err := brokenInvariants(t, s); err != nil || len(findings) > 0 {
			t.Errorf("Verify: %v, %v", err, findings)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMigrationsAreOnceOnly holds that a step which another process has done meanwhile is not done again.
func TestMigrationsAreOnceOnly(t *testing.T) {
	s := openDir(t, t.TempDir())
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		err := s.write(t.Context(), func(c conn) error { return step.apply(c, func(sql string) string { return sql }, time.Unix(1, 0)) })
		if err != nil {
			t.Errorf("step %d again: %v", step.number, err)
		}
	}
	var want, applied []int64
	for _, step := range steps {
		want = append(want, int64(step.number))
	}
	err = s.read(t.Context(), func(c conn) error {
		return c.Query(`SELECT number FROM schema_version ORDER BY number`, nil, func(r row) error { applied = append(applied, r.Int(0)); return nil })
	})
	if diff := cmp.Diff(want, applied); err != nil || diff != "" {
		t.Errorf("steps applied, %v (-want +got):\n%s", err, diff)
	}
}

// dividedRelease is a database of schema version 2: an object of three versions, the middle one RED, an object of one
// version, and two collections, of which one holds the definition of a marking that objects of both have.
const dividedRelease = `
	INSERT INTO collection (number, id, title, title_folded, description, alias, default_tlp, created, last_added, epoch, objects, mixed)
	VALUES (1, '3c1d2f60-0000-4000-8000-000000000001', 'A', 'a', '', 'a', 4, 1000, 1005, 'e', 5, 0),
		(2, '3c1d2f60-0000-4000-8000-000000000002', 'B', 'b', '', 'b', 4, 1000, 1002, 'e', 2, 0);
	INSERT INTO marking_set (number, name, content, unknown) VALUES (1, 'green', '{"TLP":2}', 0), (2, 'red', '{"TLP":5}', 0),
		(3, 'marked', '{"TLP":0,"Others":["marking-definition--3c1d2f60-0000-4000-8000-00000000000a"]}', 0);
	INSERT INTO known_marking (marking, since) VALUES ('marking-definition--3c1d2f60-0000-4000-8000-00000000000a', 1);
	INSERT INTO marking_set_member (marking, marking_set) VALUES ('marking-definition--3c1d2f60-0000-4000-8000-00000000000a', 3);
	INSERT INTO facet (number, collection, marking_set, type, spec_version, entries, last_added) VALUES
		(1, 1, 1, 'identity', '2.1', 3, 1004), (2, 1, 2, 'identity', '2.1', 1, 1002), (3, 1, 3, 'identity', '2.1', 1, 1005),
		(4, 2, 1, 'marking-definition', '2.1', 1, 1001), (5, 2, 3, 'identity', '2.1', 1, 1002);
	INSERT INTO entry (seq, collection, date_added, facet, is_first, is_last, object, version_key, version, norm, raw) VALUES
		(1, 1, 1001, 1, 1, 0, 'identity--1', 'k1', 'v1', x'00', x'7b7d'), (2, 1, 1002, 2, 0, 0, 'identity--1', 'k2', 'v2', x'00', x'7b7d'),
		(3, 1, 1003, 1, 0, 1, 'identity--1', 'k3', 'v3', x'00', x'7b7d'), (4, 1, 1004, 1, 1, 1, 'identity--2', 'k1', 'v1', x'00', x'7b7d'),
		(5, 1, 1005, 3, 1, 1, 'identity--3', 'k1', 'v1', x'00', x'7b7d'),
		(6, 2, 1001, 4, 1, 1, 'marking-definition--3c1d2f60-0000-4000-8000-00000000000a', 'k1', 'v1', x'00', CAST('{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--3c1d2f60-0000-4000-8000-00000000000a","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"x"}}' AS BLOB)),
		(7, 2, 1002, 5, 1, 1, 'identity--3', 'k1', 'v1', x'00', x'7b7d');
	INSERT INTO account (number, kind, name, created, last_seen, last_pull, objects_served, user_agent, last_error) VALUES (1, 'peer', 'https://node.example', 1, 0, 0, 0, '', '');
	INSERT INTO peer (account, jwks, api_root) VALUES (1, x'7b7d', '');
	INSERT INTO subscription (id, peer, source, collection, added_after, next, created, last_attempt, last_success, error, failures, received, quarantined)
	VALUES (1, 'https://node.example', 'feed', 1, '', '', 1, 0, 0, '', 0, 1, 1);
	INSERT INTO quarantine (number, subscription, peer, collection, object, version, digest, reason, raw, received)
	VALUES (1, 1, 'https://node.example', 'x', 'identity--9', 'v', x'00', 'no', x'7b7d', 1);
	UPDATE counter SET value = 9;`

// TestDividedDatabase opens a database of the second schema: the ends of the versions are those that a caller sees, and a
// marking is known where its definition is held.
func TestDividedDatabase(t *testing.T) {
	dir := t.TempDir()
	old, err := openSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	err = old.Write(t.Context(), func(c conn) error {
		same := func(sql string) string { return sql }
		return errors.Join(steps[0].apply(c, same, time.Unix(1, 0)), steps[1].apply(c, same, time.Unix(1, 0)), c.Script(dividedRelease))
	})
	if err := errors.Join(err, old.Close()); err != nil {
		t.Fatal(err)
	}
	s := openDir(t, dir)
	if findings, err := brokenInvariants(t, s); err != nil || len(findings) > 0 {
		t.Errorf("Verify: %v, %v", err, findings)
	}
	for _, q := range []struct {
		collection int
		level      stix.TLP
		match      taxii.VersionMatch
		want       []string
	}{
		{1, stix.TLPGreen, taxii.VersionMatch{}, []string{"identity--1 v3", "identity--2 v1"}},
		{1, stix.TLPGreen, taxii.VersionMatch{First: true}, []string{"identity--1 v1", "identity--2 v1"}},
		{1, stix.TLPRed, taxii.VersionMatch{All: true}, []string{"identity--1 v1", "identity--1 v2", "identity--1 v3", "identity--2 v1"}},
		{2, stix.TLPGreen, taxii.VersionMatch{}, []string{"marking-definition--3c1d2f60-0000-4000-8000-00000000000a v1", "identity--3 v1"}},
	} {
		page, err := s.Entries(t.Context(), taxii.Query{Collection: "3c1d2f60-0000-4000-8000-00000000000" + strconv.Itoa(q.collection), Limit: 10, Version: q.match,
			Visible: func(m stix.MarkingSet, unknown bool) bool { return m.TLP <= q.level && !unknown }})
		var got []string
		for _, e := range page.Entries {
			got = append(got, string(e.ID)+" "+e.Version)
		}
		if diff := cmp.Diff(q.want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v (-want +got):\n%s", q, err, diff)
		}
	}
}
