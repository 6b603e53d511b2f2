package stix

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Options say how Check checks.
type Options struct {
	// Limits bound the object; zero fields mean the defaults.
	Limits Limits
	// CheckPattern checks the pattern of an indicator whose pattern_type is "stix". One whose pattern_version is "2.0" is
	// left alone, as that language differs. Nil: the pattern only must not be empty.
	CheckPattern func(pattern string) error
	// PatternTimes returns the timestamps of all START … STOP qualifiers of a pattern that CheckPattern accepts, for the
	// warning that they lie outside of the indicator's validity (§9.5.1). Nil: no such warning.
	PatternTimes func(pattern string) (start, stop []Timestamp)
	// Now is the clock for the warning that an object is dated in the future. Nil: no such warning.
	Now func() time.Time
	// Pedantic adds the warnings about recommendations that nearly all published objects disregard, or that depend on
	// what only the producer knows: SHA-256 among hashes "whenever possible" (§2.7), lang (§3.2), ISO 3166-2 codes
	// (§4.10.1), and that a pattern of STIX 2.0 is not checked (§4.7.1). Without it they would hide the other warnings.
	Pedantic bool
	// MaxViolations is how many errors and warnings are reported for one input, 0 meaning 100.
	MaxViolations int
}

const defaultMaxViolations = 100

// Report is what Check found.
type Report struct {
	// Errors are violations of what the standard requires, Warnings of what it recommends or calls deprecated.
	Errors   []Violation `json:"errors"`
	Warnings []Violation `json:"warnings"`
	// Truncated says that there were more violations than Options.MaxViolations.
	Truncated bool `json:"truncated,omitempty"`
}

// Violation is one thing that is wrong with an object.
type Violation struct {
	// Path leads to the property from the top of the object, like external_references[0].url; "" is the object itself.
	Path string `json:"path"`
	// Rule is a stable name of the rule, in kebab case.
	Rule string `json:"rule"`
	// Section is the section of STIX 2.1 that has the rule, like 4.7.1; SectionReading for what is no rule of STIX.
	Section string `json:"section"`
	// Message is a sentence that says what to do.
	Message string `json:"message"`
	// Structural says that an exchange cannot handle the object without this: JSON, type, id, version timestamps,
	// revocation, creator or markings. Whoever accepts imperfect content may accept errors that are not structural.
	Structural bool `json:"-"`
}

// OK reports whether there are no errors.
func (r *Report) OK() bool { return len(r.Errors) == 0 }

// Acceptable reports whether an exchange can handle the object: there are no structural errors.
func (r *Report) Acceptable() bool {
	for _, v := range r.Errors {
		if v.Structural {
			return false
		}
	}
	return true
}

// String is the violation as one line: path, message, section and rule.
func (v Violation) String() string {
	path := v.Path
	if path != "" {
		path += ": "
	}
	if v.Section == SectionReading {
		return fmt.Sprintf("%s%s (%s, %s)", path, v.Message, v.Section, v.Rule)
	}
	return fmt.Sprintf("%s%s (STIX 2.1 §%s, %s)", path, v.Message, v.Section, v.Rule)
}

// Check validates one STIX Object, or a bundle with all objects in it, against STIX 2.1. The object is nil only where raw
// is not one acceptable JSON object, or where neither its type nor its id could be read; errors do not suppress it. Raw of
// the object is raw itself.
func Check(raw []byte, o Options) (*Object, Report) {
	c := checkers.Get().(*checker)
	defer c.release()
	c.start(o)
	object, err := parseInto(&c.tree, raw, c.limits)
	if err != nil {
		return nil, Report{Errors: []Violation{readingViolation(err.rule, err.reason)}}
	}
	c.topLevel(0)
	c.numbers()
	if object.Type == "" && object.ID == "" {
		object = nil
	}
	return object, c.report
}

