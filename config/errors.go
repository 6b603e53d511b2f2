package config

import (
	"fmt"
	"strconv"
)

// KeyError says what is wrong with one setting, in words for the operator. It never holds a secret.
type KeyError struct {
	// Key is the full name of the key, limits.page_max, or of an environment variable that is none.
	Key string
	// Source is where the value comes from: flag, environment, file, default, or derived.
	Source string
	// Value is the value in question, "" where it is a secret or where there is none.
	Value string
	// Problem is what is wrong with it, or what is accepted.
	Problem string
}

// Error is one line: key = value: problem (source).
func (e *KeyError) Error() string {
	text := e.Key
	if e.Value != "" {
		text += " = " + e.Value
	}
	text += ": " + e.Problem
	if e.Source != "" {
		text += " (" + sourceText(e.Source, e.Key) + ")"
	}
	return text
}

// sourceText names the very flag or variable that the operator wrote.
func sourceText(source, name string) string {
	k, ok := keyNamed(name)
	if !ok {
		return "from the " + source
	}
	switch source {
	case "flag":
		return "flag --" + k.flag
	case "environment":
		return "environment variable " + k.variable
	case derived:
		return "it follows from listen unless you set it"
	}
	return "from the " + source
}

func unknown(name, source, what, suggestion string) *KeyError {
	problem := "not a " + what + " that Skjold knows"
	if suggestion != "" {
		problem += "; did you mean " + suggestion + "?"
	}
	return &KeyError{Key: name, Source: source, Problem: problem}
}

// problem makes the error of a key with its value, which is left out where it may be a secret.
func (c *Config) problem(k key, value any, text string) *KeyError {
	e := &KeyError{Key: k.name, Source: c.origin[k.name], Problem: text}
	if !k.secret() {
		e.Value = valueText(value)
	}
	return e
}

// valueText writes a value as an operator would, short enough for one line.
func valueText(value any) string {
	text := fmt.Sprint(value)
	if s, ok := value.(string); ok {
		text = strconv.Quote(s)
	}
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return text
}
