package stix

import (
	"bytes"
	"fmt"
)

// CheckTranslation holds a language-content object against the object that it translates (§7.1.1), which Check cannot do
// as it sees one object: object_ref is the id of target, object_modified the instant of its modified, and what is
// translated has the form of the original: a string is a string, a list a list of the same length, an object an object.
// An item that is not translated is the empty string. Keys that target does not have, or whose value is no text, are to be
// ignored and are no violation. Both objects should have passed Check; what is malformed is passed over.
func CheckTranslation(content, target *Object) Report {
	m := mirror{steps: maxSteps}
	m.content, m.target = trees.Get().(*tree), trees.Get().(*tree)
	defer m.content.release()
	defer m.target.release()
	if m.content.parseAll(content.Raw, maxDepth) != nil || m.target.parseAll(target.Raw, maxDepth) != nil {
		return Report{}
	}
	c, o := m.content, m.target
	if n := c.member(0, "object_ref"); n > 0 && c.identifier(n) != target.ID {
		m.fail(n, RuleOtherObject, "The translation is of another object than %s.", quoteShort(target.ID))
		return m.report
	}
	if n := c.member(0, "object_modified"); n > 0 && !c.timestamp(n).Equal(o.timestampOf("modified")) {
		m.fail(n, "object-modified", "object_modified must be the modified of the object that is translated, %s.",
			orAbsent(o.timestampOf("modified").String()))
	}
	contents := c.member(0, "contents")
	if contents == 0 || c.nodes[contents].kind != kindObject {
		return m.report
	}
	for language := contents + 1; language < int(c.nodes[contents].end); language = int(c.nodes[language].end) {
		if c.nodes[language].kind == kindObject {
			m.members(language, 0)
		}
	}
	return m.report
}

// timestampOf is a member of the topmost object as a timestamp, the zero Timestamp if it is absent or malformed.
func (t *tree) timestampOf(name string) Timestamp {
	if n := t.member(0, name); n > 0 {
		return t.timestamp(n)
	}
	return Timestamp{}
}

// mirror walks a translation beside its original.
type mirror struct {
	content, target *tree
	steps           int // left for the search of names
	report          Report
}

func (m *mirror) fail(n int, rule, format string, args ...any) {
	if len(m.report.Errors) >= defaultMaxViolations {
		m.report.Truncated = true
		return
	}
	m.report.Errors = append(m.report.Errors,
		Violation{Path: m.content.path(n), Rule: rule, Section: "7.1.1", Message: fmt.Sprintf(format, args...)})
}

// members compares each member of the translation's object n with the member of that name of the original's object o.
func (m *mirror) members(n, o int) {
	for child := n + 1; child < int(m.content.nodes[n].end); child = int(m.content.nodes[child].end) {
		if original := m.find(o, m.content.nameBytes(child)); original > 0 {
			m.value(child, original)
		}
		if m.steps < 0 {
			if !m.report.Truncated {
				m.fail(n, "translation-too-large", "The translation is too large to be compared with an object of this size.")
			}
			m.report.Truncated = true
			return
		}
	}
}

// find returns the member of the original's object o that has the name, 0 if it has none or the steps are used up.
func (m *mirror) find(o int, name []byte) int {
	for n := o + 1; n < int(m.target.nodes[o].end); n = int(m.target.nodes[n].end) {
		if m.steps--; m.steps < 0 {
			return 0
		}
		if bytes.Equal(m.target.nameBytes(n), name) {
			return n
		}
	}
	return 0
}

// value compares one value of the translation with the original.
func (m *mirror) value(n, o int) {
	got, want := m.content.nodes[n].kind, m.target.nodes[o].kind
	switch {
	case want != kindString && want != kindArray && want != kindObject:
		return // not text, to be ignored
	case got != want:
		m.fail(n, "translation", "The translation is %v where the original is %v.", got, want)
	case want == kindObject:
		m.members(n, o)
	case want == kindArray:
		m.list(n, o)
	}
}

func (m *mirror) list(n, o int) {
	translated, original := m.content.nodes[n], m.target.nodes[o]
	if translated.count != original.count {
		m.fail(n, "translation", `The list has %d items and the original %d; write "" for items that are not translated.`,
			translated.count, original.count)
		return
	}
	for n, o = n+1, o+1; n < int(translated.end); n, o = int(m.content.nodes[n].end), int(m.target.nodes[o].end) {
		if m.content.nodes[n].kind != kindString || len(m.content.bytes(n)) > 0 {
			m.value(n, o)
		}
	}
}
