package pattern

import (
	"github.com/skjold-exchange/skjold/stix"
)

// Pattern is a valid STIX pattern. It is immutable and may be used by several goroutines at once.
type Pattern struct {
	text string
	root ObservationExpression
}

// Text returns the pattern as it was given to Parse.
func (p *Pattern) Text() string { return p.text }

// Root returns the syntax tree. The caller must not change it.
func (p *Pattern) Root() ObservationExpression { return p.root }

// ObservationExpression is what matches observations (§9.5): an *Observation, a *Combination or a *Qualified.
type ObservationExpression interface{ observationExpression() }

// Observation is a bracketed expression, [ … ], that is held against one observation.
type Observation struct {
	Comparison ComparisonExpression
}

// Combination joins two or more observation expressions, which must match on different observations (§9.5.2).
type Combination struct {
	Operator ObservationOperator
	Operands []ObservationExpression
}

// ObservationOperator is an operator between observation expressions, ordered from the loosest to the tightest.
type ObservationOperator uint8

// The observation operators.
const (
	FollowedBy ObservationOperator = iota
	EitherObservation
	BothObservations
)

// String returns the keyword of the operator.
func (o ObservationOperator) String() string {
	return [...]string{"FOLLOWEDBY", "OR", "AND"}[o]
}

// Qualified is an observation expression with a qualifier after it (§9.5.1).
type Qualified struct {
	Operand   ObservationExpression
	Qualifier Qualifier
}

// Qualifier restricts how often or when an expression matches: a Repeats, Within or StartStop.
type Qualifier interface{ qualifier() }

// Repeats is REPEATS n TIMES: shorthand for n copies of the expression joined by AND.
type Repeats struct {
	// Times is at least 1.
	Times int64
}

// Within is WITHIN n SECONDS: the latest matched observation is earlier than the earliest plus n seconds.
type Within struct {
	// Seconds is a positive integer or float constant.
	Seconds Constant
}

// StartStop is START x STOP y: every matched observation has a time t with x <= t < y.
type StartStop struct {
	Start, Stop stix.Timestamp
}

// ComparisonExpression is what holds of one object of an observation (§9.6): a *Comparison or a *Junction.
type ComparisonExpression interface{ comparisonExpression() }

// Junction joins two or more comparison expressions by AND or OR.
type Junction struct {
	Operator BooleanOperator
	Operands []ComparisonExpression
}

// BooleanOperator is an operator between comparison expressions, ordered from the looser to the tighter.
type BooleanOperator uint8

// The Boolean operators.
const (
	Or BooleanOperator = iota
	And
)

// String returns the keyword of the operator.
func (o BooleanOperator) String() string {
	return [...]string{"OR", "AND"}[o]
}

// Comparison compares the value at an object path with constants.
type Comparison struct {
	Path     Path
	Negated  bool // NOT stands before the operator
	Operator Operator
	// Values holds the constants: none for Exists, one or more for In, one for all others.
	Values []Constant

	operand *operand
}

// Operator is a comparison operator (§9.6.1).
type Operator uint8

// The comparison operators.
const (
	Equal Operator = iota
	NotEqual
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
	In
	Like
	Matches
	IsSubset
	IsSuperset
	Exists
)

// String returns the operator as it is written in a pattern.
func (o Operator) String() string {
	return [...]string{"=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS"}[o]
}

// Path is an object path (§9.7): an object type and the steps to a property.
type Path struct {
	ObjectType string
	Steps      []Step
}

// Step is one step of an object path.
type Step struct {
	Kind StepKind
	// Name is the property name or dictionary key of a Property step, without quotes.
	Name string
	// Index is the position of an Index step, from 0.
	Index int64
}

// StepKind tells the steps of a path apart.
type StepKind uint8

// The kinds of steps: a name, [n] and [*].
const (
	Property StepKind = iota
	Index
	AnyIndex
)

func (*Observation) observationExpression() {}
func (*Combination) observationExpression() {}
func (*Qualified) observationExpression()   {}

func (Repeats) qualifier()   {}
func (Within) qualifier()    {}
func (StartStop) qualifier() {}

func (*Comparison) comparisonExpression() {}
func (*Junction) comparisonExpression()   {}
