package stix_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
)

func TestCanonicalValue(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7":                         "203.0.113.7",
		"203.0.113.7/32":                      "203.0.113.7",
		"203.0.113.77/24":                     "203.0.113.0/24",
		"203.0.113.007":                       "203.0.113.007", // no address: leading zeros mean different things to different readers
		"2001:DB8:0:0:0:0:0:1":                "2001:db8::1",
		"2001:db8::1/128":                     "2001:db8::1",
		"2001:DB8::1/32":                      "2001:db8::/32",
		"00-00-5E-00-53-01":                   "00:00:5e:00:53:01",
		"00:00:5E:00:53:01":                   "00:00:5e:00:53:01",
		"Example.COM":                         "example.com",
		"example.com.":                        "example.com",
		"BÜCHER.example":                      "bücher.example",
		"Invoice.EXE":                         "invoice.exe",
		"LOCALHOST":                           "LOCALHOST",
		"a..b":                                "a..b",
		".example":                            ".example",
		".":                                   ".",
		"John.Doe@Example.COM":                "John.Doe@example.com",
		"@Example.COM":                        "@Example.COM",
		"HTTPS://User@Example.COM:8443/A,b?C": "https://User@example.com:8443/A,b?C",
		"HTTP://Example.COM?Q=a@B":            "http://example.com?Q=a@B",
		"D41D8CD98F00B204E9800998ECF8427E":    "d41d8cd98f00b204e9800998ecf8427e",
		"DEADBEEF":                            "DEADBEEF",
		`C:\Temp\A.exe`:                       `C:\Temp\A.exe`,
		"Global\\Mutex 1":                     "Global\\Mutex 1",
		"":                                    "",
	} {
		if got := stix.CanonicalValue(text); got != want {
			t.Errorf("CanonicalValue(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzCanonicalValue(f *testing.F) {
	for _, seed := range []string{"203.0.113.7/24", "::1", "a@B.c", "HTTP://a@B/C", "x.Y.", "00-00-5E-00-53-01", "İ.example", "://"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := stix.CanonicalValue(text)
		if twice := stix.CanonicalValue(once); twice != once {
			t.Errorf("%q is %q in canonical form, and that is %q", text, once, twice)
		}
	})
}

func TestObservableValues(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want []string
	}{
		{`{"type":"ipv4-addr","id":"x","value":"203.0.113.7/32"}`, []string{"203.0.113.7"}},
		{`{"type":"file","name":"A.EXE","hashes":{"MD5":"D41D8CD98F00B204E9800998ECF8427E","SSDEEP":"3:AbC:d","other":7}}`,
			[]string{"3:AbC:d", "a.exe", "d41d8cd98f00b204e9800998ecf8427e"}},
		{`{"type":"windows-registry-key","key":"HKEY_LOCAL_MACHINE\\Software"}`, []string{`HKEY_LOCAL_MACHINE\Software`}},
		{`{"type":"directory","path":"C:\\Temp"}`, []string{`C:\Temp`}},
		{`{"type":"artifact","url":"HTTPS://A.example/x"}`, []string{"https://a.example/x"}},
		{`{"type":"x-custom","value":"7"}`, []string{"7"}},
		{`{"type":"x-custom","created":"2026-01-01T00:00:00Z","value":"7"}`, nil},
		{`{"type":"malware","name":"Emotet","created":"2026-01-01T00:00:00Z"}`, nil},
		{`{"type":"ipv4-addr","value":7}`, nil},
		{`{"type":"file","hashes":["x"]}`, nil},
		{`{"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value IN ('203.0.113.7', '203.0.113.7/32') OR domain-name:value = 'A.example']"}`,
			[]string{"203.0.113.7", "a.example"}},
		{`{"type":"indicator","pattern":"[url:value = 'HTTP://A.example/B' AND url:defanged = true]"}`, []string{"http://a.example/B"}},
		{`{"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value ISSUBSET '203.0.113.0/24']"}`, nil},
		{`{"type":"indicator","pattern_type":"yara","pattern":"[ipv4-addr:value = '203.0.113.7']"}`, nil},
		{`{"type":"indicator","pattern_type":"stix","pattern":"[nonsense"}`, nil},
		{`[]`, nil},
		{`{`, nil},
		{``, nil},
	} {
		if diff := cmp.Diff(c.want, stix.ObservableValues([]byte(c.raw), pattern.Values)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.raw, diff)
		}
	}
	if got := stix.ObservableValues([]byte(`{"type":"indicator","pattern":"[url:value = 'x']"}`), nil); got != nil {
		t.Errorf("without a reader of patterns: %q", got)
	}
}

