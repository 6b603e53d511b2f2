package stix

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	testUUID     = "6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f"
	testIdentity = "identity--311b2d2d-f010-4473-83ec-1edf84858f4c"
	testGreen    = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
	testRef      = "--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061" // behind a type: the id of another object
)

// versioned is an object with the common properties of domain objects and members of its own.
func versionedObject(typ, members string) string {
	return fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":"%s--%s","created":"2026-01-02T03:04:05.678Z","modified":"2026-01-02T03:04:05.678Z"%s}`,
		typ, typ, testUUID, comma(members))
}

func observable(typ, members string) string {
	return fmt.Sprintf(`{"type":%q,"id":"%s--%s"%s}`, typ, typ, testUUID, comma(members))
}

func markingObject(members string) string {
	return fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--%s","created":"2017-01-02T03:04:05.678Z"%s}`,
		testUUID, comma(members))
}

func comma(members string) string {
	if members == "" {
		return ""
	}
	return "," + members
}

// keys are violations as "path rule section", without the rule that test ids are random where they could be computed.
func keys(violations []Violation) []string {
	var out []string
	for _, v := range violations {
		if v.Rule != "id-not-deterministic" {
			out = append(out, strings.TrimSpace(v.Path+" "+v.Rule+" "+v.Section))
		}
	}
	return out
}

type checkCase struct {
	name, raw string
	errors    []string
	warnings  []string
}

func runChecks(t *testing.T, cases []checkCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !json.Valid([]byte(c.raw)) {
				t.Fatalf("the case is not JSON: %s", c.raw)
			}
			_, report := Check([]byte(c.raw), Options{})
			if diff := cmp.Diff(c.errors, keys(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s%v", diff, report.Errors)
			}
			if diff := cmp.Diff(c.warnings, keys(report.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s%v", diff, report.Warnings)
			}
			for _, v := range append(report.Errors, report.Warnings...) {
				if len(v.Message) > 500 || !strings.HasSuffix(v.Message, ".") || v.Section == "" {
					t.Errorf("not a short sentence with a section: %v", v)
				}
			}
		})
	}
}

