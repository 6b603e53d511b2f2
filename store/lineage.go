package store

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
)

// lineage is what decides about further versions of an object: some of its versions that one source brought.
//
// A version is judged by what this node published itself and by what the same source brought before. What one peer sent
// binds nobody else: a peer could otherwise block the objects of others, or take them over, with a forged first version
// or a forged revocation.
type lineage struct {
	source     string      // a peer, "" for this node
	witness    heldContent // a version that shows what never changes: the earliest that is stored
	revocation heldContent // the earliest that is revoked
}

// heldContent is a version with what it says; the zero value is none.
type heldContent struct {
	object *stix.Object
	facet  int64 // 0 if it is on its way in
}

// judged tells that the rules of §3.6 are asked about an object: cyber-observables and marking definitions have no
// versions.
func (in *incoming) judged() bool {
	return in.versioned && in.object.Type != "marking-definition"
}

// revokes tells that an object that comes in ends the history of its id.
func (in *incoming) revokes() bool { return in.judged() && in.object.Revoked }

// lineageOf returns what is held from a source, nil for nothing.
func (h *held) lineageOf(source string) *lineage {
	i := slices.IndexFunc(h.lineages, func(l lineage) bool { return l.source == source })
	if i < 0 {
		return nil
	}
	return &h.lineages[i]
}

// addLineage returns what is held from a source, which may be nothing yet.
func (h *held) addLineage(source string) *lineage {
	if l := h.lineageOf(source); l != nil {
		return l
	}
	h.lineages = append(h.lineages, lineage{source: source})
	return &h.lineages[len(h.lineages)-1]
}

// follow notes a version that will be stored.
func (h *held) follow(in *incoming) {
	l := h.addLineage(in.set.Source)
	if l.witness.object == nil {
		l.witness.object = in.object
	}
	if in.object.Revoked && (l.revocation.object == nil || in.key < l.revocation.object.Version().SortKey()) {
		l.revocation = heldContent{object: in.object}
	}
}

// history is what stix.History needs to judge a further version.
func (l *lineage) history() *stix.History {
	h := new(stix.History)
	for _, c := range []heldContent{l.revocation, l.witness} {
		if c.object != nil {
			// A witness later than the revocation is refused; the revocation then shows what never changes.
			_, _ = h.Add(c.object)
		}
	}
	return h
}

// contradiction is why a version is not taken, by the rules of §3.6.
type contradiction struct {
	violation stix.Violation
	facet     int64 // of what it contradicts, 0 for nothing that is stored
}

// contradict finds what a version contradicts that is neither held nor in conflict, nil for nothing. By, where it is not
// empty, is the only one whose versions its sender may publish.
func (h *held) contradict(in *incoming, by stix.Identifier) *contradiction {
	if by != "" {
		if c := h.foreign(in, by); c != nil {
			return c
		}
	}
	if !in.judged() {
		return nil
	}
	for i := range h.lineages {
		l := &h.lineages[i]
		if l.source != "" && l.source != in.set.Source {
			continue
		}
		if _, err := l.history().Add(in.object); err != nil {
			return l.contradiction(err)
		}
	}
	return nil
}

// foreign applies the rule that only the object creator makes versions (§3.6). Where nothing is held that this node
// published, what a peer sent tells who the creator is. The identity of the sender itself need not name a creator, and
// what has no versions and names none is nobody's.
func (h *held) foreign(in *incoming, by stix.Identifier) *contradiction {
	if in.object.CreatedByRef == "" && (!in.judged() || in.object.ID == by) {
		return nil
	}
	none := lineage{}
	l := &none
	if len(h.lineages) > 0 && in.judged() {
		first := slices.MinFunc(h.lineages, func(a, b lineage) int { return cmp.Compare(a.source, b.source) })
		l = &first
	}
	if _, err := l.history().AddBy(in.object, by); err != nil {
		return l.contradiction(err)
	}
	return nil
}

// contradiction puts the error of a history into what is told of it.
func (l *lineage) contradiction(err error) *contradiction {
	var refusal *stix.VersionError
	if !errors.As(err, &refusal) {
		return &contradiction{violation: stix.Violation{Message: err.Error()}}
	}
	c := &contradiction{violation: refusal.Violation}
	switch held := refusal.Held; {
	case held == nil:
	case held == l.revocation.object:
		c.facet = l.revocation.facet
	case held == l.witness.object:
		c.facet = l.witness.facet
	}
	return c
}

