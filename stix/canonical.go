package stix

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Canonical returns the RFC 8785 canonical form of a JSON object: the same bytes for the same content however it was
// written. It fails for what is no JSON object, and where the form would lose something (RFC 7493): see Object.Digest.
func Canonical(object []byte) ([]byte, error) {
	t := trees.Get().(*tree)
	defer t.release()
	if err := t.parseObject(object); err != nil {
		return nil, err
	}
	v := jsontext.Value(bytes.Clone(object))
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("the object has no canonical form: %w", err)
	}
	return v, nil
}
