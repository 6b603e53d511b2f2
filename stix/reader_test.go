package stix

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readAll reads an input to its end: the objects, the elements refused, and the final error, nil for io.EOF.
func readAll(r *Reader) (objects []string, refused []*ElementError, err error) {
	for {
		raw, err := r.Next()
		var element *ElementError
		switch {
		case err == nil:
			objects = append(objects, string(raw))
		case errors.As(err, &element):
			refused = append(refused, element)
		case err == io.EOF:
			return objects, refused, nil
		default:
			return objects, refused, err
		}
	}
}

func TestReaderCorpus(t *testing.T) {
	for _, file := range corpusBundles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var bundle struct {
				ID      string
				Objects []json.RawMessage
			}
			if err := json.Unmarshal(data, &bundle); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, object := range bundle.Objects {
				var b bytes.Buffer
				if err := json.Compact(&b, object); err != nil {
					t.Fatal(err)
				}
				want = append(want, b.String())
			}
			for name, in := range map[string]io.Reader{
				"whole":  bytes.NewReader(data),
				"pieces": iotest.HalfReader(bytes.NewReader(data)),
			} {
				r := NewReader(in, DefaultLimits())
				got, refused, err := readAll(r)
				if err != nil || len(refused) > 0 {
					t.Fatalf("%s: %v, %v", name, err, refused)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s: objects differ (-want +got):\n%s", name, diff)
				}
				if r.Container() != ContainerBundle || string(r.BundleID()) != bundle.ID {
					t.Errorf("%s: container %v, id %q, want a bundle %q", name, r.Container(), r.BundleID(), bundle.ID)
				}
			}
		})
	}
}

