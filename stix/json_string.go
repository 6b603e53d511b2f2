package stix

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonString is what is noted about a string while it is read.
type jsonString struct {
	escaped  bool
	nonASCII bool
}

// plain marks the bytes of a string that need no thought: printable ASCII without the quote and the backslash.
var plain = func() (table [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// skipPlain returns the index of the first byte at or behind i that is not plain, len(src) if all are. It looks at eight
// bytes at a time: a byte b is not plain if b has its highest bit, or if b-0x20, b^'"' or b^'\\' is less than zero or zero,
// which borrows from the highest bit of its own place (or of a later one, which only costs a second look).
func skipPlain(src []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(src); i += 8 {
		word := binary.LittleEndian.Uint64(src[i:])
		quote, backslash := word^('"'*ones), word^('\\'*ones)
		if (word|(word-' '*ones)|(quote-ones)|(backslash-ones))&highs != 0 {
			break
		}
	}
	for i < len(src) && plain[src[i]] {
		i++
	}
	return i
}

// str reads a string at pos, which is at its opening quote, and moves behind its closing quote.
func (t *tree) str() (jsonString, *jsonError) {
	var s jsonString
	start := t.pos
	i := t.pos + 1
	for {
		i = skipPlain(t.src, i)
		if i == len(t.src) {
			t.pos = i
			return s, t.fail(faultSyntax, i, "a string is not closed")
		}
		switch c := t.src[i]; {
		case c == '"':
			t.pos = i + 1
			return s, t.checkUTF8(s, start+1, i)
		case c == '\\':
			s.escaped = true
			n, err := t.escape(i)
			if err != nil {
				t.pos = i
				return s, err
			}
			i += n
		case c >= utf8.RuneSelf:
			s.nonASCII = true
			i++
		default:
			return s, t.fail(faultSyntax, i, fmt.Sprintf("the control character U+%04X stands in a string without being escaped", c))
		}
	}
}

func (t *tree) checkUTF8(s jsonString, start, stop int) *jsonError {
	if !s.nonASCII || utf8.Valid(t.src[start:stop]) {
		return nil
	}
	for i := start; i < stop; {
		r, n := utf8.DecodeRune(t.src[i:stop])
		if r == utf8.RuneError && n == 1 {
			return t.fail(faultUTF8, i, "the bytes are not valid UTF-8")
		}
		i += n
	}
	return nil
}

// escape checks the escape sequence at i and returns its length, 12 for a surrogate pair.
func (t *tree) escape(i int) (int, *jsonError) {
	if i+1 >= len(t.src) {
		return 0, t.fail(faultSyntax, len(t.src), "a string is not closed")
	}
	switch t.src[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
	default:
		return 0, t.fail(faultSyntax, i, "a backslash is followed by something that is not a JSON escape")
	}
	r, ok := hex4(t.src, i+2)
	if !ok {
		if i+6 > len(t.src) && allHex(t.src[min(i+2, len(t.src)):]) {
			return 0, t.fail(faultSyntax, len(t.src), "a string is not closed")
		}
		return 0, t.fail(faultSyntax, i, `\u is not followed by four hexadecimal digits`)
	}
	if !utf16.IsSurrogate(r) {
		return 6, nil
	}
	rest := t.src[i+6 : min(i+12, len(t.src))]
	if len(rest) < 6 && !t.final && mayBeEscape(rest) {
		return 0, t.fail(faultTruncated, len(t.src), "a string is not closed")
	}
	if len(rest) == 6 && rest[0] == '\\' && rest[1] == 'u' {
		if low, ok := hex4(rest, 2); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			return 12, nil
		}
	}
	return 0, t.fail(faultSurrogate, i, fmt.Sprintf(`\u%04x is half of a surrogate pair`, r))
}

// mayBeEscape reports whether b can be the beginning of \uXXXX.
func mayBeEscape(b []byte) bool {
	return (len(b) < 1 || b[0] == '\\') && (len(b) < 2 || b[1] == 'u') && (len(b) < 3 || allHex(b[2:]))
}

func allHex(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r >= utf8.RuneSelf || !isHexDigit(byte(r)) })
}

func hex4(src []byte, i int) (rune, bool) {
	if i+4 > len(src) {
		return 0, false
	}
	var r rune
	for _, c := range src[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// appendUnescaped appends the text of a string that str has checked, without its quotes.
func appendUnescaped(dst, src []byte) []byte {
	for {
		i := bytes.IndexByte(src, '\\')
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		c := src[i+1]
		n := 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(src, i+2)
			n = 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(src, i+8)
				r = utf16.DecodeRune(r, low)
				n = 12
			}
			dst = utf8.AppendRune(dst, r)
			src = src[i+n:]
			continue
		}
		dst = append(dst, c)
		src = src[i+n:]
	}
}

// appendCompact appends src, checked JSON, without the whitespace outside its strings.
func appendCompact(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		start := i
		for i < len(src) && !isSpace(src[i]) {
			if src[i] != '"' {
				i++
				continue
			}
			i = stringEnd(src, i)
		}
		dst = append(dst, src[start:i]...)
		i = skipSpace(src, i)
	}
	return dst
}

// stringEnd returns the index behind the closing quote of the string that opens at i, len(src) if it is not closed.
func stringEnd(src []byte, i int) int {
	for i++; i < len(src); i++ {
		switch src[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(src)
}
