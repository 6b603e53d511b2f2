package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// Rules that are checked on what is stored, rather than by a statement.
const (
	ruleSchema  = "the schema has the tables and indexes of its version"
	ruleSet     = "a marking set is stored under its own key, with its markings"
	ruleStatus  = "a status is whole: its numbers are those of its lists, and add up"
	ruleDigest  = "what is quarantined has the digest of its bytes"
	ruleBytes   = "an entry's bytes are a STIX object"
	ruleID      = "an entry has the id, type and specification version of its bytes"
	ruleVersion = "an entry has the version of its bytes"
	ruleNorm    = "an entry has the digest of its content"
	ruleMarking = "an entry is handled by markings that are no less strict than those in its bytes"
)

// schema compares the names of tables and indexes with those that the migrations make.
func (x *examination) schema() error {
	have, err := schemaVersion(x.conn)
	if err != nil {
		return err
	}
	steps, err := migrations()
	if err != nil {
		return err
	}
	sc, err := schemaAt(have, steps)
	if err != nil {
		return err
	}
	names, err := x.store.engine.Names(x.conn)
	if err != nil {
		return err
	}
	for _, t := range sc.tables {
		if !slices.Contains(names, t.Name) {
			x.tell(ruleSchema, "table "+t.Name+" is missing")
		}
		for _, i := range t.indexes {
			if !slices.Contains(names, i.name) {
				x.tell(ruleSchema, "index "+i.name+" is missing")
			}
		}
	}
	return nil
}

// markingSets checks the interned sets and their members. They are few.
func (x *examination) markingSets() error {
	members := make(map[int64][]string)
	err := x.conn.Query(`SELECT marking_set, marking FROM marking_set_member ORDER BY marking_set, marking`, nil, func(r row) error {
		members[r.Int(0)] = append(members[r.Int(0)], r.Text(1))
		return nil
	})
	if err != nil {
		return err
	}
	return x.conn.Query(`SELECT number, name, content, source FROM marking_set ORDER BY number`, nil, func(r row) error {
		var set stix.MarkingSet
		err := json.Unmarshal([]byte(r.Text(2)), &set)
		others := texts(set.Others)
		slices.Sort(others)
		if err != nil || set.Key() != r.Text(1) || set.Source != r.Text(3) || !slices.Equal(others, members[r.Int(0)]) {
			x.tell(ruleSet, "marking set "+r.Text(1))
		}
		return nil
	})
}

// statuses reads every status as its account would.
func (x *examination) statuses() error {
	type owned struct{ id, account string }
	const most = 500
	for after, more := "", true; more; {
		var page []owned
		err := x.conn.Query(`SELECT id, account FROM status WHERE id > $1 ORDER BY id LIMIT $2`, []any{after, most}, func(r row) error {
			page = append(page, owned{r.Text(0), r.Text(1)})
			return nil
		})
		if err != nil {
			return err
		}
		for _, o := range page {
			s, err := readStatus(x.conn, o.id, o.account)
			whole := err == nil && s.ID == o.id && s.TotalCount == s.SuccessCount+s.FailureCount+s.PendingCount &&
				s.SuccessCount == len(s.Successes) && s.FailureCount == len(s.Failures) && s.PendingCount == len(s.Pendings) &&
				(s.Status == taxii.StatusComplete) == (s.PendingCount == 0)
			if !whole {
				x.tell(ruleStatus, "status "+o.id+" of "+o.account)
			}
			after = o.id
		}
		more = len(page) == most
	}
	return nil
}

func (x *examination) quarantine() error {
	return x.conn.Query(`SELECT object, peer, digest, raw FROM quarantine ORDER BY number`, nil, func(r row) error {
		raw := r.Bytes(3)
		if sum := sha256.Sum256(raw); len(raw) > 0 && !bytes.Equal(sum[:], r.Bytes(2)) { // what is too large is not kept
			x.tell(ruleDigest, fmt.Sprintf("%s from %s", r.Text(0), r.Text(1)))
		}
		return nil
	})
}

// heldFacet is what the entries of a facet share.
type heldFacet struct {
	collection, typ, spec string
	set                   stix.MarkingSet
}

// entries holds what is stored beside the bytes of every entry against the bytes.
func (x *examination) entries() error {
	facets := make(map[int64]heldFacet)
	err := x.conn.Query(`SELECT f.number, c.title, f.type, f.spec_version, m.content FROM facet f
		JOIN collection c ON c.number = f.collection JOIN marking_set m ON m.number = f.marking_set`, nil, func(r row) error {
		f := heldFacet{collection: r.Text(1), typ: r.Text(2), spec: r.Text(3)}
		_ = json.Unmarshal([]byte(r.Text(4)), &f.set) // what can't be read was told
		facets[r.Int(0)] = f
		return nil
	})
	if err != nil {
		return err
	}
	limits := stix.Limits{ObjectBytes: 1 << 30, Depth: 1000, Objects: 1} // whatever was allowed when they came
	return x.conn.Query(`SELECT facet, object, version, version_key, norm, raw FROM entry ORDER BY seq`, nil, func(r row) error {
		x.progress(1)
		f := facets[r.Int(0)]
		subject := f.collection + ": " + r.Text(1) + " " + r.Text(2)
		o, err := stix.Parse(r.Bytes(5), limits)
		if err != nil {
			x.tell(ruleBytes, subject+": "+err.Error())
			return nil
		}
		if string(o.ID) != r.Text(1) || o.Type != f.typ || cmp.Or(o.SpecVersion, unstatedSpec) != f.spec {
			x.tell(ruleID, subject)
		}
		if !sameVersion(o, r.Text(2), r.Text(3)) {
			x.tell(ruleVersion, subject)
		}
		if norm, err := o.Norm(); err != nil || !bytes.Equal(norm[:], r.Bytes(4)) {
			x.tell(ruleNorm, subject)
		}
		if !noLessStrict(f.set, o) {
			x.tell(ruleMarking, subject)
		}
		return nil
	})
}

// sameVersion compares the version that is stored with the bytes; that of an object without one is when it was first seen.
func sameVersion(o *stix.Object, version, key string) bool {
	v := o.Version()
	if v.IsZero() {
		seen, err := stix.ParseTimestamp(version)
		return err == nil && seen.SortKey() == key
	}
	return v.String() == version && v.SortKey() == key
}

// noLessStrict tells whether an object may be handled by a set: its own, or for what tells of other objects one that is at
// least as strict.
func noLessStrict(set stix.MarkingSet, o *stix.Object) bool {
	own := o.Markings()
	// The bytes do not say who sent them, nor the floor that was set when they came.
	own.Source, own.Floor = set.Source, max(own.Floor, set.Floor)
	if set.Key() == own.Key() {
		return true
	}
	if len(o.Ends()) == 0 || set.Owner != own.Owner || set.PAP < own.PAP || set.TLP < own.TLP {
		return false
	}
	return !slices.ContainsFunc(own.Others, func(id stix.Identifier) bool { return !slices.Contains(set.Others, id) })
}
