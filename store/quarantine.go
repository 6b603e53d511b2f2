package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
)

const (
	// maxQuarantined is the size in bytes up to which the quarantine keeps what came.
	maxQuarantined = 1 << 20
	// quarantineLife is how long the quarantine keeps what came.
	quarantineLife = 90 * 24 * time.Hour
)

// QuarantineBounds are the most that the quarantine holds of one subscription. What a peer sends is not bounded, so the
// oldest objects make room for the new ones; how many did is counted with the subscription, logged and in the metrics.
type QuarantineBounds struct {
	Rows  int64 // objects; 0 for 10,000
	Bytes int64 // with their reasons; 0 for 64 MiB
}

func (b QuarantineBounds) withDefaults() QuarantineBounds {
	return QuarantineBounds{Rows: cmp.Or(b.Rows, 10_000), Bytes: cmp.Or(b.Bytes, 64<<20)}
}

// QuarantineRow is an object that came from a peer and was not stored.
type QuarantineRow struct {
	Subscription int64
	Peer         federation.EntityID
	Collection   string // id of the local collection that it was for
	ID, Version  string // of the object, as far as they could be read
	Reason       string
	Raw          []byte // what came; empty if that was more than 1 MiB
	Received     time.Time
}

// Quarantine returns the newest rows of the quarantine, at most limit.
func (s *Store) Quarantine(ctx context.Context, limit int) ([]QuarantineRow, error) {
	var list []QuarantineRow
	err := s.read(ctx, func(c conn) error {
		list = nil
		return c.Query(`SELECT subscription, peer, collection, object, version, reason, raw, received FROM quarantine ORDER BY number DESC LIMIT $1`,
			[]any{max(limit, 0)}, func(r row) error {
				list = append(list, QuarantineRow{Subscription: r.Int(0), Peer: federation.EntityID(r.Text(1)), Collection: r.Text(2),
					ID: r.Text(3), Version: r.Text(4), Reason: r.Text(5), Raw: r.Bytes(6), Received: timeOf(r.Int(7))})
				return nil
			})
	})
	return list, err
}

// quarantined counts what a page added to the quarantine.
type quarantined struct{ rows, bytes int64 }

// add keeps an object that was not stored, once: the same bytes that come again add nothing.
func (q *quarantined) add(c conn, sub sync.Subscription, page sync.PulledPage, i int, in *incoming) error {
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
		return err
	}
	n, err := take(c, "quarantine", 1)
	if err != nil {
		return err
	}
	size := int64(len(raw) + len(id) + len(version) + len(reason))
	q.rows, q.bytes = q.rows+1, q.bytes+size
	_, err = c.Exec(`INSERT INTO quarantine (number, subscription, peer, collection, object, version, digest, reason, raw, size, received)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		n, sub.ID, string(sub.Peer), sub.Into, id, version, digest[:], reason, raw, size, micros(page.Received))
	return err
}

// fit counts what was added for a subscription and drops its oldest rows where it is over the bounds. It returns how many.
func (b QuarantineBounds) fit(c conn, subscription int64, added quarantined) (int64, error) {
	if added.rows == 0 {
		return 0, nil
	}
	var held, over quarantined
	_, err := one(c, `UPDATE subscription SET quarantine_rows = quarantine_rows + $2, quarantine_bytes = quarantine_bytes + $3
		WHERE id = $1 RETURNING quarantine_rows, quarantine_bytes`, []any{subscription, added.rows, added.bytes}, func(r row) error {
		held = quarantined{rows: r.Int(0), bytes: r.Int(1)}
		return nil
	})
	if err != nil || held.rows <= b.Rows && held.bytes <= b.Bytes {
		return 0, err
	}
	last := int64(0)
	err = c.Query(`SELECT number, size FROM quarantine WHERE subscription = $1 ORDER BY number`, []any{subscription}, func(r row) error {
		if held.rows-over.rows <= b.Rows && held.bytes-over.bytes <= b.Bytes {
			return errStop
		}
		last, over.rows, over.bytes = r.Int(0), over.rows+1, over.bytes+r.Int(1)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if _, err := c.Exec(`DELETE FROM quarantine WHERE subscription = $1 AND number <= $2`, subscription, last); err != nil {
		return 0, err
	}
	_, err = c.Exec(`UPDATE subscription SET quarantine_rows = quarantine_rows - $2, quarantine_bytes = quarantine_bytes - $3,
		dropped = dropped + $2 WHERE id = $1`, subscription, over.rows, over.bytes)
	return over.rows, err
}

// PurgeQuarantine removes what came before a time from the quarantine and returns how many objects that were. Run does
// so with what is older than 90 days.
func (s *Store) PurgeQuarantine(ctx context.Context, before time.Time) (int, error) {
	removed := int64(0)
	err := s.read(ctx, func(c conn) (err error) { // seldom anything: the writer is not bothered
		removed, err = number(c, `SELECT COUNT(*) FROM quarantine WHERE received < $1`, micros(before))
		return err
	})
	if err != nil || removed == 0 {
		return 0, err
	}
	err = s.write(ctx, func(c conn) (err error) {
		if removed, err = c.Exec(`DELETE FROM quarantine WHERE received < $1`, micros(before)); err != nil {
			return err
		}
		_, err = c.Exec(`UPDATE subscription SET
			quarantine_rows = (SELECT COUNT(*) FROM quarantine q WHERE q.subscription = subscription.id),
			quarantine_bytes = (SELECT COALESCE(SUM(q.size), 0) FROM quarantine q WHERE q.subscription = subscription.id)`)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(removed), nil
}

// retireQuarantine removes what the quarantine has kept for its life.
func (s *Store) retireQuarantine(ctx context.Context) error {
	n, err := s.PurgeQuarantine(ctx, s.now().Add(-quarantineLife))
	if n > 0 {
		s.log.Info("store: the quarantine let go of its oldest objects", "objects", n, "older_than", quarantineLife.String())
	}
	return err
}
