package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// SubmissionOptions say how much may be pending of submissions that are decided after they were accepted. Zero values have
// the defaults that the comments say. A submission that is alone is always accepted, whatever its size.
type SubmissionOptions struct {
	Pending                int64 // submissions of all accounts; 64
	PendingPerAccount      int64 // submissions of one account; 8
	PendingBytes           int64 // octets of their objects; 1 GiB
	PendingBytesPerAccount int64 // 256 MiB
	// PartObjects is how many objects are decided in one transaction; 500. Other writers wait for it.
	PartObjects int
	// Lease is how long a process that has begun to work on a submission has it for itself without a sign of life; 10 s.
	Lease time.Duration
}

// maxPartBytes bounds the objects that are decided in one transaction, in octets; one object is always taken.
const maxPartBytes = 4 << 20

func (o SubmissionOptions) withDefaults() SubmissionOptions {
	return SubmissionOptions{
		Pending: cmp.Or(o.Pending, 64), PendingPerAccount: cmp.Or(o.PendingPerAccount, 8),
		PendingBytes: cmp.Or(o.PendingBytes, 1<<30), PendingBytesPerAccount: cmp.Or(o.PendingBytesPerAccount, 256<<20),
		PartObjects: cmp.Or(o.PartObjects, 500), Lease: cmp.Or(o.Lease, 10*time.Second),
	}
}

// deferred is a submission that is ready to be accepted: its parts as they are kept, computed outside of the transaction.
type deferred struct {
	status  taxii.Status
	refused []byte // JSON, the lists of what was refused on arrival; nil for nothing
	parts   []submissionPart
	objects int
	bytes   int64
}

// submissionPart is what one transaction decides later.
type submissionPart struct {
	items []byte // gob, []pendingItem
	lists []byte // JSON, what the status says of them until then
}

// pendingItem is an accepted object of a submission, as it is kept until it is decided.
type pendingItem struct {
	Raw        []byte
	Violations []stix.Violation
	Sees       visibility
	Identity   stix.Identifier // Submission.Identity
}

// visibility is what Submission.Visible says of a marking set: the policy is asked on arrival, when it is known who asks.
type visibility uint8

const (
	seesKnown   visibility = 1 << iota // where the node understands the set
	seesUnknown                        // where it does not
)

// deferSubmission cuts a submission into parts, the marking definitions first.
func (s *Store) deferSubmission(sub taxii.Submission) (deferred, error) {
	d := deferred{status: taxii.Status{ID: uuid.NewString(), RequestTimestamp: taxii.DateAdded(sub.Received.UnixMicro()).String()}}
	var refused statusLists
	var definitions, rest []int
	for i, item := range sub.Items {
		switch {
		case item.Object == nil || item.Refused != "":
			detail := detailOf(sub, i, "")
			detail.Message = cmp.Or(item.Refused, notAnObject)
			refused.Failures = append(refused.Failures, detail)
		case item.Object.Type == markingDefinition:
			definitions = append(definitions, i)
		default:
			rest = append(rest, i)
		}
	}
	var err error
	if len(refused.Failures) > 0 {
		refused.addTo(&d.status)
		if d.refused, err = json.Marshal(refused); err != nil {
			return d, fmt.Errorf("status resource: %w", err)
		}
	}
	sees := seen{visible: sub.Visible, sets: make(map[string]visibility)}
	order := append(definitions, rest...)
	for len(order) > 0 {
		n, size := 0, int64(0)
		for n < min(len(order), s.submissions.PartObjects) && (n == 0 || size+int64(len(sub.Items[order[n]].Object.Raw)) <= maxPartBytes) {
			size += int64(len(sub.Items[order[n]].Object.Raw))
			n++
		}
		if err := d.add(sub, order[:n], sees); err != nil {
			return d, err
		}
		order, d.objects, d.bytes = order[n:], d.objects+n, d.bytes+size
	}
	return d, nil
}

// add makes a part of some items of the submission.
func (d *deferred) add(sub taxii.Submission, indexes []int, sees seen) error {
	items := make([]pendingItem, len(indexes))
	var lists statusLists
	for k, i := range indexes {
		item := sub.Items[i]
		items[k] = pendingItem{Raw: item.Object.Raw, Violations: item.Violations, Sees: sees.of(item.Object.Markings()), Identity: sub.Identity}
		lists.Pendings = append(lists.Pendings, detailOf(sub, i, ""))
	}
	lists.addTo(&d.status)
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(items); err != nil {
		return fmt.Errorf("keeping a submission: %w", err)
	}
	text, err := json.Marshal(lists)
	if err != nil {
		return fmt.Errorf("status resource: %w", err)
	}
	d.parts = append(d.parts, submissionPart{items: b.Bytes(), lists: text})
	return nil
}

