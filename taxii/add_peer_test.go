package taxii

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/skjold-exchange/skjold/stix"
)

// TestAddOfPeer: what a peer sends is kept as that peer's, within the sharing policy, and decided at once.
func TestAddOfPeer(t *testing.T) {
	var got []Submission
	g := newRig(t, func(o *Options) {
		o.SyncObjects = 5
		o.Store = submissionTap{Store: o.Store, seen: func(s Submission) { got = append(got, s) }}
	})
	g.users["peer"] = &Principal{Kind: PeerNode, Name: "https://peer.example", Admin: true}
	g.users["tool"] = &Principal{Kind: ClientAccount, Name: "tool", Admin: true}
	strict, red := stix.MarkingOf(stix.TLPAmberStrict), stix.MarkingOf(stix.TLPRed)
	body := envelopeOf(indicator(1, v1, ""), indicator(2, v1, strict), indicator(3, v1, red), indicator(4, v1, stix.MarkingOf(stix.TLPAmber)))
	for _, user := range []string{"peer", "tool"} {
		g.want(g.do("POST", g.objects(""), body, as(user)), http.StatusAccepted)
		s := got[len(got)-1]
		peer := user == "peer"
		if (s.Source == "https://peer.example") != peer || s.Source != "" && !peer || s.Deferred {
			t.Errorf("%s: the source is %q, deferred: %t", user, s.Source, s.Deferred)
		}
		for i, item := range s.Items {
			refused := peer && (i == 1 || i == 2)
			if (item.Refused != "") != refused || refused && !strings.Contains(item.Refused, "no node may pass") {
				t.Errorf("%s: object %d is refused: %q", user, i+1, item.Refused)
			}
			if floor := item.Object.Floor; (floor == stix.TLPGreen) != (peer && !refused) {
				t.Errorf("%s: object %d has the floor %s", user, i+1, floor)
			}
		}
	}
	var many []string
	for i := range 6 {
		many = append(many, indicator(10+i, v1, ""))
	}
	g.want(g.do("POST", g.objects(""), envelopeOf(many...), as("peer")), http.StatusRequestEntityTooLarge)
	if len(got) != 2 {
		t.Errorf("%d submissions, want 2", len(got))
	}
}

// submissionTap shows what is added.
type submissionTap struct {
	Store
	seen func(Submission)
}

func (s submissionTap) Add(ctx context.Context, sub Submission) (Status, error) {
	s.seen(sub)
	return s.Store.Add(ctx, sub)
}
