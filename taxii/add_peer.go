package taxii

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// sentBy makes a submission that of a peer. What only named organisations or persons may see never leaves a node that
// follows the sharing policy, so it is refused; and a peer passes unmarked objects on where it handles them as no more than
// TLP:GREEN, which is not in their bytes.
func (s *Submission) sentBy(peer string) {
	s.Source = peer
	for i := range s.Items {
		item := &s.Items[i]
		if item.Refused != "" || item.Object == nil {
			continue
		}
		if level := item.Object.Markings().TLP; level >= stix.TLPAmberStrict {
			item.Refused = fmt.Sprintf("It is marked TLP:%s, which no node may pass to another. It was not stored.", strings.ToUpper(level.String()))
			continue
		}
		item.Object.Floor = stix.TLPGreen
	}
}

// tooManyOfPeer: what a peer sends is decided before it is answered, so that it knows what it need not send again.
func tooManyOfPeer(most int) error {
	return refuse(http.StatusRequestEntityTooLarge, "Too many objects", "A node may send at most %d objects at a time.", most)
}
