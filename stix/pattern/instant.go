package pattern

import (
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// instant is a point in time of unlimited precision, so that timestamps which differ beyond the nanosecond are ordered
// by §2.16 and the years 0000 to 9999 do not overflow.
type instant struct {
	second   int64  // since 1970
	fraction string // decimal digits after the point, without zeros at the end
	// side is -1 just before the instant, +1 just after it: the ends of open intervals.
	side int8
}

func instantOf(t stix.Timestamp) instant {
	_, fraction, _ := strings.Cut(t.SortKey(), ".")
	return instant{second: t.Time().Unix(), fraction: fraction}
}

// compare returns -1, 0 or +1. Without zeros at the end, fractions order as texts.
func (t instant) compare(u instant) int {
	switch {
	case t.second < u.second:
		return -1
	case t.second > u.second:
		return 1
	}
	if c := strings.Compare(t.fraction, u.fraction); c != 0 {
		return c
	}
	return int(t.side) - int(u.side)
}

// duration is a length of time: a positive decimal number of seconds.
type duration struct {
	second   int64
	fraction string
}

// maxDuration is longer than the time between any two timestamps.
const maxDuration = 1 << 40

// durationOf reads the seconds of a WITHIN.
func durationOf(c Constant) duration {
	_, fraction, _ := strings.Cut(c.Text, ".")
	if c.Number >= maxDuration {
		return duration{second: maxDuration}
	}
	return duration{second: int64(c.Number), fraction: strings.TrimRight(fraction, "0")}
}

func (d duration) less(e duration) bool {
	return instant{second: d.second, fraction: d.fraction}.compare(instant{second: e.second, fraction: e.fraction}) < 0
}

// plus returns the instant d later.
func (t instant) plus(d duration) instant {
	sum := instant{second: t.second + d.second, fraction: t.fraction, side: t.side}
	if d.fraction == "" {
		return sum
	}
	a, b := t.fraction, d.fraction
	digits, carry := make([]byte, max(len(a), len(b))), byte(0)
	for i := len(digits) - 1; i >= 0; i-- {
		digit := carry
		if i < len(a) {
			digit += a[i] - '0'
		}
		if i < len(b) {
			digit += b[i] - '0'
		}
		carry = digit / 10
		digits[i] = '0' + digit%10
	}
	sum.second += int64(carry)
	sum.fraction = strings.TrimRight(string(digits), "0")
	return sum
}

// minus returns the instant d earlier.
func (t instant) minus(d duration) instant {
	if d.fraction == "" {
		return instant{second: t.second - d.second, fraction: t.fraction, side: t.side}
	}
	// t - d = t + (1 - fraction of d) - (1 + seconds of d).
	rest := []byte(d.fraction)
	for i := range rest {
		rest[i] = '9' - (rest[i] - '0')
	}
	rest[len(rest)-1]++ // the last digit of a fraction is not zero, so this is at most 9
	sum := t.plus(duration{fraction: strings.TrimRight(string(rest), "0")})
	sum.second -= d.second + 1
	return sum
}

func latest(t, u instant) instant {
	if t.compare(u) < 0 {
		return u
	}
	return t
}

func earliest(t, u instant) instant {
	if t.compare(u) > 0 {
		return u
	}
	return t
}
