package pattern

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenPunctuation
	tokenName // a keyword, an object type or a property name
	tokenNumber
	tokenString
	tokenBinary
	tokenHex
	tokenTimestamp
)

// token is a piece of the pattern: text[start:end]. For the quoted kinds that includes prefix and apostrophes.
type token struct {
	kind       tokenKind
	escaped    bool // a string with at least one backslash
	start, end int
}

type scanner struct {
	text string
	pos  int
}

// scan returns the next token. The error is a *SyntaxError.
func (s *scanner) scan() (token, error) {
	s.skipSpace()
	if s.pos == len(s.text) {
		return token{kind: tokenEnd, start: s.pos, end: s.pos}, nil
	}
	start, c := s.pos, s.text[s.pos]
	switch {
	case isNameStart(c):
		return s.name()
	case isDigit(c), c == '-', c == '.' && isDigit(s.at(1)):
		return s.number()
	case c == '\'':
		return s.quoted(tokenString, start)
	}
	n := punctuation(c, s.at(1))
	if n == 0 {
		return token{}, s.unexpected()
	}
	s.pos += n
	return token{kind: tokenPunctuation, start: start, end: s.pos}, nil
}

// at returns the byte n places ahead, 0 beyond the end.
func (s *scanner) at(n int) byte {
	if s.pos+n < len(s.text) {
		return s.text[s.pos+n]
	}
	return 0
}

// skipSpace passes over code points with the Unicode property White_Space (§9.4).
func (s *scanner) skipSpace() {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if c < utf8.RuneSelf {
			if c != ' ' && (c < '\t' || c > '\r') {
				return
			}
			s.pos++
			continue
		}
		r, n := utf8.DecodeRuneInString(s.text[s.pos:])
		if !unicode.IsSpace(r) {
			return
		}
		s.pos += n
	}
}

// name reads a keyword or an identifier, or a constant that begins with a letter: b'…', h'…', t'…'.
func (s *scanner) name() (token, error) {
	start := s.pos
	for s.pos < len(s.text) && (isNameStart(s.text[s.pos]) || isDigit(s.text[s.pos]) || s.text[s.pos] == '-') {
		s.pos++
	}
	if s.pos == start+1 && s.at(0) == '\'' {
		switch s.text[start] {
		case 'b':
			return s.quoted(tokenBinary, start)
		case 'h':
			return s.quoted(tokenHex, start)
		case 't':
			return s.quoted(tokenTimestamp, start)
		}
	}
	return token{kind: tokenName, start: start, end: s.pos}, nil
}

// number reads an integer or a float: an optional minus, digits without superfluous zeros, a point with digits after it.
func (s *scanner) number() (token, error) {
	start := s.pos
	if s.text[s.pos] == '-' {
		s.pos++
	}
	whole := s.digits()
	if whole > 1 && s.text[s.pos-whole] == '0' {
		return token{}, syntaxErrorAt(s.text, start, "a number has no zeros in front")
	}
	fraction := 0
	if s.at(0) == '.' {
		s.pos++
		if fraction = s.digits(); fraction == 0 {
			return token{}, syntaxErrorAt(s.text, s.pos, "expected a digit after the decimal point")
		}
	}
	if whole+fraction == 0 {
		return token{}, syntaxErrorAt(s.text, start, "expected a digit after '-'")
	}
	if c := s.at(0); isNameStart(c) {
		return token{}, syntaxErrorAt(s.text, s.pos,
			fmt.Sprintf("%q follows a number directly; numbers have no exponent, and a word after one needs a space", c))
	}
	return token{kind: tokenNumber, start: start, end: s.pos}, nil
}

func (s *scanner) digits() (n int) {
	for isDigit(s.at(0)) {
		s.pos++
		n++
	}
	return n
}

// quoted reads up to the closing apostrophe. In a string, a backslash stands before an apostrophe or a backslash and
// nothing else (§9.2); the other constants have no escapes.
func (s *scanner) quoted(kind tokenKind, start int) (token, error) {
	s.pos++
	escaped := false
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case '\'':
			s.pos++
			return token{kind: kind, escaped: escaped, start: start, end: s.pos}, nil
		case '\\':
			if next := s.at(1); kind != tokenString || next != '\'' && next != '\\' {
				return token{}, syntaxErrorAt(s.text, s.pos, `a backslash in a string stands only before ' or \; write \\ for a backslash`)
			}
			escaped = true
			s.pos++
		}
		s.pos++
	}
	return token{}, syntaxErrorAt(s.text, start, "this constant has no closing apostrophe")
}

// unexpected explains a character that begins no token, with advice for the usual mistakes.
func (s *scanner) unexpected() error {
	r, _ := utf8.DecodeRuneInString(s.text[s.pos:])
	message := fmt.Sprintf("unexpected character %q", r)
	switch r {
	case '‘', '’', '“', '”', '"', '`':
		message += "; constants stand between apostrophes (U+0027)"
	case '+':
		message += "; a number has no plus sign"
	case '/', '#':
		message += "; a pattern has no comments, and a regular expression is a string constant"
	}
	return syntaxErrorAt(s.text, s.pos, message)
}

// punctuation returns the length of the punctuation that begins with c and next, 0 if there is none.
func punctuation(c, next byte) int {
	switch c {
	case '[', ']', '(', ')', ':', '.', ',', '*', '=':
		return 1
	case '!':
		if next == '=' {
			return 2
		}
	case '<', '>':
		if next == '=' {
			return 2
		}
		return 1
	}
	return 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}
