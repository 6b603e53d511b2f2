package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// statusLife is how long a status resource is kept; TAXII clients are promised a day.
const statusLife = 7 * 24 * time.Hour

// statusLists are the lists of a status resource: all of them, or those of one part of a submission.
type statusLists struct {
	Successes []taxii.StatusDetail `json:"successes,omitempty"`
	Failures  []taxii.StatusDetail `json:"failures,omitempty"`
	Pendings  []taxii.StatusDetail `json:"pendings,omitempty"`
}

// addTo appends the lists to those of a status and keeps its counts and its state.
func (l statusLists) addTo(s *taxii.Status) {
	s.Successes = append(s.Successes, l.Successes...)
	s.Failures = append(s.Failures, l.Failures...)
	s.Pendings = append(s.Pendings, l.Pendings...)
	s.SuccessCount, s.FailureCount, s.PendingCount = len(s.Successes), len(s.Failures), len(s.Pendings)
	s.TotalCount = s.SuccessCount + s.FailureCount + s.PendingCount
	s.Status = taxii.StatusComplete
	if s.PendingCount > 0 {
		s.Status = taxii.StatusPending
	}
}

// Status returns the status resource of a submission to the account that made it; taxii.ErrNotFound. Its counts are of one
// moment.
func (s *Store) Status(ctx context.Context, id, account string) (taxii.Status, error) {
	var status taxii.Status
	err := s.read(ctx, func(c conn) (err error) {
		status, err = readStatus(c, id, account)
		return err
	})
	s.tellDecided()
	return status, err
}

// tellDecided is called before a status is given to anybody. A part of it may have been committed a moment ago, and whoever
// keeps answers not been told yet; what a status lists is there for those who ask for it next.
func (s *Store) tellDecided() {
	if collection := s.deciding.Load(); collection != nil {
		s.changed(*collection)
	}
}

func readStatus(c conn, id, account string) (taxii.Status, error) {
	var status taxii.Status
	found, err := one(c, `SELECT content FROM status WHERE id = $1 AND account = $2`, []any{id, account}, func(r row) error {
		return json.Unmarshal(r.Bytes(0), &status)
	})
	if err != nil {
		return status, fmt.Errorf("status %s: %w", id, err)
	}
	if !found {
		return status, notFound("status", id)
	}
	err = c.Query(`SELECT content FROM status_part WHERE status = $1 ORDER BY part`, []any{id}, func(r row) error {
		var part statusLists
		if err := json.Unmarshal(r.Bytes(0), &part); err != nil {
			return fmt.Errorf("status %s: %w", id, err)
		}
		part.addTo(&status)
		return nil
	})
	return status, err
}

var insertStatuses = newInsertion("status", "id", "account", "received", "content")

// statusRow is a row of insertStatuses.
func statusRow(status taxii.Status, account string, now int64) ([]any, error) {
	content, err := json.Marshal(status)
	if err != nil {
		return nil, fmt.Errorf("status resource: %w", err)
	}
	return []any{status.ID, account, now, content}, nil
}

func putStatus(c conn, status taxii.Status, account string, now int64) error {
	row, err := statusRow(status, account, now)
	if err != nil {
		return err
	}
	return c.Insert(insertStatuses, [][]any{row})
}

// removeStatuses removes the statuses of an account and its idempotency keys. What it submitted stays, and what is pending
// of it is decided.
func removeStatuses(c conn, account string) error {
	for _, sql := range []string{
		`DELETE FROM status_part WHERE status IN (SELECT id FROM status WHERE account = $1)`,
		`DELETE FROM status WHERE account = $1`,
		`DELETE FROM idempotency_key WHERE account = $1`,
	} {
		if _, err := c.Exec(sql, account); err != nil {
			return err
		}
	}
	return nil
}

// overdue are the statuses that are older than their life, except those of submissions that are pending: a life begins
// when everything is decided.
const overdue = `FROM status WHERE received < $1 AND NOT EXISTS (SELECT 1 FROM submission s WHERE s.status = status.id)`

// purgeStatuses removes statuses that are older than their life, and idempotency keys that are.
func (s *Store) purgeStatuses(ctx context.Context) error {
	before, keysBefore := s.now().Add(-statusLife).UnixMicro(), s.now().Add(-taxii.KeyLife).UnixMicro()
	var old int64
	err := s.read(ctx, func(c conn) error {
		statuses, err := number(c, `SELECT COUNT(*) `+overdue, before)
		if err != nil {
			return err
		}
		old, err = number(c, `SELECT COUNT(*) FROM idempotency_key WHERE created < $1`, keysBefore)
		old += statuses
		return err
	})
	if err != nil || old == 0 {
		return err
	}
	return s.write(ctx, func(c conn) error {
		if _, err := c.Exec(`DELETE FROM status_part WHERE status IN (SELECT id `+overdue+`)`, before); err != nil {
			return err
		}
		if _, err := c.Exec(`DELETE `+overdue, before); err != nil {
			return err
		}
		_, err := c.Exec(`DELETE FROM idempotency_key WHERE created < $1`, keysBefore)
		return err
	})
}
