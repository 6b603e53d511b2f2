package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

// TestOpenedTo: whom a collection is opened to, by class and trust marks.
func TestOpenedTo(t *testing.T) {
	const backup, nis2 = "https://f.example/backup", "https://f.example/nis2"
	for name, c := range map[string]struct {
		rule  opening
		class string
		marks map[string]bool
		want  bool
	}{
		"everybody":            {want: true},
		"the class":            {rule: opening{classes: []string{"region", "company"}}, class: "company", want: true},
		"another class":        {rule: opening{classes: []string{"region"}}, class: "company"},
		"no class":             {rule: opening{classes: []string{"region"}}},
		"the mark":             {rule: opening{marks: []string{backup}}, marks: map[string]bool{backup: true}, want: true},
		"no mark":              {rule: opening{marks: []string{backup}}},
		"one of two":           {rule: opening{marks: []string{backup, nis2}}, marks: map[string]bool{backup: true}},
		"both":                 {rule: opening{marks: []string{backup, nis2}}, marks: map[string]bool{backup: true, nis2: true}, want: true},
		"the mark, not class":  {rule: opening{classes: []string{"region"}, marks: []string{backup}}, class: "company", marks: map[string]bool{backup: true}},
		"the class, not marks": {rule: opening{classes: []string{"region"}, marks: []string{backup}}, class: "region"},
	} {
		if got := c.rule.openedTo(c.class, func() map[string]bool { return c.marks }); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

// TestParseOpened reads what this version and earlier ones noted, and nothing wrong.
func TestParseOpened(t *testing.T) {
	got, err := parseOpened(`{"a":"green","b":{"max_tlp":"clear","classes":["region"],"marks":["https://f.example/x"]}}`)
	want := map[string]opening{"a": {level: stix.TLPGreen}, "b": {level: stix.TLPClear, classes: []string{"region"}, marks: []string{"https://f.example/x"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(opening{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, wrong := range []string{`[]`, `{"a":"purple"}`, `{"a":{"max_tlp":7}}`, `{"a":{}}`, `{"a":[]}`} {
		if _, err := parseOpened(wrong); err == nil {
			t.Errorf("%s is read", wrong)
		}
	}
}