func TestCheckCommonProperties(t *testing.T) {
	tool := func(members string) string { return versionedObject("tool", `"name":"n"`+comma(members)) }
	id := "tool--" + testUUID
	runChecks(t, []checkCase{
		{"valid", tool(`"created_by_ref":"` + testIdentity + `","revoked":false,"labels":["a"],"confidence":0,"lang":"en","object_marking_refs":["` + testGreen + `"]`), nil, nil},
		{"no type", `{"id":"` + id + `","spec_version":"2.1"}`, []string{"missing-property 3.2"}, nil},
		{"type is a number", `{"type":1,"id":"` + id + `"}`, []string{"type wrong-type 3.2"}, nil},
		{"type is a path", `{"type":"../../etc/passwd","id":"` + id + `"}`, []string{"type type-name 3.1"}, nil},
		{"type in upper case", `{"type":"Tool","id":"` + id + `"}`, []string{"type type-name 3.1"}, nil},
		{"type is too long", `{"type":"` + strings.Repeat("a", 251) + `","id":"` + id + `"}`, []string{"type type-name 3.1"}, nil},
		{"no id", `{"type":"tool","spec_version":"2.1","created":"2026-01-02T03:04:05.678Z","modified":"2026-01-02T03:04:05.678Z","name":"n"}`, []string{"missing-property 3.2"}, nil},
		{"id of another type", strings.Replace(tool(""), id, "malware--"+testUUID, 1), []string{"id id-type 2.9"}, nil},
		{"id is no identifier", strings.Replace(tool(""), id, "tool--{"+testUUID+"}", 1), []string{"id identifier 2.9"}, nil},
		{"id is a list", strings.Replace(tool(""), `"`+id+`"`, "[]", 1), []string{"id wrong-type 3.2"}, nil},
		{"id is not random", strings.Replace(tool(""), testUUID, "6b3f2d5c-6a1e-5d0b-9c1f-0c8a4b1d2e3f", 1), nil, []string{"id id-version 2.9"}},
		{"names are case-sensitive", tool(`"Name":"n","ID":"x"`), []string{"Name property-name 11.1.1", "ID property-name 11.1.1"}, nil},
		{"spec_version", strings.Replace(tool(""), `"2.1"`, `"2.2"`, 1), []string{"spec_version spec-version 3.2"}, nil},
		{"spec_version is a number", strings.Replace(tool(""), `"2.1"`, `2.1`, 1), []string{"spec_version spec-version 3.2"}, nil},
		{"STIX 2.0 by absence", strings.Replace(tool(`"labels":[],"x":null`), `"spec_version":"2.1",`, "", 1), []string{"spec-version-2.0 3.2"}, nil},
		{"STIX 2.0 by number", strings.Replace(tool(`"labels":[]`), `"2.1"`, `"2.0"`, 1), []string{"spec-version-2.0 3.2"}, nil},
		{"no created", strings.Replace(tool(""), `"created":"2026-01-02T03:04:05.678Z",`, "", 1), []string{"missing-property 3.2"}, nil},
		{"modified is no timestamp", strings.Replace(tool(""), `"modified":"2026-01-02T03:04:05.678Z"`, `"modified":"2026-01-02T03:04:05.678+00:00"`, 1), []string{"modified timestamp 2.16.1"}, nil},
		{"modified without milliseconds", strings.Replace(tool(""), `"modified":"2026-01-02T03:04:05.678Z"`, `"modified":"2026-01-02T03:04:06Z"`, 1), []string{"modified timestamp-precision 3.2"}, nil},
		{"modified earlier by less than a nanosecond", strings.Replace(tool(""), `"created":"2026-01-02T03:04:05.678Z"`, `"created":"2026-01-02T03:04:05.6780000000001Z"`, 1), []string{"modified modified-before-created 3.2"}, nil},
		{"created_by_ref to a malware", tool(`"created_by_ref":"malware` + testRef + `"`), []string{"created_by_ref reference-type 3.2"}, nil},
		{"created_by_ref is a list", tool(`"created_by_ref":["` + testIdentity + `"]`), []string{"created_by_ref wrong-type 3.2"}, nil},
		{"revoked is a string", tool(`"revoked":"false"`), []string{"revoked wrong-type 2.2"}, nil},
		{"revoked is a number", tool(`"revoked":0`), []string{"revoked wrong-type 2.2"}, nil},
		{"labels empty", tool(`"labels":[]`), []string{"labels empty-list 2.12"}, nil},
		{"labels of numbers", tool(`"labels":["a",1]`), []string{"labels[1] wrong-type 3.2"}, nil},
		{"lang", tool(`"lang":"english language"`), []string{"lang language 3.2"}, nil},
		{"null", tool(`"description":null`), []string{"description null 2"}, nil},
		{"not applicable", tool(`"defanged":false`), []string{"defanged not-applicable 3.2"}, nil},
		{"reserved", tool(`"severity":1,"username":"x","phone_number":"1","action":"a"`), []string{"severity reserved-property 3.8", "username reserved-property 3.8", "phone_number reserved-property 3.8", "action reserved-property 3.8"}, nil},
		{"custom property", tool(`"x_acme":1`), nil, []string{"x_acme custom-property 11.1"}},
		{"bad names", tool(`"ab":1,"x-y":1,"1ab":1,"":1,"a\u0000bc":1,"__proto__":1`), []string{"ab property-name 11.1.1", "x-y property-name 11.1.1",
			"1ab property-name 11.1.1", "property-name 11.1.1", "a\x00bc property-name 11.1.1", "__proto__ property-name 11.1.1"}, nil},
		{"nested custom content", tool(`"x_acme":{"a":[],"b":{},"c":[{"d":null}],"e f":1}`), []string{"x_acme.a empty-list 2.12", "x_acme.b empty-dictionary 2.3",
			"x_acme.c[0].d null 2", "x_acme.e f dictionary-key 2.3"}, []string{"x_acme custom-property 11.1"}},
		{"external reference", tool(`"external_references":[{"source_name":"a"},{"url":"x"},"x",{"source_name":"a","description":"b","own_thing":1}]`),
			[]string{"external_references[0] needs-one-of 2.5.2", "external_references[1] missing-property 2.5.1", "external_references[2] wrong-type 3.2"},
			[]string{"external_references[1].url url-without-hashes 2.5.1", "external_references[3].own_thing custom-property 11.1"}},
		{"kill chain", tool(`"kill_chain_phases":[{"kill_chain_name":"Lockheed","phase_name":"x_y"},{"phase_name":"x"}]`),
			[]string{"kill_chain_phases[1] missing-property 2.11"},
			[]string{"kill_chain_phases[0].kill_chain_name lower-case-hyphen 2.11", "kill_chain_phases[0].phase_name lower-case-hyphen 2.11"}},
	})
}

