package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
)

// maxPatternLine bounds a line of a pattern file; pattern.DefaultLimits bounds the pattern itself.
const maxPatternLine = 1 << 20

// checkPatterns checks a file of patterns, one a line; empty lines are skipped. The results are as for objects, with
// the line and column as the path.
func (a *app) checkPatterns(name string) error {
	src, err := openSource(name, a.in)
	if err != nil {
		return err
	}
	defer src.Close()
	if _, err := src.file.Seek(0, 0); err != nil {
		return err
	}
	c := checker{app: a, what: "pattern"}
	lines := bufio.NewScanner(src.file)
	lines.Buffer(make([]byte, 0, 64<<10), maxPatternLine)
	index := 0
	for number := 1; lines.Scan(); number++ {
		text := strings.TrimSuffix(lines.Text(), "\r")
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := c.object(src.name, checkJSON{Index: index, ID: text, Type: "pattern"}, patternReport(number, text)); err != nil {
			return err
		}
		index++
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s: a line is longer than %d bytes", src.name, maxPatternLine)
	} else if err != nil {
		return fmt.Errorf("%s: %w", src.name, err)
	}
	return c.finish()
}

// patternReport is what is wrong with a pattern, at a line and column of its file.
func patternReport(line int, text string) stix.Report {
	_, err := pattern.Parse(text)
	var syntax *pattern.SyntaxError
	switch {
	case err == nil:
		return stix.Report{}
	case errors.As(err, &syntax):
		return stix.Report{Errors: []stix.Violation{{
			Path: fmt.Sprintf("line %d, column %d", line, syntax.Column), Rule: "pattern", Section: "9", Message: asSentence(syntax.Message),
		}}}
	}
	return stix.Report{Errors: []stix.Violation{{Path: fmt.Sprintf("line %d", line), Rule: "pattern", Section: "9", Message: asSentence(err.Error())}}}
}

// asSentence writes the text of an error as the sentence of a violation.
func asSentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}
