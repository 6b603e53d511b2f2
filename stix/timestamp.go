package stix

// Timestamp is a STIX timestamp (§2.16): the text as received, and a key that orders instants at any precision.
type Timestamp struct {
	text string
	key  string
}
