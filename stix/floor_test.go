package stix

import "testing"

func TestFloorOfUnmarkedObjects(t *testing.T) {
	tests := []struct {
		name       string
		set        MarkingSet
		def, level TLP
	}{
		{"own default above", MarkingSet{Floor: TLPGreen}, TLPAmber, TLPAmber},
		{"own default below", MarkingSet{Floor: TLPGreen}, TLPClear, TLPGreen},
		{"no floor", MarkingSet{}, TLPClear, TLPClear},
		{"marked objects have none", MarkingSet{TLP: TLPClear, Floor: TLPGreen}, TLPAmber, TLPClear},
		{"a collection of marked objects only", MarkingSet{Floor: TLPGreen}, TLPUnmarked, TLPUnmarked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.set.Level(tt.def, false); got != tt.level {
				t.Errorf("got %s, want %s", got, tt.level)
			}
			if got := tt.set.Level(tt.def, true); got != TLPRed {
				t.Errorf("with an unknown marking %s, want red", got)
			}
		})
	}
	if (MarkingSet{Floor: TLPGreen}).Key() == (MarkingSet{}).Key() {
		t.Error("sets with and without a floor share a key")
	}
}

func TestDefinitionsWithoutMarkingAreClear(t *testing.T) {
	const statement = `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41d0","created":"2016-08-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"Copyright"}`
	tests := []struct {
		name, raw string
		want      TLP
	}{
		{"statement", statement + `}`, TLPClear},
		{"statement with a marking of its own", statement + `,"object_marking_refs":["marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"]}`, TLPAmber},
		{"of a meaning that is not known", `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41d0","created":"2016-08-01T00:00:00.000Z","definition_type":"secret","definition":{}}`, TLPUnmarked},
		{"statement that an extension changes", statement + `,"extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension","tlp_2_0":"red"}}}`, TLPUnmarked},
		{"TLP", `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","definition":{"tlp":"amber"}}`, TLPClear},
		{"an identity", `{"type":"identity","id":"identity--34098fce-860f-48ae-8e50-ebd3cc5e41d0"}`, TLPUnmarked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := Parse([]byte(tt.raw), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got := o.Markings().TLP; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
