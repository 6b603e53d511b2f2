package store

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// due is why a version may go.
type due int

const (
	notDue due = iota
	dueRevoked
	dueExpired
	dueSuperseded
)

// tally counts what one transaction lets go of.
type tally struct {
	dropped         map[due]int
	kept            int
	keptFor, missed map[string]bool
}

func newTally() tally {
	return tally{dropped: make(map[due]int), keptFor: make(map[string]bool), missed: make(map[string]bool)}
}

// retireObject lets go of what is due of an object: all of it, or its superseded versions.
func (k *compaction) retireObject(c conn, col collection, id stix.Identifier, t *tally) error {
	entries, err := k.store.versions(c, col, taxii.Deletion{Collection: col.ID, ID: id})
	if err != nil {
		return err
	}
	why, err := k.objectDue(c, entries)
	if err != nil {
		return err
	}
	if why != notDue {
		if k.unread(entries, func(heldEntry) bool { return true }, t) {
			t.kept += len(entries)
			return nil
		}
		for i := range entries {
			entries[i].deleted = true
		}
		t.dropped[why] += len(entries)
	} else if k.told.Retention.Superseded > 0 {
		for i := range entries {
			if !k.versionDue(entries, i) {
				continue
			}
			if k.unread(entries, func(e heldEntry) bool { return e.seq == entries[i].seq }, t) {
				t.kept++
				continue
			}
			entries[i].deleted = true
			t.dropped[dueSuperseded]++
		}
	}
	if k.dryRun {
		return nil
	}
	if _, err := k.store.remove(c, col, id, entries); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.deleted {
			continue
		}
		if _, err := c.Exec(`DELETE FROM expiry WHERE collection = $1 AND object = $2 AND version_key = $3`, col.number, string(id), e.key); err != nil {
			return err
		}
	}
	if len(entries) == 0 { // deleted by other means; what was noted of it is of no use
		_, err = c.Exec(`DELETE FROM expiry WHERE collection = $1 AND object = $2`, col.number, string(id))
	}
	return err
}

// objectDue tells why a whole object may go: every version that is the last for somebody is revoked, or has expired, for
// long enough. To let go of the last version alone would bring back the one before.
func (k *compaction) objectDue(c conn, entries []heldEntry) (due, error) {
	why := notDue
	for _, e := range entries {
		if e.last == innerVersion {
			continue
		}
		r := k.told.Retention
		if r.Revoked > 0 && e.revokes && e.date <= k.before(r.Revoked) {
			why = dueRevoked
			continue
		}
		if r.Expired == 0 {
			return notDue, nil
		}
		var until time.Time
		_, err := one(c, `SELECT raw FROM entry WHERE seq = $1`, []any{e.seq}, func(r row) error { until = validUntil(r.Bytes(0)); return nil })
		if err != nil {
			return notDue, err
		}
		if until.IsZero() || until.UnixMicro() > k.before(r.Expired) {
			return notDue, nil
		}
		if why == notDue {
			why = dueExpired
		}
	}
	return why, nil
}

// versionDue tells whether a version was superseded long enough ago: when the first later one of those who see it came.
func (k *compaction) versionDue(entries []heldEntry, i int) bool {
	e := entries[i]
	if e.last != innerVersion || e.revokes {
		return false
	}
	since := int64(0)
	for _, later := range entries { // in the order of version
		if later.facet.number == e.facet.number && later.key != e.key && (later.key > e.key || later.last != innerVersion) &&
			(since == 0 || later.date < since) {
			since = later.date
		}
	}
	return since != 0 && max(since, e.date) <= k.before(k.told.Retention.Superseded)
}

// unread tells whether somebody who is waited for has not read one of the entries that which selects, and notes for whom it
// is kept; else it notes who will miss it.
func (k *compaction) unread(entries []heldEntry, which func(heldEntry) bool, t *tally) bool {
	newest := int64(0)
	for _, e := range entries {
		if which(e) {
			newest = max(newest, e.date)
		}
	}
	kept := false
	for _, r := range k.readers {
		if r.waited && k.told.Retention.Unread > 0 && r.position < newest {
			kept = true
			t.keptFor[r.name] = true
		}
	}
	for _, r := range k.readers {
		if !kept && r.position < newest {
			t.missed[r.name] = true
		}
	}
	return kept
}

// validUntil is the valid_until of an object (STIX 2.1 §4.7), zero if it has none.
func validUntil(raw []byte) time.Time {
	if !bytes.Contains(raw, []byte("valid_until")) {
		return time.Time{}
	}
	var o struct {
		Until string `json:"valid_until"`
	}
	if json.Unmarshal(raw, &o) != nil {
		return time.Time{}
	}
	at, err := stix.ParseTimestamp(o.Until)
	if err != nil {
		return time.Time{}
	}
	return at.Time()
}

// expiring is a version that expires.
type expiring struct {
	object, key string
	until       int64
}

// examine looks through the entries that came since the last time, and notes when they expire. A dry run looks too, and
// goes on with what it finds at once.
func (k *compaction) examine() error {
	position := int64(0)
	err := k.store.read(k.ctx, func(c conn) (err error) {
		position, err = number(c, `SELECT examined FROM collection WHERE number = $1`, k.number)
		return err
	})
	if err != nil {
		return err
	}
	for more := true; more; {
		var found []expiring
		last, n := position, 0
		err := k.store.read(k.ctx, func(c conn) error {
			found, last, n = nil, position, 0
			return c.Query(`SELECT date_added, object, version_key, raw FROM entry WHERE collection = $1 AND date_added > $2 ORDER BY date_added LIMIT $3`,
				[]any{k.number, position, examineRows}, func(r row) error {
					if until := validUntil(r.Bytes(3)); !until.IsZero() {
						found = append(found, expiring{r.Text(1), r.Text(2), until.UnixMicro()})
					}
					last, n = r.Int(0), n+1
					return nil
				})
		})
		if err != nil || n == 0 {
			return err
		}
		if err := k.note(found, last); err != nil {
			return err
		}
		position, more = last, n == examineRows
	}
	return nil
}

// note keeps what was found up to a date.
func (k *compaction) note(found []expiring, last int64) error {
	if k.dryRun {
		var due []string
		for _, e := range found {
			if e.until <= k.before(k.told.Retention.Expired) {
				due = append(due, e.object)
			}
		}
		return k.retire(due)
	}
	return k.store.write(k.ctx, func(c conn) error {
		rows := make([][]any, len(found))
		for i, e := range found {
			rows[i] = []any{k.number, e.object, e.key, e.until}
		}
		err := c.ExecMany(`INSERT INTO expiry (collection, object, version_key, valid_until) VALUES ($1, $2, $3, $4)
			ON CONFLICT (collection, object, version_key) DO UPDATE SET valid_until = excluded.valid_until`, rows)
		if err != nil {
			return err
		}
		_, err = c.Exec(`UPDATE collection SET examined = $2 WHERE number = $1 AND examined < $2`, k.number, last)
		return err
	})
}
