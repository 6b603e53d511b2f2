package stix

import (
	"fmt"
	"strings"
	"testing"
)

// Inputs that are made to hurt: each is refused or accepted for the right reason, with a report of bounded size.
func TestCheckNastyInputs(t *testing.T) {
	const megabytes = 10 << 20
	tool := func(members string) string { return versionedObject("tool", `"name":"n"`+comma(members)) }
	many := func(n int, item func(i int) string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(i)
		}
		return strings.Join(items, ",")
	}
	reference := func(i int) string { return fmt.Sprintf(`"marking-definition--0c7b5b88-8ff7-4a4d-aa9d-%012x"`, i) }
	for _, c := range []struct {
		name, raw string
		limit     int
		rule      string // of the first error, "" if there is none
	}{
		{"string of 10 MB", tool(`"description":"` + strings.Repeat("x", megabytes) + `"`), 0, "too-large"},
		{"string of 10 MB where that is allowed", tool(`"description":"` + strings.Repeat("x", megabytes) + `"`), 16 << 20, ""},
		{"combining marks", tool(`"description":"a` + strings.Repeat("\u0301", 1<<20) + `"`), 0, ""},
		{"name of 10 MB", tool(`"` + strings.Repeat("x", megabytes) + `":1`), 16 << 20, "property-name"},
		{"type of 10 MB", `{"type":"` + strings.Repeat("x", megabytes) + `","id":"x"}`, 16 << 20, "type-name"},
		{"id of 10 MB", strings.Replace(tool(""), testUUID, strings.Repeat("a", megabytes), 1), 16 << 20, "identifier"},
		{"timestamp of 10 MB", tool(`"external_references":[{"source_name":"s","external_id":"e"}],"labels":["` + strings.Repeat("9", megabytes) + `"]`), 16 << 20, ""},
		{"fraction of 1 MB", strings.Replace(tool(""), `"modified":"2026-01-02T03:04:05.678Z"`, `"modified":"2026-01-02T03:04:05.`+strings.Repeat("9", 1<<20)+`Z"`, 1), 0, ""},
		{"number of 1 MB", tool(`"confidence":` + strings.Repeat("1", 1<<20)), 0, "integer"},
		{"a million numbers without canonical form", tool(`"x_acme":[` + many(1_000_000, func(int) string { return "1e999" }) + `]`), 0, "number"},
		{"NUL in a string", tool(`"description":"a\u0000b"`), 0, ""},
		{"lone surrogate", tool(`"description":"\udfff"`), 0, "lone-surrogate"},
		{"100,000 marking references", tool(`"object_marking_refs":[` + many(100_000, reference) + `]`), 0, ""},
		{"100,000 hashes", observable("file", `"hashes":{`+many(100_000, func(i int) string { return fmt.Sprintf(`"h%07d":"x"`, i) })+`}`), 0, ""},
		{"MD5 and md5", observable("file", `"hashes":{"MD5":"00112233445566778899aabbccddeeff","md5":"x"}`), 0, ""},
		{"100,000 bad names", tool(many(100_000, func(i int) string { return fmt.Sprintf(`"X%d":null`, i) })), 0, "property-name"},
		{"100,000 extensions", tool(`"extensions":{` + many(100_000, func(i int) string { return fmt.Sprintf(`"e%d":{}`, i) }) + `}`), 0, "empty-dictionary"},
		{"100,000 references in a container", versionedObject("observed-data",
			`"first_observed":"2026-01-02T03:04:05Z","last_observed":"2026-01-02T03:04:05Z","number_observed":1,"objects":{`+
				many(20_000, func(i int) string {
					return fmt.Sprintf(`"%d":{"type":"file","name":"f","contains_refs":["%d","x"]}`, i, 19_999-i)
				})+`}`), 0, "container-reference"},
		{"depth", tool(`"x_acme":` + strings.Repeat("[", 100_000) + "1" + strings.Repeat("]", 100_000)), 0, "too-deep"},
		{"depth in objects", tool(`"x_acme":` + strings.Repeat(`{"abc":`, 100_000) + "1" + strings.Repeat("}", 100_000)), 0, "too-deep"},
		{"invalid UTF-8", tool("\"description\":\"\xc3\x28\""), 0, "bad-utf8"},
		{"byte order mark", "\xEF\xBB\xBF" + tool(""), 0, "byte-order-mark"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, report := Check([]byte(c.raw), Options{Limits: Limits{ObjectBytes: c.limit}})
			rule := ""
			if len(report.Errors) > 0 {
				rule = report.Errors[0].Rule
			}
			if rule != c.rule {
				t.Errorf("rule %q, want %q: %.300v", rule, c.rule, report.Errors)
			}
			size := 0
			for _, v := range append(report.Errors, report.Warnings...) {
				size += len(v.Path) + len(v.Message)
			}
			if size > 100*1000 {
				t.Errorf("the report has %d bytes", size)
			}
		})
	}
}

// NUL in a string is legal in JSON and in STIX; it survives as it was written.
func TestReaderKeepsNUL(t *testing.T) {
	raw := observable("mutex", `"name":"a\u0000b"`)
	objects, _, err := readAll(NewReader(strings.NewReader(raw), Limits{}))
	if err != nil || len(objects) != 1 || objects[0] != raw {
		t.Errorf("%q, %v", objects, err)
	}
}

// Marking definitions that mark each other are ordinary objects here: nobody follows the references.
func TestCheckMarkingCycle(t *testing.T) {
	const a, b = "marking-definition--" + testUUID, "marking-definition" + testRef
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		raw := strings.Replace(markingObject(`"definition_type":"statement","definition":{"statement":"s"},"object_marking_refs":["`+pair[1]+`"]`), a, pair[0], 1)
		if _, report := Check([]byte(raw), Options{}); !report.OK() {
			t.Errorf("%s marked by %s: %v", pair[0], pair[1], report.Errors)
		}
	}
}
