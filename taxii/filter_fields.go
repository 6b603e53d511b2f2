package taxii

import (
	"maps"
	"slices"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// The match fields beyond the four of §3.4.1, which the objects and manifest endpoints take. Their names and meanings are
// those of the TAXII 2.1 Interoperability Test Document where it has them; created_by_ref, created-gte and created-lte are
// ours.
const (
	valueField = "value" // the observable values that an object is or names
	tlpField   = "tlp"   // the TLP level that an object is marked with
)

// textFields are the properties that are matched letter by letter.
var textFields = []string{
	"aliases", "context", "created_by_ref", "identity_class", "indicator_types", "infrastructure_types", "labels", "malware_types",
	"name", "opinion", "pattern", "pattern_type", "primary_motivation", "region", "relationship_type", "report_types",
	"resource_level", "roles", "sectors", "sophistication", "threat_actor_types", "tool_types",
}

// The endings of fields that are bounds of a range.
const (
	atLeastSuffix = "-gte"
	atMostSuffix  = "-lte"
)

// conditionFields are the fields that are conditions on a property, without their values.
var conditionFields = func() map[string]stix.Condition {
	fields := map[string]stix.Condition{"revoked": {Property: "revoked", Type: stix.BooleanProperty}}
	for _, name := range textFields {
		fields[name] = stix.Condition{Property: name, Type: stix.TextProperty}
	}
	for _, name := range []string{"confidence", "confidence-gte", "confidence-lte"} {
		fields[name] = conditionOf(name, stix.IntegerProperty)
	}
	for _, name := range []string{"created-gte", "created-lte", "modified-gte", "modified-lte", "valid_from-lte", "valid_until-gte"} {
		fields[name] = conditionOf(name, stix.TimestampProperty)
	}
	return fields
}()

func conditionOf(field string, t stix.PropertyType) stix.Condition {
	if name, ok := strings.CutSuffix(field, atLeastSuffix); ok {
		return stix.Condition{Property: name, Type: t, Comparison: stix.AtLeast}
	}
	if name, ok := strings.CutSuffix(field, atMostSuffix); ok {
		return stix.Condition{Property: name, Type: t, Comparison: stix.AtMost}
	}
	return stix.Condition{Property: field, Type: t}
}

// fieldOf is the match field of a condition.
func fieldOf(c stix.Condition) string {
	return c.Property + [...]string{stix.EqualTo: "", stix.AtLeast: atLeastSuffix, stix.AtMost: atMostSuffix}[c.Comparison]
}

// contentFields are all fields of this file, in the order in which clients are told them.
var contentFields = append([]string{valueField, tlpField}, slices.Sorted(maps.Keys(conditionFields))...)

// propertyTypes says what the values of a condition must be.
var propertyTypes = [...]string{
	stix.TextProperty:      "a text",
	stix.IntegerProperty:   "an integer",
	stix.BooleanProperty:   "true or false",
	stix.TimestampProperty: "a STIX timestamp, such as 2026-01-31T12:00:00.000Z",
}

// addContent adds a value to one of the fields of this file.
func (m *Match) addContent(field, value string) error {
	switch field {
	case valueField:
		m.Values = append(m.Values, value)
		return nil
	case tlpField:
		level, err := stix.ParseTLP(strings.ReplaceAll(value, " ", "+")) // a plus that was decoded as a space
		if err != nil {
			return badQuery("match[tlp] has %s, which is not one of clear, green, amber, amber+strict, red.", quote(value))
		}
		m.TLPs = append(m.TLPs, level)
		return nil
	}
	c := conditionFields[field]
	c.Values = []string{value}
	if c.Check() != nil {
		return badQuery("match[%s] has %s, which is not %s.", field, quote(value), propertyTypes[c.Type])
	}
	i := slices.IndexFunc(m.Conditions, func(o stix.Condition) bool { return fieldOf(o) == field })
	switch {
	case i < 0:
		m.Conditions = append(m.Conditions, c)
	case c.Comparison != stix.EqualTo:
		return badQuery("match[%s] has several values; it takes one.", field)
	default:
		m.Conditions[i].Values = append(m.Conditions[i].Values, value)
	}
	return nil
}

// fieldValues is a field of this file with its values as text, for page tokens.
type fieldValues struct {
	field  string
	values []string
}

// content lists what m has of the fields of this file.
func (m *Match) content() (list []fieldValues) {
	if len(m.Values) > 0 {
		list = append(list, fieldValues{valueField, m.Values})
	}
	if len(m.TLPs) > 0 {
		levels := fieldValues{field: tlpField}
		for _, level := range m.TLPs {
			levels.values = append(levels.values, level.String())
		}
		list = append(list, levels)
	}
	for _, c := range m.Conditions {
		list = append(list, fieldValues{fieldOf(c), c.Values})
	}
	return list
}

// mergeContent takes from other the fields of this file that m does not have.
func (m *Match) mergeContent(other Match) {
	if m.Values == nil {
		m.Values = other.Values
	}
	if m.TLPs == nil {
		m.TLPs = other.TLPs
	}
	own := m.Conditions
	for _, c := range other.Conditions {
		if !slices.ContainsFunc(own, func(o stix.Condition) bool { return fieldOf(o) == fieldOf(c) }) {
			m.Conditions = append(m.Conditions[:len(m.Conditions):len(m.Conditions)], c)
		}
	}
}

// commas are the values and, for those with %2C in them, the same with commas. Lists are cut at commas, and clients encode
// the commas of their lists; so a comma that belongs to a value is encoded twice in a URL, and %2C is what arrives.
func commas(values []string) []string {
	all := slices.Clone(values)
	for _, v := range values {
		if with := strings.ReplaceAll(strings.ReplaceAll(v, "%2C", ","), "%2c", ","); with != v {
			all = append(all, with)
		}
	}
	return all
}

// observableValues are the values of match[value] as a Query has them.
func (m *Match) observableValues() []string {
	if len(m.Values) == 0 {
		return nil
	}
	values := commas(m.Values)
	for i, v := range values {
		values[i] = stix.CanonicalValue(v)
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// conditions are the conditions as a Query has them.
func (m *Match) conditions() []stix.Condition {
	list := slices.Clone(m.Conditions)
	for i, c := range list {
		if c.Type == stix.TextProperty {
			list[i].Values = commas(c.Values)
		}
	}
	return list
}
