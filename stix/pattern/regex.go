package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"sync"
)

// regex is the regular expression of a MATCHES. The standard asks for PCRE; it runs on Go's engine, whose time is
// linear in the text. What that engine cannot do is reported as unsupported: the pattern is valid then, but what it
// matches here is unknown.
type regex struct {
	// program is the expression in Go's syntax, "" where unsupported says what prevents that.
	program     string
	unsupported string
	// size is about the number of instructions of the compiled program; a match costs size steps per character.
	size int

	once     sync.Once
	compiled *regexp.Regexp
}

// maxRegexSize bounds the compiled program. Counted repetitions multiply: ((x{100}){100}){100} is a million states.
const maxRegexSize = 20_000

// compileRegex reads a PCRE expression. An error is a message for a SyntaxError: the expression is not PCRE at all.
func compileRegex(text string) (*regex, error) {
	program, unsupported, err := translateRegex(text)
	if err != nil {
		return nil, fmt.Errorf("invalid regular expression: %w", err)
	}
	if unsupported != "" {
		return &regex{unsupported: unsupported}, nil
	}
	// DOTALL is required (§9.6.1).
	program = "(?s)" + program
	tree, err := syntax.Parse(program, syntax.Perl)
	if err != nil {
		return refusedRegex(err)
	}
	size := regexSize(tree)
	if size > maxRegexSize {
		return &regex{unsupported: "an expression whose repetitions need too large a program"}, nil
	}
	return &regex{program: program, size: size}, nil
}

// refusedRegex tells an expression that is wrong in any dialect from one that only Go's engine refuses.
func refusedRegex(err error) (*regex, error) {
	var e *syntax.Error
	if errors.As(err, &e) {
		switch e.Code {
		case syntax.ErrMissingParen, syntax.ErrMissingBracket, syntax.ErrUnexpectedParen, syntax.ErrTrailingBackslash,
			syntax.ErrMissingRepeatArgument, syntax.ErrInvalidNamedCapture:
			return nil, fmt.Errorf("invalid regular expression: %s", e.Code)
		}
		return &regex{unsupported: "an expression with " + e.Code.String()}, nil
	}
	return &regex{unsupported: "an expression that is refused by the engine"}, nil
}

// regexSize estimates the instructions of the compiled form of a tree. It stops growing beyond maxRegexSize.
func regexSize(re *syntax.Regexp) int {
	size := 1
	for _, sub := range re.Sub {
		size += regexSize(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		size += len(re.Rune)
	case syntax.OpCharClass:
		size += len(re.Rune) / 16
	case syntax.OpRepeat:
		size *= max(re.Max, re.Min+1)
	}
	return min(size, maxRegexSize+1)
}

// match reports whether the expression is found anywhere in s. It must not be called on an unsupported one.
func (r *regex) match(s string) bool {
	r.once.Do(func() { r.compiled = regexp.MustCompile(r.program) })
	return r.compiled.MatchString(s)
}
