// Package federation is what a node believes about other nodes: entities, their keys, and the request tokens by which
// nodes know each other.
//
// A node has an EntityID and two keys: the federation key signs its entity configuration (OpenID Federation 1.0 §3), the
// request key signs the token of each request that it sends. The configuration, found below the entity id at WellKnown,
// names the request keys; whoever pins a peer compares the federation key's thumbprint once and keeps the request keys.
// From then on no key is ever fetched on behalf of a caller.
//
// Signer and Verifier are the two ends of a request token. NewHTTPClient is the one door through which a node speaks to
// other nodes.
//
// Nodes that have not pinned each other are known by their trust chains: OwnChain keeps the one that a node shows, to whom
// Introductions remembers it; PeerChains keeps those of nodes that it speaks to. Hosting gives the configuration of a node
// that accepts no connections to its hub. OwnChain, PeerChains and Hosting ask other nodes, and nothing that a caller sends
// makes them do so.
//
// Who belongs to the federation follows from records that its founders have signed: Charter, Nomination, Vote, Decision,
// SuspensionOrder, KeyRotation. A Ledger holds them, checks each by itself, and answers whether an entity is a member;
// the anchor and the hubs sign statements and decide nothing. A Ballot is what a founder signs away from any network.
// Revocations joins the ledger with the anchors' lists, and Health tells what a node does that hears of neither.
package federation
