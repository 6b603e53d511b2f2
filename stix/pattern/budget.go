package pattern

// Budget bounds the work of one Match.
type Budget struct {
	// Steps is the number of elementary steps, a few nanoseconds each: a value compared, a character held against a
	// regular expression's state, an observation tried. Zero means DefaultSteps.
	Steps int64
}

// DefaultSteps is the budget of a Match that names none: well under a second.
const DefaultSteps = 10_000_000

// meter counts the steps that are left.
type meter struct{ left int64 }

func newMeter(b Budget) *meter {
	if b.Steps <= 0 {
		b.Steps = DefaultSteps
	}
	return &meter{left: b.Steps}
}

// spend takes n steps and reports whether they were there. Once it has said no it always does.
func (m *meter) spend(n int) bool {
	if m.left < int64(n) {
		m.left = -1
		return false
	}
	m.left -= int64(n)
	return true
}

func (m *meter) exhausted() bool { return m.left < 0 }
