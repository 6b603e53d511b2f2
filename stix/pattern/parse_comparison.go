package pattern

import (
	"fmt"
	"slices"
	"strings"
)

// objectTypes are the object types of which some object can satisfy an expression, sorted.
type objectTypes []string

// alternatives reads comparison expressions joined by OR and AND; AND binds tighter (§9.5.3).
func (p *parser) alternatives() (ComparisonExpression, objectTypes, error) {
	first, types, err := p.conjunction()
	if err != nil || !p.isKeyword("OR") {
		return first, types, err
	}
	operands, all := []ComparisonExpression{first}, slices.Clone(types)
	for p.isKeyword("OR") {
		if err := p.advance(); err != nil {
			return nil, nil, err
		}
		next, types, err := p.conjunction()
		if err != nil {
			return nil, nil, err
		}
		operands = append(operands, next)
		if len(types) > 1 || types[0] != all[len(all)-1] {
			all = append(all, types...)
		}
	}
	slices.Sort(all)
	return &Junction{Operator: Or, Operands: operands}, slices.Compact(all), nil
}

// conjunction reads comparison expressions joined by AND and checks that one object can satisfy them all (§9.5).
func (p *parser) conjunction() (ComparisonExpression, objectTypes, error) {
	first, types, err := p.comparison()
	if err != nil || !p.isKeyword("AND") {
		return first, types, err
	}
	operands := []ComparisonExpression{first}
	for p.isKeyword("AND") {
		at := p.tok.start
		if err := p.advance(); err != nil {
			return nil, nil, err
		}
		next, more, err := p.comparison()
		if err != nil {
			return nil, nil, err
		}
		operands = append(operands, next)
		if types = types.intersect(more); len(types) == 0 {
			return nil, nil, p.fail(at, "AND joins comparisons of different object types, which no one object can satisfy (§9.5)")
		}
	}
	return &Junction{Operator: And, Operands: operands}, types, nil
}

func (t objectTypes) intersect(u objectTypes) objectTypes {
	if slices.Equal(t, u) {
		return t
	}
	var both objectTypes
	for _, s := range t {
		if _, ok := slices.BinarySearch(u, s); ok {
			both = append(both, s)
		}
	}
	return both
}

// comparison reads one comparison, or an expression in parentheses.
func (p *parser) comparison() (ComparisonExpression, objectTypes, error) {
	if p.isPunctuation("(") {
		if err := p.enter(); err != nil {
			return nil, nil, err
		}
		inner, types, err := p.alternatives()
		if err != nil {
			return nil, nil, err
		}
		return inner, types, p.leave()
	}
	if err := p.countTerm(); err != nil {
		return nil, nil, err
	}
	// The one-element type list shares the comparison's allocation.
	c := &struct {
		Comparison
		types [1]string
	}{}
	if err := p.exists(&c.Comparison); err != nil {
		return nil, nil, err
	}
	if err := p.path(&c.Path); err != nil {
		return nil, nil, err
	}
	if c.Operator != Exists {
		if err := p.operation(&c.Comparison); err != nil {
			return nil, nil, err
		}
	}
	c.types[0] = c.Path.ObjectType
	return &c.Comparison, c.types[:], nil
}

// exists reads EXISTS or NOT EXISTS, the only operator that stands before the path.
func (p *parser) exists(c *Comparison) error {
	if p.isKeyword("NOT") {
		if err := p.advance(); err != nil {
			return err
		}
		c.Negated = true
		if !p.isKeyword("EXISTS") {
			return p.expected("EXISTS (before any other operator NOT stands after the object path)")
		}
	}
	if !p.isKeyword("EXISTS") {
		return nil
	}
	c.Operator = Exists
	return p.advance()
}

// operation reads NOT, the operator and its constants.
func (p *parser) operation(c *Comparison) (err error) {
	if c.Negated = p.isKeyword("NOT"); c.Negated {
		if err := p.advance(); err != nil {
			return err
		}
	}
	at := p.tok.start
	var ok bool
	if c.Operator, ok = operatorOf(p.word()); !ok || p.tok.kind > tokenName {
		return p.expected("a comparison operator")
	}
	if err := p.advance(); err != nil {
		return err
	}
	if c.Operator == In {
		c.Values, err = p.set()
		return err
	}
	constantAt := p.tok.start
	value, err := p.constant()
	if err != nil {
		return err
	}
	if message := checkOperand(c.Operator, value.Kind); message != "" {
		return p.fail(at, message)
	}
	if c.operand, err = operandOf(c.Operator, value, p.limits); err != nil {
		return p.fail(constantAt, err.Error())
	}
	c.Values = []Constant{value}
	return nil
}

