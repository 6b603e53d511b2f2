package federation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// Metadata is the metadata claim of an entity statement (OpenID Federation 1.0 §3.1.1, §5): the JSON values of metadata
// parameters by entity type identifier and parameter name. The values are texts of a payload that was read strictly.
type Metadata map[string]map[string]json.RawMessage

// MetadataPolicy is the metadata_policy claim of a subordinate statement (OpenID Federation 1.0 §6.1): what a superior
// demands of the metadata of everybody below it. The zero value demands nothing. It is immutable.
//
// Policies are merged from the trust anchor downwards (Merge) and the result is applied to the metadata of the entity at
// the end of the chain (Apply). Both fail closed: what contradicts itself, or is not met, is an *PolicyError.
type MetadataPolicy struct {
	parameters map[parameterName]operators
}

// parameterName names a metadata parameter of an entity type.
type parameterName struct{ entityType, parameter string }

func (n parameterName) compare(m parameterName) int {
	return slices.Compare([]string{n.entityType, n.parameter}, []string{m.entityType, m.parameter})
}

// PolicyErrorKind tells whose fault it is, by the error codes of OpenID Federation 1.0.
type PolicyErrorKind string

// The kinds.
const (
	// InvalidPolicy: a policy is malformed, or those of two superiors contradict each other. Nobody below can be trusted.
	InvalidPolicy PolicyErrorKind = "invalid_policy"
	// InvalidMetadata: the entity's metadata do not meet the policy.
	InvalidMetadata PolicyErrorKind = "invalid_metadata"
)

// PolicyError says which demand is malformed, contradicts another, or is not met.
type PolicyError struct {
	Kind       PolicyErrorKind
	EntityType string // of the parameter, "" if the fault is of no one parameter
	Parameter  string
	Message    string
}

func (e *PolicyError) Error() string {
	if e.Parameter == "" {
		return fmt.Sprintf("metadata policy: %s", e.Message)
	}
	return fmt.Sprintf("metadata policy for %.64q of %.64q: %s", e.Parameter, e.EntityType, e.Message)
}

// fault is an error of one parameter.
func (n parameterName) fault(kind PolicyErrorKind, format string, args ...any) error {
	return &PolicyError{Kind: kind, EntityType: n.entityType, Parameter: n.parameter, Message: fmt.Sprintf(format, args...)}
}

// policyFault is an error of a policy as a whole.
func policyFault(format string, args ...any) error {
	return &PolicyError{Kind: InvalidPolicy, Message: fmt.Sprintf(format, args...)}
}

// operators are the policy of one parameter. Members that are nil are not there; a list may be there and be empty.
type operators struct {
	value      *jsonValue // null removes the parameter
	add        []jsonValue
	byDefault  *jsonValue
	oneOf      []jsonValue
	subsetOf   []jsonValue
	supersetOf []jsonValue
	essential  *bool
}

// The operators' names (OpenID Federation 1.0 §6.1.3.1), in the order in which they are applied.
const (
	operatorValue      = "value"
	operatorAdd        = "add"
	operatorDefault    = "default"
	operatorOneOf      = "one_of"
	operatorSubsetOf   = "subset_of"
	operatorSupersetOf = "superset_of"
	operatorEssential  = "essential"
)

// ParseMetadataPolicy reads a metadata_policy claim. critical is metadata_policy_crit (§3.1.3, §6.1.3.2): names of
// operators that must be understood; the standard's own may not stand there, and others are not known here, so that any
// name is an error. Operators that are neither the standard's nor critical are passed over, as the standard wants it.
// The size of a statement bounds that of the policy.
func ParseMetadataPolicy(claim jose.Object, critical []string) (MetadataPolicy, error) {
	if critical != nil {
		return MetadataPolicy{}, refuseCritical(critical)
	}
	p := MetadataPolicy{parameters: make(map[parameterName]operators)}
	for _, entityType := range claim.Names() {
		parameters, err := claim.Object(entityType)
		if err != nil {
			return MetadataPolicy{}, policyFault("the policy for %.64q is not an object", entityType)
		}
		for _, parameter := range parameters.Names() {
			name := parameterName{entityType, parameter}
			entry, err := parameters.Object(parameter)
			if err != nil {
				return MetadataPolicy{}, name.fault(InvalidPolicy, "it is not an object of operators")
			}
			o, err := parseOperators(name, entry)
			if err == nil {
				err = o.check(name)
			}
			if err != nil {
				return MetadataPolicy{}, err
			}
			p.parameters[name] = o
		}
	}
	return p, nil
}

