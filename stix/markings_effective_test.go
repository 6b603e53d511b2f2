package stix

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	statementA = Identifier("marking-definition--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061")
	statementB = Identifier("marking-definition--1c7b5b88-8ff7-4a4d-aa9d-feb398cd0061")
)

func TestStrictest(t *testing.T) {
	tlp := func(level TLP) MarkingSet { return MarkingSet{TLP: level} }
	for _, c := range []struct {
		name   string
		own    MarkingSet
		def    TLP
		others []MarkingSet
		want   MarkingSet
	}{
		{"alone", tlp(TLPGreen), TLPAmberStrict, nil, tlp(TLPGreen)},
		{"alone and unmarked", tlp(TLPUnmarked), TLPAmberStrict, nil, tlp(TLPUnmarked)},
		{"an end is stricter", tlp(TLPClear), TLPClear, []MarkingSet{tlp(TLPGreen), tlp(TLPAmber)}, tlp(TLPAmber)},
		{"its own is stricter", tlp(TLPRed), TLPClear, []MarkingSet{tlp(TLPGreen)}, tlp(TLPRed)},
		{"amber+strict is above amber", tlp(TLPAmber), TLPClear, []MarkingSet{tlp(TLPAmberStrict)}, tlp(TLPAmberStrict)},
		{"an unmarked end counts as the default", tlp(TLPClear), TLPAmberStrict, []MarkingSet{tlp(TLPUnmarked)}, tlp(TLPAmberStrict)},
		{"a default below the markings lowers nothing", tlp(TLPAmber), TLPClear, []MarkingSet{tlp(TLPUnmarked)}, tlp(TLPAmber)},
		{"an unmarked relationship counts as the default", tlp(TLPUnmarked), TLPAmber, []MarkingSet{tlp(TLPGreen)}, tlp(TLPAmber)},
		{"unmarked objects are refused", tlp(TLPClear), TLPUnmarked, []MarkingSet{tlp(TLPUnmarked)}, tlp(TLPRed)},
		{"all unmarked", tlp(TLPUnmarked), TLPClear, []MarkingSet{tlp(TLPUnmarked)}, tlp(TLPUnmarked)},
		{"the floor of an unmarked end", tlp(TLPClear), TLPClear, []MarkingSet{{Floor: TLPGreen}}, tlp(TLPGreen)},
		{"the floor of an unmarked relationship", MarkingSet{Floor: TLPGreen}, TLPClear, []MarkingSet{tlp(TLPClear)}, tlp(TLPGreen)},
		{"the floor of a marked end does not count", tlp(TLPClear), TLPClear, []MarkingSet{{TLP: TLPClear, Floor: TLPAmber}, {}}, tlp(TLPClear)},
		{"all unmarked keep the highest floor", MarkingSet{Floor: TLPGreen}, TLPClear, []MarkingSet{{}, {Floor: TLPAmber}}, MarkingSet{Floor: TLPAmber}},
		{"a floor where unmarked objects are refused", tlp(TLPClear), TLPUnmarked, []MarkingSet{{Floor: TLPGreen}}, tlp(TLPRed)},
		{"PAP", MarkingSet{TLP: TLPClear, PAP: PAPGreen}, TLPClear, []MarkingSet{{TLP: TLPClear, PAP: PAPRed}}, MarkingSet{TLP: TLPClear, PAP: PAPRed}},
		{"other markings of an end, and the owner",
			MarkingSet{TLP: TLPClear, Others: []Identifier{statementB}, Owner: testIdentity}, TLPClear,
			[]MarkingSet{{TLP: TLPClear, Others: []Identifier{statementA, statementB}, Owner: otherIdentity}},
			MarkingSet{TLP: TLPClear, Others: []Identifier{statementA, statementB}, Owner: testIdentity}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.own.Strictest(c.def, c.others...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// For every combination of levels, the result is handled no less strictly than any of the sets on its own, and the order
// of the ends does not matter.
func TestStrictestNeverLowers(t *testing.T) {
	levels := []TLP{TLPUnmarked, TLPClear, TLPGreen, TLPAmber, TLPAmberStrict, TLPRed}
	handled := func(m MarkingSet, def TLP) TLP {
		if level := m.Level(def, false); level != TLPUnmarked {
			return level
		}
		return TLPRed // an unmarked object where those are refused
	}
	for _, def := range levels {
		for _, own := range levels {
			for _, a := range levels {
				for _, b := range levels {
					sets := []MarkingSet{{TLP: own}, {TLP: a, Others: []Identifier{statementA}, Floor: TLPGreen}, {TLP: b, Floor: TLPAmber}}
					got := sets[0].Strictest(def, sets[1], sets[2])
					for _, set := range sets {
						if handled(got, def) < handled(set, def) {
							t.Errorf("default %v: %v of %v, %v and %v", def, got.TLP, own, a, b)
						}
					}
					if diff := cmp.Diff(got, sets[0].Strictest(def, sets[2], sets[1])); diff != "" {
						t.Errorf("the order of the ends matters:\n%s", diff)
					}
					if got.Level(def, len(got.Others) > 0) != TLPRed {
						t.Errorf("a marking of an end that is not understood gives %v", got.TLP)
					}
				}
			}
		}
	}
}

// Strictest must not write into the sets it is given: they are interned and shared.
func TestStrictestSharesNothing(t *testing.T) {
	backing := []Identifier{statementB, "untouched"}
	own := MarkingSet{Others: backing[:1]}
	own.Strictest(TLPRed, MarkingSet{Others: []Identifier{statementA}})
	if diff := cmp.Diff([]Identifier{statementB, "untouched"}, backing); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEnds(t *testing.T) {
	const a, b, c = "tool" + testRef, "observed-data" + testRef, "location" + testRef
	for _, test := range []struct {
		name, raw string
		want      []Identifier
	}{
		{"relationship", versionedObject("relationship", fmt.Sprintf(`"target_ref":%q,"source_ref":%q`, b, a)), []Identifier{a, b}},
		{"sighting", versionedObject("sighting", fmt.Sprintf(`"sighting_of_ref":%q,"observed_data_refs":[%q],"where_sighted_refs":[%q,%q]`, a, b, c, a)),
			[]Identifier{a, b, c, a}},
		{"no identifiers", versionedObject("relationship", `"source_ref":"tool","target_ref":7`), nil},
		{"custom relationship", versionedObject("x-acme-link", fmt.Sprintf(`"source_ref":%q`, a)), []Identifier{a}},
		{"other objects have none", versionedObject("tool", fmt.Sprintf(`"source_ref":%q`, a)), nil},
		{"not JSON", `{"type":"relationship"`, nil},
		{"no object", `["relationship"]`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, err := Parse([]byte(test.raw), Limits{})
			if err != nil {
				o = &Object{Raw: []byte(test.raw), Type: "relationship"}
			}
			if diff := cmp.Diff(test.want, o.Ends()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEffectiveMarkings(t *testing.T) {
	const source, target = Identifier("tool" + testRef), Identifier("malware" + testRef)
	relationship := func(marking string) *Object {
		return parsed(t, versionedObject("relationship", fmt.Sprintf(`"relationship_type":"drops","source_ref":%q,"target_ref":%q%s`,
			source, target, comma(marking))))
	}
	green := fmt.Sprintf(`"object_marking_refs":[%q]`, testGreen)
	for _, c := range []struct {
		name   string
		object *Object
		held   map[Identifier]MarkingSet
		want   MarkingSet
	}{
		{"no end is held", relationship(green), nil, MarkingSet{TLP: TLPGreen}},
		{"one end is held", relationship(green), map[Identifier]MarkingSet{target: {TLP: TLPAmber}}, MarkingSet{TLP: TLPAmber}},
		{"both ends are held", relationship(green), map[Identifier]MarkingSet{source: {TLP: TLPRed}, target: {TLP: TLPAmber}}, MarkingSet{TLP: TLPRed}},
		{"an end is unmarked", relationship(green), map[Identifier]MarkingSet{source: {}}, MarkingSet{TLP: TLPAmberStrict}},
		{"an unmarked relationship without ends", relationship(""), nil, MarkingSet{}},
		{"no relationship", parsed(t, versionedObject("report", green)), map[Identifier]MarkingSet{source: {TLP: TLPRed}}, MarkingSet{TLP: TLPGreen}},
		{"a statement on an end", relationship(green), map[Identifier]MarkingSet{source: {TLP: TLPClear, Others: []Identifier{statementA}}},
			MarkingSet{TLP: TLPGreen, Others: []Identifier{statementA}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.object.EffectiveMarkings(TLPAmberStrict, func(id Identifier) (MarkingSet, bool) {
				set, ok := c.held[id]
				return set, ok
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
