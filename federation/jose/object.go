package jose

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxDepth is how deep objects and arrays may be nested in a header, a payload or a key set.
const MaxDepth = 16

// maxNumericDate is the last second of the year 9999, the last that RFC 3339 can write.
const maxNumericDate = 253402300799

// Object is a JSON object that was read strictly: one object, valid UTF-8, no duplicate members at any depth, no more
// than MaxDepth deep. Member names are compared exactly, in their case. It is immutable.
type Object struct {
	raw     []byte
	members map[string]json.RawMessage
}

// ParseObject reads a JSON object strictly; the reasons are NotJSON, TrailingData, DuplicateMember and TooDeep.
func ParseObject(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return Object{}, refuse(NotJSON, "the JSON text is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return Object{}, refuse(NotJSON, "the text is not a JSON object")
	}
	if err := walkObject(d, 1); err != nil {
		return Object{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Object{}, refuse(TrailingData, "something follows the JSON object")
	}
	o := Object{raw: bytes.Clone(data)}
	if err := json.Unmarshal(o.raw, &o.members); err != nil {
		return Object{}, refuse(NotJSON, "the text is not a JSON object")
	}
	return o, nil
}

// walkObject reads the members of an object whose opening brace has been read, up to its closing brace.
func walkObject(d *json.Decoder, depth int) error {
	names := make(map[string]struct{})
	for {
		t, err := d.Token()
		if err != nil {
			return refuse(NotJSON, "the JSON text is malformed or cut short")
		}
		name, ok := t.(string)
		if !ok { // the closing brace
			return nil
		}
		if err := checkText(name); err != nil {
			return err
		}
		if _, dup := names[name]; dup {
			return refuse(DuplicateMember, "the member %.64q stands twice in one JSON object", name)
		}
		names[name] = struct{}{}
		if _, err := walkValue(d, depth); err != nil {
			return err
		}
	}
}

// walkValue reads one value; end tells that it was the closing bracket of the surrounding array instead.
func walkValue(d *json.Decoder, depth int) (end bool, err error) {
	t, err := d.Token()
	if err != nil {
		return false, refuse(NotJSON, "the JSON text is malformed or cut short")
	}
	switch t := t.(type) {
	case string:
		return false, checkText(t)
	case json.Delim:
		if t == ']' {
			return true, nil
		}
		if depth == MaxDepth {
			return false, refuse(TooDeep, "the JSON text is nested deeper than %d levels", MaxDepth)
		}
		if t == '{' {
			return false, walkObject(d, depth+1)
		}
		for {
			if end, err := walkValue(d, depth+1); end || err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// checkText refuses what the decoder made of a lone surrogate: two texts that differ only in those would compare equal.
func checkText(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return refuse(NotJSON, "a JSON string has a lone surrogate or the replacement character U+FFFD")
	}
	return nil
}

// Raw returns the text that was read.
func (o Object) Raw() []byte { return bytes.Clone(o.raw) }

// Len returns the number of members.
func (o Object) Len() int { return len(o.members) }

// Has tells whether there is a member of that name.
func (o Object) Has(name string) bool {
	_, ok := o.members[name]
	return ok
}

// Names returns the names of the members in order of name.
func (o Object) Names() []string { return slices.Sorted(maps.Keys(o.members)) }

// Member returns the text of a member's value; nil if there is none of that name.
func (o Object) Member(name string) json.RawMessage { return bytes.Clone(o.members[name]) }

// Text returns a member that must be a string; the reason of the error is ClaimForm.
func (o Object) Text(name string) (string, error) {
	var s *string
	if err := o.decode(name, &s); err != nil || s == nil {
		return "", refuse(ClaimForm, "%q must be there and be a string", name)
	}
	return *s, nil
}

// Time returns a member that must be a NumericDate (RFC 7519 §2) in whole seconds, not before 1970 and not after 9999;
// the reason of the error is ClaimForm.
func (o Object) Time(name string) (time.Time, error) {
	var n *int64
	if err := o.decode(name, &n); err != nil || n == nil || *n < 0 || *n > maxNumericDate {
		return time.Time{}, refuse(ClaimForm, "%q must be there and be whole seconds since 1970", name)
	}
	return time.Unix(*n, 0), nil
}

// Object returns a member that must be an object; the reason of the error is ClaimForm.
func (o Object) Object(name string) (Object, error) {
	m, err := ParseObject(o.members[name])
	if err != nil {
		return Object{}, refuse(ClaimForm, "%q must be there and be an object", name)
	}
	return m, nil
}

// Digest returns a member that must be the base64url form of 32 bytes, a SHA-256; the reason of the error is ClaimForm.
func (o Object) Digest(name string) (sum [32]byte, err error) {
	s, err := o.Text(name)
	if err != nil {
		return sum, err
	}
	b, err := decodeBase64(s)
	if err != nil || len(b) != len(sum) {
		return sum, refuse(ClaimForm, "%q must be the base64url form of a SHA-256", name)
	}
	return [32]byte(b), nil
}

func (o Object) decode(name string, into any) error {
	raw, ok := o.members[name]
	if !ok {
		return refuse(ClaimForm, "%q is missing", name)
	}
	return json.Unmarshal(raw, into)
}

// decodeBase64 reads base64url without padding and accepts only the one canonical text of each byte string.
func decodeBase64(s string) ([]byte, error) {
	// The standard decoder skips line ends, and Strict refuses only wrong trailing bits.
	if strings.ContainsAny(s, "\r\n") {
		return nil, refuse(Base64, "a part has a line end")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, refuse(Base64, "a part is not canonical base64url without padding")
	}
	return b, nil
}

func encodeBase64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
