package federation

import (
	"crypto/sha1" // UUIDv5 is defined by SHA-1 (RFC 9562 §5.5); nothing is secured by it
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// maxEntityID is the longest entity id in bytes.
const maxEntityID = 255

const loopbackPrefix = "http://127.0.0.1:"

// ParseEntityID accepts an entity id in its one normal form: https, a lower-case ASCII host name of at least two labels
// (an internationalised name in its xn-- form, never an IP address), a port only where it is not 443, a path only of
// plain segments, no trailing slash; or http://127.0.0.1:PORT and nothing behind it. There is no normalisation: what
// isn't in that form is refused with a sentence that says why.
func ParseEntityID(s string) (EntityID, error) {
	if err := checkEntityID(s); err != nil {
		return "", fmt.Errorf("entity id %.300q: %w", s, err)
	}
	return EntityID(s), nil
}

func checkEntityID(s string) error {
	if s == "" {
		return fmt.Errorf("it is empty; an entity id is an https URL such as https://node.example")
	}
	if len(s) > maxEntityID {
		return fmt.Errorf("it has %d characters, more than %d", len(s), maxEntityID)
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			return fmt.Errorf("it has a character outside printable ASCII; write an internationalised host name in its xn-- form")
		}
	}
	if port, ok := strings.CutPrefix(s, loopbackPrefix); ok {
		return checkPort(port, "80")
	}
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		return fmt.Errorf("it must begin with https:// (http://127.0.0.1:PORT is for nodes on one machine)")
	}
	if strings.ContainsAny(rest, "?#@\\%") {
		return fmt.Errorf("it must have no query, fragment, user info, backslash or percent-encoding")
	}
	authority, path, hasPath := strings.Cut(rest, "/")
	host, port, hasPort := strings.Cut(authority, ":")
	if hasPort {
		if err := checkPort(port, "443"); err != nil {
			return err
		}
	}
	if err := checkHost(host); err != nil {
		return err
	}
	if hasPath {
		return checkPath(path)
	}
	return nil
}

func checkPort(port, standard string) error {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("the port must be a number from 1 to 65535 without leading zeros and with nothing behind it")
	}
	if port == standard {
		return fmt.Errorf("the standard port %s must be left out", standard)
	}
	return nil
}

// checkHost accepts host names of RFC 1123, lower case. A last label that begins with a digit is refused: no such top
// level domain exists, and URL libraries read 127.1 or 0x7f.1 as an IP address.
func checkHost(host string) error {
	labels := strings.Split(host, ".")
	if len(host) > 253 || len(labels) < 2 {
		return fmt.Errorf("the host must be a full host name such as node.example, not an IP address in brackets or a bare name")
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("the host %q has an empty, too long or badly hyphenated label", host)
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return fmt.Errorf("the host %q must have only lower-case letters, digits and hyphens", host)
			}
		}
	}
	if c := labels[len(labels)-1][0]; c >= '0' && c <= '9' {
		return fmt.Errorf("the host %q is an IP address or would be read as one; an entity id has a host name", host)
	}
	return nil
}

func checkPath(path string) error {
	if path == "" || strings.HasSuffix(path, "/") {
		return fmt.Errorf("it must not end in a slash")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("its path must have no empty and no dot segment")
		}
		for i := range len(segment) {
			c := segment[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~", rune(c)) {
				return fmt.Errorf("its path must have only letters, digits and - . _ ~ between the slashes")
			}
		}
	}
	return nil
}

// Loopback tells whether the entity is a node on this machine, for development, demonstration and tests. Such a node and
// a real one never accept each other.
func (e EntityID) Loopback() bool { return strings.HasPrefix(string(e), loopbackPrefix) }

// sameWorld tells whether two nodes may speak at all: both real, or both on one machine.
func (e EntityID) sameWorld(other EntityID) bool { return e.Loopback() == other.Loopback() }

// DefaultAPIRoot is the address of the TAXII API root that an entity has unless its configuration names another.
func (e EntityID) DefaultAPIRoot() string { return string(e) + "/taxii2/main/" }

// identityNamespace is the UUIDv5 namespace of entity ids. It never changes: the STIX identities of all members follow
// from it.
var identityNamespace = [16]byte{0x6f, 0x1c, 0x9d, 0x4e, 0x2b, 0x57, 0x4a, 0x83, 0x9e, 0x60, 0xd8, 0x35, 0x0a, 0xf4, 0x71, 0xc2}

// Identity returns the STIX identity of the entity: "identity--" and the UUIDv5 of its id in this federation's fixed
// namespace.
func (e EntityID) Identity() stix.Identifier {
	h := sha1.New()
	h.Write(identityNamespace[:])
	h.Write([]byte(e))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50 // version 5
	u[8] = u[8]&0x3f | 0x80 // variant of RFC 9562
	t := hex.EncodeToString(u)
	return stix.Identifier("identity--" + t[:8] + "-" + t[8:12] + "-" + t[12:16] + "-" + t[16:20] + "-" + t[20:])
}
