package store

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// lookForWork is how often a process looks for submissions that others accepted or left.
	lookForWork = 2 * time.Second
	// firstRest doubles with every attempt that fails, up to longestRest.
	firstRest, longestRest = time.Second, 30 * time.Second
	// maxPartFailures is how often a part is tried that fails although the database can be used; then its objects are
	// failures, so that what comes after it is decided.
	maxPartFailures = 5
)

// Messages of failures that the store finds out late.
const (
	notAnObject       = "is not a STIX object with an id"
	collectionRemoved = "the collection was removed before the object was stored"
	notStorable       = "the server could not store this object; add it again, and tell its operator if that fails too"
)

// errClaimLost: another process has the submission, or has decided the part.
var errClaimLost = errors.New("another process works on the submission")

// claim is a submission that this process works on, and where it is.
type claim struct {
	number     int64
	status     string
	account    string
	collection string
	received   time.Time
	parts      int64
	part       int64 // the next one
}

// decide decides pending submissions until ctx ends, and then lets other processes have them at once.
func (s *Store) decide(ctx context.Context) {
	if s.alone {
		if err := s.unclaim(ctx, ""); err != nil && ctx.Err() == nil {
			s.log.Warn("store: taking up pending submissions", "error", err)
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	rest := firstRest
	for {
		worked, err := s.Advance(ctx)
		pause := lookForWork
		switch {
		case ctx.Err() != nil:
			if err := s.unclaim(context.WithoutCancel(ctx), s.instance); err != nil {
				s.log.Warn("store: leaving pending submissions to others", "error", err)
			}
			return
		case err != nil:
			s.log.Warn("store: deciding a pending submission", "error", err, "again_in", rest.String())
			pause, rest = rest, min(2*rest, longestRest)
		case worked:
			rest = firstRest
			continue
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-s.pending:
		case <-ctx.Done():
		}
	}
}

// Advance decides the next part of a pending submission, unless other processes have them all: its objects are stored, or
// not, and the submission's status tells it, in one transaction. It reports whether there was something to do. Run calls
// it whenever something is pending.
func (s *Store) Advance(ctx context.Context) (worked bool, err error) {
	due := int64(0)
	err = s.read(ctx, func(c conn) error { // seldom anything: the writer is not bothered
		var objects int64
		if _, err := one(c, `SELECT COUNT(*), COALESCE(SUM(objects), 0) FROM submission`, nil,
			func(r row) error { due, objects = r.Int(0), r.Int(1); return nil }); err != nil || due == 0 {
			s.metrics.pending.Set(0)
			return err
		}
		s.metrics.pending.Set(float64(objects))
		due, err = number(c, `SELECT COUNT(*) FROM submission WHERE owner = $1 OR lease <= $2`, s.instance, s.now().UnixMicro())
		return err
	})
	if err != nil || due == 0 {
		return false, err
	}
	claim, ok, err := s.claim(ctx)
	if err != nil || !ok {
		return false, err
	}
	err = s.decidePart(ctx, claim)
	switch {
	case errors.Is(err, errClaimLost):
		return true, nil
	case err == nil || errors.Is(err, taxii.ErrUnavailable) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrClosed) || ctx.Err() != nil:
		return err == nil, err
	}
	return false, errors.Join(err, s.partFailed(ctx, claim))
}

// claim takes the submission whose turn it is for this process.
func (s *Store) claim(ctx context.Context) (found claim, ok bool, err error) {
	err = s.write(ctx, func(c conn) error {
		now := s.now()
		ok, err = one(c, `SELECT number, status, account, collection, received, parts, decided + 1 FROM submission
			WHERE owner = $1 OR lease <= $2 ORDER BY turn LIMIT 1`, []any{s.instance, now.UnixMicro()}, func(r row) error {
			found = claim{number: r.Int(0), status: r.Text(1), account: r.Text(2), collection: r.Text(3), received: timeOf(r.Int(4)),
				parts: r.Int(5), part: r.Int(6)}
			return nil
		})
		if err != nil || !ok {
			return err
		}
		turn, err := take(c, "submission", 1)
		if err != nil {
			return err
		}
		_, err = c.Exec(`UPDATE submission SET owner = $2, lease = $3, turn = $4 WHERE number = $1`,
			found.number, s.instance, now.Add(s.submissions.Lease).UnixMicro(), turn)
		return err
	})
	return found, ok, err
}

// unclaim ends the claims of a process, "" for those of all.
func (s *Store) unclaim(ctx context.Context, instance string) error {
	held := int64(0)
	err := s.read(ctx, func(c conn) (err error) {
		held, err = number(c, `SELECT COUNT(*) FROM submission WHERE owner = $1 OR $1 = ''`, instance)
		return err
	})
	if err != nil || held == 0 {
		return err
	}
	return s.write(ctx, func(c conn) error {
		_, err := c.Exec(`UPDATE submission SET owner = '', lease = 0 WHERE owner = $1 OR $1 = ''`, instance)
		return err
	})
}

// decidePart decides the part that a claim is at. The writers' order alone makes it happen once: whoever comes second
// finds the part decided.
func (s *Store) decidePart(ctx context.Context, at claim) error {
	sub, err := s.readPart(ctx, at)
	if err != nil {
		return err
	}
	a := s.newAddition(sub)
	s.deciding.Store(&sub.Collection)
	defer func() {
		s.changed(append(a.others, sub.Collection)...)
		s.deciding.Store(nil)
	}()
	var gone bool
	err = s.commits.do(ctx, len(a.all), func(c conn) (err error) {
		now := s.now().UnixMicro()
		if err := s.pass(c, at, now, len(a.all), size(sub.Items)); err != nil {
			return err
		}
		err = a.submit(c, now)
		gone = errors.Is(err, taxii.ErrNotFound)
		if err != nil && !gone {
			return err
		}
		lists := outcomes(sub, a.all, now)
		if gone {
			lists = failed(sub, collectionRemoved)
		}
		return at.finish(c, lists, now)
	})
	if err == nil && !gone {
		s.countOutcomes(a.all)
	}
	return err
}

// readPart reads the part of a submission that a claim is at, as a submission of its own.
func (s *Store) readPart(ctx context.Context, at claim) (taxii.Submission, error) {
	var kept []byte
	var found bool
	err := s.read(ctx, func(c conn) (err error) {
		found, err = one(c, `SELECT items FROM submission_part WHERE submission = $1 AND part = $2`, []any{at.number, at.part},
			func(r row) error { kept = r.Bytes(0); return nil })
		return err
	})
	if err != nil {
		return taxii.Submission{}, err
	}
	if !found {
		return taxii.Submission{}, errClaimLost
	}
	var items []pendingItem
	if err := gob.NewDecoder(bytes.NewReader(kept)).Decode(&items); err != nil {
		return taxii.Submission{}, fmt.Errorf("reading part %d of the submission with status %s: %w", at.part, at.status, err)
	}
	sub := taxii.Submission{Collection: at.collection, Account: at.account, Received: at.received, Items: make([]taxii.Item, len(items))}
	sees := make(map[string]visibility)
	for i, item := range items {
		// The limits were those of the node when the object came; what was accepted then is stored.
		object, err := stix.Parse(item.Raw, stix.Limits{ObjectBytes: math.MaxInt, Depth: math.MaxInt})
		if err != nil {
			return taxii.Submission{}, fmt.Errorf("reading part %d of the submission with status %s: %w", at.part, at.status, err)
		}
		sub.Items[i] = taxii.Item{Object: object, Violations: item.Violations}
		sub.Identity = item.Identity // the same for all
		sees[object.Markings().Key()] = item.Sees
	}
	// Of a set that no item of the part has, as that of a held version may be, nothing is told: the policy was not asked.
	sub.Visible = func(m stix.MarkingSet, unknown bool) bool {
		if unknown {
			return sees[m.Key()]&seesUnknown != 0
		}
		return sees[m.Key()]&seesKnown != 0
	}
	return sub, nil
}

// size is how many octets the objects of some items have.
func size(items []taxii.Item) int64 {
	n := int64(0)
	for _, item := range items {
		n += int64(len(item.Object.Raw))
	}
	return n
}

// pass moves a submission on to its next part; errClaimLost if the claim is not this process's any more.
func (s *Store) pass(c conn, at claim, now int64, objects int, bytes int64) error {
	n, err := c.Exec(`UPDATE submission SET decided = decided + 1, failures = 0, objects = objects - $4, bytes = bytes - $5, lease = $6
		WHERE number = $1 AND owner = $2 AND decided = $3`,
		at.number, s.instance, at.part-1, objects, bytes, now+s.submissions.Lease.Microseconds())
	if err == nil && n == 0 {
		return errClaimLost
	}
	return err
}

// finish writes what became of a part, and ends the submission with its last one.
func (at claim) finish(c conn, lists statusLists, now int64) error {
	content, err := json.Marshal(lists)
	if err != nil {
		return fmt.Errorf("status resource: %w", err)
	}
	// An account that was removed has taken its statuses with it.
	if _, err := c.Exec(`UPDATE status_part SET content = $3 WHERE status = $1 AND part = $2`, at.status, at.part, content); err != nil {
		return err
	}
	if _, err := c.Exec(`DELETE FROM submission_part WHERE submission = $1 AND part = $2`, at.number, at.part); err != nil || at.part < at.parts {
		return err
	}
	if _, err := c.Exec(`DELETE FROM submission WHERE number = $1`, at.number); err != nil {
		return err
	}
	_, err = c.Exec(`UPDATE status SET received = $2 WHERE id = $1`, at.status, now)
	return err
}

// failed lists all items of a submission as failures.
func failed(sub taxii.Submission, message string) statusLists {
	var lists statusLists
	for i := range sub.Items {
		detail := detailOf(sub, i, "")
		detail.Message = message
		lists.Failures = append(lists.Failures, detail)
	}
	return lists
}

// partFailed counts a failure that is no fault of the database, and gives a part up that has had too many.
func (s *Store) partFailed(ctx context.Context, at claim) error {
	given := 0 // up, of objects
	err := s.write(ctx, func(c conn) error {
		given = 0
		var failures int64
		found, err := one(c, `UPDATE submission SET failures = failures + 1 WHERE number = $1 AND owner = $2 AND decided = $3 RETURNING failures`,
			[]any{at.number, s.instance, at.part - 1}, func(r row) error { failures = r.Int(0); return nil })
		if err != nil || !found || failures < maxPartFailures {
			return err
		}
		var lists statusLists
		_, err = one(c, `SELECT content FROM status_part WHERE status = $1 AND part = $2`, []any{at.status, at.part}, func(r row) error {
			return json.Unmarshal(r.Bytes(0), &lists)
		})
		if err != nil {
			return fmt.Errorf("status %s: %w", at.status, err)
		}
		for _, detail := range lists.Pendings {
			detail.Message = notStorable
			lists.Failures = append(lists.Failures, detail)
		}
		given = len(lists.Pendings)
		lists.Pendings = nil
		if err := s.pass(c, at, s.now().UnixMicro(), given, 0); err != nil {
			return err
		}
		return at.finish(c, lists, s.now().UnixMicro())
	})
	if err == nil && given > 0 {
		s.log.Error("store: a part of a submission could not be stored; its objects are failures in its status", "status", at.status, "objects", given)
	}
	return err
}
