package pattern

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/skjold-exchange/skjold/stix"
)

// Observations are the observed-data objects that a pattern is matched against, with the objects they refer to.
type Observations struct {
	list []observation
}

// observation is one observed-data object. It stands for count observations, each at some time from first to last.
type observation struct {
	id          string
	count       int64
	first, last instant
	// objects are those that the observed-data lists, by identifier or, in the deprecated form, by local key. Nothing
	// else may be reached through references (§9.7.4).
	objects map[string]*value
	// roots are the same objects in order.
	roots []*value
}

// Len is the number of observed-data objects.
func (o *Observations) Len() int { return len(o.list) }

// AddBundle reads the observed-data objects of a STIX bundle, or of anything else that has its objects in a list named
// "objects". References are followed inside the bundle only. Nothing is added if there is an error.
func (o *Observations) AddBundle(raw []byte) error {
	bundle, err := parseValue(raw)
	if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	objects := bundle.member("objects")
	if objects == nil || objects.kind != '[' {
		return errors.New("read bundle: it has no list named objects")
	}
	byID := make(map[string]*value, len(objects.inside))
	for i := range objects.inside {
		object := &objects.inside[i]
		if id := object.str("id"); id != "" && byID[id] == nil {
			byID[id] = object
		}
	}
	var added []observation
	for i := range objects.inside {
		object := &objects.inside[i]
		if object.str("type") != "observed-data" {
			continue
		}
		observed, err := newObservation(object, byID)
		if err != nil {
			return fmt.Errorf("read %s: %w", excerpt(object.str("id")), err)
		}
		added = append(added, observed)
	}
	o.list = append(o.list, added...)
	return nil
}

func newObservation(object *value, byID map[string]*value) (observation, error) {
	o := observation{id: object.str("id"), count: 1}
	if n := object.member("number_observed"); n != nil {
		count, err := strconv.ParseInt(n.text, 10, 64)
		if n.kind != '0' || err != nil || count < 1 || count > 999_999_999 {
			return o, errors.New("number_observed is not an integer from 1 to 999999999 (§4.14.1)")
		}
		o.count = count
	}
	var err error
	if o.first, err = timeOf(object, "first_observed"); err != nil {
		return o, err
	}
	if o.last, err = timeOf(object, "last_observed"); err != nil {
		return o, err
	}
	if o.last.compare(o.first) < 0 {
		return o, errors.New("last_observed is earlier than first_observed (§4.14.1)")
	}
	o.collect(object, byID)
	return o, nil
}

func timeOf(object *value, name string) (instant, error) {
	t, err := stix.ParseTimestamp(object.str(name))
	if err != nil {
		return instant{}, fmt.Errorf("%s: %w", name, err)
	}
	return instantOf(t), nil
}

// collect gathers the objects: those named by object_refs, or those in the deprecated property objects.
func (o *observation) collect(object *value, byID map[string]*value) {
	o.objects = map[string]*value{}
	add := func(key string, v *value) {
		if v != nil && v.kind == '{' && o.objects[key] == nil {
			o.objects[key] = v
			o.roots = append(o.roots, v)
		}
	}
	if refs := object.member("object_refs"); refs != nil {
		for i := range refs.inside {
			add(refs.inside[i].text, byID[refs.inside[i].text])
		}
		return
	}
	if inner := object.member("objects"); inner != nil && inner.kind == '{' {
		for i := range inner.inside {
			add(inner.inside[i].name, &inner.inside[i])
		}
	}
}