// numbers reports the numbers that have no canonical form (RFC 8785, RFC 7493 §2.2), unknown properties included: an
// object with one has no digest, so that nobody could tell two versions of it apart.
//
// The first of them makes the object unacceptable, so that those beyond the number of violations that are reported are not
// looked at: to name a property takes time that grows with the object.
func (c *checker) numbers() {
	left := c.MaxViolations
	for i := range c.nodes {
		if c.nodes[i].kind != kindNumber {
			continue
		}
		err := checkNumber(c.raw(i))
		if err == nil {
			continue
		}
		if left--; left < 0 {
			c.report.Truncated = true
			return
		}
		if path := c.path(i); !c.makeStructural(path) {
			c.broken(i, "number", "2.6", "The number %s %v; write it as a string, or with fewer digits.", quoteShort(c.raw(i)), err)
		}
	}
}

// makeStructural makes the errors at a path structural; false if there is none.
func (c *checker) makeStructural(path string) bool {
	found := false
	for i := range c.report.Errors {
		if c.report.Errors[i].Path == path {
			c.report.Errors[i].Structural, found = true, true
		}
	}
	return found
}

// checker is the state of one Check. It is used again, so that a check allocates little.
type checker struct {
	tree
	Options
	limits     Limits
	top        int    // its node
	structural bool   // the property being checked is one that an exchange decides by
	toplevel   bool   // the object has an extension that defines properties at the top
	container  int    // the observable-container that references resolve in, 0 outside of one
	future     string // sort key of the instant after which a version is dated in the future, "" until it is asked for
	steps      int    // left for work that is not linear in the size of the object
	report     Report
}

var checkers = sync.Pool{New: func() any { return new(checker) }}

// maxSteps bounds the search for what selectors and references inside a container point to.
const maxSteps = 2_000_000

func (c *checker) start(o Options) {
	c.Options, c.limits = o, o.Limits.withDefaults()
	if c.MaxViolations <= 0 {
		c.MaxViolations = defaultMaxViolations
	}
	c.steps = maxSteps
}

// release drops everything that belongs to the caller.
func (c *checker) release() {
	*c = checker{tree: c.emptied()}
	checkers.Put(c)
}

// fail reports an error of node i; it is structural if the property being checked is.
func (c *checker) fail(i int, rule, section, format string, args ...any) {
	c.add(&c.report.Errors, i, rule, section, c.structural, fmt.Sprintf(format, args...))
}

// fault reports an error of node i that is never structural.
func (c *checker) fault(i int, rule, section, format string, args ...any) {
	c.add(&c.report.Errors, i, rule, section, false, fmt.Sprintf(format, args...))
}

// broken reports an error of node i that is always structural.
func (c *checker) broken(i int, rule, section, format string, args ...any) {
	c.add(&c.report.Errors, i, rule, section, true, fmt.Sprintf(format, args...))
}

// warn reports a warning of node i.
func (c *checker) warn(i int, rule, section, format string, args ...any) {
	c.add(&c.report.Warnings, i, rule, section, false, fmt.Sprintf(format, args...))
}

// add records a violation. At the limit, an error takes the place of a warning, and a structural error that of another
// error, so that OK and Acceptable never depend on how much else is wrong.
func (c *checker) add(list *[]Violation, i int, rule, section string, structural bool, message string) {
	r := &c.report
	isError := list == &r.Errors
	if len(r.Errors)+len(r.Warnings) >= c.MaxViolations {
		r.Truncated = true
		last := len(r.Errors) - 1
		switch {
		case isError && len(r.Warnings) > 0:
			r.Warnings = r.Warnings[:len(r.Warnings)-1]
		case isError && structural && !r.Errors[last].Structural:
			r.Errors = r.Errors[:last]
		default:
			return
		}
	}
	*list = append(*list, Violation{c.path(i), rule, section, message, structural})
}

// path writes the way from the top to node i.
func (t *tree) path(i int) string {
	var b strings.Builder
	for at := 0; at < i; {
		n := &t.nodes[at]
		index, child := 0, at+1
		for int(t.nodes[child].end) <= i {
			child = int(t.nodes[child].end)
			index++
		}
		if n.kind == kindArray {
			fmt.Fprintf(&b, "[%d]", index)
		} else {
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(short(t.nameBytes(child)))
		}
		at = child
	}
	return b.String()
}

// short is text for a path: cut after 80 bytes.
func short(text []byte) string {
	const limit = 80
	if len(text) <= limit {
		return string(text)
	}
	return strings.ToValidUTF8(string(text[:limit]), "") + "…"
}
