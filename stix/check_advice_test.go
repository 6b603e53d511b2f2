package stix

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testExtension = "extension-definition" + testRef

// Recommendations that every check gives.
func TestCheckAdvice(t *testing.T) {
	tool := func(members string) string { return versionedObject("tool", `"name":"n"`+comma(members)) }
	traffic := func(protocols string) string {
		return observable("network-traffic", `"src_ref":"ipv4-addr`+testRef+`","src_port":1,"dst_port":2,"protocols":`+protocols)
	}
	indicator := func(version string) string {
		return versionedObject("indicator", `"name":"n","description":"d","pattern":"[a:b = 1]","pattern_type":"stix","valid_from":"2026-01-02T03:04:05Z"`+version)
	}
	statement := func(created, extensions string) string {
		return strings.Replace(markingObject(`"definition_type":"statement","definition":{"statement":"s"}`+extensions), "2017-01-02T03:04:05.678Z", created, 1)
	}
	defined := func(kind, members string) string {
		return versionedObject("acme-thing", `"extensions":{"`+testExtension+`":{"extension_type":"`+kind+`"`+members+`}}`)
	}
	runChecks(t, []checkCase{
		{"key in upper case", tool(`"x_acme":{"Key":{"KEY_2":1},"key":1}`), nil,
			[]string{"x_acme custom-property 11.1", "x_acme.Key dictionary-key-case 2.3", "x_acme.Key.KEY_2 dictionary-key-case 2.3"}},
		{"key in upper case in an extension", tool(`"extensions":{"` + testExtension + `":{"extension_type":"property-extension","scores":{"CVSS":1}}}`), nil,
			[]string{"extensions." + testExtension + ".scores.CVSS dictionary-key-case 2.3"}},
		{"names of hash algorithms", tool(`"x_acme":{"SHA-256":"x","MD5":"y"}`), nil, []string{"x_acme custom-property 11.1"}},
		{"names of other standards", observable("file", `"name":"n","extensions":{"raster-image-ext":{"exif_tags":{"Make":"Nikon"}}}`), nil, nil},
		{"protocols", traffic(`["ipv4","TCP","Http"]`), nil, []string{"protocols[1] protocol-case 6.12.1", "protocols[2] protocol-case 6.12.1"}},
		{"protocols in lower case", traffic(`["ipv4","tcp","http/2"]`), nil, nil},
		{"protocols that are a string", traffic(`"TCP"`), []string{"protocols wrong-type 6.12.1"}, nil},
		{"term in upper case", versionedObject("identity", `"name":"n","sectors":["Public Health","public-health"]`), nil,
			[]string{"sectors[0] open-vocabulary 2.14", "sectors[0] lower-case-hyphen 2.14", "sectors[1] open-vocabulary 2.14"}},
		{"pattern_version", indicator(`,"pattern_version":"2.1"`), nil, nil},
		{"pattern_version of STIX 2.0", indicator(`,"pattern_version":"2.0"`), nil, nil},
		{"pattern_version of the future", indicator(`,"pattern_version":"3.7"`), nil, []string{"pattern_version pattern-version 4.7.1"}},
		{"pattern_version of another language", strings.Replace(indicator(`,"pattern_version":"2.9.15"`), `"stix"`, `"snort"`, 1), nil, nil},
		{"statement before STIX 2.1", statement("2021-06-09T23:59:59.999Z", ""), nil, nil},
		{"statement since STIX 2.1", statement("2021-06-10T00:00:00.000Z", ""), nil, []string{"definition_type deprecated 7.2.1"}},
		{"statement beside an extension", statement("2026-01-01T00:00:00.000Z", `,"extensions":{"`+testExtension+`":{"extension_type":"property-extension","rank":1}}`), nil, nil},
		{"type of an extension without property", defined("new-sdo", ""), []string{"needs-property 7.3.2"}, nil},
		{"type of an extension with labels only", strings.Replace(defined("new-sro", ""), `"extensions"`, `"labels":["a"],"extensions"`, 1), []string{"needs-property 7.3.2"}, nil},
		{"observable of an extension without property", observable("acme-thing", `"extensions":{"`+testExtension+`":{"extension_type":"new-sco"}}`), []string{"needs-property 7.3.2"}, nil},
		{"type of an extension with a property", strings.Replace(defined("new-sdo", ""), `"extensions"`, `"rank":1,"extensions"`, 1), nil, nil},
		{"type of an extension with a nested property", defined("new-sdo", `,"rank":1`), nil, nil},
	})
}

