package stix

import (
	"bytes"
	"math"
	"strconv"
)

// objectBy checks the JSON object at i by the rule: each member, those that are missing, and the rules between them.
func (c *checker) objectBy(r *rule, i int) {
	outer := c.structural
	var seen uint64 // by index of the property; no rule has more than 64
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		at, known := r.byName[string(c.nameBytes(n))]
		if !known {
			c.structural = false
			c.unknownProperty(r, n)
			continue
		}
		p := &r.properties[at]
		seen |= 1 << at
		c.structural = outer || p.structural
		if p.forbidden {
			c.structural = false
			c.fail(n, "not-applicable", p.section, "%s does not apply to %s objects; leave it out.", p.name, r.title())
			continue
		}
		c.value(&p.value, n, p)
	}
	for _, at := range r.required {
		p := &r.properties[at]
		if seen&(1<<at) != 0 || p.name == "type" || p.name == "id" {
			continue // type and id are checked on their own
		}
		c.structural = outer || p.structural
		c.fail(i, "missing-property", p.section, "The required property %s is missing.", p.name)
	}
	c.structural = false
	if r.check != nil {
		r.check(c, i)
	}
	c.structural = outer
}

// title is the name of the rule for messages.
func (r *rule) title() string {
	if r.name == "" {
		return "custom"
	}
	return r.name
}

// value checks the value at node i, which belongs to the property p.
func (c *checker) value(v *value, i int, p *property) {
	kind := c.nodes[i].kind
	if v.kind == valueElsewhere {
		return
	}
	if kind == kindNull {
		c.fail(i, "null", "2", "STIX has no null; leave the property out.")
		return
	}
	switch v.kind {
	case valueAny:
		c.unknownValue(i)
	case valueString:
		c.expect(i, kindString, p)
	case valueBool:
		if kind != kindTrue && kind != kindFalse {
			c.fail(i, "wrong-type", "2.2", "The value is %v; it must be true or false.", kind)
		}
	case valueInt:
		c.integer(v, i)
	case valueScalar:
		if kind != kindString {
			c.integer(&value{low: -maxInteger, high: maxInteger}, i)
		}
	case valueFloat:
		c.float(v, i)
	case valueVocabulary:
		c.vocabularyTerm(v.vocabulary, i, p)
	case valueRef:
		c.reference(v.refs, i, p)
	case valueHashes:
		c.hashes(i)
	case valueDictionary:
		c.dictionary(v, i, p)
	case valueList:
		c.list(v, i, p)
	case valueObject:
		if c.expect(i, kindObject, p) {
			c.objectBy(v.object, i)
		}
	case valueExtensions:
		c.extensions(i)
	case valueContainer:
		c.observableContainer(i)
	case valueTranslations:
		c.translations(i)
	default:
		c.textForm(v, i, p)
	}
}

// expect reports whether the value at i is of the kind.
func (c *checker) expect(i int, want kind, p *property) bool {
	if c.nodes[i].kind == want {
		return true
	}
	c.fail(i, "wrong-type", p.section, "The value is %v; it must be %v.", c.nodes[i].kind, want)
	return false
}

// textForm checks a string that has a form of its own.
func (c *checker) textForm(v *value, i int, p *property) {
	if !c.expect(i, kindString, p) {
		return
	}
	text := c.bytes(i)
	switch v.kind {
	case valueTime:
		if _, err := checkTimestamp(text); err != nil {
			c.fail(i, "timestamp", "2.16.1", "The timestamp %s %v.", quoteShort(text), err)
		}
	case valueHex:
		if len(text)%2 != 0 || !isLowerHex(text) {
			c.fail(i, "hex", "2.8", "%s is not hexadecimal: an even number of the digits 0-9 and a-f.", quoteShort(text))
		}
	case valueBinary:
		if !isBase64(text) {
			c.fail(i, "binary", "2.1", "The value is not base64 with padding (RFC 4648).")
		}
	case valueURL:
		if !isURL(text) {
			c.fail(i, "url", p.section,
				"%s is not a URL (RFC 3986): scheme, colon, and percent-encoding for all that a URL cannot hold.", quoteShort(text))
		}
	case valueLanguage:
		if !isLanguageTag(text) {
			c.fail(i, "language", "3.2", "%s is not a language tag (RFC 5646), like en or de-AT.", quoteShort(text))
		}
	}
}

