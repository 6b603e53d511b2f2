package pattern

import (
	"fmt"
	"strings"
	"testing"
)

// observationsAt makes n observations of an object of type a, a second apart, with b counting up from 0.
func observationsAt(tb testing.TB, n, count int) *Observations {
	tb.Helper()
	var objects []string
	for i := range n {
		objects = append(objects,
			fmt.Sprintf(`{"type":"observed-data","id":"observed-data--%d","number_observed":%d,"first_observed":"2020-01-01T%02d:%02d:%02dZ","last_observed":"2020-01-01T%02d:%02d:%02dZ","object_refs":["a--%d"]}`,
				i, count, i/3600, i/60%60, i%60, i/3600, i/60%60, i%60, i),
			fmt.Sprintf(`{"type":"a","id":"a--%d","b":%d}`, i, i))
	}
	var o Observations
	if err := o.AddBundle([]byte(`{"type":"bundle","objects":[` + strings.Join(objects, ",") + `]}`)); err != nil {
		tb.Fatal(err)
	}
	return &o
}

// TestRefusedBombs are texts that must be refused at a limit.
func TestRefusedBombs(t *testing.T) {
	for name, text := range map[string]string{
		"parentheses outside": strings.Repeat("(", 60_000) + "[a:b = 1]",
		"parentheses inside":  "[" + strings.Repeat("(", 60_000) + "a:b = 1",
		"terms":               "[" + strings.Repeat("a:b=1OR ", 20_000) + "a:b=1]",
		"observations":        strings.Repeat("[a:b=1]OR", 20_000) + "[a:b=1]",
		"path":                "[a:b" + strings.Repeat(".b", 20_000) + " = 1]",
		"expression":          "[a:b MATCHES '" + strings.Repeat("a", 60_000) + "']",
		"megabyte":            "[a:b MATCHES '" + strings.Repeat("a", 1<<20) + "']",
		"groups":              "[a:b MATCHES '" + strings.Repeat("(", 2000) + strings.Repeat(")", 2000) + "']",
		"within":              "[a:b = 1] WITHIN 1e308 SECONDS",
		"qualifiers":          "[a:b = 1]" + strings.Repeat(" REPEATS 2 TIMES", 1000),
	} {
		if err := Check(text); err == nil {
			t.Errorf("%s: accepted", name)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: the error quotes the pattern: %.100s…", name, err)
		}
	}
}

// TestBombs are valid patterns that must be answered, or given up, within the budget.
func TestBombs(t *testing.T) {
	thousand := observationsAt(t, 1000, 1)
	chain := func(n int, operator string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf("[a:b >= %d]", i)
		}
		return strings.Join(parts, operator)
	}
	for name, c := range map[string]struct {
		pattern string
		want    []Outcome
	}{
		"repeats beyond":        {"[EXISTS a:b] REPEATS 999999999 TIMES", []Outcome{NotMatched}},
		"repeats all":           {"[EXISTS a:b] REPEATS 1000 TIMES", []Outcome{Matched}},
		"repeats repeats":       {"([EXISTS a:b] REPEATS 1000 TIMES) REPEATS 1000 TIMES", []Outcome{NotMatched}},
		"repeats overflow":      {"(([EXISTS a:b] REPEATS 9007199254740991 TIMES) REPEATS 9007199254740991 TIMES) REPEATS 9007199254740991 TIMES", []Outcome{NotMatched}},
		"repeats within":        {"[EXISTS a:b] REPEATS 600 TIMES WITHIN 600 SECONDS", []Outcome{Matched}},
		"repeats within less":   {"[EXISTS a:b] REPEATS 601 TIMES WITHIN 600 SECONDS", []Outcome{NotMatched}},
		"chain":                 {chain(1000, " FOLLOWEDBY "), []Outcome{Matched}},
		"chain impossible":      {"[a:b = 999] FOLLOWEDBY " + chain(900, " FOLLOWEDBY "), []Outcome{NotMatched}},
		"chain within":          {"(" + chain(300, " FOLLOWEDBY ") + ") WITHIN 300 SECONDS", []Outcome{Matched}},
		"and":                   {chain(1000, " AND "), []Outcome{Matched}},
		"or":                    {chain(1000, " OR "), []Outcome{Matched}},
		"product":               {strings.TrimSuffix(strings.Repeat("([a:b = 1] OR ([a:b = 2] FOLLOWEDBY [a:b = 1])) AND ", 60), " AND "), []Outcome{NotMatched, Undecided}},
		"pairs":                 {"([EXISTS a:b] FOLLOWEDBY [a:b > 500]) REPEATS 400 TIMES", []Outcome{Matched, Undecided}},
		"pairs in windows":      {"(([EXISTS a:b] FOLLOWEDBY [a:b > 500]) WITHIN 3 SECONDS) REPEATS 300 TIMES", []Outcome{NotMatched, Undecided}},
		"choices repeated":      {"([a:b = 1] OR ([a:b = 2] FOLLOWEDBY [a:b = 3])) REPEATS 500 TIMES", []Outcome{NotMatched}},
		"many choices":          {"(" + strings.TrimSuffix(strings.Repeat("([a:b = 1] OR ([a:b = 2] FOLLOWEDBY [a:b > 3])) FOLLOWEDBY ", 20), " FOLLOWEDBY ") + ") REPEATS 3 TIMES", []Outcome{NotMatched, Undecided}},
		"counted beyond choice": {"(([EXISTS a:b] WITHIN 5 SECONDS) REPEATS 3 TIMES WITHIN 2 SECONDS) REPEATS 334 TIMES", []Outcome{NotMatched}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			r := p.Match(thousand, Budget{})
			for _, want := range c.want {
				if r.Outcome == want {
					if (r.Outcome == Undecided) != (r.Reason != "") {
						t.Errorf("%v with the reason %q", r.Outcome, r.Reason)
					}
					return
				}
			}
			t.Errorf("%.100s\nis %v (%s), want one of %v", c.pattern, r.Outcome, r.Reason, c.want)
		})
	}
}

