package stix

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckTranslation(t *testing.T) {
	target := parsed(t, versionedObject("threat-actor", `"name":"n","goals":["a","b"],"confidence":50,"revoked":false,`+
		`"external_references":[{"source_name":"s","description":"d"},{"source_name":"s2","url":"https://example.org"}]`))
	for _, c := range []struct {
		name, members string
		want          []string
	}{
		{"a string", `"contents":{"da":{"name":"navn"}}`, nil},
		{"an empty string", `"contents":{"da":{"name":""}}`, nil},
		{"a list", `"contents":{"da":{"goals":["x",""]},"de":{"goals":["","y"]}}`, nil},
		{"objects in a list", `"contents":{"da":{"external_references":["",{"source_name":"k"}]}}`, nil},
		{"properties that the target does not have", `"contents":{"da":{"title":"t","x":[1]}}`, nil},
		{"properties that are no text", `"contents":{"da":{"confidence":"halvtreds","revoked":["nej"]}}`, nil},
		{"a list for a string", `"contents":{"da":{"name":["navn"]}}`, []string{"contents.da.name translation 7.1.1"}},
		{"a string for a list", `"contents":{"da":{"goals":"x"}}`, []string{"contents.da.goals translation 7.1.1"}},
		{"null", `"contents":{"da":{"name":null}}`, []string{"contents.da.name translation 7.1.1"}},
		{"a list too short", `"contents":{"da":{"goals":["x"]},"de":{"goals":["x","y"]}}`, []string{"contents.da.goals translation 7.1.1"}},
		{"a list too long", `"contents":{"de":{"goals":["x","y","z"]}}`, []string{"contents.de.goals translation 7.1.1"}},
		{"an item of another kind", `"contents":{"de":{"goals":["x",["y"]]}}`, []string{"contents.de.goals[1] translation 7.1.1"}},
		{"an object's member of another kind", `"contents":{"de":{"external_references":[{"description":1},""]}}`,
			[]string{"contents.de.external_references[0].description translation 7.1.1"}},
		{"the version", `"object_modified":"2026-01-02T03:04:05.6780Z","contents":{"da":{"name":"navn"}}`, nil},
		{"another version", `"object_modified":"2026-01-02T03:04:05.679Z","contents":{"da":{"name":1}}`,
			[]string{"object_modified object-modified 7.1.1", "contents.da.name translation 7.1.1"}},
		{"another object", `"object_ref":"tool--` + testUUID + `","contents":{"da":{"name":1}}`, []string{"object_ref other-object 7.1.1"}},
		{"malformed contents", `"contents":[]`, nil},
		{"a malformed language", `"contents":{"da":["name"]}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			members := c.members
			if !strings.Contains(members, "object_ref") {
				members = fmt.Sprintf(`"object_ref":%q,%s`, target.ID, members)
			}
			report := CheckTranslation(parsed(t, versionedObject("language-content", members)), target)
			if diff := cmp.Diff(c.want, keys(report.Errors)); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, report.Errors)
			}
		})
	}
}

// The work is bounded where many names are looked for among many.
func TestCheckTranslationBounded(t *testing.T) {
	var names []string
	for i := range 20_000 {
		names = append(names, fmt.Sprintf(`"name_%05d":"x"`, i))
	}
	target := parsed(t, versionedObject("tool", strings.Join(names, ",")))
	content := func(prefix string) *Object {
		return parsed(t, versionedObject("language-content", fmt.Sprintf(`"object_ref":%q,"contents":{"da":{%s}}`, target.ID,
			strings.ReplaceAll(strings.Join(names, ","), `"name`, prefix))))
	}
	if diff := cmp.Diff([]string{"contents.da translation-too-large 7.1.1"}, keys(CheckTranslation(content(`"other`), target).Errors)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wrong := strings.ReplaceAll(strings.Join(names[:1000], ","), `:"x"`, `:1`)
	report := CheckTranslation(parsed(t, versionedObject("language-content", fmt.Sprintf(`"object_ref":%q,"contents":{"da":{%s}}`, target.ID, wrong))), target)
	if len(report.Errors) != 100 || !report.Truncated {
		t.Errorf("%d errors, truncated %v", len(report.Errors), report.Truncated)
	}
}

func FuzzCheckTranslation(f *testing.F) {
	f.Add([]byte(versionedObject("language-content", `"object_ref":"tool--`+testUUID+`","contents":{"da":{"name":["x",""]}}`)), []byte(versionedObject("tool", `"name":["a","b"]`)))
	f.Add([]byte(`{"contents":{"da":{"a":[[{}]]}}}`), []byte(`{"a":[[{"b":1}]]}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		content, err := Parse(a, Limits{})
		if err != nil {
			return
		}
		target, err := Parse(b, Limits{})
		if err != nil {
			return
		}
		for _, v := range CheckTranslation(content, target).Errors {
			if v.Path == "" || v.Section != "7.1.1" {
				t.Errorf("%+v", v)
			}
		}
		mirrored := &Object{Raw: fmt.Appendf(nil, `{"contents":{"da":%s}}`, target.Raw)}
		if r := CheckTranslation(mirrored, target); len(r.Errors) > 0 && r.Errors[0].Rule != "translation-too-large" {
			t.Errorf("an object does not mirror itself: %v", r.Errors)
		}
	})
}
