package stix

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// selectorSubject is an object with everything that a selector can meet: lists of lists, keys with hyphens and capitals,
// keys that look like indexes, empty strings.
const selectorSubject = `{"type":"x-acme","spec_version":"2.1","id":"x-acme--` + testUUID + `","created":"2026-01-02T03:04:05.678Z",` +
	`"modified":"2026-01-02T03:04:05.678Z","description":"","hashes":{"SHA-256":"x","a_b":"y"},"labels":["a","b"],` +
	`"lists":[[1,[2,3]],[{"deep":[true]}]],"numbers":{"0":1,"[0]":2},"granular_markings":[{"lang":"en","selectors":[%s]}]}`

// selects is the syntax of §7.2.3 once more, over the standard library's idea of JSON.
func selects(object any, selector string) bool {
	for _, component := range strings.Split(selector, ".") {
		switch at := object.(type) {
		case map[string]any:
			next, ok := at[component]
			if !ok || strings.HasPrefix(component, "[") || component == "" {
				return false
			}
			object = next
		case []any:
			digits, ok := strings.CutPrefix(component, "[")
			digits, closed := strings.CutSuffix(digits, "]")
			index, err := strconv.ParseUint(digits, 10, 16)
			if !ok || !closed || err != nil || strings.Trim(digits, "0123456789") != "" || index >= uint64(len(at)) ||
				digits != strconv.FormatUint(index, 10) {
				return false
			}
			object = at[index]
		default:
			return false
		}
	}
	return true
}

// FuzzSelector holds selectors against another implementation of §7.2.3.
func FuzzSelector(f *testing.F) {
	for _, seed := range []string{"description", "hashes.SHA-256", "labels.[1]", "labels.[2]", "labels[0]", "labels.[01]", "lists.[1].[0].deep.[0]",
		"lists.[0].[1].[1]", "", ".", "..", "a.", ".[0]", "$", "[0]", "labels.[-1]", "labels.[+1]", "labels.[]", "labels.[999999999999999999999]",
		"numbers.0", "numbers.[0]", "granular_markings", "granular_markings.[0].selectors.[0]", "id.", "labels.[1", "labels.1]", "hashes.sha-256"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, selector string) {
		text, err := json.Marshal(selector)
		if err != nil {
			t.Fatal(err)
		}
		raw := fmt.Sprintf(selectorSubject, text)
		var object any
		if err := json.Unmarshal([]byte(raw), &object); err != nil {
			t.Fatal(err)
		}
		selector = object.(map[string]any)["granular_markings"].([]any)[0].(map[string]any)["selectors"].([]any)[0].(string)
		want := selects(object, selector) && selector != "granular_markings" && !strings.HasPrefix(selector, "granular_markings.")
		_, report := Check([]byte(raw), Options{})
		got := true
		for _, v := range report.Errors {
			if v.Rule == "selector" {
				got = false
			}
		}
		if got != want {
			t.Errorf("%q selects: %v, want %v: %v", selector, got, want, report.Errors)
		}
	})
}
