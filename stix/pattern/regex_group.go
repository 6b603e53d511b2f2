package pattern

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxRegexDepth bounds nested groups; Go's parser has a limit of its own, of 1000.
const maxRegexDepth = 500

// open reads an opening parenthesis and what belongs to it.
func (t *regexTranslator) open() error {
	if len(t.multiline) > maxRegexDepth {
		return fmt.Errorf("groups are nested deeper than %d", maxRegexDepth)
	}
	t.pos++
	switch t.peek() {
	case '?':
		t.pos++
		return t.special()
	case '*':
		if t.pos+1 < len(t.text) && isNameStart(t.text[t.pos+1]) {
			return t.refuseToParenthesis("a verb such as (*UTF)")
		}
	}
	t.push("(")
	return nil
}

// push opens a group that inherits the options of the one around it.
func (t *regexTranslator) push(s string) {
	t.out.WriteString(s)
	t.last = regexNothing
	t.multiline = append(t.multiline, t.multiline[len(t.multiline)-1])
}

// refuseToParenthesis passes over an unsupported construct that ends at the next closing parenthesis.
func (t *regexTranslator) refuseToParenthesis(construct string) error {
	body, _, closed := strings.Cut(t.text[t.pos:], ")")
	if !closed {
		return errors.New("a parenthesis is not closed")
	}
	t.pos += len(body) + 1
	t.refuse(construct)
	t.last = regexAtom
	return nil
}

// special reads what follows "(?".
func (t *regexTranslator) special() error {
	rest := t.text[t.pos:]
	for _, look := range []struct{ prefix, construct string }{
		{"=", "a look-ahead"}, {"!", "a look-ahead"}, {"<=", "a look-behind"}, {"<!", "a look-behind"},
		{">", "an atomic group"}, {"|", "a branch reset group"},
	} {
		if strings.HasPrefix(rest, look.prefix) {
			t.pos += len(look.prefix)
			t.refuse(look.construct)
			t.push("(")
			return nil
		}
	}
	switch c := t.peek(); {
	case c == '(':
		t.refuse("a conditional group")
		t.push("(")
		return nil
	case c == '#':
		body, _, closed := strings.Cut(rest, ")")
		if !closed {
			return errors.New("a comment is not closed")
		}
		t.pos += len(body) + 1
		return nil
	case c == '<', c == '\'':
		return t.named(1)
	case strings.HasPrefix(rest, "P<"):
		return t.named(2)
	case c == 'R', c == '&', c == 'C', isDigit(c), strings.HasPrefix(rest, "P="), strings.HasPrefix(rest, "P>"),
		(c == '+' || c == '-') && len(rest) > 1 && isDigit(rest[1]):
		return t.refuseToParenthesis("a recursion, subroutine call or back reference")
	}
	return t.options()
}

// named reads the name of a capturing group after an opening of n characters.
func (t *regexTranslator) named(n int) error {
	closing := ">"
	if t.peek() == '\'' {
		closing = "'"
	}
	name, _, closed := strings.Cut(t.text[t.pos+n:], closing)
	isName := closed && name != "" && !isDigit(name[0])
	for i := range len(name) {
		isName = isName && (isNameStart(name[i]) || isDigit(name[i]))
	}
	if !isName {
		return errors.New("a group name is not made of letters, digits and underscores")
	}
	t.pos += n + len(name) + 1
	t.push("(?P<" + name + ">")
	return nil
}

// options reads (?flags) or (?flags:.
func (t *regexTranslator) options() error {
	start, on := t.pos, true
	multiline := t.multiline[len(t.multiline)-1]
	for {
		c := t.peek()
		switch c {
		case ':', ')':
			return t.applyOptions(t.text[start:t.pos], multiline)
		case '-':
			if !on {
				return errors.New("an option list has two minus signs")
			}
			on = false
		case 'm':
			multiline = on
		case 'i', 's', 'U':
		case 'x', 'n', 'J', 'a', '^':
			t.refuse("the option " + string(rune(c)))
			// In extended mode even the parentheses may be comments.
			t.stopped = t.stopped || c == 'x'
		default:
			return errors.New(`"(?" is not followed by anything known`)
		}
		t.pos++
	}
}

