package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/skjold-exchange/skjold/taxii"
)

// valueVersion begins every value in Redis. Whoever changes the form, or what a page means, changes it.
const valueVersion = "skjold page 1\n"

// The most octets of the short texts in a value.
const maxTag, maxCoding = 64, 8

// maxHead is more than a value has beside the body, in octets.
const maxHead = 512

// errGarbage: a value in Redis is not one that a process of this version stored under its key.
var errGarbage = errors.New("the value is not a page that was stored under this key")

// encodePage writes a sealed page as it is stored under a key: the version, the key's digest, what the page depends on and
// says, the body, and the digest of all that.
func encodePage(p *page, key string) string {
	var b strings.Builder
	b.Grow(maxHead + len(p.answer.Body))
	b.WriteString(valueVersion)
	echo := sha256.Sum256([]byte(key))
	b.Write(echo[:])
	var n []byte
	for _, v := range []int64{int64(p.after), int64(p.until), p.revision, int64(p.answer.Objects), int64(p.answer.First), int64(p.answer.Last)} {
		n = binary.AppendVarint(n, v)
	}
	for _, text := range []string{p.answer.Tag, p.answer.Coding} {
		n = binary.AppendUvarint(n, uint64(len(text)))
		n = append(n, text...)
	}
	b.Write(n)
	b.Write(p.answer.Body)
	sum := sha256.Sum256([]byte(b.String()))
	b.Write(sum[:])
	return b.String()
}

// decodePage reads what encodePage wrote under the same key; errGarbage for anything else. The collection and the decision
// are part of the key.
func decodePage(value, key string, c taxii.Collection, decision string) (*page, error) {
	rest, ok := strings.CutPrefix(value, valueVersion)
	if !ok || len(rest) < 2*sha256.Size {
		return nil, errGarbage
	}
	content := value[:len(value)-sha256.Size]
	sum, echo := sha256.Sum256([]byte(content)), sha256.Sum256([]byte(key))
	if value[len(content):] != string(sum[:]) || rest[:sha256.Size] != string(echo[:]) {
		return nil, errGarbage
	}
	r := valueReader{rest: []byte(rest[sha256.Size : len(rest)-sha256.Size])}
	p := &page{sealed: true, decision: decision}
	p.after, p.until, p.revision = taxii.DateAdded(r.number()), taxii.DateAdded(r.number()), r.number()
	a := &taxii.Answer{Collection: c, More: true, Objects: int(r.number()), First: taxii.DateAdded(r.number()), Last: taxii.DateAdded(r.number())}
	a.Tag, a.Coding = r.text(maxTag), r.text(maxCoding)
	a.Body = r.rest
	p.answer = a
	if r.failed || a.Objects < 1 || len(a.Body) == 0 || a.First > a.Last || p.after >= a.First || p.until < a.Last {
		return nil, errGarbage
	}
	return p, nil
}

// valueReader takes a value apart; after the first failure it gives zeros.
type valueReader struct {
	rest   []byte
	failed bool
}

func (r *valueReader) number() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.rest, r.failed = nil, true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *valueReader) text(most uint64) string {
	length, n := binary.Uvarint(r.rest)
	if n <= 0 || length > most || length > uint64(len(r.rest)-n) {
		r.rest, r.failed = nil, true
		return ""
	}
	text := string(r.rest[n : n+int(length)])
	r.rest = r.rest[n+int(length):]
	return text
}
