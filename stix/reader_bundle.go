package stix

import "fmt"

// BundleReport is what is wrong with the bundle itself (§8.1), not with its objects: an id that is none, an id whose UUID is
// not random (§2.9), and properties that the standard does not give a bundle. It is empty for any other container, and known
// after io.EOF.
func (r *Reader) BundleReport() Report {
	var report Report
	if r.kind != ContainerBundle {
		return report
	}
	if id := r.BundleID(); id == "" {
		report.Errors = append(report.Errors, Violation{
			Path: "id", Rule: "bundle-id", Section: "8.1", Message: "A bundle must have an id of the form bundle--UUID.",
		})
	} else if uuidVersion(id) != '4' {
		report.Warnings = append(report.Warnings, Violation{Path: "id", Rule: "id-version", Section: "2.9", Message: randomIDAdvice})
	}
	for _, name := range r.head.members {
		if _, ok := standardTypes["bundle"].byName[name]; !ok {
			report.Warnings = append(report.Warnings, Violation{
				Path: short([]byte(name)), Rule: "bundle-property", Section: "8.1", Message: fmt.Sprintf(bundlePropertyAdvice, quoteShort([]byte(name))),
			})
		}
	}
	return report
}

// What is told of bundles by BundleReport and by Check.
const (
	randomIDAdvice       = "The id should have a random UUID (version 4)."
	bundlePropertyAdvice = "A bundle has no property %s; it is lost when the bundle is taken apart."
)
