package main

import (
	"encoding/json"
	"net/http"

	"github.com/skjold-exchange/skjold/stix"
)

// filterCheck is a query and what it must bring.
type filterCheck struct {
	query string // match parameters, as a client writes them
	none  bool   // nothing matches; otherwise at least one object does
	is    func(o filtered) bool
	harm  string // what happens to clients where it is wrong
}

// filtered is what of an object the filters go by.
type filtered struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	SpecVersion string `json:"spec_version"`
}

// filters asks for what is known to be there, and for what cannot be.
func (d *doctor) filters() {
	_, page, err := d.objects(values("limit", "50"))
	if err != nil || len(page.Objects) == 0 {
		d.note(resultSkipped, "filters", "3.4", "there is no object to filter by")
		return
	}
	id, typ := stix.Identity(page.Objects[0])
	var first filtered
	_ = json.Unmarshal(page.Objects[0], &first) // what cannot be read has no specification version
	ofType := func(o filtered) bool { return o.Type == typ }
	same := func(o filtered) bool { return o.ID == id }
	checks := []filterCheck{
		{query: "match[type]=" + typ, is: ofType},
		{query: "match%5Btype%5D=" + typ, is: ofType, harm: "taxii2-client encodes the brackets"},
		{query: "match[type]=" + typ + ",no-such-type", is: ofType, harm: "XSOAR asks for several types in one list"},
		{query: "match[id]=" + id, is: same},
		{query: "match[id]=" + id + "&match[version]=all", is: same, harm: "python-stix2 reads versions so"},
		{query: "match[type]=no-such-type", none: true},
		{query: "match[type]=no-such-type&match[id]=" + id, none: true, harm: "fields are to be combined by AND"},
		{query: "match[id]=" + id + "&match[version]=1999-01-01T00:00:00.000Z", none: true,
			harm: "a version that no object has must match none, or a DELETE with it deletes what nobody named"},
	}
	if first.SpecVersion == "2.1" {
		checks = append(checks, filterCheck{query: "match[spec_version]=2.1", is: func(o filtered) bool { return o.SpecVersion == "2.1" || o.SpecVersion == "" }})
	}
	for _, c := range checks {
		d.filter(c)
	}
}

func (d *doctor) filter(c filterCheck) {
	const check, section = "filters", "3.4.1"
	because := ""
	if c.harm != "" {
		because = "; " + c.harm
	}
	r, err := d.get(d.content + "objects/?limit=50&" + c.query)
	var e examinedEnvelope
	switch {
	case err != nil:
		d.note(resultFault, check, section, "%s: %v", c.query, err)
		return
	case r.StatusCode != http.StatusOK:
		d.note(resultFault, check, section, "%s answers %s%s", c.query, r.Status, because)
		return
	case r.decode(&e) != nil:
		d.note(resultFault, check, section, "%s brings no envelope", c.query)
		return
	}
	wrong := 0
	for _, raw := range e.Objects {
		var o filtered
		if c.none || json.Unmarshal(raw, &o) != nil || !c.is(o) {
			wrong++
		}
	}
	switch {
	case wrong > 0:
		d.note(resultFault, check, section, "%s brings %d objects that do not match%s", c.query, wrong, because)
	case len(e.Objects) == 0 && !c.none:
		d.note(resultFault, check, section, "%s brings nothing, though there is such an object%s", c.query, because)
	default:
		d.note(resultOK, check, section, "%s", c.query)
	}
}
