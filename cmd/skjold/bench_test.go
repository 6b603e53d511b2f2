package main

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedianAndPercentile(t *testing.T) {
	for _, c := range []struct {
		values           []float64
		median, p50, p99 float64
	}{
		{[]float64{7}, 7, 7, 7},
		{[]float64{3, 1, 2}, 2, 2, 3},
		{[]float64{4, 1, 3, 2}, 2.5, 3, 4},
		{[]float64{10, 10, 10, 10, 1000}, 10, 10, 1000},
	} {
		if got := median(c.values); got != c.median {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.median)
		}
		if got := percentile(c.values, 0.5); got != c.p50 {
			t.Errorf("percentile(%v, 0.5) = %v, want %v", c.values, got, c.p50)
		}
		if got := percentile(c.values, 0.99); got != c.p99 {
			t.Errorf("percentile(%v, 0.99) = %v, want %v", c.values, got, c.p99)
		}
	}
}

// The ratio is the median of the rounds' ratios, not the ratio of medians: rounds are compared side by side.
func TestFigureComparedByRound(t *testing.T) {
	b := &bench{}
	b.compared("f", "requests/s", "other", []float64{50, 100, 10}, []float64{100, 100, 100}, bound{least: 0.6})
	b.compared("g", "ms", "other", []float64{5, 5, 5}, []float64{5, 4, 5}, bound{most: 1.3})
	b.absolute("h", "MB", 500, bound{most: 400})
	yes, no := true, false
	want := []figure{
		{Name: "f", Value: 50, Unit: "requests/s", Against: "other", Other: 100, Ratio: 0.5, Target: "≥ 0.6", Met: &no, Rounds: []float64{50, 100, 10}},
		{Name: "g", Value: 5, Unit: "ms", Against: "other", Other: 5, Ratio: 1, Target: "≤ 1.3", Met: &yes, Rounds: []float64{5, 5, 5}},
		{Name: "h", Value: 500, Unit: "MB", Target: "≤ 400", Met: &no},
	}
	if diff := cmp.Diff(want, b.figures); diff != "" {
		t.Error(diff)
	}
}

func TestSkipAnswer(t *testing.T) {
	for _, c := range []struct{ answer, rest, problem string }{
		{"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcnext", "next", ""},
		{"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\nnext", "next", ""},
		{"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", "", `the answer is "HTTP/1.1 429 Too Many Requests"`},
		{"HTTP/1.1 200 OK\r\n\r\nabc", "", "no Content-Length"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "", "EOF"},
		{"200\r\n", "", "the answer is"},
	} {
		r := bufio.NewReader(strings.NewReader(c.answer))
		err := skipAnswer(r)
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("skipAnswer(%q) = %v, want %q in it", c.answer, err, c.problem)
			}
			continue
		}
		rest, _ := r.Peek(len(c.rest))
		if err != nil || string(rest) != c.rest {
			t.Errorf("skipAnswer(%q) = %v and leaves %q", c.answer, err, rest)
		}
	}
}

// TestOwnLoad counts what a handler is asked, and fails where it refuses.
func TestOwnLoad(t *testing.T) {
	p, err := startPlain([]yardstickBody{{path: "a.json", body: []byte("{}")}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	rate, err := ownLoad{}.rate(t.Context(), question{p.url + "a.json", http.Header{}}, 2, 20*time.Millisecond)
	if err != nil || rate <= 0 {
		t.Errorf("%v requests/s, %v", rate, err)
	}
	if _, err := (ownLoad{}).rate(t.Context(), question{p.url + "b.json", http.Header{}}, 2, 20*time.Millisecond); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a 404 gives %v", err)
	}
}

func TestInParallel(t *testing.T) {
	seen := make([]bool, 100)
	if err := inParallel(t.Context(), 7, len(seen), func(_ context.Context, i int) error { seen[i] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, ok := range seen {
		if !ok {
			t.Errorf("%d was left out", i)
		}
	}
	failed := errors.New("failed")
	if err := inParallel(t.Context(), 3, 1000, func(_ context.Context, i int) error {
		if i == 5 {
			return failed
		}
		return nil
	}); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutSettings(t *testing.T) {
	got := withoutSettings([]string{"PATH=/bin", "SKJOLD_LISTEN=:80", "SKJOLD_TEST_AS_PROGRAM=1", "SKJOLD_DATABASE_URL=postgres://x"})
	if diff := cmp.Diff([]string{"PATH=/bin", "SKJOLD_TEST_AS_PROGRAM=1"}, got); diff != "" {
		t.Error(diff)
	}
}
