package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// world makes up what publishers publish in a test of exactness and durability, and remembers what they were told of it.
// Content follows from the identifier and the version alone: what is published twice is the same. It may be used
// concurrently.
type world struct {
	mu          sync.Mutex
	rng         *rand.Rand
	subjects    []*subject
	byID        map[string]*subject
	definitions int // marking definitions published so far; the ones after them are referred to already
	versions    map[versionName]*published
	refused     int
}

// versionName names a version of an object as a reader of its bytes does; modified is empty for what has no versions.
type versionName struct{ id, modified string }

func (n versionName) String() string { return strings.TrimSpace(n.id + " " + n.modified) }

// published is what is known of a version of an object.
type published struct {
	raw          string
	acknowledged bool      // a status listed it as a success
	refused      bool      // a status listed it as a failure
	deleting     bool      // its deletion was asked for
	deleted      time.Time // when its deletion had been acknowledged; zero for never
}

// subject is an object in all its versions.
type subject struct {
	id      string
	kind    subjectKind
	ends    [2]string    // of a relationship
	marks   map[int]bool // days that it has or may get versions of
	open    int          // publications of it whose outcome the publisher does not know
	closed  bool         // to be deleted: nothing more is published of it
	pruned  bool         // some version was deleted and others were not
	revoked int          // day of the version that revokes it, 0 for none
}

// names are those of all versions that there may be of the subject.
func (s *subject) names() []versionName {
	switch s.kind {
	case anAddress:
		return []versionName{{id: s.id}}
	case anIndicator:
		var list []versionName
		for _, n := range slices.Sorted(maps.Keys(s.marks)) {
			list = append(list, versionName{s.id, day(n)})
		}
		return list
	}
	return []versionName{{s.id, day(1)}}
}

type subjectKind int

const (
	anIndicator subjectKind = iota
	aRelationship
	anAddress
	aDefinition
)

// publication is what one POST carries.
type publication struct {
	objects  [][]byte
	names    []versionName
	subjects []*subject
	key      string // Idempotency-Key, "" for none
}

func newWorld(seed uint64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 0x776f726c64)), byID: map[string]*subject{}, versions: map[versionName]*published{}}
}

// uuid is a UUIDv4 that follows from the seed.
func (w *world) uuid() string {
	a, b := w.rng.Uint64(), w.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&0xffffffffffff)
}

// publication makes up what to publish next: up to n objects, new ones, further versions in any order of time, and some
// that were published before.
func (w *world) publication(n int) publication {
	w.mu.Lock()
	defer w.mu.Unlock()
	var p publication
	if w.rng.IntN(3) == 0 {
		p.key = w.uuid()
	}
	for range n {
		s := w.subject()
		name, raw := w.next(s)
		if slices.Contains(p.names, name) {
			continue
		}
		if w.versions[name] == nil {
			w.versions[name] = &published{raw: raw}
		}
		s.open++
		p.objects, p.names, p.subjects = append(p.objects, []byte(raw)), append(p.names, name), append(p.subjects, s)
	}
	return p
}

// subject is one to publish a version of: a new one, or one of the latest.
func (w *world) subject() *subject {
	if len(w.subjects) > 0 && w.rng.IntN(100) < 35 {
		if s := w.subjects[len(w.subjects)-1-w.rng.IntN(min(len(w.subjects), 12))]; !s.closed {
			return s
		}
	}
	s := &subject{marks: map[int]bool{}}
	switch n := w.rng.IntN(20); {
	case n == 0:
		s.kind, s.id = anAddress, "ipv4-addr--"+w.uuid()
	case n <= 2 && len(w.subjects) > 1:
		s.kind, s.id = aRelationship, "relationship--"+w.uuid()
		for i := range s.ends {
			s.ends[i] = w.end()
		}
	case n == 3:
		s.kind, s.id = aDefinition, statementID(w.definitions)
		w.definitions++
	default:
		s.kind, s.id = anIndicator, "indicator--"+w.uuid()
	}
	w.subjects = append(w.subjects, s)
	w.byID[s.id] = s
	return s
}

// end is what a relationship may join: an indicator, mostly one that was published.
func (w *world) end() string {
	if s := w.subjects[w.rng.IntN(len(w.subjects))]; s.kind == anIndicator {
		return s.id
	}
	return "indicator--" + w.uuid()
}

