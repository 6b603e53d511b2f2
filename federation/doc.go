// Package federation is what a node believes about other nodes: entities, their keys, and the request tokens by which
// nodes know each other.
package federation
