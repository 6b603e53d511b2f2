package stix

import "bytes"

// Recommendations of the standard that stand in no table of types: each is a warning, or a sentence of one.

// translatable are the properties with text for people.
var translatable = []string{"name", "description", "abstract", "content", "explanation", "objective"}

// checkLanguage warns of a domain or relationship object with text that does not say in which language it is (§3.2).
func (c *checker) checkLanguage(i int) {
	if c.Pedantic && c.member(i, "lang") == 0 && c.anyMember(i, translatable) {
		c.warn(i, "no-lang", "3.2", "An object with text should say in lang in which language it is; without it, it counts as English.")
	}
}

// dictionaryKeyCase warns of a key in upper case (§2.3), in dictionaries whose keys are the producer's own choice. The
// dictionaries of the standard's tables hold names of other standards, which keep their case (§3.1): headers, EXIF tags,
// socket options. So do the names of hash algorithms.
func (c *checker) dictionaryKeyCase(n int) {
	key := c.nameBytes(n)
	if _, hash := hashLengths[string(key)]; hash || !isKey(key) || all(key, func(b byte) bool { return b < 'A' || b > 'Z' }) {
		return
	}
	c.warn(n, "dictionary-key-case", "2.3", "The key %s should be in lower case.", quoteShort(key))
}

// protocolCase warns of names of protocols that are not in lower case, as those of the IANA registry are (§6.12.1).
func (c *checker) protocolCase(i int) {
	list := c.member(i, "protocols")
	if list == 0 || c.nodes[list].kind != kindArray {
		return
	}
	for n := list + 1; n < int(c.nodes[list].end); n = int(c.nodes[n].end) {
		if c.nodes[n].kind == kindString && bytes.ContainsFunc(c.bytes(n), func(r rune) bool { return 'A' <= r && r <= 'Z' }) {
			c.warn(n, "protocol-case", "6.12.1", "%s should be in lower case, as the service names of IANA are.", quoteShort(c.bytes(n)))
		}
	}
}

// standardSince is the day on which STIX 2.1 became a standard, as a sort key: marking definitions made since are the
// "new" ones that §7.2.1 wants to be defined by an extension. Those before it can only be what they are.
const standardSince = "2021-06-10T00:00:00"

// newDefinitionType warns of the deprecated definition_type, at node n of the marking definition at i, if that is new.
func (c *checker) newDefinitionType(i, n int) {
	if _, created := c.timeOf(i, "created"); created != nil && string(created) >= standardSince && c.member(i, "extensions") == 0 {
		c.warn(n, "deprecated", "7.2.1", "definition_type and definition are deprecated; define a new marking by an extension.")
	}
}

// propertyPrefixAdvice is a further sentence about the name of a custom property (§11.1.1), "" if its prefix is as it
// should be. It is no warning of its own: whoever follows the advice to define an extension needs no prefix.
func propertyPrefixAdvice(name []byte) string {
	if bytes.HasPrefix(name, []byte("x_")) {
		return ""
	}
	return " Until then, its name should begin with x_ and its source, like x_example_com_score (§11.1.1)."
}

// typePrefixAdvice is the same for the type of the object at i (§11.2.1).
func (c *checker) typePrefixAdvice(i int) string {
	if _, typ := c.stringOf(i, "type"); bytes.HasPrefix(typ, []byte("x-")) {
		return ""
	}
	return " Until then, the type should begin with x- and its source, like x-example-com-sensor (§11.2.1)."
}

// extensionPrefixAdvice is the same for the key of a custom extension (§11.3.1).
func extensionPrefixAdvice(key []byte) string {
	if bytes.HasPrefix(key, []byte("x-")) {
		return ""
	}
	return " Its name should begin with x- and its source, like x-example-com-scan-ext (§11.3.1)."
}

// isSubdivision reports whether a text has the form of ISO 3166-2: the code of a country, a hyphen, and one to three
// letters or digits. Which of them exist only a registry knows.
func isSubdivision(code []byte) bool {
	country, part, found := bytes.Cut(code, []byte("-"))
	return found && isCountry(country) && len(part) >= 1 && len(part) <= 3 &&
		all(part, func(b byte) bool { return isDigit(b) || 'A' <= b && b <= 'Z' })
}
