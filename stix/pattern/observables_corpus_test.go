package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sighted makes an observation of one object that has a value at an object path, with the objects that it refers to.
type sighted struct {
	objects []map[string]any
}

func (s *sighted) object(objectType string, steps []Step, value any) string {
	id := fmt.Sprintf("%s--%d", objectType, len(s.objects))
	o := map[string]any{"type": objectType, "id": id}
	s.objects = append(s.objects, o)
	o[steps[0].Name] = s.inside(steps[0].Name, steps[1:], value)
	return id
}

// inside is the value of the property with the name such that the steps lead to value.
func (s *sighted) inside(name string, steps []Step, value any) any {
	switch {
	case len(steps) == 0:
		return value
	case steps[0].Kind == AnyIndex:
		return []any{s.inside(name, steps[1:], value)}
	case steps[0].Kind == Index:
		list := make([]any, steps[0].Index+1)
		for i := range list {
			list[i] = "filler"
		}
		list[steps[0].Index] = s.inside(name, steps[1:], value)
		return list
	case strings.HasSuffix(name, "_ref") || strings.HasSuffix(name, "_refs"):
		return s.object("referred-to", steps, value)
	}
	return map[string]any{steps[0].Name: s.inside(steps[0].Name, steps[1:], value)}
}

// sightedValue is the constant as a property holds it: octets in the encoding that the property's name tells, nil for a
// text that cannot be octets.
func sightedValue(t *testing.T, c Constant, steps []Step) any {
	t.Helper()
	var name string
	for _, s := range steps {
		if s.Kind == Property {
			name = s.Name
		}
	}
	octets := func(text string) any {
		switch {
		case strings.HasSuffix(name, "_hex"):
			return hex.EncodeToString([]byte(text))
		case strings.HasSuffix(name, "_bin"):
			return base64.StdEncoding.EncodeToString([]byte(text))
		}
		runes := make([]rune, len(text))
		for i := range len(text) {
			runes[i] = rune(text[i])
		}
		return string(runes)
	}
	switch c.class() {
	case Integer:
		return json.Number(c.Text)
	case Boolean:
		return c.Text == "true"
	case Binary:
		return octets(c.Text)
	case String:
		if strings.HasSuffix(name, "_hex") || strings.HasSuffix(name, "_bin") {
			latin1, ok := toOctets(c.Text)
			if !ok {
				return nil
			}
			return octets(latin1)
		}
	}
	return c.Text
}

func (s *sighted) match(t *testing.T, p *Pattern) Outcome {
	t.Helper()
	refs := make([]any, len(s.objects))
	for i, o := range s.objects {
		refs[i] = o["id"]
	}
	bundle := map[string]any{"type": "bundle", "objects": []any{map[string]any{"type": "observed-data", "id": "observed-data--1",
		"number_observed": 1, "first_observed": "2020-01-01T00:00:00Z", "last_observed": "2020-01-01T00:00:00Z", "object_refs": refs}}}
	for _, o := range s.objects {
		bundle["objects"] = append(bundle["objects"].([]any), o)
	}
	raw, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	var o Observations
	if err := o.AddBundle(raw); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return p.Match(&o, Budget{}).Outcome
}

// checkObservables checks, by the matcher, that each value of a simple pattern makes it match, and another value does not.
func checkObservables(t *testing.T, p *Pattern) (values int, complex bool) {
	t.Helper()
	list, complex := p.Observables()
	if complex {
		return len(list), true
	}
	for _, o := range list {
		text := o.Value
		switch o.Kind {
		case String:
			text = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
		case Hex, Binary:
			text = "h'" + text + "'"
		case Timestamp:
			text = "t'" + text + "'"
		}
		one, err := Parse("[" + o.ObjectType + ":" + o.Path + " = " + text + "]")
		if err != nil {
			t.Fatalf("%s\nhas the observable %+v, which is no comparison: %v", p.Text(), o, err)
		}
		c := one.root.(*Observation).Comparison.(*Comparison)
		value := sightedValue(t, c.Values[0], c.Path.Steps)
		if value == nil || o.ObjectType == "observed-data" {
			continue // no object can have it, or it would have to be an observation by itself
		}
		var right, wrong, absent sighted
		right.object(o.ObjectType, c.Path.Steps, value)
		wrong.object(o.ObjectType, c.Path.Steps, "another value than any pattern has")
		absent.object("another-type", c.Path.Steps, value)
		if got := right.match(t, p); got != Matched {
			t.Errorf("%s\nis %v where its observable %+v is seen", p.Text(), got, o)
		}
		if wrong.match(t, p) == Matched || absent.match(t, p) == Matched {
			t.Errorf("%s\nis matched without its observable %+v", p.Text(), o)
		}
	}
	if len(list) == 0 {
		t.Errorf("%s\nis simple and has no observable", p.Text())
	}
	return len(list), false
}

// corpusPatterns are the valid patterns of the shared test data: cases, and indicators of published bundles.
func corpusPatterns(t *testing.T) map[string][]string {
	t.Helper()
	sources := map[string][]string{}
	for _, c := range corpusLines[struct{ Pattern, Expect, Version string }](t, "patterns.jsonl") {
		if c.Expect == "valid" && c.Version == "2.1" {
			sources["patterns.jsonl"] = append(sources["patterns.jsonl"], c.Pattern)
		}
	}
	for _, dir := range []string{"bundles", "attack"} {
		files, err := filepath.Glob(filepath.Join(corpusPath(t, dir), "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var bundle struct {
				Objects []struct {
					Type, Pattern string
					PatternType   string `json:"pattern_type"`
				}
			}
			if err := json.Unmarshal(data, &bundle); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, o := range bundle.Objects {
				if o.Type == "indicator" && o.PatternType == "stix" {
					sources[dir] = append(sources[dir], o.Pattern)
				}
			}
		}
	}
	return sources
}

// TestObservablesCorpus holds what is extracted from real patterns against the matcher.
func TestObservablesCorpus(t *testing.T) {
	for source, patterns := range corpusPatterns(t) {
		slices.Sort(patterns)
		simple, notSimple, values := 0, 0, 0
		distinct := slices.Compact(slices.Clone(patterns))
		for _, text := range distinct {
			p, err := Parse(text)
			if err != nil {
				t.Fatalf("%s: %s: %v", source, text, err)
			}
			n, complex := checkObservables(t, p)
			if values += n; complex {
				notSimple++
			} else {
				simple++
			}
		}
		t.Logf("%s: %d patterns, %d distinct: %d simple, %d complex, %d values", source, len(patterns), len(distinct), simple, notSimple, values)
	}
}
