package stix

import (
	"bytes"
	"strings"
	"time"
)

// topLevel checks the STIX Object at node i.
func (c *checker) topLevel(i int) {
	c.top = i
	typ := c.checkType(i)
	c.checkID(i, typ)
	if typ == "" {
		return
	}
	if c.isVersion20(i, typ) {
		c.broken(i, "spec-version-2.0", "3.2", `This is STIX 2.0, which is not accepted here. Convert it to STIX 2.1, where `+
			`every domain and relationship object has "spec_version": "2.1".`)
		return
	}
	r := standardTypes[typ]
	if r == nil {
		r = c.customRule(i)
	}
	c.newTypes(i, r)
	c.toplevel = r.custom || c.hasExtension(i, "toplevel-property-extension")
	c.objectBy(r, i)
	switch r.class {
	case classBundle:
		c.checkRandomID(i)
		c.bundleObjects(i)
	case classSCO:
		c.checkSpecVersion(i)
		c.checkObservableID(i, typ)
	case classSDO, classSRO:
		c.checkLanguage(i)
		fallthrough
	default:
		c.checkSpecVersion(i)
		c.checkVersionTimes(i)
		c.checkRandomID(i)
	}
}

// checkType returns the type of the object at i, "" if it is not readable.
func (c *checker) checkType(i int) string {
	n := c.member(i, "type")
	switch {
	case n == 0:
		c.broken(i, "missing-property", "3.2", "The object has no type; a STIX object has at least type and id.")
	case c.nodes[n].kind != kindString:
		c.broken(n, "wrong-type", "3.2", "The type is %v; it must be a string.", c.nodes[n].kind)
	case !isTypeName(c.bytes(n)):
		c.broken(n, "type-name", "3.1", "%s is not a type name: 3 to 250 lowercase letters, digits and single hyphens, "+
			"beginning with a letter.", quoteShort(c.bytes(n)))
	default:
		return c.typeName(n)
	}
	return ""
}

func (c *checker) checkID(i int, typ string) {
	n := c.member(i, "id")
	switch {
	case n == 0:
		c.broken(i, "missing-property", "3.2", "The object has no id; a STIX object has at least type and id.")
		return
	case c.nodes[n].kind != kindString:
		c.broken(n, "wrong-type", "3.2", "The id is %v; it must be a string.", c.nodes[n].kind)
		return
	}
	id := c.bytes(n)
	if err := checkIdentifier(id); err != nil {
		c.broken(n, "identifier", "2.9", "The id %s %v.", quoteShort(id), err)
		return
	}
	if got := id[:len(id)-uuidLength-2]; typ != "" && string(got) != typ {
		c.broken(n, "id-type", "2.9", "The id begins with %q; it must begin with the object's type, %q.", got, typ)
	}
}

// isVersion20 reports whether the object is STIX 2.0: those have no spec_version, but for bundles.
func (c *checker) isVersion20(i int, typ string) bool {
	version := c.member(i, "spec_version")
	is20 := version > 0 && c.nodes[version].kind == kindString && string(c.bytes(version)) == "2.0"
	switch classOf(typ) {
	case classSDO, classSRO, classMarking:
		return is20 || version == 0
	case classCustom:
		return is20 || version == 0 && c.member(i, "created") > 0 && c.member(i, "modified") > 0
	}
	return is20
}

func (c *checker) checkSpecVersion(i int) {
	n := c.member(i, "spec_version")
	if n > 0 && (c.nodes[n].kind != kindString || string(c.bytes(n)) != "2.1") {
		c.broken(n, "spec-version", "3.2", `The spec_version must be "2.1".`)
	}
}

