package store

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// outcome is what became of an object that came in.
type outcome int

const (
	refused    outcome = iota // by the rules, before or on arrival; message says why
	stored                    // a new entry
	known                     // already held, nothing changed
	conflict                  // other content is held under the same id and version
	tombstoned                // deleted here before, not brought back
)

var outcomeNames = [...]string{refused: "refused", stored: "stored", known: "known", conflict: "conflict", tombstoned: "tombstoned"}

const conflictMessage = "other content is already held under this id and version; publish a new version with a later modified time"

// unstatedSpec is the specification version of objects that must state it since STIX 2.1 and do not.
const unstatedSpec = "2.0"

// incoming is an object on its way into a collection's log. The first group of fields is computed before the write
// transaction, the second inside it.
type incoming struct {
	object    *stix.Object // nil if refused on arrival
	norm      [32]byte
	set       stix.MarkingSet
	setKey    string
	spec      string // the specification version
	versioned bool   // has a modified or created property
	// violations are what the object breaks of STIX 2.1, and the JSON of that for the entry, "" for nothing.
	violations     []stix.Violation
	violationsJSON string
	observables    []int64 // digests of its observable values
	// by, where it is not empty, is the only creator whose objects its sender may publish (§3.6).
	by stix.Identifier

	// ends are what a relationship or sighting joins.
	ends []stix.Identifier

	seq, date       int64  // its place in the log, where it is stored
	version, key    string // the version and its sort key; of unversioned objects given on storing
	facet           int64
	isFirst, isLast int // innerVersion, soleEnd or facetEnd
	outcome         outcome
	hidden          bool // known, and the caller may not see what is held
	message         string
	unserved        stix.Identifier // a marking of its own whose meaning is not known
	contradicts     *contradiction  // why it is refused, nil for another reason
}

// receive prepares an item. It is where the content is hashed, so that writers do not wait for it.
func receive(item taxii.Item) *incoming {
	in := &incoming{object: item.Object, message: item.Refused}
	if item.Object == nil {
		if in.message == "" {
			in.message = notAnObject
		}
		return in
	}
	if in.message != "" {
		in.object = nil
		return in
	}
	norm, err := item.Object.Norm()
	if err != nil {
		in.object, in.message = nil, "the content can't be compared with other copies: "+err.Error()
		return in
	}
	in.norm = norm
	in.violations = taxii.Recordable(item.Violations)
	in.violationsJSON = encodeViolations(in.violations)
	if in.ends = item.Object.Ends(); len(in.ends) > maxEnds {
		in.object, in.message = nil, fmt.Sprintf("joins %d objects, and may join %d; split it into several", len(in.ends), maxEnds)
		return in
	}
	in.set = item.Object.Markings()
	in.setKey = in.set.Key()
	in.spec = cmp.Or(item.Object.SpecVersion, unstatedSpec)
	if v := item.Object.Version(); !v.IsZero() {
		in.versioned, in.version, in.key = true, v.String(), v.SortKey()
	}
	return in
}

// from says that an item came from a peer.
func (in *incoming) from(peer string) {
	in.set.Source = peer
	in.setKey = in.set.Key()
}

// receiveAll prepares items and returns them in their order, and those to be stored in the order of storing: marking
// definitions first, so that no entry precedes the definition of its own marking. It does what needs no transaction, so
// that writers do not wait for it.
func (s *Store) receiveAll(items []taxii.Item) (all, definitions, rest []*incoming) {
	all = make([]*incoming, len(items))
	inShares(len(items), func(from, to int) {
		for i := from; i < to; i++ {
			in := receive(items[i])
			if in.object != nil && in.object.Type != markingDefinition {
				in.observables = s.observables(in.object.Raw)
			}
			all[i] = in
		}
	})
	for _, in := range all {
		switch {
		case in.object == nil:
		case in.object.Type == markingDefinition:
			definitions = append(definitions, in)
		default:
			rest = append(rest, in)
		}
	}
	return all, definitions, rest
}

// reset forgets what a transaction that was undone found out.
func (in *incoming) reset() {
	in.outcome, in.facet, in.isFirst, in.isLast, in.hidden, in.contradicts, in.unserved = refused, 0, innerVersion, innerVersion, false, nil, ""
	if !in.versioned {
		in.version, in.key = "", ""
	}
}

// ids lists the object ids of a list once each, in order of appearance.
func ids(list []*incoming) []string {
	seen := make(map[stix.Identifier]bool, len(list))
	out := make([]string, 0, len(list))
	for _, in := range list {
		if !seen[in.object.ID] {
			seen[in.object.ID] = true
			out = append(out, string(in.object.ID))
		}
	}
	return slices.Clip(out)
}