func operatorOf(word string) (Operator, bool) {
	switch word {
	case "=":
		return Equal, true
	case "!=":
		return NotEqual, true
	case "<":
		return Less, true
	case "<=":
		return LessOrEqual, true
	case ">":
		return Greater, true
	case ">=":
		return GreaterOrEqual, true
	case "IN":
		return In, true
	case "LIKE":
		return Like, true
	case "MATCHES":
		return Matches, true
	case "ISSUBSET":
		return IsSubset, true
	case "ISSUPERSET":
		return IsSuperset, true
	}
	return 0, false
}

// checkOperand returns why an operator does not take a constant of this kind, "" if it does.
func checkOperand(o Operator, kind ConstantKind) string {
	switch {
	case o >= Like && kind != String:
		return fmt.Sprintf("%s takes a string constant, not %s (§9.6.1)", o, kind)
	case o >= Less && o <= GreaterOrEqual && kind == Boolean:
		return fmt.Sprintf("%s needs values with an order; booleans have none", o)
	}
	return ""
}

// set reads the constants of IN, which are of one data type (§9.6.1). Integers and floats may be mixed, as may hex and
// binary: they are two notations of the same values.
func (p *parser) set() ([]Constant, error) {
	if err := p.takePunctuation("("); err != nil {
		return nil, err
	}
	var values []Constant
	for {
		at := p.tok.start
		c, err := p.constant()
		if err != nil {
			return nil, err
		}
		if len(values) > 0 {
			if c.class() != values[0].class() {
				return nil, p.fail(at, fmt.Sprintf("the constants of IN are of one data type; this set begins with %s and goes on with %s (§9.6.1)", values[0].Kind, c.Kind))
			}
			if err := p.countTerm(); err != nil {
				return nil, err
			}
		}
		values = append(values, c)
		if !p.isPunctuation(",") {
			break
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if !p.isPunctuation(")") {
		return nil, p.expected("',' or ')'")
	}
	return values, p.advance()
}

// path reads an object path (§9.7).
func (p *parser) path(path *Path) error {
	if p.tok.kind != tokenName || isReserved(p.word()) {
		return p.expected("an object path such as file:name")
	}
	path.ObjectType = p.word()
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.takePunctuation(":"); err != nil {
		return err
	}
	step, err := p.property()
	if err != nil {
		return err
	}
	path.Steps = append(make([]Step, 0, 2), step)
	for {
		switch {
		case p.isPunctuation("."):
			if err := p.advance(); err != nil {
				return err
			}
			step, err = p.property()
		case p.isPunctuation("["):
			step, err = p.index()
		default:
			return nil
		}
		if err != nil {
			return err
		}
		if path.Steps = append(path.Steps, step); len(path.Steps) > p.limits.Depth {
			return p.fail(p.tok.start, fmt.Sprintf("this object path has more than %d steps", p.limits.Depth))
		}
	}
}

// property reads a property name or dictionary key. One with a hyphen or a full stop, and any that is not made of
// letters, digits and underscores, stands between apostrophes.
func (p *parser) property() (Step, error) {
	switch p.tok.kind {
	case tokenString:
		if p.word() == "''" {
			return Step{}, p.fail(p.tok.start, "a property name is not empty")
		}
		name, err := p.constant()
		return Step{Kind: Property, Name: name.Text}, err
	case tokenName:
		name := p.word()
		if isReserved(name) || strings.IndexByte(name, '-') >= 0 {
			return Step{}, p.fail(p.tok.start, fmt.Sprintf("the property name %s needs apostrophes around it (§9.7)", excerpt(name)))
		}
		return Step{Kind: Property, Name: name}, p.advance()
	}
	return Step{}, p.expected("a property name")
}

// index reads [n] or [*].
func (p *parser) index() (Step, error) {
	if err := p.advance(); err != nil {
		return Step{}, err
	}
	step := Step{Kind: AnyIndex}
	if !p.isPunctuation("*") {
		at := p.tok.start
		if p.tok.kind != tokenNumber {
			return Step{}, p.expected("a list index or *")
		}
		n, err := p.constant()
		if err != nil {
			return Step{}, err
		}
		if n.Kind != Integer || n.Text[0] == '-' {
			return Step{}, p.fail(at, "a list index is an integer from 0 (§9.7.2)")
		}
		return Step{Kind: Index, Index: int64(n.Number)}, p.takePunctuation("]")
	}
	if err := p.advance(); err != nil {
		return Step{}, err
	}
	return step, p.takePunctuation("]")
}
