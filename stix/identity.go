package stix

import "strings"

// maxNameInReports bounds an id or type that is no valid one, in bytes.
const maxNameInReports = 250

// Identity returns the id and type of an object as they are written, valid or not, so that an object that was refused
// can be named; "" for what is missing or no string. Escapes stay escaped, and what is too long for a name is cut.
func Identity(raw []byte) (id, typ string) {
	name := func(text []byte) string {
		return strings.ToValidUTF8(string(text[:min(len(text), maxNameInReports)]), "")
	}
	idText, typeText := identityMembers(raw)
	return name(idText), name(typeText)
}
