package stix_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// TestClauses holds Check against the standard, clause by clause: for each there is an object that violates it and nothing
// else, and one that differs in this only and is without fault. The form of the files is told in testdata/clauses.txt.
func TestClauses(t *testing.T) {
	bases := clauseBases(t)
	for _, base := range bases {
		report := checkClause(t, base, nil, true)
		faults := append(clauseViolations("", report.Errors), clauseViolations("", report.Warnings)...)
		if typ := base["type"]; typ != "x-acme-widget" && len(faults) > 0 {
			t.Errorf("the smallest %v is not without fault: %v", typ, faults)
		}
	}
	for _, name := range []string{"clauses.txt", "clauses_observable.txt", "clauses_meta.txt"} {
		for _, c := range readClauses(t, "testdata/"+name) {
			t.Run(c.String(), func(t *testing.T) { c.run(t, bases[c.typ]) })
		}
	}
}

// clause is one requirement or recommendation, with its two objects as patches.
type clause struct {
	file                           string
	line                           int
	mark, section, typ, path, rule string
	pedantic                       bool
	violating, conforming          json.RawMessage
}

func (c clause) String() string {
	return fmt.Sprintf("%s:%d §%s %s %s", c.file, c.line, c.section, c.typ, c.rule)
}

// run checks that the violating object gets the one violation, a sentence, at its path, and the conforming one none.
func (c clause) run(t *testing.T, base map[string]any) {
	if base == nil {
		t.Fatalf("there is no smallest object of type %s", c.typ)
	}
	bad, good := checkClause(t, base, c.violating, c.pedantic), checkClause(t, base, c.conforming, c.pedantic)
	found, other := clauseViolations(c.rule, bad.Errors), clauseViolations(c.rule, bad.Warnings)
	if c.mark == "W" {
		found, other = other, found
	}
	hits := 0
	for _, v := range found {
		if v.Path == c.path && v.Rule == c.rule && v.Section == c.section {
			hits++
		}
		if !strings.HasSuffix(v.Message, ".") || len(v.Message) < 20 || len(v.Message) > 500 {
			t.Errorf("not a short sentence: %v", v)
		}
	}
	if hits != 1 || c.mark == "E" && len(found) > 1 || c.mark == "W" && len(other) > 0 {
		t.Errorf("want %s %q %s §%s once, got errors %v, warnings %v", c.mark, c.path, c.rule, c.section, bad.Errors, bad.Warnings)
	}
	if e, w := clauseViolations(c.rule, good.Errors), clauseViolations(c.rule, good.Warnings); len(e)+len(w) > 0 {
		t.Errorf("the conforming object has errors %v, warnings %v", e, w)
	}
}

// clauseViolations are those that the clause is about: not that the ids of the test objects are random where they could be
// computed, unless it is the clause itself.
func clauseViolations(rule string, all []stix.Violation) []stix.Violation {
	var out []stix.Violation
	for _, v := range all {
		if v.Rule == rule || v.Rule != "id-not-deterministic" {
			out = append(out, v)
		}
	}
	return out
}

// checkClause checks the base with the patch applied.
func checkClause(t *testing.T, base map[string]any, patch json.RawMessage, pedantic bool) stix.Report {
	t.Helper()
	var object any = base
	if patch != nil {
		object = mergePatch(base, decodeNumbers(t, patch))
	}
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`"\u003cnull\u003e"`, `null`, `\u003chalf\u003e`, `\ud800`).Replace(string(raw))
	o := withPatterns()
	o.Pedantic = pedantic
	o.Now = func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }
	_, report := stix.Check([]byte(text), o)
	return report
}

// mergePatch applies an RFC 7396 patch to a copy of the target.
func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out := map[string]any{}
	if t, ok := target.(map[string]any); ok {
		for name, value := range t {
			out[name] = value
		}
	}
	for name, value := range p {
		if value == nil {
			delete(out, name)
			continue
		}
		out[name] = mergePatch(out[name], value)
	}
	return out
}

func decodeNumbers(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// clauseBases are the smallest objects without fault, by type.
func clauseBases(t *testing.T) map[string]map[string]any {
	t.Helper()
	raw, err := os.ReadFile("testdata/clauses_bases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	bases := map[string]map[string]any{}
	for line := range bytes.Lines(raw) {
		base := decodeNumbers(t, line).(map[string]any)
		bases[base["type"].(string)] = base
	}
	return bases
}

var repeated = regexp.MustCompile(`<(\d+)\*(.)>`)

func readClauses(t *testing.T, path string) []clause {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []clause
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := repeated.ReplaceAllStringFunc(lines.Text(), func(s string) string {
			m := repeated.FindStringSubmatch(s)
			count, _ := strconv.Atoi(m[1])
			return strings.Repeat(m[2], count)
		})
		switch patch, indented := strings.CutPrefix(line, "\t"); {
		case line == "" || line[0] == '#':
		case !indented:
			words := strings.Fields(line)
			if len(words) != 5 || words[0] != "E" && words[0] != "W" {
				t.Fatalf("%s:%d: %q is not a clause", path, n, line)
			}
			c := clause{file: path, line: n, mark: words[0], section: words[1], typ: words[2], path: words[3]}
			c.rule, c.pedantic = strings.CutPrefix(words[4], "?")
			if c.path == "." {
				c.path = ""
			}
			out = append(out, c)
		case len(out) == 0 || out[len(out)-1].conforming != nil:
			t.Fatalf("%s:%d: a patch without a clause", path, n)
		case out[len(out)-1].violating == nil:
			out[len(out)-1].violating = json.RawMessage(patch)
		default:
			out[len(out)-1].conforming = json.RawMessage(patch)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
