package pattern

import (
	"encoding/json"
	"testing"
)

type matchCase struct {
	Case, Pattern string
	ObservedData  []json.RawMessage `json:"observed_data"`
	Expect        bool
}

func TestCorpusMatches(t *testing.T) {
	for _, c := range corpusLines[matchCase](t, "matches.jsonl") {
		t.Run(c.Case, func(t *testing.T) {
			p, err := Parse(c.Pattern)
			if err != nil {
				t.Fatalf("%s\n%v", c.Pattern, err)
			}
			bundles := make([][]byte, len(c.ObservedData))
			for i, raw := range c.ObservedData {
				bundles[i] = raw
			}
			r, err := Match(p, bundles, Budget{})
			if err != nil {
				t.Fatal(err)
			}
			want := NotMatched
			if c.Expect {
				want = Matched
			}
			if r.Outcome != want {
				t.Errorf("%s\nis %v %s, want %v", c.Pattern, r.Outcome, r.Reason, want)
			}
		})
	}
}
