package pattern

import (
	"errors"
	"strings"
	"testing"
)

var seeds = []string{
	"[ipv4-addr:value = '198.51.100.7']",
	"[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f' OR file:size IN (1, 2.50, -3)]",
	"([a:b = 1] FOLLOWEDBY [a:c != true]) WITHIN 5.5 SECONDS OR [a:d NOT LIKE '%x_'] REPEATS 3 TIMES",
	"[a:b MATCHES '^(x|y)+$' AND (a:c = h'00ff' OR a:c = b'AP8=')] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00.50Z'",
	`[a:'b-c'[*].d[0] = 'it\'s \\ here' AND NOT EXISTS a:e_ref.f]`,
	"[ipv4-addr:value ISSUBSET '198.51.100.9/24'] AND ([a:b = 1 OR a:b = 2] REPEATS 2 TIMES) WITHIN 10 SECONDS",
	"([a:b=1] OR [a:b=2] FOLLOWEDBY [c:d=3]) REPEATS 2 TIMES",
	"[(a:b=1 OR b:c=1) AND (b:d=1 OR c:d=1)]",
}

func addSeeds(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
}

// FuzzParse checks that every text is read or refused with a place inside it, and that printing loses nothing.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	for _, s := range invalidPatterns {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			var e *SyntaxError
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) || e.Line < 1 || e.Column < 1 || e.Message == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		checkRoundTrip(t, text)
		p.Observables()
	})
}

// FuzzNormalForm checks that the normal form is a pattern, its own normal form, and blind to order.
func FuzzNormalForm(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		checkNormalForm(t, p)
		q := &Pattern{root: reversed(p.root)}
		if p.NormalForm() != q.NormalForm() {
			t.Fatalf("%s\nhas the normal form\n%s\nbut with AND and OR the other way round\n%s", text, p.NormalForm(), q.NormalForm())
		}
	})
}

// reversed is e with the operands of every AND and OR in the opposite order.
func reversed(e ObservationExpression) ObservationExpression {
	switch e := e.(type) {
	case *Observation:
		return &Observation{Comparison: reversedComparison(e.Comparison)}
	case *Qualified:
		return &Qualified{Operand: reversed(e.Operand), Qualifier: e.Qualifier}
	case *Combination:
		c := &Combination{Operator: e.Operator, Operands: make([]ObservationExpression, len(e.Operands))}
		for i, operand := range e.Operands {
			at := len(e.Operands) - 1 - i
			if e.Operator == FollowedBy {
				at = i
			}
			c.Operands[at] = reversed(operand)
		}
		return c
	}
	return e
}

func reversedComparison(e ComparisonExpression) ComparisonExpression {
	j, ok := e.(*Junction)
	if !ok {
		return e
	}
	r := &Junction{Operator: j.Operator, Operands: make([]ComparisonExpression, len(j.Operands))}
	for i, operand := range j.Operands {
		r.Operands[len(j.Operands)-1-i] = reversedComparison(operand)
	}
	return r
}

// fuzzBundle has observations at single times and over a while, one that stands for several, references and every type
// of value.
const fuzzBundle = `{"type":"bundle","objects":[
{"type":"observed-data","id":"observed-data--1","number_observed":1,"first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:00Z","object_refs":["a--1","a--2"]},
{"type":"observed-data","id":"observed-data--2","number_observed":3,"first_observed":"2020-01-01T00:00:01.5Z","last_observed":"2020-01-01T00:00:01.5Z","object_refs":["a--2","c--1"]},
{"type":"observed-data","id":"observed-data--3","number_observed":1,"first_observed":"2020-01-01T00:00:02Z","last_observed":"2020-01-01T00:00:09Z","object_refs":["c--1","ipv4-addr--1"]},
{"type":"a","id":"a--1","b":1,"c":true,"d":"xyz","e_ref":"a--2","l":[1,"two",null]},
{"type":"a","id":"a--2","b":2,"c_hex":"00ff","d":"x","e_ref":"a--1","e_refs":["a--1","a--2"]},
{"type":"c","id":"c--1","d":3,"t":"2020-06-01T00:00:00Z","n_bin":"AP8="},
{"type":"ipv4-addr","id":"ipv4-addr--1","value":"198.51.100.7"}]}`

// FuzzMatch checks that matching ends within its budget, that a larger budget does not contradict, and that a pattern
// and its normal form have the same answer.
func FuzzMatch(f *testing.F) {
	addSeeds(f)
	var o Observations
	if err := o.AddBundle([]byte(fuzzBundle)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		small, large := p.Match(&o, Budget{Steps: 2_000}), p.Match(&o, Budget{Steps: 200_000})
		if small.Outcome != Undecided && small.Outcome != large.Outcome {
			t.Fatalf("%s\nis %v with few steps and %v with many", text, small.Outcome, large.Outcome)
		}
		checkBindings(t, p, &o, large)
		normal, err := ParseLimits(p.NormalForm(), Limits{Bytes: 64 << 20, Depth: 256, Terms: 10_000_000, RegexBytes: 4 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if n := normal.Match(&o, Budget{Steps: 2_000_000}); n.Outcome != Undecided && large.Outcome != Undecided && n.Outcome != large.Outcome {
			t.Fatalf("%s\nis %v, its normal form\n%s\n%v", text, large.Outcome, normal.Text(), n.Outcome)
		}
	})
}

// checkBindings checks that a match names observations that exist, as often as they were observed, and does so
// only for a match.
func checkBindings(t *testing.T, p *Pattern, o *Observations, r Result) {
	t.Helper()
	if (r.Outcome == Matched) != (len(r.Bindings) > 0) {
		t.Fatalf("%s\nis %v with %d bindings", p.Text(), r.Outcome, len(r.Bindings))
	}
	expressions := strings.Count(p.String(), "[") // at least as many as observation expressions
	used := make([]int64, o.Len())
	for _, b := range r.Bindings {
		if b.Expression < 0 || b.Expression >= expressions || b.Count < 1 || b.ObservedData != o.list[b.Observation].id {
			t.Fatalf("%s\nhas the binding %+v", p.Text(), b)
		}
		used[b.Observation] += b.Count
	}
	for i, n := range used {
		if n > o.list[i].count {
			t.Fatalf("%s\nuses observation %d %d times of %d", p.Text(), i, n, o.list[i].count)
		}
	}
}
