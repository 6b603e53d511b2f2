package taxii

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// What one submission tells in full: a status is held in memory and kept for days, so that a small request for many bad
// objects must not make a large one.
const (
	maxReasons        = 1000    // refusals with their reason, each of 1,000 octets at most
	maxViolationsText = 1 << 20 // octets of the violations of what is stored in spite of them
)

// Unlisted is the message of every refusal after the first 1,000 of a submission.
const Unlisted = "Refused; to see why, send fewer objects at once or run skjold check."

// unlisted stands for the violations of an object that is stored in spite of them, where those of the objects before it
// fill the text.
var unlisted = []stix.Violation{{
	Rule: "unlisted", Message: "rules that are not listed, as the objects before it break very many; check it again to see which",
}}

// reasons counts what the items of a submission tell.
type reasons struct {
	refusals   int
	violations int // octets of text
}

// bound shortens what an item tells where the ones before it have told enough.
func (t *reasons) bound(item *Item) {
	if item.Refused != "" {
		if t.refusals++; t.refusals > maxReasons {
			item.Refused = Unlisted
		}
	}
	if len(item.Violations) > 0 {
		item.Violations = Recordable(item.Violations)
		if size := textOf(item.Violations); t.violations+size > maxViolationsText {
			item.Violations = unlisted
		} else {
			t.violations += size
		}
	}
}

func textOf(violations []stix.Violation) int {
	size := 0
	for _, v := range violations {
		size += len(v.Path) + len(v.Rule) + len(v.Section) + len(v.Message)
	}
	return size
}

// itemOctets is what one item takes beside its text and the bytes of its object: the item, what the store makes of it, and
// its line in the status, which is written once for the store and once for the answer.
const itemOctets = 1 << 10

// memory is about what an item takes until its submission has been answered, in octets.
func (i Item) memory() int64 {
	text := len(i.Refused) + textOf(i.Violations)
	if i.Object != nil {
		text += len(i.Object.Version().String()) // a fraction may have any length
	}
	return itemOctets + 4*int64(text)
}

// namesNothing refuses a submission as a whole if no element of it has an id: nobody could find its object again
// in a status.
func (s *Submission) namesNothing() error {
	const shown = 3
	var b strings.Builder
	for i, item := range s.Items {
		if item.Object != nil || item.ID != placeOf(i) {
			return nil
		}
		if i < shown {
			fmt.Fprintf(&b, " %s: %s", item.ID, cut(item.Refused, maxMessage/shown))
		}
	}
	return refuse(http.StatusUnprocessableEntity, "No objects", "None of the %d elements is a STIX object with a type and an id. Nothing was stored.%s",
		len(s.Items), b.String())
}

// placeOf names an element that has no id.
func placeOf(index int) string { return fmt.Sprintf("objects[%d]", index) }
