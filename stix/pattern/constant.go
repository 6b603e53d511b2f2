package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/skjold-exchange/skjold/stix"
)

// ConstantKind is the data type of a constant (§9.2).
type ConstantKind uint8

// The data types of constants.
const (
	String ConstantKind = iota
	Integer
	Float
	Boolean
	Binary
	Hex
	Timestamp
)

// String returns the name that the standard gives to the data type.
func (k ConstantKind) String() string {
	return [...]string{"string", "integer", "float", "boolean", "binary", "hex", "timestamp"}[k]
}

// Constant is a constant of a pattern.
type Constant struct {
	Kind ConstantKind
	// Text is the value of a string, the decoded octets of a binary or hex constant, and for the other kinds the text
	// as it is written, without prefix and apostrophes.
	Text string
	// Number is the value of an integer or float.
	Number float64
	// Time is the value of a timestamp.
	Time stix.Timestamp
}

// maxInteger is the largest magnitude of a STIX integer (§2.10), 2⁵³-1: every one is exact as a float64.
const maxInteger = 1<<53 - 1

// constantOf decodes and checks the constant in text. Its errors are messages for a SyntaxError.
func constantOf(kind tokenKind, text string, escaped bool) (Constant, error) {
	switch kind {
	case tokenString:
		value := text[1 : len(text)-1]
		if escaped {
			value = unescape(value)
		}
		return Constant{Kind: String, Text: value}, nil
	case tokenBinary:
		octets, err := base64.StdEncoding.DecodeString(text[2 : len(text)-1])
		if err != nil {
			return Constant{}, errors.New("a b'…' constant is base64 with padding (RFC 4648 §4); this one is not")
		}
		return Constant{Kind: Binary, Text: string(octets)}, nil
	case tokenHex:
		digits := text[2 : len(text)-1]
		octets, err := hex.DecodeString(digits)
		if err != nil || strings.ContainsAny(digits, "ABCDEF") {
			return Constant{}, errors.New("an h'…' constant is an even number of the digits 0-9 and a-f")
		}
		return Constant{Kind: Hex, Text: string(octets)}, nil
	case tokenTimestamp:
		t, err := stix.ParseTimestamp(text[2 : len(text)-1])
		if err != nil {
			return Constant{}, err
		}
		return Constant{Kind: Timestamp, Text: t.String(), Time: t}, nil
	}
	return numberOf(text)
}

func numberOf(text string) (Constant, error) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Constant{}, errors.New("this number is beyond the range of a 64-bit float (§2.6)")
	}
	kind := Integer
	if strings.IndexByte(text, '.') >= 0 {
		kind = Float
	} else if math.Abs(value) > maxInteger {
		return Constant{}, errors.New("this integer is beyond ±(2^53-1) (§2.10)")
	}
	return Constant{Kind: kind, Text: text, Number: value}, nil
}

func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// class is the kind of a constant as far as comparison goes: integers and floats are numbers, hex and binary octets.
func (c Constant) class() ConstantKind {
	switch c.Kind {
	case Float:
		return Integer
	case Hex:
		return Binary
	}
	return c.Kind
}

// operand is what an operator needs of its constant beyond the constant itself, worked out once.
type operand struct {
	like    string       // Like: the constant in NFC
	network netip.Prefix // IsSubset, IsSuperset
	regex   *regex       // Matches
}

// operandOf prepares the constant of an operator that takes a string. Its errors are messages for a SyntaxError.
func operandOf(o Operator, c Constant, limits Limits) (*operand, error) {
	switch o {
	case Like:
		return &operand{like: norm.NFC.String(c.Text)}, nil
	case IsSubset, IsSuperset:
		network, ok := networkOf(c.Text)
		if !ok {
			return nil, fmt.Errorf("%s needs an IPv4 or IPv6 address, or a network in CIDR notation; %q is neither", o, excerpt(c.Text))
		}
		return &operand{network: network}, nil
	case Matches:
		if len(c.Text) > limits.RegexBytes {
			return nil, fmt.Errorf("this regular expression has %d bytes; %d are allowed", len(c.Text), limits.RegexBytes)
		}
		r, err := compileRegex(c.Text)
		if err != nil {
			return nil, err
		}
		return &operand{regex: r}, nil
	}
	return nil, nil
}

// networkOf reads an address or a network in CIDR notation as the set of its addresses: bits beyond the prefix length
// do not count.
func networkOf(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') < 0 {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}
