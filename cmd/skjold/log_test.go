package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// logBoth has the same said to slog's JSON handler and to ours, and returns both outputs.
func logBoth(say func(h slog.Handler)) (want, got string) {
	var theirs, ours bytes.Buffer
	say(slog.NewJSONHandler(&theirs, &slog.HandlerOptions{Level: slog.LevelInfo}))
	say(newJSONLog(&ours, &slog.HandlerOptions{Level: slog.LevelInfo}))
	return theirs.String(), ours.String()
}

// record makes a record of attributes.
func record(at time.Time, level slog.Level, message string, attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(at, level, message, 0)
	r.AddAttrs(attrs...)
	return r
}

type secret struct{}

func (secret) LogValue() slog.Value { return slog.StringValue("***") }

// TestJSONLog holds that lines are slog's own, whatever is in them.
func TestJSONLog(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 30, 15, 123456789, time.UTC)
	tests := []struct {
		name    string
		time    time.Time
		message string
		attrs   []slog.Attr
	}{
		{"nothing", at, "", nil},
		{"request", at, "request", []slog.Attr{
			slog.String("path", "/taxii2/"), slog.Int("status", 200), slog.Int64("bytes", math.MinInt64), slog.Uint64("u", math.MaxUint64),
			slog.Float64("duration_ms", 0.153), slog.Bool("b", true), slog.String("user_agent", ""),
		}},
		{"no time", time.Time{}, "m", nil},
		{"another zone", at.In(time.FixedZone("", 3600)), "m", nil},
		{"whole seconds", at.Truncate(time.Second), "m", nil},
		{"year 10000", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "m", nil},
		{"zero", at, "m", []slog.Attr{slog.Float64("f", 0), slog.Float64("g", math.Copysign(0, -1))}},
		{"not a number", at, "m", []slog.Attr{slog.Float64("f", math.NaN()), slog.Float64("g", math.Inf(1))}},
		{"empty key", at, "m", []slog.Attr{slog.String("", "v"), {}}},
		{"key with a quote", at, "m", []slog.Attr{slog.String(`a"b`, "v")}},
		{"duration", at, "m", []slog.Attr{slog.Duration("d", time.Second), slog.Time("t", at)}},
		{"group", at, "m", []slog.Attr{slog.Group("g", "a", 1, "b", "c")}},
		{"error", at, "m", []slog.Attr{slog.Any("error", errors.New("it\nfailed")), slog.Any("nil", nil)}},
		{"value that tells itself", at, "m", []slog.Attr{slog.Any("password", secret{})}},
	}
	for _, tt := range tests {
		want, got := logBoth(func(h slog.Handler) {
			_ = h.Handle(context.Background(), record(tt.time, slog.LevelInfo, tt.message, tt.attrs...))
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	want, got := logBoth(func(h slog.Handler) {
		log := slog.New(h).With("node", "a").WithGroup("g")
		at := func(level slog.Level) {
			if log.Enabled(t.Context(), level) {
				_ = log.Handler().Handle(t.Context(), record(at, level, "m", slog.Int("n", 1)))
			}
		}
		at(slog.LevelDebug)
		at(slog.LevelWarn)
	})
	if diff := cmp.Diff(want, got); diff != "" || want == "" {
		t.Errorf("with attributes and a group: %s", diff)
	}
}

func FuzzJSONLog(f *testing.F) {
	f.Add("request", "path", "/taxii2/", 0.5, int64(200), int64(1))
	f.Add("quote \" and \\", "k\n", "\xff\u2028<&>é\x7f", 1e-7, int64(-1), int64(1700000000123456))
	f.Add("", "", "", 1e21, int64(0), int64(-99999999999999))
	f.Fuzz(func(t *testing.T, message, key, text string, number float64, whole, micro int64) {
		want, got := logBoth(func(h slog.Handler) {
			_ = h.Handle(context.Background(), record(time.UnixMicro(micro).UTC(), slog.Level(whole%20), message,
				slog.String(key, text), slog.Float64("f", number), slog.Int64("i", whole), slog.Bool("b", whole > 0)))
		})
		if want != got {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func BenchmarkJSONLog(b *testing.B) {
	r := record(time.Now(), slog.LevelInfo, "request",
		slog.String("request_id", "6df44b2a3b5dbc4a6ebb58d7e4fbc1ba"), slog.String("method", "GET"), slog.String("path", "/taxii2/main/collections/indicators/objects/"),
		slog.Int("status", 200), slog.Int64("bytes", 4711), slog.Float64("duration_ms", 0.153), slog.String("user_agent", "bench"))
	for name, h := range map[string]slog.Handler{"slog": slog.NewJSONHandler(discardLog{}, nil), "ours": newJSONLog(discardLog{}, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = h.Handle(b.Context(), r)
			}
		})
	}
}

// discardLog is not io.Discard, which slog knows.
type discardLog struct{}

func (discardLog) Write(p []byte) (int, error) { return len(p), nil }
