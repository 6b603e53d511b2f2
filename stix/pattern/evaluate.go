package pattern

import (
	"strings"
)

// truth is the result of a comparison. It is unknown where a MATCHES could not be carried out.
type truth uint8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth { return yes - t }

// evaluator holds comparison expressions against the objects of one observation.
type evaluator struct {
	observation *observation
	meter       *meter
	// unsupported names a construct that made a result unknown.
	unsupported string
	// frontier and next are the values reached so far in the walk along a path.
	frontier, next []*value
}

// matches tells whether some object of the observation satisfies the expression. All its comparisons start at that one
// object (§9.5).
func (e *evaluator) matches(c ComparisonExpression) truth {
	best := no
	for _, object := range e.observation.roots {
		if best = max(best, e.evaluate(c, object)); best == yes || e.meter.exhausted() {
			break
		}
	}
	return best
}

func (e *evaluator) evaluate(c ComparisonExpression, object *value) truth {
	switch c := c.(type) {
	case *Comparison:
		return e.compare(c, object)
	case *Junction:
		return e.junction(c, object)
	}
	return no
}

// junction is the minimum of the operands for AND, the maximum for OR.
func (e *evaluator) junction(j *Junction, object *value) truth {
	result, decisive := yes, no
	if j.Operator == Or {
		result, decisive = no, yes
	}
	for _, operand := range j.Operands {
		t := e.evaluate(operand, object)
		if j.Operator == Or {
			result = max(result, t)
		} else {
			result = min(result, t)
		}
		if result == decisive {
			break
		}
	}
	return result
}

// compare walks the path from the object and tests each value there. One that satisfies the comparison is enough
// (§9.7.2); a path that leads nowhere is false whatever the operator (§9.6), except for NOT EXISTS.
func (e *evaluator) compare(c *Comparison, object *value) truth {
	if object.str("type") != c.Path.ObjectType {
		return no
	}
	values := e.walk(c.Path, object)
	if c.Operator == Exists {
		return truthOf((len(values) > 0) != c.Negated)
	}
	encoding := encodingOf(c.Path)
	result := no
	for _, v := range values {
		t := e.test(c, v, encoding)
		if c.Negated {
			t = t.not()
		}
		if result = max(result, t); result == yes {
			break
		}
	}
	if e.meter.exhausted() {
		return no
	}
	return result
}

// walk returns the values at the end of a path. References are followed where a step goes beyond them. The result is
// valid until the next walk.
func (e *evaluator) walk(path Path, object *value) []*value {
	e.frontier = append(e.frontier[:0], object)
	reference := false
	for _, step := range path.Steps {
		e.next = e.next[:0]
		for _, v := range e.frontier {
			if !e.meter.spend(1 + len(v.inside)) {
				return nil
			}
			e.step(step, v, reference)
		}
		if step.Kind == Property {
			reference = strings.HasSuffix(step.Name, "_ref") || strings.HasSuffix(step.Name, "_refs")
		}
		e.frontier, e.next = e.next, e.frontier
		if reference && len(e.frontier) > 1 {
			e.frontier = distinct(e.frontier)
		}
	}
	return e.frontier
}

// step adds what one step from v leads to.
func (e *evaluator) step(step Step, v *value, reference bool) {
	switch step.Kind {
	case Property:
		if reference && v.kind == '"' {
			v = e.observation.objects[v.text]
		}
		if m := v.member(step.Name); m != nil {
			e.next = append(e.next, m)
		}
	case Index:
		if v.kind == '[' && step.Index < int64(len(v.inside)) && v.inside[step.Index].kind != 'n' {
			e.next = append(e.next, &v.inside[step.Index])
		}
	case AnyIndex:
		if v.kind != '[' {
			return
		}
		for i := range v.inside {
			if v.inside[i].kind != 'n' {
				e.next = append(e.next, &v.inside[i])
			}
		}
	}
}

// distinct drops references to an object that is referred to before, so that a walk through objects which all refer to
// each other visits each once per step instead of once per way to it.
func distinct(values []*value) []*value {
	seen := make(map[string]struct{}, len(values))
	kept := values[:0]
	for _, v := range values {
		if v.kind == '"' {
			if _, ok := seen[v.text]; ok {
				continue
			}
			seen[v.text] = struct{}{}
		}
		kept = append(kept, v)
	}
	return kept
}
