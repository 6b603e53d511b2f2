package stix

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseTimestamp(t *testing.T) {
	for _, c := range []struct {
		text, key string // key "" where the text is refused
	}{
		{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05"},
		{"2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678"},
		{"2026-01-02T03:04:05.100000Z", "2026-01-02T03:04:05.1"},
		{"2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05"},
		{"2026-01-02T03:04:05.0000000001Z", "2026-01-02T03:04:05.0000000001"},
		{"2026-01-02T03:04:05." + strings.Repeat("1", 40) + "Z", "2026-01-02T03:04:05." + strings.Repeat("1", 40)},
		{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00"},
		{"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999"},
		{"2016-02-29T00:00:00Z", "2016-02-29T00:00:00"},
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00"},
		{"2016-12-31T23:59:60Z", "2016-12-31T23:59:60"},
		{"2015-06-30T23:59:60.5Z", "2015-06-30T23:59:60.5"},
		{"2016-12-30T23:59:60Z", ""},
		{"2016-12-31T12:59:60Z", ""},
		{"2016-12-31T23:59:61Z", ""},
		{"2026-01-02T24:00:00Z", ""},
		{"2026-01-02T03:60:00Z", ""},
		{"2015-02-29T00:00:00Z", ""},
		{"1900-02-29T00:00:00Z", ""},
		{"2016-02-30T00:00:00Z", ""},
		{"2016-04-31T00:00:00Z", ""},
		{"2016-00-10T00:00:00Z", ""},
		{"2016-13-10T00:00:00Z", ""},
		{"2016-10-00T00:00:00Z", ""},
		{"", ""},
		{"Z", ""},
		{"2026-01-02", ""},
		{"2026-01-02T03:04:05", ""},
		{"2026-01-02T03:04:05.Z", ""},
		{"2026-01-02T03:04:05,5Z", ""},
		{"2026-01-02T03:04:05.5,Z", ""},
		{"2026-01-02T03:04:05z", ""},
		{"2026-01-02t03:04:05Z", ""},
		{"2026-01-02 03:04:05Z", ""},
		{"2026-01-02T03:04:05+00:00", ""},
		{"2026-01-02T03:04:05-00:00", ""},
		{"2026-01-02T03:04:05Z\n", ""},
		{" 2026-01-02T03:04:05Z", ""},
		{"+12345-01-02T03:04:05Z", ""},
		{"-001-01-02T03:04:05Z", ""},
		{"２026-01-02T03:04:0Z", ""},
		{"2026-1-02T03:04:005Z", ""},
	} {
		got, err := ParseTimestamp(c.text)
		switch {
		case c.key == "" && (err == nil || !got.IsZero()):
			t.Errorf("%q is accepted as %v", c.text, got)
		case c.key != "" && (err != nil || got.String() != c.text || got.SortKey() != c.key):
			t.Errorf("%q gives text %q, key %q, %v; want key %q", c.text, got, got.SortKey(), err, c.key)
		}
	}
}

func mustTimestamp(t testing.TB, text string) Timestamp {
	t.Helper()
	ts, err := ParseTimestamp(text)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func TestTimestampCompare(t *testing.T) {
	ascending := []string{
		"0000-01-01T00:00:00Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.0000002Z", "2026-01-02T03:04:05.0000003Z",
		"2026-01-02T03:04:05.00000030000000000000000000000001Z", "2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.11Z",
		"2026-01-02T03:04:05.2Z", "2026-01-02T03:04:06Z", "2026-06-30T23:59:59.999Z", "2026-06-30T23:59:60Z",
		"2026-07-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			x, y := mustTimestamp(t, a), mustTimestamp(t, b)
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := x.Compare(y); got != want || x.Equal(y) != (want == 0) {
				t.Errorf("Compare(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
		if (Timestamp{}).Compare(mustTimestamp(t, a)) != -1 {
			t.Errorf("the zero Timestamp is not before %s", a)
		}
	}
	same := []string{"2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.10Z", "2026-01-02T03:04:05.100Z"}
	for _, text := range same[1:] {
		if a, b := mustTimestamp(t, same[0]), mustTimestamp(t, text); !a.Equal(b) || a.SortKey() != b.SortKey() {
			t.Errorf("%s and %s are not the same instant", a, b)
		}
	}
}

func TestTimestampTime(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Time
	}{
		{"2026-01-02T03:04:05Z", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{"2026-01-02T03:04:05.25Z", time.Date(2026, 1, 2, 3, 4, 5, 250_000_000, time.UTC)},
		{"2026-01-02T03:04:05.1234567899Z", time.Date(2026, 1, 2, 3, 4, 5, 123_456_789, time.UTC)},
		{"2016-12-31T23:59:60Z", time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"0000-01-01T00:00:00Z", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if got := mustTimestamp(t, c.text).Time(); !got.Equal(c.want) {
			t.Errorf("%s is %v, want %v", c.text, got, c.want)
		}
	}
	if !(Timestamp{}).Time().IsZero() {
		t.Error("the zero Timestamp is not the zero time")
	}
}

func TestTimestampOf(t *testing.T) {
	at := time.Date(2026, 1, 2, 4, 4, 5, 678_901_999, time.FixedZone("CET", 3600))
	got := TimestampOf(at)
	if got.String() != "2026-01-02T03:04:05.678901Z" || got.FractionDigits() != 6 {
		t.Errorf("TimestampOf gives %s with %d digits", got, got.FractionDigits())
	}
	if parsed := mustTimestamp(t, got.String()); parsed != got {
		t.Errorf("%#v is parsed as %#v", got, parsed)
	}
	if late := TimestampOf(time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)); !late.IsZero() {
		t.Errorf("year 12345 becomes %s", late)
	}
}

func TestTimestampText(t *testing.T) {
	var ts Timestamp
	if err := ts.UnmarshalText([]byte("2026-01-02T03:04:05.10Z")); err != nil {
		t.Fatal(err)
	}
	if text, err := ts.MarshalText(); err != nil || string(text) != "2026-01-02T03:04:05.10Z" {
		t.Errorf("marshalled as %q, %v", text, err)
	}
	if err := ts.UnmarshalText([]byte("yesterday")); err == nil {
		t.Error("yesterday is a timestamp")
	}
	if err := ts.UnmarshalText(nil); err != nil || !ts.IsZero() {
		t.Errorf("empty text gives %v, %v", ts, err)
	}
}

func FuzzParseTimestamp(f *testing.F) {
	f.Add("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z")
	f.Add("2016-12-31T23:59:60Z", "2015-02-29T00:00:00Z")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := ParseTimestamp(a)
		y, errY := ParseTimestamp(b)
		if errX == nil {
			// The standard library's parser is more tolerant but for leap seconds: whatever is accepted here it accepts too.
			if _, err := time.Parse(time.RFC3339Nano, a); err != nil && !strings.Contains(a, ":60") {
				t.Errorf("%q is accepted, but %v", a, err)
			}
		}
		if errX != nil || errY != nil {
			return
		}
		keys := []string{x.SortKey(), y.SortKey()}
		if sorted := slices.IsSorted(keys); sorted != (x.Compare(y) <= 0) {
			t.Errorf("%s and %s sort unlike their keys", a, b)
		}
		leap := strings.Contains(a+b, ":60")
		if c := x.Time().Compare(y.Time()); !leap && c != 0 && c != x.Compare(y) {
			t.Errorf("Compare(%s, %s) = %d, their times %d", a, b, x.Compare(y), c)
		}
	})
}
