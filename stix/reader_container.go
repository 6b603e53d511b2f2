package stix

import "slices"

// head is what is known of a top-level object while it is read. Until it is decided whether it is a container or a STIX
// object, nothing of it is consumed.
type head struct {
	start       int64
	decided     bool
	members     []string // names seen, to find repeated ones
	elements    int
	typ         string
	id          string
	specVersion string
	next        string
	more        bool
	paging      bool // "more" or "next" was seen
	objects     bool // "objects" was a list
}

// maxContainerMembers bounds the members of a bundle or envelope, whose standards define five and three.
const maxContainerMembers = 256

// members reads members of a top-level object until its kind is decided, the list of objects begins or it ends.
func (r *Reader) members() error {
	h := &r.head
	at := 0
	if len(h.members) == 0 {
		at = 1 // the opening bracket
	}
	for {
		var c byte
		if at, c = r.skipSpace(at); c == '}' {
			return r.endContainer(at + 1)
		}
		if len(h.members) > 0 {
			if c != ',' {
				return r.memberError(at, "a comma or } is missing after a member of an object")
			}
			at, c = r.skipSpace(at + 1)
		}
		if c != '"' {
			return r.memberError(at, "the name of a member, in double quotes, is missing")
		}
		done, err := r.member(&at)
		if done || err != nil {
			return err
		}
		if h.decided {
			r.in.pos += at
			at = 0
		}
	}
}

// member reads one member at the distance and moves it behind. It is done when the state changed.
func (r *Reader) member(at *int) (done bool, err error) {
	h := &r.head
	n, jerr := r.parseAt(*at)
	if jerr != nil {
		return true, r.memberFault(*at, jerr)
	}
	name := r.json.text(0)
	if slices.Contains(h.members, name) {
		return true, r.memberFault(*at, &jsonError{faultDuplicate, 0, repeated(name)})
	}
	if h.members = append(h.members, name); len(h.members) > maxContainerMembers && h.decided {
		return true, r.in.syntaxError(*at, "the bundle or envelope has too many members beside its objects")
	}
	var c byte
	if *at, c = r.skipSpace(*at + n); c != ':' {
		return true, r.memberError(*at, "a colon is missing after the name of a member")
	}
	*at, c = r.skipSpace(*at + 1)
	if name == "objects" && c == '[' {
		r.in.pos += *at + 1
		h.decided, h.objects, h.elements = true, true, 0
		r.state = inElements
		return true, nil
	}
	if n, jerr = r.parseAt(*at); jerr != nil {
		return true, r.memberFault(*at, jerr)
	}
	*at += n
	return r.note(name), nil
}

// note takes over the member whose value has just been parsed; it reports whether a STIX object was recognised.
func (r *Reader) note(name string) bool {
	h := &r.head
	isString := r.json.nodes[0].kind == kindString
	switch {
	case name == "type" && isString:
		h.typ = r.json.text(0)
		if h.typ == "bundle" {
			h.decided = true
		} else if !h.decided {
			r.state, r.kind = inObject, ContainerObject
			return true
		}
	case name == "id" && isString:
		h.id = r.json.text(0)
	case name == "spec_version" && isString:
		h.specVersion = r.json.text(0)
	case name == "next" && isString:
		h.next, h.paging = r.json.text(0), true
	case name == "more" && (r.json.nodes[0].kind == kindTrue || r.json.nodes[0].kind == kindFalse):
		h.more, h.paging = r.json.nodes[0].kind == kindTrue, true
	}
	return false
}

// memberError is a syntax error between members, or an element too large to tell what it is.
func (r *Reader) memberError(at int, reason string) error {
	if r.undecided() && at > r.limits.ObjectBytes {
		return r.memberFault(at, &jsonError{fault: faultTooLarge})
	}
	return r.in.syntaxError(at, reason)
}

// memberFault turns an error inside a member into the error of the container, or of the one object it may be.
func (r *Reader) memberFault(at int, e *jsonError) error {
	switch {
	case e.fault == faultTooLarge || e.perObject():
		if r.undecided() {
			r.state = betweenValues
			return r.spoiled(e)
		}
		if e.fault == faultTooLarge {
			e.reason = "a member of the bundle or envelope is larger than the limit for one object"
		}
	}
	return r.in.jsonError(at, e)
}

// endContainer ends a top-level object of which n bytes are not consumed.
func (r *Reader) endContainer(n int) error {
	h := &r.head
	if r.undecided() && slices.Contains(h.members, "type") {
		r.state, r.kind = inObject, ContainerObject // its type is no string: an object, which Check tells what is wrong with
		return nil
	}
	r.in.pos += n
	r.state = betweenValues
	notContainer := func(reason string) error {
		rule := "not-a-container"
		if h.typ == "bundle" {
			rule = "bundle-objects"
		}
		if r.values > 1 && !h.objects {
			return r.elementError(h.start, rule, "the element is no STIX object: "+reason)
		}
		return &ContainerError{Offset: h.start, Rule: rule, Reason: reason}
	}
	switch {
	case h.typ == "bundle":
		r.kind = ContainerBundle
		if h.objects && h.elements == 0 {
			return notContainer("the bundle's list of objects is empty; leave it out (STIX 2.1 §8.1)")
		}
		if !h.objects && slices.Contains(h.members, "objects") {
			return notContainer("the bundle's objects are not a list")
		}
	case h.typ != "":
		return notContainer("an object of type " + quoteShort(h.typ) + ` has a list "objects" in front of its type`)
	case slices.Contains(h.members, "type"):
		return notContainer("its type is not a string")
	case h.objects || h.paging || len(h.members) == 0:
		r.kind = ContainerEnvelope
		if !h.objects && slices.Contains(h.members, "objects") {
			return notContainer("the envelope's objects are not a list")
		}
	default:
		return notContainer("an object without a type and without a list of objects")
	}
	return nil
}
