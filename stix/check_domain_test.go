package stix

import (
	"strings"
	"testing"
)

func TestCheckDomainObjects(t *testing.T) {
	indicator := func(members string) string {
		return versionedObject("indicator", `"name":"n","description":"d","pattern_type":"stix"`+comma(members))
	}
	location := func(members string) string { return versionedObject("location", members) }
	seen := `"first_seen":"2026-01-02T03:04:05Z","last_seen":"2026-01-02T03:04:04.9Z"`
	same := `"first_seen":"2026-01-02T03:04:05Z","last_seen":"2026-01-02T03:04:05.000Z"`
	observed := func(members string) string {
		return versionedObject("observed-data", `"first_observed":"2026-01-02T03:04:05Z","last_observed":"2026-01-02T03:04:05Z"`+comma(members))
	}
	runChecks(t, []checkCase{
		{"attack-pattern", versionedObject("attack-pattern", `"external_references":[{"source_name":"capec","external_id":"163"},{"source_name":"other","external_id":"x"},1]`),
			[]string{"external_references[2] wrong-type 3.2", "missing-property 4.1.1", "external_references[0].external_id capec-id 4.1.1"}, nil},
		{"campaign", versionedObject("campaign", `"name":"n",`+seen), []string{"last_seen time-order 4.2.1"}, nil},
		{"campaign at one instant", versionedObject("campaign", `"name":"n",`+same), nil, nil},
		{"grouping", versionedObject("grouping", `"context":"x","object_refs":["bundle`+testRef+`","indicator`+testRef+`"]`),
			[]string{"object_refs[0] reference-type 4.4.1"}, []string{"context open-vocabulary 2.14"}},
		{"identity", versionedObject("identity", `"name":1,"identity_class":"individual","sectors":["x"]`), []string{"name wrong-type 4.5.1"}, []string{"sectors[0] open-vocabulary 2.14"}},
		{"indicator", indicator(`"pattern":"[a:b = 1]","valid_from":"2026-01-02T03:04:05Z","valid_until":"2026-01-02T03:04:05.001Z"`), nil, nil},
		{"indicator valid for no time", indicator(`"pattern":"[a:b = 1]","valid_from":"2026-01-02T03:04:05Z","valid_until":"2026-01-02T03:04:05.0Z"`), []string{"valid_until time-order 4.7.1"}, nil},
		{"indicator with an empty pattern", indicator(`"pattern":" ","valid_from":"2026-01-02T03:04:05Z"`), []string{"pattern pattern 4.7.1"}, nil},
		{"indicator without anything", versionedObject("indicator", ""), []string{"missing-property 4.7.1", "missing-property 4.7.1", "missing-property 4.7.1"}, []string{"name-and-description 4.7.1"}},
		{"location nowhere", location(""), []string{"needs-one-of 4.10"}, nil},
		{"location on the map", location(`"latitude":-90,"longitude":180.0,"precision":1.5`), nil, nil},
		{"location off the map", location(`"latitude":90.1,"longitude":-181`), []string{"latitude range 2.6", "longitude range 2.6"}, nil},
		{"location of half a point", location(`"region":"oceania","latitude":1,"precision":1`), []string{"latitude needs-other 4.10.1", "precision needs-other 4.10.1"}, nil},
		{"location of text", location(`"latitude":"1","longitude":1e999`), []string{"latitude wrong-type 2.6", "longitude float 2.6"}, nil},
		{"location by country", location(`"country":"Norway"`), nil, []string{"country country 4.10.1"}},
		{"location by country code", location(`"country":"no"`), nil, nil},
		{"malware", versionedObject("malware", `"is_family":true,"sample_refs":["file`+testRef+`","url`+testRef+`"]`),
			[]string{"sample_refs[1] reference-type 4.11.1", "missing-property 4.11.1"}, nil},
		{"malware that is no family needs no name", versionedObject("malware", `"is_family":false`), nil, nil},
		{"malware-analysis", versionedObject("malware-analysis", `"product":"Scanner"`), []string{"needs-one-of 4.12"}, []string{"product lower-case-hyphen 4.12.1"}},
		{"malware-analysis of an identity", versionedObject("malware-analysis", `"product":"s","analysis_sco_refs":["identity`+testRef+`","x-acme`+testRef+`"]`), []string{"analysis_sco_refs[0] reference-type 4.12.1"}, nil},
		{"observed-data of nothing", observed(`"number_observed":0`), []string{"number_observed range 2.10", "exactly-one-of 4.14"}, nil},
		{"observed-data of relationships only", observed(`"number_observed":1,"object_refs":["relationship` + testRef + `"]`), []string{"object_refs needs-observable 4.14.1"}, nil},
		{"observed-data of a domain object", observed(`"number_observed":999999999,"object_refs":["url` + testRef + `","tool` + testRef + `"]`), []string{"object_refs[1] reference-type 4.14.1"}, nil},
		{"opinion", versionedObject("opinion", `"opinion":"Agree","object_refs":["tool`+testRef+`"]`), []string{"opinion vocabulary 2.4"}, nil},
		{"report", versionedObject("report", `"name":"n","published":"2026-01-02","object_refs":"x"`), []string{"published timestamp 2.16.1", "object_refs wrong-type 4.16.1"}, nil},
		{"vulnerability", versionedObject("vulnerability", `"name":"n","external_references":[{"source_name":"cve","external_id":"CVE-24-1234"},{"source_name":"cve","external_id":"CVE-2024-12345"}]`),
			[]string{"external_references[0].external_id cve-id 4.19.1"}, nil},
		{"course-of-action", versionedObject("course-of-action", `"name":"n","action":"x"`), []string{"action reserved-property 3.8"}, nil},
	})
}

