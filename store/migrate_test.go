package store

import (
	"errors"
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
		if findings, err := s.Verify(t.Context()); err != nil || len(findings) > 0 {
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
	var applied []int64
	err = s.read(t.Context(), func(c conn) error {
		return c.Query(`SELECT number FROM schema_version ORDER BY number`, nil, func(r row) error { applied = append(applied, r.Int(0)); return nil })
	})
	if diff := cmp.Diff([]int64{1, 2, 3, 4}, applied); err != nil || diff != "" {
		t.Errorf("steps applied, %v (-want +got):\n%s", err, diff)
	}
}
