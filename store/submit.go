package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// statusLife is how long a status resource is kept; TAXII clients are promised a day.
const statusLife = 7 * 24 * time.Hour

// versionAt is the version of an unversioned object that was first seen at a time in microseconds.
func versionAt(us int64) stix.Timestamp { return stix.TimestampOf(time.UnixMicro(us)) }

// Add stores a submission and its status in one durable transaction; see taxii.Store.
func (s *Store) Add(ctx context.Context, sub taxii.Submission) (taxii.Status, error) {
	if sub.Received.IsZero() {
		sub.Received = s.now()
	}
	all, definitions, rest := receiveAll(sub.Items)
	defer s.changed(sub.Collection)
	var status taxii.Status
	err := s.commits.do(ctx, len(sub.Items), func(c conn) error {
		col, err := collectionByID(c, sub.Collection)
		if err != nil {
			return err
		}
		w := &logWriter{conn: c, collection: col, now: s.now().UnixMicro()}
		if err := w.store(definitions, rest); err != nil {
			return err
		}
		if err := hideHeld(c, col.number, sub.Visible, all); err != nil {
			return err
		}
		status = newStatus(sub, all, w.now)
		return putStatus(c, status, sub.Account, w.now)
	})
	if err != nil {
		return taxii.Status{}, err
	}
	s.countOutcomes(all)
	return status, nil
}

// hideHeld marks what is already held and not for the caller to see. The held copy has the same content, and so the same
// marking set, as the one that came, unless a peer sent it.
func hideHeld(c conn, collection int64, visible func(stix.MarkingSet, bool) bool, all []*incoming) error {
	if visible == nil {
		return nil
	}
	hidden := make(map[string]bool) // by the key of the set
	for _, in := range all {
		if in.outcome != known {
			continue
		}
		hide, asked := hidden[in.setKey]
		if !asked {
			unknown := true
			_, err := one(c, `SELECT COALESCE(MAX(f.unknown), 1) FROM marking_set m JOIN facet f ON f.marking_set = m.number
				WHERE f.collection = $1 AND (m.name = $2 OR (m.name >= $2 || ' floor=' AND m.name < $2 || ' floor>')
					OR (m.name >= $2 || ' source=' AND m.name < $2 || ' source>'))`,
				[]any{collection, in.setKey}, func(r row) error {
					unknown = r.Int(0) != 0
					return nil
				})
			if err != nil {
				return err
			}
			hide = !visible(in.set, unknown)
			hidden[in.setKey] = hide
		}
		in.hidden = hide
	}
	return nil
}

func (s *Store) countOutcomes(all []*incoming) {
	var counts [len(outcomeNames)]int
	for _, in := range all {
		counts[in.outcome]++
	}
	for o, n := range counts {
		s.metrics.count(outcomeNames[o], n)
	}
}

// newStatus makes the status resource of a submission that is finished. now is the time of its commit in microseconds.
func newStatus(sub taxii.Submission, all []*incoming, now int64) taxii.Status {
	received := taxii.DateAdded(sub.Received.UnixMicro())
	status := taxii.Status{ID: uuid.NewString(), Status: "complete", RequestTimestamp: received.String(), TotalCount: len(all)}
	for i, in := range all {
		item := sub.Items[i]
		detail := taxii.StatusDetail{ID: item.ID, Version: item.Version}
		if item.Object != nil {
			detail.ID = string(item.Object.ID)
			detail.Version = cmp.Or(in.version, item.Object.Version().String(), item.Version)
		}
		if detail.Version == "" { // the property is required; nothing better is known of a refused object
			detail.Version = received.String()
		}
		switch in.outcome {
		case stored:
			detail.Message = taxii.StoredMessage(in.violations)
			status.Successes = append(status.Successes, detail)
		case known:
			if !in.hidden {
				detail.Message = taxii.AlreadyHeld
			} else {
				detail.Message = taxii.StoredMessage(in.violations)
				if !in.versioned { // its version tells when it was first seen
					detail.Version = versionAt(now).String()
				}
			}
			status.Successes = append(status.Successes, detail)
		default:
			detail.Message = in.message
			status.Failures = append(status.Failures, detail)
		}
	}
	status.SuccessCount, status.FailureCount = len(status.Successes), len(status.Failures)
	return status
}

func putStatus(c conn, status taxii.Status, account string, now int64) error {
	content, err := json.Marshal(status)
	if err != nil {
		return fmt.Errorf("status resource: %w", err)
	}
	_, err = c.Exec(`INSERT INTO status (id, account, received, content) VALUES ($1, $2, $3, $4)`,
		status.ID, account, now, content)
	return err
}

// Status returns the status resource of a submission to the account that made it; taxii.ErrNotFound.
func (s *Store) Status(ctx context.Context, id, account string) (taxii.Status, error) {
	var status taxii.Status
	err := s.read(ctx, func(c conn) error {
		found, err := one(c, `SELECT content FROM status WHERE id = $1 AND account = $2`, []any{id, account}, func(r row) error {
			return json.Unmarshal(r.Bytes(0), &status)
		})
		if err == nil && !found {
			return notFound("status", id)
		}
		return err
	})
	return status, err
}

// purgeStatuses removes statuses that are older than their life.
func (s *Store) purgeStatuses(ctx context.Context) error {
	before := s.now().Add(-statusLife).UnixMicro()
	var old int64
	err := s.read(ctx, func(c conn) (err error) {
		old, err = number(c, `SELECT COUNT(*) FROM status WHERE received < $1`, before)
		return err
	})
	if err != nil || old == 0 {
		return err
	}
	return s.write(ctx, func(c conn) error {
		_, err := c.Exec(`DELETE FROM status WHERE received < $1`, before)
		return err
	})
}
