package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// Observable values are found by 64-bit digests, which keep a row of the table at some twenty bytes whatever the length of
// the value: the values of ten million indicators take a few hundred megabytes. Two values may share a digest, by chance
// once in billions, so what is found is compared with the values in the object's own bytes.

// valueDigest is what the observable table has of a value in canonical form.
func valueDigest(value string) int64 {
	sum := sha256.Sum256([]byte(value))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// observables are the digests of an object's values, each once.
func (s *Store) observables(raw []byte) []int64 {
	values := stix.ObservableValues(raw, s.patternValues)
	digests := make([]int64, len(values))
	for i, v := range values {
		digests[i] = valueDigest(v)
	}
	return slices.Compact(sorted(digests))
}

var insertObservables = newInsertion("observable", "collection", "value", "entry")

const deleteObservable = `DELETE FROM observable WHERE collection = $1 AND value = $2 AND entry = $3`

// observe notes the values of entries that are being inserted at consecutive places.
func (w *logWriter) observe(fresh []*incoming, at block) error {
	var rows [][]any
	for i, in := range fresh {
		for _, digest := range in.observables {
			rows = append(rows, []any{w.collection.number, digest, at.seq + int64(i)})
		}
	}
	// In the order of the table, so that neighbours share a way into it.
	slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[1].(int64), b[1].(int64)) })
	return w.conn.Insert(insertObservables, rows)
}

// removeEntry deletes an entry and its values; the caller tells caches (touches). Whatever deletes entries and leaves their
// collection does it by this.
func (s *Store) removeEntry(c conn, collection, seq int64) error {
	var digests []int64
	if _, err := one(c, `SELECT raw FROM entry WHERE seq = $1`, []any{seq}, func(r row) error {
		digests = s.observables(r.Bytes(0))
		return nil
	}); err != nil {
		return err
	}
	rows := make([][]any, len(digests))
	for i, digest := range digests {
		rows[i] = []any{collection, digest, seq}
	}
	if err := c.ExecMany(deleteObservable, rows); err != nil {
		return err
	}
	if _, err := c.Exec(`DELETE FROM entry WHERE seq = $1`, seq); err != nil {
		return err
	}
	_, err := c.Exec(`UPDATE counter SET value = value + 1 WHERE name = 'removal'`)
	return err
}