// customRule chooses the rules for a type that is not of the standard: by the extension that defines it, else by whether
// it looks like a versioned object.
func (c *checker) customRule(i int) *rule {
	for _, defined := range [...]struct {
		extensionType string
		class         class
	}{{"new-sdo", classSDO}, {"new-sro", classSRO}, {"new-sco", classSCO}} {
		if !c.hasExtension(i, defined.extensionType) {
			continue
		}
		r := customTypes[defined.class]
		if !c.hasOwnProperty(i, r) && !c.extensionHasProperty(i) {
			c.fault(i, "needs-property", "7.3.2", "The type is defined by an extension, but the object has no property beside the "+
				"common ones; at least one is required.")
		}
		return r
	}
	c.warn(i, "custom-type", "11.2", "The type is not of the standard and no extension defines it, which is deprecated; "+
		"define it by an extension.%s", c.typePrefixAdvice(i))
	class := classSDO
	if c.member(i, "spec_version") == 0 && c.member(i, "created") == 0 && c.member(i, "modified") == 0 {
		class = classSCO
	}
	r := customTypes[class]
	if !c.hasOwnProperty(i, r) {
		c.warn(i, "custom-type-empty", "11.2.1", "The object has a custom type but no property beside the common ones.")
	}
	return r
}

// hasOwnProperty reports whether the object at i has a property that the rule, of the common properties, does not have.
func (c *checker) hasOwnProperty(i int, r *rule) bool {
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		if _, common := r.byName[string(c.nameBytes(n))]; !common {
			return true
		}
	}
	return false
}

// extensionHasProperty reports whether an extension of the object at i holds something beside its extension_type: an
// extension may define a type and keep its properties nested (§7.3, hybrid extensions).
func (c *checker) extensionHasProperty(i int) bool {
	extensions := c.member(i, "extensions")
	for n := extensions + 1; n < int(c.nodes[extensions].end); n = int(c.nodes[n].end) {
		if c.nodes[n].kind == kindObject && (c.nodes[n].count > 1 || c.nodes[n].count == 1 && c.member(n, "extension_type") == 0) {
			return true
		}
	}
	return false
}

// newTypes checks the extensions that say that they define the object's type: a type of the standard is defined already,
// and another type is of one class only. It reports the first that is wrong.
func (c *checker) newTypes(i int, r *rule) {
	extensions := c.member(i, "extensions")
	if extensions == 0 || c.nodes[extensions].kind != kindObject {
		return
	}
	first := ""
	for n := extensions + 1; n < int(c.nodes[extensions].end); n = int(c.nodes[n].end) {
		if c.nodes[n].kind != kindObject {
			continue
		}
		m, extensionType := c.stringOf(n, "extension_type")
		if m == 0 {
			continue
		}
		switch as := string(extensionType); as {
		case "new-sdo", "new-sco", "new-sro":
			switch {
			case !r.custom:
				c.fault(m, "extension-redefines", "7.3", "%s is a type of the standard, which no extension can define again; "+
					"write property-extension or toplevel-property-extension.", r.name)
				return
			case first != "" && first != as:
				c.fault(m, "extension-conflict", "7.3", "Another extension of the object says that its type is %s, this one that it "+
					"is %s; a type is of one class.", first, as)
				return
			}
			first = as
		}
	}
}

// hasExtension reports whether the object has an extension of the given extension_type.
func (t *tree) hasExtension(i int, extensionType string) bool {
	extensions := t.member(i, "extensions")
	if extensions == 0 || t.nodes[extensions].kind != kindObject {
		return false
	}
	for n := extensions + 1; n < int(t.nodes[extensions].end); n = int(t.nodes[n].end) {
		if t.nodes[n].kind != kindObject {
			continue
		}
		if m := t.member(n, "extension_type"); m > 0 && t.nodes[m].kind == kindString && string(t.bytes(m)) == extensionType {
			return true
		}
	}
	return false
}

// checkVersionTimes checks created and modified beyond their being timestamps.
func (c *checker) checkVersionTimes(i int) {
	n, created := c.timeOf(i, "created")
	c.checkVersionTime(n, created)
	n, modified := c.timeOf(i, "modified")
	c.checkVersionTime(n, modified)
	if created != nil && modified != nil && bytes.Compare(modified, created) < 0 {
		c.fault(n, "modified-before-created", "3.2", "modified is earlier than created.")
	}
}

