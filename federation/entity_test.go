package federation

import (
	"regexp"
	"strings"
	"testing"
)

func TestParseEntityID(t *testing.T) {
	long := "https://node.example/" + strings.Repeat("a", maxEntityID-len("https://node.example/"))
	for _, ok := range []string{
		"https://node.example", "https://a.b", "https://node.example:8443", "https://node.example/taxii/a-b_c~d.e",
		"https://xn--brnby-cua.example", "https://9lives.example", "https://node.example/Case", long,
		"http://127.0.0.1:8080", "http://127.0.0.1:1", "http://127.0.0.1:65535", "http://127.0.0.1:443",
	} {
		id, err := ParseEntityID(ok)
		if err != nil || string(id) != ok {
			t.Errorf("ParseEntityID(%q) = %q, %v", ok, id, err)
		}
	}
	for name, bad := range map[string]string{
		"empty":                     "",
		"256 characters":            long + "a",
		"no scheme":                 "node.example",
		"http":                      "http://node.example",
		"another scheme":            "ftp://node.example",
		"scheme in capitals":        "HTTPS://node.example",
		"host in capitals":          "https://Node.example",
		"trailing slash":            "https://node.example/",
		"trailing slash of a path":  "https://node.example/a/",
		"default port":              "https://node.example:443",
		"port zero":                 "https://node.example:0",
		"port too large":            "https://node.example:65536",
		"port with a leading zero":  "https://node.example:08443",
		"port with a sign":          "https://node.example:+8443",
		"empty port":                "https://node.example:",
		"two ports":                 "https://node.example:1:2",
		"user":                      "https://user@node.example",
		"user and password":         "https://user:pw@node.example",
		"empty user":                "https://@node.example",
		"query":                     "https://node.example?x",
		"empty query":               "https://node.example?",
		"fragment":                  "https://node.example#x",
		"empty fragment":            "https://node.example#",
		"percent-encoding":          "https://node.example/a%2fb",
		"backslash":                 `https://node.example\a`,
		"space":                     "https://node.example /",
		"line end":                  "https://node.example\n",
		"internationalised host":    "https://brønby.example",
		"internationalised path":    "https://node.example/ø",
		"full-width dot":            "https://node．example",
		"no host":                   "https://",
		"only a path":               "https:///a",
		"bare name":                 "https://localhost",
		"trailing dot":              "https://node.example.",
		"leading dot":               "https://.example",
		"empty label":               "https://node..example",
		"hyphen in front":           "https://-node.example",
		"hyphen at the end":         "https://node-.example",
		"underscore":                "https://no_de.example",
		"label of 64":               "https://" + strings.Repeat("a", 64) + ".example",
		"IPv4":                      "https://192.0.2.1",
		"IPv4 short":                "https://127.1",
		"IPv4 hexadecimal":          "https://node.0x7f",
		"IPv4 hexadecimal whole":    "https://0x7f.0.0.0x1",
		"IPv4 decimal":              "https://2130706433",
		"IPv4 octal":                "https://0177.0.0.01",
		"IPv6":                      "https://[2001:db8::1]",
		"IPv6 with port":            "https://[::1]:8443",
		"empty segment":             "https://node.example//a",
		"dot segment":               "https://node.example/./a",
		"two dots":                  "https://node.example/../a",
		"parameter in the path":     "https://node.example/a;b",
		"loopback without port":     "http://127.0.0.1",
		"loopback empty port":       "http://127.0.0.1:",
		"loopback port 80":          "http://127.0.0.1:80",
		"loopback port zero":        "http://127.0.0.1:0",
		"loopback port octal":       "http://127.0.0.1:08080",
		"loopback with a path":      "http://127.0.0.1:8080/a",
		"loopback trailing slash":   "http://127.0.0.1:8080/",
		"loopback with a user":      "http://127.0.0.1:8080@evil.example",
		"loopback with https":       "https://127.0.0.1:8080",
		"another loopback address":  "http://127.0.0.2:8080",
		"loopback by name":          "http://localhost:8080",
		"loopback IPv6":             "http://[::1]:8080",
		"loopback with a query":     "http://127.0.0.1:8080?x",
		"loopback as a name prefix": "http://127.0.0.1:8080.evil.example",
	} {
		if id, err := ParseEntityID(bad); err == nil {
			t.Errorf("%s: ParseEntityID(%q) = %q, want an error", name, bad, id)
		}
	}
}

func TestLoopback(t *testing.T) {
	demo, real1, real2 := EntityID("http://127.0.0.1:8080"), EntityID("https://a.example"), EntityID("https://b.example")
	if !demo.Loopback() || real1.Loopback() {
		t.Error("Loopback is true for the wrong one")
	}
	if demo.sameWorld(real1) || real1.sameWorld(demo) || !real1.sameWorld(real2) || !demo.sameWorld("http://127.0.0.1:9090") {
		t.Error("sameWorld mixes nodes on one machine with real ones")
	}
}

func TestIdentity(t *testing.T) {
	form := regexp.MustCompile(`^identity--[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]EntityID{}
	for _, e := range []EntityID{"https://node.example", "https://node.example/a", "http://127.0.0.1:8080"} {
		id := string(e.Identity())
		if !form.MatchString(id) {
			t.Errorf("%s: %s is no identity with a UUIDv5", e, id)
		}
		if other, dup := seen[id]; dup {
			t.Errorf("%s and %s have one identity", e, other)
		}
		seen[id] = e
	}
	// The value must never change: STIX content refers to it.
	const want = "identity--923c2ca2-b441-53c4-ab4d-b2c302dc8cdc"
	if got := EntityID("https://node.example").Identity(); string(got) != want {
		t.Errorf("Identity = %s, want %s", got, want)
	}
}

// FuzzParseEntityID holds that what is accepted is one URL to the standard library too, and is in the one form.
func FuzzParseEntityID(f *testing.F) {
	for _, s := range []string{"https://node.example", "http://127.0.0.1:8080", "https://node.example:8443/a", "https://a@b.c", "https://1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseEntityID(s)
		if err != nil {
			return
		}
		if err := CheckAPIRoot(id, id.DefaultAPIRoot()); err != nil {
			t.Fatalf("%q has no usable API root: %v", s, err)
		}
		if len(s) > maxEntityID || strings.HasSuffix(s, "/") || strings.ContainsAny(s, "@?#% ") || strings.Contains(s, "..") {
			t.Fatalf("accepted %q", s)
		}
	})
}
