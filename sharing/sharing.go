// Package sharing is the sharing policy: one pure decision over marking sets, used at publish, serve, relay and export.
//
// Decide has no state and does no I/O. Every denial names the rule that made it, so that an operator can be told why an
// object did not leave.
package sharing

import "github.com/skjold-exchange/skjold/stix"

// Recipient is who would receive an object.
type Recipient string

// The kinds of recipients.
const (
	// OwnTool is a SOC tool or an analyst's account of the node that holds the object.
	OwnTool Recipient = "own-tool"
	// PeerNode is another node of the federation.
	PeerNode Recipient = "peer"
)

// Markings is what the policy knows of an object: its marking set and what the holder makes of it.
type Markings struct {
	Set stix.MarkingSet
	// Default is the level of objects without a TLP marking, from the collection.
	Default stix.TLP
	// Unknown: the set has a marking that the holder does not hold a definition of, or does not understand.
	Unknown bool
}

// Request asks whether a recipient may be served.
type Request struct {
	Markings  Markings
	Recipient Recipient
	// MaxTLP is the strictest level that the recipient's account on the collection admits; it bounds peers only.
	MaxTLP stix.TLP
}

// Decision is the answer with the rule that gave it.
type Decision struct {
	Allow bool
	Rule  string
	Level stix.TLP // the level that the object was handled as
}

// Decide applies the rule of each edge: TLP:RED is served to no account and no peer, AMBER+STRICT to no peer, and a peer
// is served nothing above what its account on the collection admits. A marking that is not understood is RED; an
// unmarked object has the collection's default level, and is RED where that refuses unmarked objects; above GREEN it goes
// to no peer, since its bytes do not carry the level on; nor does a relationship or sighting that what it joins made
// stricter than its bytes say.
func Decide(r Request) Decision {
	level := r.Markings.Set.Level(r.Markings.Default, r.Markings.Unknown)
	deny := func(rule string) Decision { return Decision{Rule: rule, Level: level} }
	switch {
	case r.Markings.Unknown:
		return deny("unknown-marking")
	case level == stix.TLPUnmarked:
		return deny("unmarked")
	case level >= stix.TLPRed:
		return deny("red")
	}
	switch r.Recipient {
	case OwnTool:
		return Decision{Allow: true, Rule: "own-tool", Level: level}
	case PeerNode:
		if level >= stix.TLPAmberStrict {
			return deny("amber-strict")
		}
		if r.Markings.Set.TLP == stix.TLPUnmarked && level > stix.TLPGreen {
			return deny("unmarked-amber") // the receiver could not know: nothing in the object says so
		}
		if r.Markings.Set.Raised {
			return deny("raised") // nor would it know that its ends are stricter than its bytes say
		}
		if r.MaxTLP == stix.TLPUnmarked || level > r.MaxTLP {
			return deny("account")
		}
		return Decision{Allow: true, Rule: "account", Level: level}
	}
	return deny("unknown-recipient")
}
