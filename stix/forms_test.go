package stix

import (
	"strings"
	"testing"
)

func TestForms(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	for _, c := range []struct {
		name     string
		is       func([]byte) bool
		good, no []string
	}{
		{"URL", isURL,
			[]string{"http://example.com", "https://user:p%40ss@example.com:8443/a/b?c=d&e=[f]#g", "mailto:a@example.com", "urn:isbn:1", "HTTP://EXAMPLE.COM/", "ftp://[2001:db8::1]/",
				"http://[::1]:8080", "http://[::1]:/", "http://[fe80::1%25eth0]/", "http://[v1.a:b]/", "http://u:p:q@[::1]", "http://a:/", "http://a:80?x#y", "file:///etc/passwd", "http://a/#b?c[0]", "http://a/?b[]=c[d]", "http://a?b@c:d", "http://a/b:c@d", "jdbc:mysql://a:x/"},
			[]string{"", "foo", "www.example.com", "://example.com", "http:", "http://", "1http://x", "http://a b", "http://a\n", "http://é", "http://%zz", "http://x/%4", `http://x/\`, "http://x/<script>",
				"http://[::1", "http://a:port/", "http://a/#b#c", "http://a/[b", "http://[::1]x/", "http://[::1]:x/", "http://[]/", "http://[192.0.2.1]/", "http://[::1%25]/", "http://[::1%eth0]/", "http://[::1/64]/", "http://[v.a]/", "http://[v1.]/", "http://[vx.a]/", "http://a[.]example/", "http://2001:db8::1/", "http://a@b@c/", "http://[a@b/", "http://u:p@a:-1", "http://a/]", "mailto:[a]"}},
		{"domain name", isDomainName,
			[]string{"example.com", "xn--bcher-kva.example", "bücher.example", "_dmarc.example.com", "a", "1.example", "example.com.", label63 + ".example", "नमूना.example"},
			[]string{"", ".", "a..b", "-a.example", "a-.example", "a b.example", "a/b", "*.example", label63 + "a.example", strings.Repeat("a.", 127) + "aa", "http://a.example", "a.example:80", "a.example\n"}},
		{"e-mail address", isEmailAddress,
			[]string{"a@example.com", "a.b+c@example.com", `"a b"@example.com`, `"a\"b"@example.com`, "jörg@example.com", "a@[192.0.2.1]", "a@localhost"},
			[]string{"", "a", "@example.com", "a@", "A <a@example.com>", "a b@example.com", "a@b@example.com", `"a@example.com`, `"a"b"@example.com`, `"a\"@example.com`, "a@exa mple.com", "a@[x", `"@a`, "a,b@example.com"}},
		{"IPv4", isIPv4,
			[]string{"192.0.2.1", "10.2.4.5/24", "0.0.0.0/0", "255.255.255.255/32"},
			[]string{"", "foo", "192.0.2", "192.0.2.1.1", "192.0.2.01", "192.0.2.256", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/01", "192.0.2.1/a", "192.0.2.1/-1", "192.0.2.1/+1", "192.0.2.1/24/24", "::1", "192.0.2.1 ", strings.Repeat("1", 1000)}},
		{"IPv6", isIPv6,
			[]string{"2001:db8::1", "::", "::/0", "2001:0db8:85a3:0000:0000:8a2e:0370:7334/128", "::ffff:192.0.2.1", "FE80::1/10"},
			[]string{"", "192.0.2.1", "fe80::1%eth0", "2001:db8::1/129", "2001:db8::1/00", "2001:db8::1/", ":::", "2001:db8::1::2", "12345::1"}},
		{"MAC", isMAC, []string{"d2:fb:49:24:37:18"}, []string{"", "D2:fb:49:24:37:18", "d2-fb-49-24-37-18", "d2:fb:49:24:37", "d2:fb:49:24:37:1g", "d2fb.4924.3718", "d2:fb:49:24:37:18:"}},
		{"CPE", isCPE,
			[]string{"cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*", `cpe:2.3:o:a:b\:c:-:*:*:*:*:*:*:*`},
			[]string{"", "invalid", "cpe:/a:b:c", "cpe:2.3:a:b:c", "cpe:2.3:x:b:c:*:*:*:*:*:*:*:*", "cpe:2.3:ao:b:c:*:*:*:*:*:*:*:*", "cpe:2.3:a::c:*:*:*:*:*:*:*:*", "cpe:2.3:a:b:c:*:*:*:*:*:*:*:*:*", `cpe:2.3:a:b:c:*:*:*:*:*:*:*:\`, "cpe:2.3:a:b c:d:*:*:*:*:*:*:*:*"}},
		{"CVE", isCVE, []string{"CVE-2024-1234", "CVE-2024-1234567"}, []string{"", "CVE-2016-123", "2016-1234", "cve-2016-1234", "CVE-20161234", "CVE-2016-abcd", "CVE-16-1234", "CVE-2016-1234 "}},
		{"base64", isBase64, []string{"", "QQ==", "QUI=", "QUJD", "ADI=", "AD+/"}, []string{"Q", "QQ=", "Q===", "=QQQ", "QQ==QQ==", "QU\nI", "QU_-", "é==="}},
		{"character set", isCharset, []string{"utf-8", "windows-1252", "ISO_8859-1:1987"}, []string{"", "utf 8", "-utf", strings.Repeat("a", 46)}},
		{"media type", isMIMEType, []string{"application/pdf", "text/vnd.a+xml", "Image/PNG"}, []string{"", "bla", "bla/x", "text/", "/x", "text/a b", "text/plain; charset=utf-8"}},
		{"country", isCountry, []string{"no", "NO", "se"}, []string{"", "n", "nor", "xx", "D ", "AD AE"}},
		{"lower case with hyphens", isLowerHyphen, []string{"command-and-control", "v1.0", ""}, []string{"Command", "command control", "command_control", "Über"}},
		{"language tag", isLanguageTag,
			[]string{"en", "nb", "de-AT", "zh-Hant-TW", "sl-rozaj-biske", "es-419", "de-CH-1901", "en-a-bbb-x-a", "x-whatever", "i-klingon", "zh-cmn-Hans-CN", "qaa-Qaaa-QM-x-southern", "abcdefgh"},
			[]string{"", "e", "español", "en_US", "en-", "-en", "en--us", "1en", "abcdefghi", "en-a", "en-a-x", "x", "x-", "en-x", "en-us-us", "a-DE", "de-419-DE", strings.Repeat("en-", 100)}},
	} {
		for _, text := range c.good {
			if !c.is([]byte(text)) {
				t.Errorf("%q is not taken for a valid %s", text, c.name)
			}
		}
		for _, text := range c.no {
			if c.is([]byte(text)) {
				t.Errorf("%q is taken for a valid %s", text, c.name)
			}
		}
	}
}

// Every table entry is reachable and every vocabulary is used.
func TestTables(t *testing.T) {
	used := map[string]bool{"hash-algorithm-ov": true} // by the table of their lengths
	var visit func(v *value)
	visit = func(v *value) {
		if v.vocabulary != nil {
			used[v.vocabulary.name] = true
		}
		if v.element != nil {
			visit(v.element)
		}
	}
	for _, rules := range []map[string]*rule{standardTypes, embeddedTypes} {
		for name, r := range rules {
			if r.name != name || r.section == "" || len(r.properties) > 64 {
				t.Errorf("%s: name %q, section %q, %d properties", name, r.name, r.section, len(r.properties))
			}
			for i := range r.properties {
				p := &r.properties[i]
				if !isPropertyName([]byte(p.name)) && p.name != "id" {
					t.Errorf("%s.%s is not a property name", name, p.name)
				}
				if r.byName[p.name] != i {
					t.Errorf("%s.%s is in the table twice", name, p.name)
				}
				visit(&p.value)
			}
		}
	}
	used["extension-type-enum"] = true
	for name, v := range vocabularies {
		if !used[name] || len(v.values) < 2 {
			t.Errorf("%s: used %v, %d values", name, used[name], len(v.values))
		}
	}
	for name, length := range hashLengths {
		if !vocabularies["hash-algorithm-ov"].has([]byte(name)) || length%8 != 0 {
			t.Errorf("%s with %d digits is not in hash-algorithm-ov", name, length)
		}
	}
	for name, host := range extensionHosts {
		if embeddedTypes[name] == nil || classOf(host) != classSCO {
			t.Errorf("the extension %s of %s is not in the tables", name, host)
		}
	}
	for source := range relationshipTargets {
		if c := classOf(source); c != classSDO && c != classSCO {
			t.Errorf("%s is not a source of relationships", source)
		}
	}
	for name, properties := range contributing {
		r := standardTypes[name]
		for _, p := range properties {
			if _, ok := r.byName[p]; !ok || r.class != classSCO {
				t.Errorf("%s.%s contributes to an id and is not in the table", name, p)
			}
		}
	}
	if len(standardTypes) != 19+2+18+3+1 || len(extensionHosts) != 12 || len(vocabularies) != 32 {
		t.Errorf("%d types, %d extensions, %d vocabularies", len(standardTypes), len(extensionHosts), len(vocabularies))
	}
}
