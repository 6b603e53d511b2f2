package stix

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Identifier is a STIX identifier, type + "--" + UUID (STIX 2.1 §2.9), as its text. Compared byte for byte.
type Identifier string

// uuidLength is the length of a UUID in its only accepted form, 8-4-4-4-12 hexadecimal digits.
const uuidLength = 36

// The lengths that STIX 2.1 §3.1 allows for the names of types and properties.
const (
	minNameLength = 3
	maxNameLength = 250
)

var (
	errIDShape   = errors.New("is not of the form type--UUID")
	errIDType    = errors.New("has a type that is not 3 to 250 lowercase letters, digits and single hyphens")
	errIDDigits  = errors.New("has a UUID that is not 8-4-4-4-12 hexadecimal digits")
	errIDVariant = errors.New("has a UUID that is not of the RFC 4122 variant and of a version from 1 to 8")
	errIDNil     = errors.New("has the nil UUID")
)

// ParseIdentifier checks an identifier by STIX 2.1 §2.9 and §3.1. The UUID must be written as 36 characters (no braces, no
// "urn:uuid:"), be of the RFC 4122 variant and not nil; versions 1 to 8 are accepted, those of RFC 9562 included.
// Hexadecimal digits in upper case are accepted and kept: identifiers that differ in case are different.
func ParseIdentifier(s string) (Identifier, error) {
	if err := checkIdentifier(s); err != nil {
		return "", fmt.Errorf("identifier %s %w", quoteShort(s), err)
	}
	return Identifier(s), nil
}

// checkIdentifier is generic so that text still in a JSON buffer is checked without a copy.
func checkIdentifier[T ~string | ~[]byte](s T) error {
	n := len(s) - uuidLength - 2
	if n < 1 || s[n] != '-' || s[n+1] != '-' {
		return errIDShape
	}
	if !isTypeName(s[:n]) {
		return errIDType
	}
	return checkUUID(s[n+2:])
}

func checkUUID[T ~string | ~[]byte](s T) error {
	if len(s) != uuidLength || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return errIDDigits
	}
	var bits byte
	for _, group := range [...][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, uuidLength}} {
		for i := group[0]; i < group[1]; i++ {
			bits |= hexValues[s[i]]
		}
	}
	switch {
	case bits&notHex != 0:
		return errIDDigits
	case bits == 0:
		return errIDNil
	}
	switch version, variant := s[14], s[19]; variant {
	case '8', '9', 'a', 'b', 'A', 'B':
		if version >= '1' && version <= '8' {
			return nil
		}
	}
	return errIDVariant
}

// isTypeName reports whether s can be the name of an object type (§3.1, §11.2.1): lowercase letters, digits and hyphens,
// 3 to 250 of them, beginning with a letter, no two hyphens in a row and none at the end.
func isTypeName[T ~string | ~[]byte](s T) bool {
	if len(s) < minNameLength || len(s) > maxNameLength || s[0] < 'a' || s[0] > 'z' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '-' && s[i-1] != '-':
		default:
			return false
		}
	}
	return true
}

// Type is the part before "--", the object type; "" if there is none.
func (id Identifier) Type() string {
	typ, _, ok := strings.Cut(string(id), "--")
	if !ok {
		return ""
	}
	return typ
}

// UUID is the part after "--", 36 characters in a valid identifier; "" if there is none.
func (id Identifier) UUID() string {
	_, u, _ := strings.Cut(string(id), "--")
	return u
}

// NewIdentifier makes a fresh identifier of the given object type with a random UUID (version 4).
func NewIdentifier(typ string) Identifier {
	return Identifier(typ + "--" + uuid.NewString())
}

// hexValues are the values of the hexadecimal digits of either case, notHex for all other bytes.
var hexValues = func() (table [256]byte) {
	for c := range table {
		table[c] = notHex
	}
	for _, digits := range [...]string{"0123456789abcdef", "0123456789ABCDEF"} {
		for value, c := range []byte(digits) {
			table[c] = byte(value)
		}
	}
	return table
}()

const notHex = 0x80

func isHexDigit(c byte) bool { return hexValues[c] != notHex }

// quoteShort quotes received text for a message, never more than 80 bytes of it.
func quoteShort[T ~string | ~[]byte](s T) string {
	const limit = 80
	if len(s) <= limit {
		return fmt.Sprintf("%q", string(s))
	}
	return fmt.Sprintf("%q… (%d bytes)", strings.ToValidUTF8(string(s[:limit]), ""), len(s))
}