// seen asks a submission's visibility once for each marking set.
type seen struct {
	visible func(m stix.MarkingSet, unknown bool) bool
	sets    map[string]visibility
}

func (s seen) of(m stix.MarkingSet) visibility {
	if s.visible == nil {
		return seesKnown | seesUnknown
	}
	key := m.Key()
	v, asked := s.sets[key]
	if !asked {
		if s.visible(m, false) {
			v |= seesKnown
		}
		if s.visible(m, true) {
			v |= seesUnknown
		}
		s.sets[key] = v
	}
	return v
}

// accept keeps a submission and its status, both durable on return, for decide.
func (s *Store) accept(ctx context.Context, sub taxii.Submission) (taxii.Status, error) {
	d, err := s.deferSubmission(sub)
	if err != nil {
		return taxii.Status{}, err
	}
	var status taxii.Status
	var repeated bool
	err = s.commits.do(ctx, 1+len(d.parts), func(c conn) (err error) {
		now := s.now().UnixMicro()
		if status, repeated, err = repetition(c, sub, now); err != nil || repeated {
			return err
		}
		if _, err := collectionByID(c, sub.Collection); err != nil {
			return err
		}
		if err := s.submissions.room(c, sub.Account, d.bytes); err != nil {
			return err
		}
		status = d.status
		if err := d.keep(c, sub, now); err != nil {
			return err
		}
		return putKey(c, sub, status.ID, now)
	})
	if err != nil {
		return taxii.Status{}, err
	}
	if repeated {
		s.tellDecided()
		return status, nil
	}
	s.metrics.count(outcomeNames[refused], d.status.FailureCount)
	s.wake()
	return status, nil
}

// keep writes the submission, its parts and its status.
func (d *deferred) keep(c conn, sub taxii.Submission, now int64) error {
	id := d.status.ID
	head := taxii.Status{ID: id, RequestTimestamp: d.status.RequestTimestamp, Status: taxii.StatusComplete}
	if err := putStatus(c, head, sub.Account, now); err != nil {
		return err
	}
	const insertLists = `INSERT INTO status_part (status, part, content) VALUES ($1, $2, $3)`
	if d.refused != nil {
		if _, err := c.Exec(insertLists, id, 0, d.refused); err != nil {
			return err
		}
	}
	if len(d.parts) == 0 {
		return nil
	}
	number, err := take(c, "submission", 1)
	if err != nil {
		return err
	}
	_, err = c.Exec(`INSERT INTO submission (number, status, account, collection, received, parts, decided, objects, bytes, owner, lease, turn, failures)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, '', 0, $1, 0)`,
		number, id, sub.Account, sub.Collection, sub.Received.UnixMicro(), len(d.parts), d.objects, d.bytes)
	if err != nil {
		return err
	}
	for i, part := range d.parts { // one at a time: they are large
		if _, err := c.Exec(`INSERT INTO submission_part (submission, part, items) VALUES ($1, $2, $3)`, number, i+1, part.items); err != nil {
			return err
		}
		if _, err := c.Exec(insertLists, id, i+1, part.lists); err != nil {
			return err
		}
	}
	return nil
}

// room refuses a submission if too much is pending already: taxii.ErrBacklog for what its account has,
// taxii.ErrUnavailable for what all have.
func (o SubmissionOptions) room(c conn, account string, size int64) error {
	var all, own, allBytes, ownBytes int64
	err := c.Query(`SELECT account, bytes FROM submission`, nil, func(r row) error { // at most Pending rows
		all, allBytes = all+1, allBytes+r.Int(1)
		if r.Text(0) == account {
			own, ownBytes = own+1, ownBytes+r.Int(1)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case own > 0 && (own >= o.PendingPerAccount || ownBytes+size > o.PendingBytesPerAccount):
		return fmt.Errorf("%w: %d with %d octets", taxii.ErrBacklog, own, ownBytes)
	case all > 0 && (all >= o.Pending || allBytes+size > o.PendingBytes):
		return fmt.Errorf("%w: %d submissions with %d octets are pending", taxii.ErrUnavailable, all, allBytes)
	}
	return nil
}

// wake tells the goroutine that decides submissions that there is one.
func (s *Store) wake() {
	select {
	case s.pending <- struct{}{}:
	default: // it has been told
	}
}
