package stix

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// What cannot be read has the name of its fault, whether it spoils one object or ends the input.
func TestReadingViolation(t *testing.T) {
	tool := versionedObject("tool", `"name":"n"`)
	limits := Limits{ObjectBytes: 1000, Depth: 8, Objects: 3}
	for _, c := range []struct {
		name, input string
		want        []string // of all errors in their order: rule and section
	}{
		{"an object", tool, nil},
		{"grammar", tool + "\n{]", []string{"json-syntax reading"}},
		{"control character", "{\"type\":\"a\nb\"}", []string{"json-syntax reading"}},
		{"text behind a number", `[1x]`, []string{"json-syntax reading"}},
		{"cut inside an object", tool + "\n" + tool[:40], []string{"truncated reading"}},
		{"cut inside a bundle", `{"type":"bundle","objects":[` + tool, []string{"truncated reading"}},
		{"cut inside a string", `{"type":"tool","name":"n`, []string{"truncated reading"}},
		{"bad UTF-8", `{"type":"tool","name":"` + "\xff" + `"}`, []string{"bad-utf8 2.15"}},
		{"bad UTF-8 in a list", `{"type":"bundle","objects":[{"type":"` + "\xc3(" + `"}]}`, []string{"bad-utf8 2.15"}},
		{"byte order mark", "\xEF\xBB\xBF" + tool, []string{"byte-order-mark reading"}},
		{"repeated name", tool + `{"type":"tool","a":1,"a":2}` + tool, []string{"duplicate-member 2.3"}},
		{"repeated name in a bundle's head", `{"type":"bundle","id":"a","id":"b","objects":[` + tool + `]}`, []string{"duplicate-member 2.3"}},
		{"half of a surrogate pair", `{"type":"tool","a":"\ud800"}` + tool, []string{"lone-surrogate 2.15"}},
		{"too deep", `{"objects":[{"type":"tool","a":[[[[[[[[[]]]]]]]]]},` + tool + `]}`, []string{"too-deep reading"}},
		{"a list that is too deep", `[[[[[[[[[]]]]]]]]]`, []string{"not-a-container reading"}},
		{"a second value that is too deep", tool + `[[[[[[[[[]]]]]]]]]`, []string{"too-deep reading"}},
		{"too large", `{"objects":[{"type":"tool","a":"` + strings.Repeat("x", 1000) + `"},` + tool + `]}`, []string{"too-large reading"}},
		{"too many", strings.Repeat(tool, 4), []string{"too-many-objects reading"}},
		{"no objects", `{"objects":[1,"x",[],null,` + tool + `]}`, []string{"not-an-object 3.2", "not-an-object 3.2", "not-an-object 3.2", "not-an-object 3.2"}},
		{"a bundle in a bundle", `{"type":"bundle","objects":[{"type":"bundle"}]}`, []string{"bundle-objects 8.1"}},
		{"something else", `{"a":1}`, []string{"not-a-container reading"}},
		{"something else on a further line", tool + `{"a":1}`, []string{"not-a-container reading"}},
		{"an empty bundle", `{"type":"bundle","objects":[]}`, []string{"bundle-objects 8.1"}},
		{"a bundle of nothing", `{"type":"bundle","objects":null}`, []string{"bundle-objects 8.1"}},
		{"a bundle of nothing on a further line", tool + `{"type":"bundle","objects":{}}`, []string{"bundle-objects 8.1"}},
		{"UTF-16", "\xFF\xFE{\x00}\x00", []string{"bad-utf8 2.15"}},
		{"UTF-16, big-endian", "\xFE\xFF\x00{\x00}", []string{"bad-utf8 2.15"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "no objects" {
				limits.Objects = 10
			} else {
				limits.Objects = 3
			}
			for _, in := range []io.Reader{strings.NewReader(c.input), iotest.OneByteReader(strings.NewReader(c.input))} {
				var got []string
				for r := NewReader(in, limits); ; {
					_, err := r.Next()
					if err == io.EOF {
						break
					} else if err == nil {
						continue
					}
					v, ok := ReadingViolation(err)
					if !ok {
						t.Fatalf("%v is no violation", err)
					}
					got = append(got, v.Rule+" "+v.Section)
					if !v.Structural || !strings.HasSuffix(v.Message, ".") || strings.HasSuffix(v.Message, "..") {
						t.Errorf("not a structural violation with a sentence: %+v", v)
					}
					if !errors.As(err, new(*ElementError)) {
						break
					}
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Errors that are not about the content are no violations.
func TestReadingViolationOfOthers(t *testing.T) {
	r := NewReader(iotest.ErrReader(errors.New("the disk is gone")), Limits{})
	_, err := r.Next()
	for _, err := range []error{nil, io.EOF, err} {
		if v, ok := ReadingViolation(err); ok {
			t.Errorf("%v is the violation %v", err, v)
		}
	}
	_, err = Parse([]byte(`{"a":1,"a":2}`), Limits{})
	if v, ok := ReadingViolation(err); !ok || v.Rule != "duplicate-member" {
		t.Errorf("%v is the violation %v", err, v)
	}
}