func TestCheckConfidence(t *testing.T) {
	for number, want := range map[string]string{
		"0": "", "100": "", "1e2": "", "1.0": "", "-0": "", "0.5e1": "", "50.5": "integer", `"50"`: "wrong-type", "101": "range", "-1": "range",
		"1e400": "integer", "9007199254740993": "integer", "1e-1": "integer", "true": "wrong-type", "99.99999999999999999999": "integer",
	} {
		_, report := Check([]byte(versionedObject("tool", `"name":"n","confidence":`+number)), Options{})
		var got string
		if len(report.Errors) > 0 {
			got = report.Errors[0].Rule
		}
		if got != want {
			t.Errorf("confidence %s: %q (%v), want %q", number, got, report.Errors, want)
		}
	}
}

func TestCheckMarkings(t *testing.T) {
	tool := func(members string) string {
		return versionedObject("tool", `"name":"n","aliases":["a","b"]`+comma(members))
	}
	granular := func(entry string) string { return tool(`"granular_markings":[` + entry + `]`) }
	marked := func(selector string) string {
		return granular(`{"marking_ref":"` + testGreen + `","selectors":[` + selector + `]}`)
	}
	bad := []string{"granular_markings[0].selectors[0] selector 7.2.3"}
	runChecks(t, []checkCase{
		{"object marking of another type", tool(`"object_marking_refs":["` + testIdentity + `"]`), []string{"object_marking_refs[0] reference-type 3.2"}, nil},
		{"object marking is a string", tool(`"object_marking_refs":"` + testGreen + `"`), []string{"object_marking_refs wrong-type 3.2"}, nil},
		{"object marking marks itself", markingObject(`"definition_type":"statement","definition":{"statement":"s"},"object_marking_refs":["marking-definition--` + testUUID + `"]`),
			[]string{"object_marking_refs[0] self-marking 3.2"}, nil},
		{"granular marking marks itself", markingObject(`"definition_type":"statement","definition":{"statement":"s"},"granular_markings":[{"marking_ref":"marking-definition--` + testUUID + `","selectors":["definition.statement"]}]`),
			[]string{"granular_markings[0].marking_ref self-marking 3.2"}, nil},
		{"granular marking", marked(`"name","aliases","aliases.[1]","type"`), nil, nil},
		{"granular language", granular(`{"lang":"de","selectors":["name"]}`), nil, nil},
		{"granular both", granular(`{"lang":"de","marking_ref":"` + testGreen + `","selectors":["name"]}`), []string{"granular_markings[0] exactly-one-of 7.2.3"}, nil},
		{"granular neither", granular(`{"selectors":["name"]}`), []string{"granular_markings[0] exactly-one-of 7.2.3"}, nil},
		{"granular without selectors", granular(`{"lang":"de"}`), []string{"granular_markings[0] missing-property 7.2.3"}, nil},
		{"granular with no selector", granular(`{"lang":"de","selectors":[]}`), []string{"granular_markings[0].selectors empty-list 2.12"}, nil},
		{"selector is a number", marked(`1`), []string{"granular_markings[0].selectors[0] wrong-type 7.2.3"}, nil},
		{"selector of nothing", marked(`"description"`), bad, nil},
		{"selector of a huge index", marked(`"aliases.[999999999999]"`), bad, nil},
		{"selector of an index beyond the end", marked(`"aliases.[2]"`), bad, nil},
		{"selector with a zero in front of its index", marked(`"aliases.[00]"`), bad, nil},
		{"selector with a negative index", marked(`"aliases.[-1]"`), bad, nil},
		{"selector without a point", marked(`"aliases[0]"`), bad, nil},
		{"selector of the root by index", marked(`"[0]"`), bad, nil},
		{"selector empty", marked(`""`), bad, nil},
		{"selector of points", marked(`".."`), bad, nil},
		{"selector with a point at the end", marked(`"name."`), bad, nil},
		{"selector into a string", marked(`"name.x"`), bad, nil},
		{"selector by JSONPath", marked(`"$"`), bad, nil},
		{"selector of many components", marked(`"aliases` + strings.Repeat(".[0]", 10_000) + `"`), bad, nil},
		{"selector of markings", marked(`"granular_markings.[0].marking_ref"`), bad, nil},
	})
}

