package stix

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// CrossCheck finds what is wrong between the objects of one input, such as a bundle, which Check cannot see because it
// looks at one object at a time. It is fed object by object and holds a few hundred bytes of each, never the objects:
//
//   - one producer uses a UUID for objects of two types (§2.9). Where no creator is named, that is a warning; names that
//     cyber-observables have by their values are exempt, as the algorithm of §2.9 gives one UUID to equal values;
//   - the same id and version comes twice with different content, which §3.6 leaves undefined: a warning. That an object
//     without versions, a cyber-observable, comes with further properties is none;
//   - created or created_by_ref differ between versions, or a version is later than one that is revoked (§3.5, §3.6);
//   - a language-content object names a version of its target by object_modified, and only other versions are there
//     (§7.1.1);
//   - a reference leads to an object of a custom type whose extension says that it is of a class that the property does not
//     admit (§4, §5, §6, §7.3); references to types of the standard are the business of Check.
//
// It is not safe for concurrent use.
type CrossCheck struct {
	limit        int
	truncated    bool
	objects      map[Identifier]*companion
	versions     map[versionKey]companionVersion
	holders      map[holderKey]Identifier
	translations []translation
	references   []customReference
}

// companion is what all versions of an object have in common.
type companion struct {
	created    string // sort key
	creator    Identifier
	revoked    string // sort key of the earliest revoked version, "" if none is
	class      class  // of a custom type, by its extension
	incomplete bool   // a version came when the limit was reached
}

type versionKey struct {
	id      Identifier
	version string // sort key
}

type companionVersion struct {
	content [sha256.Size]byte
	index   int
	late    bool // reported as later than a revocation
}

// holderKey is a UUID in lower case and who used it, "" for an object without a creator.
type holderKey struct {
	uuid    string
	creator Identifier
}

type translation struct {
	index      int
	id, target Identifier
	modified   Timestamp
}

type customReference struct {
	index  int
	id, to Identifier
	path   string
	p      *property
	target *refTarget
}

// Finding is what CrossCheck found about one object only when it had seen later ones.
type Finding struct {
	// Index and ID are those of the object, as it was given to Add.
	Index int
	ID    Identifier
	Report
}

// DefaultCrossCheckObjects is how many object versions a CrossCheck remembers unless it is told otherwise, in about 50 MB.
const DefaultCrossCheckObjects = 100_000

// NewCrossCheck returns a CrossCheck that remembers up to the given number of object versions, 0 meaning
// DefaultCrossCheckObjects. Objects after those are still held against the ones remembered.
func NewCrossCheck(objects int) *CrossCheck {
	if objects <= 0 {
		objects = DefaultCrossCheckObjects
	}
	return &CrossCheck{limit: objects, objects: map[Identifier]*companion{}, versions: map[versionKey]companionVersion{},
		holders: map[holderKey]Identifier{}}
}

// Truncated reports whether there were more objects than are remembered, so that something may have been missed.
func (x *CrossCheck) Truncated() bool { return x.truncated }

// Add takes the next object, whose index in the input is the caller's to count, and returns what is wrong with it in the
// light of those before it. It keeps nothing of o's bytes. An object without a readable id or type is passed over.
func (x *CrossCheck) Add(index int, o *Object) Report {
	var r Report
	if o == nil || o.ID == "" || o.Type == "" {
		return r
	}
	x.reuse(&r, o)
	known := x.objects[o.ID]
	switch {
	case known != nil:
		x.compare(&r, known, o)
	case len(x.objects) < x.limit:
		known = &companion{created: o.Created.SortKey(), creator: o.CreatedByRef}
		x.objects[o.ID] = known
	default:
		x.truncated = true
	}
	if known != nil && !o.Version().IsZero() {
		x.version(&r, known, index, o)
	}
	x.look(index, o, known)
	return r
}

