package stix

// Identifier is a STIX identifier, type + "--" + UUID (STIX 2.1 §2.9), as its text. Compared byte for byte.
type Identifier string