func (c *checker) checkVersionTime(n int, at []byte) {
	if at == nil {
		return
	}
	name := c.nameBytes(n)
	if len(c.bytes(n)) < len("2006-01-02T15:04:05.000Z") {
		c.fault(n, "timestamp-precision", "3.2", "Write %s with at least three digits after the seconds, like %s.", name,
			string(at[:secondsLength])+".000Z")
	}
	if c.Now != nil && c.future == "" {
		c.future = TimestampOf(c.Now().Add(time.Hour)).SortKey()
	}
	if c.future != "" && string(at) > c.future {
		c.warn(n, "future-timestamp", "3.6", "%s is in the future; check the clock of the system that made the object.", name)
	}
}

// timeOf returns a member that is a timestamp: its node, and its sort key (Timestamp.SortKey) without a copy; nil if it is
// absent or malformed.
func (c *checker) timeOf(i int, name string) (n int, key []byte) {
	n = c.member(i, name)
	if n == 0 || c.nodes[n].kind != kindString {
		return n, nil
	}
	text := c.bytes(n)
	length, err := checkTimestamp(text)
	if err != nil {
		return n, nil
	}
	return n, text[:length]
}

// checkRandomID warns of an id that is no UUIDv4, for objects that are not cyber-observables.
func (c *checker) checkRandomID(i int) {
	n := c.member(i, "id")
	if n == 0 || c.nodes[n].kind != kindString {
		return
	}
	if id := c.bytes(n); checkIdentifier(id) == nil && uuidVersion(id) != '4' {
		c.warn(n, "id-version", "2.9", randomIDAdvice)
	}
}

// uuidVersion is the version digit of a valid identifier.
func uuidVersion[T ~string | ~[]byte](id T) byte { return id[len(id)-uuidLength+14] }

// checkObservableID compares the id of a cyber-observable with the deterministic one.
func (c *checker) checkObservableID(i int, typ string) {
	n := c.member(i, "id")
	if n == 0 || c.identifier(n) == "" || standardTypes[typ] == nil {
		return
	}
	id := c.identifier(n)
	want, err := c.deterministicIdentifier(i)
	switch {
	case err == nil && want.UUID() != strings.ToLower(id.UUID()):
		c.warn(n, "id-not-deterministic", "2.9", "The id of these values should be %s.", want)
	case err == nil || uuidVersion(id) == '4':
	case typ == "process":
		c.warn(n, "id-version", "6.13.1", "The id of a process should have a random UUID (version 4).")
	case len(contributing[typ]) > 0 && !c.anyMember(i, contributing[typ]):
		c.fault(n, "id-version", "2.9", "None of the properties that make a deterministic id is present, so the id must "+
			"have a random UUID (version 4).")
	}
}

func (c *checker) anyMember(i int, names []string) bool {
	for _, name := range names {
		if c.member(i, name) > 0 {
			return true
		}
	}
	return false
}

// bundleObjects checks every object of the bundle at node i.
func (c *checker) bundleObjects(i int) {
	list := c.member(i, "objects")
	if list == 0 {
		return
	}
	if c.nodes[list].kind != kindArray || c.nodes[list].count == 0 {
		c.broken(list, "bundle-objects", "8.1",
			"The objects of a bundle must be a list with at least one object; leave an empty list out.")
		return
	}
	for n := list + 1; n < int(c.nodes[list].end); n = int(c.nodes[n].end) {
		typ := c.member(n, "type")
		switch {
		case c.nodes[n].kind != kindObject:
			c.broken(n, "bundle-objects", "8.1", "An element of a bundle is %v; it must be a STIX object.", c.nodes[n].kind)
		case typ > 0 && c.nodes[typ].kind == kindString && string(c.bytes(typ)) == "bundle":
			c.broken(n, "bundle-objects", "8", "A bundle cannot be inside another bundle.")
		default:
			c.topLevel(n)
		}
	}
	c.top = i
}
