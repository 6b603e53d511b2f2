package stix

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Timestamp is a STIX timestamp (§2.16): the text as received, and a key that orders instants at any precision.
type Timestamp struct {
	text string
	key  string
}

// secondsLength is the length of "2006-01-02T15:04:05".
const secondsLength = 19

var (
	errTimeShape    = errors.New("is not of the form YYYY-MM-DDTHH:MM:SS[.s…]Z (UTC, upper-case T and Z)")
	errTimeCalendar = errors.New("names a day or a time of day that does not exist")
)

// ParseTimestamp reads a timestamp by STIX 2.1 §2.16.1: RFC 3339 in UTC with upper-case T and Z, a fraction of any length.
// Year 0000 is accepted; second 60 only as 23:59:60 on 30 June and 31 December, where leap seconds are inserted.
func ParseTimestamp(s string) (Timestamp, error) {
	n, err := checkTimestamp(s)
	if err != nil {
		return Timestamp{}, fmt.Errorf("timestamp %s %w", quoteShort(s), err)
	}
	return Timestamp{text: s, key: s[:n]}, nil
}

// checkTimestamp checks s and returns the length of the prefix that is its sort key: everything up to Z, without the
// zeros at the end of the fraction, and without the point if nothing follows it.
func checkTimestamp[T ~string | ~[]byte](s T) (int, error) {
	if len(s) < secondsLength+1 || s[len(s)-1] != 'Z' {
		return 0, errTimeShape
	}
	const layout = "0000-00-00T00:00:00"
	for i := range secondsLength {
		if layout[i] == '0' {
			if s[i] < '0' || s[i] > '9' {
				return 0, errTimeShape
			}
		} else if s[i] != layout[i] {
			return 0, errTimeShape
		}
	}
	n, err := checkFraction(s)
	if err != nil {
		return 0, err
	}
	if !validCivil(s) {
		return 0, errTimeCalendar
	}
	return n, nil
}

// checkFraction checks what stands between the seconds and Z and returns the length of the sort key.
func checkFraction[T ~string | ~[]byte](s T) (int, error) {
	end := len(s) - 1
	if end == secondsLength {
		return end, nil
	}
	if s[secondsLength] != '.' || end == secondsLength+1 {
		return 0, errTimeShape
	}
	n := secondsLength
	for i := secondsLength + 1; i < end; i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, errTimeShape
		}
		if s[i] != '0' {
			n = i + 1
		}
	}
	return n, nil
}

func validCivil[T ~string | ~[]byte](s T) bool {
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 {
		return false
	}
	if second == 60 {
		return hour == 23 && minute == 59 && (month == 6 && day == 30 || month == 12 && day == 31)
	}
	return second < 60
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// TimestampOf is t in UTC with six fraction digits; what is finer than a microsecond is cut off. A year outside 0000 to
// 9999 cannot be written and gives the zero Timestamp.
func TimestampOf(t time.Time) Timestamp {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return Timestamp{}
	}
	text := t.Format("2006-01-02T15:04:05.000000Z")
	n, err := checkFraction(text)
	if err != nil {
		return Timestamp{}
	}
	return Timestamp{text: text, key: text[:n]}
}

// String returns the text as received, "" for the zero Timestamp.
func (t Timestamp) String() string { return t.text }

// SortKey returns a text whose byte order is the order of the instants: "2006-01-02T15:04:05", then "." and the fraction
// without its trailing zeros unless that is empty. Equal instants have equal keys. It is "" for the zero Timestamp.
func (t Timestamp) SortKey() string { return t.key }

// IsZero reports whether t is the zero Timestamp, an absent or unreadable one.
func (t Timestamp) IsZero() bool { return t.text == "" }

// Compare orders instants at any precision: -1 if t is before u, 0 if they are the same instant, +1 if t is after u. The
// zero Timestamp is before all others.
func (t Timestamp) Compare(u Timestamp) int { return strings.Compare(t.key, u.key) }

// Equal reports whether t and u are the same instant, whatever the number of zeros they are written with.
func (t Timestamp) Equal(u Timestamp) bool { return t.key == u.key }

// FractionDigits is the number of digits written after the decimal point, trailing zeros included.
func (t Timestamp) FractionDigits() int {
	return max(0, len(t.text)-secondsLength-len(".Z"))
}

// Time returns the instant in UTC, cut to nanoseconds; the zero time for the zero Timestamp. A leap second becomes the
// first second of the next day.
func (t Timestamp) Time() time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	two := func(i int) int { return int(t.text[i]-'0')*10 + int(t.text[i+1]-'0') }
	ns := 0
	for i := range 9 {
		ns *= 10
		if at := secondsLength + 1 + i; at < len(t.key) {
			ns += int(t.key[at] - '0')
		}
	}
	return time.Date(two(0)*100+two(2), time.Month(two(5)), two(8), two(11), two(14), two(17), ns, time.UTC)
}

// MarshalText writes the text as received.
func (t Timestamp) MarshalText() ([]byte, error) { return []byte(t.text), nil }

// UnmarshalText is ParseTimestamp; empty text gives the zero Timestamp.
func (t *Timestamp) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = Timestamp{}
		return nil
	}
	parsed, err := ParseTimestamp(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
