package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// String writes the pattern with single spaces, no needless parentheses and no needless quotes. The result parses to
// the same tree.
func (p *Pattern) String() string {
	b := make([]byte, 0, len(p.text)+16)
	return string(appendObservations(b, p.root, FollowedBy))
}

// appendObservations writes e where only operators that bind at least as tightly as place may stand without parentheses.
func appendObservations(b []byte, e ObservationExpression, place ObservationOperator) []byte {
	switch e := e.(type) {
	case *Observation:
		b = append(b, '[')
		b = appendComparisons(b, e.Comparison, Or)
		return append(b, ']')
	case *Qualified:
		b = appendOperand(b, e)
		return appendQualifier(b, e.Qualifier)
	case *Combination:
		if e.Operator < place {
			b = append(b, '(')
			b = appendObservations(b, e, FollowedBy)
			return append(b, ')')
		}
		for i, operand := range e.Operands {
			if i > 0 {
				b = append(b, ' ')
				b = append(b, e.Operator.String()...)
				b = append(b, ' ')
			}
			b = appendObservations(b, operand, e.Operator+1)
		}
	}
	return b
}

// appendOperand writes what a qualifier applies to. A second qualifier of one kind on one expression needs parentheses.
func appendOperand(b []byte, e *Qualified) []byte {
	var seen qualifierSet
	seen.add(e.Qualifier)
	inner, free := e.Operand, true
	for {
		q, ok := inner.(*Qualified)
		if !ok {
			break
		}
		free = free && seen.add(q.Qualifier)
		inner = q.Operand
	}
	_, combined := e.Operand.(*Combination)
	if free && !combined {
		return appendObservations(b, e.Operand, BothObservations)
	}
	b = append(b, '(')
	b = appendObservations(b, e.Operand, FollowedBy)
	return append(b, ')')
}

func appendQualifier(b []byte, q Qualifier) []byte {
	switch q := q.(type) {
	case Repeats:
		b = append(b, " REPEATS "...)
		b = strconv.AppendInt(b, q.Times, 10)
		b = append(b, " TIMES"...)
	case Within:
		b = append(b, " WITHIN "...)
		b = append(b, q.Seconds.Text...)
		b = append(b, " SECONDS"...)
	case StartStop:
		b = append(b, " START t'"...)
		b = append(b, q.Start.String()...)
		b = append(b, "' STOP t'"...)
		b = append(b, q.Stop.String()...)
		b = append(b, '\'')
	}
	return b
}

func appendComparisons(b []byte, e ComparisonExpression, place BooleanOperator) []byte {
	switch e := e.(type) {
	case *Comparison:
		return appendComparison(b, e)
	case *Junction:
		if e.Operator < place {
			b = append(b, '(')
			b = appendComparisons(b, e, Or)
			return append(b, ')')
		}
		for i, operand := range e.Operands {
			if i > 0 {
				b = append(b, ' ')
				b = append(b, e.Operator.String()...)
				b = append(b, ' ')
			}
			b = appendComparisons(b, operand, e.Operator+1)
		}
	}
	return b
}

func appendComparison(b []byte, c *Comparison) []byte {
	if c.Operator == Exists {
		if c.Negated {
			b = append(b, "NOT "...)
		}
		b = append(b, "EXISTS "...)
		return c.Path.append(b)
	}
	b = c.Path.append(b)
	if c.Negated {
		b = append(b, " NOT"...)
	}
	b = append(b, ' ')
	b = append(b, c.Operator.String()...)
	b = append(b, ' ')
	if c.Operator != In {
		return c.Values[0].append(b)
	}
	b = append(b, '(')
	for i, v := range c.Values {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = v.append(b)
	}
	return append(b, ')')
}

// String writes the constant as it stands in a pattern.
func (c Constant) String() string { return string(c.append(nil)) }

func (c Constant) append(b []byte) []byte {
	switch c.Kind {
	case String:
		return appendQuoted(b, c.Text)
	case Binary:
		b = append(b, "b'"...)
		b = base64.StdEncoding.AppendEncode(b, []byte(c.Text))
		return append(b, '\'')
	case Hex:
		b = append(b, "h'"...)
		b = hex.AppendEncode(b, []byte(c.Text))
		return append(b, '\'')
	case Timestamp:
		b = append(b, "t'"...)
		b = append(b, c.Text...)
		return append(b, '\'')
	}
	return append(b, c.Text...)
}

// String writes the path as it stands in a pattern, object type included.
func (p Path) String() string { return string(p.append(nil)) }

func (p Path) append(b []byte) []byte {
	b = append(b, p.ObjectType...)
	b = append(b, ':')
	return appendSteps(b, p.Steps)
}

// appendSteps writes the part of a path after the colon. Only names that need them get quotes.
func appendSteps(b []byte, steps []Step) []byte {
	for i, s := range steps {
		switch s.Kind {
		case Property:
			if i > 0 {
				b = append(b, '.')
			}
			if isPlainName(s.Name) {
				b = append(b, s.Name...)
			} else {
				b = appendQuoted(b, s.Name)
			}
		case Index:
			b = append(b, '[')
			b = strconv.AppendInt(b, s.Index, 10)
			b = append(b, ']')
		case AnyIndex:
			b = append(b, "[*]"...)
		}
	}
	return b
}

func isPlainName(name string) bool {
	for i := range len(name) {
		if !isNameStart(name[i]) && (i == 0 || !isDigit(name[i])) {
			return false
		}
	}
	return name != "" && !isReserved(name)
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '\'')
	for {
		i := strings.IndexAny(s, `'\`)
		if i < 0 {
			break
		}
		b = append(b, s[:i]...)
		b = append(b, '\\', s[i])
		s = s[i+1:]
	}
	b = append(b, s...)
	return append(b, '\'')
}
