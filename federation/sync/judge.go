package sync

import (
	"fmt"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// maxReason bounds the reason of a refusal in bytes.
const maxReason = 1000

// judge decides what becomes of one object of a page: an item to be stored, or one refused with a reason that the
// operators of both nodes can act on. place names an object without an id.
func (o *Options) judge(s Subscription, refuse func(*stix.Object) string, raw []byte, place string) PulledItem {
	object, report := o.Check(raw)
	item := PulledItem{Raw: raw, Item: taxii.Item{ID: place}}
	item.Refused = o.refusal(s, object, report)
	if item.Refused == "" && refuse != nil {
		item.Refused = refuse(object)
	}
	item.Refused = cut(item.Refused, maxReason)
	if item.Refused == "" {
		// A peer passes unmarked objects on where it handles them as no more than green. That is not in their bytes.
		object.Floor = stix.TLPGreen
	}
	if object != nil && object.ID != "" {
		item.Object, item.ID, item.Version = object, string(object.ID), object.Version().String()
	}
	if item.Refused == "" {
		item.Violations = taxii.Recordable(report.Errors)
	}
	return item
}

// lenient tells whether objects of a subscription may break rules that no exchange relies on.
func (o *Options) lenient(s Subscription) bool {
	switch s.Rules {
	case RulesLenient:
		return true
	case RulesOfNode:
		return o.Lenient
	}
	return false
}

// place names the nth element of a page, from 0; it is the same each time the page is read.
func place(from Cursor, n int) string { return fmt.Sprintf("objects[%d] after %s", n, from.AddedAfter) }

// refusal is why an object is not taken, "" if it is.
func (o *Options) refusal(s Subscription, object *stix.Object, report stix.Report) string {
	if !report.OK() && !(o.lenient(s) && report.Acceptable()) {
		return violations(report.Errors)
	}
	if object == nil || object.ID == "" || object.Type == "" { // whatever Check says, it could not be stored
		return "It is not a STIX object with a type and an id."
	}
	// What only named organisations or persons may see never leaves a node that follows the sharing policy.
	if level := object.Markings().TLP; level >= stix.TLPAmberStrict {
		return fmt.Sprintf("%s sent it although it is marked TLP:%s, which no node may pass to another: tell the operator there. It was not shared further.",
			s.Peer, strings.ToUpper(level.String()))
	}
	if object.FalseTLP() {
		return "It has the id of a TLP marking and is not that marking's definition, which would mislead those it is passed on to."
	}
	latest := stix.TimestampOf(o.Now().Add(o.MaxFutureSkew))
	if t := object.Version(); !t.IsZero() && t.Compare(latest) > 0 {
		return fmt.Sprintf("Its version %s is more than %s in the future, which would stall clients that poll by it.", cut(t.String(), 64), o.MaxFutureSkew)
	}
	return ""
}

// unreadable is an element of a page that is no object; its bytes are not known.
func unreadable(e *stix.ElementError, place string) PulledItem {
	if e.ID != "" {
		place = string(e.ID)
	}
	return PulledItem{Item: taxii.Item{ID: place, Refused: cut("In the page: "+e.Reason, maxReason)}}
}

// violations joins what is wrong with an object into one line.
func violations(list []stix.Violation) string {
	texts := make([]string, 0, len(list))
	for _, v := range list {
		texts = append(texts, v.String())
	}
	return strings.Join(texts, " | ")
}

// cut shortens a text to at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		const dots = "…"
		s = s[:n-len(dots)] + dots
	}
	return strings.ToValidUTF8(s, "")
}
