package pattern

import "encoding/hex"

// Observable is a value that a pattern looks for by equality.
type Observable struct {
	// ObjectType is the type that the object path begins with, such as ipv4-addr.
	ObjectType string
	// Path is the rest of the object path as it stands in a pattern, with quotes only where they are needed:
	// value, hashes.'SHA-256', extensions.'windows-pebinary-ext'.imphash.
	Path string
	// Kind is the data type of the constant.
	Kind ConstantKind
	// Value is the constant: the string itself, octets in hex, other kinds as they are written.
	Value string
}

// Observables lists the values that the pattern compares with = or IN, each once, in the order of the text.
//
// With complex false they say all that the pattern says: it matches an observation if and only if some object in it has
// one of these values. That holds for one comparison and for any number of them joined by OR, which is what most
// published indicators are. With complex true there is more to it (AND, NOT, another operator, a qualifier): then the
// values help to find the pattern, but one of them alone must not be blocked or alerted on. A pattern without such a
// value gives none, and is complex.
func (p *Pattern) Observables() (values []Observable, complex bool) {
	c := collector{seen: map[Observable]struct{}{}}
	c.observations(p.root)
	return c.values, c.complex
}

type collector struct {
	values  []Observable
	seen    map[Observable]struct{}
	complex bool
}

func (c *collector) observations(e ObservationExpression) {
	switch e := e.(type) {
	case *Observation:
		c.comparisons(e.Comparison)
	case *Qualified:
		c.complex = true
		c.observations(e.Operand)
	case *Combination:
		if e.Operator != EitherObservation {
			c.complex = true
		}
		for _, operand := range e.Operands {
			c.observations(operand)
		}
	}
}

func (c *collector) comparisons(e ComparisonExpression) {
	switch e := e.(type) {
	case *Comparison:
		c.comparison(e)
	case *Junction:
		if e.Operator != Or {
			c.complex = true
		}
		for _, operand := range e.Operands {
			c.comparisons(operand)
		}
	}
}

func (c *collector) comparison(e *Comparison) {
	equal := e.Operator == Equal && !e.Negated || e.Operator == NotEqual && e.Negated || e.Operator == In && !e.Negated
	if !equal {
		c.complex = true
		return
	}
	path := string(appendSteps(nil, e.Path.Steps))
	for _, v := range e.Values {
		o := Observable{ObjectType: e.Path.ObjectType, Path: path, Kind: v.Kind, Value: v.Text}
		if v.class() == Binary {
			o.Value = hex.EncodeToString([]byte(v.Text))
		}
		if _, ok := c.seen[o]; !ok {
			c.seen[o] = struct{}{}
			c.values = append(c.values, o)
		}
	}
}
