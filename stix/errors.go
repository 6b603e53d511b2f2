package stix

import (
	"errors"
	"fmt"
)

// ErrNotContainer says that an input is well-formed JSON but neither a STIX bundle, a TAXII envelope nor a STIX object.
var ErrNotContainer = errors.New("the JSON is neither a STIX bundle, a TAXII envelope nor a STIX object")

// ErrTooManyObjects says that an input holds more objects than Limits.Objects; those before were read.
var ErrTooManyObjects = errors.New("the input holds more objects than the limit allows; split it")

// SyntaxError is malformed JSON: it ends reading, objects before it stand. Line and Column (in bytes) begin at 1.
type SyntaxError struct {
	Offset       int64
	Line, Column int
	// Rule is the stable name of what is wrong: json-syntax, truncated, bad-utf8, byte-order-mark, or for a bundle or
	// envelope as a whole also duplicate-member, too-deep, too-large and lone-surrogate.
	Rule   string
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("malformed JSON at line %d, column %d (byte %d): %s", e.Line, e.Column, e.Offset, e.Reason)
}

// ContainerError wraps ErrNotContainer with what was found instead, at a byte offset of the input.
type ContainerError struct {
	Offset int64
	// Rule is the stable name of what is wrong: not-a-container, or bundle-objects for a bundle.
	Rule   string
	Reason string
}

func (e *ContainerError) Error() string { return fmt.Sprintf("%v: %s", ErrNotContainer, e.Reason) }

// Unwrap returns ErrNotContainer.
func (e *ContainerError) Unwrap() error { return ErrNotContainer }

// ElementError is one element of an input that cannot be taken as an object. Its siblings can still be read.
type ElementError struct {
	// Index counts the elements of the input from 0, those with errors included.
	Index int
	// Offset is where the element begins, in bytes from the beginning of the input.
	Offset int64
	// ID and Type are what could be recovered of the element's own id and type, else "".
	ID   Identifier
	Type string
	// Rule is the stable name of what is wrong: duplicate-member, lone-surrogate, too-deep, too-large, not-an-object,
	// not-a-container or bundle-objects.
	Rule string
	// Reason is a sentence without the position.
	Reason string
}

func (e *ElementError) Error() string {
	name := ""
	if e.ID != "" {
		name = " (" + string(e.ID) + ")"
	}
	return fmt.Sprintf("object %d%s at byte %d: %s", e.Index, name, e.Offset, e.Reason)
}
