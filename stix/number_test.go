package stix

import (
	"fmt"
	"testing"
)

// TestNumbersWithoutCanonicalForm: what Check lets pass has a digest, and what has none is named with its property.
func TestNumbersWithoutCanonicalForm(t *testing.T) {
	const object = `{"type":"identity","spec_version":"2.1","id":"identity--34098fce-860f-48ae-8e50-ebd3cc5e41da","created":"2016-08-01T00:00:00.000Z","modified":"2016-08-01T00:00:00.000Z","name":"x","x_test_list":[0,%s]}`
	for _, tt := range []struct {
		number string
		ok     bool
	}{
		{"1e2", true}, {"1.0", true}, {"-0", true}, {"9007199254740991", true}, {"0.1", true}, {"1e-300", true},
		{"9007199254740993", false}, {"1e309", false}, {"1e-400", false}, {"0.1234567890123456789", false},
	} {
		t.Run(tt.number, func(t *testing.T) {
			o, report := Check([]byte(fmt.Sprintf(object, tt.number)), Options{})
			if report.OK() != tt.ok || report.Acceptable() != tt.ok {
				t.Fatalf("errors %v", report.Errors)
			}
			if _, err := o.Norm(); (err == nil) != tt.ok {
				t.Errorf("Norm: %v", err)
			}
			if !tt.ok && (len(report.Errors) != 1 || report.Errors[0].Path != "x_test_list[1]" || report.Errors[0].Rule != "number") {
				t.Errorf("got %+v, want one error at x_test_list[1]", report.Errors)
			}
		})
	}
}
