package taxii

import (
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// maxMessage bounds the message of one object in a status resource, in octets.
const maxMessage = 1000

// What is recorded of the violations of one object at most: a submission holds them of all its objects in memory.
const (
	maxRecorded      = 32
	maxRecordedPath  = 500  // octets
	maxRecordedBytes = 4000 // octets of text
)

// StoredAlthough begins the message of a success that was stored although it breaks rules of STIX 2.1; what it breaks
// follows.
const StoredAlthough = "stored although it breaks rules of STIX 2.1: "

// StoredMessage is the message of a success that was stored with violations: StoredAlthough and what they are, in at most
// 1,000 octets. It is "" where there are none.
func StoredMessage(violations []stix.Violation) string {
	if len(violations) == 0 {
		return ""
	}
	return StoredAlthough + joinWithin(violations, maxMessage-len(StoredAlthough))
}

// NotServed begins the message of a success that nobody is served yet, because of a marking of its own that its collection
// does not know the meaning of; the id of the marking and what to do follow.
const NotServed = "stored, but nobody is served it: this collection does not know what its marking means, "

// UnservedMessage is StoredMessage of an object with a marking whose meaning its collection does not know: NotServed and what
// to do, after what the object breaks.
func UnservedMessage(marking stix.Identifier, violations []stix.Violation) string {
	message := NotServed + cut(string(marking), maxRecordedPath) + "; publish the definition of that marking here, a statement (STIX 2.1 §7.2.1.3)"
	if len(violations) == 0 {
		return message
	}
	const between = " | "
	return StoredAlthough + joinWithin(violations, maxMessage-len(StoredAlthough)-len(between)-len(message)) + between + message
}

// Recordable is what is recorded of the violations of an object that is stored: the first ones, at most 32 with 4,000
// octets of text. Checking the object again tells all. The list is a copy; nil for none.
func Recordable(violations []stix.Violation) []stix.Violation {
	var kept []stix.Violation
	size := 0
	for _, v := range violations[:min(len(violations), maxRecorded)] {
		v.Path, v.Message = cut(v.Path, maxRecordedPath), cut(v.Message, maxMessage)
		if size += len(v.Path) + len(v.Rule) + len(v.Section) + len(v.Message); size > maxRecordedBytes && len(kept) > 0 {
			break
		}
		kept = append(kept, v)
	}
	return kept
}

// joinViolations says all violations in one message: where, what, and the section of STIX 2.1.
func joinViolations(violations []stix.Violation) string { return joinWithin(violations, maxMessage) }

// joinWithin is joinViolations within a number of octets.
func joinWithin(violations []stix.Violation, limit int) string {
	var b strings.Builder
	for i, v := range violations {
		if b.Len() > limit {
			break
		}
		if i > 0 {
			b.WriteString(" | ")
		}
		if v.Path != "" {
			b.WriteString(v.Path + ": ")
		}
		b.WriteString(v.Message)
		if v.Section != "" && v.Section != stix.SectionReading {
			b.WriteString(" (STIX §" + v.Section + ")")
		}
	}
	text := b.String()
	if len(text) <= limit {
		return text
	}
	const more = " …"
	return cut(text, limit-len(more)) + more
}
