package stix

import "testing"

func TestFalseTLP(t *testing.T) {
	const (
		tlp1 = `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed","created":"2017-01-20T00:00:00.000Z"`
		tlp2 = `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003","created":"2022-10-01T00:00:00.000Z"`
		ext  = `"extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension","tlp_2_0":"`
	)
	tests := []struct {
		name, raw string
		want      bool
	}{
		{"red", tlp1 + `,"definition_type":"tlp","name":"TLP:RED","definition":{"tlp":"red"}}`, false},
		{"red that says white", tlp1 + `,"definition_type":"tlp","definition":{"tlp":"white"}}`, true},
		{"red that is a statement", tlp1 + `,"definition_type":"statement","definition":{"statement":"share freely"}}`, true},
		{"red that says nothing", tlp1 + `}`, true},
		{"TLP 2.0", tlp2 + `,` + ext + `amber+strict"}}}`, false},
		{"TLP 2.0 that says clear", tlp2 + `,"name":"TLP:AMBER+STRICT",` + ext + `clear"}}}`, true},
		{"another marking", `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ee","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","definition":{"tlp":"white"}}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := Parse([]byte(tt.raw), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got := o.FalseTLP(); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
