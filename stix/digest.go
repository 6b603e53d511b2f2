package stix

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Digest is the SHA-256 of the object's RFC 8785 canonical form: equal for the same content however it was written. It
// fails where the canonical form would lose something (RFC 7493): repeated member names, integers beyond ±(2^53−1),
// numbers too large, too small or with more digits than a float64 can tell apart.
func (o *Object) Digest() ([sha256.Size]byte, error) {
	t := trees.Get().(*tree)
	defer t.release()
	if err := t.parseObject(o.Raw); err != nil {
		return [sha256.Size]byte{}, err
	}
	return digest(bytes.Clone(o.Raw))
}

// Norm is Digest after dropping the properties at the top that equal their STIX default, which is the same
// representation by §3.6: revoked false, defanged false, lang "en", spec_version "2.1" of a cyber-observable, and summary
// false of a sighting.
func (o *Object) Norm() ([sha256.Size]byte, error) {
	t := trees.Get().(*tree)
	defer t.release()
	if err := t.parseObject(o.Raw); err != nil {
		return [sha256.Size]byte{}, err
	}
	typ := t.memberText("type")
	buf := append(make([]byte, 0, len(o.Raw)+1), '{')
	for i := 1; i < len(t.nodes); i = int(t.nodes[i].end) {
		if t.isDefault(i, typ) {
			continue
		}
		if len(buf) > 1 {
			buf = append(buf, ',')
		}
		n := t.nodes[i]
		buf = append(buf, t.src[n.name-1:n.nameStop+1]...)
		buf = append(buf, ':')
		buf = append(buf, t.src[n.start:n.stop]...)
	}
	return digest(append(buf, '}'))
}

// isDefault reports whether the member of the topmost object has the value that its absence means.
func (t *tree) isDefault(i int, typ string) bool {
	n := &t.nodes[i]
	equals := func(text string) bool { return n.kind == kindString && string(t.bytes(i)) == text }
	switch string(t.nameBytes(i)) {
	case "revoked", "defanged":
		return n.kind == kindFalse
	case "summary":
		return n.kind == kindFalse && typ == "sighting"
	case "lang":
		return equals("en")
	case "spec_version":
		return equals("2.1") && classOf(typ) == classSCO
	}
	return false
}

// parseObject parses a JSON object whose numbers survive canonicalisation.
func (t *tree) parseObject(raw []byte) error {
	if err := t.parseAll(raw, maxDepth); err != nil {
		return fmt.Errorf("the object has no canonical form: %w", err)
	}
	if t.nodes[0].kind != kindObject {
		return fmt.Errorf("the value is %v, not a STIX object", t.nodes[0].kind)
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.kind != kindNumber {
			continue
		}
		if err := checkNumber(t.src[n.start:n.stop]); err != nil {
			return fmt.Errorf("the object has no canonical form: the number %s %w", quoteShort(t.src[n.start:n.stop]), err)
		}
	}
	return nil
}

var (
	errIntegerRange = errors.New("is an integer beyond ±(2^53−1)")
	errNumberRange  = errors.New("is too large or too small for a float64")
	errNumberDigits = errors.New("has more than the 17 digits that a float64 can tell apart")
)

// maxInteger is the largest integer of STIX (§2.10) and of I-JSON, 2^53−1.
const maxInteger = 1<<53 - 1

// checkNumber reports whether a JSON number is within I-JSON (RFC 7493 §2.2).
func checkNumber(text []byte) error {
	if !bytes.ContainsAny(text, ".eE") {
		v, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || v > maxInteger || v < -maxInteger {
			return errIntegerRange
		}
		return nil
	}
	digits := significantDigits(text)
	v, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil || math.IsInf(v, 0) || v == 0 && digits > 0:
		return errNumberRange
	case digits > 17:
		return errNumberDigits
	}
	return nil
}

// significantDigits counts the digits of a number without zeros at either end, 0 for zero.
func significantDigits(text []byte) int {
	count, zeros := 0, 0
	for _, c := range text {
		switch {
		case c == 'e' || c == 'E':
			return count
		case c == '0':
			zeros++
		case '1' <= c && c <= '9':
			if count > 0 {
				count += zeros
			}
			zeros = 0
			count++
		}
	}
	return count
}

// digest canonicalises buf, which it may overwrite.
func digest(buf []byte) ([sha256.Size]byte, error) {
	v := jsontext.Value(buf)
	if err := v.Canonicalize(); err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("the object has no canonical form: %w", err)
	}
	return sha256.Sum256(v), nil
}
