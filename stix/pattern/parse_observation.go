package pattern

import "fmt"

// observations reads expressions joined by op and by all operators that bind tighter: FOLLOWEDBY, then OR, then AND
// (§9.5.3). A chain of one operator becomes one Combination.
func (p *parser) observations(op ObservationOperator) (ObservationExpression, error) {
	operand := func() (ObservationExpression, error) {
		if op == BothObservations {
			return p.qualified()
		}
		return p.observations(op + 1)
	}
	first, err := operand()
	if err != nil || !p.isKeyword(op.String()) {
		return first, err
	}
	operands := []ObservationExpression{first}
	for p.isKeyword(op.String()) {
		if err := p.advance(); err != nil {
			return nil, err
		}
		next, err := operand()
		if err != nil {
			return nil, err
		}
		operands = append(operands, next)
	}
	return &Combination{Operator: op, Operands: operands}, nil
}

// qualified reads one observation expression, bracketed or in parentheses, and the qualifiers after it.
func (p *parser) qualified() (ObservationExpression, error) {
	expression, err := p.observation()
	if err != nil {
		return nil, err
	}
	var seen qualifierSet
	for {
		at := p.tok.start
		q, err := p.qualifier()
		if err != nil {
			return nil, err
		}
		if q == nil {
			return expression, nil
		}
		if !seen.add(q) {
			return nil, p.fail(at, "an expression has at most one qualifier of each kind (§9.5.1)")
		}
		if err := p.countTerm(); err != nil {
			return nil, err
		}
		expression = &Qualified{Operand: expression, Qualifier: q}
	}
}

func (p *parser) observation() (ObservationExpression, error) {
	switch {
	case p.isPunctuation("("):
		if err := p.enter(); err != nil {
			return nil, err
		}
		inner, err := p.observations(FollowedBy)
		if err != nil {
			return nil, err
		}
		return inner, p.leave()
	case p.isPunctuation("["):
		if err := p.advance(); err != nil {
			return nil, err
		}
		comparison, _, err := p.alternatives()
		if err != nil {
			return nil, err
		}
		return &Observation{Comparison: comparison}, p.takePunctuation("]")
	}
	return nil, p.expected("'[' or '('")
}

// qualifierSet remembers which kinds of qualifiers an expression has.
type qualifierSet struct{ repeats, within, startStop bool }

func (s *qualifierSet) add(q Qualifier) bool {
	seen := &s.repeats
	switch q.(type) {
	case Within:
		seen = &s.within
	case StartStop:
		seen = &s.startStop
	}
	if *seen {
		return false
	}
	*seen = true
	return true
}

// qualifier reads a qualifier, nil if the current token begins none.
func (p *parser) qualifier() (Qualifier, error) {
	if p.tok.kind != tokenName {
		return nil, nil
	}
	switch p.word() {
	case "REPEATS":
		n, err := p.positive("REPEATS", "TIMES", true)
		return Repeats{Times: int64(n.Number)}, err
	case "WITHIN":
		n, err := p.positive("WITHIN", "SECONDS", false)
		return Within{Seconds: n}, err
	case "START":
		return p.startStop()
	}
	return nil, nil
}

// positive reads a keyword, a positive number and the unit after it.
func (p *parser) positive(keyword, unit string, integer bool) (Constant, error) {
	if err := p.advance(); err != nil {
		return Constant{}, err
	}
	at := p.tok.start
	if p.tok.kind != tokenNumber {
		return Constant{}, p.expected("a positive number after " + keyword)
	}
	n, err := p.constant()
	if err != nil {
		return Constant{}, err
	}
	if n.Number <= 0 || integer && n.Kind != Integer {
		what := "number"
		if integer {
			what = "integer"
		}
		return Constant{}, p.fail(at, fmt.Sprintf("%s needs a positive %s (§9.5.1)", keyword, what))
	}
	return n, p.takeKeyword(unit)
}

func (p *parser) startStop() (Qualifier, error) {
	var q StartStop
	if err := p.advance(); err != nil {
		return nil, err
	}
	start, err := p.timestamp("START")
	if err != nil {
		return nil, err
	}
	if err := p.takeKeyword("STOP"); err != nil {
		return nil, err
	}
	stop, err := p.timestamp("STOP")
	q.Start, q.Stop = start.Time, stop.Time
	return q, err
}

func (p *parser) timestamp(after string) (Constant, error) {
	if p.tok.kind != tokenTimestamp {
		return Constant{}, p.expected("a timestamp constant t'…' after " + after)
	}
	return p.constant()
}
