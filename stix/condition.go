package stix

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// PropertyType is how the values of a Condition are compared.
type PropertyType uint8

// The types.
const (
	// TextProperty is a string, or a list of strings of which any one counts; compared letter by letter.
	TextProperty PropertyType = iota
	// IntegerProperty is an integer (§2.10: 1.0 is one).
	IntegerProperty
	// BooleanProperty is true or false; an absent one counts as false, which is the default of every boolean property of
	// the standard.
	BooleanProperty
	// TimestampProperty is a timestamp (§2.16), compared as an instant.
	TimestampProperty
)

// Comparison is what a Condition demands of a property.
type Comparison uint8

// The comparisons.
const (
	EqualTo Comparison = iota // one of the values
	AtLeast                   // the value or more, or later
	AtMost                    // the value or less, or earlier
)

// Condition restricts a property at the top of an object. A property that is absent, or of another type than the condition
// expects, satisfies none (but see BooleanProperty).
type Condition struct {
	Property   string
	Type       PropertyType
	Comparison Comparison
	// Values are one or more for EqualTo and exactly one for the others, as they would stand in an object, without quotes.
	Values []string
}

// Check says what is wrong with the condition's values, nil for nothing.
func (c Condition) Check() error {
	_, err := c.compile()
	return err
}

// Conditions are conditions that an object must satisfy all.
type Conditions struct{ list []compiledCondition }

type compiledCondition struct {
	Condition
	integers []float64
	times    []Timestamp
	truths   [2]bool // which of false and true are wanted
}

// CompileConditions prepares conditions; the error is that of Condition.Check. None are satisfied by every object.
func CompileConditions(list []Condition) (*Conditions, error) {
	all := new(Conditions)
	for _, c := range list {
		compiled, err := c.compile()
		if err != nil {
			return nil, err
		}
		all.list = append(all.list, compiled)
	}
	return all, nil
}

func (c Condition) compile() (compiledCondition, error) {
	out := compiledCondition{Condition: c}
	if len(c.Values) == 0 || c.Comparison != EqualTo && len(c.Values) > 1 {
		return out, fmt.Errorf("%s takes one value, not %d", c.Property, len(c.Values))
	}
	for _, v := range c.Values {
		switch c.Type {
		case IntegerProperty:
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return out, fmt.Errorf("%q is not an integer", v)
			}
			out.integers = append(out.integers, float64(n))
		case TimestampProperty:
			t, err := ParseTimestamp(v)
			if err != nil {
				return out, fmt.Errorf("%q is not a STIX timestamp, such as 2026-01-31T12:00:00.000Z", v)
			}
			out.times = append(out.times, t)
		case BooleanProperty:
			if v != "true" && v != "false" {
				return out, fmt.Errorf("%q is neither true nor false", v)
			}
			out.truths[bit(v == "true")] = true
		}
	}
	return out, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Hold reports whether an object, as it was received, satisfies all the conditions. What is no JSON object satisfies none.
func (c *Conditions) Hold(raw []byte) bool {
	if len(c.list) == 0 {
		return true
	}
	t := trees.Get().(*tree)
	defer t.release()
	if t.parseAll(raw, DefaultLimits().Depth) != nil || t.nodes[0].kind != kindObject {
		return false
	}
	for i := range c.list {
		if !c.list[i].holds(t) {
			return false
		}
	}
	return true
}

func (c *compiledCondition) holds(t *tree) bool {
	i := t.member(0, c.Property)
	if c.Type == BooleanProperty {
		return c.truths[bit(i > 0 && t.nodes[i].kind == kindTrue)]
	}
	if i == 0 {
		return false
	}
	n := &t.nodes[i]
	switch {
	case c.Type == TextProperty && n.kind == kindString:
		return slices.Contains(c.Values, t.text(i))
	case c.Type == TextProperty && n.kind == kindArray:
		for e := i + 1; e < int(n.end); e = int(t.nodes[e].end) {
			if t.nodes[e].kind == kindString && slices.Contains(c.Values, t.text(e)) {
				return true
			}
		}
	case c.Type == IntegerProperty && n.kind == kindNumber:
		v, err := strconv.ParseFloat(string(t.src[n.start:n.stop]), 64)
		return err == nil && slices.ContainsFunc(c.integers, func(w float64) bool { return c.accepts(cmp.Compare(v, w)) })
	case c.Type == TimestampProperty:
		v := t.timestamp(i)
		return !v.IsZero() && slices.ContainsFunc(c.times, func(w Timestamp) bool { return c.accepts(v.Compare(w)) })
	}
	return false
}

// accepts judges the order of an object's value and the condition's.
func (c *compiledCondition) accepts(order int) bool {
	return order == 0 || c.Comparison == AtLeast && order > 0 || c.Comparison == AtMost && order < 0
}
