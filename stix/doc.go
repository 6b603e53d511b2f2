// Package stix reads STIX 2.1 content (OASIS Standard, incorporating Errata 01) without changing it.
//
// An Object keeps the bytes it was received as, beside the few common properties that an exchange decides by: type,
// id, version, creator, revocation and data markings. Rules live in a table of types and properties, not in a Go struct
// per STIX type, so unknown properties, number forms and member order survive unchanged.
//
// # The life of an object
//
// Reader splits bundles, TAXII envelopes, single objects and JSON lines into objects while streaming, one object in
// memory at a time; what cannot be an object is reported and its siblings go on. Parse reads the common properties of
// one object; Check also tells what is wrong with it, by property path, rule and section of the standard, CrossCheck and
// CheckTranslation what is wrong between objects. Markings gives the set that the sharing policy decides by,
// EffectiveMarkings that of a relationship with its ends; Digest and Norm tell whether two texts are the same content, and
// History whether an object is a further version of one that is held.
//
// # Choices
//
// Where the standard is silent, contradicts itself or leaves room, this package does as follows.
//
//   - §2.1: bits left over in the last base64 digit may be set.
//   - §2.3: keys of the standard's own dictionaries may be in upper case, as names of other standards are (§3.1).
//   - §2.7, §6: a hash key outside hash-algorithm-ov is a warning, as the vocabulary is open.
//   - §2.9: UUIDs of versions 1 to 8 are accepted (RFC 9562), in upper case too; identifiers are compared byte for byte.
//   - §2.9: cyber-observables with UUIDs made from equal values share them across types, which is no reuse.
//   - §2.10: 1.0 and 1e2 are integers, 1.5 is not. Numbers that nobody interprets keep their digits; one outside I-JSON is
//     an error wherever it stands, as the object has no digest.
//   - §2.13: inside an observable-container a reference is a key of the container, or an identifier.
//   - §2.16: second 60 is accepted at the end of June and December, year 0000 is accepted, fractions have any length.
//   - §3.1: a type name does not end in a hyphen.
//   - §3.2: a custom type that no extension defines counts as a versioned object, unless it has neither spec_version nor
//     created nor modified; then it counts as a cyber-observable.
//   - §3.6: a version is told by the instant of its modified; of two contents of one version the first to come stays. A
//     revocation is final at its own instant, whatever came before it was known; later versions do not count.
//   - §4.4.1: the name of a grouping is optional; §4.11.1: is_family is required; §5.2.1: summary is a boolean; §6.13.2:
//     both window_title and windows_title are accepted (errata text and standard differ).
//   - §6.12.4: both SOCK_DGRAM and AF_ISOCK_DGRAMNET are accepted (§10.17 has both).
//   - §7.1.1: object_modified may name any version of the target that the same input has.
//   - §7.2: of several TLP markings the strictest counts; a malformed marking counts as one that nobody understands.
//     A relationship or sighting is as strict as each of its ends that is held.
//   - §7.2.1: markings are recognised by their identifiers, whatever a marking definition with such an identifier says. One is
//     new, and better defined by an extension, if it was created since STIX 2.1 is a standard (10 June 2021).
//   - §7.2.3: an index in a selector has no zeros in front.
//   - §7.3.2: what an extension that defines a type holds beside extension_type is a property of the object, too.
//   - §8.1: a bundle with an empty list of objects is refused, a TAXII envelope with one is not.
//   - JSON (RFC 8259, RFC 7493): a byte order mark, invalid UTF-8 and bad grammar end reading; a repeated member name,
//     half of a surrogate pair or too deep nesting inside one object spoil that object only.
package stix
