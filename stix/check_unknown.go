package stix

import "bytes"

// unknownProperty checks a member that the rule does not have.
func (c *checker) unknownProperty(r *rule, n int) {
	name := c.nameBytes(n)
	switch {
	case isReserved(name):
		c.fail(n, "reserved-property", "3.8", "The property name %s is reserved; use another.", name)
	case !isPropertyName(name):
		c.badPropertyName(n, "11.1.1")
	case r.class == classBundle:
		c.warn(n, "bundle-property", "8.1", bundlePropertyAdvice, quoteShort(name))
	case !r.custom && !(c.toplevel && r.class != classCustom):
		c.warn(n, "custom-property", "11.1",
			"The property %s is not of the standard and no extension defines it, which is deprecated; define it "+
				"by an extension.%s", quoteShort(name), propertyPrefixAdvice(name))
	}
	if base, ok := bytes.CutSuffix(name, []byte("_enc")); ok && r.class != classBundle && c.member(c.top, string(base)) == 0 && c.member(c.top, string(name)) == n {
		c.fail(n, "needs-other", "3.1", "%s makes sense with %s only, which is missing.", quoteShort(name), quoteShort(base))
	}
	c.unknownValue(n)
}

func (c *checker) badPropertyName(n int, section string) {
	c.fail(n, "property-name", section, "%s is not a property name: 3 to 250 lowercase letters, digits and underscores, "+
		"beginning with a letter.", quoteShort(c.nameBytes(n)))
}

// extensionMember checks a property inside an extension that is not of the standard. The name id is shorter than the
// others of the standard too, and OpenCTI has it in an extension of every object.
func (c *checker) extensionMember(n int, section string) {
	if name := c.nameBytes(n); !isPropertyName(name) && string(name) != "id" {
		c.badPropertyName(n, section)
	}
	c.unknownValue(n)
}

// unknownValue checks what holds for every value, whoever defined it: no null, no empty lists and dictionaries, and the
// characters of names.
func (c *checker) unknownValue(i int) {
	for n := i; n < int(c.nodes[i].end); n++ {
		node := &c.nodes[n]
		if n > i && node.name > 0 {
			c.dictionaryKey(n)
			c.dictionaryKeyCase(n)
		}
		switch {
		case node.kind == kindNull:
			c.fail(n, "null", "2", "STIX has no null; leave the property out.")
		case node.kind == kindArray && node.count == 0:
			c.fail(n, "empty-list", "2.12", "A list must not be empty; leave the property out.")
		case node.kind == kindObject && node.count == 0:
			c.fail(n, "empty-dictionary", "2.3", "A dictionary must not be empty; leave the property out.")
		}
	}
}

// isReserved reports whether a property name is kept for later versions of the standard (§3.8).
func isReserved(name []byte) bool {
	switch string(name) {
	case "severity", "username", "phone_number", "action":
		return true
	}
	return false
}

// isPropertyName reports whether a name has the form of §3.1 and §11.1.1.
func isPropertyName(name []byte) bool {
	if len(name) < minNameLength || len(name) > maxNameLength || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for _, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// isKey reports whether a text consists of the characters of dictionary keys (§2.3).
func isKey(key []byte) bool {
	for _, c := range key {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(key) > 0
}

var extensionPrefix = []byte("extension-definition--")

// extensions checks the property of that name (§3.2, §3.10, §7.3, §11.3).
func (c *checker) extensions(i int) {
	c.structural = false
	if c.nodes[i].kind != kindObject {
		c.fail(i, "wrong-type", "3.2",
			"The extensions are %v; they must be an object with one member for each extension.", c.nodes[i].kind)
		return
	}
	if c.nodes[i].count == 0 {
		c.fail(i, "empty-dictionary", "2.3", "A dictionary must not be empty; leave extensions out.")
	}
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		c.extension(n)
	}
}

func (c *checker) extension(n int) {
	key := c.nameBytes(n)
	if c.nodes[n].kind != kindObject {
		c.fail(n, "wrong-type", "3.2", "The extension is %v; it must be an object.", c.nodes[n].kind)
		return
	}
	if bytes.HasPrefix(key, extensionPrefix) {
		c.definedExtension(n, key)
		return
	}
	if host, ok := extensionHosts[string(key)]; ok {
		r := embeddedTypes[string(key)]
		if c.checkedType() != host {
			c.fail(n, "extension-host", r.section, "%s is an extension of %s objects only.", key, host)
		}
		c.objectBy(r, n)
		return
	}
	if c.nodes[n].count == 0 {
		c.fail(n, "empty-dictionary", "11.3.1", "An extension must have at least one property.")
		return
	}
	c.dictionaryKey(n)
	if class := classOf(c.checkedType()); class == classSCO && !isCustomExtension(key) {
		c.fail(n, "extension-name", "11.3.1",
			"%s is not the name of an extension: 3 to 250 lowercase letters, digits and hyphens, ending in -ext.", quoteShort(key))
	} else {
		c.warn(n, "custom-extension", "11.3",
			"The extension %s is neither of the standard nor defined by an extension definition, which is "+
				"deprecated.%s", quoteShort(key), extensionPrefixAdvice(key))
	}
	for m := n + 1; m < int(c.nodes[n].end); m = int(c.nodes[m].end) {
		c.extensionMember(m, "11.3.1")
	}
}

// checkedType is the type of the object being checked, in an observable-container that of its element.
func (c *checker) checkedType() string {
	if n := c.member(c.top, "type"); n > 0 && c.nodes[n].kind == kindString {
		return c.text(n)
	}
	return ""
}

// definedExtension checks an extension whose key is the id of an extension definition.
func (c *checker) definedExtension(n int, key []byte) {
	if err := checkIdentifier(key); err != nil {
		c.fail(n, "identifier", "2.9", "The extension's key %s %v.", quoteShort(key), err)
	}
	t := c.member(n, "extension_type")
	switch {
	case t == 0:
		c.fail(n, "missing-property", "3.2",
			"The extension has no extension_type, which is required under the id of an extension definition.")
	case c.nodes[t].kind != kindString:
		c.fail(t, "wrong-type", "3.2", "The extension_type is %v; it must be a string.", c.nodes[t].kind)
	case !vocabularies["extension-type-enum"].has(c.bytes(t)):
		c.fail(t, "vocabulary", "2.4", "%s is not a value of extension-type-enum.", quoteShort(c.bytes(t)))
	}
	for m := n + 1; m < int(c.nodes[n].end); m = int(c.nodes[m].end) {
		if m != t {
			c.extensionMember(m, "7.3.2")
		}
	}
}

// isCustomExtension reports whether the key has the form of §11.3.1.
func isCustomExtension(key []byte) bool {
	if len(key) < minNameLength || len(key) > maxNameLength || !bytes.HasSuffix(key, []byte("-ext")) {
		return false
	}
	for _, c := range key {
		if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
