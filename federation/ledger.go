package federation

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// RecordStore keeps records by their content. Put is durable on return, and putting what is there changes nothing. It
// runs concurrently.
type RecordStore interface {
	// Records returns all records, in any order.
	Records() (map[Hash][]byte, error)
	Put(hash Hash, record []byte) error
}

// ErrUnknownRecord: the ledger does not hold a record.
var ErrUnknownRecord = errors.New("no such record")

// maxRecords bounds a ledger: a federation of 200 nodes makes some thousands in its life.
const maxRecords = 100_000

// Ledger holds the federation's records - charters, decisions, class lists, suspensions, key rotations - and tells from
// them who is a member. Nothing is taken that does not verify, so that no record needs trust in who brought it, and the
// order in which records came changes nothing. It runs concurrently.
//
// The root of it all is the hash of the first charter, which every node's operator pins.
type Ledger struct {
	founding Hash
	store    RecordStore

	mu        sync.RWMutex
	records   map[Hash][]byte
	charters  map[Hash]*Charter
	decisions []*Decision
	lists     map[Hash]ClassList
	orders    []*SuspensionOrder
	rotations []*KeyRotation
	// contested are charters of one version that are both signed as the rules want it: evidence against those who signed
	// twice. No node follows either.
	contested map[int][]Hash
}

// OpenLedger reads a ledger. Records that do not verify are an error that names them: nobody puts such there.
func OpenLedger(founding Hash, store RecordStore) (*Ledger, error) {
	if _, err := ParseHash(string(founding)); err != nil {
		return nil, fmt.Errorf("ledger: the founding charter: %w", err)
	}
	l := &Ledger{
		founding: founding, store: store, records: make(map[Hash][]byte), charters: make(map[Hash]*Charter),
		lists: make(map[Hash]ClassList), contested: make(map[int][]Hash),
	}
	if _, err := l.Refresh(); err != nil {
		return nil, err
	}
	return l, nil
}

// Founding is the hash of the first charter, which the operator has pinned.
func (l *Ledger) Founding() Hash { return l.founding }

