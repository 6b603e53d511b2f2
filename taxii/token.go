package taxii

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
)

// pageToken is the value of next (§3.5): a position in one log of one collection and the query it belongs to. The server
// keeps nothing for it, so it survives restarts, may be used any number of times and gives the same answer each time. It
// grants nothing: rights and visibility are those of whoever presents it. The checksum finds damage, not forgery; a forged
// token can only ask what a query can ask, because its parts pass the same checks.
type pageToken struct {
	collection [8]byte // tokenHash of the collection's id
	epoch      [8]byte // tokenHash of its epoch
	after      DateAdded
	limit      int
	match      Match
}

const (
	tokenVersion  = 1
	tokenSumBytes = 6
	// A token holds at most maxMatchTotal of match fields, a third longer in base64.
	maxTokenText = 48 << 10
	// versionFlags bits.
	flagAll, flagFirst, flagLast = 1, 2, 4
)

var (
	errTokenSize    = errors.New("page token: too long")
	errTokenText    = errors.New("page token: not base64url")
	errTokenVersion = errors.New("page token: unknown version")
	errTokenSum     = errors.New("page token: checksum differs")
	errTokenContent = errors.New("page token: malformed content")
)

func tokenHash(s string) (h [8]byte) {
	sum := sha256.Sum256([]byte(s))
	copy(h[:], sum[:])
	return h
}

// String is the token as text, safe in a query without escapes.
func (t pageToken) String() string {
	b := []byte{tokenVersion}
	b = append(b, t.collection[:]...)
	b = append(b, t.epoch[:]...)
	b = binary.AppendVarint(b, int64(t.after))
	b = binary.AppendUvarint(b, uint64(t.limit))
	b = appendList(b, t.match.IDs)
	b = appendList(b, t.match.Types)
	b = appendList(b, t.match.SpecVersions)
	b = append(b, t.match.Version.flags())
	exact := make([]string, len(t.match.Version.Exact))
	for i, e := range t.match.Version.Exact {
		exact[i] = e.String()
	}
	b = appendList(b, exact)
	// What follows is there only if the query has it: tokens of queries without it are those of earlier versions.
	for _, f := range t.match.content() {
		b = binary.AppendUvarint(b, uint64(len(f.field)))
		b = append(b, f.field...)
		b = appendList(b, f.values)
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:tokenSumBytes]...))
}

func (v VersionMatch) flags() (f byte) {
	if v.All {
		f |= flagAll
	}
	if v.First {
		f |= flagFirst
	}
	if v.Last {
		f |= flagLast
	}
	return f
}

func appendList[T ~string](b []byte, list []T) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func parseToken(text string) (pageToken, error) {
	var t pageToken
	if len(text) > maxTokenText {
		return t, errTokenSize
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return t, errTokenText
	}
	if len(b) < 1+tokenSumBytes || b[0] != tokenVersion {
		return t, errTokenVersion
	}
	content, sum := b[:len(b)-tokenSumBytes], b[len(b)-tokenSumBytes:]
	if want := sha256.Sum256(content); !slices.Equal(want[:tokenSumBytes], sum) {
		return t, errTokenSum
	}
	r := tokenReader{rest: content[1:]}
	copy(t.collection[:], r.bytes(8))
	copy(t.epoch[:], r.bytes(8))
	t.after = DateAdded(r.varint())
	t.limit = r.number(1 << 30)
	t.match = r.match()
	if r.failed || len(r.rest) != 0 || !t.after.writable() {
		return pageToken{}, errTokenContent
	}
	return t, nil
}

// tokenReader takes a token's content apart; after the first failure it gives zeros.
type tokenReader struct {
	rest   []byte
	failed bool
}

func (r *tokenReader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.fail()
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *tokenReader) fail() { r.rest, r.failed = nil, true }

func (r *tokenReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *tokenReader) number(most uint64) int {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > most {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *tokenReader) match() (m Match) {
	for _, field := range []string{"id", "type", "spec_version"} {
		for _, value := range r.list() {
			if m.addMatch(field, value) != nil {
				r.fail()
			}
		}
	}
	if flags := r.bytes(1); len(flags) == 1 {
		m.Version = VersionMatch{All: flags[0]&flagAll != 0, First: flags[0]&flagFirst != 0, Last: flags[0]&flagLast != 0}
		if flags[0] != m.Version.flags() {
			r.fail()
		}
	}
	for _, value := range r.list() {
		t, err := stix.ParseTimestamp(value)
		if err != nil || len(value) > maxVersionText {
			r.fail()
			break
		}
		m.Version.Exact = append(m.Version.Exact, t)
	}
	for len(r.rest) > 0 {
		r.content(&m)
	}
	return m
}

// content reads one of the fields of filter_fields.go.
func (r *tokenReader) content(m *Match) {
	field := string(r.bytes(r.number(maxVersionText)))
	values := r.list()
	if !slices.Contains(contentFields, field) || len(values) == 0 {
		r.fail()
		return
	}
	for _, value := range values {
		if m.addContent(field, value) != nil {
			r.fail()
			return
		}
	}
}

func (r *tokenReader) list() []string {
	var list []string
	for range r.number(maxMatchValues) {
		list = append(list, string(r.bytes(r.number(maxMatchText))))
		if r.failed {
			return nil
		}
	}
	return list
}
