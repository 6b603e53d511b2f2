package stix

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
)

// History is the versions of one object that are held, by the rules of §3.6. It is a value in memory without any I/O: a
// caller loads what it holds of an id, asks, and stores what was added. The zero History is empty and takes the id of the
// first object that is added. It is not safe for concurrent use.
//
// The order in which versions arrive does not matter: they are held in the order of their instants, at any precision, and
// a revocation ends the history at its own version whenever it comes. Only what the standard leaves undefined, or forbids,
// is decided by who came first: content that contradicts what is held under the same id and version, or about properties
// that never change, is refused and never replaces anything. Otherwise an object could be taken over by dating a version
// of it back.
type History struct {
	versions []Version // ascending, each instant once
	revoked  int       // how many of them count: up to the first that is revoked; 0 if none is
}

// Version is one version of an object.
type Version struct {
	*Object
	// Contested says that other content came under the same id and version, which was refused (§3.6 leaves undefined what
	// to make of it).
	Contested bool
}

// VersionError says why an object is not a further version of what a History holds.
type VersionError struct {
	// Violation has the rule, its section and a sentence.
	Violation Violation
	// ID and Version are those of the refused object.
	ID      Identifier
	Version Timestamp
	// Held is the object that it contradicts and that stays, nil if there is none.
	Held *Object
}

func (e *VersionError) Error() string { return fmt.Sprintf("%s: %v", quoteShort(e.ID), e.Violation) }

// The rules of versions, as they stand in Violation.Rule.
const (
	// RuleOtherObject: the object has another id than the history (§2.9).
	RuleOtherObject = "other-object"
	// RuleTypeChanged: the object has the id of the history and another type (§2.9).
	RuleTypeChanged = "type-changed"
	// RuleNoVersion: the object is of a versioned type and has neither a readable modified nor created (§3.6).
	RuleNoVersion = "no-version"
	// RuleCreatedChanged: created differs from that of the versions held (§3.6.1).
	RuleCreatedChanged = "created-changed"
	// RuleCreatorChanged: created_by_ref differs from that of the versions held (§3.5).
	RuleCreatorChanged = "creator-changed"
	// RuleVersionConflict: the same id and version is held with other content (§3.6).
	RuleVersionConflict = "version-conflict"
	// RuleNotVersioned: an object that has no versions, a marking definition (§7.2.1) or a cyber-observable (§3.6), is held
	// with other content.
	RuleNotVersioned = "not-versioned"
	// RuleAfterRevocation: the version is later than one that is revoked (§3.6).
	RuleAfterRevocation = "after-revocation"
	// RuleNotCreator: the submitter is not the object creator (§3.6).
	RuleNotCreator = "not-the-creator"
)

// First returns the earliest version held, the zero Version if there is none. The object may have earlier ones.
func (h *History) First() Version {
	if len(h.versions) == 0 {
		return Version{}
	}
	return h.versions[0]
}

// Last returns the current state of the object: the version that is revoked, else the latest one held; the zero Version
// if there is none.
func (h *History) Last() Version {
	if n := h.counting(); n > 0 {
		return h.versions[n-1]
	}
	return Version{}
}

// All returns the versions in ascending order, up to and including the one that is revoked.
func (h *History) All() []Version { return slices.Clone(h.versions[:h.counting()]) }

// AfterRevocation returns the versions that were held before a revocation of an earlier instant arrived. They should
// never have been made, do not count, and are in neither All nor Last; a caller may want to withdraw them.
func (h *History) AfterRevocation() []Version { return slices.Clone(h.versions[h.counting():]) }

// Revoked reports whether the object is revoked, with all its versions (§3.6).
func (h *History) Revoked() bool { return h.revoked > 0 }

func (h *History) counting() int {
	if h.revoked > 0 {
		return h.revoked
	}
	return len(h.versions)
}

// Add takes o into the history. It returns true if o is a new version, false and no error if the version is held with the
// same content (by Norm; the bytes that came first stay), and a *VersionError if o cannot be a version of the object; the
// history then holds what it held. Cyber-observables and marking definitions have one version only.
func (h *History) Add(o *Object) (added bool, err error) {
	if err := h.belongs(o); err != nil {
		return false, err
	}
	at, found := h.find(o)
	switch {
	case h.revoked > 0 && at >= h.revoked:
		last := h.versions[h.revoked-1].Object
		return false, h.refuse(o, last, RuleAfterRevocation, "3.6", "The object was revoked by its version %s, which is final; a new "+
			"object needs a new id.", last.Version())
	case found && SameContent(h.versions[at].Object, o):
		return false, nil
	case found:
		h.versions[at].Contested = true
		return false, h.conflict(o, h.versions[at].Object)
	}
	h.versions = slices.Insert(h.versions, at, Version{Object: o})
	switch {
	case o.Revoked:
		h.revoked = at + 1 // whatever is later does not count, an earlier revocation included
	case h.revoked > 0:
		h.revoked++
	}
	return true, nil
}

