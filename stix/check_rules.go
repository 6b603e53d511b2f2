package stix

import (
	"bytes"
	"strings"
)

// The rules between properties. Each gets the node of the object that the rule of its type was applied to.

// ordered checks that the timestamp later is not before the timestamp earlier; strictly: that it is after it.
func (c *checker) ordered(i int, earlier, later, section string, strictly bool) {
	_, a := c.timeOf(i, earlier)
	n, b := c.timeOf(i, later)
	if a == nil || b == nil {
		return
	}
	switch order := bytes.Compare(b, a); {
	case order < 0 || order == 0 && strictly:
		word := "must not be earlier than"
		if strictly {
			word = "must be later than"
		}
		c.fail(n, "time-order", section, "%s %s %s.", later, word, earlier)
	}
}

func checkSeen(c *checker, i int) {
	c.ordered(i, "first_seen", "last_seen", standardTypes[c.checkedType()].section, false)
}

// equals reports whether a member is a string with the given text.
func (c *checker) equals(i int, name, text string) bool {
	n := c.member(i, name)
	return n > 0 && c.nodes[n].kind == kindString && string(c.bytes(n)) == text
}

// is reports whether a member is true.
func (c *checker) is(i int, name string, want kind) bool {
	n := c.member(i, name)
	return n > 0 && c.nodes[n].kind == want
}

// stringOf returns a member that is a string and its node; 0 if there is none.
func (c *checker) stringOf(i int, name string) (int, []byte) {
	n := c.member(i, name)
	if n == 0 || c.nodes[n].kind != kindString {
		return 0, nil
	}
	return n, c.bytes(n)
}

// needsOne fails where none of the properties is present.
func (c *checker) needsOne(i int, section string, names ...string) {
	if !c.anyMember(i, names) {
		c.fail(i, "needs-one-of", section, "At least one of %s is required.", strings.Join(names, ", "))
	}
}

// needsOther fails where a property is present without the one it belongs to.
func (c *checker) needsOther(i int, section, name, other string) {
	if n := c.member(i, name); n > 0 && c.member(i, other) == 0 {
		c.fail(n, "needs-other", section, "%s makes sense with %s only, which is missing.", name, other)
	}
}

// needsProperty is the rule of cyber-observables that at least one property of their own, or an extension, is present.
func needsProperty(c *checker, i int) {
	r := standardTypes[c.checkedType()]
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		name := string(c.nameBytes(n))
		if at, known := r.byName[name]; !known || r.properties[at].section == r.section || name == "extensions" {
			return
		}
	}
	c.fail(i, "needs-property", strings.TrimSuffix(r.section,
		".1"), "At least one property beside the common ones is required.")
}

// needsMember is the rule of embedded structures that they are not empty.
func needsMember(section string) func(*checker, int) {
	return func(c *checker, i int) {
		if c.nodes[i].count == 0 {
			c.fail(i, "needs-property", section, "At least one property is required.")
		}
	}
}

// externalIDs calls f for each external reference with a source_name and an external_id.
func (c *checker) externalIDs(i int, f func(source, id int)) {
	list := c.member(i, "external_references")
	if list == 0 || c.nodes[list].kind != kindArray {
		return
	}
	for n := list + 1; n < int(c.nodes[list].end); n = int(c.nodes[n].end) {
		if c.nodes[n].kind != kindObject {
			continue
		}
		source, _ := c.stringOf(n, "source_name")
		id, _ := c.stringOf(n, "external_id")
		if source > 0 && id > 0 {
			f(source, id)
		}
	}
}

func checkAttackPattern(c *checker, i int) {
	c.externalIDs(i, func(source, id int) {
		if string(c.bytes(source)) != "capec" {
			return
		}
		if digits, ok := bytes.CutPrefix(c.bytes(id), []byte("CAPEC-")); !ok || !isDigits(digits) {
			c.fail(id, "capec-id", "4.1.1", "%s is not a CAPEC id; write CAPEC- and its number.", quoteShort(c.bytes(id)))
		}
	})
}

func checkVulnerability(c *checker, i int) {
	c.externalIDs(i, func(source, id int) {
		switch name := c.bytes(source); {
		case string(name) == "cve":
			if !isCVE(c.bytes(id)) {
				c.fail(id, "cve-id", "4.19.1", "%s is not a CVE id; write it like CVE-2024-12345.", quoteShort(c.bytes(id)))
			}
		case bytes.EqualFold(name, []byte("cve")):
			c.fail(source, "cve-id", "4.19.1", "The source_name of a CVE id must be cve, in lower case.")
		}
	})
}

func checkIndicator(c *checker, i int) {
	c.ordered(i, "valid_from", "valid_until", "4.7.1", true)
	if !c.anyMember(i, []string{"name"}) || !c.anyMember(i, []string{"description"}) {
		c.warn(i, "name-and-description", "4.7.1", "An indicator should have a name and a description.")
	}
	if n, pattern := c.stringOf(i, "pattern"); n > 0 && c.equals(i, "pattern_type", "stix") {
		c.checkPattern(i, n, pattern)
	}
}

