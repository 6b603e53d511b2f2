package pattern

import "github.com/skjold-exchange/skjold/stix"

// Times returns the START and STOP times of a pattern's qualifiers (§9.5.1) in reading order, one of each for every such
// qualifier, and nothing of a text that is no pattern. It has the shape of stix.Options.PatternTimes.
func Times(text string) (start, stop []stix.Timestamp) {
	p, err := Parse(text)
	if err != nil {
		return nil, nil
	}
	var walk func(ObservationExpression)
	walk = func(e ObservationExpression) {
		switch e := e.(type) {
		case *Combination:
			for _, operand := range e.Operands {
				walk(operand)
			}
		case *Qualified:
			if q, ok := e.Qualifier.(StartStop); ok {
				start, stop = append(start, q.Start), append(stop, q.Stop)
			}
			walk(e.Operand)
		}
	}
	walk(p.Root())
	return start, stop
}