// integer checks a whole number within the bounds of v.
func (c *checker) integer(v *value, i int) {
	if c.nodes[i].kind != kindNumber {
		c.fail(i, "wrong-type", "2.10", "The value is %v; it must be a whole number.", c.nodes[i].kind)
		return
	}
	n, ok := c.whole(i)
	switch {
	case !ok:
		c.fail(i, "integer", "2.10", "%s is not a whole number from -(2^53-1) to 2^53-1.", quoteShort(c.raw(i)))
	case float64(n) < v.low || float64(n) > v.high:
		c.fail(i, "range", "2.10", "%d is out of range; it must be %s.", n, v.rangeText())
	}
}

// whole reads a number without fraction; 1.0 and 1e2 are such numbers too.
func (c *checker) whole(i int) (int64, bool) {
	text := c.raw(i)
	if !bytes.ContainsAny(text, ".eE") {
		n, err := strconv.ParseInt(string(text), 10, 64)
		return n, err == nil && n <= maxInteger && n >= -maxInteger
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > maxInteger || significantDigits(text) > 17 {
		return 0, false
	}
	return int64(f), true
}

func (v *value) rangeText() string {
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	if v.high == maxInteger {
		return number(v.low) + " or more"
	}
	return "from " + number(v.low) + " to " + number(v.high)
}

func (c *checker) float(v *value, i int) {
	if c.nodes[i].kind != kindNumber {
		c.fail(i, "wrong-type", "2.6", "The value is %v; it must be a number.", c.nodes[i].kind)
		return
	}
	f, err := strconv.ParseFloat(string(c.raw(i)), 64)
	switch {
	case err != nil:
		c.fail(i, "float", "2.6", "The number %s is too large.", quoteShort(c.raw(i)))
	case v.low != v.high && (f < v.low || f > v.high):
		c.fail(i, "range", "2.6", "%s is out of range; it must be %s.", quoteShort(c.raw(i)), v.rangeText())
	}
}

// raw is the value at i as it is written.
func (c *checker) raw(i int) []byte { return c.src[c.nodes[i].start:c.nodes[i].stop] }

func (c *checker) vocabularyTerm(v *vocabulary, i int, p *property) {
	switch {
	case !c.expect(i, kindString, p):
	case v.has(c.bytes(i)):
	case v.closed:
		c.fail(i, "vocabulary", "2.4", "%s is not a value of %s.", quoteShort(c.bytes(i)), v.name)
	default:
		c.warn(i, "open-vocabulary", "2.14",
			"%s is not a value of %s; prefer one that others understand.", quoteShort(c.bytes(i)), v.name)
		if !isLowerHyphen(c.bytes(i)) {
			c.warn(i, "lower-case-hyphen", "2.14", "A value that is not of the vocabulary should be in lower case with hyphens between words.")
		}
	}
}

func (c *checker) list(v *value, i int, p *property) {
	if !c.expect(i, kindArray, p) {
		return
	}
	if c.nodes[i].count == 0 {
		c.fail(i, "empty-list", "2.12", "A list must not be empty; leave the property out.")
	}
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		c.value(v.element, n, p)
	}
}

func (c *checker) dictionary(v *value, i int, p *property) {
	if !c.expect(i, kindObject, p) {
		return
	}
	if c.nodes[i].count == 0 {
		c.fail(i, "empty-dictionary", "2.3", "A dictionary must not be empty; leave the property out.")
	}
	for n := i + 1; n < int(c.nodes[i].end); n = int(c.nodes[n].end) {
		c.dictionaryKey(n)
		c.value(v.element, n, p)
	}
}

func (c *checker) dictionaryKey(n int) {
	if key := c.nameBytes(n); !isKey(key) || len(key) > maxNameLength {
		c.fail(n, "dictionary-key", "2.3",
			"The key %s must be 1 to 250 of the characters A-Z a-z 0-9 - and _.", quoteShort(key))
	}
}