// message is what is told of a contradiction.
func (c *contradiction) message() string {
	if c.violation.Section == "" {
		return c.violation.Message
	}
	return fmt.Sprintf("%s (STIX §%s)", c.violation.Message, c.violation.Section)
}

// hiddenContradiction is told of a contradiction with what the sender may not see: nothing of that.
const hiddenContradiction = "It cannot be a further version of its object: it does not agree with what this collection holds under the id, " +
	"which your account may not see (STIX §3.6). Ask the operator of the node, or publish it as an object with an id of its own."

// lookupLineages reads what decides about further versions of objects that are held.
func lookupLineages(c conn, collection int64, objects []string, of func(id string) *held) error {
	var sole, divided []string
	for _, id := range objects {
		if of(id).divided {
			divided = append(divided, id)
		} else {
			sole = append(sole, id)
		}
	}
	const columns = ` e.object, e.facet, m.source, e.version_key, e.raw `
	const ofFacet = ` JOIN facet f ON f.number = e.facet JOIN marking_set m ON m.number = f.marking_set `
	earliest := make(map[*stix.Object]string) // the keys of witnesses
	witness := func(r row) error {
		o, err := stix.Parse(r.Bytes(4), stix.DefaultLimits())
		if err != nil {
			return nil // what can't be read decides nothing
		}
		l := of(r.Text(0)).addLineage(r.Text(2))
		if l.witness.object == nil || r.Text(3) < earliest[l.witness.object] {
			l.witness = heldContent{object: o, facet: r.Int(1)}
			earliest[o] = r.Text(3)
		}
		return nil
	}
	err := chunks(sole, func(chunk []string) error {
		return c.Query(`WITH wanted (object) AS (VALUES `+singles(2, len(chunk))+`)
			SELECT`+columns+`FROM wanted w JOIN entry e ON e.collection = $1 AND e.object = w.object AND e.version_key =
				(SELECT MIN(x.version_key) FROM entry x WHERE x.collection = $1 AND x.object = w.object)`+ofFacet,
			withTexts(collection, chunk), witness)
	})
	if err != nil {
		return err
	}
	err = chunks(divided, func(chunk []string) error {
		return c.Query(`SELECT`+columns+`FROM entry e`+ofFacet+`WHERE e.collection = $1 AND e.is_first = 2
			AND e.object IN (`+placeholders(2, len(chunk))+`)`, withTexts(collection, chunk), witness)
	})
	if err != nil {
		return err
	}
	return chunks(objects, func(chunk []string) error {
		return c.Query(`SELECT`+columns+`FROM (SELECT object, MIN(version_key) AS version_key FROM entry
				WHERE collection = $1 AND revoked = 1 AND object IN (`+placeholders(2, len(chunk))+`) GROUP BY object, facet) r
			JOIN entry e ON e.collection = $1 AND e.object = r.object AND e.version_key = r.version_key`+ofFacet,
			withTexts(collection, chunk), func(r row) error {
				o, err := stix.Parse(r.Bytes(4), stix.DefaultLimits())
				if err != nil {
					return nil
				}
				h := of(r.Text(0))
				h.endsOf(r.Int(1)).last = heldVersion{key: r.Text(3), revokes: true}
				l := h.addLineage(r.Text(2))
				if l.revocation.object == nil || o.Version().Compare(l.revocation.object.Version()) < 0 {
					l.revocation = heldContent{object: o, facet: r.Int(1)}
				}
				return nil
			})
	})
}

// singles writes "($first), ($first+1), …" for n arguments.
func singles(first, n int) string {
	var b []byte
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = fmt.Appendf(b, "($%d)", first+i)
	}
	return string(b)
}

// novel lists the objects that are held and of which a version comes in that is not.
func novel(list []*incoming, objects map[stix.Identifier]*held, exists map[stix.Identifier]bool) []string {
	wanted := make(map[string]bool)
	for _, in := range list {
		if !in.judged() || !exists[in.object.ID] {
			continue
		}
		if _, ok := objects[in.object.ID].norms[in.key]; !ok {
			wanted[string(in.object.ID)] = true
		}
	}
	return slices.Sorted(maps.Keys(wanted))
}
