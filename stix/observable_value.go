package stix

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// observableProperties are the properties of a cyber-observable that tell what it is: an address, a name, a URL (of an
// artifact), a path, a registry key.
var observableProperties = []string{"value", "name", "path", "key", "url"}

// ObservableValues returns the values by which an analyst looks an object up, in their canonical form (CanonicalValue), each
// once: of a cyber-observable its value, name, path, key or url and its hashes, of an indicator those that its pattern
// names, if it is a STIX pattern. patternValues reads a pattern (pattern.Values); it may be nil, then indicators have none.
// Other objects, and what is no object, have none.
func ObservableValues(raw []byte, patternValues func(pattern string) []string) []string {
	t := trees.Get().(*tree)
	defer t.release()
	if t.parseAll(raw, DefaultLimits().Depth) != nil || t.nodes[0].kind != kindObject {
		return nil
	}
	var values []string
	switch typ := t.memberText("type"); {
	case typ == "indicator":
		// Before STIX 2.1 there was no pattern_type, and a pattern was a STIX pattern.
		if language := t.memberText("pattern_type"); (language == "stix" || language == "") && patternValues != nil {
			values = patternValues(t.memberText("pattern"))
		}
	case t.isObservable(&Object{Type: typ}):
		for _, name := range observableProperties {
			if v := t.memberText(name); v != "" {
				values = append(values, v)
			}
		}
		values = append(values, t.hashes()...)
	}
	canonical := values[:0]
	for _, v := range values {
		if v != "" {
			canonical = append(canonical, CanonicalValue(v))
		}
	}
	slices.Sort(canonical)
	return slices.Compact(canonical)
}

// hashes are the values of the property hashes of the topmost object.
func (t *tree) hashes() (values []string) {
	i := t.member(0, "hashes")
	if i == 0 || t.nodes[i].kind != kindObject {
		return nil
	}
	for c := i + 1; c < int(t.nodes[i].end); c = int(t.nodes[c].end) {
		if t.nodes[c].kind == kindString {
			values = append(values, t.text(c))
		}
	}
	return values
}

// CanonicalValue is the form in which two spellings of one observable value are equal. What a text is, is seen from the
// text alone, so that whoever looks a value up need not say:
//
//   - an IP address: IPv6 as RFC 5952 writes it; a network has its host bits cleared, and one of a single address is the
//     address (203.0.113.7/32). A network is not the addresses in it.
//   - a MAC address: lower case with colons
//   - a URL: scheme and host in lower case, the rest as it is
//   - an e-mail address: the domain in lower case
//   - a hash, that is 32 or more hex digits: lower case
//   - a domain name, and whatever looks like one (a file name with a dot): lower case, without the dot at the end
//
// All else is itself, letter by letter. A-labels and U-labels of a domain name stay different.
func CanonicalValue(text string) string {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.String()
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.IsSingleIP() {
			return p.Addr().String()
		}
		return p.Masked().String()
	}
	if len(text) == len("00:00:5e:00:53:01") {
		if mac, err := net.ParseMAC(text); err == nil {
			return mac.String()
		}
	}
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		return canonicalURL(scheme, rest)
	}
	if at := strings.LastIndexByte(text, '@'); at > 0 && isDomain(text[at+1:]) {
		return text[:at+1] + canonicalDomain(text[at+1:])
	}
	if isHash(text) {
		return strings.ToLower(text)
	}
	if isDomain(text) {
		return canonicalDomain(text)
	}
	return text
}

func canonicalURL(scheme, rest string) string {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host := strings.LastIndexByte(rest[:end], '@') + 1 // behind the user information, whose case matters
	return strings.ToLower(scheme) + "://" + rest[:host] + strings.ToLower(rest[host:end]) + rest[end:]
}

func canonicalDomain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// isDomain tells texts of two or more labels of letters, digits, hyphens and underscores.
func isDomain(text string) bool {
	name := strings.TrimSuffix(text, ".")
	if !strings.Contains(name, ".") || len(name) > 4*253 {
		return false
	}
	label := 0
	for _, r := range name {
		switch {
		case r == '.' && label > 0:
			label = 0
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			label++
		default:
			return false
		}
	}
	return label > 0
}

func isHash(text string) bool {
	if len(text) < 32 {
		return false
	}
	for i := range len(text) {
		if !isHexDigit(text[i]) {
			return false
		}
	}
	return true
}
