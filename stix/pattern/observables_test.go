package pattern

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestObservables(t *testing.T) {
	one := func(objectType, path, value string) Observable {
		return Observable{ObjectType: objectType, Path: path, Value: value}
	}
	const sha256 = "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f"
	cases := map[string]struct {
		pattern string
		values  []Observable
		complex bool
	}{
		"address": {"[ipv4-addr:value = '198.51.100.7']", []Observable{one("ipv4-addr", "value", "198.51.100.7")}, false},
		"two domains": {"[domain-name:value = 'a.example' OR domain-name:value = 'b.example']",
			[]Observable{one("domain-name", "value", "a.example"), one("domain-name", "value", "b.example")}, false},
		"two types": {"[domain-name:value = 'a.example'] OR [url:value = 'https://a.example/']",
			[]Observable{one("domain-name", "value", "a.example"), one("url", "value", "https://a.example/")}, false},
		"set": {"[email-addr:value IN ('a@example.com', 'b@example.com', 'a@example.com')]",
			[]Observable{one("email-addr", "value", "a@example.com"), one("email-addr", "value", "b@example.com")}, false},
		"quoted key": {"[file:hashes.'SHA-256' = '" + sha256 + "']", []Observable{one("file", "hashes.'SHA-256'", sha256)}, false},
		"needless quotes": {"[file:hashes.'MD5' = 'd41d8cd98f00b204e9800998ecf8427e']",
			[]Observable{one("file", "hashes.MD5", "d41d8cd98f00b204e9800998ecf8427e")}, false},
		"escapes":      {`[directory:path = 'C:\\it\'s']`, []Observable{one("directory", "path", `C:\it's`)}, false},
		"octets":       {"[file:magic_number_hex = h'ffd8']", []Observable{{"file", "magic_number_hex", Hex, "ffd8"}}, false},
		"base64":       {"[artifact:payload_bin = b'/9g=']", []Observable{{"artifact", "payload_bin", Binary, "ffd8"}}, false},
		"integer":      {"[file:size = 1280]", []Observable{{"file", "size", Integer, "1280"}}, false},
		"parentheses":  {"([(url:value = 'https://a.example/')])", []Observable{one("url", "value", "https://a.example/")}, false},
		"double no":    {"[url:value NOT != 'https://a.example/']", []Observable{one("url", "value", "https://a.example/")}, false},
		"reference":    {"[network-traffic:dst_ref.value = '198.51.100.7']", []Observable{one("network-traffic", "dst_ref.value", "198.51.100.7")}, false},
		"and":          {"[file:name = 'a.exe' AND file:size = 7]", []Observable{one("file", "name", "a.exe"), {"file", "size", Integer, "7"}}, true},
		"two observed": {"[url:value = 'https://a.example/'] AND [url:value = 'https://b.example/']", []Observable{one("url", "value", "https://a.example/"), one("url", "value", "https://b.example/")}, true},
		"sequence":     {"[file:name = 'a'] FOLLOWEDBY [file:name = 'b']", []Observable{one("file", "name", "a"), one("file", "name", "b")}, true},
		"qualifier":    {"[file:name = 'a'] REPEATS 5 TIMES", []Observable{one("file", "name", "a")}, true},
		"not":          {"[file:name != 'a' OR file:name = 'b']", []Observable{one("file", "name", "b")}, true},
		"not equal":    {"[file:name NOT = 'a']", nil, true},
		"not in":       {"[file:name NOT IN ('a', 'b')]", nil, true},
		"network":      {"[ipv4-addr:value ISSUBSET '198.51.100.0/24']", nil, true},
		"exists":       {"[EXISTS file:name]", nil, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			values, complex := p.Observables()
			if diff := cmp.Diff(c.values, values); diff != "" || complex != c.complex {
				t.Errorf("%s\ncomplex is %v, want %v; values (-want +got):\n%s", c.pattern, complex, c.complex, diff)
			}
		})
	}
}
