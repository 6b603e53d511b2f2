package stix

import (
	"strings"
	"testing"
)

// TestLabelLength: the samples of RFC 3492 §7.1 that have lower-case letters only, and well-known names.
func TestLabelLength(t *testing.T) {
	for label, ascii := range map[string]string{
		"bücher":    "xn--bcher-kva",
		"münchen":   "xn--mnchen-3ya",
		"københavn": "xn--kbenhavn-54a",
		"例え":        "xn--r8jz45g",
		"他们为什么不说中文": "xn--ihqwcrb4cv8a8dqg056pqjye",
		"почемужеонинеговорятпорусски": "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l",
		"ليهمابتكلموشعربي؟":            "xn--egbpdaj6bu4bxfgehfvwxn",
		"example":                      "example",
		"ü":                            "xn--tda",
	} {
		if got := labelLength([]byte(label)); got != len(ascii) {
			t.Errorf("%s: %d, want %d (%s)", label, got, len(ascii), ascii)
		}
	}
}

func TestDomainNamesOfULabels(t *testing.T) {
	for name, want := range map[string]bool{
		"ü.de":                                                true,
		strings.Repeat("ü", 63) + ".de":                       false, // more than 63 octets as an A-label
		strings.Repeat("a", 63) + ".de":                       true,
		strings.Repeat("a", 64) + ".de":                       false,
		strings.Repeat(strings.Repeat("a", 60)+".", 4) + "de": true,
		strings.Repeat(strings.Repeat("ü", 40)+".", 6) + "dk": false,
	} {
		if got := isDomainName([]byte(name)); got != want {
			t.Errorf("%.80s: %t, want %t", name, got, want)
		}
	}
}
