package federation

import "encoding/json"

// Apply returns the metadata as the policy makes them, for the entity types that the entity has (OpenID Federation 1.0
// §6.1.4.2): operators that set values come first, those that check come after them. It is an InvalidMetadata error if
// the metadata do not meet the policy. The metadata given are not changed.
func (p MetadataPolicy) Apply(m Metadata) (Metadata, error) {
	resolved := make(Metadata, len(m))
	for entityType, parameters := range m {
		resolved[entityType] = make(map[string]json.RawMessage, len(parameters))
		for parameter, raw := range parameters {
			resolved[entityType][parameter] = raw
		}
	}
	for _, name := range p.names() {
		parameters, has := resolved[name.entityType]
		if !has {
			continue
		}
		var present *jsonValue
		if raw, ok := parameters[name.parameter]; ok {
			v, err := parseValue(raw)
			if err != nil {
				return nil, name.fault(InvalidMetadata, "the value is not JSON")
			}
			present = &v
		}
		v, err := p.parameters[name].apply(name, present)
		if err != nil {
			return nil, err
		}
		if v == nil {
			delete(parameters, name.parameter)
		} else {
			parameters[name.parameter] = v.raw
		}
	}
	return resolved, nil
}

// apply runs the operators in their order on a parameter; nil is a parameter that is not there.
func (o operators) apply(name parameterName, v *jsonValue) (*jsonValue, error) {
	if o.value != nil {
		if v = o.value; v.key == jsonNull.key {
			v = nil
		}
	}
	if o.add != nil {
		var present []jsonValue
		if v != nil {
			var ok bool
			if present, ok = name.listOf(*v); !ok {
				return nil, name.fault(InvalidMetadata, "values are to be added, and it is no list of values")
			}
		}
		v = name.likeList(union(present, o.add), v)
	}
	if v == nil {
		v = o.byDefault
	}
	if v == nil {
		if o.isEssential() {
			return nil, name.fault(InvalidMetadata, "it is essential and missing")
		}
		return nil, nil
	}
	return o.confine(name, v)
}

// confine checks a value that is there, and takes from a list what is not allowed.
func (o operators) confine(name parameterName, v *jsonValue) (*jsonValue, error) {
	if o.oneOf != nil && !setOf(o.oneOf).has(*v) {
		return nil, name.fault(InvalidMetadata, "its value is none of those allowed")
	}
	if o.subsetOf == nil && o.supersetOf == nil {
		return v, nil
	}
	values, ok := name.listOf(*v)
	if !ok {
		return nil, name.fault(InvalidMetadata, "a list of values is wanted, and it is none")
	}
	if o.subsetOf != nil {
		values = intersection(values, o.subsetOf)
		v = name.likeList(values, v)
	}
	if !isSubset(o.supersetOf, values) {
		return nil, name.fault(InvalidMetadata, "it lacks values that are demanded")
	}
	return v, nil
}

// isWords tells parameters whose list of values is one string with spaces: scope (RFC 7591 §2, RFC 6749 §3.3), which
// policies handle as a list.
func (n parameterName) isWords() bool { return n.parameter == "scope" }

// listOf returns the values of a parameter that has several.
func (n parameterName) listOf(v jsonValue) ([]jsonValue, bool) {
	if n.isWords() {
		if words, ok := v.words(); ok {
			return words, true
		}
	}
	return v.list()
}

// likeList writes values in the form in which the parameter had them.
func (n parameterName) likeList(values []jsonValue, like *jsonValue) *jsonValue {
	list := listValue(values)
	if n.isWords() {
		if like == nil {
			list = wordsValue(values)
		} else if _, ok := like.words(); ok {
			list = wordsValue(values)
		}
	}
	return &list
}
