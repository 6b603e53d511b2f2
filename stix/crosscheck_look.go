package stix

// look reads what a CrossCheck needs beyond the common properties: the class of a custom type, the target of a
// translation, and references to objects of custom types.
func (x *CrossCheck) look(index int, o *Object, known *companion) {
	r := standardTypes[o.Type]
	if r != nil && r.class != classLanguage && !r.refersToClasses() {
		return
	}
	t := trees.Get().(*tree)
	defer t.release()
	if err := t.parseAll(o.Raw, maxDepth); err != nil || t.nodes[0].kind != kindObject {
		return
	}
	switch {
	case r == nil:
		if known != nil && known.class == classCustom {
			known.class = t.declaredClass()
		}
	case r.class == classLanguage:
		x.translation(t, index, o)
	default:
		x.customReferences(t, r, index, o)
	}
}

// declaredClass is the class that an extension of a custom object says it has (§7.3).
func (t *tree) declaredClass() class {
	switch {
	case t.hasExtension(0, "new-sdo"):
		return classSDO
	case t.hasExtension(0, "new-sro"):
		return classSRO
	case t.hasExtension(0, "new-sco"):
		return classSCO
	}
	return classCustom
}

func (x *CrossCheck) translation(t *tree, index int, o *Object) {
	target, modified := t.member(0, "object_ref"), t.member(0, "object_modified")
	if target == 0 || modified == 0 || t.identifier(target) == "" || t.timestamp(modified).IsZero() {
		return
	}
	if len(x.translations) >= x.limit {
		x.truncated = true
		return
	}
	x.translations = append(x.translations, translation{index, o.ID, t.identifier(target), t.timestamp(modified)})
}

// refersToClasses reports whether the type has references that admit classes of objects, so that custom types may be meant.
func (r *rule) refersToClasses() bool {
	for i := range r.properties {
		if r.properties[i].refTarget() != nil {
			return true
		}
	}
	return false
}

// refTarget is what the property, or each element of it, may refer to, if it admits classes of objects but not any.
func (p *property) refTarget() *refTarget {
	v := &p.value
	if v.kind == valueList {
		v = v.element
	}
	if v.kind != valueRef || v.refs.any || len(v.refs.classes) == 0 {
		return nil
	}
	return v.refs
}

// customReferences remembers the references of an object to custom types, where their class matters.
func (x *CrossCheck) customReferences(t *tree, r *rule, index int, o *Object) {
	for i := 1; i < len(t.nodes); i = int(t.nodes[i].end) {
		at, ok := r.byName[string(t.nameBytes(i))]
		if !ok || r.properties[at].refTarget() == nil {
			continue
		}
		p := &r.properties[at]
		if t.nodes[i].kind == kindString {
			x.customReference(t, i, p, index, o)
			continue
		}
		for n := i + 1; n < int(t.nodes[i].end); n = int(t.nodes[n].end) {
			x.customReference(t, n, p, index, o)
		}
	}
}

func (x *CrossCheck) customReference(t *tree, n int, p *property, index int, o *Object) {
	to := t.identifier(n)
	if to == "" || standardTypes[to.Type()] != nil {
		return
	}
	if len(x.references) >= x.limit {
		x.truncated = true
		return
	}
	x.references = append(x.references, customReference{index: index, id: o.ID, to: to, path: t.path(n), p: p, target: p.refTarget()})
}
