package stix

import (
	"math"
	"unicode/utf8"
)

// Parameters of Punycode (RFC 3492 §5).
const (
	punyBase        = 36
	punyTMin        = 1
	punyTMax        = 26
	punySkew        = 38
	punyDamp        = 700
	punyInitialBias = 72
	punyInitialN    = 128
)

// labelLength is the length of a label of a domain name in its ASCII form (RFC 5890 §2.3.2.1): "xn--" and the Punycode of
// one that is not ASCII. The label is taken as it is written; mapping it (RFC 5895) seldom makes it longer.
func labelLength(label []byte) int {
	runes := make([]rune, 0, len(label))
	basic := 0
	for _, r := range string(label) {
		runes = append(runes, r)
		if r < utf8.RuneSelf {
			basic++
		}
	}
	if basic == len(runes) {
		return basic
	}
	return len("xn--") + punycodeLength(runes, basic)
}

// punycodeLength counts the digits that RFC 3492 §6.3 writes; basic is the number of ASCII characters among the runes.
func punycodeLength(runes []rune, basic int) int {
	length := basic
	if basic > 0 {
		length++ // the delimiter
	}
	n, delta, bias := rune(punyInitialN), 0, punyInitialBias
	for handled := basic; handled < len(runes); {
		next := rune(math.MaxInt32)
		for _, r := range runes {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (handled + 1)
		n = next
		for _, r := range runes {
			switch {
			case r < n:
				delta++
			case r == n:
				length += punyDigits(delta, bias)
				bias = punyAdapt(delta, handled+1, handled == basic)
				delta = 0
				handled++
			}
		}
		delta++
		n++
	}
	return length
}

// punyDigits counts the digits of a generalised variable-length integer.
func punyDigits(q, bias int) int {
	digits := 1
	for k := punyBase; ; k += punyBase {
		t := min(max(k-bias, punyTMin), punyTMax)
		if q < t {
			return digits
		}
		q = (q - t) / (punyBase - t)
		digits++
	}
}

// punyAdapt is the bias adaptation of RFC 3492 §6.1.
func punyAdapt(delta, points int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > (punyBase-punyTMin)*punyTMax/2; k += punyBase {
		delta /= punyBase - punyTMin
	}
	return k + (punyBase-punyTMin+1)*delta/(delta+punySkew)
}
