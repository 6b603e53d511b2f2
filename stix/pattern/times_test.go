package pattern

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

func TestTimes(t *testing.T) {
	const window = " START t'2020-01-01T00:00:00Z' STOP t'2020-02-01T00:00:00.5Z'"
	tests := []struct {
		text        string
		start, stop []string
	}{
		{"[a:b = 1]", nil, nil},
		{"[a:b = 1]" + window, []string{"2020-01-01T00:00:00Z"}, []string{"2020-02-01T00:00:00.5Z"}},
		{"([a:b = 1]" + window + " AND [a:b = 2]) WITHIN 5 SECONDS FOLLOWEDBY ([a:b = 3]" + window + ")",
			[]string{"2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"}, []string{"2020-02-01T00:00:00.5Z", "2020-02-01T00:00:00.5Z"}},
		{"no pattern", nil, nil},
	}
	texts := func(list []stix.Timestamp) (out []string) {
		for _, s := range list {
			out = append(out, s.String())
		}
		return out
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			start, stop := Times(tt.text)
			if diff := cmp.Diff([2][]string{tt.start, tt.stop}, [2][]string{texts(start), texts(stop)}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
