package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says where and why a text is not a STIX pattern, a constant that breaks a rule of §9 included.
type SyntaxError struct {
	// Line and Column are counted from 1; Column counts code points. Offset is in bytes from 0.
	Line, Column, Offset int
	// Message is a clause without a full stop. It never quotes more than a few words of the pattern.
	Message string
}

// Error returns the message with its place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("pattern: line %d, column %d: %s", e.Line, e.Column, e.Message)
}

func syntaxErrorAt(text string, offset int, message string) *SyntaxError {
	offset = min(offset, len(text))
	before := text[:offset]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Line:    1 + strings.Count(before, "\n"),
		Column:  1 + utf8.RuneCountInString(before[lineStart:]),
		Offset:  offset,
		Message: message,
	}
}

// excerpt shortens text for an error message.
func excerpt(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
