package pattern

import (
	"crypto/sha256"
)

// NormalForm writes the pattern in a form that is the same for patterns which mean the same by the logic of §9:
//
//   - order and grouping of AND and OR, order and repetition of IN constants, and grouping of FOLLOWEDBY do not count;
//   - AND is distributed over OR in comparisons, and AND, FOLLOWEDBY and qualifiers over OR between observations; what
//     another alternative implies is dropped, as are alternatives that no one object type can satisfy;
//   - [a OR b] is [a] OR [b], IN is a list of alternatives, NOT IN of inequalities joined by AND where the path leads to one
//     value, REPEATS is AND with copies, START and STOP hold for each observation inside;
//   - constants are written in one way: 1.50 as 1.5, binary as hex, timestamps without zeros at the end, the networks
//     of ISSUBSET and ISSUPERSET without the bits beyond the prefix.
//
// WITHIN stays even around a single observation: §9.5.1 speaks of two or more, but also wants it observed within the window,
// and an observed-data object may tell of a longer time. Comparisons are taken as independent of each other: that a < 1 implies a < 2 is not seen, nor that two spellings of an
// address or registry key mean one thing (§9.6.2 compares code points).
//
// Distribution can grow exponentially. Where one AND or FOLLOWEDBY would grow beyond 64 alternatives or 256 KiB, it is
// left undistributed, with its operands in normal form and order. The result is still equivalent to the pattern and
// still the same for every order and grouping, but patterns that only distribution makes equal may differ then.
//
// The result is itself a pattern, and its own normal form. It may be longer than DefaultLimits allow.
func (p *Pattern) NormalForm() string {
	return textOfSet(normalObservations(p.root, nil))
}

// Fingerprint is a SHA-256 over the normal form: equal for patterns that mean the same, as far as NormalForm sees it.
func (p *Pattern) Fingerprint() [sha256.Size]byte {
	return sha256.Sum256([]byte("STIX pattern normal form 2\n" + p.NormalForm()))
}

// The bounds of distribution in one AND or FOLLOWEDBY, and of the pairwise search for implied alternatives.
const (
	maxAlternatives     = 64
	maxAlternativeBytes = 256 << 10
	maxPairwise         = 2048
	maxCompoundPairwise = 256 // alternatives that are more than one observation
)

// mayDistribute tells whether count alternatives of about length bytes each stay within the bounds.
func mayDistribute(count int64, length int) bool {
	return count <= maxAlternatives && count*int64(length) <= maxAlternativeBytes
}