// Selectors and references inside containers cost a bounded number of steps however many there are.
func TestCheckBoundedSearch(t *testing.T) {
	var members, selectors strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&members, `,"x_property_%d":0`, i)
		fmt.Fprintf(&selectors, `,"x_property_19999"`)
	}
	raw := versionedObject("tool", `"name":"n","granular_markings":[{"lang":"de","selectors":["name"`+selectors.String()+`]}]`+members.String())
	_, report := Check([]byte(raw), Options{})
	if got := keys(report.Errors); len(got) != 1 || !strings.Contains(got[0], "selectors-too-many") {
		t.Errorf("20,000 selectors over 20,000 properties: %v", got)
	}
	if !report.Truncated || len(report.Errors)+len(report.Warnings) > defaultMaxViolations {
		t.Errorf("%d errors and %d warnings, truncated %v", len(report.Errors), len(report.Warnings), report.Truncated)
	}
}

func TestCheckExtensions(t *testing.T) {
	const key = "extension-definition--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
	tool := func(extensions, members string) string {
		return versionedObject("tool", `"name":"n","extensions":`+extensions+comma(members))
	}
	file := func(extensions string) string { return observable("file", `"name":"n","extensions":`+extensions) }
	large := strings.Repeat("x", 5<<20)
	runChecks(t, []checkCase{
		{"property extension", tool(`{"`+key+`":{"extension_type":"property-extension","rank":1}}`, ""), nil, nil},
		{"unknown extension of 5 MB", tool(`{"`+key+`":{"extension_type":"property-extension","rank":"`+large+`"}}`, ""), nil, nil},
		{"toplevel extension", tool(`{"`+key+`":{"extension_type":"toplevel-property-extension"}}`, `"rank":1`), nil, nil},
		{"property extension does not allow others", tool(`{"`+key+`":{"extension_type":"property-extension"}}`, `"rank":1`), nil, []string{"rank custom-property 11.1"}},
		{"empty", tool(`{}`, ""), []string{"extensions empty-dictionary 2.3"}, nil},
		{"list", tool(`[]`, ""), []string{"extensions wrong-type 3.2"}, nil},
		{"extension is a string", tool(`{"`+key+`":"x"}`, ""), []string{"extensions." + key + " wrong-type 3.2"}, nil},
		{"no extension_type", tool(`{"`+key+`":{"rank":1}}`, ""), []string{"extensions." + key + " missing-property 3.2"}, nil},
		{"extension_type is a list", tool(`{"`+key+`":{"extension_type":["new-sdo"]}}`, ""), []string{"extensions." + key + ".extension_type wrong-type 3.2"}, nil},
		{"extension_type unknown", tool(`{"`+key+`":{"extension_type":"new-thing"}}`, ""), []string{"extensions." + key + ".extension_type vocabulary 2.4"}, nil},
		{"key is no identifier", tool(`{"extension-definition--1":{"extension_type":"property-extension"}}`, ""), []string{"extensions.extension-definition--1 identifier 2.9"}, nil},
		{"custom key", tool(`{"acme":{"rank":1}}`, ""), nil, []string{"extensions.acme custom-extension 11.3"}},
		{"custom key with NUL", tool(`{"ac\u0000me":{"rank":1}}`, ""), []string{"extensions.ac\x00me dictionary-key 2.3"}, []string{"extensions.ac\x00me custom-extension 11.3"}},
		{"custom extension of an observable", file(`{"acme-ext":{"rank":1}}`), nil, []string{"extensions.acme-ext custom-extension 11.3"}},
		{"property names of an extension", tool(`{"`+key+`":{"extension_type":"property-extension","Bad Key":1,"bad-key":1,"ab":1,"1ab":1,"_rank":1,"":1,"rank_2":{"A-b":1,"c d":1}}}`, ""),
			[]string{"extensions." + key + ".Bad Key property-name 7.3.2", "extensions." + key + ".bad-key property-name 7.3.2",
				"extensions." + key + ".ab property-name 7.3.2", "extensions." + key + ".1ab property-name 7.3.2", "extensions." + key + "._rank property-name 7.3.2",
				"extensions." + key + ". property-name 7.3.2", "extensions." + key + ".rank_2.c d dictionary-key 2.3"},
			[]string{"extensions." + key + ".rank_2.A-b dictionary-key-case 2.3"}},
		{"id as a property of an extension", tool(`{"`+key+`":{"extension_type":"property-extension","id":"x"}}`, ""), nil, nil},
		{"long property names of an extension", tool(`{"`+key+`":{"extension_type":"property-extension","`+strings.Repeat("a", 250)+`":1,"`+strings.Repeat("b", 251)+`":1}}`, ""),
			[]string{"extensions." + key + "." + strings.Repeat("b", 80) + "… property-name 7.3.2"}, nil},
		{"property names of a custom extension", file(`{"x-foo-ext":{"Bad-Name":1,"ok_name":null,"good":{"A-b":1}}}`),
			[]string{"extensions.x-foo-ext.Bad-Name property-name 11.3.1", "extensions.x-foo-ext.ok_name null 2"}, []string{"extensions.x-foo-ext custom-extension 11.3", "extensions.x-foo-ext.good.A-b dictionary-key-case 2.3"}},
		{"custom extension without -ext", file(`{"acme":{"rank":1}}`), []string{"extensions.acme extension-name 11.3.1"}, nil},
		{"custom extension empty", file(`{"acme-ext":{}}`), []string{"extensions.acme-ext empty-dictionary 11.3.1"}, nil},
		{"predefined on the wrong host", file(`{"tcp-ext":{"src_flags_hex":"00"}}`), []string{"extensions.tcp-ext extension-host 6.12.5"}, nil},
		{"predefined empty", file(`{"ntfs-ext":{}}`), []string{"extensions.ntfs-ext needs-property 6.7.3"}, nil},
		{"predefined with a custom property", file(`{"ntfs-ext":{"sid":"x","acme":1}}`), nil, []string{"extensions.ntfs-ext.acme custom-property 11.1"}},
		{"standard type defined again", tool(`{"`+key+`":{"extension_type":"new-sdo"}}`, ""), []string{"extensions." + key + ".extension_type extension-redefines 7.3"}, nil},
		{"standard type of another class", tool(`{"`+key+`":{"extension_type":"new-sro"},"`+key[:len(key)-1]+`2":{"extension_type":"new-sco"}}`, ""), []string{"extensions." + key + ".extension_type extension-redefines 7.3"}, nil},
		{"standard observable defined again", file(`{"` + key + `":{"extension_type":"new-sco"}}`), []string{"extensions." + key + ".extension_type extension-redefines 7.3"}, nil},
		{"custom type of two classes", versionedObject("x-acme", `"thing":1,"extensions":{"`+key+`":{"extension_type":"new-sdo"},"`+key[:len(key)-1]+`2":{"extension_type":"new-sro"}}`),
			[]string{"extensions." + key[:len(key)-1] + "2.extension_type extension-conflict 7.3"}, nil},
		{"custom type defined twice alike", versionedObject("x-acme", `"thing":1,"extensions":{"`+key+`":{"extension_type":"new-sdo"},"`+key[:len(key)-1]+`2":{"extension_type":"new-sdo"},"`+key[:len(key)-1]+`3":{"extension_type":"property-extension"}}`), nil, nil},
		{"custom type by extension", versionedObject("x-acme", `"thing":1,"extensions":{"`+key+`":{"extension_type":"new-sdo"}}`), nil, nil},
		{"custom observable by extension", observable("x-acme", `"thing":1,"extensions":{"`+key+`":{"extension_type":"new-sco"}}`), nil, nil},
		{"custom observable with a version", observable("x-acme", `"thing":1,"created":"2026-01-02T03:04:05.678Z","extensions":{"`+key+`":{"extension_type":"new-sco"}}`), []string{"created not-applicable 3.2"}, nil},
		{"custom type, bare", versionedObject("x-acme", `"thing":1`), nil, []string{"custom-type 11.2"}},
		{"encoding of a property that is missing", versionedObject("x-acme", `"thing_enc":"utf-8"`), []string{"thing_enc needs-other 3.1"}, []string{"custom-type 11.2"}},
		{"encoding of a property that is there", versionedObject("x-acme", `"thing":"a","thing_enc":"utf-8"`), nil, []string{"custom-type 11.2"}},
		{"custom type, bare and empty", versionedObject("x-acme", ""), nil, []string{"custom-type 11.2", "custom-type-empty 11.2.1"}},
		{"custom type without modified", strings.Replace(versionedObject("x-acme", `"thing":1`), `"modified"`, `"changed"`, 1), []string{"missing-property 3.2"}, []string{"custom-type 11.2"}},
		{"prototype as a type", strings.ReplaceAll(versionedObject("constructor", `"thing":1`), "x", "x"), nil, []string{"custom-type 11.2"}},
	})
}

