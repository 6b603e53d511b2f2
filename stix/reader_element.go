package stix

import (
	"bytes"
	"fmt"
)

// nextElement reads the next element of the list of objects; nothing and no error at the end of the list.
func (r *Reader) nextElement() ([]byte, error) {
	at, c := r.skipSpace(0)
	r.in.pos += at
	switch {
	case c == ']':
		r.in.pos++
		r.state = inMembers
		return nil, nil
	case r.head.elements == 0:
	case c == ',':
		at, _ = r.skipSpace(1)
		r.in.pos += at
	default:
		return nil, r.in.syntaxError(0, "a comma or ] is missing after an element of a list")
	}
	r.head.elements++
	return r.element()
}

// element reads the value at the first unconsumed byte as a STIX object.
func (r *Reader) element() ([]byte, error) {
	if r.index >= r.limits.Objects {
		return nil, fmt.Errorf("%w (%d)", ErrTooManyObjects, r.limits.Objects)
	}
	start := r.in.offset()
	n, err := r.parseAt(0)
	if err != nil {
		if err.fault == faultTooLarge || err.perObject() {
			return nil, r.spoiled(err)
		}
		return nil, r.in.jsonError(0, err)
	}
	src := r.in.rest()[:n]
	r.in.pos += n
	switch {
	case r.json.nodes[0].kind != kindObject:
		return nil, r.elementError(start, "not-an-object", fmt.Sprintf("the element is %v, not a STIX object", r.json.nodes[0].kind))
	case r.json.memberText("type") == "bundle":
		e := r.elementError(start, "bundle-objects", "the element is a bundle; a bundle cannot be an object of another container (STIX 2.1 §8)")
		e.ID, e.Type = Identifier(r.json.memberText("id")), "bundle"
		return nil, e
	}
	r.index++
	if !r.json.spaces {
		return bytes.Clone(src), nil
	}
	r.compact = appendCompact(r.compact[:0], src)
	return bytes.Clone(r.compact), nil
}

// elementError counts the element and says what is wrong with it.
func (r *Reader) elementError(start int64, rule, reason string) *ElementError {
	e := &ElementError{Index: r.index, Offset: start, Rule: rule, Reason: reason}
	r.index++
	return e
}

// spoiled skips the element at the first unconsumed byte, which breaks a per-object rule, and describes it.
func (r *Reader) spoiled(cause *jsonError) error {
	reason, rule := cause.reason, cause.rule()
	if !r.await(0) || cause.fault == faultTooLarge {
		rule, reason = "too-large", fmt.Sprintf("the object is larger than %d bytes", r.limits.ObjectBytes)
	}
	e := r.elementError(r.in.offset(), rule, reason)
	e.ID, e.Type = recoverIdentity(r.in.rest()[:min(len(r.in.rest()), r.limits.ObjectBytes)])
	if err := r.skipValue(); err != nil {
		return err
	}
	return e
}

// recoverIdentity looks for a valid id and type among the members at the top of an object that is broken or cut.
func recoverIdentity(src []byte) (id Identifier, typ string) {
	idText, typeText := identityMembers(src)
	if checkIdentifier(idText) == nil {
		id = Identifier(idText)
	}
	if isTypeName(typeText) {
		typ = string(typeText)
	}
	return id, typ
}

// identityMembers finds the texts of id and type as they are written between their quotes, nil for what is missing or no
// string.
func identityMembers(src []byte) (id, typ []byte) {
	if len(src) == 0 || src[0] != '{' {
		return nil, nil
	}
	depth, nameNext := 0, false
	name := ""
	for i := 0; i < len(src) && (id == nil || typ == nil); {
		switch src[i] {
		case '{', '[':
			depth++
			nameNext = depth == 1
		case '}', ']':
			depth--
			if depth <= 0 {
				return id, typ
			}
		case ',':
			nameNext = depth == 1
		case '"':
			stop := stringEnd(src, i)
			if stop == len(src) {
				return id, typ
			}
			text := src[i+1 : stop-1]
			switch {
			case depth != 1:
			case nameNext:
				name, nameNext = string(text[:min(len(text), 8)]), false
			case name == "id" && id == nil:
				id = text
			case name == "type" && typ == nil:
				typ = text
			}
			i = stop
			continue
		}
		i++
	}
	return id, typ
}
