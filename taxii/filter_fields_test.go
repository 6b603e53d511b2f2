package taxii

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

func TestContentFields(t *testing.T) {
	confidence := stix.Condition{Property: "confidence", Type: stix.IntegerProperty, Comparison: stix.AtLeast, Values: []string{"70"}}
	labels := stix.Condition{Property: "labels", Values: []string{"a b", "c%2Cd"}}
	for _, c := range []struct {
		query string
		want  Match
	}{
		{"match[value]=203.0.113.7", Match{Values: []string{"203.0.113.7"}}},
		{"match[value]=203.0.113.7,A.example", Match{Values: []string{"203.0.113.7", "A.example"}}},
		{"match%5Bvalue%5D=https%3A%2F%2Fa.example%2F%3Fx%3D1%26y%3D2%2Cb", Match{Values: []string{"https://a.example/?x=1&y=2", "b"}}},
		{"match[value]=https://a.example/%252C", Match{Values: []string{"https://a.example/%2C"}}},
		{"match[tlp]=white,GREEN,amber+strict,amber%2Bstrict", Match{TLPs: []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPAmberStrict, stix.TLPAmberStrict}}},
		{"match[confidence-gte]=70&match[labels]=a+b,c%252Cd", Match{Conditions: []stix.Condition{confidence, labels}}},
		{"match[revoked]=false", Match{Conditions: []stix.Condition{{Property: "revoked", Type: stix.BooleanProperty, Values: []string{"false"}}}}},
		{"match[valid_from-lte]=2026-01-01T00:00:00Z", Match{Conditions: []stix.Condition{
			{Property: "valid_from", Type: stix.TimestampProperty, Comparison: stix.AtMost, Values: []string{"2026-01-01T00:00:00Z"}}}}},
	} {
		got, err := ParseFilter(c.query, ObjectsEndpoint)
		if diff := cmp.Diff(Filter{Match: c.want}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.query, err, diff)
		}
	}
	for query, want := range map[string]string{
		"match[confidence-gte]=high":                          "an integer",
		"match[confidence-gte]=1,2":                           "takes one",
		"match[confidence-gt]=1":                              "not a match field",
		"match[confidence]=":                                  "empty value",
		"match[revoked]=1":                                    "true or false",
		"match[created-gte]=2026-01-01":                       "a STIX timestamp",
		"match[modified-lte]=yesterday":                       "a STIX timestamp",
		"match[valid_until-lte]=2026-01-01T00:00:00Z":         "not a match field",
		"match[tlp]=blue":                                     "not one of clear",
		"match[value]=" + strings.Repeat("a", maxMatchText+1): "ask in several requests",
		"match[value]=" + strings.Repeat("a", maxMatchText) + "&match[name]=" + strings.Repeat("a", maxMatchText) + "&match[labels]=" + strings.Repeat("a", 4<<10): "together",
	} {
		if _, err := ParseFilter(query, ObjectsEndpoint); err == nil || !strings.Contains(problemOf(err).description, want) {
			t.Errorf("%.80s: %v, want %q", query, err, want)
		}
	}
	for _, e := range []Endpoint{ObjectEndpoint, VersionsEndpoint, DeleteEndpoint} {
		for _, field := range contentFields {
			if _, err := ParseFilter("match["+field+"]=1", e); err == nil {
				t.Errorf("endpoint %d takes match[%s]", e, field)
			}
		}
	}
}

// TestQueryOfContent holds that commas inside values are found whichever of the two a client means.
func TestQueryOfContent(t *testing.T) {
	f, err := ParseFilter("match[value]=HTTPS://A.example/x%252cY,203.0.113.7/32&match[labels]=a%252Cb", ObjectsEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"203.0.113.7", "https://a.example/x%2cY", "https://a.example/x,Y"}, f.observableValues()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a%2Cb", "a,b"}, f.conditions()[0].Values); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a%2Cb"}, f.Conditions[0].Values); diff != "" {
		t.Errorf("the filter was changed (-want +got):\n%s", diff)
	}
}

// TestTokenKeepsContent holds that a token carries every field, and that the fields of a request win against its token's.
func TestTokenKeepsContent(t *testing.T) {
	valid := map[stix.PropertyType]string{stix.TextProperty: "a,b", stix.IntegerProperty: "7", stix.BooleanProperty: "true", stix.TimestampProperty: "2026-01-01T00:00:00Z"}
	query := []string{"match[value]=a,b%252Cc", "match[tlp]=green,amber%2Bstrict"}
	for field, c := range conditionFields {
		query = append(query, fmt.Sprintf("match[%s]=%s", field, valid[c.Type]))
	}
	slices.Sort(query)
	f, err := ParseFilter(strings.Join(query, "&"), ObjectsEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.resolve(tokenCollection, 7, 10)
	if err != nil {
		t.Fatal(err)
	}
	token := p.next(tokenCollection, 1000)
	got, err := Filter{Next: token}.resolve(tokenCollection, 7, 10)
	if diff := cmp.Diff(f.Match, got.Match); err != nil || diff != "" {
		t.Errorf("by the token alone: %v (-want +got):\n%s", err, diff)
	}
	own := Filter{Next: token, Match: Match{Values: []string{"x"}, TLPs: []stix.TLP{stix.TLPRed}, Conditions: []stix.Condition{{Property: "name", Values: []string{"x"}}}}}
	got, err = own.resolve(tokenCollection, 7, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Conditions) != len(conditionFields) || !slices.Equal(got.Values, own.Values) || !slices.Equal(got.TLPs, own.TLPs) {
		t.Errorf("merged: %+v", got.Match)
	}
	if diff := cmp.Diff(own.Conditions[0], got.Conditions[0]); diff != "" || len(own.Conditions) != 1 {
		t.Errorf("the request's own condition (-want +got):\n%s", diff)
	}
}

// TestLongestTokens holds that a token of the longest query is one that the server takes back.
func TestLongestTokens(t *testing.T) {
	for name, query := range map[string]string{
		"long values": "match[value]=" + strings.Repeat("a", maxMatchText) + "&match[name]=" + strings.Repeat("b", maxMatchText) + "&match[labels]=" + strings.Repeat("c", maxMatchTotal-2*maxMatchText),
		"many values": "match[value]=" + numbered(500) + "&match[name]=" + numbered(500) + "&match[labels]=" + numbered(500) + "&match[type]=" + numbered(500),
		"every kind":  "match[id]=" + strings.TrimSuffix(strings.Repeat(id1+",", 300), ",") + "&match[value]=" + strings.Repeat("c", maxMatchText),
	} {
		f, err := ParseFilter(query, ObjectsEndpoint)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p, err := f.resolve(tokenCollection, 7, 10)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Filter{Next: p.next(tokenCollection, 1)}.resolve(tokenCollection, 7, 10)
		if diff := cmp.Diff(f.Match, got.Match); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%.500s", name, err, diff)
		}
	}
}

func numbered(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("v", i)
	}
	return strings.Join(list, ",")
}
