package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes.
type ByteSize int64

// The units that ParseByteSize reads, all powers of 1024.
const (
	KiB ByteSize = 1 << 10
	MiB ByteSize = 1 << 20
	GiB ByteSize = 1 << 30
)

var sizeUnits = []struct {
	suffix string
	size   ByteSize
}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}, {"", 1}}

// ParseByteSize reads a whole number with a unit (B, KiB, MiB, GiB), or without for bytes. It refuses a sign, a
// fraction, and whatever does not fit into 63 bits.
func ParseByteSize(s string) (ByteSize, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimRight(digits, " "), 10, 63)
		if err != nil || ByteSize(n) > (1<<63-1)/u.size {
			break
		}
		return ByteSize(n) * u.size, nil
	}
	return 0, fmt.Errorf("%q is not a size such as 512KiB, 32MiB or 1GiB", s)
}

// String writes the size in the largest unit that divides it, as ParseByteSize reads it.
func (b ByteSize) String() string {
	for _, u := range sizeUnits {
		if b >= u.size && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// SecretURL is a URL that may carry a password. It prints, logs and marshals with the password masked; string(u) is
// the URL itself, for the driver alone.
type SecretURL string

const mask = "xxxxx"

// String is the URL with its secrets masked: the password, and every query parameter whose name speaks of one. A text
// that cannot be read as a URL is not shown at all.
func (u SecretURL) String() string {
	if u == "" {
		return ""
	}
	parsed, err := url.Parse(string(u))
	if err != nil || parsed.Opaque != "" || parsed.Host == "" && parsed.User == nil && parsed.RawQuery == "" {
		return "(not shown)"
	}
	// A parameter that url.ParseQuery cannot read would be dropped from the copy, never shown.
	query := parsed.Query()
	for name := range query {
		lower := strings.ToLower(name)
		for _, word := range []string{"pass", "secret", "token", "key"} {
			if strings.Contains(lower, word) {
				query.Set(name, mask)
			}
		}
	}
	parsed.RawQuery = query.Encode()
	parsed.Fragment, parsed.RawFragment = "", ""
	return parsed.Redacted()
}

// GoString masks like String, for %#v.
func (u SecretURL) GoString() string { return strconv.Quote(u.String()) }

// MarshalText masks like String, for JSON and YAML.
func (u SecretURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// LogValue masks like String, for slog.
func (u SecretURL) LogValue() slog.Value { return slog.StringValue(u.String()) }
