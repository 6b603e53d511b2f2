package federation

import "maps"

// Merge adds the policy of a subordinate authority to that of its superiors (OpenID Federation 1.0 §6.1.4.1): the result
// demands what both demand. It is an InvalidPolicy error if they contradict each other, so that nobody below a
// contradiction is trusted: a subordinate can narrow what its superior demands and never widen it.
func (p MetadataPolicy) Merge(subordinate MetadataPolicy) (MetadataPolicy, error) {
	merged := MetadataPolicy{parameters: maps.Clone(p.parameters)}
	if merged.parameters == nil {
		merged.parameters = make(map[parameterName]operators)
	}
	for _, name := range subordinate.names() {
		o := subordinate.parameters[name]
		if superior, both := p.parameters[name]; both {
			var err error
			if o, err = superior.merge(name, o); err != nil {
				return MetadataPolicy{}, err
			}
			if err := o.check(name); err != nil {
				return MetadataPolicy{}, err
			}
		}
		merged.parameters[name] = o
	}
	return merged, nil
}

// merge joins each operator with its like (§6.1.3.1).
func (o operators) merge(name parameterName, sub operators) (operators, error) {
	var ok bool
	m := operators{
		add:        mergeLists(o.add, sub.add, union),
		oneOf:      mergeLists(o.oneOf, sub.oneOf, intersection),
		subsetOf:   mergeLists(o.subsetOf, sub.subsetOf, intersection),
		supersetOf: mergeLists(o.supersetOf, sub.supersetOf, union),
		essential:  mergeEssential(o.essential, sub.essential),
	}
	if m.value, ok = mergeSame(o.value, sub.value); !ok {
		return operators{}, name.fault(InvalidPolicy, "a superior and a subordinate set it to different values")
	}
	if m.byDefault, ok = mergeSame(o.byDefault, sub.byDefault); !ok {
		return operators{}, name.fault(InvalidPolicy, "a superior and a subordinate give it different defaults")
	}
	if m.oneOf != nil && len(m.oneOf) == 0 {
		return operators{}, name.fault(InvalidPolicy, "no value is allowed by the one_of of both a superior and a subordinate")
	}
	return m, nil
}

// mergeSame is the operator that is there; false if both are and differ.
func mergeSame(a, b *jsonValue) (*jsonValue, bool) {
	if a == nil {
		return b, true
	}
	return a, b == nil || a.key == b.key
}

func mergeLists(a, b []jsonValue, join func(a, b []jsonValue) []jsonValue) []jsonValue {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	return join(a, b)
}

// mergeEssential: what one demands nobody below takes back.
func mergeEssential(a, b *bool) *bool {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	either := *a || *b
	return &either
}

// check holds the operators of one parameter against each other: which may stand together, and what must then hold
// (§6.1.3.1).
func (o operators) check(name parameterName) error {
	list, forms := name.listOf, "an array"
	if name.isWords() {
		forms = "a string or an array"
	}
	if o.oneOf != nil && (o.add != nil || o.subsetOf != nil || o.supersetOf != nil) {
		return name.fault(InvalidPolicy, "one_of is for single values and cannot stand beside add, subset_of or superset_of")
	}
	if o.subsetOf != nil && o.add != nil && !isSubset(o.add, o.subsetOf) {
		return name.fault(InvalidPolicy, "add has values that subset_of does not allow")
	}
	if o.subsetOf != nil && o.supersetOf != nil && !isSubset(o.supersetOf, o.subsetOf) {
		return name.fault(InvalidPolicy, "superset_of demands values that subset_of does not allow")
	}
	if o.value == nil {
		return nil
	}
	if o.value.key == jsonNull.key {
		if o.byDefault != nil {
			return name.fault(InvalidPolicy, "value removes it and default sets it")
		}
		if o.isEssential() {
			return name.fault(InvalidPolicy, "value removes it, and it is essential")
		}
	}
	if o.oneOf != nil && !setOf(o.oneOf).has(*o.value) {
		return name.fault(InvalidPolicy, "value is none of one_of")
	}
	if o.add == nil && o.subsetOf == nil && o.supersetOf == nil {
		return nil
	}
	values, ok := list(*o.value)
	switch {
	case !ok && o.value.key != jsonNull.key:
		return name.fault(InvalidPolicy, "value must be %s where add, subset_of or superset_of stand beside it", forms)
	case !isSubset(o.add, values):
		return name.fault(InvalidPolicy, "add has values that value does not have")
	case o.subsetOf != nil && !isSubset(values, o.subsetOf):
		return name.fault(InvalidPolicy, "value has values that subset_of does not allow")
	case !isSubset(o.supersetOf, values):
		return name.fault(InvalidPolicy, "value lacks values that superset_of demands")
	}
	return nil
}