// TestRepeatsIsCounted: number_observed is never expanded either.
func TestRepeatsIsCounted(t *testing.T) {
	o := observationsAt(t, 3, 999_999_999)
	for text, want := range map[string]Outcome{
		"[EXISTS a:b] REPEATS 2999999997 TIMES":                                     Matched,
		"[EXISTS a:b] REPEATS 2999999998 TIMES":                                     NotMatched,
		"[a:b = 1] REPEATS 999999999 TIMES AND [a:b < 2] REPEATS 999999999 TIMES":   Matched,
		"[a:b = 1] REPEATS 999999999 TIMES AND [a:b < 2] REPEATS 1000000000 TIMES":  NotMatched,
		"([a:b = 0] AND [a:b = 1]) REPEATS 999999999 TIMES WITHIN 2 SECONDS":        Matched,
		"[a:b = 0] REPEATS 999999999 TIMES FOLLOWEDBY [a:b = 2] REPEATS 9999 TIMES": Matched,
	} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if r := p.Match(o, Budget{}); r.Outcome != want {
			t.Errorf("%s is %v (%s), want %v", text, r.Outcome, r.Reason, want)
		}
	}
}

func TestBudgetEndsEveryMatch(t *testing.T) {
	o := observationsAt(t, 200, 1)
	for _, text := range []string{
		"[a:b LIKE '" + strings.Repeat("%a", 500) + "']", "[a:b MATCHES '(a+)+$']", "[a:b = 1]",
		"([a:b < 5] FOLLOWEDBY [a:b > 5]) REPEATS 50 TIMES", "[a:b = 1] AND [a:b = 2] AND [a:b < 50] REPEATS 20 TIMES WITHIN 60 SECONDS",
	} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if r := p.Match(o, Budget{Steps: 10}); r.Outcome != Undecided || r.Reason == "" {
			t.Errorf("%.60s with 10 steps is %v (%s)", text, r.Outcome, r.Reason)
		}
	}
}

// TestReferenceCycles: walking through objects that all refer to each other must not take exponential time.
func TestReferenceCycles(t *testing.T) {
	const n = 60
	var ids, objects []string
	for i := range n {
		ids = append(ids, fmt.Sprintf(`"a--%d"`, i))
	}
	all := strings.Join(ids, ",")
	for i := range n {
		objects = append(objects, fmt.Sprintf(`{"type":"a","id":"a--%d","b":%d,"self_ref":"a--%d","all_refs":[%s]}`, i, i, i, all))
	}
	bundle := `{"objects":[{"type":"observed-data","id":"observed-data--1","first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:00Z","object_refs":[` +
		all + `]},` + strings.Join(objects, ",") + `]}`
	for path, want := range map[string]Outcome{
		"a:" + strings.Repeat("self_ref.", 40) + "b":     Matched,
		"a:" + strings.Repeat("all_refs[*].", 20) + "b":  Matched,
		"a:" + strings.Repeat("all_refs[60].", 20) + "b": NotMatched,
	} {
		p, err := Parse("[" + path + " = 59]")
		if err != nil {
			t.Fatal(err)
		}
		r, err := Match(p, [][]byte{[]byte(bundle)}, Budget{})
		if err != nil || r.Outcome != want {
			t.Errorf("%.30s…: %v (%s), %v, want %v", path, r.Outcome, r.Reason, err, want)
		}
	}
}

// different joins n different compound alternatives.
func different(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf("([a:b = %d] FOLLOWEDBY [a:c = %d]) REPEATS 2 TIMES", i, i%7)
	}
	return strings.Join(parts, " OR ")
}

// TestNormalFormIsBounded: neither time nor length may grow exponentially.
func TestNormalFormIsBounded(t *testing.T) {
	factor := func(open, shut, or, and string, n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf("(%sa:b = %d%s%s%sa:c = %d%s)", open, i, shut, or, open, i, shut)
		}
		return strings.Join(parts, and)
	}
	for name, text := range map[string]string{
		"comparisons":  "[" + factor("", "", " OR ", " AND ", 1500) + "]",
		"observations": factor("[", "]", " OR ", " AND ", 1200),
		"sequence":     factor("[", "]", " OR ", " FOLLOWEDBY ", 1200),
		"repeats":      "([a:b = 1] OR ([a:b = 2] FOLLOWEDBY [a:b = 3]) OR [a:c = 1]) REPEATS 9007199254740991 TIMES",
		"nested":       strings.Repeat("(", 40) + "[a:b = 1]" + strings.Repeat(" OR [a:b = 2]) REPEATS 999999 TIMES", 40),
		"long set":     "[a:b IN (" + strings.TrimSuffix(strings.Repeat("1234567,", 8000), ",") + ")]",
		"observed":     strings.TrimSuffix(strings.Repeat("(([a:b=1] OR [a:c=2]) AND ([a:d=3] OR [a:e=4]) AND ([a:f=5] OR [a:g=6]) FOLLOWEDBY ([a:h=7] OR [a:i=8])) AND ", 500), " AND "),
		"different":    different(1200),
		"blocks":       "[" + strings.TrimSuffix(strings.Repeat("((a:b=1 OR a:c=2) AND (a:d=3 OR a:e=4) AND (a:f=5 OR a:g=6) AND (a:h=7 OR a:i=8)) OR ", 700), " OR ") + "]",
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(p.NormalForm()); n > 1<<20 {
				t.Errorf("the normal form has %d bytes", n)
			}
			checkNormalForm(t, p)
		})
	}
}
