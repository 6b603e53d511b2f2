package pattern

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameTree compares syntax trees; what is worked out from the constants does not count.
var sameTree = cmpopts.IgnoreUnexported(Comparison{})

// checkRoundTrip parses text, prints it and parses the result, which must be the same tree.
func checkRoundTrip(t *testing.T, text string) {
	t.Helper()
	wide := Limits{Bytes: 1 << 20, Depth: 256, Terms: 100_000, RegexBytes: 4 << 10}
	first, err := ParseLimits(text, wide)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	printed := first.String()
	second, err := ParseLimits(printed, wide)
	if err != nil {
		t.Fatalf("%s\nis printed as\n%s\nwhich does not parse: %v", text, printed, err)
	}
	if diff := cmp.Diff(first.Root(), second.Root(), sameTree); diff != "" {
		t.Fatalf("%s\nis printed as\n%s\nwhich is another tree (-first +second):\n%s", text, printed, diff)
	}
	if again := second.String(); again != printed {
		t.Fatalf("printing is not stable: %s\nthen %s", printed, again)
	}
}