// checkPattern checks the STIX pattern at node n of the indicator at i, by the language of version 2.1.
func (c *checker) checkPattern(i, n int, pattern []byte) {
	if len(bytes.TrimSpace(pattern)) == 0 {
		c.fail(n, "pattern", "4.7.1", "The pattern is empty.")
		return
	}
	if n, version := c.stringOf(i, "pattern_version"); n > 0 && !c.checkPatternVersion(n, version) {
		return
	}
	if c.CheckPattern != nil {
		if err := c.CheckPattern(string(pattern)); err != nil {
			c.fail(n, "pattern", "9", "The pattern is not a STIX pattern: %s.", strings.TrimPrefix(err.Error(), "pattern: "))
			return
		}
	}
	if c.PatternTimes != nil && bytes.Contains(pattern, []byte("START")) {
		c.patternTimes(i, n, string(pattern))
	}
}

// checkPatternVersion reports whether a pattern of that version is to be checked: all but those of STIX 2.0, whose
// language differs. A version that the standard does not have is taken for the newest one.
func (c *checker) checkPatternVersion(n int, version []byte) bool {
	switch string(version) {
	case "2.1":
	case "2.0":
		if c.Pedantic {
			c.warn(n, "pattern-version", "4.7.1", "The pattern is not checked, as the language of STIX 2.0 differs; convert it to 2.1.")
		}
		return false
	default:
		c.warn(n, "pattern-version", "4.7.1", "%s is not a version of the STIX patterning language; the pattern is taken for one of 2.1.",
			quoteShort(version))
	}
	return true
}

// patternTimes warns of a pattern that looks for observations before or after the time in which the indicator is valid.
func (c *checker) patternTimes(i, n int, pattern string) {
	start, stop := c.PatternTimes(pattern)
	if _, from := c.timeOf(i, "valid_from"); from != nil {
		for _, t := range start {
			if t.SortKey() < string(from) {
				c.warn(n, "pattern-time", "9.5.1", "START %s is earlier than valid_from, when the indicator is not valid yet.", quoteShort(t.String()))
				break
			}
		}
	}
	if _, until := c.timeOf(i, "valid_until"); until != nil {
		for _, t := range stop {
			if t.SortKey() > string(until) {
				c.warn(n, "pattern-time", "9.5.1", "STOP %s is later than valid_until, when the indicator is no longer valid.", quoteShort(t.String()))
				break
			}
		}
	}
}

func checkLocation(c *checker, i int) {
	if !c.anyMember(i, []string{"region", "country"}) && !(c.member(i, "latitude") > 0 && c.member(i, "longitude") > 0) {
		c.fail(i, "needs-one-of", "4.10", "At least one of region, country, or latitude with longitude is required.")
	}
	c.needsOther(i, "4.10.1", "latitude", "longitude")
	c.needsOther(i, "4.10.1", "longitude", "latitude")
	if n := c.member(i, "precision"); n > 0 && (c.member(i, "latitude") == 0 || c.member(i, "longitude") == 0) {
		c.fail(n, "needs-other", "4.10.1", "precision makes sense with latitude and longitude only.")
	}
	if n, code := c.stringOf(i, "country"); n > 0 && !isCountry(code) {
		c.warn(n, "country", "4.10.1", "%s is not a country code of two letters (ISO 3166-1 alpha-2).", quoteShort(code))
	}
	if n, code := c.stringOf(i, "administrative_area"); n > 0 && c.Pedantic && !isSubdivision(code) {
		c.warn(n, "subdivision", "4.10.1", "%s should be the code of a subdivision (ISO 3166-2), like DK-84.", quoteShort(code))
	}
}

func checkMalware(c *checker, i int) {
	checkSeen(c, i)
	if c.is(i, "is_family", kindTrue) && c.member(i, "name") == 0 {
		c.fail(i, "missing-property", "4.11.1", "A malware family must have a name.")
	}
}

func checkMalwareAnalysis(c *checker, i int) {
	c.needsOne(i, "4.12", "result", "analysis_sco_refs")
	if n, product := c.stringOf(i, "product"); n > 0 && !isLowerHyphen(product) {
		c.warn(n, "lower-case-hyphen", "4.12.1", "The product should be in lower case with hyphens between words.")
	}
}

func checkObservedData(c *checker, i int) {
	c.ordered(i, "first_observed", "last_observed", "4.14.1", false)
	objects, refs := c.member(i, "objects"), c.member(i, "object_refs")
	if (objects > 0) == (refs > 0) {
		c.fail(i, "exactly-one-of", "4.14", "Exactly one of object_refs and the deprecated objects is required.")
	}
	if refs == 0 || c.nodes[refs].kind != kindArray {
		return
	}
	for n := refs + 1; n < int(c.nodes[refs].end); n = int(c.nodes[n].end) {
		if c.nodes[n].kind != kindString {
			return // reported already
		}
		if class := classOf(c.identifier(n).Type()); class == classSCO || class == classCustom {
			return
		}
	}
	if c.nodes[refs].count > 0 {
		c.fail(refs, "needs-observable", "4.14.1", "At least one of the references must be to a cyber-observable.")
	}
}

func checkExternalReference(c *checker, i int) {
	c.needsOne(i, "2.5.2", "description", "url", "external_id")
	if n := c.member(i, "url"); n > 0 && c.member(i, "hashes") == 0 {
		c.warn(n, "url-without-hashes", "2.5.1",
			"An external reference with a url should have hashes of what the url leads to.")
	}
}

func checkKillChainPhase(c *checker, i int) {
	for _, name := range [...]string{"kill_chain_name", "phase_name"} {
		if n, text := c.stringOf(i, name); n > 0 && !isLowerHyphen(text) {
			c.warn(n, "lower-case-hyphen", "2.11", "%s should be in lower case with hyphens between words.", name)
		}
	}
}