func TestCheckObservedDataContainer(t *testing.T) {
	observed := func(objects string) string {
		return versionedObject("observed-data", `"first_observed":"2026-01-02T03:04:05Z","last_observed":"2026-01-02T03:04:05Z","number_observed":1,"objects":`+objects)
	}
	deprecated := []string{"objects deprecated 2.13"}
	runChecks(t, []checkCase{
		{"valid", observed(`{"0":{"type":"domain-name","value":"a.example","resolves_to_refs":["1"]},"1":{"type":"ipv4-addr","value":"192.0.2.1"}}`), nil, deprecated},
		{"reference to nothing", observed(`{"0":{"type":"domain-name","value":"a.example","resolves_to_refs":["7"]}}`), []string{"objects.0.resolves_to_refs[0] container-reference 2.13"}, deprecated},
		{"reference to another type", observed(`{"0":{"type":"domain-name","value":"a.example","resolves_to_refs":["1"]},"1":{"type":"mutex","name":"m"}}`), []string{"objects.0.resolves_to_refs[0] reference-type 6.4.1"}, deprecated},
		{"no type", observed(`{"0":{"value":"x"}}`), []string{"objects.0 missing-property 2.13"}, deprecated},
		{"domain object inside", observed(`{"0":{"type":"tool","name":"x"}}`), []string{"objects.0 reference-type 2.13"}, deprecated},
		{"string inside", observed(`{"0":"x"}`), []string{"objects.0 wrong-type 2.13"}, deprecated},
		{"list", observed(`[]`), []string{"objects wrong-type 2.13"}, nil},
		{"rules of the type hold", observed(`{"0":{"type":"ipv4-addr","value":"192.0.2.01"}}`), []string{"objects.0.value value 6.8.1"}, deprecated},
	})
}

