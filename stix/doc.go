// Package stix reads STIX 2.1 content (OASIS Standard, incorporating Errata 01) without changing it.
//
// An Object keeps the bytes it was received as, beside the few common properties that an exchange decides by: type,
// id, version, creator, revocation and data markings. Rules live in a table of types and properties, not in a Go struct
// per STIX type, so unknown properties, number forms and member order survive unchanged.
//
// Reader splits bundles, TAXII envelopes, single objects and JSON lines into objects while streaming; Check tells what
// is wrong with one object, by property path, rule and section of the standard.
package stix
