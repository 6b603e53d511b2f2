package pattern

// Limits bound what Parse accepts, so that no text can make it use more than a known amount of time and memory.
type Limits struct {
	// Bytes is the longest pattern.
	Bytes int
	// Depth is the deepest nesting of parentheses, and the longest object path in steps.
	Depth int
	// Terms is the largest number of comparison expressions, members of IN sets and qualifiers together.
	Terms int
	// RegexBytes is the longest regular expression of one MATCHES.
	RegexBytes int
}

// DefaultLimits are the limits of Parse and Check. STIX sets none (§9 leaves them to the implementation); these are
// far beyond what published indicators use.
var DefaultLimits = Limits{Bytes: 64 << 10, Depth: 64, Terms: 10_000, RegexBytes: 4 << 10}
