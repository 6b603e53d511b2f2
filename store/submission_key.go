package store

import (
	"bytes"
	"errors"

	"github.com/skjold-exchange/skjold/taxii"
)

// maxKeys is how many idempotency keys are remembered of an account; the oldest are forgotten first. Adding is repeatable
// without a key too, so that what a forgotten key costs is the work.
const maxKeys = 20_000

// repetition finds the submission that has been made under the key before, with its status as it is now;
// taxii.ErrKeyReused if its content was another. now is in microseconds.
func repetition(c conn, sub taxii.Submission, now int64) (taxii.Status, bool, error) {
	if sub.Key == nil {
		return taxii.Status{}, false, nil
	}
	var id string
	var same bool
	found, err := one(c, `SELECT status, body FROM idempotency_key WHERE account = $1 AND collection = $2 AND name = $3 AND created > $4`,
		[]any{sub.Account, sub.Collection, sub.Key.Name, now - taxii.KeyLife.Microseconds()}, func(r row) error {
			id, same = r.Text(0), bytes.Equal(r.Bytes(1), sub.Key.Body[:])
			return nil
		})
	if err != nil || !found {
		return taxii.Status{}, false, err
	}
	if !same {
		return taxii.Status{}, false, taxii.ErrKeyReused
	}
	status, err := readStatus(c, id, sub.Account)
	if errors.Is(err, taxii.ErrNotFound) { // statuses outlive keys; without one there is nothing to repeat
		return taxii.Status{}, false, nil
	}
	return status, err == nil, err
}

// putKey notes which status the key of a submission stands for, and forgets the account's oldest keys.
func putKey(c conn, sub taxii.Submission, status string, now int64) error {
	if sub.Key == nil {
		return nil
	}
	last, err := number(c, `SELECT MAX(number) FROM idempotency_key WHERE account = $1`, sub.Account)
	if err != nil {
		return err
	}
	if _, err := c.Exec(`DELETE FROM idempotency_key WHERE account = $1 AND collection = $2 AND name = $3`, sub.Account, sub.Collection, sub.Key.Name); err != nil {
		return err
	}
	if _, err := c.Exec(`DELETE FROM idempotency_key WHERE account = $1 AND number <= $2`, sub.Account, last+1-maxKeys); err != nil {
		return err
	}
	_, err = c.Exec(`INSERT INTO idempotency_key (account, number, collection, name, body, status, created) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		sub.Account, last+1, sub.Collection, sub.Key.Name, sub.Key.Body[:], status, now)
	return err
}
