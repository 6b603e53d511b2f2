package taxii

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

// emptyLabels breaks a rule that no exchange relies on: lists are not empty (STIX 2.1 §2.10).
func emptyLabels(object string) string {
	return strings.Replace(object, `"name"`, `"labels":[],"name"`, 1)
}

// TestLenientIntake holds which violations a lenient collection stores with a record, and that a strict one stores none.
func TestLenientIntake(t *testing.T) {
	whole := indicator(1, v1, stix.MarkingOf(stix.TLPGreen))
	without := func(member string) string {
		if !strings.Contains(whole, member) {
			t.Fatalf("the indicator of the test has no %s", member)
		}
		return strings.Replace(whole, member, "", 1)
	}
	tests := []struct {
		name, object string
		stored       bool   // by a lenient collection
		says         string // of the first violation; "" for an object that breaks nothing, or where the text does not matter
	}{
		{"valid", whole, true, ""},
		{"an empty list", emptyLabels(whole), true, "labels"},
		{"a required property missing", without(`"pattern_type":"stix",`), true, "pattern_type"},
		{"a wrong kind of value", strings.Replace(whole, `"name":"numbered 1"`, `"name":1`, 1), true, "name"},
		{"no id", without(`"id":"` + indicatorID(1) + `",`), false, "id"},
		{"a wrong id", strings.Replace(whole, indicatorID(1), "indicator--1", 1), false, "id"},
		{"no type", without(`"type":"indicator",`), false, "type"},
		{"no spec_version", without(`"spec_version":"2.1",`), false, "spec_version"},
		{"no created", without(`"created":"2026-01-01T00:00:00.000Z",`), false, "created"},
		{"a wrong modified", strings.Replace(whole, v1, "yesterday", 1), false, "modified"},
		{"a wrong marking", strings.Replace(whole, string(stix.MarkingOf(stix.TLPGreen)), "TLP:GREEN", 1), false, "object_marking_refs[0]"},
		{"a wrong creator", strings.Replace(whole, `"name"`, `"created_by_ref":"me","name"`, 1), false, "created_by_ref"},
		{"revoked by a word", strings.Replace(whole, `"name"`, `"revoked":"yes","name"`, 1), false, "revoked"},
		{"a member twice", strings.Replace(whole, `"name"`, `"name":"x","name"`, 1), false, ""},
		{"no object", `[1]`, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			strict := newTestIntake().Item([]byte(tt.object), Collection{DefaultTLP: stix.TLPGreen})
			if tt.says == "" && tt.stored == (strict.Refused != "") || tt.says != "" && !strings.Contains(strict.Refused, tt.says) || strict.Violations != nil {
				t.Errorf("a strict collection: refused %q, violations %v", strict.Refused, strict.Violations)
			}
			item := newTestIntake().Item([]byte(tt.object), Collection{DefaultTLP: stix.TLPGreen, Lenient: true})
			if !tt.stored {
				if item.Refused != strict.Refused || item.Violations != nil {
					t.Errorf("a lenient collection: refused %q, violations %v; want refused as by a strict one: %q", item.Refused, item.Violations, strict.Refused)
				}
				return
			}
			if item.Refused != "" || item.Object == nil || string(item.Object.Raw) != tt.object {
				t.Fatalf("a lenient collection: %+v", item)
			}
			var got string
			if len(item.Violations) > 0 {
				got = item.Violations[0].String()
			}
			if (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) {
				t.Errorf("the first violation is %q, want one of %q: %v", got, tt.says, item.Violations)
			}
		})
	}
}

// TestLenientKeepsTheRulesOfTheNode holds that leniency is about STIX and not about what a node asks besides.
func TestLenientKeepsTheRulesOfTheNode(t *testing.T) {
	for name, tt := range map[string]struct{ object, says string }{
		"in the future": {emptyLabels(indicator(1, "2999-01-01T00:00:00.000Z", stix.MarkingOf(stix.TLPGreen))), "in the future"},
		"unmarked":      {emptyLabels(indicator(1, v1, "")), "no TLP marking"},
	} {
		item := newTestIntake().Item([]byte(tt.object), Collection{DefaultTLP: stix.TLPUnmarked, Lenient: true})
		if !strings.Contains(item.Refused, tt.says) || item.Violations != nil {
			t.Errorf("%s: refused %q, violations %v", name, item.Refused, item.Violations)
		}
	}
}

