package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/taxii"
)

const subscriptionColumns = `s.id, s.peer, s.source, c.id, s.added_after, s.next, s.created, s.last_attempt, s.last_success, s.error, s.failures, s.received, s.quarantined, s.rules, s.dropped`

func scanSubscription(r row) sync.Subscription {
	return sync.Subscription{
		ID: r.Int(0), Peer: federation.EntityID(r.Text(1)), Collection: r.Text(2), Into: r.Text(3),
		Cursor:  sync.Cursor{AddedAfter: r.Text(4), Next: r.Text(5)},
		Created: timeOf(r.Int(6)), LastAttempt: timeOf(r.Int(7)), LastSuccess: timeOf(r.Int(8)),
		Error: r.Text(9), Failures: int(r.Int(10)), Received: r.Int(11), Quarantined: r.Int(12),
		Rules: sync.Rules(r.Text(13)), Dropped: r.Int(14),
	}
}

// Subscribe adds a subscription of Peer's Collection into the local collection Into, starting at Cursor, by its
// Rules; the other fields are set by the store. Whether this node may know Peer, pinned or by its trust chain, is for the
// caller to say. The errors are taxii.ErrNotFound (Into), ErrExists and ErrInvalid.
func (s *Store) Subscribe(ctx context.Context, sub sync.Subscription) (sync.Subscription, error) {
	if _, err := federation.ParseEntityID(string(sub.Peer)); err != nil {
		return sync.Subscription{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if sub.Collection == "" {
		return sync.Subscription{}, invalid("a subscription names a collection of the peer")
	}
	if err := sub.Rules.Check(); err != nil {
		return sync.Subscription{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	added := sync.Subscription{Peer: sub.Peer, Collection: sub.Collection, Into: sub.Into, Cursor: sub.Cursor, Rules: sub.Rules}
	err := s.write(ctx, func(c conn) error {
		col, err := collectionByID(c, sub.Into)
		if err != nil {
			return err
		}
		n, err := number(c, `SELECT COUNT(*) FROM subscription WHERE peer = $1 AND source = $2 AND collection = $3`,
			string(sub.Peer), sub.Collection, col.number)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("a subscription of %q from %q into %q: %w", sub.Collection, sub.Peer, col.Title, ErrExists)
		}
		if added.ID, err = take(c, "subscription", 1); err != nil {
			return err
		}
		now := micros(s.now())
		added.Created = timeOf(now)
		_, err = c.Exec(`INSERT INTO subscription (id, peer, source, collection, added_after, next, created, last_attempt, last_success, error, failures, received, quarantined, rules)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, '', 0, 0, 0, $8)`,
			added.ID, string(sub.Peer), sub.Collection, col.number, sub.Cursor.AddedAfter, sub.Cursor.Next, now, string(sub.Rules))
		return err
	})
	if err != nil {
		return sync.Subscription{}, err
	}
	return added, nil
}

// Unsubscribe removes a subscription; what was pulled and quarantined stays. taxii.ErrNotFound.
func (s *Store) Unsubscribe(ctx context.Context, id int64) error {
	return s.changeSubscription(ctx, id, `DELETE FROM subscription WHERE id = $1`, id)
}

// ResetCursor sets where a subscription's next pull begins; the zero Cursor is the beginning. taxii.ErrNotFound.
func (s *Store) ResetCursor(ctx context.Context, id int64, to sync.Cursor) error {
	return s.changeSubscription(ctx, id, `UPDATE subscription SET added_after = $2, next = $3 WHERE id = $1`, id, to.AddedAfter, to.Next)
}

// PullFailed notes a failed attempt and its reason; taxii.ErrNotFound.
func (s *Store) PullFailed(ctx context.Context, subscription int64, at time.Time, reason string) error {
	return s.changeSubscription(ctx, subscription, `UPDATE subscription SET last_attempt = $2, error = $3, failures = failures + 1 WHERE id = $1`,
		subscription, micros(at), cut(reason))
}

func (s *Store) changeSubscription(ctx context.Context, id int64, sql string, args ...any) error {
	return s.write(ctx, func(c conn) error {
		n, err := c.Exec(sql, args...)
		if err == nil && n == 0 {
			return notFound("subscription", strconv.FormatInt(id, 10))
		}
		return err
	})
}

// Subscriptions returns all subscriptions in order of creation.
func (s *Store) Subscriptions(ctx context.Context) ([]sync.Subscription, error) {
	var list []sync.Subscription
	err := s.read(ctx, func(c conn) error {
		list = nil
		return c.Query(`SELECT `+subscriptionColumns+` FROM subscription s JOIN collection c ON c.number = s.collection ORDER BY s.id`, nil,
			func(r row) error { list = append(list, scanSubscription(r)); return nil })
	})
	return list, err
}

// subscriptionByID reads a subscription; taxii.ErrNotFound.
func subscriptionByID(c conn, id int64) (sync.Subscription, error) {
	var sub sync.Subscription
	found, err := one(c, `SELECT `+subscriptionColumns+` FROM subscription s JOIN collection c ON c.number = s.collection WHERE s.id = $1`, []any{id},
		func(r row) error { sub = scanSubscription(r); return nil })
	if err == nil && !found {
		err = fmt.Errorf("subscription %d: %w", id, taxii.ErrNotFound)
	}
	return sub, err
}
