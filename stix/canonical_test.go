package stix

import "testing"

func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		`{ "b": 1.0, "a": [ "\u0041" ] }`: `{"a":["A"],"b":1}`,
		`{}`:                              `{}`,
		`[]`:                              "",
		`{"a":1,"a":1}`:                   "",
		`{"a":9007199254740993}`:          "",
		`{"a":1} x`:                       "",
		``:                                "",
	} {
		got, err := Canonical([]byte(text))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v, want %q", text, got, err, want)
		}
	}
}
