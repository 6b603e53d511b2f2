package stix

import "bytes"

// reference checks an identifier that refers to another object (§2.9), or inside an observable-container a key of it.
func (c *checker) reference(target *refTarget, i int, p *property) {
	if c.nodes[i].kind != kindString {
		c.fail(i, "wrong-type", p.section, "The value is %v; it must be the identifier of an object.", c.nodes[i].kind)
		return
	}
	ref := c.bytes(i)
	if c.container > 0 && checkIdentifier(ref) != nil {
		c.containerReference(target, i, p)
		return
	}
	if err := checkIdentifier(ref); err != nil {
		c.fail(i, "identifier", "2.9", "The identifier %s %v.", quoteShort(ref), err)
		return
	}
	if typ := ref[:len(ref)-uuidLength-2]; !target.allows(typ) {
		c.fault(i, "reference-type", p.section,
			"%s refers to an object of type %s; it must be %s.", quoteShort(ref), typ, target.text)
	}
	if p.name == "object_marking_refs" && Identifier(ref) == c.ownID() {
		c.fault(i, "self-marking", "3.2", "The object marks itself; refer to another marking definition.")
	}
}

// ownID is the id of the object being checked.
func (c *checker) ownID() Identifier {
	if n := c.member(c.top, "id"); n > 0 {
		return c.identifier(n)
	}
	return ""
}

// containerReference checks a reference between the members of an observable-container (§2.13).
func (c *checker) containerReference(target *refTarget, i int, p *property) {
	n := c.find(c.container, c.bytes(i))
	if n == 0 {
		c.fail(i, "container-reference", "2.13",
			"%s is not the key of an object in the same container.", quoteShort(c.bytes(i)))
		return
	}
	typ := c.member(n, "type")
	if typ > 0 && c.nodes[typ].kind == kindString && !target.allows(c.bytes(typ)) {
		c.fail(i, "reference-type", p.section, "%s refers to an object of type %s; it must be %s.", quoteShort(c.bytes(i)),
			quoteShort(c.bytes(typ)), target.text)
	}
}

// find is member within the budget of steps, for searches that the input can ask for any number of times.
func (c *checker) find(i int, name []byte) int {
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		if c.steps--; c.steps < 0 {
			return 0
		}
		if bytes.Equal(c.nameBytes(n), name) {
			return n
		}
	}
	return 0
}

// observableContainer checks the deprecated "objects" of observed-data: a dictionary of cyber-observables (§2.13).
func (c *checker) observableContainer(i int) {
	if c.nodes[i].kind != kindObject || c.nodes[i].count == 0 {
		c.fail(i, "wrong-type", "2.13", "The value must be a dictionary with at least one cyber-observable object.")
		return
	}
	if c.container > 0 {
		c.fail(i, "wrong-type", "2.13", "An observed-data object cannot be inside the container of another.")
		return
	}
	c.warn(i, "deprecated", "2.13",
		"Observables inside observed-data are deprecated; publish them as objects and list their ids in object_refs.")
	top, toplevel := c.top, c.toplevel
	c.container = i
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		if c.nodes[n].kind != kindObject {
			c.fail(n, "wrong-type", "2.13", "The value is %v; it must be a cyber-observable object.", c.nodes[n].kind)
			continue
		}
		c.containedObservable(n)
	}
	c.container, c.top, c.toplevel = 0, top, toplevel
}

func (c *checker) containedObservable(n int) {
	c.top = n
	typ := c.member(n, "type")
	if typ == 0 || c.nodes[typ].kind != kindString || !isTypeName(c.bytes(typ)) {
		c.fail(n, "missing-property", "2.13", "The observable has no type that is a type name.")
		return
	}
	r := standardTypes[string(c.bytes(typ))]
	switch {
	case r == nil:
		r = customTypes[classSCO]
	case r.class != classSCO:
		c.fail(n, "reference-type", "2.13", "An object of type %s is not a cyber-observable.", c.bytes(typ))
		return
	}
	if id := c.member(n, "id"); id > 0 && c.identifier(id) == "" {
		c.fail(id, "identifier", "2.9", "The id is not an identifier, type--UUID.")
	}
	c.toplevel = r.custom || c.hasExtension(n, "toplevel-property-extension")
	c.objectBy(r, n)
}

// hashes checks a dictionary of hashes (§2.7, §10.7).
func (c *checker) hashes(i int) {
	if c.nodes[i].kind != kindObject {
		c.fail(i, "wrong-type", "2.7", "The value is %v; it must be an object with one member for each hash.", c.nodes[i].kind)
		return
	}
	if c.nodes[i].count == 0 {
		c.fail(i, "empty-dictionary", "2.7", "Hashes must not be empty; leave the property out.")
	} else if c.Pedantic && c.member(i, "SHA-256") == 0 {
		c.warn(i, "no-sha-256", "2.7", "The SHA-256 hash should be given whenever possible, so that others can compare.")
	}
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		key := c.nameBytes(n)
		length, known := hashLengths[string(key)]
		switch {
		case !isKey(key) || len(key) < minNameLength || len(key) > maxNameLength:
			c.fail(n, "hash-key", "2.7", "The key %s must be 3 to 250 of the characters A-Z a-z 0-9 - and _.", quoteShort(key))
		case c.nodes[n].kind != kindString:
			c.fail(n, "wrong-type", "2.7", "The hash is %v; it must be a string.", c.nodes[n].kind)
		case !known:
			c.warn(n, "open-vocabulary", "2.7",
				"%s is not a value of hash-algorithm-ov; prefer one that others understand.", quoteShort(key))
		case length > 0 && (len(c.bytes(n)) != length || !isHex(c.bytes(n))):
			c.fail(n, "hash-value", "10.7",
				"%s is not a %s hash, which has %d hexadecimal digits.", quoteShort(c.bytes(n)), key, length)
		}
	}
}

// hashLengths are the algorithms of hash-algorithm-ov with the number of their hexadecimal digits, 0 for another form.
var hashLengths = map[string]int{
	"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-512": 128, "SHA3-256": 64, "SHA3-512": 128, "SSDEEP": 0, "TLSH": 0,
}

// translations checks the contents of language-content: language tag to translated properties (§7.1.1).
func (c *checker) translations(i int) {
	if c.nodes[i].kind != kindObject || c.nodes[i].count == 0 {
		c.fail(i, "wrong-type", "7.1.1", "The contents must be an object with one member for each language.")
		return
	}
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		if !isLanguageTag(c.nameBytes(n)) {
			c.fail(n, "language", "7.1.1", "%s is not a language tag (RFC 5646), like en or de-AT.", quoteShort(c.nameBytes(n)))
		}
		if c.nodes[n].kind != kindObject || c.nodes[n].count == 0 {
			c.fail(n, "wrong-type", "7.1.1", "The translation must be an object with the translated properties.")
			continue
		}
		for m := n + 1; m < int(c.nodes[n].end); m = int(c.nodes[m].end) {
			c.unknownValue(m)
		}
	}
}
