package stix

import (
	"errors"
	"fmt"
	"strings"
)

// SectionReading stands in Violation.Section for faults that no section of STIX 2.1 names: JSON that cannot be read, and
// the limits of this package.
const SectionReading = "reading"

// readingSections are the rules of reading, with the section that has each. They hold of bytes, before there is an object
// to check.
var readingSections = map[string]string{
	"bad-utf8":         "2.15",
	"bundle-objects":   "8.1",
	"byte-order-mark":  SectionReading,
	"duplicate-member": "2.3",
	"empty-object":     "3.2",
	"json-syntax":      SectionReading,
	"lone-surrogate":   "2.15",
	"not-a-container":  SectionReading,
	"not-an-object":    "3.2",
	"too-deep":         SectionReading,
	"too-large":        SectionReading,
	"too-many-objects": SectionReading,
	"truncated":        SectionReading,
}

// unreadable is why bytes are no object.
type unreadable struct{ rule, reason string }

func (e *unreadable) Error() string { return e.reason }

// readingViolation is the violation of a rule of reading; it is always structural.
func readingViolation(rule, reason string) Violation {
	return Violation{Rule: rule, Section: readingSections[rule], Message: sentence(reason), Structural: true}
}

// ReadingViolation puts an error of Reader.Next or Parse like the violations that Check reports: rule, section, and a
// sentence with the place in the input. It is false for an error of the underlying reader, and for nil and io.EOF: those
// are not about the content.
func ReadingViolation(err error) (Violation, bool) {
	var (
		element   *ElementError
		syntax    *SyntaxError
		container *ContainerError
		object    *unreadable
	)
	switch {
	case errors.As(err, &element):
		return readingViolation(element.Rule, fmt.Sprintf("%s (at byte %d of the input)", element.Reason, element.Offset)), true
	case errors.As(err, &syntax):
		return readingViolation(syntax.Rule, syntax.Error()), true
	case errors.As(err, &container):
		reason := container.Reason
		if container.Rule == "not-a-container" {
			reason = container.Error()
		}
		return readingViolation(container.Rule, fmt.Sprintf("%s (at byte %d of the input)", reason, container.Offset)), true
	case errors.Is(err, ErrTooManyObjects):
		return readingViolation("too-many-objects", err.Error()), true
	case errors.As(err, &object):
		return readingViolation(object.rule, object.reason), true
	}
	return Violation{}, false
}

// sentence makes an error text a sentence.
func sentence(text string) string {
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}
