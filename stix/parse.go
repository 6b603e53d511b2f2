package stix

import (
	"fmt"
)

// Parse reads the common properties of one STIX Object; Raw is raw itself, not a copy. It fails where raw is not one JSON
// object within the limits (RFC 8259, unique member names, whole surrogate pairs). It tolerates everything else: a
// property that is malformed is left zero, which Check reports.
//
// Markings are the exception, so that sharing fails closed: what stands in place of a marking identifier is kept as it is,
// and a value that is no text as "malformed-marking", an id that no node can hold the definition of.
func Parse(raw []byte, l Limits) (*Object, error) {
	t := trees.Get().(*tree)
	defer t.release()
	object, err := parseInto(t, raw, l.withDefaults())
	if err != nil {
		return nil, err
	}
	return object, nil
}

const malformedMarking Identifier = "malformed-marking"

func parseInto(t *tree, raw []byte, l Limits) (*Object, *unreadable) {
	if len(raw) > l.ObjectBytes {
		return nil, &unreadable{"too-large", fmt.Sprintf("the object is larger than %d bytes", l.ObjectBytes)}
	}
	if err := t.parseAll(raw, l.Depth); err != nil {
		return nil, &unreadable{err.rule(), "the object is not acceptable JSON: " + err.Error()}
	}
	if t.nodes[0].kind != kindObject {
		return nil, &unreadable{"not-an-object", fmt.Sprintf("the value is %v, not a STIX object", t.nodes[0].kind)}
	}
	if t.nodes[0].count == 0 {
		return nil, &unreadable{"empty-object", "the object is empty; a STIX object has at least type and id (STIX 2.1 §3.2)"}
	}
	return t.commonProperties(raw), nil
}

// commonProperties goes over the members at the top once.
func (t *tree) commonProperties(raw []byte) *Object {
	o := &Object{Raw: raw}
	extended := false
	for i := 1; i < len(t.nodes); i = int(t.nodes[i].end) {
		n := &t.nodes[i]
		isString := n.kind == kindString
		switch string(t.nameBytes(i)) {
		case "type":
			if isString && isTypeName(t.bytes(i)) {
				o.Type = t.typeName(i)
			}
		case "id":
			o.ID = t.identifier(i)
		case "spec_version":
			if isString {
				o.SpecVersion = t.specVersion(i)
			}
		case "created":
			o.Created = t.timestamp(i)
		case "modified":
			o.Modified = t.timestamp(i)
		case "created_by_ref":
			o.CreatedByRef = t.identifier(i)
		case "revoked":
			o.Revoked = n.kind == kindTrue
		case "object_marking_refs":
			t.objectMarkings(o, i)
		case "granular_markings":
			t.granularMarkings(o, i)
		case "definition_type":
			if isString {
				o.DefinitionType = t.text(i)
			}
		case "extensions":
			extended = true
		}
	}
	if o.SpecVersion == "" && t.isObservable(o) {
		o.SpecVersion = "2.1"
	}
	// What an extension makes of a definition is not known: it may make a statement a secret.
	if o.Type != "marking-definition" || extended {
		o.DefinitionType = ""
	}
	return o
}

// isObservable reports whether an object without spec_version is an SCO, which may omit it: by its type, or for custom
// types by the absence of version timestamps.
func (t *tree) isObservable(o *Object) bool {
	switch classOf(o.Type) {
	case classSCO:
		return true
	case classCustom:
		return t.member(0, "created") == 0 && t.member(0, "modified") == 0
	}
	return false
}

func (t *tree) identifier(i int) Identifier {
	if t.nodes[i].kind != kindString {
		return ""
	}
	if text := t.bytes(i); checkIdentifier(text) == nil {
		return Identifier(text)
	}
	return ""
}

func (t *tree) timestamp(i int) Timestamp {
	if t.nodes[i].kind != kindString {
		return Timestamp{}
	}
	text := t.bytes(i)
	n, err := checkTimestamp(text)
	if err != nil {
		return Timestamp{}
	}
	s := string(text)
	return Timestamp{text: s, key: s[:n]}
}

// typeName avoids an allocation for the types of the standard.
func (t *tree) typeName(i int) string {
	text := t.bytes(i)
	if known, ok := standardTypes[string(text)]; ok {
		return known.name
	}
	return string(text)
}

// specVersion avoids an allocation for the version that nearly all objects have.
func (t *tree) specVersion(i int) string {
	text := t.bytes(i)
	if string(text) == "2.1" {
		return "2.1"
	}
	return string(text)
}

func (t *tree) objectMarkings(o *Object, i int) {
	if t.nodes[i].kind != kindArray {
		t.addMarking(o, i)
		return
	}
	for c := i + 1; c < int(t.nodes[i].end); c = int(t.nodes[c].end) {
		t.addMarking(o, c)
	}
}

// granularMarkings adds the marking_ref of each entry; entries that only state a language mark nothing.
func (t *tree) granularMarkings(o *Object, i int) {
	if t.nodes[i].kind != kindArray {
		o.MarkingRefs = append(o.MarkingRefs, malformedMarking)
		return
	}
	for c := i + 1; c < int(t.nodes[i].end); c = int(t.nodes[c].end) {
		if t.nodes[c].kind != kindObject {
			o.MarkingRefs = append(o.MarkingRefs, malformedMarking)
			continue
		}
		if ref := t.member(c, "marking_ref"); ref > 0 {
			t.addMarking(o, ref)
		} else if t.member(c, "lang") == 0 {
			o.MarkingRefs = append(o.MarkingRefs, malformedMarking)
		}
	}
}

func (t *tree) addMarking(o *Object, i int) {
	ref := malformedMarking
	if t.nodes[i].kind == kindString && t.nodes[i].stop-t.nodes[i].start > 2 {
		ref = Identifier(t.text(i))
	}
	o.MarkingRefs = append(o.MarkingRefs, ref)
}

// Version is what distinguishes the versions of an object (§3.6): modified, else created (marking definitions), else the
// zero Timestamp (cyber-observables, which are not versioned).
func (o *Object) Version() Timestamp {
	if !o.Modified.IsZero() {
		return o.Modified
	}
	return o.Created
}

// Markings is the marking set of the object. The definition of a statement, TLP or PAP marking that has no TLP marking
// itself is TLPClear: it says how others are to be treated, and nobody can handle them rightly without it.
func (o *Object) Markings() MarkingSet {
	m := NewMarkingSet(o.MarkingRefs, o.CreatedByRef)
	switch {
	case m.TLP != TLPUnmarked:
	case o.definesMarking():
		m.TLP = TLPClear
	default:
		m.Floor = o.Floor
	}
	return m
}

func (o *Object) definesMarking() bool {
	if o.Type != "marking-definition" {
		return false
	}
	_, tlp := tlpMarkings[o.ID]
	_, pap := papMarkings[o.ID]
	return tlp || pap || o.DefinitionType == "statement"
}
