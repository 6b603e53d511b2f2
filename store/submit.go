package store

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// versionAt is the version of an unversioned object that was first seen at a time in microseconds.
func versionAt(us int64) stix.Timestamp { return stix.TimestampOf(time.UnixMicro(us)) }

// Add stores a submission and its status in one durable transaction, or accepts it for later; see taxii.Store.
func (s *Store) Add(ctx context.Context, sub taxii.Submission) (taxii.Status, error) {
	if sub.Received.IsZero() {
		sub.Received = s.now()
	}
	if sub.Deferred && sub.Source != "" {
		return taxii.Status{}, invalid("what a peer sends is not deferred")
	}
	if sub.Deferred {
		return s.accept(ctx, sub)
	}
	a := s.newAddition(sub)
	defer func() { s.changed(append(a.others, sub.Collection)...) }()
	if err := s.commits.add(ctx, a); err != nil {
		return taxii.Status{}, err
	}
	if !a.repeated {
		s.countOutcomes(a.all)
	}
	return a.status, nil
}

// noteUnserved finds what nobody is served because of a marking of its own that is not understood in the collection. That
// something that it joins is not served is not told.
func noteUnserved(c conn, collection int64, all []*incoming) error {
	unknown := make(map[stix.Identifier]bool)
	for _, in := range all {
		if in.outcome != stored && !(in.outcome == known && in.hidden) {
			continue
		}
		for _, marking := range in.set.Others {
			is, asked := unknown[marking]
			if !asked {
				n, err := number(c, `SELECT COUNT(*) FROM known_marking WHERE collection = $1 AND marking = $2 AND source IN ('', $3)`,
					collection, string(marking), in.set.Source)
				if err != nil {
					return err
				}
				is = n == 0
				unknown[marking] = is
			}
			if is && in.unserved == "" {
				in.unserved = marking
			}
		}
	}
	return nil
}

// storedMessage is what is told of an object that was stored.
func (in *incoming) storedMessage() string {
	if in.unserved != "" {
		return taxii.UnservedMessage(in.unserved, in.violations)
	}
	return taxii.StoredMessage(in.violations)
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
		if len(in.ends) > 0 { // what it joins counts too
			facet, err := number(c, `SELECT facet FROM entry WHERE collection = $1 AND object = $2 AND version_key = $3`,
				collection, string(in.object.ID), in.key)
			if err != nil {
				return err
			}
			set, unknown, err := markingsOf(c, facet)
			if err != nil {
				return err
			}
			in.hidden = !visible(set, unknown)
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

// hideContradicted takes out of a refusal what the caller may not see of the version that it is refused for.
func hideContradicted(c conn, visible func(stix.MarkingSet, bool) bool, all []*incoming) error {
	if visible == nil {
		return nil
	}
	for _, in := range all {
		if in.contradicts == nil || in.contradicts.facet == 0 {
			continue
		}
		set, unknown, err := markingsOf(c, in.contradicts.facet)
		if err != nil {
			return err
		}
		if !visible(set, unknown) {
			in.message = hiddenContradiction
		}
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
	status := taxii.Status{ID: uuid.NewString(), RequestTimestamp: taxii.DateAdded(sub.Received.UnixMicro()).String()}
	outcomes(sub, all, now).addTo(&status)
	return status
}

// outcomes tells what became of the items of a submission. now is the time of its commit in microseconds.
func outcomes(sub taxii.Submission, all []*incoming, now int64) statusLists {
	var lists statusLists
	for i, in := range all {
		detail := detailOf(sub, i, in.version)
		switch in.outcome {
		case stored:
			detail.Message = in.storedMessage()
			lists.Successes = append(lists.Successes, detail)
		case known:
			if !in.hidden {
				detail.Message = taxii.AlreadyHeld
			} else {
				detail.Message = in.storedMessage()
				if !in.versioned { // its version tells when it was first seen
					detail.Version = versionAt(now).String()
				}
			}
			lists.Successes = append(lists.Successes, detail)
		case tombstoned:
			detail.Message = "it was deleted at this node, which takes it from no other"
			lists.Failures = append(lists.Failures, detail)
		default:
			detail.Message = in.message
			lists.Failures = append(lists.Failures, detail)
		}
	}
	return lists
}

// detailOf names an item of a submission in its status; version is the one that it was stored with, where it was.
func detailOf(sub taxii.Submission, i int, version string) taxii.StatusDetail {
	item := sub.Items[i]
	detail := taxii.StatusDetail{ID: item.ID, Version: item.Version}
	if item.Object != nil {
		detail.ID = string(item.Object.ID)
		detail.Version = cmp.Or(version, item.Object.Version().String(), item.Version)
	}
	if detail.Version == "" { // the property is required; nothing better is known of an object that is not stored
		detail.Version = taxii.DateAdded(sub.Received.UnixMicro()).String()
	}
	return detail
}