// statementID is the nth marking definition that a world has.
func statementID(n int) string {
	return fmt.Sprintf("marking-definition--57a7e000-0000-4000-8000-%012d", n)
}

// day is a time in January 2026.
func day(n int) string { return fmt.Sprintf("2026-01-%02dT00:00:00.000Z", n) }

// next is a version of a subject.
func (w *world) next(s *subject) (versionName, string) {
	switch s.kind {
	case anAddress:
		return versionName{id: s.id}, fmt.Sprintf(`{"type":"ipv4-addr","spec_version":"2.1","id":%q,"value":"198.51.100.7"}`, s.id)
	case aDefinition:
		return versionName{s.id, day(1)}, fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":%q,"definition_type":"statement","definition":{"statement":"Handle with care"}}`, s.id, day(1))
	case aRelationship:
		return versionName{s.id, day(1)}, fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":%q,"created":%q,"modified":%q,"relationship_type":"related-to","source_ref":%q,"target_ref":%q,"object_marking_refs":[%q]}`,
			s.id, day(1), day(1), s.ends[0], s.ends[1], stix.MarkingOf(stix.TLPClear))
	}
	n := 2 + w.rng.IntN(20)
	if s.revoked == 0 && len(s.marks) > 0 && !s.marks[n] && w.rng.IntN(12) == 0 {
		s.revoked = n
	}
	s.marks[n] = true
	return versionName{s.id, day(n)}, w.indicator(s, n)
}

// indicator is the version of a day. Its marking follows from id and day, so that versions of an object differ in it.
func (w *world) indicator(s *subject, n int) string {
	hash := n * 7
	for _, c := range s.id {
		hash = hash*31 + int(c)
	}
	marking := ""
	switch hash &= 0xffff; hash % 10 {
	case 0, 1:
		marking = string(stix.MarkingOf(stix.TLPClear))
	case 2, 3:
		marking = string(stix.MarkingOf(stix.TLPAmber))
	case 4:
		marking = string(stix.MarkingOf(stix.TLPRed))
	case 5: // known already, or one that comes later
		marking = statementID(hash / 10 % 6)
	case 6, 7:
		marking = string(stix.MarkingOf(stix.TLPGreen))
	}
	more := ""
	if marking != "" {
		more = fmt.Sprintf(`,"object_marking_refs":[%q]`, marking)
	}
	if s.revoked == n {
		more += `,"revoked":true`
	}
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":%q,"created":%q,"modified":%q,"name":"Day %d","pattern":"[ipv4-addr:value = '198.51.100.%d']","pattern_type":"stix","valid_from":%q%s}`,
		s.id, day(1), day(n), n, n, day(1), more)
}

// again picks published objects to publish once more, none of which was deleted.
func (w *world) again() (publication, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var p publication
	for range 4 {
		if len(w.subjects) == 0 {
			break
		}
		s := w.subjects[w.rng.IntN(len(w.subjects))]
		name, raw := w.next(s)
		known := w.versions[name]
		if s.closed || known == nil || known.deleting || known.raw != raw || slices.Contains(p.names, name) {
			continue
		}
		s.open++
		p.objects, p.names, p.subjects = append(p.objects, []byte(raw)), append(p.names, name), append(p.subjects, s)
	}
	return p, len(p.objects) > 0
}

// told notes what a status says of a publication, and reports what is wrong with it. Until a status is complete, what it
// lists counts already.
func (w *world) told(p publication, status taxii.Status) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := consistent(status, nil); err != nil {
		return err
	}
	if status.TotalCount != len(p.names) {
		return fmt.Errorf("a status of %d objects tells of %d", len(p.names), status.TotalCount)
	}
	listed := map[versionName]bool{}
	find := func(d taxii.StatusDetail) (*published, error) {
		for _, name := range []versionName{{d.ID, d.Version}, {id: d.ID}} {
			if slices.Contains(p.names, name) && !listed[name] {
				listed[name] = true
				return w.versions[name], nil
			}
		}
		return nil, fmt.Errorf("the status lists %s %s, which is not in the submission, or is listed twice", d.ID, d.Version)
	}
	for _, d := range status.Successes {
		v, err := find(d)
		if err != nil {
			return err
		}
		v.acknowledged = true
	}
	for _, d := range status.Failures {
		v, err := find(d)
		if err != nil {
			return err
		}
		if s := w.byID[d.ID]; s.revoked == 0 || d.Message == "" { // only a revocation makes later versions unwelcome
			return fmt.Errorf("%s %s was refused: %q", d.ID, d.Version, d.Message)
		}
		v.refused, w.refused = true, w.refused+1
	}
	if status.Status == taxii.StatusComplete {
		for _, s := range p.subjects {
			s.open--
		}
	}
	return nil
}