func TestReaderContainers(t *testing.T) {
	const (
		a = `{"type":"x-acme","id":"x-acme--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e01"}`
		b = `{"type":"x-acme","id":"x-acme--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e02"}`
		o = `{"id":"observed-data--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e03","objects":{"0":{}},"type":"observed-data"}`
		i = "bundle--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e04"
	)
	type result struct {
		Objects   []string
		Container Container
		More      bool
		Next      string
		Bundle    Identifier
		Spec      string
	}
	for _, c := range []struct {
		name, in string
		want     result
	}{
		{"nothing", "", result{}},
		{"whitespace", " \n\t", result{}},
		{"bundle", `{"type":"bundle","id":"` + i + `","objects":[` + a + "," + b + `]}`,
			result{Objects: []string{a, b}, Container: ContainerBundle, Bundle: i}},
		{"bundle with its type last", `{"id":"` + i + `","objects":[` + a + `],"type":"bundle"}`,
			result{Objects: []string{a}, Container: ContainerBundle, Bundle: i}},
		{"bundle without objects", `{"type":"bundle","id":"` + i + `"}`, result{Container: ContainerBundle, Bundle: i}},
		{"bundle of STIX 2.0", `{"type":"bundle","id":"` + i + `","spec_version":"2.0","objects":[` + a + `]}`,
			result{Objects: []string{a}, Container: ContainerBundle, Bundle: i, Spec: "2.0"}},
		{"bundle with a bad id", `{"type":"bundle","id":"x","objects":[` + a + `]}`,
			result{Objects: []string{a}, Container: ContainerBundle}},
		{"bundle with other members", `{"x_a":[[{}]],"type":"bundle","x_b":null,"objects":[` + a + `],"x_c":"]}"}`,
			result{Objects: []string{a}, Container: ContainerBundle}},
		{"envelope", `{"more":true,"next":"abc\u00e9","objects":[` + a + `]}`,
			result{Objects: []string{a}, Container: ContainerEnvelope, More: true, Next: "abcé"}},
		{"envelope with paging last", `{"objects":[` + a + `],"more":true,"next":"n"}`,
			result{Objects: []string{a}, Container: ContainerEnvelope, More: true, Next: "n"}},
		{"empty envelope", `{}`, result{Container: ContainerEnvelope}},
		{"envelope without objects", `{"more":false}`, result{Container: ContainerEnvelope}},
		{"envelope with an empty list", `{"objects":[]}`, result{Container: ContainerEnvelope}},
		{"object", a, result{Objects: []string{a}, Container: ContainerObject}},
		{"object with its type last", o, result{Objects: []string{o}, Container: ContainerObject}},
		{"lines", a + "\n" + b + "\n", result{Objects: []string{a, b}, Container: ContainerLines}},
		{"concatenated", a + b, result{Objects: []string{a, b}, Container: ContainerLines}},
		{"lines of bundles and objects", `{"type":"bundle","objects":[` + a + `]}` + "\r\n" + b,
			result{Objects: []string{a, b}, Container: ContainerLines}},
		{"whitespace inside goes, inside strings stays", " { \"type\" :\t\"x-acme\",\r\n\"a b\": [ 1 , 2.50 ] , \"c\" : \" \\u0041 { \" }",
			result{Objects: []string{`{"type":"x-acme","a b":[1,2.50],"c":" \u0041 { "}`}, Container: ContainerObject}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, in := range map[string]io.Reader{
				"whole": strings.NewReader(c.in), "bytes": iotest.OneByteReader(strings.NewReader(c.in)),
				"error at the end": iotest.DataErrReader(strings.NewReader(c.in)),
			} {
				r := NewReader(in, Limits{})
				objects, refused, err := readAll(r)
				if err != nil || len(refused) > 0 {
					t.Fatalf("%s: %v, %v", name, err, refused)
				}
				got := result{objects, r.Container(), r.More(), r.NextToken(), r.BundleID(), r.BundleSpecVersion()}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// Elements that cannot be objects are reported one by one, and their siblings are read.
func TestReaderElementErrors(t *testing.T) {
	const (
		a  = `{"type":"x-acme","id":"x-acme--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e01"}`
		id = "x-acme--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e09"
	)
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name, element string
		id            Identifier
		reason        string
	}{
		{"null", `null`, "", "is null"},
		{"number", `12`, "", "is a number"},
		{"string", `"x"`, "", "is a string"},
		{"list", `[{}]`, "", "is a list"},
		{"bundle", `{"type":"bundle","id":"bundle--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e04","objects":[]}`,
			"bundle--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e04", "is a bundle"},
		{"too deep", `{"type":"x-acme","id":"` + id + `","a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, id, "nested deeper than 10"},
		{"repeated name", `{"id":"` + id + `","a":1,"a":{"b":[2]}}`, id, "given twice"},
		{"lone surrogate", `{"a":"\ud800","id":"` + id + `"}`, id, "surrogate"},
		{"too large", `{"type":"x-acme","id":"` + id + `","a":"` + long + `"}`, id, "larger than 4096 bytes"},
		{"too large, id behind", `{"a":"` + long + `","id":"` + id + `"}`, "", "larger than 4096 bytes"},
		{"too large by whitespace", `{"id":"` + id + `",` + strings.Repeat(" ", 5000) + `"a":1}`, id, "larger than 4096 bytes"},
		{"long string alone", `"` + long + `\"]"`, "", "larger than 4096 bytes"},
		{"long number alone", strings.Repeat("1", 5000), "", "larger than 4096 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, in := range map[string]string{
				"envelope": `{"objects":[` + a + ",\n" + c.element + "\n," + a + `],"more":true}`,
				"bundle":   `{"type":"bundle","objects":[` + a + "," + c.element + "," + a + `]}`,
				"lines":    a + "\n" + c.element + "\n" + a + "\n",
			} {
				if name == "lines" && c.name == "bundle" {
					continue // a bundle on a line of its own is a container
				}
				r := NewReader(iotest.HalfReader(strings.NewReader(in)), Limits{ObjectBytes: 4096, Depth: 10})
				objects, refused, err := readAll(r)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if diff := cmp.Diff([]string{a, a}, objects); diff != "" {
					t.Errorf("%s: the siblings are not read (-want +got):\n%s", name, diff)
				}
				if len(refused) != 1 {
					t.Fatalf("%s: refused %v", name, refused)
				}
				e := refused[0]
				if e.Index != 1 || e.Offset != int64(strings.Index(in, c.element)) || !strings.Contains(e.Error(), c.reason) {
					t.Errorf("%s: %d at %d: %v; want 1 at %d: %s", name, e.Index, e.Offset, e, strings.Index(in, c.element), c.reason)
				}
				if name != "lines" && e.ID != c.id {
					t.Errorf("%s: recovered id %q, want %q", name, e.ID, c.id)
				}
				if len(e.Error()) > 400 {
					t.Errorf("%s: the message has %d bytes", name, len(e.Error()))
				}
				if name == "envelope" && !r.More() {
					t.Error("what follows the objects is not read")
				}
			}
		})
	}
}

func TestReaderSyntaxErrors(t *testing.T) {
	const a = `{"type":"x-acme","n":1}`
	for _, c := range []struct {
		name, in     string
		objects      int
		line, column int
	}{
		{"byte order mark", "\xEF\xBB\xBF" + a, 0, 1, 1},
		{"UTF-16", "\xFF\xFE{\x00", 0, 1, 1},
		{"not JSON", "hello", 0, 1, 1},
		{"cut", `{"type":"x-acme"`, 0, 1, 17},
		{"cut in the list", `{"objects":[` + a, 1, 1, 36},
		{"cut behind the list", `{"objects":[` + a + `]`, 1, 1, 37},
		{"comma missing", "{\"objects\":[" + a + "\n " + a + "]}", 1, 2, 2},
		{"comma at the end of the list", `{"objects":[` + a + `,]}`, 1, 1, 37},
		{"error in the second element", "{\"objects\":[\n" + a + ",\n{\"a\":01}]}", 1, 3, 7},
		{"invalid UTF-8 in the second element", "{\"objects\":[" + a + ",\n{\"a\":\"\xff\"}]}", 1, 2, 7},
		{"bracket of the wrong kind", `{"objects":[` + a + `}}`, 1, 1, 36},
		{"second line malformed", a + "\n{\"type\":\"x-acme\",}\n" + a, 1, 2, 18},
		{"repeated member of a bundle", `{"type":"bundle","objects":[` + a + `],"objects":[]}`, 1, 1, 54},
		{"repeated type of a bundle", `{"type":"bundle","type":"bundle"}`, 0, 1, 18},
		{"colon missing", `{"type" "bundle"}`, 0, 1, 9},
		{"name without quotes", `{type:1}`, 0, 1, 2},
		{"control character", "{\"objects\":[" + a + ",\n{\"a\":\"\x01\"}]}", 1, 2, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, in := range map[string]io.Reader{
				"whole": strings.NewReader(c.in), "bytes": iotest.OneByteReader(strings.NewReader(c.in)),
			} {
				r := NewReader(in, Limits{})
				objects, refused, err := readAll(r)
				var syntax *SyntaxError
				if !errors.As(err, &syntax) || len(refused) > 0 {
					t.Fatalf("%s: %v, %v", name, err, refused)
				}
				if len(objects) != c.objects || syntax.Line != c.line || syntax.Column != c.column {
					t.Errorf("%s: %d objects, %v; want %d objects and line %d, column %d", name, len(objects), err, c.objects, c.line, c.column)
				}
				if offset := offsetOf(c.in, c.line, c.column); syntax.Offset != offset {
					t.Errorf("%s: offset %d, want %d", name, syntax.Offset, offset)
				}
				if _, again := r.Next(); again != err {
					t.Errorf("%s: after %v comes %v", name, err, again)
				}
			}
		})
	}
}

func offsetOf(in string, line, column int) int64 {
	before := 0
	for range line - 1 {
		before += strings.IndexByte(in[before:], '\n') + 1
	}
	return int64(before + column - 1)
}

// JSON that is well-formed but no container is told apart from malformed JSON.
func TestReaderNotContainer(t *testing.T) {
	for _, in := range []string{
		`[]`, `[{"type":"indicator"}]`, `"x"`, `12`, `12 `, `null`, `true`, `{"foo":1}`, `{"id":"x"}`, `{"objects":{}}`, `{"objects":null}`,
		`{"type":null,"objects":[]}`, `{"type":"bundle","objects":[]}`, `{"type":"bundle","objects":{}}`,
		`{"type":"bundle","objects":null}`, `{"objects":[],"type":"indicator"}`, `{"more":true,"objects":1}`,
		"[" + strings.Repeat(" ", 10_000) + "]", strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
	} {
		r := NewReader(strings.NewReader(in), Limits{ObjectBytes: 4096})
		if objects, _, err := readAll(r); !errors.Is(err, ErrNotContainer) || len(objects) > 0 {
			t.Errorf("%.40s: %v, objects %v", in, err, objects)
		}
	}
}

func TestReaderSingle(t *testing.T) {
	for in, ok := range map[string]bool{
		`{"objects":[]}` + " \n": true, `{"objects":[]}{}`: false, `{"objects":[]}x`: false, `{"type":"x-acme"} {"type":"x-acme"}`: false,
	} {
		_, _, err := readAll(NewReader(strings.NewReader(in), Limits{}).Single())
		var syntax *SyntaxError
		if ok != (err == nil) || !ok && !errors.As(err, &syntax) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestReaderLimits(t *testing.T) {
	in := `{"objects":[{"a":1},null,{"a":2},{"a":3}]}`
	objects, refused, err := readAll(NewReader(strings.NewReader(in), Limits{Objects: 3}))
	if !errors.Is(err, ErrTooManyObjects) || len(objects) != 2 || len(refused) != 1 {
		t.Errorf("%v, %v, %v", objects, refused, err)
	}
	var members strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&members, `"x_%d":0,`, i)
	}
	_, _, err = readAll(NewReader(strings.NewReader(`{"type":"bundle",`+members.String()+`"objects":[]}`), Limits{}))
	if err == nil || !strings.Contains(err.Error(), "too many members") {
		t.Errorf("a bundle with 1,000 members: %v", err)
	}
	object := `{` + members.String() + `"type":"x-acme"}`
	if objects, _, err := readAll(NewReader(strings.NewReader(object), Limits{})); err != nil || len(objects) != 1 || objects[0] != object {
		t.Errorf("an object with 1,000 members in front of its type: %d objects, %v", len(objects), err)
	}
}

func TestReaderInputError(t *testing.T) {
	broken := errors.New("connection reset")
	const a = `{"type":"x-acme"}`
	for _, cut := range []string{"", `{"obj`, `{"objects":[`, `{"objects":[` + a, `{"objects":[` + a + `,{"a":"b`, `{"objects":[` + a + `]`} {
		r := NewReader(io.MultiReader(strings.NewReader(cut), iotest.ErrReader(broken)), Limits{})
		objects, _, err := readAll(r)
		if !errors.Is(err, broken) || len(objects) != strings.Count(cut, a) {
			t.Errorf("after %q: %d objects, %v", cut, len(objects), err)
		}
	}
}

// endless yields a bundle of n objects, then its end, without holding it.
type endless struct {
	n      int
	object string
	rest   string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		switch {
		case e.n > 0:
			e.rest = e.object + ","
		case e.n == 0:
			e.rest = `{"type":"x-acme"}]}`
		default:
			return 0, io.EOF
		}
		e.n--
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// A million objects, and one of a gigabyte, are read in the memory of a window.
func TestReaderBoundedMemory(t *testing.T) {
	r := NewReader(&endless{n: 1_000_000, object: `{"a":1}`, rest: `{"type":"bundle","objects":[`}, DefaultLimits())
	count := 0
	for {
		_, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != 1_000_001 || cap(r.in.buf) > windowSize {
		t.Errorf("%d objects read in a window of %d bytes", count, cap(r.in.buf))
	}

	// One object of 64 MiB in the place of an element: it is passed over in the memory that the limit allows.
	const limit = 1 << 20
	huge := &endless{n: 64, object: strings.Repeat("x", 1<<20), rest: `{"type":"bundle","objects":[{"id":"`}
	r = NewReader(io.MultiReader(io.LimitReader(huge, 64<<20), strings.NewReader(`"},{"type":"x-acme"}]}`)), Limits{ObjectBytes: limit})
	objects, refused, err := readAll(r)
	if err != nil || len(objects) != 1 || len(refused) != 1 {
		t.Fatalf("%d objects, %v, %v", len(objects), refused, err)
	}
	if cap(r.in.buf) > 4*limit {
		t.Errorf("the window grew to %d bytes, the limit is %d", cap(r.in.buf), limit)
	}
}

// 100,000 brackets in an object are refused at the depth limit; the object behind is read.
func TestReaderDeepNesting(t *testing.T) {
	for _, pair := range []string{"[]", `{"a":}`} {
		opening, closing := pair[:len(pair)-1], pair[len(pair)-1:]
		deep := strings.Repeat(opening, 100_000) + "1" + strings.Repeat(closing, 100_000)
		objects, refused, err := readAll(NewReader(strings.NewReader(`{"objects":[{"x":`+deep+`},{"a":1}]}`), DefaultLimits()))
		if err != nil || len(objects) != 1 || len(refused) != 1 || !strings.Contains(refused[0].Reason, "64 levels") {
			t.Errorf("%d objects, %v, %v", len(objects), refused, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		`{"type":"bundle","id":"x","objects":[{"type":"x-acme"},null,{"a":1,"a":2}]}`, `{"more":true,"objects":[{"a":[[[[[]]]]]}]}`,
		`{"type":"x-acme"}` + "\n" + `{"type":"x-acme"}`, `[1]`, `{"objects":[{"a":"\ud800"},{}]}`, "\xEF\xBB\xBF{}", `{}`, `{"objects":[{}`,
	} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		limits := Limits{ObjectBytes: 64, Depth: 4, Objects: 20}
		whole, refusedWhole, errWhole := readAll(NewReader(bytes.NewReader(data), limits))
		pieces, refusedPieces, errPieces := readAll(NewReader(&chunks{data, 1 + abs(piece)%100}, limits))
		if diff := cmp.Diff(whole, pieces); diff != "" {
			t.Errorf("in pieces the objects differ:\n%s", diff)
		}
		if diff := cmp.Diff(refusedWhole, refusedPieces); diff != "" {
			t.Errorf("in pieces the errors differ:\n%s", diff)
		}
		if fmt.Sprint(errWhole) != fmt.Sprint(errPieces) {
			t.Errorf("the end differs: %v, in pieces %v", errWhole, errPieces)
		}
		for _, object := range whole {
			if !json.Valid([]byte(object)) || object[0] != '{' {
				t.Errorf("%q is returned as an object", object)
			}
			again, _, err := readAll(NewReader(strings.NewReader(`{"objects":[`+object+`]}`), limits))
			if diff := cmp.Diff([]string{object}, again); diff != "" || err != nil {
				t.Errorf("read again, %q is different: %v\n%s", object, err, diff)
			}
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

// chunks reads data in pieces of one size.
type chunks struct {
	data []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

// An object whose type is no string is an object, so that it is told what is wrong with it and its siblings go on.
func TestReaderTypeIsNoString(t *testing.T) {
	lines := []string{`{"id":"malware--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f","type":5}`, `{"type":"tool"}`, `{"type":null,"name":"a"}`}
	objects, _, err := readAll(NewReader(strings.NewReader(strings.Join(lines, "\n")), Limits{}))
	if diff := cmp.Diff(lines, objects); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	r := NewReader(strings.NewReader(lines[0]), Limits{}).Single()
	if raw, err := r.Next(); string(raw) != lines[0] || err != nil || r.Container() != ContainerObject {
		t.Errorf("%s, %v, %v", raw, r.Container(), err)
	}
}

// What is wrong with a bundle itself is told apart from what is wrong with its objects.
func TestBundleReport(t *testing.T) {
	const id = "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d"
	for _, c := range []struct {
		name, raw        string
		errors, warnings []string
	}{
		{"faultless", `{"type":"bundle","id":"` + id + `","objects":[{"a":1}]}`, nil, nil},
		{"without objects", `{"type":"bundle","id":"` + id + `"}`, nil, nil},
		{"without id", `{"type":"bundle","objects":[{"a":1}]}`, []string{"id bundle-id 8.1"}, nil},
		{"id of another type", `{"type":"bundle","id":"malware--5d0092c5-5f74-4287-9642-33f4c354e56d"}`, []string{"id bundle-id 8.1"}, nil},
		{"id that is a number", `{"type":"bundle","id":1}`, []string{"id bundle-id 8.1"}, nil},
		{"id of version 1", `{"type":"bundle","id":"bundle--8fab937e-b694-11e3-b71c-0800271e87d2"}`, nil, []string{"id id-version 2.9"}},
		{"properties before and behind", `{"created":"x","type":"bundle","id":"` + id + `","objects":[{"a":1}],"acme":2}`, nil,
			[]string{"created bundle-property 8.1", "acme bundle-property 8.1"}},
		{"an envelope", `{"more":false,"objects":[{"a":1}]}`, nil, nil},
		{"an object", `{"type":"malware","acme":2}`, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReader(strings.NewReader(c.raw), Limits{})
			for {
				if _, err := r.Next(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			report := r.BundleReport()
			if diff := cmp.Diff(c.errors, keys(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.warnings, keys(report.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
