package stix

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// kind is the kind of a JSON value.
type kind uint8

const (
	kindNone kind = iota
	kindObject
	kindArray
	kindString
	kindNumber
	kindTrue
	kindFalse
	kindNull
)

var kindNames = [...]string{"nothing", "an object", "a list", "a string", "a number", "true", "false", "null"}

func (k kind) String() string { return kindNames[k] }

// node is one JSON value of a tree. A node's first child is the node after it; its siblings follow at end.
type node struct {
	start, stop    uint32 // the value's bytes in src, quotes and brackets included
	name, nameStop uint32 // the member name's bytes in src, without the quotes; equal if there is none
	end            uint32 // index of the first node after this one and everything inside it
	count          uint32 // elements of a list or members of an object
	kind           kind
	escaped        bool // the string holds escape sequences
	nameEscaped    bool
	nonASCII       bool
}

// tree is a parsed JSON value as a flat list of nodes over the bytes it was parsed from: no maps, and no allocation
// when it is used again.
type tree struct {
	src    []byte
	nodes  []node
	spaces bool // there is whitespace outside strings

	pos   int
	final bool // src holds the whole value: its end is an error, not a reason to wait for more
	depth int
	limit int
	names nameSet
}

// jsonFault says what kind of error parsing met; some of them spoil one object, the others the whole input.
type jsonFault uint8

const (
	faultSyntax    jsonFault = iota + 1 // not JSON
	faultUTF8                           // bytes that are not UTF-8
	faultBOM                            // a byte order mark in front
	faultTruncated                      // src ends inside the value
	faultDepth                          // nested deeper than the limit
	faultDuplicate                      // two members of one object have the same name
	faultSurrogate                      // half of a surrogate pair
	faultTooLarge                       // larger than the limit for one object
)

const endsEarly = "the JSON value ends early"

type jsonError struct {
	fault  jsonFault
	offset int
	reason string
}

func (e *jsonError) Error() string { return fmt.Sprintf("%s at byte %d", e.reason, e.offset) }

// ruleOf is the stable name of the rule that a fault breaks, for Violation.Rule; Reader and Check use the same.
func (e *jsonError) rule() string {
	switch e.fault {
	case faultUTF8:
		return "bad-utf8"
	case faultBOM:
		return "byte-order-mark"
	case faultTruncated:
		return "truncated"
	case faultDepth:
		return "too-deep"
	case faultDuplicate:
		return "duplicate-member"
	case faultSurrogate:
		return "lone-surrogate"
	case faultTooLarge:
		return "too-large"
	}
	return "json-syntax"
}

// perObject reports whether the bytes are still JSON by grammar, so that the siblings of the object can be read.
func (e *jsonError) perObject() bool { return e.fault >= faultDepth }

func (t *tree) fail(fault jsonFault, offset int, reason string) *jsonError {
	if fault == faultSyntax && offset >= len(t.src) && !t.final {
		fault = faultTruncated
	}
	return &jsonError{fault, offset, reason}
}

// parse reads the one JSON value at the beginning of src, strictly: RFC 8259 grammar, valid UTF-8, whole surrogate
// pairs, unique member names, at most depth levels. It returns the number of bytes of the value. Where final is false,
// src may end early, which is faultTruncated.
func (t *tree) parse(src []byte, depth int, final bool) (int, *jsonError) {
	t.src, t.nodes, t.spaces = src, t.nodes[:0], false
	t.pos, t.depth, t.limit, t.final = 0, 0, depth, final
	t.names.reset()
	if err := t.value(0, 0, false); err != nil {
		return t.pos, err
	}
	return t.pos, nil
}

