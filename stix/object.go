package stix

// Object is one STIX Object: its bytes as received and the common properties that an exchange decides by.
type Object struct {
	// Raw is the object as received; only whitespace outside strings may be gone.
	Raw          []byte
	Type         string
	ID           Identifier
	SpecVersion  string // "2.1" where an SCO omits it
	Created      Timestamp
	Modified     Timestamp
	CreatedByRef Identifier
	Revoked      bool
	// MarkingRefs are the ids in object_marking_refs and in granular_markings, in order of appearance.
	MarkingRefs []Identifier
	// Floor is MarkingSet.Floor, set by whoever received the object from elsewhere.
	Floor TLP
	// DefinitionType is that of a marking-definition without extensions ("statement", "tlp"), else "".
	DefinitionType string
}
