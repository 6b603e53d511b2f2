package stix

import (
	"encoding/json"
	"testing"
)

func TestDeterministicIdentifierCorpus(t *testing.T) {
	type row struct {
		Case   string
		Object json.RawMessage
		ID     Identifier
	}
	for _, c := range corpusLines[row](t, "ids.jsonl") {
		if got, err := DeterministicIdentifier(c.Object); err != nil || got != c.ID {
			t.Errorf("%s: %s, %v; want %s", c.Case, got, err, c.ID)
		}
	}
}
