package stix

import (
	"encoding/json"
	"errors"
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

func TestDeterministicIdentifier(t *testing.T) {
	id := func(raw string) Identifier {
		t.Helper()
		got, err := DeterministicIdentifier([]byte(raw))
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return got
	}
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"member order, whitespace and escapes do not count", `{"type":"file","name":"a","hashes":{"MD5":"x"}}`, `{ "hashes":{"MD5":"\u0078"}, "name":"a", "type":"file" }`, true},
		{"number forms do not count", `{"type":"autonomous-system","number":1}`, `{"type":"autonomous-system","number":1.0}`, true},
		{"other properties do not count", `{"type":"mutex","name":"m","id":"x","defanged":true}`, `{"type":"mutex","name":"m"}`, true},
		{"timestamps count as text", `{"type":"network-traffic","start":"2026-01-02T03:04:05Z"}`, `{"type":"network-traffic","start":"2026-01-02T03:04:05.0Z"}`, false},
		{"only MD5 of the hashes counts", `{"type":"file","hashes":{"SHA-256":"b","MD5":"a"}}`, `{"type":"file","hashes":{"MD5":"a","SHA-1":"c"}}`, true},
		{"then SHA-1", `{"type":"file","hashes":{"SHA-256":"b","SHA-1":"a"}}`, `{"type":"file","hashes":{"SHA-1":"a"}}`, true},
		{"then SHA-256", `{"type":"file","hashes":{"SHA-512":"b","SHA-256":"a"}}`, `{"type":"file","hashes":{"SHA-256":"a"}}`, true},
		{"then the first key", `{"type":"file","hashes":{"TLSH":"b","SSDEEP":"a"}}`, `{"type":"file","hashes":{"SSDEEP":"a"}}`, true},
		{"the algorithm counts", `{"type":"file","hashes":{"MD5":"a"}}`, `{"type":"file","hashes":{"SHA-1":"a"}}`, false},
		{"all registry values count", `{"type":"windows-registry-key","values":[{"name":"a"},{"name":"b"}]}`, `{"type":"windows-registry-key","values":[{"name":"a"}]}`, false},
		{"the type counts", `{"type":"mutex","name":"a"}`, `{"type":"software","name":"a"}`, false},
		{"extensions count as a whole", `{"type":"file","name":"a","extensions":{"ntfs-ext":{"sid":"1"}}}`, `{"type":"file","name":"a","extensions":{"ntfs-ext":{"sid":"2"}}}`, false},
	} {
		a, b := id(c.a), id(c.b)
		if (a == b) != c.same {
			t.Errorf("%s: %s and %s", c.name, a, b)
		}
		if uuidVersion(b) != '5' {
			t.Errorf("%s: %s is not a UUIDv5", c.name, b)
		}
	}
}

func TestDeterministicIdentifierErrors(t *testing.T) {
	for _, raw := range []string{
		`{"type":"process","pid":1}`, `{"type":"indicator","name":"n"}`, `{"type":"x-acme","value":"v"}`, `{"type":"file","size":1}`, `{"value":"v"}`,
	} {
		if id, err := DeterministicIdentifier([]byte(raw)); !errors.Is(err, ErrNotDeterministic) {
			t.Errorf("%s: %q, %v", raw, id, err)
		}
	}
	for _, raw := range []string{``, `[]`, `{"type":"mutex","name":"a","name":"b"}`, `{"type":"autonomous-system","number":9007199254740993}`} {
		if id, err := DeterministicIdentifier([]byte(raw)); err == nil || errors.Is(err, ErrNotDeterministic) {
			t.Errorf("%s: %q, %v", raw, id, err)
		}
	}
}