func TestCheckBundle(t *testing.T) {
	bundle := func(objects string) string {
		return `{"type":"bundle","id":"bundle--` + testUUID + `","objects":` + objects + `}`
	}
	good := observable("mutex", `"name":"m"`)
	runChecks(t, []checkCase{
		{"valid", bundle(`[` + good + `]`), nil, nil},
		{"without objects", `{"type":"bundle","id":"bundle--` + testUUID + `"}`, nil, nil},
		{"empty list", bundle(`[]`), []string{"objects bundle-objects 8.1"}, nil},
		{"no objects in it", bundle(`[1,null,{"type":"bundle"}]`), []string{"objects[0] bundle-objects 8.1", "objects[1] bundle-objects 8.1", "objects[2] bundle-objects 8"}, nil},
		{"error in the second object", bundle(`[` + good + `,` + observable("mutex", "") + `]`), []string{"objects[1] missing-property 6.11.1"}, nil},
		{"unknown property", strings.Replace(bundle(`[`+good+`]`), `"objects"`, `"created":1,"objects"`, 1), nil, []string{"created bundle-property 8.1"}},
		{"STIX 2.0", strings.Replace(bundle(`[`+good+`]`), `"objects"`, `"spec_version":"2.0","objects"`, 1), []string{"spec-version-2.0 3.2"}, nil},
	})
}

func TestCheckStructural(t *testing.T) {
	tool := versionedObject("tool", `"name":"n"`)
	for _, c := range []struct {
		name, raw  string
		acceptable bool
	}{
		{"JSON", `{`, false},
		{"type", strings.Replace(tool, `"type"`, `"typ"`, 1), false},
		{"id", strings.Replace(tool, testUUID, "x", 1), false},
		{"id of another type", strings.Replace(tool, `"tool"`, `"malware"`, 1), false},
		{"STIX 2.0", strings.Replace(tool, `"2.1"`, `"2.0"`, 1), false},
		{"modified missing", strings.Replace(tool, `"modified"`, `"changed"`, 1), false},
		{"created malformed", strings.Replace(tool, `"created":"2026`, `"created":"26`, 1), false},
		{"revoked malformed", strings.Replace(tool, `"name"`, `"revoked":"true","name"`, 1), false},
		{"creator malformed", strings.Replace(tool, `"name"`, `"created_by_ref":"me","name"`, 1), false},
		{"marking malformed", strings.Replace(tool, `"name"`, `"object_marking_refs":["green"],"name"`, 1), false},
		{"granular marking malformed", strings.Replace(tool, `"name"`, `"granular_markings":[{"marking_ref":1,"selectors":["name"]}],"name"`, 1), false},
		{"selector", strings.Replace(tool, `"name"`, `"granular_markings":[{"marking_ref":"`+testGreen+`","selectors":["x"]}],"name"`, 1), true},
		{"created without milliseconds", strings.Replace(tool, `05.678Z","modified"`, `05Z","modified"`, 1), true},
		{"modified before created", strings.Replace(tool, `"created":"2026`, `"created":"2027`, 1), true},
		{"name missing", versionedObject("tool", ""), true},
		{"empty custom list", strings.Replace(tool, `"name"`, `"x_acme":[],"name"`, 1), true},
		{"label", strings.Replace(tool, `"name"`, `"labels":[1],"name"`, 1), true},
	} {
		_, report := Check([]byte(c.raw), Options{})
		if report.OK() || report.Acceptable() != c.acceptable {
			t.Errorf("%s: acceptable %v, want %v: %v", c.name, report.Acceptable(), c.acceptable, report.Errors)
		}
	}
}

