package pattern

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/skjold-exchange/skjold/stix"
)

// encoding is how a property holds octets: names that end in _bin and _hex do (§9.6.4).
type encoding uint8

const (
	plain encoding = iota
	base64Encoded
	hexEncoded
)

func encodingOf(p Path) encoding {
	for i := len(p.Steps) - 1; i >= 0; i-- {
		if name := p.Steps[i].Name; p.Steps[i].Kind == Property {
			switch {
			case strings.HasSuffix(name, "_bin"):
				return base64Encoded
			case strings.HasSuffix(name, "_hex"):
				return hexEncoded
			}
			return plain
		}
	}
	return plain
}

// octets decodes the value of a binary property.
func (e encoding) octets(v *value) (string, bool) {
	var b []byte
	var err error
	if e == base64Encoded {
		b, err = base64.StdEncoding.DecodeString(v.text)
	} else {
		b, err = hex.DecodeString(v.text)
	}
	return string(b), err == nil && v.kind == '"'
}

// test applies the operator without NOT to one value.
func (e *evaluator) test(c *Comparison, v *value, enc encoding) truth {
	if !e.meter.spend(1 + len(v.text)/64) {
		return no
	}
	switch c.Operator {
	case In:
		if !e.meter.spend(len(c.Values)) {
			return no
		}
		for i := range c.Values {
			if order, ok := compareValue(v, enc, &c.Values[i]); ok && order == 0 {
				return yes
			}
		}
		return no
	case IsSubset, IsSuperset:
		return truthOf(v.kind == '"' && c.operand.contains(c.Operator, v.text))
	case Like, Matches:
		return e.search(c, v, enc)
	}
	order, ok := compareValue(v, enc, &c.Values[0])
	switch c.Operator {
	case NotEqual:
		return truthOf(!ok || order != 0)
	case Less:
		return truthOf(ok && order < 0)
	case LessOrEqual:
		return truthOf(ok && order <= 0)
	case Greater:
		return truthOf(ok && order > 0)
	case GreaterOrEqual:
		return truthOf(ok && order >= 0)
	}
	return truthOf(ok && order == 0)
}

// compareValue orders a value against a constant; ok is false if their types are incompatible (§9.2, §9.6.1).
func compareValue(v *value, enc encoding, c *Constant) (order int, ok bool) {
	switch class := c.class(); {
	case class == Integer && v.kind == '0':
		n, err := strconv.ParseFloat(v.text, 64)
		return cmp.Compare(n, c.Number), err == nil
	case class == Boolean && (v.kind == 't' || v.kind == 'f'):
		if (v.kind == 't') != (c.Text == "true") {
			return 1, true
		}
		return 0, true
	case v.kind != '"':
		return 0, false
	case enc != plain:
		return compareOctets(v, enc, c)
	case class == String:
		return strings.Compare(v.text, c.Text), true
	case class == Binary:
		octets, ok := toOctets(v.text)
		return strings.Compare(octets, c.Text), ok
	case class == Timestamp:
		t, err := stix.ParseTimestamp(v.text)
		return t.Compare(c.Time), err == nil
	}
	return 0, false
}

// compareOctets orders a binary property against a constant as unsigned octets (§9.6.3, §9.6.4).
func compareOctets(v *value, enc encoding, c *Constant) (order int, ok bool) {
	octets, ok := enc.octets(v)
	if !ok {
		return 0, false
	}
	switch c.class() {
	case Binary:
		return strings.Compare(octets, c.Text), true
	case String:
		constant, ok := toOctets(c.Text)
		return strings.Compare(octets, constant), ok
	}
	return 0, false
}

// toOctets turns a string into octets, U+0000 to 00 through U+00FF to ff (§9.2). It fails on any other code point.
func toOctets(s string) (string, bool) {
	if isASCII(s) {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}

// fromOctets is the reverse of toOctets.
func fromOctets(octets string) string {
	if isASCII(octets) {
		return octets
	}
	b := make([]byte, 0, len(octets)*2)
	for i := range len(octets) {
		b = utf8.AppendRune(b, rune(octets[i]))
	}
	return string(b)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// contains tells whether the constant's network contains the address or network in text (ISSUBSET), or lies in it.
func (o *operand) contains(op Operator, text string) bool {
	network, ok := networkOf(text)
	if !ok {
		return false
	}
	outer, inner := o.network, network
	if op == IsSuperset {
		outer, inner = inner, outer
	}
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// search applies LIKE and MATCHES: to strings in NFC, to binary properties octet by octet.
func (e *evaluator) search(c *Comparison, v *value, enc encoding) truth {
	if v.kind != '"' {
		return no
	}
	text := v.text
	if enc == plain {
		text = norm.NFC.String(text)
	} else {
		octets, ok := enc.octets(v)
		if _, narrow := toOctets(c.Values[0].Text); !ok || !narrow {
			return no
		}
		text = fromOctets(octets)
	}
	if c.Operator == Like {
		return truthOf(like(c.operand.like, text, e.meter))
	}
	regex := c.operand.regex
	if regex.unsupported != "" {
		e.unsupported = regex.unsupported
		return unknown
	}
	// A step of the engine is far cheaper than one of ours.
	if !e.meter.spend(len(text) * (1 + regex.size/16)) {
		return no
	}
	return truthOf(regex.match(text))
}

// like holds text against a LIKE constant: % is any run of characters, _ any one character. Only the last % met needs
// to be tried again, so the time is at most the product of the lengths, and counted.
func like(constant, text string, m *meter) bool {
	restart, resume := -1, 0 // behind the last %, and where in text it ends for now
	i, j := 0, 0
	for j < len(text) {
		if !m.spend(1) {
			return false
		}
		r, n := utf8.DecodeRuneInString(text[j:])
		if i < len(constant) {
			want, width := utf8.DecodeRuneInString(constant[i:])
			if want == '%' {
				i++
				restart, resume = i, j
				continue
			}
			if want == '_' || want == r {
				i += width
				j += n
				continue
			}
		}
		if restart < 0 {
			return false
		}
		_, skip := utf8.DecodeRuneInString(text[resume:])
		resume += skip
		i, j = restart, resume
	}
	return strings.Trim(constant[i:], "%") == ""
}
