package pattern

// Values returns the strings that a pattern names: those of Observables, whatever else the pattern asks for. A text that is
// no pattern names none. It has the shape that stix.ObservableValues wants.
func Values(text string) []string {
	p, err := Parse(text)
	if err != nil {
		return nil
	}
	observables, _ := p.Observables()
	var values []string
	for _, o := range observables {
		if o.Kind == String {
			values = append(values, o.Value)
		}
	}
	return values
}
