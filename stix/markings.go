package stix

import (
	"fmt"
	"slices"
	"strings"
)

// TLP is a Traffic Light Protocol level, ordered from the least to the most restricted (FIRST TLP 2.0). TLP 1 levels
// map onto the same scale: white is clear, the others keep their names.
type TLP uint8

// The levels. TLPUnmarked is the absence of any TLP marking: unknown, never clear.
const (
	TLPUnmarked TLP = iota
	TLPClear
	TLPGreen
	TLPAmber
	TLPAmberStrict
	TLPRed
)

var tlpNames = [...]string{"unmarked", "clear", "green", "amber", "amber+strict", "red"}

// String returns the label in lower case, as it is written in configuration and on the command line.
func (t TLP) String() string {
	if int(t) < len(tlpNames) {
		return tlpNames[t]
	}
	return fmt.Sprintf("tlp(%d)", uint8(t))
}

// ParseTLP reads a label: clear, green, amber, amber+strict or red, in any case, with or without "TLP:"; "white" is
// TLP 1's name for clear.
func ParseTLP(s string) (TLP, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	name = strings.TrimPrefix(name, "tlp:")
	if name == "white" {
		return TLPClear, nil
	}
	if i := slices.Index(tlpNames[1:], name); i >= 0 {
		return TLP(i + 1), nil
	}
	return TLPUnmarked, fmt.Errorf("TLP label %q is not one of clear, green, amber, amber+strict, red", s)
}

// PAP is a Permissible Actions Protocol level, ordered like TLP.
type PAP uint8

// The levels; PAPNone is the absence of a PAP marking. White is the older name of clear.
const (
	PAPNone PAP = iota
	PAPClear
	PAPGreen
	PAPAmber
	PAPRed
)

// tlpMarkings are the marking-definition ids that mean a TLP level: TLP 2.0's five, TLP 1's four (STIX 2.1 §7.2.1), and
// OpenCTI's own id for AMBER+STRICT.
var tlpMarkings = map[Identifier]TLP{
	"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": TLPClear,
	"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": TLPGreen,
	"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": TLPAmber,
	"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": TLPAmberStrict,
	"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": TLPRed,
	"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": TLPClear,
	"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": TLPGreen,
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": TLPAmber,
	"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": TLPRed,
	"marking-definition--826578e1-40ad-459f-bc73-ede076f81f37": TLPAmberStrict,
}

var papMarkings = map[Identifier]PAP{
	"marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e": PAPRed,
	"marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab": PAPAmber,
	"marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9": PAPGreen,
	"marking-definition--a3bea94c-b469-41dc-9cfe-d6e7daba7730": PAPClear,
	"marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92": PAPClear,
}

// MarkingOf returns the TLP 2.0 marking-definition id of a level, "" for TLPUnmarked.
func MarkingOf(t TLP) Identifier {
	switch t {
	case TLPClear:
		return "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
	case TLPGreen:
		return "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
	case TLPAmber:
		return "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
	case TLPAmberStrict:
		return "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
	case TLPRed:
		return "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
	}
	return ""
}

// MarkingSet is the canonical set of everything about an object that decides who may see it. Thousands of objects
// share a handful of sets: the sharing policy is evaluated per set and caller, never per object.
type MarkingSet struct {
	// TLP is the strictest TLP marking of the object, its granular markings included.
	TLP TLP `json:"tlp"`
	// PAP is the strictest PAP marking.
	PAP PAP `json:"pap,omitempty"`
	// Others are the ids of markings that are neither TLP nor PAP, sorted. What they mean depends on their definitions;
	// one whose definition is not held, or not understood, counts as TLPRed.
	Others []Identifier `json:"others,omitempty"`
	// Owner is the created_by_ref of the object, or empty.
	Owner Identifier `json:"owner,omitempty"`
	// Floor bounds from below how an unmarked object is handled that came from somewhere else, where another default
	// may have been in force.
	Floor TLP `json:"floor,omitempty"`
	// Source is the peer that the object came from, empty for what was published at this node. A definition that comes
	// from a peer says what markings mean for the objects of that peer only.
	Source string `json:"source,omitempty"`
	// Raised says that what the object joins made TLP or PAP stricter than the object's own bytes tell (see
	// EffectiveMarkings): whoever receives the bytes alone would handle them less strictly.
	Raised bool `json:"raised,omitempty"`
}

// NewMarkingSet collects the marking ids of an object (object_marking_refs and the marking_ref of every granular
// marking; STIX 2.1 §7.2) and its creator into the canonical set. Several TLP markings give the strictest.
func NewMarkingSet(refs []Identifier, owner Identifier) MarkingSet {
	m := MarkingSet{Owner: owner}
	for _, ref := range refs {
		if t, ok := tlpMarkings[ref]; ok {
			m.TLP = max(m.TLP, t)
		} else if p, ok := papMarkings[ref]; ok {
			m.PAP = max(m.PAP, p)
		} else {
			m.Others = append(m.Others, ref)
		}
	}
	slices.Sort(m.Others)
	m.Others = slices.Compact(m.Others)
	return m
}

// Level is the TLP level that the set is handled as: its strictest marking; where it has none def, but no less than
// Floor; and TLPRed where unknown is true (a marking that this node does not understand). An unmarked set stays
// TLPUnmarked where def is.
func (m MarkingSet) Level(def TLP, unknown bool) TLP {
	switch {
	case unknown:
		return TLPRed
	case m.TLP == TLPUnmarked && def == TLPUnmarked:
		return TLPUnmarked
	case m.TLP == TLPUnmarked:
		return max(def, m.Floor)
	}
	return m.TLP
}

// Key is a text that is equal for equal sets, for interning.
func (m MarkingSet) Key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tlp=%d pap=%d owner=%s", m.TLP, m.PAP, m.Owner)
	for _, o := range m.Others {
		b.WriteByte(' ')
		b.WriteString(string(o))
	}
	// Last, so that the keys of sets that differ in these alone have the rest as their common beginning.
	if m.Floor != TLPUnmarked {
		fmt.Fprintf(&b, " floor=%d", m.Floor)
	}
	if m.Source != "" {
		fmt.Fprintf(&b, " source=%s", m.Source)
	}
	if m.Raised {
		b.WriteString(" raised")
	}
	return b.String()
}
