package config

import "log/slog"

// Secret is a password. It prints, logs and marshals masked; string(s) is the password itself.
type Secret string

// String is a mask, or nothing for no password.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString masks like String, for %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText masks like String, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue masks like String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