// The advice about a prefix is a sentence of the warning that the name is custom.
func TestPrefixAdvice(t *testing.T) {
	extended := func(key string) string {
		return observable("file", `"name":"n","extensions":{"`+key+`":{"own_thing":1}}`)
	}
	for _, c := range []struct {
		raw, rule, section string
		advised            bool
	}{
		{versionedObject("tool", `"name":"n","x_acme_score":1`), "custom-property", "§11.1.1", false},
		{versionedObject("tool", `"name":"n","score":1`), "custom-property", "§11.1.1", true},
		{versionedObject("x-acme-sensor", `"rank":1`), "custom-type", "§11.2.1", false},
		{versionedObject("sensor", `"rank":1`), "custom-type", "§11.2.1", true},
		{extended("x-acme-ext"), "custom-extension", "§11.3.1", false},
		{extended("acme-ext"), "custom-extension", "§11.3.1", true},
	} {
		_, report := Check([]byte(c.raw), Options{})
		at := slices.IndexFunc(report.Warnings, func(v Violation) bool { return v.Rule == c.rule })
		if at < 0 {
			t.Errorf("%s: no %s: %v", c.raw, c.rule, report.Warnings)
		} else if got := strings.Contains(report.Warnings[at].Message, c.section); got != c.advised {
			t.Errorf("%s: advised %v, want %v: %v", c.raw, got, c.advised, report.Warnings[at])
		}
	}
}

// Recommendations that only a pedantic check gives.
func TestCheckPedantic(t *testing.T) {
	location := func(area string) string {
		return versionedObject("location", `"country":"DK","lang":"da","administrative_area":"`+area+`"`)
	}
	const md5 = `"hashes":{"MD5":"00112233445566778899aabbccddeeff"}`
	sha256 := `"hashes":{"MD5":"00112233445566778899aabbccddeeff","SHA-256":"` + strings.Repeat("ab", 32) + `"}`
	for _, c := range []struct {
		name, raw string
		want      []string
	}{
		{"file without SHA-256", observable("file", md5), []string{"hashes no-sha-256 2.7"}},
		{"file with SHA-256", observable("file", sha256), nil},
		{"reference without SHA-256", versionedObject("tool", `"name":"n","lang":"en","external_references":[{"source_name":"s","url":"https://a.example/",`+md5+`}]`),
			[]string{"external_references[0].hashes no-sha-256 2.7"}},
		{"text without language", versionedObject("tool", `"name":"n"`), []string{"no-lang 3.2"}},
		{"text with language", versionedObject("tool", `"name":"n","lang":"en"`), nil},
		{"relationship with a text", versionedObject("relationship", `"relationship_type":"related-to","source_ref":"tool`+testRef+`","target_ref":"tool`+testRef+`","description":"d"`),
			[]string{"no-lang 3.2"}},
		{"relationship without text", versionedObject("relationship", `"relationship_type":"related-to","source_ref":"tool`+testRef+`","target_ref":"tool`+testRef+`"`), nil},
		{"area", location("DK-84"), nil},
		{"area by name", location("Hovedstaden"), []string{"administrative_area subdivision 4.10.1"}},
		{"area of no country", location("QQ-1"), []string{"administrative_area subdivision 4.10.1"}},
		{"area with a long code", location("GB-LONDON"), []string{"administrative_area subdivision 4.10.1"}},
		{"pattern of STIX 2.0", versionedObject("indicator", `"name":"n","description":"d","lang":"en","pattern":"[a:b = 1]","pattern_type":"stix","pattern_version":"2.0","valid_from":"2026-01-02T03:04:05Z"`),
			[]string{"pattern_version pattern-version 4.7.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, plain := Check([]byte(c.raw), Options{})
			if got := keys(plain.Warnings); len(got) > 0 || !plain.OK() {
				t.Errorf("a check that is not pedantic reports %v %v", plain.Errors, got)
			}
			_, report := Check([]byte(c.raw), Options{Pedantic: true})
			if diff := cmp.Diff(c.want, keys(report.Warnings)); diff != "" || !report.OK() {
				t.Errorf("warnings (-want +got):\n%s%v", diff, report.Errors)
			}
		})
	}
}

// Being pedantic adds warnings and nothing else: no error comes or goes in the shared test data, and no warning goes.
func TestPedanticAddsWarningsOnly(t *testing.T) {
	data, err := os.Open(corpusPath(t, "objects.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	added := 0
	lines := bufio.NewScanner(data)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c struct{ Object json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		_, plain := Check(c.Object, Options{MaxViolations: 10_000})
		_, pedantic := Check(c.Object, Options{MaxViolations: 10_000, Pedantic: true})
		if diff := cmp.Diff(plain.Errors, pedantic.Errors); diff != "" {
			t.Errorf("%s\nerrors (-plain +pedantic):\n%s", c.Object, diff)
		}
		for _, v := range plain.Warnings {
			if !slices.Contains(pedantic.Warnings, v) {
				t.Errorf("%s\n%v is missing of a pedantic check", c.Object, v)
			}
		}
		added += len(pedantic.Warnings) - len(plain.Warnings)
	}
	if err := lines.Err(); err != nil || added == 0 {
		t.Errorf("%d warnings were added, %v", added, err)
	}
}
