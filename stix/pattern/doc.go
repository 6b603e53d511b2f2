// Package pattern reads, compares and matches the STIX 2.1 patterning language (OASIS Standard, incorporating Errata
// 01, §9), at conformance level 3 of §12.7: comparisons, all operators between observations and all qualifiers.
//
// Parse gives the syntax tree of a pattern, Check only says whether it is one. Both apply every rule of §9 about
// constants, sets, qualifiers and object types joined by AND, are bounded by Limits, and tell line and column of an error.
// Observables lists the values that a simple indicator looks for. NormalForm and Fingerprint find patterns that say the
// same in other words. Match holds a pattern against observed-data objects.
//
// # How a match is decided
//
// An observed-data object stands for number_observed observations (§4.14), each at an unknown time from first_observed
// to last_observed. A pattern matches if its observation expressions can be given different observations, at times that
// are possible, so that all operators and qualifiers hold. A FOLLOWEDBY demands that no observation of its right side is
// earlier than one of its left side; WITHIN n that the latest is earlier than the earliest plus n seconds; START x STOP y
// that x <= t < y.
//
// The answer is Matched or NotMatched, Undecided if the Budget ended first, or Unsupported if it depends on a regular
// expression that cannot be carried out. MATCHES asks for PCRE (§9.6.1) and runs on Go's linear-time engine: look-around,
// back references, recursion, possessive quantifiers and a few more constructs are valid but unsupported. \d, \w, \s and
// \b are those of ASCII, as in PCRE without UCP.
//
// # Where the standard leaves a choice
//
//   - §9.2: numbers have no exponent, no plus sign and no zeros in front; hex digits are lower case; base64 is padded.
//   - §9.5.1: WITHIN around a single observation asks nothing of its time; the normal form keeps it all the same.
//   - §9.6.1: IN has at least one constant; integers and floats may be mixed, as may hex and binary.
//   - §9.6.1: NOT with [*] asks for an item that does not satisfy the operator.
//   - §9.6.1: NOT EXISTS is true of an object of the type that lacks the property; it is the only comparison that holds
//     of an absent path.
//   - §9.6.1: booleans have no order, so < and its like do not take them.
//   - §9.7: keywords stand between apostrophes in a path, as do names that begin with a digit. A list index is not
//     negative.
//   - A JSON null in an observation counts as absent (§2).
package pattern
