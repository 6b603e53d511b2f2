package federation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// keptRevocations is the form in which a node keeps what it knows of lists over a restart.
type keptRevocations struct {
	Lists    []string         `json:"lists"`
	Forks    []string         `json:"forks,omitempty"`
	Evidence []string         `json:"evidence,omitempty"`
	Seen     []seenRevocation `json:"seen,omitempty"`
}

// seenRevocation is when an entry without a record was first seen, in seconds since 1970.
type seenRevocation struct {
	Subject EntityID `json:"sub,omitempty"`
	KeyID   string   `json:"kid,omitempty"`
	First   int64    `json:"first"`
}

// Text returns what is known of the lists, for Merge after a restart: the same knowledge gives the same text.
func (r *Revocations) Text() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := keptRevocations{Lists: texts(r.lists), Forks: texts(r.fork), Evidence: slices.Sorted(slices.Values(r.evidence))}
	for e, first := range r.unproven {
		kept.Seen = append(kept.Seen, seenRevocation{Subject: e.Subject, KeyID: e.KeyID, First: first.Unix()})
	}
	slices.SortFunc(kept.Seen, func(a, b seenRevocation) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.KeyID, b.KeyID))
	})
	text, err := json.Marshal(kept)
	if err != nil {
		return "", fmt.Errorf("keep the revocation lists: %w", err)
	}
	return string(text), nil
}

func texts(lists map[EntityID]*RevocationList) []string {
	list := make([]string, 0, len(lists))
	for _, l := range lists {
		list = append(list, l.compact)
	}
	slices.Sort(list)
	return list
}

// Merge adds what Text has kept, of this process or of another one of the node. Lists are verified as if they had just
// come; those of an anchor or a key that the charter in force does not name any more are passed over. A list is as old
// afterwards as it is, and an entry without a record counts from when it was seen first.
func (r *Revocations) Merge(text string, now time.Time) error {
	var kept keptRevocations
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return fmt.Errorf("the revocation lists that were kept: %w", err)
	}
	charter, err := r.ledger.Charter()
	if err != nil {
		return fmt.Errorf("the revocation lists that were kept: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range kept.Seen {
		e, first := Revocation{Subject: s.Subject, KeyID: s.KeyID}, time.Unix(s.First, 0)
		if known, ok := r.unproven[e]; !ok || first.Before(known) {
			r.unproven[e] = first
		}
	}
	for _, compact := range slices.Concat(kept.Forks, kept.Lists) {
		if list, err := VerifyRevocationList(compact, charter); err == nil {
			_ = r.keep(list, now) // an older one changes nothing, and one that contradicts another is noted
		}
	}
	for _, compact := range kept.Evidence {
		r.note(compact)
	}
	return nil
}

// List returns the newest list of an anchor, nil for none.
func (r *Revocations) List(anchor EntityID) *RevocationList {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lists[anchor]
}

// Freshest is the list that is fresh for longest; nil where there is none.
func (r *Revocations) Freshest() *RevocationList {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.MaxFunc(append(slices.Collect(maps.Values(r.lists)), nil), func(a, b *RevocationList) int {
		return cmp.Compare(a.ends(), b.ends())
	})
}

func (l *RevocationList) ends() int64 {
	if l == nil {
		return 0
	}
	return l.Expires
}