// deletion picks what to delete: an object, in one version or (version "") in all. Nothing of it is being published, nor
// will be.
func (w *world) deletion() (id, modified string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range 8 {
		if len(w.subjects) == 0 {
			break
		}
		s := w.subjects[w.rng.IntN(len(w.subjects))]
		if s.open > 0 || s.closed || s.kind == aDefinition || s.kind == anAddress {
			continue
		}
		var visible []versionName // to the deleter, an account of the node
		for _, name := range s.names() {
			if v := w.versions[name]; v != nil && v.acknowledged && (s.kind == aRelationship || seenByAccounts(v.raw)) {
				visible = append(visible, name)
			}
		}
		if len(visible) == 0 {
			continue
		}
		s.closed = true
		if s.kind == anIndicator && w.rng.IntN(2) == 0 {
			s.pruned = true
			one := visible[w.rng.IntN(len(visible))]
			w.versions[one].deleting = true
			return s.id, one.modified, true
		}
		s.pruned = true // versions that the deleter does not see stay
		for _, name := range s.names() {
			if v := w.versions[name]; v != nil {
				v.deleting = true
			}
		}
		return s.id, "", true
	}
	return "", "", false
}

// gone notes that a deletion was acknowledged. Of all versions, those went that the deleter saw; what it did not see may
// be held still, and is no longer promised to anybody.
func (w *world) gone(id, modified string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, name := range w.byID[id].names() {
		if v := w.versions[name]; v != nil && (modified == "" || name.modified == modified) {
			v.deleting = true
			if modified != "" || seenByAccounts(v.raw) {
				v.deleted = now
			}
		}
	}
}

// byKind tells what kind of object an id is of.
func (w *world) byKind(id string) subjectKind {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byID[id].kind
}

// retired notes that a version is gone for good, by a rule of its collection. Nothing more is published of its object.
func (w *world) retired(name versionName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, s := w.versions[name], w.byID[name.id]
	v.deleting, v.deleted = true, time.Now()
	s.closed = true
}

// seenByAccounts tells of content whose own markings let every account of the node see it.
func seenByAccounts(raw string) bool {
	return !strings.Contains(raw, string(stix.MarkingOf(stix.TLPRed))) && !strings.Contains(raw, "marking-definition--57a7e") &&
		!strings.Contains(raw, `"type":"relationship"`)
}

// returns tells of a relationship that may come to the same follower again: one that joins an object with a marking that
// was not understood for a while. It is not served in that time, and then has to be where those find it who have passed its
// place meanwhile.
func (w *world) returns(name versionName) bool {
	s := w.byID[name.id]
	if s.kind != aRelationship {
		return false
	}
	for _, end := range s.ends {
		e := w.byID[end]
		if e == nil {
			continue
		}
		for _, n := range e.names() {
			if v := w.versions[n]; v != nil && strings.Contains(v.raw, "marking-definition--57a7e") {
				return true
			}
		}
	}
	return false
}

// seenByPeers tells of content that a peer which may have green objects gets for sure.
func seenByPeers(raw string) bool {
	return seenByAccounts(raw) && !strings.Contains(raw, string(stix.MarkingOf(stix.TLPAmber)))
}

// raw is the content of a version, "" if there is none.
func (w *world) raw(name versionName) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.versions[name]; v != nil {
		return v.raw
	}
	return ""
}

// check compares what a node holds, by name, with what the publishers were told.
func (w *world) check(held map[versionName]string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var wrong []string
	say := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	for name, v := range w.versions {
		raw, ok := held[name]
		switch {
		case ok && raw != v.raw:
			say("%s is held as %s, not as %s", name, raw, v.raw)
		case ok && !v.deleted.IsZero():
			say("%s is held, though it was deleted", name)
		case !ok && v.acknowledged && !v.deleting:
			say("%s was acknowledged and is not held", name)
		case ok && v.refused && !v.acknowledged:
			say("%s is held, though the publisher was told that it is not", name)
		}
	}
	for name := range held {
		if w.versions[name] == nil {
			say("%s is held, and nobody published it", name)
		}
	}
	return wrong
}
