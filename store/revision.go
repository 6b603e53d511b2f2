package store

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// keptRevisions is how many changes of a collection are kept for caches: they ask twice a second.
	keptRevisions = 1024
	// maxRanges bounds the ranges of one change; beyond it they also cover entries between them that did not change.
	maxRanges = 1024
)

// touches gathers the dates of entries of one collection that a transaction changes. Whatever updates or deletes an entry
// that was committed before, or changes which queries find it, must tell its date here: caches go on serving the pages
// that nobody touched. Appending is no touch.
type touches struct{ dates []int64 }

func (t *touches) add(date int64) { t.dates = append(t.dates, date) }

// collect adds the dates in the first column of a query's result.
func (t *touches) collect(c conn, sql string, args ...any) error {
	return c.Query(sql, args, func(r row) error { t.add(r.Int(0)); return nil })
}

// versions adds versions of objects, each a list of collection, object and version key.
func (t *touches) versions(c conn, collection int64, list [][]any) error {
	return chunks(list, func(chunk [][]any) error {
		args := []any{collection}
		var wanted []byte
		for i, v := range chunk {
			if i > 0 {
				wanted = append(wanted, ',')
			}
			wanted = append(wanted, '(')
			wanted = append(wanted, placeholders(2+2*i, 2)...)
			wanted = append(wanted, ')')
			args = append(args, v[1], v[2])
		}
		return t.collect(c, `WITH wanted (object, version_key) AS (VALUES `+string(wanted)+`) SELECT e.date_added FROM wanted w
			JOIN entry e ON e.collection = $1 AND e.object = w.object AND e.version_key = w.version_key`, args...)
	})
}

// objects adds every version of objects.
func (t *touches) objects(c conn, collection int64, ids []string) error {
	return chunks(ids, func(chunk []string) error {
		return t.collect(c, `SELECT date_added FROM entry WHERE collection = $1 AND object IN (`+placeholders(2, len(chunk))+`)`,
			withTexts(collection, chunk)...)
	})
}

// ranges are the dates as ranges of consecutive microseconds, at most maxRanges of them.
func (t *touches) ranges() []taxii.DateRange {
	slices.Sort(t.dates)
	var list []taxii.DateRange
	for _, d := range t.dates {
		date := taxii.DateAdded(d)
		if n := len(list); n > 0 && date <= list[n-1].To+1 {
			list[n-1].To = date
			continue
		}
		list = append(list, taxii.DateRange{From: date, To: date})
	}
	for len(list) > maxRanges {
		half := list[:0]
		for pair := range slices.Chunk(list, 2) {
			half = append(half, taxii.DateRange{From: pair[0].From, To: pair[len(pair)-1].To})
		}
		list = half
	}
	return list
}

// record writes the change, if there is one, inside the transaction that made it.
func (t *touches) record(c conn, collection int64) error {
	if len(t.dates) == 0 {
		return nil
	}
	revision, err := number(c, `UPDATE collection SET revision = revision + 1 WHERE number = $1 RETURNING revision`, collection)
	if err != nil {
		return err
	}
	if _, err := c.Exec(`INSERT INTO revision (collection, revision, touched) VALUES ($1, $2, $3)`,
		collection, revision, encodeRanges(t.ranges())); err != nil {
		return err
	}
	if revision%(keptRevisions/4) == 0 {
		_, err = c.Exec(`DELETE FROM revision WHERE collection = $1 AND revision <= $2`, collection, revision-keptRevisions)
	}
	return err
}

// encodeRanges writes each range as its distance from the one before and its length.
func encodeRanges(list []taxii.DateRange) []byte {
	b := make([]byte, 0, 16+4*len(list))
	var at taxii.DateAdded
	for _, r := range list {
		b = binary.AppendVarint(b, int64(r.From-at))
		b = binary.AppendUvarint(b, uint64(r.To-r.From))
		at = r.To
	}
	return b
}

var errRanges = errors.New("a change of a collection is recorded in a form that this program does not know")

func decodeRanges(b []byte) ([]taxii.DateRange, error) {
	var list []taxii.DateRange
	var at taxii.DateAdded
	for len(b) > 0 {
		gap, n := binary.Varint(b)
		if n <= 0 {
			return nil, errRanges
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, errRanges
		}
		b = b[n+m:]
		from := at + taxii.DateAdded(gap)
		at = from + taxii.DateAdded(length)
		if at < from || len(list) > 0 && from <= list[len(list)-1].To {
			return nil, errRanges
		}
		list = append(list, taxii.DateRange{From: from, To: at})
	}
	return list, nil
}

// Changes tells what happened to a collection after a state of it; see taxii.Journal.
func (s *Store) Changes(ctx context.Context, id string, since taxii.LogState) (taxii.Changes, error) {
	var changes taxii.Changes
	var read []facet // one of each set
	err := s.read(ctx, func(c conn) error {
		changes, read = taxii.Changes{}, nil
		col, err := collectionByID(c, id)
		if err != nil {
			return err
		}
		changes.Collection = col.Collection
		if col.State() == since {
			return nil
		}
		if col.Epoch != since.Epoch {
			since = taxii.LogState{}
		}
		if col.Revision != since.Revision {
			if changes.Touched, err = revisions(c, col.number, since.Revision); err != nil {
				return err
			}
			changes.Unknown = int64(len(changes.Touched)) != col.Revision-since.Revision
		}
		changes.Sets, read, err = s.setsOf(c, col.number)
		return err
	})
	if err != nil {
		return taxii.Changes{}, err
	}
	s.sets.remember(read)
	return changes, nil
}

// revisions reads the changes after one.
func revisions(c conn, collection, after int64) ([]taxii.Revision, error) {
	var list []taxii.Revision
	err := c.Query(`SELECT revision, touched FROM revision WHERE collection = $1 AND revision > $2 ORDER BY revision`,
		[]any{collection, after}, func(r row) error {
			ranges, err := decodeRanges(r.Bytes(1))
			list = append(list, taxii.Revision{Number: r.Int(0), Ranges: ranges})
			return err
		})
	return list, err
}

// setsOf reads the marking sets of a collection in the order of their first facet. Facets stay when their entries go.
func (s *Store) setsOf(c conn, collection int64) ([]taxii.MarkedSet, []facet, error) {
	var list []facet
	err := c.Query(`SELECT marking_set, MAX(unknown) FROM facet WHERE collection = $1 GROUP BY marking_set ORDER BY MIN(number)`,
		[]any{collection}, func(r row) error {
			list = append(list, facet{setNumber: r.Int(0), unknown: r.Int(1) != 0})
			return nil
		})
	if err != nil {
		return nil, nil, err
	}
	sets := make([]taxii.MarkedSet, len(list))
	for i := range list {
		if list[i].set, err = s.markingSet(c, list[i].setNumber); err != nil {
			return nil, nil, err
		}
		sets[i] = taxii.MarkedSet{Set: list[i].set, Unknown: list[i].unknown}
	}
	return sets, list, nil
}

// Watch has fn called after every write that may have changed a collection; see taxii.Journal.
func (s *Store) Watch(fn func(collection string)) { s.watchers = append(s.watchers, fn) }

// changed tells the watchers of collections. It is called after a write whatever its outcome, which may be unknown.
func (s *Store) changed(collections ...string) {
	for _, fn := range s.watchers {
		for _, id := range collections {
			fn(id)
		}
	}
}
