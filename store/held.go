package store

import (
	"slices"

	"github.com/skjold-exchange/skjold/stix"
)

// held is what a collection holds of one object, as far as it concerns the versions that come in.
type held struct {
	norms      map[string][]byte      // of the versions asked about, by version key
	contents   map[[32]byte]heldCopy  // of an unversioned object, by norm
	tombstones map[string]bool        // version keys deleted here
	buried     map[[32]byte][]string  // version keys deleted here, by norm
	ends       map[int64]*ends        // by facet
	divided    bool                   // versions of several facets are stored
	lineages   []lineage              // a source each; only where a version comes in that is not held
	pending    map[string]*incoming   // of this transaction, by version key
	fresh      map[[32]byte]*incoming // unversioned, of this transaction, by norm
}

// heldCopy is a stored version of an unversioned object.
type heldCopy struct{ version, key string }

// ends are the first and the last version of an object in a facet.
type ends struct{ first, last heldVersion }

// heldVersion is an end of a range of versions: stored already, or on its way in.
type heldVersion struct {
	key     string
	revokes bool
	in      *incoming // nil if stored
}

// lookup finds out what the collection holds of the objects that come in.
func lookup(c conn, collection int64, list []*incoming) (map[stix.Identifier]*held, error) {
	objects := make(map[stix.Identifier]*held, len(list))
	of := func(id string) *held {
		h := objects[stix.Identifier(id)]
		if h == nil {
			h = new(held)
			objects[stix.Identifier(id)] = h
		}
		return h
	}
	all := ids(list)
	exists := make(map[stix.Identifier]bool)
	err := chunks(all, func(chunk []string) error {
		return c.Query(heldObjectsSQL(len(chunk)), withTexts(collection, chunk),
			func(r row) error { exists[stix.Identifier(r.Text(0))] = true; return nil })
	})
	if err != nil {
		return nil, err
	}
	if err := lookupTombstones(c, collection, all, of); err != nil {
		return nil, err
	}
	var versioned []*incoming
	var unversioned []string
	for _, in := range list {
		h := of(string(in.object.ID))
		if !exists[in.object.ID] {
			continue
		}
		versioned = append(versioned, in)
		if !in.versioned && h.contents == nil {
			h.contents = make(map[[32]byte]heldCopy)
			unversioned = append(unversioned, string(in.object.ID))
		}
	}
	if err := lookupVersions(c, collection, versioned, of); err != nil {
		return nil, err
	}
	if err := lookupEnds(c, collection, objects, of); err != nil {
		return nil, err
	}
	if err := lookupLineages(c, collection, novel(versioned, objects, exists), of); err != nil {
		return nil, err
	}
	return objects, lookupContents(c, collection, unversioned, of)
}

// heldObjectsSQL finds which of n objects a collection holds: one way into the index for each, without a table of them on
// the side.
func heldObjectsSQL(n int) string {
	return `WITH wanted (object) AS (VALUES ` + singles(2, n) + `)
		SELECT w.object FROM wanted w WHERE EXISTS (SELECT 1 FROM entry e WHERE e.collection = $1 AND e.object = w.object)`
}

// lookupTombstones reads which versions were deleted here. Most collections never deleted anything.
func lookupTombstones(c conn, collection int64, objects []string, of func(id string) *held) error {
	any, err := number(c, `SELECT 1 FROM tombstone WHERE collection = $1 LIMIT 1`, collection)
	if err != nil || any == 0 {
		return err
	}
	return chunks(objects, func(chunk []string) error {
		return c.Query(`SELECT object, version_key, norm FROM tombstone WHERE collection = $1 AND object IN (`+placeholders(2, len(chunk))+`)`,
			withTexts(collection, chunk), func(r row) error { of(r.Text(0)).bury(r.Text(1), r.Bytes(2)); return nil })
	})
}

// lookupVersions reads, for objects that are held, the range of versions and whether the incoming version is among them.
// The last one read of an object of one facet is its last unless it is revoked, which lookupLineages finds out.
func lookupVersions(c conn, collection int64, list []*incoming, of func(id string) *held) error {
	return chunks(list, func(chunk []*incoming) error {
		args := []any{collection}
		var wanted []byte
		for i, in := range chunk {
			if i > 0 {
				wanted = append(wanted, ',')
			}
			wanted = append(wanted, '(')
			wanted = append(wanted, placeholders(2+2*i, 2)...)
			wanted = append(wanted, ')')
			args = append(args, string(in.object.ID), in.key)
		}
		return c.Query(`WITH wanted (object, version_key) AS (VALUES `+string(wanted)+`)
			SELECT w.object, w.version_key,
				(SELECT MAX(e.version_key) FROM entry e WHERE e.collection = $1 AND e.object = w.object),
				f.version_key, f.facet, f.is_first,
				CASE WHEN h.seq IS NULL THEN 0 ELSE 1 END, h.norm
			FROM wanted w JOIN entry f ON f.collection = $1 AND f.object = w.object AND f.version_key =
				(SELECT MIN(e.version_key) FROM entry e WHERE e.collection = $1 AND e.object = w.object)
			LEFT JOIN entry h ON h.collection = $1 AND h.object = w.object AND h.version_key = w.version_key`,
			args, func(r row) error {
				h := of(r.Text(0))
				h.divided = r.Int(5) == facetEnd
				h.ends = map[int64]*ends{r.Int(4): {first: heldVersion{key: r.Text(3)}, last: heldVersion{key: r.Text(2)}}}
				if r.Int(6) != 0 {
					if h.norms == nil {
						h.norms = make(map[string][]byte)
					}
					h.norms[r.Text(1)] = r.Bytes(7)
				}
				return nil
			})
	})
}

