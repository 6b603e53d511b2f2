package stix

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// ErrNotDeterministic says that an object has no deterministic identifier: it is no cyber-observable of the standard, or it
// has none of the properties that contribute to one (§2.9). Such an object gets a random identifier.
var ErrNotDeterministic = errors.New("the object has no property that contributes to a deterministic identifier")

// observableNamespace is the UUIDv5 namespace for identifiers of cyber-observables (§2.9).
var observableNamespace = uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")

// contributing are the id-contributing properties of the cyber-observables (§6), in the order of RFC 8785. A process has
// none.
var contributing = map[string][]string{
	"artifact":             {"hashes", "payload_bin"},
	"autonomous-system":    {"number"},
	"directory":            {"path"},
	"domain-name":          {"value"},
	"email-addr":           {"value"},
	"email-message":        {"body", "from_ref", "subject"},
	"file":                 {"extensions", "hashes", "name", "parent_directory_ref"},
	"ipv4-addr":            {"value"},
	"ipv6-addr":            {"value"},
	"mac-addr":             {"value"},
	"mutex":                {"name"},
	"network-traffic":      {"dst_port", "dst_ref", "end", "extensions", "protocols", "src_port", "src_ref", "start"},
	"software":             {"cpe", "name", "swid", "vendor", "version"},
	"url":                  {"value"},
	"user-account":         {"account_login", "account_type", "user_id"},
	"windows-registry-key": {"key", "values"},
	"x509-certificate":     {"hashes", "serial_number"},
}

// hashPreference is the order in which one hash is chosen to contribute.
var hashPreference = [...]string{"MD5", "SHA-1", "SHA-256", "SHA-512"}

// DeterministicIdentifier computes the identifier that §2.9 asks a cyber-observable to have: type + "--" + UUIDv5 of the
// RFC 8785 form of its id-contributing properties. raw is the object, with or without an id. Values count as they are
// written; of several hashes only one counts, the first of MD5, SHA-1, SHA-256 and SHA-512, else the first key in code
// point order. The error is ErrNotDeterministic where a random identifier is to be used.
func DeterministicIdentifier(raw []byte) (Identifier, error) {
	t := trees.Get().(*tree)
	defer t.release()
	if err := t.parseObject(raw); err != nil {
		return "", err
	}
	return t.deterministicIdentifier(0)
}

// deterministicIdentifier is DeterministicIdentifier of the object at node object.
func (t *tree) deterministicIdentifier(object int) (Identifier, error) {
	typ := ""
	if i := t.member(object, "type"); i > 0 && t.nodes[i].kind == kindString {
		typ = t.typeName(i)
	}
	buf := append(make([]byte, 0, 256), '{')
	canonical := true
	for _, name := range contributing[typ] {
		i := t.member(object, name)
		if i == 0 {
			continue
		}
		if len(buf) > 1 {
			buf = append(buf, ',')
		}
		buf = append(buf, '"')
		buf = append(buf, name...)
		buf = append(buf, '"', ':')
		n := t.nodes[i]
		if name == "hashes" && n.kind == kindObject && n.count > 0 {
			i = t.preferredHash(i)
			n = t.nodes[i]
			buf = append(buf, '{')
			buf = append(buf, t.src[n.name-1:n.nameStop+1]...)
			buf = append(buf, ':')
			buf = append(buf, t.src[n.start:n.stop]...)
			buf = append(buf, '}')
		} else {
			buf = append(buf, t.src[n.start:n.stop]...)
		}
		// Text without escape sequences is its own canonical form.
		canonical = canonical && n.kind == kindString && !n.escaped && !n.nameEscaped
	}
	if len(buf) == 1 {
		return "", fmt.Errorf("%w (type %s)", ErrNotDeterministic, quoteShort(typ))
	}
	v := jsontext.Value(append(buf, '}'))
	if !canonical {
		if err := v.Canonicalize(); err != nil {
			return "", fmt.Errorf("the object has no canonical form: %w", err)
		}
	}
	return Identifier(typ + "--" + uuid.NewSHA1(observableNamespace, v).String()), nil
}

// preferredHash returns the node of the one hash that counts.
func (t *tree) preferredHash(hashes int) int {
	for _, name := range hashPreference {
		if i := t.member(hashes, name); i > 0 {
			return i
		}
	}
	first := hashes + 1
	for c := first; c < int(t.nodes[hashes].end); c = int(t.nodes[c].end) {
		if string(t.nameBytes(c)) < string(t.nameBytes(first)) {
			first = c
		}
	}
	return first
}
