package federation

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// jsonValue is a JSON value that can be compared: key is the same for equal values, whatever the order of members, the
// form of numbers, the escapes and the whitespace.
type jsonValue struct {
	raw json.RawMessage
	key string
}

// jsonNull is the value null.
var jsonNull = jsonValue{raw: json.RawMessage("null"), key: "null"}

// parseValue reads a value from the text of a JSON object that was read strictly.
func parseValue(raw json.RawMessage) (jsonValue, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return jsonValue{}, err
	}
	return jsonValue{raw: raw, key: string(appendKey(nil, v))}, nil
}

// appendKey writes a decoded value in one form: members sorted, numbers as the shortest text of their float64.
func appendKey(b []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		b = append(b, '{')
		for _, name := range names {
			b = strconv.AppendQuote(b, name)
			b = append(b, ':')
			b = append(appendKey(b, v[name]), ',')
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for _, e := range v {
			b = append(appendKey(b, e), ',')
		}
		return append(b, ']')
	case string:
		return strconv.AppendQuote(b, v)
	case json.Number:
		f, err := v.Float64()
		if err != nil || f == math.Trunc(f) && math.Abs(f) >= 1<<53 {
			return append(b, v...) // not exact: equal only where the text is
		}
		return strconv.AppendFloat(b, f+0, 'g', -1, 64) // adding 0 makes -0 into 0
	case bool:
		return strconv.AppendBool(b, v)
	default:
		return append(b, "null"...)
	}
}

// list returns the elements of an array; false if the value is none.
func (v jsonValue) list() ([]jsonValue, bool) {
	var raws []json.RawMessage
	if !bytes.HasPrefix(v.raw, []byte("[")) || json.Unmarshal(v.raw, &raws) != nil {
		return nil, false
	}
	values := make([]jsonValue, len(raws))
	for i, raw := range raws {
		var err error
		if values[i], err = parseValue(raw); err != nil {
			return nil, false
		}
	}
	return values, true
}

// words returns the parts of a string whose values stand between spaces, as in the parameter scope (RFC 6749 §3.3).
func (v jsonValue) words() ([]jsonValue, bool) {
	var s string
	if v.key == "null" || json.Unmarshal(v.raw, &s) != nil {
		return nil, false
	}
	var values []jsonValue
	for word := range strings.FieldsSeq(s) {
		values = append(values, stringValue(word))
	}
	return values, true
}

func stringValue(s string) jsonValue {
	raw, err := json.Marshal(s)
	if err != nil { // a string always has a JSON form
		return jsonNull
	}
	return jsonValue{raw: raw, key: strconv.Quote(s)}
}

// listValue makes an array.
func listValue(values []jsonValue) jsonValue {
	raw, key := []byte{'['}, []byte{'['}
	for i, v := range values {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, v.raw...)
		key = append(append(key, v.key...), ',')
	}
	return jsonValue{raw: append(raw, ']'), key: string(append(key, ']'))}
}

// wordsValue makes a string whose values stand between spaces.
func wordsValue(values []jsonValue) jsonValue {
	words := make([]string, 0, len(values))
	for _, v := range values {
		var s string
		if json.Unmarshal(v.raw, &s) == nil {
			words = append(words, s)
		}
	}
	return stringValue(strings.Join(words, " "))
}

// valueSet is values by key.
type valueSet map[string]struct{}

func setOf(values []jsonValue) valueSet {
	set := make(valueSet, len(values))
	for _, v := range values {
		set[v.key] = struct{}{}
	}
	return set
}

func (s valueSet) has(v jsonValue) bool {
	_, ok := s[v.key]
	return ok
}

// union is a and then what b has besides, each value once.
func union(a, b []jsonValue) []jsonValue {
	seen := make(valueSet, len(a)+len(b))
	all := make([]jsonValue, 0, len(a)+len(b))
	for _, v := range slices.Concat(a, b) {
		if !seen.has(v) {
			seen[v.key] = struct{}{}
			all = append(all, v)
		}
	}
	return all
}

// intersection is what a and b both have, in the order of a.
func intersection(a, b []jsonValue) []jsonValue {
	in, both := setOf(b), make([]jsonValue, 0, len(a))
	for _, v := range a {
		if in.has(v) {
			both = append(both, v)
		}
	}
	return both
}

// isSubset tells whether b has every value of a.
func isSubset(a, b []jsonValue) bool {
	in := setOf(b)
	for _, v := range a {
		if !in.has(v) {
			return false
		}
	}
	return true
}
