package stix

import (
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) {
	tests := []struct{ name, raw, id, typ string }{
		{"valid", `{"type":"mutex","id":"mutex--eba44954-d4e4-5d3b-814c-2b17dd8de300"}`, "mutex--eba44954-d4e4-5d3b-814c-2b17dd8de300", "mutex"},
		{"id of no valid form", `{"id":"x--y","type":"Mutex"}`, "x--y", "Mutex"},
		{"nested ones are not the object's own", `{"a":{"id":"inner","type":"inner"},"l":["id","type"]}`, "", ""},
		{"a value that reads id", `{"name":"id","type":"id"}`, "", "id"},
		{"no strings", `{"id":7,"type":null}`, "", ""},
		{"the first of two", `{"id":"a","id":"b"}`, "a", ""},
		{"no object", `[1]`, "", ""},
		{"cut short", `{"id":"a`, "", ""},
		{"long", `{"id":"` + strings.Repeat("a", 1000) + `"}`, strings.Repeat("a", maxNameInReports), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if id, typ := Identity([]byte(tt.raw)); id != tt.id || typ != tt.typ {
				t.Errorf("got %q %q, want %q %q", id, typ, tt.id, tt.typ)
			}
		})
	}
}
