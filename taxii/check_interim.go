package taxii

import "github.com/skjold-exchange/skjold/stix"

// stixReport and stixViolation have the shape of package stix's validation report, with the common properties checked.
type (
	stixReport    struct{ Errors []stixViolation }
	stixViolation struct{ Path, Section, Message string }
)

func stixCheck(raw []byte, l stix.Limits) (*stix.Object, stixReport) {
	o, err := stix.Parse(raw, l)
	switch {
	case err != nil:
		return nil, stixReport{Errors: []stixViolation{{Message: capital(err.Error()) + "."}}}
	case o.ID == "" || o.Type == "" || o.ID.Type() != o.Type:
		return nil, stixReport{Errors: []stixViolation{{Path: "id", Section: "2.9", Message: "It is not an identifier of the object's type."}}}
	}
	return o, stixReport{}
}