// reuse finds the UUID under another type by the same producer.
func (x *CrossCheck) reuse(r *Report, o *Object) {
	if classOf(o.Type) == classSCO && uuidVersion(o.ID) == '5' {
		return
	}
	key := holderKey{strings.ToLower(o.ID.UUID()), o.CreatedByRef}
	holder, found := x.holders[key]
	switch {
	case !found && len(x.holders) < x.limit:
		x.holders[key] = o.ID
	case !found:
		x.truncated = true
	case holder.Type() == o.Type:
	case o.CreatedByRef != "":
		r.Errors = append(r.Errors, between("id", "uuid-reuse", "2.9",
			"The same creator uses the UUID for %s too; every object needs a UUID of its own.", quoteShort(holder)))
	default:
		r.Warnings = append(r.Warnings, between("id", "uuid-reuse", "2.9",
			"%s has the same UUID; a producer must not use one for objects of different types.", quoteShort(holder)))
	}
}

// between is a violation that concerns more than one object.
func between(path, rule, section, format string, args ...any) Violation {
	return Violation{Path: path, Rule: rule, Section: section, Message: fmt.Sprintf(format, args...)}
}

// compare holds an object against an earlier one with its id.
func (x *CrossCheck) compare(r *Report, known *companion, o *Object) {
	if o.Version().IsZero() {
		return
	}
	if o.CreatedByRef != known.creator {
		r.Errors = append(r.Errors, between("created_by_ref", RuleCreatorChanged, "3.5",
			"created_by_ref never changes between versions; an earlier one in the input has %s.", orAbsent(string(known.creator))))
	}
	if o.Created.SortKey() != known.created {
		r.Errors = append(r.Errors, between("created", RuleCreatedChanged, "3.6.1",
			"created never changes between versions; an earlier one in the input has another."))
	}
	if known.revokedBefore(o.Version().SortKey()) {
		r.Errors = append(r.Errors, known.afterRevocation())
	}
}

// revokedBefore reports whether a version earlier than the given one is revoked.
func (k *companion) revokedBefore(version string) bool { return k.revoked != "" && version > k.revoked }

func (k *companion) afterRevocation() Violation {
	return between("modified", RuleAfterRevocation, "3.6",
		"The object was revoked by its version %sZ in the same input, which is final; a new object needs a new id.", k.revoked)
}

// version remembers the version of the object, or compares it with the one that it repeats.
func (x *CrossCheck) version(r *Report, known *companion, index int, o *Object) {
	key := versionKey{o.ID, o.Version().SortKey()}
	held, found := x.versions[key]
	switch {
	case found:
		if o.contentKey() != held.content {
			r.Warnings = append(r.Warnings, between("", RuleVersionConflict, "3.6",
				"Object %d of the input has the same id and version and other content; it is not defined which of them counts.", held.index))
		}
	case len(x.versions) < x.limit:
		x.versions[key] = companionVersion{content: o.contentKey(), index: index, late: known.revokedBefore(key.version)}
	default:
		x.truncated, known.incomplete = true, true
	}
	if o.Revoked && (known.revoked == "" || key.version < known.revoked) {
		known.revoked = key.version
	}
}

// Finish returns what is wrong with objects in the light of those that came after them, in the order of their indexes.
// The CrossCheck may be fed further.
func (x *CrossCheck) Finish() []Finding {
	var found []Finding
	for key, v := range x.versions {
		if known := x.objects[key.id]; known.revokedBefore(key.version) && !v.late {
			found = append(found, finding(v.index, key.id, known.afterRevocation()))
		}
	}
	for _, t := range x.translations {
		known := x.objects[t.target]
		if _, there := x.versions[versionKey{t.target, t.modified.SortKey()}]; known == nil || known.incomplete || there {
			continue
		}
		found = append(found, finding(t.index, t.id, between("object_modified", "object-modified", "7.1.1",
			"%s is in the input, but not in this version; object_modified must be the modified of the object that is translated.",
			quoteShort(t.target))))
	}
	for _, ref := range x.references {
		known := x.objects[ref.to]
		if known == nil || known.class == classCustom || slices.Contains(ref.target.classes, known.class) {
			continue
		}
		found = append(found, finding(ref.index, ref.id, between(ref.path, "reference-type", ref.p.section,
			"%s is %s by its extension; it must be %s.", quoteShort(ref.to), classNames[known.class], ref.target.text)))
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Errors[0].Path, b.Errors[0].Path))
	})
	return found
}

func finding(index int, id Identifier, v Violation) Finding {
	return Finding{Index: index, ID: id, Report: Report{Errors: []Violation{v}}}
}

var classNames = map[class]string{classSDO: "a domain object", classSRO: "a relationship object", classSCO: "a cyber-observable"}
