package stix_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
)

// withPatterns are options as a program wires them: with the patterning language.
func withPatterns() stix.Options {
	return stix.Options{CheckPattern: pattern.Check, PatternTimes: pattern.Times}
}

// Every case of the shared test data that the specification decides, with the patterning language wired in.
func TestCheckCorpusObjects(t *testing.T) {
	data, err := os.Open(stix.CorpusPath(t, "objects.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	scored, agreed := 0, 0
	lines := bufio.NewScanner(data)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c struct {
			Case      string
			Object    json.RawMessage
			Expect    string
			Rule      string
			Ambiguous string
			MayWarn   []string `json:"may_warn"`
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Ambiguous != "" {
			continue
		}
		scored++
		_, report := stix.Check(c.Object, withPatterns())
		errors, warnings := len(report.Errors), len(report.Warnings)
		if c.Expect == "valid" && errors == 0 && warnings <= len(c.MayWarn) ||
			c.Expect == "warn" && errors == 0 && warnings > 0 || c.Expect == "invalid" && errors > 0 {
			agreed++
			continue
		}
		t.Errorf("%s: want %s (%s, may warn %v), got errors %v, warnings %v", c.Case, c.Expect, c.Rule, c.MayWarn, report.Errors, report.Warnings)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d", agreed, scored)
	if scored < 400 {
		t.Errorf("only %d cases were scored", scored)
	}
}

func TestCheckPattern(t *testing.T) {
	const window = "[a:b = 1] START t'%s' STOP t'%s'"
	window2 := func(start, stop string) string { return fmt.Sprintf(window, start, stop) }
	for _, c := range []struct {
		name, pattern, members string
		errors, warnings       []string
	}{
		{"a pattern", "[a:b = 1]", "", nil, nil},
		{"no pattern", "[a:b = ]", "", []string{"pattern pattern 9"}, nil},
		{"an invalid pattern of another version", "[a:b = ]", `,"pattern_version":"2.0"`, nil, nil},
		{"inside the validity", window2("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), "", nil, nil},
		{"START too early", window2("2025-12-31T23:59:59.999999999999Z", "2026-02-01T00:00:00Z"), "", nil, []string{"pattern pattern-time 9.5.1"}},
		{"STOP too late", window2("2026-01-01T00:00:00Z", "2026-02-01T00:00:00.000000000001Z"), "", nil, []string{"pattern pattern-time 9.5.1"}},
		{"both, and in parentheses", "([a:b = 2] AND " + window2("2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z") + ") WITHIN 5 SECONDS", "", nil,
			[]string{"pattern pattern-time 9.5.1", "pattern pattern-time 9.5.1"}},
		{"each once", window2("2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z") + " AND " + window2("2025-02-01T00:00:00Z", "2025-06-01T00:00:00Z"),
			"", nil, []string{"pattern pattern-time 9.5.1"}},
		{"the word in a constant", "[a:b = 'START']", "", nil, nil},
		{"times in an invalid pattern", window2("2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z") + " [", "", []string{"pattern pattern 9"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := json.Marshal(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			raw := fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f",`+
				`"created":"2026-01-02T03:04:05.678Z","modified":"2026-01-02T03:04:05.678Z","name":"n","description":"d",`+
				`"pattern":%s,"pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","valid_until":"2026-02-01T00:00:00Z"%s}`, text, c.members)
			_, report := stix.Check([]byte(raw), withPatterns())
			if diff := cmp.Diff(c.errors, rules(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s%v", diff, report.Errors)
			}
			if diff := cmp.Diff(c.warnings, rules(report.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s%v", diff, report.Warnings)
			}
		})
	}
}

func TestCheckPatternMessage(t *testing.T) {
	_, report := stix.Check([]byte(`{"type":"indicator","spec_version":"2.1","id":"indicator--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f",`+
		`"created":"2026-01-02T03:04:05.678Z","modified":"2026-01-02T03:04:05.678Z","pattern":"[a:b = ]","pattern_type":"stix",`+
		`"valid_from":"2026-01-01T00:00:00Z"}`), withPatterns())
	if len(report.Errors) != 1 || !strings.HasPrefix(report.Errors[0].Message, "The pattern is not a STIX pattern: line 1, column 8: ") {
		t.Errorf("%v", report.Errors)
	}
}

// rules are violations as "path rule section".
func rules(violations []stix.Violation) []string {
	var out []string
	for _, v := range violations {
		out = append(out, strings.Join([]string{v.Path, v.Rule, v.Section}, " "))
	}
	return out
}