func TestCheckRelationships(t *testing.T) {
	relationship := func(source, typ, target, members string) string {
		return versionedObject("relationship", `"source_ref":"`+source+testRef+`","relationship_type":"`+typ+`","target_ref":"`+target+testRef+`"`+comma(members))
	}
	unusual := []string{"relationship_type relationship 5.1.2"}
	runChecks(t, []checkCase{
		{"of the standard", relationship("indicator", "indicates", "malware", ""), nil, nil},
		{"to any observable", relationship("infrastructure", "consists-of", "mutex", ""), nil, nil},
		{"of another source", relationship("identity", "indicates", "malware", ""), nil, unusual},
		{"to another target", relationship("indicator", "indicates", "report", ""), nil, unusual},
		{"of its own type", relationship("indicator", "detects", "malware", ""), nil, unusual},
		{"of any two", relationship("x-acme", "related-to", "url", ""), nil, nil},
		{"derived from the same type", relationship("tool", "derived-from", "tool", ""), nil, nil},
		{"derived from another type", relationship("tool", "derived-from", "malware", ""), nil, []string{"relationship_type relationship 3.7"}},
		{"between relationships", relationship("relationship", "related-to", "sighting", ""), []string{"source_ref reference-type 5.1.2", "target_ref reference-type 5.1.2"}, nil},
		{"to meta objects", relationship("marking-definition", "related-to", "language-content", ""), []string{"source_ref reference-type 5.1.2", "target_ref reference-type 5.1.2"}, nil},
		{"to a bundle", relationship("tool", "related-to", "bundle", ""), []string{"target_ref reference-type 5.1.2"}, nil},
		{"type in upper case", relationship("indicator", "Indicates", "malware", ""), []string{"relationship_type relationship-type 5.1.2"}, nil},
		{"type empty", relationship("indicator", "", "malware", ""), []string{"relationship_type relationship-type 5.1.2"}, nil},
		{"no time", relationship("indicator", "indicates", "malware", `"start_time":"2026-01-02T03:04:05Z","stop_time":"2026-01-02T03:04:05Z"`), []string{"stop_time time-order 5.1.2"}, nil},
		{"nothing", versionedObject("relationship", ""), []string{"missing-property 5.1.2", "missing-property 5.1.2", "missing-property 5.1.2"}, nil},
		{"reference is a list", versionedObject("relationship", `"relationship_type":"uses","source_ref":["tool`+testRef+`"],"target_ref":"tool`+testRef+`"`), []string{"source_ref wrong-type 5.1.2"}, nil},
		{"sighting", versionedObject("sighting", `"sighting_of_ref":"indicator`+testRef+`","count":0,"summary":true,"where_sighted_refs":["location`+testRef+`"]`), nil, nil},
		{"sighting of an observable", versionedObject("sighting", `"sighting_of_ref":"url`+testRef+`","count":1000000000,"summary":"yes"`),
			[]string{"sighting_of_ref reference-type 5.2.1", "count range 2.10", "summary wrong-type 2.2"}, nil},
		{"sighting elsewhere", versionedObject("sighting", `"sighting_of_ref":"tool`+testRef+`","observed_data_refs":["url`+testRef+`"],"where_sighted_refs":["tool`+testRef+`"]`),
			[]string{"observed_data_refs[0] reference-type 5.2.1", "where_sighted_refs[0] reference-type 5.2.1"}, nil},
	})
}

