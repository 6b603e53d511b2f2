package taxii

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var errNotATimestamp = errors.New("not an RFC 3339 timestamp")

// dateAddedLayout is the form of DateAdded.String.
const dateAddedLayout = "2006-01-02T15:04:05.000000Z"

// digits writes n, which is not negative, with as many digits as b has.
func digits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// ParseDateAdded reads a timestamp as clients write it: RFC 3339 with none to nine fraction digits, Z or an offset, and a
// space where a "+" was decoded. What is finer than a microsecond is cut off; a leap second becomes the second before it,
// so that nothing after it is missed.
func ParseDateAdded(s string) (DateAdded, error) {
	t, err := parseRFC3339(s)
	if err != nil {
		return 0, fmt.Errorf("%s is not a timestamp such as 2026-01-31T12:00:00.000000Z (RFC 3339, up to nine fraction digits, Z or an offset)", quote(s))
	}
	d := DateAdded(t.UnixMicro())
	if !d.writable() {
		return 0, fmt.Errorf("%s is outside the years 0000 to 9999 in UTC", quote(s))
	}
	return d, nil
}

// writable reports that d is in the years 0000 to 9999, the only ones that a TAXII timestamp can say.
func (d DateAdded) writable() bool {
	const first, last DateAdded = -62167219200_000000, 253402300799_999999
	return first <= d && d <= last
}

// parseRFC3339 checks the shape itself, because time.Parse also reads what RFC 3339 does not allow (a comma, one-digit
// hours) and refuses what it does (second 60, lower case).
func parseRFC3339(s string) (time.Time, error) {
	const shape = "0000-00-00T00:00:00"
	if len(s) <= len(shape) || len(s) > len(shape)+len(".123456789+00:00") {
		return time.Time{}, errNotATimestamp
	}
	b := []byte(strings.ToUpper(s))
	if !fits(b[:len(shape)], shape) {
		return time.Time{}, errNotATimestamp
	}
	rest := b[len(shape):]
	if rest[0] == '.' {
		digits := 1
		for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
			digits++
		}
		if digits == 1 || digits > 10 {
			return time.Time{}, errNotATimestamp
		}
		rest = rest[digits:]
	}
	switch {
	case len(rest) == 1 && rest[0] == 'Z':
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-' || rest[0] == ' ') && fits(rest[1:], "00:00"):
		if rest[0] == ' ' {
			rest[0] = '+'
		}
		if string(rest[1:3]) > "23" || string(rest[4:6]) > "59" {
			return time.Time{}, errNotATimestamp
		}
	default:
		return time.Time{}, errNotATimestamp
	}
	if string(b[17:19]) == "60" {
		copy(b[17:19], "59")
	}
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return time.Time{}, errNotATimestamp
	}
	return t, nil
}

// fits reports that b has the shape: a digit where the shape has 0, and the same character elsewhere.
func fits(b []byte, shape string) bool {
	if len(b) != len(shape) {
		return false
	}
	for i, c := range b {
		if shape[i] == '0' && (c < '0' || c > '9') || shape[i] != '0' && c != shape[i] {
			return false
		}
	}
	return true
}
