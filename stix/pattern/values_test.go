package pattern

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValues(t *testing.T) {
	for text, want := range map[string][]string{
		"[ipv4-addr:value = '203.0.113.7']":                                {"203.0.113.7"},
		"[file:name = 'a' AND file:size = 7] FOLLOWEDBY [url:value = 'b']": {"a", "b"},
		"[file:name != 'a']":                                               nil,
		"[file:size = 7]":                                                  nil,
		"no pattern":                                                       nil,
	} {
		if diff := cmp.Diff(want, Values(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
