package pattern

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// value is a JSON value of an observation, in a compact tree: members and elements stand beside each other in one slice.
type value struct {
	kind jsontext.Kind
	// name is the member name, "" for an element.
	name string
	// text is the value of a string, the digits of a number.
	text string
	// inside holds the members of an object or the elements of an array.
	inside []value
}

// maxValueDepth bounds the nesting of the JSON that is read.
const maxValueDepth = 64

// parseValue reads one JSON text: UTF-8, unique member names, no trailing data.
func parseValue(raw []byte) (*value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return &v, nil
}

func readValue(d *jsontext.Decoder, depth int) (value, error) {
	if depth > maxValueDepth {
		return value{}, fmt.Errorf("JSON is nested deeper than %d levels at offset %d", maxValueDepth, d.InputOffset())
	}
	token, err := d.ReadToken()
	if err != nil {
		return value{}, err
	}
	v := value{kind: token.Kind()}
	switch v.kind {
	case '"', '0':
		v.text = token.String()
	case '{', '[':
		for next := d.PeekKind(); next != '}' && next != ']'; next = d.PeekKind() {
			name := ""
			if v.kind == '{' {
				token, err := d.ReadToken()
				if err != nil {
					return value{}, err
				}
				name = token.String()
			}
			inside, err := readValue(d, depth+1)
			if err != nil {
				return value{}, err
			}
			inside.name = name
			v.inside = append(v.inside, inside)
		}
		if _, err := d.ReadToken(); err != nil {
			return value{}, err
		}
	}
	return v, nil
}

// member returns the member of an object, nil if there is none or v is not an object. A JSON null counts as absent:
// STIX has none (§2).
func (v *value) member(name string) *value {
	if v == nil || v.kind != '{' {
		return nil
	}
	for i := range v.inside {
		if v.inside[i].name == name {
			if v.inside[i].kind == 'n' {
				return nil
			}
			return &v.inside[i]
		}
	}
	return nil
}

// str returns the text of a string member, "" if it is absent or no string.
func (v *value) str(name string) string {
	if m := v.member(name); m != nil && m.kind == '"' {
		return m.text
	}
	return ""
}
