package stix

import "slices"

// Strictest returns the marking set of something that tells of m and of all others, like a relationship of its ends: the
// strictest TLP and PAP level and every other marking of any of them. The owner stays that of m.
//
// A set without a TLP marking counts as def, the level that unmarked objects are handled as, or as its Floor where that is
// above, so that an unmarked end is never lowered to the level of a marked one; where def is TLPUnmarked, which stands for
// refusing unmarked objects, it counts as TLPRed. Only if none of the sets has a TLP marking, the result has none either,
// and the highest Floor.
func (m MarkingSet) Strictest(def TLP, others ...MarkingSet) MarkingSet {
	result := m
	result.Others = slices.Clone(m.Others)
	marked, unmarked := m.TLP != TLPUnmarked, m.TLP == TLPUnmarked
	floor := m.floorIfUnmarked()
	for _, other := range others {
		result.TLP = max(result.TLP, other.TLP)
		result.PAP = max(result.PAP, other.PAP)
		result.Others = append(result.Others, other.Others...)
		marked = marked || other.TLP != TLPUnmarked
		unmarked = unmarked || other.TLP == TLPUnmarked
		floor = max(floor, other.floorIfUnmarked())
	}
	switch {
	case !marked:
		result.Floor = floor
	case unmarked && def == TLPUnmarked:
		result.TLP, result.Floor = TLPRed, TLPUnmarked
	case unmarked:
		result.TLP, result.Floor = max(result.TLP, def, floor), TLPUnmarked
	}
	slices.Sort(result.Others)
	result.Others = slices.Compact(result.Others)
	return result
}

// floorIfUnmarked is Floor where it counts.
func (m MarkingSet) floorIfUnmarked() TLP {
	if m.TLP == TLPUnmarked {
		return m.Floor
	}
	return TLPUnmarked
}

// Ends returns the ids that a relationship or sighting joins, in the order of their properties: source_ref and target_ref
// (§5.1), sighting_of_ref, observed_data_refs and where_sighted_refs (§5.2). Objects of custom types may be relationships
// too (§7.3, new-sro) and are read alike; all others have none. What is no identifier is left out.
func (o *Object) Ends() []Identifier {
	if class := classOf(o.Type); class != classSRO && class != classCustom {
		return nil
	}
	t := trees.Get().(*tree)
	defer t.release()
	if err := t.parseAll(o.Raw, maxDepth); err != nil || t.nodes[0].kind != kindObject {
		return nil
	}
	var ends []Identifier
	for _, name := range [...]string{"source_ref", "target_ref", "sighting_of_ref", "observed_data_refs", "where_sighted_refs"} {
		i := t.member(0, name)
		if i == 0 {
			continue
		}
		for n := i; n < int(t.nodes[i].end); n++ { // the value itself, or the elements of a list
			if id := t.identifier(n); id != "" {
				ends = append(ends, id)
			}
		}
	}
	return ends
}

// EffectiveMarkings returns the marking set that o is to be handled by. A relationship or sighting is at least as strict
// as each of its ends that is held, as it tells of them; any other object has its own set. Held returns the marking set
// of an object that the caller has, in the version that counts, and false for one that it has not; an end that is a
// relationship itself is taken by its own markings only. For def see Strictest.
//
// Whether a marking among the Others of the result is understood is for the caller to say, with MarkingSet.Level: one
// whose definition is not held, or not understood, means TLPRed.
func (o *Object) EffectiveMarkings(def TLP, held func(Identifier) (MarkingSet, bool)) MarkingSet {
	var ends []MarkingSet
	for _, id := range o.Ends() {
		if end, ok := held(id); ok {
			ends = append(ends, end)
		}
	}
	if len(ends) == 0 {
		return o.Markings()
	}
	return o.Markings().Strictest(def, ends...)
}
