package sharing

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

// TestDecide walks the whole space of levels, defaults, recipients and accounts against a table written by hand from
// the rule of each edge: what may be served is listed, everything else must be denied.
func TestDecide(t *testing.T) {
	type edge struct {
		level stix.TLP
		to    Recipient
		max   stix.TLP
	}
	allowed := map[edge]bool{}
	for _, bound := range []stix.TLP{stix.TLPUnmarked, stix.TLPClear, stix.TLPGreen, stix.TLPAmber, stix.TLPAmberStrict, stix.TLPRed} {
		for _, level := range []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPAmber, stix.TLPAmberStrict} {
			allowed[edge{level, OwnTool, bound}] = true
		}
	}
	allowed[edge{stix.TLPClear, PeerNode, stix.TLPClear}] = true
	for _, level := range []stix.TLP{stix.TLPClear, stix.TLPGreen} {
		allowed[edge{level, PeerNode, stix.TLPGreen}] = true
	}
	for _, bound := range []stix.TLP{stix.TLPAmber, stix.TLPAmberStrict, stix.TLPRed} {
		for _, level := range []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPAmber} {
			allowed[edge{level, PeerNode, bound}] = true
		}
	}

	levels := []stix.TLP{stix.TLPUnmarked, stix.TLPClear, stix.TLPGreen, stix.TLPAmber, stix.TLPAmberStrict, stix.TLPRed}
	for _, marked := range levels {
		for _, def := range levels {
			for _, bound := range levels {
				for _, to := range []Recipient{OwnTool, PeerNode, "somebody-else", ""} {
					for _, unknown := range []bool{false, true} {
						effective := marked
						if marked == stix.TLPUnmarked {
							effective = def
						}
						want := allowed[edge{effective, to, bound}] && !unknown
						if to == PeerNode && marked == stix.TLPUnmarked && effective == stix.TLPAmber {
							want = false // only what its own bytes say may travel above green
						}
						got := Decide(Request{
							Markings:  Markings{Set: stix.MarkingSet{TLP: marked}, Default: def, Unknown: unknown},
							Recipient: to, MaxTLP: bound,
						})
						if got.Allow != want {
							t.Errorf("marked %s, default %s, unknown %t, to %q with at most %s: allowed %t, want %t (rule %s)",
								marked, def, unknown, to, bound, got.Allow, want, got.Rule)
						}
						if got.Rule == "" {
							t.Errorf("marked %s, default %s, unknown %t, to %q: the decision names no rule", marked, def, unknown, to)
						}
					}
				}
			}
		}
	}
}

// TestDenialsNameTheirRule holds the rule names, which operators and metrics rely on.
func TestDenialsNameTheirRule(t *testing.T) {
	tests := []struct {
		name string
		req  Request
		want Decision
	}{
		{"red by its own marking", Request{Markings: Markings{Set: stix.MarkingSet{TLP: stix.TLPRed}}, Recipient: OwnTool}, Decision{Rule: "red", Level: stix.TLPRed}},
		{"unknown marking beside clear", Request{Markings: Markings{Set: stix.MarkingSet{TLP: stix.TLPClear}, Unknown: true}, Recipient: OwnTool}, Decision{Rule: "unknown-marking", Level: stix.TLPRed}},
		{"unmarked where that is refused", Request{Recipient: OwnTool}, Decision{Rule: "unmarked"}},
		{"strict to a peer", Request{Markings: Markings{Default: stix.TLPAmberStrict}, Recipient: PeerNode, MaxTLP: stix.TLPRed}, Decision{Rule: "amber-strict", Level: stix.TLPAmberStrict}},
		{"stricter than its bytes say, to a peer", Request{Markings: Markings{Set: stix.MarkingSet{TLP: stix.TLPAmber, Raised: true}}, Recipient: PeerNode, MaxTLP: stix.TLPAmber}, Decision{Rule: "raised", Level: stix.TLPAmber}},
		{"stricter than its bytes say, to our tools", Request{Markings: Markings{Set: stix.MarkingSet{TLP: stix.TLPAmber, Raised: true}}, Recipient: OwnTool}, Decision{Allow: true, Rule: "own-tool", Level: stix.TLPAmber}},
		{"above the account", Request{Markings: Markings{Set: stix.MarkingSet{TLP: stix.TLPAmber}}, Recipient: PeerNode, MaxTLP: stix.TLPGreen}, Decision{Rule: "account", Level: stix.TLPAmber}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Decide(tt.req)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