// lookupEnds reads, for objects of several facets, the ends of each facet.
func lookupEnds(c conn, collection int64, objects map[stix.Identifier]*held, of func(id string) *held) error {
	var list []string
	for id, h := range objects {
		if h.divided {
			list = append(list, string(id))
			clear(h.ends)
		}
	}
	slices.Sort(list)
	read := func(flag string, end func(e *ends) *heldVersion) error {
		return chunks(list, func(chunk []string) error {
			return c.Query(`SELECT object, facet, version_key FROM entry WHERE collection = $1 AND `+flag+` = 2
				AND object IN (`+placeholders(2, len(chunk))+`)`, withTexts(collection, chunk), func(r row) error {
				end(of(r.Text(0)).endsOf(r.Int(1))).key = r.Text(2)
				return nil
			})
		})
	}
	if err := read("is_first", func(e *ends) *heldVersion { return &e.first }); err != nil {
		return err
	}
	return read("is_last", func(e *ends) *heldVersion { return &e.last })
}

// endsOf returns the ends in a facet; they are empty where nothing of it is held.
func (h *held) endsOf(facet int64) *ends {
	if h.ends == nil {
		h.ends = make(map[int64]*ends)
	}
	e := h.ends[facet]
	if e == nil {
		e = new(ends)
		h.ends[facet] = e
	}
	return e
}

// place finds the place of a version that will be stored among those of its facet. It returns the keys of stored versions
// that are no longer its first or its last, "" for none.
func (h *held) place(in *incoming) (notFirst, notLast string) {
	e := h.endsOf(in.facet)
	if e.first.key == "" || in.key < e.first.key {
		notFirst, e.first = e.first.stored(), heldVersion{key: in.key, in: in}
	}
	if e.last.yields(in) {
		notLast, e.last = e.last.stored(), heldVersion{key: in.key, revokes: in.revokes(), in: in}
	}
	return notFirst, notLast
}

// yields tells that a version becomes the last of its facet: the earliest one that revokes, or else the latest.
func (v heldVersion) yields(in *incoming) bool {
	switch {
	case v.key == "":
		return true
	case v.revokes != in.revokes():
		return in.revokes()
	case v.revokes:
		return in.key < v.key
	}
	return in.key > v.key
}

// stored is the key of a version that is stored already, or "".
func (v heldVersion) stored() string {
	if v.in != nil {
		return ""
	}
	return v.key
}

// lookupContents reads the versions held of unversioned objects.
func lookupContents(c conn, collection int64, objects []string, of func(id string) *held) error {
	return chunks(objects, func(chunk []string) error {
		return c.Query(`SELECT object, norm, version, version_key FROM entry WHERE collection = $1 AND object IN (`+placeholders(2, len(chunk))+`)`,
			withTexts(collection, chunk), func(r row) error {
				of(r.Text(0)).contents[[32]byte(r.Bytes(1))] = heldCopy{version: r.Text(2), key: r.Text(3)}
				return nil
			})
	})
}

// withTexts is the argument list of a collection's number and some texts.
func withTexts(collection int64, texts []string) []any {
	args := make([]any, 1, 1+len(texts))
	args[0] = collection
	for _, t := range texts {
		args = append(args, t)
	}
	return args
}

func (h *held) bury(key string, norm []byte) {
	if h.tombstones == nil {
		h.tombstones, h.buried = make(map[string]bool), make(map[[32]byte][]string)
	}
	h.tombstones[key] = true
	h.buried[[32]byte(norm)] = append(h.buried[[32]byte(norm)], key)
}

// graves returns the version keys of the tombstones that stand for an incoming version.
func (h *held) graves(in *incoming) []string {
	if !in.versioned {
		return h.buried[in.norm]
	}
	if h.tombstones[in.key] {
		return []string{in.key}
	}
	return nil
}

// decide tells what becomes of a version, from what is held and what came before it in the same submission; honour
// says whether a tombstone keeps it out.
func (h *held) decide(in *incoming, honour bool) outcome {
	if !in.versioned {
		if c, ok := h.contents[in.norm]; ok {
			in.version, in.key = c.version, c.key
			return known
		}
		if h.fresh[in.norm] != nil {
			return known
		}
	} else {
		norm, ok := h.norms[in.key]
		if p := h.pending[in.key]; p != nil {
			norm, ok = p.norm[:], true
		}
		if ok && string(norm) == string(in.norm[:]) {
			return known
		}
		if ok {
			return conflict
		}
	}
	if honour && len(h.graves(in)) > 0 {
		return tombstoned
	}
	return stored
}

// expect notes that a version will be stored.
func (h *held) expect(in *incoming) {
	if in.versioned {
		if h.pending == nil {
			h.pending = make(map[string]*incoming)
		}
		h.pending[in.key] = in
		if in.judged() {
			h.follow(in)
		}
		return
	}
	if h.fresh == nil {
		h.fresh = make(map[[32]byte]*incoming)
	}
	h.fresh[in.norm] = in
}
