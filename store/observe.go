package store

import (
	"context"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// maxObserved bounds the accounts noted between two writes.
	maxObserved = 1 << 16
	// maxNote bounds a user agent or error text that is kept, in bytes.
	maxNote = 500
)

// observations gathers what clients were served until it is written.
type observations struct {
	mu   sync.Mutex
	seen map[observed]*observation
}

type observed struct {
	kind taxii.PrincipalKind
	name string
}

type observation struct {
	seen, pull int64 // microseconds
	objects    int64
	userAgent  string
	err        string
	progress   map[string]taxii.DateAdded // by collection id
}

// Observe notes what a client or peer was served, for the operator's view of them. It only touches memory: Run and
// Close write it.
func (s *Store) Observe(served taxii.Served) {
	if served.Name == "" {
		return
	}
	at := served.At
	if at.IsZero() {
		at = s.now()
	}
	o := &s.observed
	o.mu.Lock()
	defer o.mu.Unlock()
	key := observed{kind: served.Kind, name: served.Name}
	seen := o.seen[key]
	if seen == nil {
		if len(o.seen) >= maxObserved {
			return
		}
		if o.seen == nil {
			o.seen = make(map[observed]*observation)
		}
		seen = &observation{progress: make(map[string]taxii.DateAdded)}
		o.seen[key] = seen
	}
	seen.seen = max(seen.seen, at.UnixMicro())
	if served.UserAgent != "" {
		seen.userAgent = cut(served.UserAgent)
	}
	seen.err = cut(served.Error)
	if served.Error != "" {
		return
	}
	seen.objects += int64(served.Objects)
	if served.Pull {
		seen.pull = max(seen.pull, at.UnixMicro())
	}
	if served.Collection != "" && served.Last > 0 {
		seen.progress[served.Collection] = served.Last
	}
}

// cut keeps a text within maxNote bytes, whole characters only.
func cut(text string) string {
	if len(text) <= maxNote {
		return text
	}
	end := maxNote
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// flush writes what was observed. What can't be written now is kept for the next time.
func (s *Store) flush(ctx context.Context) error {
	o := &s.observed
	o.mu.Lock()
	seen := o.seen
	o.seen = nil
	o.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	err := s.write(ctx, func(c conn) error {
		for key, o := range seen {
			if err := o.write(c, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		o.merge(seen)
	}
	return err
}

// merge puts observations that were not written back under those made since.
func (o *observations) merge(older map[observed]*observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, newer := range o.seen {
		if old := older[key]; old != nil {
			newer.pull = max(newer.pull, old.pull)
			newer.objects += old.objects
			if newer.userAgent == "" {
				newer.userAgent = old.userAgent
			}
			maps.Copy(old.progress, newer.progress)
			newer.progress = old.progress
		}
		older[key] = newer
	}
	o.seen = older
}

// write notes an observation at its account, if there still is one.
func (o *observation) write(c conn, key observed) error {
	account, err := number(c, `SELECT number FROM account WHERE kind = $1 AND name = $2`, string(key.kind), key.name)
	if err != nil || account == 0 {
		return err
	}
	_, err = c.Exec(`UPDATE account SET
			last_seen = CASE WHEN last_seen > $2 THEN last_seen ELSE $2 END,
			last_pull = CASE WHEN last_pull > $3 THEN last_pull ELSE $3 END,
			objects_served = objects_served + $4,
			user_agent = CASE WHEN $5 = '' THEN user_agent ELSE $5 END,
			last_error = $6
		WHERE number = $1`, account, o.seen, o.pull, o.objects, o.userAgent, o.err)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(o.progress)) {
		_, err := c.Exec(`INSERT INTO progress (account, collection, date_added)
			SELECT $1, number, $3 FROM collection WHERE id = $2
			ON CONFLICT (account, collection) DO UPDATE SET date_added = excluded.date_added`, account, id, int64(o.progress[id]))
		if err != nil {
			return err
		}
	}
	return nil
}