// find returns where the version of o is held, or where it belongs. All marking definitions of one id are one version,
// whatever timestamps they carry (§7.2.1).
func (h *History) find(o *Object) (at int, found bool) {
	if o.Type == markingDefinitionType && len(h.versions) > 0 {
		return 0, true
	}
	return slices.BinarySearchFunc(h.versions, o.Version(), func(v Version, t Timestamp) int { return v.Version().Compare(t) })
}

// AddBy is Add by the rule that only the object creator makes versions (§3.6): a new version is refused unless submitter
// is the created_by_ref of the versions held, or of o where none is held. What is held already may come from anybody, as
// objects may be published again unchanged (§3.5). Nobody is the creator of an object without created_by_ref.
func (h *History) AddBy(o *Object, submitter Identifier) (added bool, err error) {
	creator := o.CreatedByRef
	if len(h.versions) > 0 {
		creator = h.First().CreatedByRef
	}
	if creator != "" && creator == submitter || h.holds(o) {
		return h.Add(o)
	}
	if err := h.belongs(o); err != nil {
		return false, err
	}
	if creator == "" {
		return false, h.refuse(o, h.First().Object, RuleNotCreator, "3.6", "Nobody is named as the creator of the object, so a version of "+
			"it cannot be taken from anybody; publish an object of your own and relate it by derived-from.")
	}
	return false, h.refuse(o, h.First().Object, RuleNotCreator, "3.6", "Only the creator of the object, %s, may make versions of it; "+
		"publish an object of your own and relate it by derived-from.", quoteShort(creator))
}

// holds reports whether the version of o is held with the same content.
func (h *History) holds(o *Object) bool {
	at, found := h.find(o)
	return found && h.versions[at].ID == o.ID && SameContent(h.versions[at].Object, o)
}

// belongs checks what all versions of an object have in common, and that the object can have versions.
func (h *History) belongs(o *Object) error {
	if len(h.versions) == 0 {
		if o.isVersioned() && o.Version().IsZero() {
			return h.refuse(o, nil, RuleNoVersion, "3.6", "The object has no modified that tells its version.")
		}
		return nil
	}
	first := h.versions[0].Object
	switch {
	case o.ID != first.ID:
		return h.refuse(o, first, RuleOtherObject, "2.9", "The object is not a version of %s; it has another id.", quoteShort(first.ID))
	case o.Type != first.Type:
		return h.refuse(o, first, RuleTypeChanged, "2.9", "The type never changes; it is %s.", quoteShort(first.Type))
	case o.isVersioned() && o.Version().IsZero():
		return h.refuse(o, first, RuleNoVersion, "3.6", "The object has no modified that tells its version.")
	case o.CreatedByRef != first.CreatedByRef:
		return h.refuse(o, first, RuleCreatorChanged, "3.5", "created_by_ref never changes; it is %s. Whoever changes the object of "+
			"another makes a new object with a new id.", orAbsent(string(first.CreatedByRef)))
	case !o.Created.Equal(first.Created):
		return h.refuse(o, first, RuleCreatedChanged, "3.6.1", "created never changes; it is %s.", orAbsent(first.Created.String()))
	}
	return nil
}

func orAbsent(text string) string {
	if text == "" {
		return "absent"
	}
	return quoteShort(text)
}

// conflict is the error of an object whose id and version are held with other content.
func (h *History) conflict(o, held *Object) error {
	switch {
	case o.Type == markingDefinitionType:
		return h.refuse(o, held, RuleNotVersioned, "7.2.1", "Marking definitions have no versions, and this one is held with other "+
			"content; make a new one and refer to that.")
	case o.Version().IsZero():
		return h.refuse(o, held, RuleNotVersioned, "3.6", "Cyber-observables have no versions, and this one is held with other content; "+
			"what was held first stays.")
	}
	return h.refuse(o, held, RuleVersionConflict, "3.6", "The same version is held with other content, which stays; a change needs a "+
		"later modified.")
}

func (h *History) refuse(o, held *Object, rule, section, format string, args ...any) error {
	return &VersionError{
		Violation: Violation{Rule: rule, Section: section, Message: fmt.Sprintf(format, args...), Structural: true},
		ID:        o.ID, Version: o.Version(), Held: held,
	}
}

const markingDefinitionType = "marking-definition"

// isVersioned reports whether objects of the type have versions that are told apart by modified.
func (o *Object) isVersioned() bool {
	switch classOf(o.Type) {
	case classSDO, classSRO, classLanguage, classExtension:
		return true
	}
	return false
}

// SameContent reports whether two objects are the same content: the same bytes, or the same by Norm. Where there is no
// canonical form, the bytes without whitespace decide.
func SameContent(a, b *Object) bool {
	return bytes.Equal(a.Raw, b.Raw) || a.contentKey() == b.contentKey()
}

// contentKey is Norm, or a digest of the bytes without whitespace for an object that has no canonical form.
func (o *Object) contentKey() [sha256.Size]byte {
	key, err := o.Norm()
	if err != nil {
		return sha256.Sum256(appendCompact(nil, o.Raw))
	}
	return key
}
