package store

import (
	"slices"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// addition is a submission on its way into a collection's log, and what became of it. Those that share a commit are stored
// together where that is the same as one after the other: what the statements of a transaction cost is then paid once, and
// not for each.
type addition struct {
	store                  *Store
	sub                    taxii.Submission
	all, definitions, rest []*incoming

	// Set by the transaction, afresh each time that it runs.
	status   taxii.Status
	repeated bool     // the status is that of an earlier submission under the same key
	others   []string // ids of further collections of which entries were changed
}

// newAddition prepares a submission. It does what needs no transaction.
func (s *Store) newAddition(sub taxii.Submission) *addition {
	a := &addition{store: s, sub: sub}
	a.all, a.definitions, a.rest = s.receiveAll(sub.Items)
	for _, in := range a.all {
		in.by = sub.Identity
		if sub.Source != "" {
			in.from(sub.Source)
		}
	}
	return a
}

// run stores the submission and its status inside a write transaction.
func (a *addition) run(c conn) (err error) {
	now := a.store.now().UnixMicro()
	if a.status, a.repeated, err = repetition(c, a.sub, now); err != nil || a.repeated {
		return err
	}
	if err := a.submit(c, now); err != nil {
		return err
	}
	a.status = newStatus(a.sub, a.all, now)
	if err := putStatus(c, a.status, a.sub.Account, now); err != nil {
		return err
	}
	return putKey(c, a.sub, a.status.ID, now)
}

// submit stores the items, or those of a part of a submission, inside a write transaction, and sets their outcomes.
func (a *addition) submit(c conn, now int64) error {
	return (&together{list: []*addition{a}}).submit(c, now)
}

// together is a group of additions that are stored as if they were one, in their order.
type together struct {
	list    []*addition
	objects map[stix.Identifier]bool // of all of them
}

// admit takes an addition into the group, or tells that it does not go with those that are in it. They are of one
// collection and from one source, and of different objects, so that none decides about another; a marking definition might, and what has a key
// may be the repetition of another.
func (g *together) admit(a *addition) bool {
	if a == nil || a.sub.Key != nil || len(a.definitions) > 0 || len(g.list) > 0 && !g.list[0].sameOrigin(a) {
		return false
	}
	for _, in := range a.rest {
		if g.objects[in.object.ID] {
			return false
		}
	}
	if g.objects == nil {
		g.objects = make(map[stix.Identifier]bool)
	}
	for _, in := range a.rest {
		g.objects[in.object.ID] = true
	}
	g.list = append(g.list, a)
	return true
}

// sameOrigin tells whether two additions are for one collection and from one source.
func (a *addition) sameOrigin(b *addition) bool {
	return a.sub.Collection == b.sub.Collection && a.sub.Source == b.sub.Source
}

// run stores the group and the statuses inside a write transaction.
func (g *together) run(c conn) error {
	now := g.list[0].store.now().UnixMicro()
	if err := g.submit(c, now); err != nil {
		return err
	}
	for _, a := range g.list {
		a.status, a.repeated = newStatus(a.sub, a.all, now), false
	}
	return putStatuses(c, g.list, now)
}

// submit stores the items of the group inside a write transaction, and sets their outcomes: what each caller may not see is
// left out of what it is told.
func (g *together) submit(c conn, now int64) error {
	col, err := collectionByID(c, g.list[0].sub.Collection)
	if err != nil {
		return err
	}
	var all, definitions, rest []*incoming
	for _, a := range g.list {
		all, definitions, rest = append(all, a.all...), append(definitions, a.definitions...), append(rest, a.rest...)
	}
	w := &logWriter{conn: c, collection: col, now: now, honour: g.list[0].sub.Source != "", digests: g.list[0].store.observables}
	if err := w.store(definitions, rest); err != nil {
		return err
	}
	for _, a := range g.list {
		a.others = slices.Clip(w.others)
		if err := hideHeld(c, col.number, a.sub.Visible, a.all); err != nil {
			return err
		}
	}
	if err := noteUnserved(c, col.number, all); err != nil {
		return err
	}
	for _, a := range g.list {
		if err := hideContradicted(c, a.sub.Visible, a.all); err != nil {
			return err
		}
	}
	return nil
}

// putStatuses keeps the statuses of additions.
func putStatuses(c conn, list []*addition, now int64) error {
	rows := make([][]any, len(list))
	for i, a := range list {
		var err error
		if rows[i], err = statusRow(a.status, a.sub.Account, now); err != nil {
			return err
		}
	}
	return c.Insert(insertStatuses, rows)
}
