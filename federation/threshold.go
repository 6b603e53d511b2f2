package federation

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Threshold says how many of all founders must be for something: "more than 1/2", "at least 2/3". Who does not vote
// counts as one who is not for it. It is a part of the charter and thereby data: no rule is built in.
type Threshold struct {
	numerator, denominator int
	orEqual                bool
}

// The thresholds of a charter that says nothing else.
var (
	MoreThanHalf  = Threshold{numerator: 1, denominator: 2}
	TwoThirds     = Threshold{numerator: 2, denominator: 3, orEqual: true}
	thresholdHelp = `a threshold is written as "more than 1/2" or "at least 2/3"`
)

// ParseThreshold reads the text of a threshold. One that asks for nobody, or for more than all, is refused.
func ParseThreshold(s string) (Threshold, error) {
	var t Threshold
	fraction, more := strings.CutPrefix(s, "more than ")
	if !more {
		if fraction, t.orEqual = strings.CutPrefix(s, "at least "); !t.orEqual {
			return Threshold{}, fmt.Errorf("threshold %.32q: %s", s, thresholdHelp)
		}
	}
	over, under, _ := strings.Cut(fraction, "/")
	var errs [2]error
	t.numerator, errs[0] = strconv.Atoi(over)
	t.denominator, errs[1] = strconv.Atoi(under)
	switch {
	case errs[0] != nil || errs[1] != nil || t.String() != s:
		return Threshold{}, fmt.Errorf("threshold %.32q: %s", s, thresholdHelp)
	case t.numerator < 1 || t.denominator > 100 || t.numerator > t.denominator || t.numerator == t.denominator && !t.orEqual:
		return Threshold{}, fmt.Errorf("threshold %.32q: the fraction must be more than nothing and at most 1", s)
	}
	return t, nil
}

// String returns the text that ParseThreshold reads.
func (t Threshold) String() string {
	words := "more than"
	if t.orEqual {
		words = "at least"
	}
	return fmt.Sprintf("%s %d/%d", words, t.numerator, t.denominator)
}

// Met tells whether so many of all are enough. Nothing is ever decided by nobody.
func (t Threshold) Met(votes, all int) bool {
	if t.denominator == 0 || votes < 1 {
		return false
	}
	if t.orEqual {
		return votes*t.denominator >= all*t.numerator
	}
	return votes*t.denominator > all*t.numerator
}

// MarshalJSON writes the text as a JSON string.
func (t Threshold) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalJSON reads the text from a JSON string.
func (t *Threshold) UnmarshalJSON(text []byte) error {
	var s string
	err := json.Unmarshal(text, &s)
	if err == nil {
		*t, err = ParseThreshold(s)
	}
	return err
}
