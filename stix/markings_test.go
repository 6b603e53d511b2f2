package stix

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTLP(t *testing.T) {
	for text, want := range map[string]TLP{
		"clear": TLPClear, "TLP:CLEAR": TLPClear, "white": TLPClear, " tlp:white ": TLPClear, "Green": TLPGreen, "amber": TLPAmber,
		"TLP:AMBER+STRICT": TLPAmberStrict, "red": TLPRed,
	} {
		got, err := ParseTLP(text)
		if err != nil || got != want {
			t.Errorf("ParseTLP(%q) = %v, %v; want %v", text, got, err, want)
		}
		if again, err := ParseTLP(got.String()); err != nil || again != got {
			t.Errorf("%v is not read back: %v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "unmarked", "amber strict", "purple", "tlp:"} {
		if got, err := ParseTLP(text); err == nil || got != TLPUnmarked {
			t.Errorf("ParseTLP(%q) = %v", text, got)
		}
	}
}

func TestMarkingOf(t *testing.T) {
	for _, level := range []TLP{TLPClear, TLPGreen, TLPAmber, TLPAmberStrict, TLPRed} {
		id := MarkingOf(level)
		if _, err := ParseIdentifier(string(id)); err != nil {
			t.Errorf("%v: %v", level, err)
		}
		if got := NewMarkingSet([]Identifier{id}, ""); got.TLP != level || len(got.Others) > 0 {
			t.Errorf("%s means %v, want %v", id, got, level)
		}
	}
	if id := MarkingOf(TLPUnmarked); id != "" {
		t.Errorf("no marking is %s", id)
	}
}

func TestMarkingSet(t *testing.T) {
	other := Identifier("marking-definition--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061")
	set := NewMarkingSet([]Identifier{MarkingOf(TLPGreen), other, MarkingOf(TLPAmber), other, "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e"}, testIdentity)
	want := MarkingSet{TLP: TLPAmber, PAP: PAPRed, Others: []Identifier{other}, Owner: testIdentity}
	if diff := cmp.Diff(want, set); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if set.Level(TLPGreen, false) != TLPAmber || set.Level(TLPGreen, true) != TLPRed || (MarkingSet{}).Level(TLPGreen, false) != TLPGreen {
		t.Error("the level is not the strictest, the default without a marking, and red for what is not understood")
	}
	same := NewMarkingSet([]Identifier{"marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e", MarkingOf(TLPAmber), other}, testIdentity)
	different := NewMarkingSet([]Identifier{MarkingOf(TLPAmber), other}, testIdentity)
	if set.Key() != same.Key() || set.Key() == different.Key() {
		t.Errorf("keys %q, %q, %q", set.Key(), same.Key(), different.Key())
	}
}
