package config

import (
	"log/slog"
	"slices"
	"strings"
)

// Setting is one line of the effective configuration, safe to print.
type Setting struct {
	// Key is the full name, limits.page_max.
	Key string
	// Value is the value as the file would have it, with secrets masked.
	Value string
	// Source is where it comes from: flag, environment, file, default, or derived (from other settings).
	Source string
}

// String is key=value (source).
func (s Setting) String() string { return s.Key + "=" + s.Value + " (" + s.Source + ")" }

// Redacted returns every setting in force, sorted by key, with secrets masked: for printing at the start.
func (c *Config) Redacted() []Setting {
	settings := make([]Setting, len(keys))
	for i, k := range keys {
		source := c.origin[k.name]
		if source == "" {
			source = "default"
		}
		settings[i] = Setting{Key: k.name, Value: k.text(c), Source: source}
	}
	slices.SortFunc(settings, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
	return settings
}

// LogValue lets slog print the settings that differ from the defaults, with secrets masked.
func (c *Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, s := range c.Redacted() {
		if s.Source != "default" {
			attrs = append(attrs, slog.String(s.Key, s.Value))
		}
	}
	return slog.GroupValue(attrs...)
}