func TestCheckObject(t *testing.T) {
	raw := []byte(versionedObject("tool", `"labels":[]`))
	object, report := Check(raw, Options{})
	if object == nil || object.Type != "tool" || object.ID != "tool--"+testUUID || report.OK() {
		t.Errorf("an object with errors is returned as %v, %v", object, report)
	}
	if object, report := Check([]byte(`{"name":"x"}`), Options{}); object != nil || len(report.Errors) != 2 {
		t.Errorf("without type and id: %v, %v", object, report)
	}
	for raw, rule := range map[string]string{``: "truncated", `[]`: "not-an-object", `{}`: "empty-object", `{"a":1,"a":2}`: "duplicate-member",
		`{"a":"\ud800"}`: "lone-surrogate", `{"a":1]`: "json-syntax", `{"a":`: "truncated"} {
		if object, report := Check([]byte(raw), Options{}); object != nil || len(report.Errors) != 1 || report.Errors[0].Rule != rule {
			t.Errorf("%s: %v, %v", raw, object, report)
		}
	}
	if _, report := Check(raw, Options{Limits: Limits{ObjectBytes: 10}}); len(report.Errors) != 1 || !strings.Contains(report.Errors[0].Message, "10 bytes") {
		t.Errorf("too large: %v", report)
	}
}

// What is reported first is not all: what decides about acceptance is reported however much else is wrong.
func TestCheckMaxViolations(t *testing.T) {
	many := strings.Repeat("1,", 50) + "1"
	for _, c := range []struct {
		name, raw      string
		ok, acceptable bool
	}{
		{"a structural error behind others", `{"type":"tool","spec_version":"2.1","labels":[` + many + `],"aliases":[` + many + `],"name":"n"}`, false, false},
		{"an error behind warnings", versionedObject("identity", `"sectors":["`+strings.Repeat(`x","`, 50)+`x"],"name":1`), false, true},
		{"warnings alone", versionedObject("identity", `"sectors":["`+strings.Repeat(`x","`, 50)+`x"],"name":"n"`), true, true},
	} {
		_, report := Check([]byte(c.raw), Options{MaxViolations: 10})
		if len(report.Errors)+len(report.Warnings) != 10 || !report.Truncated || report.OK() != c.ok || report.Acceptable() != c.acceptable {
			t.Errorf("%s: %d errors, %d warnings, truncated %v, OK %v, acceptable %v", c.name, len(report.Errors),
				len(report.Warnings), report.Truncated, report.OK(), report.Acceptable())
		}
	}
}

func TestCheckOptions(t *testing.T) {
	indicator := versionedObject("indicator", `"name":"n","description":"d","pattern":"[a:b = 1]","pattern_type":"stix","valid_from":"2026-01-02T03:04:05Z"`)
	var seen string
	_, report := Check([]byte(indicator), Options{CheckPattern: func(pattern string) error {
		seen = pattern
		return errors.New("no such thing at line 1, column 2")
	}})
	if seen != "[a:b = 1]" || len(report.Errors) != 1 || report.Errors[0].Path != "pattern" || !strings.Contains(report.Errors[0].Message, "line 1, column 2") {
		t.Errorf("pattern %q: %v", seen, report)
	}
	yara := strings.Replace(indicator, `"stix"`, `"yara"`, 1)
	if _, report := Check([]byte(yara), Options{CheckPattern: func(string) error { return errors.New("asked") }}); !report.OK() {
		t.Errorf("a pattern of another language: %v", report)
	}
	old := strings.Replace(indicator, `"pattern":`, `"pattern_version":"2.0","pattern":`, 1)
	if _, report := Check([]byte(old), Options{CheckPattern: func(string) error { return errors.New("asked") }}); !report.OK() {
		t.Errorf("a pattern of another version: %v", report)
	}
	before := func() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }
	if _, report := Check([]byte(indicator), Options{Now: before}); len(report.Warnings) != 2 || report.Warnings[0].Rule != "future-timestamp" {
		t.Errorf("an object of next year: %v", report)
	}
}

