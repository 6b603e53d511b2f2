package stix

import "bytes"

// nameSet finds repeated member names. The names of all open objects lie on one stack; small objects, nearly all, are
// compared name by name, large ones through a hash set so that 100,000 members cost no more than linear time.
type nameSet struct {
	names []memberName
	large map[int]map[string]struct{} // by mark, for open objects with more than smallObject members
}

// memberName is a name with its first bytes and length in one word, which decides nearly every comparison.
type memberName struct {
	prefix uint64
	text   []byte
}

const smallObject = 48

func (s *nameSet) reset() {
	s.names = s.names[:0]
	clear(s.large)
}

// open begins an object and returns its mark.
func (s *nameSet) open() int { return len(s.names) }

// close ends the object of the mark.
func (s *nameSet) close(mark int) {
	s.names = s.names[:mark]
	if len(s.large) > 0 {
		delete(s.large, mark)
	}
}

// add reports whether the name is new in the object of the mark.
func (s *nameSet) add(mark int, text []byte, escaped bool) bool {
	if escaped {
		text = appendUnescaped(nil, text)
	}
	if set := s.large[mark]; set != nil {
		_, found := set[string(text)]
		set[string(text)] = struct{}{}
		return !found
	}
	m := memberName{prefix: uint64(len(text)) << 56, text: text}
	for i, c := range text[:min(7, len(text))] {
		m.prefix |= uint64(c) << (8 * i)
	}
	for _, other := range s.names[mark:] {
		if other.prefix == m.prefix && bytes.Equal(other.text, m.text) {
			return false
		}
	}
	s.names = append(s.names, m)
	if len(s.names)-mark > smallObject {
		s.grow(mark)
	}
	return true
}

// grow moves the names of the innermost open object into a hash set.
func (s *nameSet) grow(mark int) {
	if s.large == nil {
		s.large = make(map[int]map[string]struct{})
	}
	set := make(map[string]struct{}, 4*smallObject)
	for _, m := range s.names[mark:] {
		set[string(m.text)] = struct{}{}
	}
	s.large[mark] = set
}
