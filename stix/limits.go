package stix

// Limits bound what is read. The zero value of a field means its default.
type Limits struct {
	// ObjectBytes is the largest size of one object in bytes as received, whitespace included; it bounds its strings too.
	ObjectBytes int
	// Depth is how deep lists and objects may be nested inside one object, the object itself included.
	Depth int
	// Objects is how many objects one input may hold.
	Objects int
}

// The ceilings keep offsets in 32 bits and the recursion of the JSON parser small, whatever is configured.
const (
	maxObjectBytes = 1 << 30
	maxDepth       = 1000
)

// DefaultLimits are 8 MiB for an object, 64 levels, and 5,000,000 objects in one input.
func DefaultLimits() Limits {
	return Limits{ObjectBytes: 8 << 20, Depth: 64, Objects: 5_000_000}
}

// withDefaults fills zero fields and applies the ceilings.
func (l Limits) withDefaults() Limits {
	def := DefaultLimits()
	if l.ObjectBytes <= 0 {
		l.ObjectBytes = def.ObjectBytes
	}
	if l.Depth <= 0 {
		l.Depth = def.Depth
	}
	if l.Objects <= 0 {
		l.Objects = def.Objects
	}
	l.ObjectBytes = min(l.ObjectBytes, maxObjectBytes)
	l.Depth = min(l.Depth, maxDepth)
	return l
}
