package main

import "testing"

func TestDutiesInWords(t *testing.T) {
	for _, tt := range []struct {
		duties []string
		want   string
	}{
		{nil, ""},
		{[]string{"retention"}, "retention"},
		{[]string{pulling + "1"}, "pulls 1 subscription"},
		{[]string{pushing + "1", "retention", pulling + "1", pulling + "2", "tidying"}, "retention, tidying, pulls 2 subscriptions, pushes to 1 collection"},
	} {
		if got := dutiesInWords(tt.duties); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.duties, got, tt.want)
		}
	}
}
