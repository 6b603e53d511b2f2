package stix

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const (
		identity = "identity--311b2d2d-f010-4473-83ec-1edf84858f4c"
		green    = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
		red      = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
		uuid     = "--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f"
	)
	first, second := mustTimestamp(t, "2026-01-02T03:04:05.678Z"), mustTimestamp(t, "2026-01-03T03:04:05.67890Z")
	for _, c := range []struct {
		name, raw string
		want      Object
	}{
		{"indicator", `{"type":"indicator","spec_version":"2.1","id":"indicator` + uuid + `","created_by_ref":"` + identity +
			`","created":"2026-01-02T03:04:05.678Z","modified":"2026-01-03T03:04:05.67890Z","revoked":true,"object_marking_refs":["` +
			green + `"],"granular_markings":[{"selectors":["name"],"marking_ref":"` + red + `"},{"lang":"de","selectors":["name"]}]}`,
			Object{Type: "indicator", ID: "indicator" + uuid, SpecVersion: "2.1", Created: first, Modified: second,
				CreatedByRef: identity, Revoked: true, MarkingRefs: []Identifier{green, red}}},
		{"names and values with escapes", `{"\u0074ype":"\u0069ndicator","id":"indicator-\u002d6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f"}`,
			Object{Type: "indicator", ID: "indicator" + uuid}},
		{"names are case-sensitive", `{"Type":"indicator","ID":"indicator` + uuid + `","type":"url"}`,
			Object{Type: "url", SpecVersion: "2.1"}},
		{"observable without spec_version", `{"type":"url","id":"url` + uuid + `"}`,
			Object{Type: "url", ID: "url" + uuid, SpecVersion: "2.1"}},
		{"custom observable without spec_version", `{"type":"x-acme","id":"x-acme` + uuid + `"}`,
			Object{Type: "x-acme", ID: "x-acme" + uuid, SpecVersion: "2.1"}},
		{"STIX 2.0", `{"type":"indicator","id":"indicator` + uuid + `","created":"2026-01-02T03:04:05.678Z"}`,
			Object{Type: "indicator", ID: "indicator" + uuid, Created: first}},
		{"marking definition", `{"type":"marking-definition","spec_version":"2.1","definition_type":"statement"}`,
			Object{Type: "marking-definition", SpecVersion: "2.1", DefinitionType: "statement"}},
		{"definition_type elsewhere", `{"type":"url","definition_type":"statement"}`, Object{Type: "url", SpecVersion: "2.1"}},
		{"everything malformed", `{"type":"../etc","id":"x","spec_version":2.1,"created":"now","modified":1,"created_by_ref":[],"revoked":"true"}`,
			Object{}},
		{"nested properties do not count", `{"type":"x-acme","a":{"id":"url` + uuid + `","revoked":true}}`,
			Object{Type: "x-acme", SpecVersion: "2.1"}},
		{"malformed markings fail closed", `{"type":"url","object_marking_refs":["clear",1,"",null],"granular_markings":["x",{"marking_ref":2},{"marking":1}]}`,
			Object{Type: "url", SpecVersion: "2.1", MarkingRefs: []Identifier{"clear", malformedMarking, malformedMarking,
				malformedMarking, malformedMarking, malformedMarking, malformedMarking}}},
		{"a marking that is no list", `{"type":"url","object_marking_refs":"` + red + `","granular_markings":{}}`,
			Object{Type: "url", SpecVersion: "2.1", MarkingRefs: []Identifier{red, malformedMarking}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse([]byte(c.raw), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			c.want.Raw = []byte(c.raw)
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ raw, reason string }{
		{``, "missing"}, {`{`, "missing"}, {`[]`, "a list"}, {`"x"`, "a string"}, {`null`, "null"}, {`{}`, "empty"},
		{`{"type":"url"}x`, "after the end"}, {`{"a":1,"a":2}`, "given twice"}, {"\xEF\xBB\xBF{}", "byte 0"},
		{`{"a":"` + strings.Repeat("x", 200) + `"}`, "larger than 100 bytes"},
		{`{"a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, "deeper than 10"},
	} {
		o, err := Parse([]byte(c.raw), Limits{ObjectBytes: 100, Depth: 10})
		if err == nil || o != nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("Parse(%.40q) = %v, %v; want an error with %q", c.raw, o, err, c.reason)
		}
	}
}

func TestObjectVersion(t *testing.T) {
	created, modified := mustTimestamp(t, "2026-01-02T03:04:05Z"), mustTimestamp(t, "2026-01-03T03:04:05Z")
	for _, c := range []struct {
		name   string
		object Object
		want   Timestamp
	}{
		{"versioned", Object{Created: created, Modified: modified}, modified},
		{"marking definition", Object{Created: created}, created},
		{"observable", Object{}, Timestamp{}},
	} {
		if got := c.object.Version(); got != c.want {
			t.Errorf("%s: version %v, want %v", c.name, got, c.want)
		}
	}
}

func TestObjectMarkings(t *testing.T) {
	raw := `{"type":"indicator","created_by_ref":"identity--311b2d2d-f010-4473-83ec-1edf84858f4c",` +
		`"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],` +
		`"granular_markings":[{"marking_ref":"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1","selectors":["name"]},"?"]}`
	o, err := Parse([]byte(raw), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := MarkingSet{TLP: TLPRed, Owner: "identity--311b2d2d-f010-4473-83ec-1edf84858f4c", Others: []Identifier{malformedMarking}}
	if diff := cmp.Diff(want, o.Markings()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
