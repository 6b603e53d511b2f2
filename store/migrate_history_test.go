package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// historyRelease is a database of schema version 4. An identity has a version, a revocation, which is RED, and a version
// after it; another was revoked twice; of a third only text looks like a revocation.
func historyRelease() string {
	sql := `INSERT INTO collection (number, id, title, title_folded, description, alias, default_tlp, created, last_added, epoch, objects)
		VALUES (1, '3c1d2f60-0000-4000-8000-000000000001', 'A', 'a', '', 'a', 4, 1000, 1006, 'e', 6);
	INSERT INTO marking_set (number, name, content) VALUES (1, '` + stix.MarkingSet{TLP: stix.TLPGreen}.Key() + `', '{"tlp":2}'),
		(2, '` + stix.MarkingSet{TLP: stix.TLPRed}.Key() + `', '{"tlp":5}');
	INSERT INTO facet (number, collection, marking_set, type, spec_version, entries, last_added, divided) VALUES
		(1, 1, 1, 'identity', '2.1', 5, 1006, 1), (2, 1, 2, 'identity', '2.1', 1, 1002, 1);`
	for i, e := range []struct {
		object, facet, first, last, day int
		members                         string
	}{
		{1, 1, 2, 0, 1, `"revoked":false`}, {1, 2, 2, 2, 2, `"revo\u006bed":true`}, {1, 1, 0, 2, 3, `"name":"n"`},
		{2, 1, 1, 0, 1, `"revoked":true`}, {2, 1, 0, 1, 2, `"revoked":true`}, {3, 1, 1, 1, 1, `"name":"\"revoked\":true"`},
	} {
		at := fmt.Sprintf("2026-01-%02dT00:00:00.000Z", e.day)
		object := fmt.Sprintf("identity--3c1d2f60-0000-4000-8000-%012x", e.object)
		raw := fmt.Sprintf(`{"type":"identity","spec_version":"2.1","id":"%s","created":"2026-01-01T00:00:00.000Z","modified":"%s","object_marking_refs":["%s"],%s}`,
			object, at, stix.MarkingOf([]stix.TLP{stix.TLPGreen, stix.TLPRed}[e.facet-1]), e.members)
		o, err := stix.Parse([]byte(raw), stix.DefaultLimits())
		if err != nil {
			panic(err)
		}
		norm, err := o.Norm()
		if err != nil {
			panic(err)
		}
		sql += fmt.Sprintf(`INSERT INTO entry (seq, collection, date_added, facet, is_first, is_last, object, version_key, version, norm, raw)
			VALUES (%d, 1, %d, %d, %d, %d, '%s', '%s', '%s', x'%x', CAST('%s' AS BLOB));`,
			i+1, 1001+i, e.facet, e.first, e.last, object, o.Version().SortKey(), at, norm, raw)
	}
	return sql + `UPDATE counter SET value = 9;`
}

// TestRevokedDatabase opens a database of the fourth schema: an object's last version is the one that revokes it.
func TestRevokedDatabase(t *testing.T) {
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
		for _, step := range steps[:4] {
			if err := step.apply(c, func(sql string) string { return sql }, time.Unix(1, 0)); err != nil {
				return err
			}
		}
		return c.Script(historyRelease())
	})
	if err := errors.Join(err, old.Close()); err != nil {
		t.Fatal(err)
	}
	s := openDir(t, dir)
	if findings, err := brokenInvariants(t, s); err != nil || len(findings) > 0 {
		t.Errorf("Verify: %v, %v", err, findings)
	}
	for _, q := range []struct {
		level stix.TLP
		want  []string
	}{
		{stix.TLPRed, []string{"1 2026-01-02", "2 2026-01-01", "3 2026-01-01"}},
		{stix.TLPGreen, []string{"1 2026-01-03", "2 2026-01-01", "3 2026-01-01"}},
	} {
		page, err := s.Entries(t.Context(), taxii.Query{Collection: "3c1d2f60-0000-4000-8000-000000000001", Limit: 10,
			Visible: func(m stix.MarkingSet, unknown bool) bool { return m.TLP <= q.level && !unknown }})
		var got []string
		for _, e := range page.Entries {
			got = append(got, string(e.ID[len(e.ID)-1:])+" "+e.Version[:len("2026-01-02")])
		}
		if diff := cmp.Diff(q.want, got); err != nil || diff != "" {
			t.Errorf("up to %v: %v (-want +got):\n%s", q.level, err, diff)
		}
	}
}

// TestJoinedDatabase migrates relationships that were stored before their ends counted.
func TestJoinedDatabase(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	c := addCollection(t, s)
	const head = `"spec_version":"2.1","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","object_marking_refs":["%s"]`
	parse := func(format string, level stix.TLP) taxii.Item {
		t.Helper()
		o, err := stix.Parse(fmt.Appendf(nil, format, stix.MarkingOf(level)), stix.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		return taxii.Item{Object: o}
	}
	const end, relationship = "identity--3c1d2f60-0000-4000-8000-000000000001", "relationship--3c1d2f60-0000-4000-8000-000000000002"
	_, err := s.Add(t.Context(), taxii.Submission{Collection: c.ID, Items: []taxii.Item{
		parse(`{"type":"relationship","id":"`+relationship+`",`+head+`,"source_ref":"`+end+`","target_ref":"identity--3c1d2f60-0000-4000-8000-000000000003"}`, stix.TLPGreen),
		parse(`{"type":"identity","id":"`+end+`",`+head+`}`, stix.TLPAmber),
	}})
	if err != nil {
		t.Fatal(err)
	}
	level := func() stix.TLP {
		t.Helper()
		var level stix.TLP
		for l := stix.TLPClear; l <= stix.TLPRed; l++ {
			page, err := s.Entries(t.Context(), taxii.Query{Collection: c.ID, Limit: 10, IDs: []stix.Identifier{relationship},
				Visible: func(m stix.MarkingSet, _ bool) bool { return m.TLP == l }})
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Entries) > 0 {
				level = l
			}
		}
		return level
	}
	// As if an earlier program had stored it: by its own markings, and without a note of what it joins.
	err = s.write(t.Context(), func(db conn) error {
		own, err := internSet(db, stix.MarkingSet{TLP: stix.TLPGreen})
		if err != nil {
			return err
		}
		facet, err := internFacet(db, 1, own, "relationship", "2.1")
		if err != nil {
			return err
		}
		return db.Script(fmt.Sprintf(`DELETE FROM joined; UPDATE facet SET entries = 0 WHERE type = 'relationship';
			UPDATE entry SET facet = %d WHERE object = '%s'; UPDATE facet SET entries = 1, last_added = 9000000000000000 WHERE number = %d`, facet, relationship, facet))
	})
	if err != nil || level() != stix.TLPGreen {
		t.Fatalf("handled as %v, %v", level(), err)
	}
	if err := s.write(t.Context(), func(db conn) error { return readHistory(db, time.Unix(1, 0)) }); err != nil {
		t.Fatal(err)
	}
	if got := level(); got != stix.TLPAmber {
		t.Errorf("handled as %v after the migration, want amber", got)
	}
	if findings, err := s.Verify(t.Context()); err != nil || len(findings) > 0 {
		t.Errorf("Verify: %v, %v", err, findings)
	}
}
