package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/taxii"
)

// maxQuarantined is the size in bytes up to which the quarantine keeps what came.
const maxQuarantined = 1 << 20

// Apply stores a page that was pulled from a peer, its quarantine and the cursor in one durable transaction; see
// sync.Store. taxii.ErrNotFound if there is no such subscription.
func (s *Store) Apply(ctx context.Context, page sync.PulledPage) (sync.Applied, error) {
	items := make([]taxii.Item, len(page.Items))
	for i, item := range page.Items {
		items[i] = item.Item
	}
	all, definitions, rest := receiveAll(items)
	if page.Received.IsZero() {
		page.Received = s.now()
	}
	var applied sync.Applied
	err := s.commits.do(ctx, len(items), func(c conn) error {
		applied = sync.Applied{}
		sub, err := subscriptionByID(c, page.Subscription)
		if err != nil {
			return err
		}
		if sub.Cursor != page.From {
			return fmt.Errorf("subscription %d is at %+v, not at %+v: %w", sub.ID, sub.Cursor, page.From, sync.ErrConflict)
		}
		col, err := collectionByID(c, sub.Into)
		if err != nil {
			return err
		}
		for _, in := range all {
			in.from(string(sub.Peer))
		}
		w := &logWriter{conn: c, collection: col, now: s.now().UnixMicro(), honour: true}
		if err := w.store(definitions, rest); err != nil {
			return err
		}
		added := int64(0)
		for i, in := range all {
			switch in.outcome {
			case stored:
				applied.Stored++
				if len(in.violations) > 0 {
					applied.Violating++
				}
			case known:
				applied.Known++
			case tombstoned:
				applied.Tombstoned++
			default:
				applied.Quarantined++
				n, err := quarantine(c, sub, page, i, in)
				if err != nil {
					return err
				}
				added += n
			}
		}
		_, err = c.Exec(`UPDATE subscription SET added_after = $2, next = $3, last_attempt = $4, last_success = $4, error = '', failures = 0,
			received = received + $5, quarantined = quarantined + $6 WHERE id = $1`,
			sub.ID, page.To.AddedAfter, page.To.Next, micros(page.Received), len(all), added)
		return err
	})
	if err != nil {
		return sync.Applied{}, err
	}
	s.countOutcomes(all)
	return applied, nil
}

// quarantine keeps an object that was not stored, once: the same bytes that come again add nothing. It returns the
// number of rows added.
func quarantine(c conn, sub sync.Subscription, page sync.PulledPage, i int, in *incoming) (int64, error) {
	item := page.Items[i]
	id, version, raw := item.ID, item.Version, item.Raw
	if o := item.Object; o != nil {
		id, version = string(o.ID), cmp.Or(o.Version().String(), version)
		if raw == nil {
			raw = o.Raw
		}
	}
	digest, reason := sha256.Sum256(raw), in.message
	if len(raw) > maxQuarantined {
		reason = fmt.Sprintf("%s (its %d bytes were not kept)", reason, len(raw))
		raw = nil
	}
	held, err := number(c, `SELECT COUNT(*) FROM quarantine WHERE subscription = $1 AND object = $2 AND version = $3 AND digest = $4`,
		sub.ID, id, version, digest[:])
	if err != nil || held > 0 {
		return 0, err
	}
	n, err := take(c, "quarantine", 1)
	if err != nil {
		return 0, err
	}
	return c.Exec(`INSERT INTO quarantine (number, subscription, peer, collection, object, version, digest, reason, raw, received)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		n, sub.ID, string(sub.Peer), sub.Into, id, version, digest[:], reason, raw, micros(page.Received))
}