// TestLenientItemIsBounded holds that an object that breaks very much takes little memory as an item.
func TestLenientItemIsBounded(t *testing.T) {
	in := newTestIntake(func(o *IntakeOptions) {
		o.CheckObject = func(raw []byte) (*stix.Object, stix.Report) {
			object, _ := stix.Check(raw, stix.Options{})
			return object, stix.Report{Errors: slices.Repeat([]stix.Violation{{Path: "labels[0]", Message: "It is empty."}}, 1000)}
		}
	})
	item := in.Item([]byte(indicator(1, v1, "")), Collection{DefaultTLP: stix.TLPGreen, Lenient: true})
	if len(item.Violations) != maxRecorded || item.Refused != "" {
		t.Errorf("%d violations, refused %q", len(item.Violations), item.Refused)
	}
}

// TestLenientStatus holds what a client is told of an object that was stored with violations: at once, and again by the
// status resource; the object leaves as it came.
func TestLenientStatus(t *testing.T) {
	g := newRig(t)
	body := envelopeOf(emptyLabels(indicator(1, v1, "")), indicator(2, v1, ""), strings.Replace(indicator(3, v1, ""), v1, "yesterday", 1))
	strict := decode[Status](g, g.do(http.MethodPost, g.objects(""), body))
	if strict.SuccessCount != 1 || strict.FailureCount != 2 {
		t.Fatalf("a strict collection: %+v", strict)
	}
	g.store.change(g.open.ID, func(c *memCollection) { c.Lenient = true })
	st := decode[Status](g, g.do(http.MethodPost, g.objects(""), body))
	if st.SuccessCount != 2 || st.FailureCount != 1 || st.Failures[0].ID != indicatorID(3) {
		t.Fatalf("a lenient collection: %+v", st)
	}
	if m := st.Successes[0].Message; !strings.HasPrefix(m, StoredAlthough+"labels: ") || st.Successes[1].Message != AlreadyHeld {
		t.Errorf("successes %+v", st.Successes)
	}
	if again := decode[Status](g, g.get("/taxii2/main/status/"+st.ID+"/")); !cmp.Equal(st, again) {
		t.Errorf("the status resource says %+v", again)
	}
	if !strings.Contains(g.get(g.objects("")).body, emptyLabels(indicator(1, v1, ""))) {
		t.Error("the object's bytes have changed")
	}
}

func TestRecordable(t *testing.T) {
	if got := Recordable([]stix.Violation{}); got != nil || StoredMessage(got) != "" {
		t.Errorf("nothing: %v, message %q", got, StoredMessage(got))
	}
	few := []stix.Violation{{Path: "a", Rule: "r", Section: "3.1", Message: "One."}, {Path: "", Rule: "r", Section: "", Message: "Two."},
		{Rule: "too-deep", Section: stix.SectionReading, Message: "Three."}}
	if diff := cmp.Diff(few, Recordable(few)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := StoredMessage(few), StoredAlthough+"a: One. (STIX §3.1) | Two. | Three."; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	for name, one := range map[string]stix.Violation{
		"short": {Path: "a", Message: "b"},
		"long":  {Path: strings.Repeat("æ", 5000), Rule: "r", Message: strings.Repeat("ø", 5000)},
	} {
		got := Recordable(slices.Repeat([]stix.Violation{one}, 100))
		size := 0
		for _, v := range got {
			size += len(v.Path) + len(v.Rule) + len(v.Section) + len(v.Message)
		}
		if len(got) == 0 || len(got) > maxRecorded || size > maxRecordedBytes {
			t.Errorf("%s: %d violations of %d octets", name, len(got), size)
		}
		if m := StoredMessage(got); len(m) > maxMessage || strings.ToValidUTF8(m, "") != m {
			t.Errorf("%s: message of %d octets: %.80s", name, len(m), m)
		}
		if again := Recordable(got); !cmp.Equal(got, again) {
			t.Errorf("%s: what was recorded is recorded otherwise the second time", name)
		}
	}
	if got := fmt.Sprint(Recordable(slices.Repeat(few[:1], 100))); strings.Count(got, "One.") != maxRecorded {
		t.Errorf("of 100 short ones: %s", got)
	}
}