func TestReferenceMessages(t *testing.T) {
	reference := func(typ, members string) string { return versionedObject(typ, `"name":"n",`+members) }
	for _, c := range []struct{ raw, want string }{
		{reference("malware", `"is_family":true,"sample_refs":["url`+testRef+`"]`), "it must be of type file or artifact."},
		{reference("malware-analysis", `"product":"p","result":"unknown","sample_ref":"url`+testRef+`"`), "it must be of type file, network-traffic or artifact."},
		{reference("relationship", `"relationship_type":"uses","source_ref":"tool`+testRef+`","target_ref":"sighting`+testRef+`"`), "it must be a domain object or a cyber-observable object."},
		{reference("sighting", `"sighting_of_ref":"url`+testRef+`"`), "it must be a domain object."},
		{reference("observed-data", `"object_refs":["tool`+testRef+`"]`), "it must be a cyber-observable object or a relationship object."},
		{reference("note", `"content":"c","object_refs":["bundle`+testRef+`"]`), "it must be any object but a bundle."},
	} {
		_, report := Check([]byte(c.raw), Options{})
		if !slices.ContainsFunc(report.Errors, func(v Violation) bool {
			return v.Rule == "reference-type" && strings.HasSuffix(v.Message, c.want)
		}) {
			t.Errorf("%q is not in %v", c.want, report.Errors)
		}
	}
}

func TestReportJSON(t *testing.T) {
	_, report := Check([]byte(versionedObject("tool", `"name":"n","external_references":[{"source_name":"a","url":1}]`)), Options{})
	got, err := json.Marshal(report.Errors)
	want := `[{"path":"external_references[0].url","rule":"wrong-type","section":"2.5.1","message":"The value is a number; it must be a string."}]`
	if err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s (%v)", got, want, err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		generatedIndicator(1), versionedObject("tool", `"name":"n","granular_markings":[{"lang":"de","selectors":["name","a.[0]"]}]`),
		observable("file", `"hashes":{"MD5":"x"},"extensions":{"ntfs-ext":{"sid":"x"}}`), `{"type":"bundle","id":"x","objects":[{"type":"url"}]}`,
		versionedObject("observed-data", `"objects":{"0":{"type":"url","value":"x"}}`), markingObject(`"definition_type":"tlp","definition":{"tlp":"red"}`),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		object, report := Check(raw, Options{MaxViolations: 20})
		parsed, err := Parse(raw, Limits{})
		if err != nil {
			if v, ok := ReadingViolation(err); !ok || !slices.Equal(report.Errors, []Violation{v}) {
				t.Fatalf("Parse says %v, Check %v", err, report.Errors)
			}
			return
		}
		if object != nil {
			if diff := cmp.Diff(parsed, object); diff != "" {
				t.Errorf("Parse and Check read different objects:\n%s", diff)
			}
		}
		if report.Acceptable() && object.Type != "bundle" && (object.ID == "" || object.Type == "" || object.ID.Type() != object.Type) {
			t.Errorf("acceptable with type %q and id %q", object.Type, object.ID)
		}
		if len(report.Errors)+len(report.Warnings) > 20 {
			t.Errorf("%d errors and %d warnings", len(report.Errors), len(report.Warnings))
		}
		digest, errDigest := parsed.Digest()
		if _, errNorm := parsed.Norm(); (errDigest == nil) != (errNorm == nil) {
			t.Errorf("digest %v, norm %v", errDigest, errNorm)
		}
		if errDigest == nil {
			again := &Object{Raw: appendCompact(nil, raw)}
			if d, err := again.Digest(); err != nil || d != digest {
				t.Errorf("the digest changes with the whitespace: %v", err)
			}
		}
	})
}