// Refresh takes the records that another process has put into the store, and returns how many. What does not verify is an
// error that names it; the others are taken all the same.
func (l *Ledger) Refresh() (int, error) {
	records, err := l.store.Records()
	if err != nil {
		return 0, fmt.Errorf("ledger: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := 0
	// A record may need one that comes after it: what cannot be read is tried again as long as others could be.
	for {
		var failed []error
		before := taken
		for hash, record := range records {
			if _, held := l.records[hash]; held {
				continue
			}
			if got := hashOf(record); got != hash {
				failed = append(failed, fmt.Errorf("ledger: the record called %s is %s: it was changed", hash, got))
			} else if err := l.verify(record, func() error { return nil }); err != nil {
				failed = append(failed, fmt.Errorf("ledger: record %s: %w", hash, err))
			} else {
				l.records[hash] = record
				taken++
			}
		}
		if taken == before {
			return taken, errors.Join(failed...)
		}
	}
}

// Add verifies a record and keeps it; it returns its hash. A record that is held already is no error. A decision needs
// its charter, and a charter the one before it, in the ledger first.
func (l *Ledger) Add(record []byte) (Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hash := hashOf(record)
	if _, held := l.records[hash]; held {
		return hash, nil
	}
	if len(l.records) >= maxRecords {
		return "", fmt.Errorf("the ledger is full: it has %d records", len(l.records))
	}
	if err := l.verify(record, func() error { return l.store.Put(hash, record) }); err != nil {
		return "", err
	}
	l.records[hash] = bytes.Clone(record)
	return hash, nil
}

// verify finds out what a record is and checks it; keep makes it durable before it counts.
func (l *Ledger) verify(record []byte, keep func() error) error {
	switch {
	case len(record) == 0 || len(record) > maxRecord:
		return fmt.Errorf("a record has 1 to %d bytes", maxRecord)
	case record[0] == '{':
		d, err := VerifyDecision(record, func(h Hash) *Charter { return l.charters[h] })
		if err != nil {
			return err
		}
		return kept(keep, func() { l.decisions = append(l.decisions, d) })
	case bytes.HasPrefix(record, []byte(`["ey`)): // a compact token begins with the brace of its header
		return l.verifyCharter(record, keep)
	case record[0] == '[':
		list, err := ReadClassList(record)
		if err != nil {
			return err
		}
		return kept(keep, func() { l.lists[hashOf(record)] = list })
	}
	return l.verifyToken(string(record), keep)
}

func kept(keep func() error, count func()) error {
	err := keep()
	if err == nil {
		count()
	}
	return err
}

// verifyToken takes the records that are one compact token.
func (l *Ledger) verifyToken(compact string, keep func() error) error {
	r, rotationErr := verifyRotation(compact)
	if rotationErr == nil && !l.hadKey(r.Entity, r.signer) {
		return fmt.Errorf("key rotation: the key %s is none that %s was admitted with or has named since", r.signer, r.Entity)
	}
	if rotationErr == nil {
		return kept(keep, func() { l.rotations = append(l.rotations, r) })
	}
	if jose.ReasonOf(rotationErr) != jose.BadType {
		return fmt.Errorf("key rotation: %w", rotationErr)
	}
	failed := errors.New("no charter is known")
	for _, c := range l.inForce() {
		s, err := verifySuspension(compact, c)
		if err == nil {
			return kept(keep, func() { l.orders = append(l.orders, s) })
		}
		failed = err
	}
	return fmt.Errorf("suspension: %w", failed)
}

// hadKey tells whether an entity ever had a federation key, by any record.
func (l *Ledger) hadKey(id EntityID, kid string) bool {
	for _, d := range l.decisions {
		if d.subject() == id && (slices.Contains(d.Proposal.Keys, kid) || d.Nomination != nil && slices.Contains(d.Nomination.Keys, kid)) {
			return true
		}
	}
	return slices.ContainsFunc(l.rotations, func(r *KeyRotation) bool { return r.Entity == id && slices.Contains(r.Keys, kid) })
}

// verifyCharter takes a charter: the founding one, or one that follows a charter that is held.
func (l *Ledger) verifyCharter(record []byte, keep func() error) error {
	s, err := ReadCharter(record)
	if err != nil {
		return err
	}
	c := s.Charter
	var previous *Charter
	if c.Version == 1 {
		if c.hash != l.founding {
			return fmt.Errorf("charter: this is not the founding charter that the operator has pinned (%s)", l.founding)
		}
	} else if previous = l.charters[c.Previous]; previous == nil {
		return fmt.Errorf("charter: version %d needs the version before it, %s, first", c.Version, c.Previous)
	}
	if err := s.follows(previous); err != nil {
		return err
	}
	return kept(keep, func() {
		for _, other := range l.charters {
			if other.Version == c.Version && other.hash != c.hash {
				l.contested[c.Version] = append(l.contested[c.Version], other.hash, c.hash)
			}
		}
		l.charters[c.hash] = c
	})
}

// inForce returns the charters from the first to the current, newest first: those before a version that is contested.
func (l *Ledger) inForce() []*Charter {
	var list []*Charter
	for version := 1; ; version++ {
		if len(l.contested[version]) > 0 {
			break
		}
		i := len(list)
		for _, c := range l.charters {
			if c.Version == version {
				list = append(list, c)
			}
		}
		if len(list) == i {
			break
		}
	}
	slices.Reverse(list)
	return list
}

// Charter returns the charter in force; ErrUnknownRecord if there is none yet.
func (l *Ledger) Charter() (*Charter, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := l.inForce()
	if len(list) == 0 {
		return nil, fmt.Errorf("the founding charter: %w", ErrUnknownRecord)
	}
	return list[0], nil
}

// Contested returns the charters that are evidence of founders who signed two of one version.
func (l *Ledger) Contested() []Hash {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var all []Hash
	for _, hashes := range l.contested {
		all = append(all, hashes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Record returns a record by its hash; ErrUnknownRecord.
func (l *Ledger) Record(hash Hash) ([]byte, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	record, ok := l.records[hash]
	if !ok {
		return nil, fmt.Errorf("%.64q: %w", hash, ErrUnknownRecord)
	}
	return bytes.Clone(record), nil
}

// Hashes returns the hashes of all records in ascending order: what another node compares with its own.
func (l *Ledger) Hashes() []Hash {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := make([]Hash, 0, len(l.records))
	for h := range l.records {
		list = append(list, h)
	}
	slices.Sort(list)
	return list
}

// CheckAdmission is the question of every node about every subordinate statement: did the founders admit its subject, on
// these terms? superior is who issued it. So a stolen key of an anchor or a hub alone admits nobody.
func (l *Ledger) CheckAdmission(superior EntityID, s *SubordinateStatement, now time.Time) error {
	if s.Admission == "" {
		return errors.New("it names no decision: nobody is admitted without the founders' votes")
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	d := l.decision(Hash(s.Admission))
	if d == nil {
		return fmt.Errorf("its decision %s: %w", s.Admission, ErrUnknownRecord)
	}
	if d.Proposal.Kind != Admission {
		return fmt.Errorf("its decision %s is of the kind %q and admits nobody", s.Admission, d.Proposal.Kind)
	}
	n := d.Nomination
	if n.Hub != superior {
		return fmt.Errorf("the founders let %s issue statements about it, and not %s", n.Hub, superior)
	}
	orgID := s.Metadata.Text(nodeType, orgIDParameter)
	if n.Members == "" {
		if n.Subject != s.Subject || n.OrgID != orgID {
			return fmt.Errorf("the founders admitted %s (%s), not %s (%s)", n.Subject, n.OrgID, s.Subject, orgID)
		}
	} else if err := l.checkClass(n, orgID); err != nil {
		return err
	}
	return l.checkStanding(d, s, now)
}

func (l *Ledger) checkClass(n *Nomination, orgID string) error {
	list, ok := l.lists[n.Members]
	if !ok {
		return fmt.Errorf("the list of the class %q, %s: %w", n.Class, n.Members, ErrUnknownRecord)
	}
	if !list.Has(orgID) {
		return fmt.Errorf("%.64q is not in the list of the class %q that the founders admitted", orgID, n.Class)
	}
	return nil
}

// checkStanding holds the statement against what happened since the admission.
func (l *Ledger) checkStanding(d *Decision, s *SubordinateStatement, now time.Time) error {
	m := l.history(s.Subject, now)
	switch {
	case m.Standing == Expelled && !d.At.After(m.Since):
		return fmt.Errorf("%s was expelled on %s", s.Subject, date(m.Since))
	case m.Standing == Suspended:
		return fmt.Errorf("%s is suspended since %s: %s", s.Subject, date(m.Since), m.Reason)
	}
	if len(m.Keys) == 0 { // of a class: its hub vouches for the keys
		return nil
	}
	for _, k := range s.Keys.Keys() {
		if !slices.Contains(m.Keys, k.ID()) {
			return fmt.Errorf("the key %s of %s was neither nominated nor named by a key rotation or a recovery", k.ID(), s.Subject)
		}
	}
	return nil
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// decision finds a decision under a charter that is or was in force.
func (l *Ledger) decision(hash Hash) *Decision {
	charters := l.inForce()
	for _, d := range l.decisions {
		if d.Hash == hash && d.countsUnder(charters) {
			return d
		}
	}
	return nil
}

// countsUnder tells whether a decision came about while its charter was in force: the one after it ends its founders'
// votes. charters are newest first.
func (d *Decision) countsUnder(charters []*Charter) bool {
	i := slices.Index(charters, d.Charter)
	return i == 0 || i > 0 && d.At.Before(time.Unix(charters[i-1].IssuedAt, 0))
}
