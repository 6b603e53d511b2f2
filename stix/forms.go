package stix

import (
	"bytes"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isAlpha(c byte) bool { return isLower(c | 0x20) }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool { return isAlpha(c) || isDigit(c) }

// all reports whether is holds for every byte.
func all(text []byte, is func(byte) bool) bool {
	for _, c := range text {
		if !is(c) {
			return false
		}
	}
	return true
}

func isDigits(text []byte) bool { return len(text) > 0 && all(text, isDigit) }
func isHex(text []byte) bool    { return all(text, isHexDigit) }

func isLowerHex(text []byte) bool {
	return all(text, func(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' })
}

// isLowerHyphen reports whether a text is in lower case, its words joined by hyphens.
func isLowerHyphen(text []byte) bool {
	if all(text, func(c byte) bool { return isLower(c) || c == '-' }) {
		return true // nearly always
	}
	return !bytes.ContainsFunc(text, func(r rune) bool { return r == '_' || unicode.IsUpper(r) || unicode.IsSpace(r) })
}

// isBase64 reports whether a text is base64 with padding (RFC 4648 §4). Bits left over in the last digit may be set.
func isBase64(text []byte) bool {
	if len(text)%4 != 0 {
		return false
	}
	body := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("=")), []byte("="))
	return all(body, func(c byte) bool { return isAlnum(c) || c == '+' || c == '/' })
}

// isURL reports whether a text is an absolute URI by the grammar of RFC 3986. Brackets may be in the query and the
// fragment, where many URLs in use have them.
func isURL(text []byte) bool {
	scheme, rest, ok := bytes.Cut(text, []byte(":"))
	if !ok || len(scheme) == 0 || len(rest) == 0 || !isAlpha(scheme[0]) {
		return false
	}
	for _, c := range scheme {
		if !isAlnum(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	if string(rest) == "//" {
		return false
	}
	for i, c := range rest {
		switch {
		case c == '%':
			if i+2 >= len(rest) || !isHexDigit(rest[i+1]) || !isHexDigit(rest[i+2]) {
				return false
			}
		case !isAlnum(c) && strings.IndexByte("-._~:/?#[]@!$&'()*+,;=", c) < 0:
			return false
		}
	}
	rest, fragment, _ := bytes.Cut(rest, []byte("#"))
	if bytes.IndexByte(fragment, '#') >= 0 {
		return false
	}
	path, _, _ := bytes.Cut(rest, []byte("?"))
	if authority, ok := bytes.CutPrefix(path, []byte("//")); ok {
		authority, path, _ = bytes.Cut(authority, []byte("/"))
		if !isAuthority(authority) {
			return false
		}
	}
	return !bytes.ContainsAny(path, "[]")
}

// isAuthority reports whether a text of the characters of URLs is an authority (RFC 3986 §3.2): a host, with a user before it
// and a port behind it if need be.
func isAuthority(text []byte) bool {
	host := text
	if user, behind, ok := bytes.Cut(text, []byte("@")); ok {
		if bytes.ContainsAny(user, "[]") {
			return false
		}
		host = behind
	}
	if literal, ok := bytes.CutPrefix(host, []byte("[")); ok {
		address, port, ok := bytes.Cut(literal, []byte("]"))
		if !ok || !isIPLiteral(address) {
			return false
		}
		return len(port) == 0 || port[0] == ':' && all(port[1:], isDigit)
	}
	name, port, _ := bytes.Cut(host, []byte(":"))
	return !bytes.ContainsAny(name, "[]@") && all(port, isDigit)
}

// isIPLiteral reports whether a text is what may be in the brackets of a host: an IPv6 address, with a zone (RFC 6874) if
// need be, or an address of a later version.
func isIPLiteral(text []byte) bool {
	if len(text) > 0 && text[0]|0x20 == 'v' {
		version, address, _ := bytes.Cut(text[1:], []byte("."))
		return len(version) > 0 && isHex(version) && len(address) > 0 && !bytes.ContainsAny(address, "[]@%")
	}
	address, zone, ok := bytes.Cut(text, []byte("%25"))
	return isIPv6(address) && (!ok || len(zone) > 0)
}

// isDomainName reports whether a text is a domain name in A-labels or U-labels (RFC 1034 §3.1, RFC 5890): labels of 1 to 63
// letters, digits, hyphens and underscores, none at either end of a hyphen, 253 octets in all, counted as A-labels.
func isDomainName(text []byte) bool {
	text = bytes.TrimSuffix(text, []byte("."))
	if len(text) == 0 || utf8.RuneCount(text) > 253 { // a label is no shorter as an A-label
		return false
	}
	octets := -1 // without the dot before the first label
	for label := range bytes.SplitSeq(text, []byte(".")) {
		if len(label) == 0 || utf8.RuneCount(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		length := labelLength(label)
		if octets += 1 + length; length > 63 || octets > 253 {
			return false
		}
		for _, r := range string(label) {
			if !unicode.In(r, unicode.L, unicode.N, unicode.M) && !strings.ContainsRune("-_·\u200c\u200d\u30fb", r) {
				return false
			}
		}
	}
	return true
}

// isEmailAddress reports whether a text is an addr-spec (RFC 5322 §3.4.1, RFC 6532), without comments.
func isEmailAddress(text []byte) bool {
	at := bytes.LastIndexByte(text, '@')
	if at < 1 || at == len(text)-1 {
		return false
	}
	local, domain := text[:at], text[at+1:]
	if domain[0] == '[' {
		if domain[len(domain)-1] != ']' || bytes.ContainsAny(domain[1:len(domain)-1], "[]\\ ") {
			return false
		}
	} else if !isDomainName(domain) {
		return false
	}
	if local[0] == '"' {
		return isQuoted(local)
	}
	for _, r := range string(local) {
		if r <= ' ' || r == 0x7F || strings.ContainsRune(`()<>[]:;@\,"`, r) {
			return false
		}
	}
	return true
}

// isQuoted reports whether a text is a quoted-string as a whole.
func isQuoted(text []byte) bool {
	if len(text) < 2 || text[len(text)-1] != '"' {
		return false
	}
	for i := 1; i < len(text)-1; i++ {
		switch text[i] {
		case '"':
			return false
		case '\\':
			if i++; i == len(text)-1 {
				return false
			}
		}
	}
	return true
}

func isIPv4(text []byte) bool { return isAddress(text, 32, netip.Addr.Is4) }

func isIPv6(text []byte) bool {
	return isAddress(text, 128, func(a netip.Addr) bool { return a.Is6() && a.Zone() == "" })
}

// isAddress reports whether a text is an address, or one with a prefix length up to bits, of the wanted family. Bits behind
// the prefix may be set.
func isAddress(text []byte, bits int, family func(netip.Addr) bool) bool {
	const longest = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128")
	if len(text) > longest {
		return false
	}
	address, prefix, cidr := strings.Cut(string(text), "/")
	if cidr {
		n := 0
		for i := range len(prefix) {
			if !isDigit(prefix[i]) || i > 2 {
				return false
			}
			n = 10*n + int(prefix[i]-'0')
		}
		if prefix == "" || len(prefix) > 1 && prefix[0] == '0' || n > bits {
			return false
		}
	}
	a, err := netip.ParseAddr(address)
	return err == nil && family(a)
}

func isMAC(text []byte) bool {
	if len(text) != len("00:00:00:00:00:00") {
		return false
	}
	for i, c := range text {
		if i%3 == 2 && c != ':' || i%3 != 2 && !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isCPE reports whether a text is a CPE 2.3 formatted string (NISTIR 7695 §6.2).
func isCPE(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte("cpe:2.3:"))
	if !ok {
		return false
	}
	parts, length, part := 1, 0, byte(0)
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == ':':
			if length == 0 {
				return false
			}
			parts++
			length = 0
			continue
		case c == '\\':
			if i++; i == len(rest) {
				return false
			}
		case !isAlnum(c) && strings.IndexByte("-._*?", c) < 0:
			return false
		}
		if length++; parts == 1 {
			part = rest[i]
			if length > 1 {
				return false
			}
		}
	}
	return parts == 11 && length > 0 && strings.IndexByte("aho*-", part) >= 0
}

// isCVE reports whether a text is CVE-, four digits of the year, and a number of four or more digits.
func isCVE(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte("CVE-"))
	year, number, _ := bytes.Cut(rest, []byte("-"))
	return ok && len(year) == 4 && isDigits(year) && len(number) >= 4 && isDigits(number)
}

// isCharset reports whether a text has the form of a name in the IANA character set registry (RFC 2978 §2.3).
func isCharset(text []byte) bool {
	return len(text) > 0 && len(text) <= 45 && isAlnum(text[0]) &&
		all(text, func(c byte) bool { return isAlnum(c) || strings.IndexByte("-_.:+()", c) >= 0 })
}

// isMIMEType reports whether a text is a media type under one of the top-level types of IANA (RFC 6838 §4.2).
func isMIMEType(text []byte) bool {
	top, sub, ok := bytes.Cut(text, []byte("/"))
	if !ok || len(sub) == 0 || len(sub) > 127 || !isAlnum(sub[0]) {
		return false
	}
	switch strings.ToLower(string(top[:min(len(top), 12)])) {
	case "application", "audio", "example", "font", "haptics", "image", "message", "model", "multipart", "text", "video":
	default:
		return false
	}
	return all(sub, func(c byte) bool { return isAlnum(c) || strings.IndexByte("!#$&-^_.+", c) >= 0 })
}

// isCountry reports whether a text is an ISO 3166-1 alpha-2 code, in either case.
func isCountry(text []byte) bool {
	if len(text) != 2 || !isAlpha(text[0]) || !isAlpha(text[1]) {
		return false
	}
	code := strings.ToUpper(string(text))
	for i := 0; i < len(countries); i += 3 {
		if countries[i:i+2] == code {
			return true
		}
	}
	return false
}

const countries = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW " +
	"BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM " +
	"FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE " +
	"JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP " +
	"MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA " +
	"RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR " +
	"TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "
