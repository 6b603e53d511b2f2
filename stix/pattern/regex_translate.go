package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The parts of PCRE that mean something else in Go's syntax, or are missing there but can be written differently.
const (
	regexSpace      = `\t-\r `
	regexNotSpace   = `\x{0}-\x{8}\x{e}-\x{1f}!-\x{10ffff}`
	regexHorizontal = `\t \x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}`
	regexVertical   = `\n-\r\x{85}\x{2028}\x{2029}`
	// regexEnd is $ without the option m, and \Z: the end of the text, or before a line feed that ends it.
	regexEnd = `(?:\n?\z)`
)

// regexTranslator rewrites PCRE into Go's syntax. It checks what both dialects agree to be an error, so that an
// expression with an unsupported construct is still found invalid where it is.
type regexTranslator struct {
	text string
	pos  int
	out  strings.Builder
	// unsupported names the first construct that cannot be rewritten.
	unsupported string
	// stopped is set where the rest cannot be read without supporting the construct.
	stopped bool
	// multiline is the option m of each open group, the whole expression first.
	multiline []bool
	// last tells what a quantifier at this place would apply to.
	last regexItem
}

type regexItem uint8

const (
	regexNothing regexItem = iota
	regexAtom
	regexQuantified
)

// translateRegex returns text in Go's syntax, or the construct that has no equivalent there, or an error.
func translateRegex(text string) (program, unsupported string, err error) {
	t := regexTranslator{text: text, multiline: make([]bool, 1, 8)}
	for t.pos < len(t.text) && !t.stopped {
		if err := t.item(); err != nil {
			return "", "", err
		}
	}
	if len(t.multiline) > 1 && !t.stopped {
		return "", "", errors.New("a parenthesis is not closed")
	}
	return t.out.String(), t.unsupported, nil
}

func (t *regexTranslator) refuse(construct string) {
	if t.unsupported == "" {
		t.unsupported = construct
	}
}

func (t *regexTranslator) peek() byte {
	if t.pos < len(t.text) {
		return t.text[t.pos]
	}
	return 0
}

// emit writes an item that a quantifier may follow.
func (t *regexTranslator) emit(s string) {
	t.out.WriteString(s)
	t.last = regexAtom
}

// item reads one item outside of brackets.
func (t *regexTranslator) item() error {
	switch c := t.text[t.pos]; c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		return t.open()
	case ')':
		if len(t.multiline) == 1 {
			return errors.New("a parenthesis is closed that was not opened")
		}
		t.multiline = t.multiline[:len(t.multiline)-1]
		t.pos++
		t.emit(")")
	case '|':
		t.pos++
		t.out.WriteByte('|')
		t.last = regexNothing
	case '*', '+', '?', '{':
		return t.quantifier()
	case '$':
		t.pos++
		if t.multiline[len(t.multiline)-1] {
			t.emit("$")
		} else {
			t.end()
		}
	default:
		_, n := utf8.DecodeRuneInString(t.text[t.pos:])
		t.emit(t.text[t.pos : t.pos+n])
		t.pos += n
	}
	return nil
}

// end writes regexEnd. The line feed it may consume must not be wanted by what follows.
func (t *regexTranslator) end() {
	if c := t.peek(); c != 0 && c != ')' && c != '|' {
		t.refuse("an expression that goes on after $ or \\Z")
	}
	t.emit(regexEnd)
}

// quantifier reads *, +, ?, {n}, {n,} or {n,m} and a ? or + after it. A brace that begins no quantifier is literal.
func (t *regexTranslator) quantifier() error {
	start := t.pos
	if t.text[t.pos] == '{' {
		n, err := t.braces()
		if err != nil {
			return err
		}
		if n == 0 {
			t.pos++
			t.emit(`\{`)
			return nil
		}
		t.pos += n
	} else {
		t.pos++
	}
	switch {
	case t.last == regexNothing:
		return fmt.Errorf("%q has nothing to repeat", t.text[start:t.pos])
	case t.last == regexQuantified && t.text[start] != '{':
		return fmt.Errorf("%q repeats a repetition", t.text[start:t.pos])
	case t.last == regexQuantified:
		t.refuse("a repetition of a repetition")
	}
	if t.peek() == '+' {
		t.refuse("a possessive quantifier")
		t.pos++
	} else if t.peek() == '?' {
		t.pos++
	}
	t.emit(t.text[start:t.pos])
	t.last = regexQuantified
	return nil
}

// braces returns the length of the counted quantifier at the current position, 0 if there is none.
func (t *regexTranslator) braces() (int, error) {
	body, _, closed := strings.Cut(t.text[t.pos+1:], "}")
	low, high, two := strings.Cut(body, ",")
	if !closed || !allDigits(low) || two && high != "" && !allDigits(high) {
		return 0, nil
	}
	const most, supported = 65535, 1000
	minimum, err := strconv.Atoi(low)
	maximum := minimum
	if err == nil && high != "" {
		maximum, err = strconv.Atoi(high)
	}
	switch {
	case err != nil || max(minimum, maximum) > most:
		return 0, fmt.Errorf("a repetition is counted beyond %d", most)
	case minimum > maximum:
		return 0, errors.New("a repetition has a minimum above its maximum")
	case maximum > supported:
		t.refuse(fmt.Sprintf("a repetition counted beyond %d", supported))
	}
	return len(body) + 2, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// escape reads a backslash sequence outside of brackets.
func (t *regexTranslator) escape() error {
	t.pos++
	if t.pos == len(t.text) {
		return errors.New("a backslash ends it")
	}
	switch c := t.text[t.pos]; c {
	case 'Q':
		literal, _, _ := strings.Cut(t.text[t.pos+1:], `\E`)
		t.pos = min(len(t.text), t.pos+1+len(literal)+len(`\E`))
		if literal != "" {
			t.emit(regexp.QuoteMeta(literal))
		}
		return nil
	case 'E':
		t.pos++
		return nil
	case 'b', 'B', 'A', 'z':
		t.pos++
		t.emit(`\` + string(c))
		return nil
	case 'Z':
		t.pos++
		t.end()
		return nil
	case 'N':
		t.pos++
		t.emit(`[^\n]`)
		return nil
	case 'R', 'X', 'K', 'G', 'C', 'g', 'k', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		t.pos++
		t.refuse(`the escape \` + string(c))
		t.emit("")
		return nil
	}
	set, r, err := t.escapedItem()
	if err != nil {
		return err
	}
	if set == "" {
		t.emit(regexp.QuoteMeta(string(r)))
	} else {
		t.emit("[" + set + "]")
	}
	return nil
}

// escapedItem reads the escape sequences that mean the same inside and outside of brackets, from the letter after the
// backslash on: a set, written as the inside of a class, or a single character.
func (t *regexTranslator) escapedItem() (set string, r rune, err error) {
	c, n := utf8.DecodeRuneInString(t.text[t.pos:])
	t.pos += n
	switch c {
	case 'd', 'D', 'w', 'W':
		return `\` + string(c), 0, nil
	case 's':
		return regexSpace, 0, nil
	case 'S':
		return regexNotSpace, 0, nil
	case 'h':
		return regexHorizontal, 0, nil
	case 'v':
		return regexVertical, 0, nil
	case 'H':
		return t.complement(regexHorizontal)
	case 'V':
		return t.complement(regexVertical)
	case 'p', 'P':
		return t.property(c)
	case 'a':
		return "", '\a', nil
	case 'e':
		return "", 0x1b, nil
	case 'f':
		return "", '\f', nil
	case 'n':
		return "", '\n', nil
	case 'r':
		return "", '\r', nil
	case 't':
		return "", '\t', nil
	case 'c':
		r, err = t.control()
		return "", r, err
	case 'x':
		r, err = t.hexadecimal()
		return "", r, err
	}
	if '0' <= c && c <= '7' {
		return "", t.octal(c), nil
	}
	if c < utf8.RuneSelf && (isDigit(byte(c)) || isNameStart(byte(c)) && c != '_') {
		t.refuse(`the escape \` + string(c))
	}
	return "", c, nil
}

// complement writes the complement of a set, which needs brackets of its own: [^…] inside a class does not exist.
func (t *regexTranslator) complement(set string) (string, rune, error) {
	if set == regexHorizontal {
		return `\x{0}-\x{8}\n-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{180d}\x{180f}-\x{1fff}\x{200b}-\x{202e}` +
			`\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}`, 0, nil
	}
	return `\x{0}-\t\x{e}-\x{84}\x{86}-\x{2027}\x{202a}-\x{10ffff}`, 0, nil
}

// property reads the name after \p or \P. Whether Go knows it shows when the result is parsed.
func (t *regexTranslator) property(c rune) (string, rune, error) {
	if t.peek() != '{' {
		if t.pos == len(t.text) {
			return "", 0, errors.New(`\p has no property name`)
		}
		t.pos++
		return `\` + string(c) + t.text[t.pos-1:t.pos], 0, nil
	}
	name, _, closed := strings.Cut(t.text[t.pos:], "}")
	if !closed {
		return "", 0, errors.New(`\p{ is not closed`)
	}
	t.pos += len(name) + 1
	return `\` + string(c) + name + "}", 0, nil
}

func (t *regexTranslator) control() (rune, error) {
	c := t.peek()
	if c < ' ' || c >= 0x7f {
		return 0, errors.New(`\c needs a printable ASCII character after it`)
	}
	t.pos++
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return rune(c ^ 0x40), nil
}

// hexadecimal reads what follows \x: up to two digits, or any number in braces.
func (t *regexTranslator) hexadecimal() (rune, error) {
	digits, width := "", 0
	if t.peek() == '{' {
		body, _, closed := strings.Cut(t.text[t.pos+1:], "}")
		if !closed {
			return 0, errors.New(`\x{ is not closed`)
		}
		digits, width = body, len(body)+2
	} else {
		for width < 2 && t.pos+width < len(t.text) && isHexDigit(t.text[t.pos+width]) {
			width++
		}
		digits = t.text[t.pos : t.pos+width]
	}
	t.pos += width
	if digits == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n > utf8.MaxRune || n >= 0xd800 && n <= 0xdfff {
		return 0, fmt.Errorf(`\x{%s} is no code point`, excerpt(digits))
	}
	return rune(n), nil
}

func (t *regexTranslator) octal(first rune) rune {
	n := first - '0'
	for i := 0; i < 2 && '0' <= t.peek() && t.peek() <= '7'; i++ {
		n = n*8 + rune(t.peek()-'0')
		t.pos++
	}
	return n
}

func isHexDigit(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