func TestCheckMetaObjects(t *testing.T) {
	language := func(contents string) string {
		return versionedObject("language-content", `"object_ref":"tool`+testRef+`","contents":`+contents)
	}
	extension := func(members string) string {
		return versionedObject("extension-definition", `"created_by_ref":"`+testIdentity+`","name":"n","description":"d","schema":"s","version":"1.0.0"`+comma(members))
	}
	tlp := func(id, created, level string) string {
		raw := markingObject(`"definition_type":"tlp","definition":{"tlp":"` + level + `"}`)
		return strings.NewReplacer("marking-definition--"+testUUID, id, "2017-01-02T03:04:05.678Z", created).Replace(raw)
	}
	const white = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
	runChecks(t, []checkCase{
		{"language-content", language(`{"de":{"name":"Werkzeug","list":["",{"a":"b"}]},"nn-NO":{"name":"verkty"}}`), nil, nil},
		{"language-content of a bad language", language(`{"español":{"name":"x"}}`), []string{"contents.español language 7.1.1"}, nil},
		{"language-content of nothing", language(`{}`), []string{"contents wrong-type 7.1.1"}, nil},
		{"language-content of text", language(`{"de":"x","en":{},"nb":{"name":null}}`), []string{"contents.de wrong-type 7.1.1", "contents.en wrong-type 7.1.1", "contents.nb.name null 2"}, nil},
		{"language-content in a language", strings.Replace(language(`{"de":{"name":"x"}}`), `"object_ref"`, `"lang":"de","object_ref"`, 1), []string{"lang not-applicable 3.2"}, nil},
		{"statement", markingObject(`"definition_type":"statement","definition":{"statement":"s"}`), nil, nil},
		{"statement of nothing", markingObject(`"definition_type":"statement","definition":{}`), []string{"definition empty-dictionary 2.3", "definition missing-property 7.2.1"}, nil},
		{"marking of nothing", markingObject(""), []string{"missing-property 7.2.1"}, nil},
		{"marking without definition", markingObject(`"definition_type":"statement"`), []string{"missing-property 7.2.1"}, nil},
		{"marking without definition_type", markingObject(`"definition":{"a":1}`), []string{"definition needs-other 7.2.1"}, nil},
		{"marking of text", markingObject(`"definition_type":"statement","definition":"s"`), []string{"definition wrong-type 7.2.1"}, nil},
		{"marking of its own", markingObject(`"definition_type":"acme","definition":{"a":1}`), nil, []string{"definition_type definition-type 7.2.1"}},
		{"marking by extension", markingObject(`"name":"n","extensions":{"extension-definition` + testRef + `":{"extension_type":"property-extension","rank":1}}`), nil, nil},
		{"marking with a version", markingObject(`"modified":"2026-01-02T03:04:05.678Z","revoked":false,"definition_type":"statement","definition":{"statement":"s"}`),
			[]string{"modified not-applicable 3.2", "revoked not-applicable 3.2"}, nil},
		{"TLP:WHITE", tlp(white, "2017-01-20T00:00:00.000Z", "white"), nil, nil},
		{"TLP:WHITE of another level", tlp(white, "2017-01-20T00:00:00.000Z", "red"), []string{"definition.tlp tlp-definition 7.2.1"}, nil},
		{"TLP:WHITE of another day", tlp(white, "2017-01-20T00:00:00.001Z", "white"), []string{"definition.tlp tlp-definition 7.2.1"}, nil},
		{"TLP of no level", tlp(white, "2017-01-20T00:00:00.000Z", "clear"), []string{"definition.tlp tlp-definition 7.2.1"}, nil},
		{"TLP without level", markingObject(`"definition_type":"tlp","definition":{"x":1}`), []string{"definition missing-property 7.2.1"}, nil},
		{"extension-definition", extension(`"extension_types":["property-extension"]`), nil, nil},
		{"extension-definition of properties", extension(`"extension_types":["toplevel-property-extension"],"extension_properties":["rank"]`), nil, nil},
		{"extension-definition without its properties", extension(`"extension_types":["toplevel-property-extension"]`), nil, []string{"extension-properties 7.3.1"}},
		{"extension-definition with properties it cannot have", extension(`"extension_types":["new-sdo"],"extension_properties":["rank"]`), []string{"extension_properties extension-properties 7.3.1"}, nil},
		{"extension-definition that claims standard properties", extension(`"extension_types":["toplevel-property-extension"],"extension_properties":["id","modified","action","No"]`),
			[]string{"extension_properties[0] standard-property 7.3", "extension_properties[1] standard-property 7.3", "extension_properties[2] reserved-property 3.8", "extension_properties[3] property-name 7.3"}, nil},
		{"extension-definition of nobody", versionedObject("extension-definition", `"name":"n","schema":"s","version":"1","extension_types":["x"],"extensions":{}`),
			[]string{"extension_types[0] vocabulary 2.4", "extensions not-applicable 3.2", "missing-property 3.2"}, []string{"description 7.3.1"}},
	})
}