func TestConditions(t *testing.T) {
	const object = `{"type":"indicator","name":"a\u0062","labels":["x","y",7],"confidence":50,"revoked":true,"valid_from":"2026-01-01T00:00:00Z","valid_until":"soon"}`
	one := func(property string, typ stix.PropertyType, comparison stix.Comparison, values ...string) stix.Condition {
		return stix.Condition{Property: property, Type: typ, Comparison: comparison, Values: values}
	}
	const text, integer, boolean, timestamp = stix.TextProperty, stix.IntegerProperty, stix.BooleanProperty, stix.TimestampProperty
	for _, c := range []struct {
		condition stix.Condition
		want      bool
	}{
		{one("name", text, stix.EqualTo, "c", "ab"), true},
		{one("name", text, stix.EqualTo, "AB"), false},
		{one("labels", text, stix.EqualTo, "y"), true},
		{one("labels", text, stix.EqualTo, "7"), false},
		{one("confidence", text, stix.EqualTo, "50"), false},
		{one("absent", text, stix.EqualTo, ""), false},
		{one("confidence", integer, stix.EqualTo, "49", "50"), true},
		{one("confidence", integer, stix.AtLeast, "50"), true},
		{one("confidence", integer, stix.AtLeast, "51"), false},
		{one("confidence", integer, stix.AtMost, "50"), true},
		{one("confidence", integer, stix.AtMost, "49"), false},
		{one("absent", integer, stix.AtMost, "100"), false},
		{one("name", integer, stix.AtMost, "100"), false},
		{one("revoked", boolean, stix.EqualTo, "true"), true},
		{one("revoked", boolean, stix.EqualTo, "false"), false},
		{one("is_family", boolean, stix.EqualTo, "false"), true},
		{one("is_family", boolean, stix.EqualTo, "true"), false},
		{one("name", boolean, stix.EqualTo, "true", "false"), true},
		{one("valid_from", timestamp, stix.AtLeast, "2026-01-01T00:00:00.000000Z"), true},
		{one("valid_from", timestamp, stix.AtLeast, "2026-01-01T00:00:00.001Z"), false},
		{one("valid_from", timestamp, stix.AtMost, "2026-01-01T00:00:00.001Z"), true},
		{one("valid_until", timestamp, stix.AtLeast, "1970-01-01T00:00:00Z"), false},
		{one("absent", timestamp, stix.AtMost, "9999-01-01T00:00:00Z"), false},
	} {
		all, err := stix.CompileConditions([]stix.Condition{c.condition})
		if err != nil {
			t.Errorf("%+v: %v", c.condition, err)
			continue
		}
		if got := all.Hold([]byte(object)); got != c.want {
			t.Errorf("%+v is %v, want %v", c.condition, got, c.want)
		}
		for _, raw := range []string{"", "7", "[]", "{"} {
			if all.Hold([]byte(raw)) {
				t.Errorf("%+v holds of %q", c.condition, raw)
			}
		}
	}
	for _, c := range []stix.Condition{
		one("confidence", integer, stix.EqualTo, "high"), one("confidence", integer, stix.AtLeast, "1", "2"), one("created", timestamp, stix.AtLeast, "2026"),
		one("revoked", boolean, stix.EqualTo, "yes"), one("name", text, stix.EqualTo), one("confidence", integer, stix.AtMost, "1e3"),
	} {
		if c.Check() == nil {
			t.Errorf("%+v has nothing wrong", c)
		}
		if _, err := stix.CompileConditions([]stix.Condition{c}); err == nil {
			t.Errorf("%+v is compiled", c)
		}
	}
	if none, err := stix.CompileConditions(nil); err != nil || !none.Hold([]byte(object)) {
		t.Errorf("no condition is not satisfied, %v", err)
	}
}

func BenchmarkConditionsHold(b *testing.B) {
	all, err := stix.CompileConditions([]stix.Condition{{Property: "confidence", Type: stix.IntegerProperty, Comparison: stix.AtLeast, Values: []string{"101"}}})
	if err != nil {
		b.Fatal(err)
	}
	raw := fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"indicator--f431f809-377b-45e0-aa1c-6a4751cae5ff","created":"2026-01-01T00:00:00.000Z","name":"x","description":%q,"pattern":"[ipv4-addr:value = '203.0.113.7']","confidence":50}`, "Seen in connections from several organisations; the host answers as a command server.")
	for b.Loop() {
		if all.Hold(raw) {
			b.Fatal("it holds")
		}
	}
}
