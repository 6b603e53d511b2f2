package stix

import (
	"bytes"
	"fmt"
	"io"
)

// Container is the kind of input that a Reader met.
type Container uint8

// The kinds. ContainerNone is an input without any JSON value; ContainerLines is more than one JSON value after another,
// on lines of their own or not.
const (
	ContainerNone Container = iota
	ContainerBundle
	ContainerEnvelope
	ContainerObject
	ContainerLines
)

var containerNames = [...]string{"none", "bundle", "envelope", "object", "lines"}

// String returns none, bundle, envelope, object or lines.
func (c Container) String() string { return containerNames[min(int(c), len(containerNames)-1)] }

// Reader splits an input into its STIX objects while streaming: a STIX bundle (§8), a TAXII envelope (TAXII 2.1 §3.7), one
// STIX object, or any of these one after another, as in JSON lines. It holds one object at a time in memory.
//
// It is strict about JSON: valid UTF-8, no byte order mark, unique member names, whole surrogate pairs. It is not safe
// for concurrent use.
type Reader struct {
	in      window
	json    tree
	compact []byte // for use again
	limits  Limits
	single  bool
	state   readerState
	err     error // sticky
	values  int   // top-level JSON values begun
	index   int   // elements met
	head    head  // of the container being read, then of the last one
	kind    Container
}

type readerState uint8

const (
	betweenValues readerState = iota
	inMembers                 // behind { or a member of a container
	inElements                // behind [ or an element of "objects"
	inObject                  // at a STIX object that is a top-level value
)

// NewReader returns a Reader of r within the limits.
func NewReader(r io.Reader, l Limits) *Reader {
	return &Reader{in: newWindow(r), limits: l.withDefaults()}
}

// Single makes the Reader refuse anything but whitespace after the first JSON value, as the body of an HTTP request or
// response is read. It returns the Reader.
func (r *Reader) Single() *Reader {
	r.single = true
	return r
}

// Next returns the bytes of the next object: as received, without the whitespace outside strings. They belong to the
// caller. At the end it returns io.EOF.
//
// An *ElementError stands for one element that is no object or breaks a limit; Next can be called again and goes on with
// the element after it. All other errors are final: a *SyntaxError for malformed JSON, a *ContainerError (which is
// ErrNotContainer) for JSON that is none of the containers, ErrTooManyObjects, or an error of the underlying reader.
func (r *Reader) Next() ([]byte, error) {
	for r.err == nil {
		var raw []byte
		var err error
		switch r.state {
		case betweenValues:
			err = r.beginValue()
		case inMembers:
			err = r.members()
		case inElements:
			raw, err = r.nextElement()
		case inObject:
			r.state = betweenValues
			raw, err = r.element()
		}
		if _, ok := err.(*ElementError); ok {
			return nil, err
		}
		if raw != nil {
			return raw, nil
		}
		r.err = err
	}
	return nil, r.err
}

// Container is the kind of input, known for certain after io.EOF.
func (r *Reader) Container() Container {
	if r.values > 1 {
		return ContainerLines
	}
	return r.kind
}

// More is the envelope's "more": the server has further objects. It is known after io.EOF.
func (r *Reader) More() bool { return r.head.more }

// NextToken is the envelope's "next", to be sent with the next request; "" if there was none. It is known after io.EOF.
func (r *Reader) NextToken() string { return r.head.next }

// BundleID is the id of the bundle; "" if there was none or it is not a valid bundle identifier. Known after io.EOF.
func (r *Reader) BundleID() Identifier {
	id, err := ParseIdentifier(r.head.id)
	if r.kind != ContainerBundle || err != nil || id.Type() != "bundle" {
		return ""
	}
	return id
}

// BundleSpecVersion is the spec_version of the bundle, a property of STIX 2.0 that 2.1 does not have; else "".
func (r *Reader) BundleSpecVersion() string { return r.head.specVersion }

// skipSpace moves to the next byte that is not whitespace, at a distance of at or more from the first unconsumed byte.
// It returns that distance and the byte, 0 at the end of the input.
func (r *Reader) skipSpace(at int) (int, byte) {
	for {
		rest := r.in.rest()
		for ; at < len(rest); at++ {
			if !isSpace(rest[at]) {
				return at, rest[at]
			}
		}
		if r.undecided() && at > r.limits.ObjectBytes {
			return at, 0
		}
		if !r.undecided() {
			r.in.pos += at
			at = 0
		}
		if !r.in.fill() {
			return at, 0
		}
	}
}