// refuseCritical is the error of any metadata_policy_crit, which must not be empty either.
func refuseCritical(critical []string) error {
	if len(critical) == 0 {
		return policyFault("metadata_policy_crit is there and names no operator")
	}
	return policyFault("the operator %.64q is marked as critical, and this node does not know it", critical[0])
}

// parseOperators reads the operators of one parameter, each by itself.
func parseOperators(name parameterName, entry jose.Object) (operators, error) {
	var o operators
	lists := map[string]*[]jsonValue{
		operatorAdd: &o.add, operatorOneOf: &o.oneOf, operatorSubsetOf: &o.subsetOf, operatorSupersetOf: &o.supersetOf,
	}
	singles := map[string]**jsonValue{operatorValue: &o.value, operatorDefault: &o.byDefault}
	for _, operator := range entry.Names() {
		v, err := parseValue(entry.Member(operator))
		if err != nil {
			return operators{}, name.fault(InvalidPolicy, "%s is not a JSON value", operator)
		}
		switch {
		case lists[operator] != nil:
			values, ok := v.list()
			if !ok {
				return operators{}, name.fault(InvalidPolicy, "%s must be an array", operator)
			}
			*lists[operator] = union(nil, values)
		case singles[operator] != nil:
			*singles[operator] = &v
		case operator == operatorEssential:
			if v.key != "true" && v.key != "false" {
				return operators{}, name.fault(InvalidPolicy, "essential must be true or false")
			}
			essential := v.key == "true"
			o.essential = &essential
		}
	}
	if o.byDefault != nil && o.byDefault.key == jsonNull.key {
		return operators{}, name.fault(InvalidPolicy, "default must not be null")
	}
	if o.oneOf != nil && len(o.oneOf) == 0 {
		return operators{}, name.fault(InvalidPolicy, "one_of must name at least one value")
	}
	return o, nil
}

// isEssential tells whether the parameter must be there.
func (o operators) isEssential() bool { return o.essential != nil && *o.essential }

// names returns the parameters in a stable order.
func (p MetadataPolicy) names() []parameterName {
	return slices.SortedFunc(maps.Keys(p.parameters), parameterName.compare)
}

// IsZero tells whether the policy demands nothing.
func (p MetadataPolicy) IsZero() bool { return len(p.parameters) == 0 }

// MarshalJSON writes the policy as a metadata_policy claim.
func (p MetadataPolicy) MarshalJSON() ([]byte, error) {
	claim := make(map[string]map[string]map[string]any)
	for name, o := range p.parameters {
		if claim[name.entityType] == nil {
			claim[name.entityType] = make(map[string]map[string]any)
		}
		claim[name.entityType][name.parameter] = o.claim()
	}
	return json.Marshal(claim)
}

// claim returns the operators as members of a JSON object.
func (o operators) claim() map[string]any {
	members := make(map[string]any)
	for operator, v := range map[string]*jsonValue{operatorValue: o.value, operatorDefault: o.byDefault} {
		if v != nil {
			members[operator] = v.raw
		}
	}
	for operator, list := range map[string][]jsonValue{
		operatorAdd: o.add, operatorOneOf: o.oneOf, operatorSubsetOf: o.subsetOf, operatorSupersetOf: o.supersetOf,
	} {
		if list != nil {
			members[operator] = listValue(list).raw
		}
	}
	if o.essential != nil {
		members[operatorEssential] = *o.essential
	}
	return members
}
