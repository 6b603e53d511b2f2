package stix

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// valueKind is what a property's value has to be (§2).
type valueKind uint8

const (
	valueAny       valueKind = iota
	valueElsewhere           // checked on its own, outside of the tables
	valueString
	valueBool
	valueInt
	valueScalar // an integer or a string
	valueFloat
	valueTime
	valueHex
	valueBinary
	valueURL
	valueLanguage
	valueVocabulary
	valueRef
	valueHashes
	valueDictionary
	valueObject
	valueList
	valueExtensions
	valueContainer
	valueTranslations
)

// value is the rule for a value.
type value struct {
	kind       valueKind
	low, high  float64 // of numbers, inclusive
	vocabulary *vocabulary
	refs       *refTarget
	object     *rule
	element    *value // of a list or dictionary
}

// refTarget is the set of object types that a reference may point to.
type refTarget struct {
	text    string // for messages
	any     bool
	classes []class
	names   []string
}

// allows reports whether a reference to an object of the type is right. Types that are not of the standard may be of any
// class; they fail only where the types are named.
func (r *refTarget) allows(typ []byte) bool {
	known := standardTypes[string(typ)]
	switch {
	case known != nil && known.class == classBundle:
		return false
	case r.any:
		return true
	case known == nil && len(r.classes) > 0:
		return true
	case known != nil && slices.Contains(r.classes, known.class):
		return true
	}
	return slices.Contains(r.names, string(typ))
}

// compile makes a rule of a spec. The tables are constant, so a mistake in one is a panic when the program starts.
func compile(s spec, class class) *rule {
	r := &rule{name: s.name, class: class, section: s.section, check: s.check, byName: map[string]int{}}
	if common, ok := commonProperties[class]; ok {
		r.add(common.properties, "3.2", false)
		r.add(common.forbidden, "3.2", true)
		for _, name := range strings.Fields(structuralProperties) {
			if i, ok := r.byName[name]; ok {
				r.properties[i].structural = true
			}
		}
	}
	r.add(s.properties, s.section, false)
	return r
}

// add parses properties separated by whitespace: name, "!" if it is required, ":" and its value.
func (r *rule) add(text, section string, forbidden bool) {
	for _, field := range strings.Fields(text) {
		name, kind, _ := strings.Cut(field, ":")
		p := property{section: section, forbidden: forbidden}
		p.name, p.required = strings.CutSuffix(name, "!")
		if !forbidden {
			p.value = parseValue(kind)
		}
		if p.required {
			r.required = append(r.required, len(r.properties))
		}
		r.byName[p.name] = len(r.properties)
		r.properties = append(r.properties, p)
	}
}

var simpleKinds = map[string]valueKind{
	"any": valueAny, "elsewhere": valueElsewhere, "string": valueString, "bool": valueBool, "time": valueTime, "hex": valueHex, "binary": valueBinary,
	"url": valueURL, "scalar": valueScalar, "lang": valueLanguage, "hashes": valueHashes, "extensions": valueExtensions,
	"container": valueContainer, "translations": valueTranslations,
}

// parseValue reads the notation of a value: [x] is a list of x, {x} an embedded object, @x a vocabulary, dict(x) a
// dictionary with values x, ref(a|b) a reference to an object of type a or b (SDO, SCO, SRO and * name whole classes),
// int(low,high) and float(low,high) bounded numbers.
func parseValue(text string) value {
	if kind, ok := simpleKinds[text]; ok {
		return value{kind: kind}
	}
	name, argument, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	switch {
	case text[0] == '[':
		element := parseValue(text[1 : len(text)-1])
		return value{kind: valueList, element: &element}
	case text[0] == '{' && embeddedTypes[text[1:len(text)-1]] != nil:
		return value{kind: valueObject, object: embeddedTypes[text[1:len(text)-1]]}
	case text[0] == '@' && vocabularies[text[1:]] != nil:
		return value{kind: valueVocabulary, vocabulary: vocabularies[text[1:]]}
	case name == "dict":
		element := parseValue(argument)
		return value{kind: valueDictionary, element: &element}
	case name == "ref":
		return value{kind: valueRef, refs: parseTarget(argument)}
	case name == "int":
		v := value{kind: valueInt, low: -maxInteger, high: maxInteger}
		v.bounds(argument)
		return v
	case name == "float":
		v := value{kind: valueFloat}
		v.bounds(argument)
		return v
	}
	panic(fmt.Sprintf("stix: the table has the unknown kind of value %q", text))
}

// bounds reads "low,high"; an empty bound keeps the default.
func (v *value) bounds(text string) {
	low, high, _ := strings.Cut(text, ",")
	for bound, target := range map[string]*float64{low: &v.low, high: &v.high} {
		if bound == "" {
			continue
		}
		n, err := strconv.ParseFloat(bound, 64)
		if err != nil {
			panic(fmt.Sprintf("stix: the table has the bad bound %q", bound))
		}
		*target = n
	}
}

func parseTarget(text string) *refTarget {
	r := &refTarget{}
	var words []string
	for _, name := range strings.Split(text, "|") {
		switch name {
		case "*":
			r.any = true
			words = append(words, "any object but a bundle")
		case "SDO":
			r.classes = append(r.classes, classSDO)
			words = append(words, "a domain object")
		case "SCO":
			r.classes = append(r.classes, classSCO)
			words = append(words, "a cyber-observable object")
		case "SRO":
			r.classes = append(r.classes, classSRO)
			words = append(words, "a relationship object")
		default:
			r.names = append(r.names, name)
		}
	}
	if len(r.names) > 0 {
		words = append(words, "of type "+alternatives(r.names))
	}
	r.text = alternatives(words)
	return r
}

// alternatives writes "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