func (r *Reader) undecided() bool { return r.state == inMembers && !r.head.decided }

func (r *Reader) beginValue() error {
	if r.in.offset() == 0 && len(r.in.rest()) == 0 {
		for len(r.in.rest()) < 3 && r.in.fill() {
		}
		if bytes.HasPrefix(r.in.rest(), byteOrderMark) {
			return r.in.jsonError(0, &jsonError{faultBOM, 0, "the input begins with a byte order mark; send UTF-8 without one"})
		}
		if bytes.HasPrefix(r.in.rest(), []byte("\xFF\xFE")) || bytes.HasPrefix(r.in.rest(), []byte("\xFE\xFF")) {
			return r.in.jsonError(0, &jsonError{faultUTF8, 0, "the input is UTF-16; send UTF-8"})
		}
	}
	at, c := r.skipSpace(0)
	r.in.pos += at
	if len(r.in.rest()) == 0 {
		if r.in.err != io.EOF {
			return r.in.syntaxError(0, "")
		}
		return io.EOF
	}
	if r.single && r.values > 0 {
		return r.in.syntaxError(0, "there is something after the end of the JSON value")
	}
	r.values++
	if c == '{' {
		r.head = head{start: r.in.offset()}
		r.state = inMembers
		return nil
	}
	return r.strayValue()
}

// strayValue reads a top-level value that is no object.
func (r *Reader) strayValue() error {
	start := r.in.offset()
	reason, rule := fmt.Sprintf("it is larger than %d bytes", r.limits.ObjectBytes), "too-large"
	n, err := r.parseAt(0)
	switch {
	case err == nil:
		reason, rule = fmt.Sprintf("it is %v", r.json.nodes[0].kind), "not-an-object"
		r.in.pos += n
	case err.fault != faultTooLarge && !err.perObject():
		return r.in.jsonError(0, err)
	default:
		if err.perObject() && err.fault != faultTooLarge {
			reason, rule = err.reason, err.rule()
		}
		if err := r.skipValue(); err != nil {
			return err
		}
	}
	if r.values == 1 {
		if rule == "not-an-object" && r.json.nodes[0].kind == kindArray {
			reason += "; make it the objects of a bundle"
		}
		return &ContainerError{Offset: start, Rule: "not-a-container", Reason: reason}
	}
	return r.elementError(start, rule, "the element is no STIX object: "+reason)
}

// parseAt parses the value at a distance from the first unconsumed byte, reading as much of the input as it needs and
// the limit for one object allows. It consumes nothing; the tree is valid until the next fill. The outcome depends on the
// bytes within the limit only, not on the pieces in which they arrive.
func (r *Reader) parseAt(at int) (int, *jsonError) {
	n, err := r.parseWithin(at)
	if err != nil && err.fault == faultTruncated {
		r.await(at)
		n, err = r.parseWithin(at)
	}
	if err != nil && err.fault == faultTruncated {
		err.fault = faultTooLarge
	}
	return n, err
}

// parseWithin parses what is in memory of the value, up to the limit.
func (r *Reader) parseWithin(at int) (int, *jsonError) {
	data := r.in.rest()[at:]
	limit := max(r.limits.ObjectBytes-at, 0)
	if len(data) <= limit {
		return r.json.parse(data, r.limits.Depth, r.in.ended())
	}
	return r.json.parse(data[:limit], r.limits.Depth, false)
}

// await reads until the value at the distance is complete or the input ends; false if it is larger than the limit.
func (r *Reader) await(at int) bool {
	var e extent
	for {
		n, done := e.scan(r.in.rest()[at:])
		at += n
		switch {
		case at > r.limits.ObjectBytes:
			return false
		case done || !r.in.fill():
			return true
		}
	}
}

// skipValue consumes the value at the first unconsumed byte whatever its size, checking brackets and quotes only.
func (r *Reader) skipValue() error {
	var e extent
	for {
		n, done := e.scan(r.in.rest())
		r.in.pos += n
		if done {
			return nil
		}
		if !r.in.fill() {
			if e.scalar && r.in.err == io.EOF {
				return nil
			}
			return r.in.syntaxError(0, endsEarly)
		}
	}
}