// moveObservables brings the values of entries to their new places. Each move is a list of the old and the new one.
func moveObservables(c conn, collection int64, moves [][]any, digests func(raw []byte) []int64) error {
	return chunks(moves, func(chunk [][]any) error {
		before := make(map[int64]int64, len(chunk)) // old places by new ones
		args := make([]any, len(chunk))
		for i, move := range chunk {
			before[move[1].(int64)] = move[0].(int64)
			args[i] = move[1]
		}
		var old, fresh [][]any
		err := c.Query(`SELECT seq, raw FROM entry WHERE seq IN (`+placeholders(1, len(args))+`)`, args, func(r row) error {
			for _, digest := range digests(r.Bytes(1)) {
				old = append(old, []any{collection, digest, before[r.Int(0)]})
				fresh = append(fresh, []any{collection, digest, r.Int(0)})
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := c.ExecMany(deleteObservable, old); err != nil {
			return err
		}
		return c.Insert(insertObservables, fresh)
	})
}

// counter reads one of the node's counters.
func counter(c conn, name string) (int64, error) {
	return number(c, `SELECT value FROM counter WHERE name = $1`, name)
}

// unreadEntries is the error of a query for values while entries from before the table was there are not all in it.
func unreadEntries(c conn) error {
	n, err := counter(c, "unread")
	if err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("observable values can't be looked up yet: the entries that were stored by an earlier version are still being read (down from number %d): %w",
		n, taxii.ErrUnavailable)
}

// postings returns the places of entries that may have one of the values: the first ones behind a place, at most limit.
// It is one probe of the index for each value.
func postings(c conn, collection int64, values []string, behind int64, limit int) ([]int64, error) {
	sql, args := postingsSQL(collection, values, behind, limit)
	var places []int64
	err := c.Query(sql, args, func(r row) error { places = append(places, r.Int(0)); return nil })
	return places, err
}

func postingsSQL(collection int64, values []string, behind int64, limit int) (string, []any) {
	args := []any{collection, behind, limit}
	for _, v := range values {
		args = append(args, valueDigest(v))
	}
	const first = 4 // the placeholder of the first value
	if len(values) > maxStreams {
		return `SELECT DISTINCT entry FROM observable WHERE collection = $1 AND value IN (` + placeholders(first, len(values)) + `) AND entry > $2 ORDER BY entry LIMIT $3`, args
	}
	ranges := make([]string, len(values))
	for i := range values {
		ranges[i] = fmt.Sprintf(`SELECT * FROM (SELECT entry FROM observable WHERE collection = $1 AND value = $%d AND entry > $2 ORDER BY entry LIMIT $3) s%d`, first+i, i)
	}
	return `SELECT entry FROM (` + strings.Join(ranges, ` UNION `) + `) u ORDER BY entry LIMIT $3`, args
}

// readBatch is how many earlier entries are read at a time.
const readBatch = 500

// earlierEntry is an entry that was stored before the observable table was there.
type earlierEntry struct {
	seq, collection int64
	digests         []int64
}

// startReadingEarlier does readEarlier beside what else runs; the function that it returns waits for its end.
func (s *Store) startReadingEarlier(ctx context.Context, report func(what string, err error)) (wait func()) {
	var reading sync.WaitGroup
	reading.Go(func() {
		err := s.readEarlier(ctx)
		report("reading the observable values of earlier entries", err)
		_, _ = s.Hold(ctx, earlierDuty, nil) // nothing is left to do
	})
	return reading.Wait
}

// earlierDuty is the duty of one process to bring the observable table up to date.
const earlierDuty = "earlier observables"

// readEarlier brings the observable table up to date with the entries that were stored before it was there, the newest
// first, a batch at a time so that nobody waits. It returns when nothing is left, and goes on where it was ended. While
// another process does it, it waits.
func (s *Store) readEarlier(ctx context.Context) error {
	for {
		var left int64
		err := s.read(ctx, func(c conn) (err error) { left, err = counter(c, "unread"); return err })
		if err != nil || left == 0 {
			return err
		}
		if !s.holds(ctx, earlierDuty) {
			timer := time.NewTimer(beatEvery)
			select {
			case <-timer.C:
				continue
			case <-ctx.Done():
				timer.Stop()
				return ctx.Err()
			}
		}
		done, err := s.readEarlierBatch(ctx)
		if err != nil || done {
			return err
		}
	}
}

func (s *Store) readEarlierBatch(ctx context.Context) (done bool, err error) {
	var unread int64
	var list []earlierEntry
	err = s.read(ctx, func(c conn) error {
		list = nil
		if unread, err = counter(c, "unread"); err != nil || unread == 0 {
			return err
		}
		return c.Query(`SELECT seq, collection, raw FROM entry WHERE seq <= $1 ORDER BY seq DESC LIMIT $2`, []any{unread, readBatch}, func(r row) error {
			list = append(list, earlierEntry{seq: r.Int(0), collection: r.Int(1), digests: s.observables(r.Bytes(2))})
			return nil
		})
	})
	if err != nil || unread == 0 {
		return unread == 0, err
	}
	return len(list) < readBatch, s.noteEarlier(ctx, unread, list)
}

// noteEarlier writes a batch, unless another process has gone on meanwhile. Entries that were deleted meanwhile stay out.
func (s *Store) noteEarlier(ctx context.Context, unread int64, list []earlierEntry) error {
	left := int64(0)
	if len(list) == readBatch {
		left = list[len(list)-1].seq - 1
	}
	var rows [][]any
	for _, e := range list {
		for _, digest := range e.digests {
			rows = append(rows, []any{e.collection, digest, e.seq})
		}
	}
	return s.commits.do(ctx, len(list), func(c conn) error {
		n, err := c.Exec(`UPDATE counter SET value = $2 WHERE name = 'unread' AND value = $1`, unread, left)
		if err != nil || n == 0 {
			return err
		}
		return c.ExecMany(`INSERT INTO observable (collection, value, entry) SELECT collection, CAST($2 AS BIGINT), seq FROM entry WHERE seq = $3 AND collection = $1`, rows)
	})
}