func (t *regexTranslator) applyOptions(flags string, multiline bool) error {
	group := t.peek() == ':'
	t.pos++
	if flags = strings.TrimSuffix(flags, "-"); flags != "" || group {
		t.out.WriteString("(?" + flags)
	}
	if group {
		t.push(":")
	} else if flags != "" {
		t.out.WriteByte(')')
		t.last = regexNothing
	}
	t.multiline[len(t.multiline)-1] = multiline
	return nil
}

var regexClassNames = []string{"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
	"space", "upper", "word", "xdigit"}

// class reads a bracketed class and writes every single character as \x{…}, so that nothing in it can be misread.
func (t *regexTranslator) class() error {
	t.pos++
	t.out.WriteByte('[')
	if t.peek() == '^' {
		t.pos++
		t.out.WriteByte('^')
	}
	for first := true; ; first = false {
		if t.pos == len(t.text) {
			return errors.New("a bracket is not closed")
		}
		if t.peek() == ']' && !first {
			t.pos++
			t.emit("]")
			return nil
		}
		if err := t.classRange(); err != nil {
			return err
		}
	}
}

// classRange reads one element of a class, or a range of two.
func (t *regexTranslator) classRange() error {
	set, low, err := t.classElement()
	if err != nil {
		return err
	}
	isRange := t.peek() == '-' && t.pos+1 < len(t.text) && t.text[t.pos+1] != ']'
	if !isRange {
		t.classWrite(set, low)
		return nil
	}
	if set != "" {
		// [\d-z]: the hyphen is literal after a set.
		t.pos++
		t.classWrite(set, 0)
		t.classWrite("", '-')
		return nil
	}
	t.pos++
	highSet, high, err := t.classElement()
	switch {
	case err != nil:
		return err
	case highSet != "":
		t.classWrite("", low)
		t.classWrite("", '-')
		t.classWrite(highSet, 0)
	case low > high:
		return errors.New("a range in brackets is in the wrong order")
	default:
		fmt.Fprintf(&t.out, `\x{%x}-\x{%x}`, low, high)
	}
	return nil
}

func (t *regexTranslator) classWrite(set string, r rune) {
	if set == "" {
		set = fmt.Sprintf(`\x{%x}`, r)
	}
	t.out.WriteString(set)
}

// classElement reads a set or a single character inside brackets.
func (t *regexTranslator) classElement() (set string, r rune, err error) {
	if t.pos == len(t.text) {
		return "", 0, errors.New("a bracket is not closed")
	}
	switch t.text[t.pos] {
	case '\\':
		t.pos++
		switch t.peek() {
		case 0:
			return "", 0, errors.New("a backslash ends it")
		case 'b':
			t.pos++
			return "", '\b', nil
		case 'Q', 'E', 'N', 'B', 'R', 'X':
			t.refuse(`the escape \` + string(rune(t.peek())) + " in brackets")
		}
		return t.escapedItem()
	case '[':
		if t.pos+1 < len(t.text) {
			if kind := t.text[t.pos+1]; kind == ':' || kind == '.' || kind == '=' {
				if body, _, closed := strings.Cut(t.text[t.pos+2:], string(rune(kind))+"]"); closed && !strings.ContainsAny(body, "]\\") {
					return t.posix(kind, body)
				}
			}
		}
	}
	r, n := utf8.DecodeRuneInString(t.text[t.pos:])
	t.pos += n
	return "", r, nil
}

func (t *regexTranslator) posix(kind byte, name string) (string, rune, error) {
	if kind != ':' || !slices.Contains(regexClassNames, strings.TrimPrefix(name, "^")) {
		return "", 0, fmt.Errorf("[%c%s%c] is not a class", kind, excerpt(name), kind)
	}
	t.pos += len(name) + 4
	return "[:" + name + ":]", 0, nil
}
