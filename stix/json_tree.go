package stix

import "sync"

// trees are for parsing again without allocating.
var trees = sync.Pool{New: func() any { return new(tree) }}

// keptNodes and keptNames are how large a tree may be to be kept for use again.
const (
	keptNodes = 1 << 14
	keptNames = 1 << 9
)

// emptied is the tree without anything of the caller, and without the memory of an unusually large object.
func (t *tree) emptied() tree {
	nodes, names := t.nodes, t.names.names
	if cap(nodes) > keptNodes || cap(names) > keptNames {
		nodes, names = nil, nil
	}
	clear(names[:cap(names)])
	return tree{nodes: nodes[:0], names: nameSet{names: names[:0]}}
}

func (t *tree) release() {
	*t = t.emptied()
	trees.Put(t)
}

// bytes returns the text of a string node without its quotes, escapes resolved.
func (t *tree) bytes(i int) []byte {
	n := &t.nodes[i]
	text := t.src[n.start+1 : n.stop-1]
	if n.escaped {
		return appendUnescaped(make([]byte, 0, len(text)), text)
	}
	return text
}

// text is bytes as a string.
func (t *tree) text(i int) string { return string(t.bytes(i)) }

// nameBytes returns the member name of a node, escapes resolved.
func (t *tree) nameBytes(i int) []byte {
	n := &t.nodes[i]
	text := t.src[n.name:n.nameStop]
	if n.nameEscaped {
		return appendUnescaped(make([]byte, 0, len(text)), text)
	}
	return text
}

// member returns the node of a member of the object i, 0 if it has none of that name.
func (t *tree) member(i int, name string) int {
	end := int(t.nodes[i].end)
	for c := i + 1; c < end; {
		n := &t.nodes[c]
		if n.nameEscaped {
			if string(t.nameBytes(c)) == name {
				return c
			}
		} else if int(n.nameStop-n.name) == len(name) && string(t.src[n.name:n.nameStop]) == name {
			return c
		}
		c = int(n.end)
	}
	return 0
}

// memberText returns the text of a member of the topmost object, "" if it is absent or no string.
func (t *tree) memberText(name string) string {
	if i := t.member(0, name); i > 0 && t.nodes[i].kind == kindString {
		return t.text(i)
	}
	return ""
}
