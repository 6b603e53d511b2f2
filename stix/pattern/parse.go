package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Parse reads a pattern within DefaultLimits. The error is a *SyntaxError.
func Parse(text string) (*Pattern, error) { return ParseLimits(text, DefaultLimits) }

// Check tells whether text is a valid pattern: nil, or the error of Parse.
func Check(text string) error {
	_, err := Parse(text)
	return err
}

// ParseLimits reads a pattern within the given limits. The error is a *SyntaxError.
func ParseLimits(text string, limits Limits) (*Pattern, error) {
	if len(text) > limits.Bytes {
		return nil, syntaxErrorAt(text, limits.Bytes, fmt.Sprintf("the pattern has %d bytes; %d are allowed", len(text), limits.Bytes))
	}
	if !utf8.ValidString(text) {
		return nil, syntaxErrorAt(text, invalidUTF8At(text), "the pattern is not valid UTF-8")
	}
	p := parser{scanner: scanner{text: text}, limits: limits}
	if err := p.advance(); err != nil {
		return nil, err
	}
	root, err := p.observations(FollowedBy)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.expected("an operator, a qualifier or the end of the pattern")
	}
	return &Pattern{text: text, root: root}, nil
}

func invalidUTF8At(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(text[i:]); n == 1 {
				return i
			}
		}
	}
	return 0
}

// parser is a recursive-descent parser with one token of look-ahead. It recurses only where parentheses nest, so
// limits.Depth bounds its stack.
type parser struct {
	scanner
	limits Limits
	tok    token
	depth  int
	terms  int
}

func (p *parser) advance() (err error) {
	p.tok, err = p.scan()
	return err
}

// word returns the text of the current token.
func (p *parser) word() string { return p.text[p.tok.start:p.tok.end] }

func (p *parser) isPunctuation(s string) bool { return p.tok.kind == tokenPunctuation && p.word() == s }
func (p *parser) isKeyword(s string) bool     { return p.tok.kind == tokenName && p.word() == s }

func (p *parser) fail(offset int, message string) error {
	return syntaxErrorAt(p.text, offset, message)
}

// expected is the error that something else than the current token should stand here.
func (p *parser) expected(what string) error {
	found := "the end of the pattern"
	if p.tok.kind != tokenEnd {
		found = "'" + excerpt(p.word()) + "'"
	}
	message := "expected " + what + ", found " + found
	if upper := strings.ToUpper(p.word()); p.tok.kind == tokenName && upper != p.word() && isReserved(upper) {
		message += "; keywords are written in capital letters"
	}
	return p.fail(p.tok.start, message)
}

func (p *parser) takePunctuation(s string) error {
	if !p.isPunctuation(s) {
		return p.expected("'" + s + "'")
	}
	return p.advance()
}

func (p *parser) takeKeyword(s string) error {
	if !p.isKeyword(s) {
		return p.expected(s)
	}
	return p.advance()
}

// enter and leave bracket each level of parentheses.
func (p *parser) enter() error {
	if p.depth++; p.depth > p.limits.Depth {
		return p.fail(p.tok.start, fmt.Sprintf("parentheses are nested deeper than %d levels", p.limits.Depth))
	}
	return p.advance()
}

func (p *parser) leave() error {
	p.depth--
	return p.takePunctuation(")")
}

func (p *parser) countTerm() error {
	if p.terms++; p.terms > p.limits.Terms {
		return p.fail(p.tok.start, fmt.Sprintf("the pattern has more than %d comparisons, set members and qualifiers", p.limits.Terms))
	}
	return nil
}

// constant reads a constant of any kind.
func (p *parser) constant() (Constant, error) {
	if p.tok.kind == tokenName {
		switch w := p.word(); w {
		case "true", "false":
			return Constant{Kind: Boolean, Text: w}, p.advance()
		}
	}
	if p.tok.kind < tokenNumber {
		return Constant{}, p.expected("a constant")
	}
	c, err := constantOf(p.tok.kind, p.word(), p.tok.escaped)
	if err != nil {
		return Constant{}, p.fail(p.tok.start, err.Error())
	}
	return c, p.advance()
}

// isReserved reports whether a word is a keyword and so cannot stand unquoted in an object path.
func isReserved(word string) bool {
	switch word {
	case "AND", "OR", "NOT", "FOLLOWEDBY", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS", "IN",
		"START", "STOP", "WITHIN", "SECONDS", "REPEATS", "TIMES", "true", "false":
		return true
	}
	return false
}
