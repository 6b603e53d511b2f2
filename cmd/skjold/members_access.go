package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	stdsync "sync"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// openedFact is where a node notes which collections members of its federation may read: a JSON object of openedJSON by
// collection id, or of the level alone, as earlier versions wrote it.
const openedFact = "members_read"

// opening says which members may read a collection, and what of it.
type opening struct {
	// level is the strictest that they are served.
	level stix.TLP
	// classes are those of whom one must be the member's; none for all members.
	classes []string
	// marks are the types of trust mark that the member must show, all of them.
	marks []string
	// write lets them add to it too.
	write bool
}

// openingJSON is an opening as it is noted.
type openingJSON struct {
	MaxTLP  string   `json:"max_tlp"`
	Classes []string `json:"classes,omitempty"`
	Marks   []string `json:"marks,omitempty"`
	Write   bool     `json:"write,omitempty"`
}

// UnmarshalJSON reads the form of earlier versions too.
func (o *openingJSON) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &o.MaxTLP) == nil {
		return nil
	}
	type plain openingJSON
	return json.Unmarshal(text, (*plain)(o))
}

// readOpened returns the collections that are opened to members.
func readOpened(ctx context.Context, st *store.Store) (map[string]opening, error) {
	text, err := st.Meta(ctx, openedFact)
	if isNotFound(err) {
		return map[string]opening{}, nil
	}
	if err != nil {
		return nil, err
	}
	return parseOpened(text)
}

func parseOpened(text string) (map[string]opening, error) {
	var noted map[string]openingJSON
	if err := json.Unmarshal([]byte(text), &noted); err != nil {
		return nil, fmt.Errorf("the collections that are opened to members: %w", err)
	}
	opened := make(map[string]opening, len(noted))
	for id, j := range noted {
		level, err := stix.ParseTLP(j.MaxTLP)
		if err != nil {
			return nil, fmt.Errorf("the collections that are opened to members: %w", err)
		}
		opened[id] = opening{level: level, classes: j.Classes, marks: j.Marks, write: j.Write}
	}
	return opened, nil
}

// writeOpened notes the collections that are opened to members.
func writeOpened(ctx context.Context, st *store.Store, opened map[string]opening) error {
	noted := make(map[string]openingJSON, len(opened))
	for id, o := range opened {
		noted[id] = openingJSON{MaxTLP: o.level.String(), Classes: o.classes, Marks: o.marks, Write: o.write}
	}
	text, err := json.Marshal(noted)
	if err != nil {
		return err
	}
	return st.SetMeta(ctx, openedFact, string(text))
}

// openedTo tells whether a member is one of those that an opening is for. marks are asked for only where they matter.
func (o opening) openedTo(class string, marks func() map[string]bool) bool {
	if len(o.classes) > 0 && !slices.Contains(o.classes, class) {
		return false
	}
	return len(o.marks) == 0 || !slices.ContainsFunc(o.marks, func(t string) bool { return !marks()[t] })
}

// openedCollections gives the rights of members that the operator has not pinned. A change counts within two seconds.
type openedCollections struct {
	store *store.Store
	trust *trust // nil where no founding charter is pinned: nobody is introduced then

	mu     stdsync.Mutex
	opened map[string]opening
	read   time.Time
}

func newOpenedCollections(st *store.Store, t *trust) *openedCollections {
	return &openedCollections{store: st, trust: t}
}

// principal is a member with the rights that members of its class, with its trust marks, have.
func (o *openedCollections) principal(ctx context.Context, id federation.EntityID) (*taxii.Principal, error) {
	opened, err := o.current(ctx)
	if err != nil {
		return nil, err
	}
	p := &taxii.Principal{Kind: taxii.PeerNode, Name: string(id), Rights: make(map[string]taxii.Rights), MaxTLP: make(map[string]stix.TLP)}
	class, marks := "", func() map[string]bool { return nil }
	if o.trust != nil {
		class, marks = o.trust.classOf(id), stdsync.OnceValue(func() map[string]bool { return o.trust.marksOf(id) })
	}
	for collection, rule := range opened {
		if rule.openedTo(class, marks) {
			p.Rights[collection] = taxii.Rights{Read: true, Write: rule.write}
			p.MaxTLP[collection] = rule.level
		}
	}
	return p, nil
}

func (o *openedCollections) current(ctx context.Context) (map[string]opening, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.opened != nil && time.Since(o.read) < time.Second {
		return o.opened, nil
	}
	opened, err := readOpened(ctx, o.store)
	if err != nil {
		return nil, err
	}
	o.opened, o.read = opened, time.Now()
	return opened, nil
}