// parseAll is parse of src as a whole: nothing but whitespace may follow the value.
func (t *tree) parseAll(src []byte, depth int) *jsonError {
	if bytes.HasPrefix(src, byteOrderMark) {
		return &jsonError{faultBOM, 0, "there is a byte order mark in front of the JSON value; send UTF-8 without one"}
	}
	start := skipSpace(src, 0)
	n, err := t.parse(src[start:], depth, true)
	if err != nil {
		if err.offset += start; err.fault == faultSyntax && err.offset >= len(src) {
			err.fault = faultTruncated
		}
		return err
	}
	if rest := skipSpace(src, start+n); rest < len(src) {
		return &jsonError{faultSyntax, rest, "there is something after the end of the JSON value"}
	}
	return nil
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

func skipSpace(src []byte, i int) int {
	for i < len(src) && isSpace(src[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// space moves to the next byte that is not whitespace and returns it, 0 at the end of src.
func (t *tree) space() byte {
	if t.pos < len(t.src) && t.src[t.pos] > ' ' {
		return t.src[t.pos]
	}
	start := t.pos
	t.pos = skipSpace(t.src, t.pos)
	t.spaces = t.spaces || t.pos > start
	if t.pos == len(t.src) {
		return 0
	}
	return t.src[t.pos]
}

func (t *tree) value(name, nameStop uint32, nameEscaped bool) *jsonError {
	i := len(t.nodes)
	t.nodes = append(t.nodes, node{start: uint32(t.pos), name: name, nameStop: nameStop, nameEscaped: nameEscaped})
	if t.pos >= len(t.src) {
		return t.fail(faultSyntax, t.pos, "a JSON value is missing")
	}
	var err *jsonError
	var k kind
	switch c := t.src[t.pos]; c {
	case '{':
		k, err = kindObject, t.object(i)
	case '[':
		k, err = kindArray, t.array(i)
	case '"':
		k = kindString
		var s jsonString
		s, err = t.str()
		t.nodes[i].escaped, t.nodes[i].nonASCII = s.escaped, s.nonASCII
	case 't':
		k, err = kindTrue, t.literal("true")
	case 'f':
		k, err = kindFalse, t.literal("false")
	case 'n':
		k, err = kindNull, t.literal("null")
	default:
		if c != '-' && (c < '0' || c > '9') {
			return t.fail(faultSyntax, t.pos, fmt.Sprintf("%s is not the beginning of a JSON value", quoteByte(c)))
		}
		k, err = kindNumber, t.number()
	}
	n := &t.nodes[i]
	n.kind, n.stop, n.end = k, uint32(t.pos), uint32(len(t.nodes))
	return err
}

func (t *tree) enter() *jsonError {
	if t.depth++; t.depth > t.limit {
		return t.fail(faultDepth, t.pos, fmt.Sprintf("lists and objects are nested deeper than %d levels", t.limit))
	}
	t.pos++
	return nil
}

func (t *tree) object(i int) *jsonError {
	if err := t.enter(); err != nil {
		return err
	}
	mark := t.names.open()
	if t.space() == '}' {
		t.pos++
		t.depth--
		return nil
	}
	for count := uint32(1); ; count++ {
		if err := t.parseMember(mark); err != nil {
			return err
		}
		switch t.space() {
		case '}':
			t.nodes[i].count = count
			t.names.close(mark)
			t.pos++
			t.depth--
			return nil
		case ',':
		default:
			return t.fail(faultSyntax, t.pos, "a comma or } is missing after a member of an object")
		}
		t.pos++
		t.space()
	}
}

// parseMember reads a name, its colon and its value.
func (t *tree) parseMember(mark int) *jsonError {
	start := t.pos
	if start >= len(t.src) || t.src[start] != '"' {
		return t.fail(faultSyntax, start, "the name of a member, in double quotes, is missing")
	}
	s, err := t.str()
	if err != nil {
		return err
	}
	if !t.names.add(mark, t.src[start+1:t.pos-1], s.escaped) {
		return t.fail(faultDuplicate, start, repeated(t.src[start+1:t.pos-1]))
	}
	stop := t.pos - 1
	if t.space() != ':' {
		return t.fail(faultSyntax, t.pos, "a colon is missing after the name of a member")
	}
	t.pos++
	t.space()
	return t.value(uint32(start+1), uint32(stop), s.escaped)
}

// repeated is the reason for refusing a member whose name another member of the same object has.
func repeated[T ~string | ~[]byte](name T) string {
	return fmt.Sprintf("the member %s is given twice in one object", quoteShort(name))
}

func (t *tree) array(i int) *jsonError {
	if err := t.enter(); err != nil {
		return err
	}
	if t.space() == ']' {
		t.pos++
		t.depth--
		return nil
	}
	for count := uint32(1); ; count++ {
		if err := t.value(0, 0, false); err != nil {
			return err
		}
		switch t.space() {
		case ']':
			t.nodes[i].count = count
			t.pos++
			t.depth--
			return nil
		case ',':
		default:
			return t.fail(faultSyntax, t.pos, "a comma or ] is missing after an element of a list")
		}
		t.pos++
		t.space()
	}
}

func (t *tree) literal(text string) *jsonError {
	rest := t.src[t.pos:]
	if len(rest) < len(text) && bytes.HasPrefix([]byte(text), rest) {
		return t.fail(faultSyntax, len(t.src), endsEarly)
	}
	if len(rest) < len(text) || string(rest[:len(text)]) != text {
		return t.fail(faultSyntax, t.pos, fmt.Sprintf("%s is expected here", text))
	}
	t.pos += len(text)
	return nil
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?. At the end of src a number may go on.
func (t *tree) number() *jsonError {
	if t.src[t.pos] == '-' {
		t.pos++
	}
	if t.pos < len(t.src) && t.src[t.pos] == '0' {
		t.pos++
	} else if t.digits() == 0 {
		return t.fail(faultSyntax, t.pos, "a number has no digits")
	}
	if t.pos < len(t.src) && t.src[t.pos] == '.' {
		t.pos++
		if t.digits() == 0 {
			return t.fail(faultSyntax, t.pos, "a number has no digits after its decimal point")
		}
	}
	if t.pos < len(t.src) && (t.src[t.pos] == 'e' || t.src[t.pos] == 'E') {
		t.pos++
		if t.pos < len(t.src) && (t.src[t.pos] == '+' || t.src[t.pos] == '-') {
			t.pos++
		}
		if t.digits() == 0 {
			return t.fail(faultSyntax, t.pos, "a number has no digits in its exponent")
		}
	}
	if t.pos == len(t.src) && !t.final {
		return t.fail(faultTruncated, t.pos, endsEarly)
	}
	return nil
}

func (t *tree) digits() int {
	start := t.pos
	for t.pos < len(t.src) && '0' <= t.src[t.pos] && t.src[t.pos] <= '9' {
		t.pos++
	}
	return t.pos - start
}

func quoteByte(c byte) string {
	if c < utf8.RuneSelf {
		return fmt.Sprintf("%q", rune(c))
	}
	return fmt.Sprintf("byte 0x%02X", c)
}
