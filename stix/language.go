package stix

import (
	"bytes"
	"slices"
)

// isLanguageTag reports whether a tag is well-formed by RFC 5646 §2.1. It does not ask the registry whether its subtags
// exist.
func isLanguageTag(tag []byte) bool {
	if len(tag) == 0 || len(tag) > maxNameLength {
		return false
	}
	lower := bytes.ToLower(tag)
	if slices.Contains(irregularTags[:], string(lower)) {
		return true
	}
	subtags := bytes.Split(lower, []byte("-"))
	for _, s := range subtags {
		if len(s) == 0 || len(s) > 8 || !all(s, isAlnum) {
			return false
		}
	}
	if string(subtags[0]) == "x" {
		return len(subtags) > 1
	}
	return isLangtag(subtags)
}

// isLangtag checks language, then up to three extlangs, script, region, variants, extensions and private use, in order.
func isLangtag(s [][]byte) bool {
	if len(s[0]) < 2 || !all(s[0], isAlpha) {
		return false
	}
	primary := len(s[0])
	s = s[1:]
	for range 3 {
		if primary <= 3 && len(s) > 0 && len(s[0]) == 3 && all(s[0], isAlpha) {
			s = s[1:]
		}
	}
	if len(s) > 0 && len(s[0]) == 4 && all(s[0], isAlpha) {
		s = s[1:]
	}
	if len(s) > 0 && (len(s[0]) == 2 && all(s[0], isAlpha) || len(s[0]) == 3 && all(s[0], isDigit)) {
		s = s[1:]
	}
	for len(s) > 0 && (len(s[0]) >= 5 || len(s[0]) == 4 && isDigit(s[0][0])) {
		s = s[1:]
	}
	for len(s) > 0 && len(s[0]) == 1 {
		if s[0][0] == 'x' {
			return len(s) > 1
		}
		if s = s[1:]; len(s) == 0 || len(s[0]) < 2 {
			return false
		}
		for len(s) > 0 && len(s[0]) >= 2 {
			s = s[1:]
		}
	}
	return len(s) == 0
}

// irregularTags are those that RFC 5646 grandfathers outside its grammar.
var irregularTags = [...]string{"en-gb-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux",
	"i-mingo", "i-navajo", "i-pwn", "i-tao", "i-tay", "i-tsu", "sgn-be-fr", "sgn-be-nl", "sgn-ch-de"}
