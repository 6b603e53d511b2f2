package stix

import "strconv"

func checkGranularMarking(c *checker, i int) {
	lang, ref := c.member(i, "lang"), c.member(i, "marking_ref")
	if (lang > 0) == (ref > 0) {
		c.fail(i, "exactly-one-of", "7.2.3", "A granular marking must have exactly one of lang and marking_ref.")
	}
	if ref > 0 && c.identifier(ref) != "" && c.identifier(ref) == c.ownID() {
		c.fail(ref, "self-marking", "3.2", "The object marks itself; refer to another marking definition.")
	}
	selectors := c.member(i, "selectors")
	if selectors == 0 || c.nodes[selectors].kind != kindArray {
		return
	}
	for n := selectors + 1; n < int(c.nodes[selectors].end); n = int(c.nodes[n].end) {
		if c.nodes[n].kind != kindString {
			continue
		}
		switch found := c.selected(c.bytes(n)); {
		case c.steps < 0:
			c.fail(n, "selectors-too-many", "7.2.3", "The selectors are too many to be followed in an object of this size.")
			return
		case found == 0:
			c.fail(n, "selector", "7.2.3",
				"%s selects nothing in this object; write it like description or external_references.[0].url.", quoteShort(c.bytes(n)))
		case c.inMarkings(found):
			c.fail(n, "selector", "7.2.3", "A selector cannot select markings.")
		}
	}
}

// selected returns the node that a selector selects in the object being checked, 0 if there is none: names and list
// indexes in brackets, joined by points (§7.2.3). It goes no deeper than the object does.
func (c *checker) selected(selector []byte) int {
	at := c.top
	for len(selector) > 0 {
		component, rest := selector, []byte(nil)
		for i, b := range selector {
			if b == '.' {
				component, rest = selector[:i], selector[i+1:]
				if len(rest) == 0 {
					return 0
				}
				break
			}
		}
		if at = c.component(at, component); at == 0 {
			return 0
		}
		if len(rest) == 0 {
			return at
		}
		selector = rest
	}
	return 0
}

// component returns the child of node at that one component of a selector names.
func (c *checker) component(at int, component []byte) int {
	switch {
	case len(component) == 0:
		return 0
	case component[0] != '[':
		if c.nodes[at].kind != kindObject {
			return 0
		}
		return c.find(at, component)
	case c.nodes[at].kind != kindArray || component[len(component)-1] != ']' || !isIndex(component[1:len(component)-1]):
		return 0
	}
	index, err := strconv.ParseUint(string(component[1:len(component)-1]), 10, 32)
	if err != nil || index >= uint64(c.nodes[at].count) {
		return 0
	}
	n := at + 1
	for ; index > 0; index-- {
		if c.steps--; c.steps < 0 {
			return 0
		}
		n = int(c.nodes[n].end)
	}
	return n
}

// isIndex reports whether a text is a non-negative integer as it is written in one way only, without zeros in front.
func isIndex(text []byte) bool { return isDigits(text) && (text[0] != '0' || len(text) == 1) }

// inMarkings reports whether a node is a granular marking, or inside one.
func (c *checker) inMarkings(n int) bool {
	markings := c.member(c.top, "granular_markings")
	return markings > 0 && n >= markings && n < int(c.nodes[markings].end)
}

