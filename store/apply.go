package store

import (
	"context"
	"fmt"

	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/taxii"
)

// Apply stores a page that was pulled from a peer, its quarantine and the cursor in one durable transaction; see
// sync.Store. taxii.ErrNotFound if there is no such subscription.
func (s *Store) Apply(ctx context.Context, page sync.PulledPage) (sync.Applied, error) {
	items := make([]taxii.Item, len(page.Items))
	for i, item := range page.Items {
		items[i] = item.Item
	}
	all, definitions, rest := s.receiveAll(items)
	if page.Received.IsZero() {
		page.Received = s.now()
	}
	var applied sync.Applied
	var changed []string
	defer func() { s.changed(changed...) }()
	var dropped int64
	err := s.commits.do(ctx, len(items), func(c conn) error {
		applied = sync.Applied{}
		sub, err := subscriptionByID(c, page.Subscription)
		if err != nil {
			return err
		}
		if sub.Cursor != page.From {
			return fmt.Errorf("subscription %d is at %+v, not at %+v: %w", sub.ID, sub.Cursor, page.From, sync.ErrConflict)
		}
		changed = []string{sub.Into}
		col, err := collectionByID(c, sub.Into)
		if err != nil {
			return err
		}
		for _, in := range all {
			in.from(string(sub.Peer))
		}
		w := &logWriter{conn: c, collection: col, now: s.now().UnixMicro(), honour: true, digests: s.observables}
		if err := w.store(definitions, rest); err != nil {
			return err
		}
		changed = append(changed, w.others...)
		var kept quarantined
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
				if err := kept.add(c, sub, page, i, in); err != nil {
					return err
				}
			}
		}
		_, err = c.Exec(`UPDATE subscription SET added_after = $2, next = $3, last_attempt = $4, last_success = $4, error = '', failures = 0,
			received = received + $5, quarantined = quarantined + $6 WHERE id = $1`,
			sub.ID, page.To.AddedAfter, page.To.Next, micros(page.Received), len(all), kept.rows)
		if err != nil {
			return err
		}
		dropped, err = s.quarantine.fit(c, sub.ID, kept)
		return err
	})
	if err != nil {
		return sync.Applied{}, err
	}
	s.countOutcomes(all)
	if dropped > 0 {
		s.metrics.count("dropped", int(dropped))
		s.log.Warn("store: the quarantine of a subscription is full; its oldest objects were dropped", "subscription", page.Subscription, "dropped", dropped)
	}
	return applied, nil
}