// tlp1 are the standard marking definitions of TLP 1 (§7.2.1), by the value of their property tlp.
var tlp1 = map[string]Identifier{
	"white": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
	"green": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
	"amber": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
	"red":   "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}

// tlp1Created is the instant at which they were created, as a sort key.
const tlp1Created = "2017-01-20T00:00:00"

func checkMarkingDefinition(c *checker, i int) {
	kindOf, definition, extended := c.member(i, "definition_type"), c.member(i, "definition"), c.member(i, "extensions")
	if kindOf == 0 && definition == 0 && extended == 0 {
		c.fail(i, "missing-property", "7.2.1",
			"A marking definition must have definition_type and definition, or an extension.")
	}
	if definition == 0 && kindOf > 0 {
		c.fail(i, "missing-property", "7.2.1", "The definition is missing; it is required beside definition_type.")
	}
	if definition > 0 && kindOf == 0 {
		c.fail(definition, "needs-other", "7.2.1", "definition makes sense with definition_type only, which is missing.")
	}
	if definition > 0 && c.nodes[definition].kind != kindObject {
		c.fail(definition, "wrong-type", "7.2.1", "The definition is %v; it must be an object.", c.nodes[definition].kind)
		return
	}
	n, name := c.stringOf(i, "definition_type")
	switch {
	case n == 0 || definition == 0:
	case string(name) == "tlp":
		c.checkTLP(i, definition)
	case string(name) == "statement":
		if s := c.member(definition, "statement"); s == 0 || c.nodes[s].kind != kindString {
			c.fail(definition, "missing-property", "7.2.1", "A statement marking must have a statement, a string.")
		}
		c.newDefinitionType(i, n)
	default:
		c.warn(n, "definition-type", "7.2.1",
			"The definition_type should be statement or tlp; define other markings by an extension.")
	}
}

// checkTLP checks that a TLP marking is one of the four standard objects.
func (c *checker) checkTLP(i, definition int) {
	n, level := c.stringOf(definition, "tlp")
	if n == 0 {
		c.fail(definition, "missing-property", "7.2.1", "A TLP marking must have tlp, one of white, green, amber and red.")
		return
	}
	id, known := tlp1[string(level)]
	_, created := c.timeOf(i, "created")
	switch {
	case !known:
		c.fail(n, "tlp-definition", "7.2.1",
			"%s is not a level of TLP 1, which are white, green, amber and red; TLP 2.0 is expressed by an "+
				"extension.", quoteShort(level))
	case c.ownID() != id || string(created) != tlp1Created:
		c.fail(n, "tlp-definition", "7.2.1", "This is not the standard marking definition for TLP %s; refer to %s.", level, id)
	}
}

func checkExtensionDefinition(c *checker, i int) {
	if c.member(i, "description") == 0 {
		c.warn(i, "description", "7.3.1", "An extension definition should have a description.")
	}
	types, properties := c.member(i, "extension_types"), c.member(i, "extension_properties")
	toplevel := false
	if types > 0 && c.nodes[types].kind == kindArray {
		for n := types + 1; n < int(c.nodes[types].end); n = int(c.nodes[n].end) {
			toplevel = toplevel || c.nodes[n].kind == kindString && string(c.bytes(n)) == "toplevel-property-extension"
		}
	}
	switch {
	case toplevel && properties == 0:
		c.warn(i, "extension-properties", "7.3.1",
			"An extension that defines properties at the top should list them in extension_properties.")
	case !toplevel && properties > 0:
		c.fail(properties, "extension-properties", "7.3.1",
			"extension_properties are for extensions of the type toplevel-property-extension only.")
	}
	if properties == 0 || c.nodes[properties].kind != kindArray {
		return
	}
	for n := properties + 1; n < int(c.nodes[properties].end); n = int(c.nodes[n].end) {
		if c.nodes[n].kind == kindString {
			c.extensionProperty(n)
		}
	}
}

// extensionProperty checks the name of a property that an extension defines.
func (c *checker) extensionProperty(n int) {
	name := c.bytes(n)
	_, common := customTypes[classSDO].byName[string(name)]
	switch {
	case common:
		c.fail(n, "standard-property", "7.3", "%s is a property of the standard, which an extension cannot define again.", name)
	case isReserved(name):
		c.fail(n, "reserved-property", "3.8", "The property name %s is reserved; use another.", name)
	case !isPropertyName(name):
		c.fail(n, "property-name", "7.3",
			"%s is not a property name: 3 to 250 lowercase letters, digits and underscores, beginning with a "+
				"letter.", quoteShort(name))
	}
}
