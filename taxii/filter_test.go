package taxii

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skjold-exchange/skjold/stix"
)

var compareTimestamps = cmp.Comparer(func(a, b stix.Timestamp) bool { return a.String() == b.String() })

func timestamp(t testing.TB, s string) stix.Timestamp {
	ts, err := stix.ParseTimestamp(s)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func micros(t testing.TB, s string) DateAdded {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return DateAdded(at.UnixMicro())
}

const id1, id2 = "indicator--252c7c11-daf2-42bd-843b-be65edca9f61", "malware--664fa29d-bf65-4f28-a667-bdb76f29ec98"

func TestParseFilter(t *testing.T) {
	at := micros(t, "2026-01-31T12:00:00Z")
	tests := []struct {
		name, query string
		endpoint    Endpoint
		want        Filter
	}{
		{"nothing", "", ObjectsEndpoint, Filter{}},
		{"only separators", "&&", ObjectsEndpoint, Filter{}},
		{"added_after", "added_after=2026-01-31T12:00:00Z", ObjectsEndpoint, Filter{AddedAfter: at, HasAddedAfter: true}},
		{"decoded plus", "added_after=2026-01-31T14:00:00+02:00", ObjectsEndpoint, Filter{AddedAfter: at, HasAddedAfter: true}},
		{"encoded plus", "added_after=2026-01-31T14:00:00%2B02:00", ObjectsEndpoint, Filter{AddedAfter: at, HasAddedAfter: true}},
		{"limit", "limit=50", ObjectsEndpoint, Filter{Limit: 50}},
		{"leading zeros", "limit=050", ObjectsEndpoint, Filter{Limit: 50}},
		{"limit beyond 64 bits", "limit=99999999999999999999999999", ObjectsEndpoint, Filter{Limit: 1 << 30}},
		{"next", "next=abc", ObjectsEndpoint, Filter{Next: "abc"}},
		{"empty next", "next=", ObjectsEndpoint, Filter{}},
		{"raw brackets", "match[type]=indicator,malware", ObjectsEndpoint, Filter{Match: Match{Types: []string{"indicator", "malware"}}}},
		{"encoded brackets", "match%5Btype%5D=indicator%2Csighting", ObjectsEndpoint, Filter{Match: Match{Types: []string{"indicator", "sighting"}}}},
		{"repeated type", "match[type]=indicator,indicator", ObjectsEndpoint, Filter{Match: Match{Types: []string{"indicator"}}}},
		{"custom type", "match[type]=x-acme_Thing", ObjectsEndpoint, Filter{Match: Match{Types: []string{"x-acme_Thing"}}}},
		{"ids", "match[id]=" + id1 + "," + id2, ObjectsEndpoint, Filter{Match: Match{IDs: []stix.Identifier{id1, id2}}}},
		{"spec versions", "match[spec_version]=2.0,2.1", ObjectsEndpoint, Filter{Match: Match{SpecVersions: []string{"2.0", "2.1"}}}},
		{"unheard spec version", "match[spec_version]=3.0", ObjectsEndpoint, Filter{Match: Match{SpecVersions: []string{"3.0"}}}},
		{"all versions", "match[version]=all", ObjectsEndpoint, Filter{Match: Match{Version: VersionMatch{All: true}}}},
		{"all versions before a list", "match[version]=all&match[type]=indicator,malware", ObjectsEndpoint,
			Filter{Match: Match{Types: []string{"indicator", "malware"}, Version: VersionMatch{All: true}}}},
		{"mixed versions", "match[version]=first,2018-03-02T01:01:01.123Z,last", ObjectsEndpoint,
			Filter{Match: Match{Version: VersionMatch{First: true, Last: true, Exact: []stix.Timestamp{timestamp(t, "2018-03-02T01:01:01.123Z")}}}}},
		{"unknown parameters", "_=1&foo=bar&foo=baz&Limit=x", ObjectsEndpoint, Filter{}},
		{"semicolon is a character", "a;b=c;limit=0&limit=3", ObjectsEndpoint, Filter{Limit: 3}},
		{"object", "match[version]=all&limit=2", ObjectEndpoint, Filter{Limit: 2, Match: Match{Version: VersionMatch{All: true}}}},
		{"versions", "match[spec_version]=2.1&limit=2", VersionsEndpoint, Filter{Limit: 2, Match: Match{SpecVersions: []string{"2.1"}}}},
		{"delete", "match[version]=first", DeleteEndpoint, Filter{Match: Match{Version: VersionMatch{First: true}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseFilter(tt.query, tt.endpoint)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got, compareTimestamps, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseFilterRefuses(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat(id1+",", maxMatchValues+1), ",")
	tests := []struct {
		name, query string
		endpoint    Endpoint
		says        string
	}{
		{"limit 0", "limit=0", ObjectsEndpoint, "positive integer"},
		{"limit 00", "limit=00", ObjectsEndpoint, "positive integer"},
		{"negative limit", "limit=-1", ObjectsEndpoint, "positive integer"},
		{"signed limit", "limit=%2B5", ObjectsEndpoint, "positive integer"},
		{"fraction", "limit=1.5", ObjectsEndpoint, "positive integer"},
		{"limit of letters", "limit=ten", ObjectsEndpoint, "positive integer"},
		{"limit of hex digits", "limit=0x10", ObjectsEndpoint, "positive integer"},
		{"empty limit", "limit=", ObjectsEndpoint, "positive integer"},
		{"limit without a value", "limit", ObjectsEndpoint, "positive integer"},
		{"two limits", "limit=1&limit=1", ObjectsEndpoint, "more than once"},
		{"two added_after", "added_after=2026-01-31T12:00:00Z&added_after=2026-01-31T12:00:00Z", ObjectsEndpoint, "more than once"},
		{"two next", "next=a&next=", ObjectsEndpoint, "more than once"},
		{"a field in both spellings", "match[type]=indicator&match%5Btype%5D=malware", ObjectsEndpoint, "more than once"},
		{"empty added_after", "added_after=", ObjectsEndpoint, "RFC 3339"},
		{"two timestamps", "added_after=2026-01-31T12:00:00Z,2026-01-31T12:00:00Z", ObjectsEndpoint, "RFC 3339"},
		{"date only", "added_after=2026-01-31", ObjectsEndpoint, "RFC 3339"},
		{"unknown field", "match[nonsense]=x", ObjectsEndpoint, "match[id], match[spec_version], match[type], match[version]"},
		{"field in capitals", "match[Type]=indicator", ObjectsEndpoint, "not a match field"},
		{"no bracket", "match=indicator", ObjectsEndpoint, "not a match field"},
		{"open bracket", "match[type=indicator", ObjectsEndpoint, "not a match field"},
		{"nested brackets", "match[type][]=indicator", ObjectsEndpoint, "not a match field"},
		{"empty value", "match[type]=", ObjectsEndpoint, "empty value"},
		{"empty element", "match[type]=indicator,,malware", ObjectsEndpoint, "empty value"},
		{"space after the comma", "match[type]=indicator, malware", ObjectsEndpoint, "not a STIX object type"},
		{"bad id", "match[id]=indicator--1", ObjectsEndpoint, "not a STIX identifier"},
		{"bad spec version", "match[spec_version]=latest", ObjectsEndpoint, "of the form 2.1"},
		{"bad version", "match[version]=newest", ObjectsEndpoint, "neither last, first, all"},
		{"version with an offset", "match[version]=2018-03-02T01:01:01.123%2B01:00", ObjectsEndpoint, "neither last, first, all"},
		{"endless version", "match[version]=2018-03-02T01:01:01." + strings.Repeat("1", 100) + "Z", ObjectsEndpoint, "neither last, first, all"},
		{"version twice", "match[version]=last,last", ObjectsEndpoint, "twice"},
		{"all and another", "match[version]=all,last", ObjectsEndpoint, "cannot be combined"},
		{"another and all", "match[version]=2018-03-02T01:01:01.123Z,all", ObjectsEndpoint, "cannot be combined"},
		{"too many values", "match[type]=" + strings.TrimSuffix(strings.Repeat("a,", maxMatchValues+1), ","), ObjectsEndpoint, "at most 500"},
		{"too long a list", "match[id]=" + many, ObjectsEndpoint, "ask in several requests"},
		{"bad percent in a value", "limit=%zz", ObjectsEndpoint, "percent-encoded"},
		{"bad percent in a name", "%zz=1", ObjectsEndpoint, "percent-encoded"},
		{"bad percent at the end", "added_after=%2", ObjectsEndpoint, "percent-encoded"},
		{"type of one object", "match[type]=indicator", ObjectEndpoint, "it takes match[spec_version], match[version]"},
		{"version of versions", "match[version]=all", VersionsEndpoint, "it takes match[spec_version]"},
		{"type of a delete", "match[type]=indicator", DeleteEndpoint, "not a match field"},
		{"added_after of a delete", "added_after=2026-01-31T12:00:00Z", DeleteEndpoint, "does not take added_after"},
		{"limit of a delete", "limit=1", DeleteEndpoint, "does not take limit"},
		{"next of a delete", "next=a", DeleteEndpoint, "does not take next"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ParseFilter(tt.query, tt.endpoint)
			if err == nil {
				t.Fatalf("%q was read as %+v", tt.query, f)
			}
			p := problemOf(err)
			if p.status != http.StatusBadRequest || !strings.Contains(p.description, tt.says) {
				t.Errorf("%d %q, want 400 with %q", p.status, p.description, tt.says)
			}
			if d := cmp.Diff(Filter{}, f, compareTimestamps); d != "" {
				t.Errorf("a refused query left something: %s", d)
			}
		})
	}
	if _, err := ParseFilter(strings.Repeat("a", maxQueryText+1), ObjectsEndpoint); err == nil || problemOf(err).status != http.StatusRequestURITooLong {
		t.Errorf("a query beyond the bound: %v", err)
	}
}

func TestParseDateAdded(t *testing.T) {
	good := []struct{ text, want string }{
		{"2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"},
		{"2026-01-31T12:00:00.1Z", "2026-01-31T12:00:00.100000Z"},
		{"2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:00.123456Z"},
		{"2026-01-31T12:00:00.123456999Z", "2026-01-31T12:00:00.123456Z"},
		{"2026-01-31T12:00:00.000000000Z", "2026-01-31T12:00:00.000000Z"},
		{"2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00.000000Z"},
		{"2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00.000000Z"},
		{"2026-01-31T12:00:00.5 05:30", "2026-01-31T06:30:00.500000Z"},
		{"2026-01-31T00:00:00-23:59", "2026-01-31T23:59:00.000000Z"},
		{"2026-01-31t12:00:00z", "2026-01-31T12:00:00.000000Z"},
		{"1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999Z"},
		{"2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"},
		{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
		{"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"},
	}
	for _, tt := range good {
		got, err := ParseDateAdded(tt.text)
		if err != nil || got.String() != tt.want {
			t.Errorf("%q = %v, %v; want %s", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{
		"", "Z", "undefined", "null", "now", "1706702400", "2026-01-31", "2026-01-31T12:00Z", "2026-01-31T12:00:00",
		"2026-01-31 12:00:00Z", "2026-01-31T12:00:00,5Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.1234567890Z",
		"2026-1-31T12:00:00Z", "2026-01-31T1:00:00Z", "2026-02-30T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z",
		"2026-01-31T12:00:61Z", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+01:60", "2026-01-31T12:00:00+0100",
		"2026-01-31T12:00:00+01", "2026-01-31T12:00:00ZZ", " 2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z ",
		"2026-01-31T12:00:00  1:00", "２026-01-31T12:00:00Z", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
		"+2026-01-31T12:00:00Z", "2026-01-31T12:00:00\x00Z", strings.Repeat("2", 1000),
	} {
		if got, err := ParseDateAdded(text); err == nil {
			t.Errorf("%.60q = %v, want an error", text, got)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		"", "added_after=2026-01-31T12:00:00+02:00&limit=5", "match[version]=first,2018-03-02T01:01:01.123Z&match%5Bid%5D=" + id1,
		"limit=0", "next=%00", "match[]=", "match[type]=a,b&match[spec_version]=2.0", "a;b&c=%",
		"match[value]=203.0.113.7,https://a.example/%252C&match[tlp]=green,amber+strict&match[confidence-gte]=50&match[revoked]=false",
	} {
		for e := range matchFields {
			f.Add(seed, e)
		}
	}
	f.Fuzz(func(t *testing.T, query string, endpoint int) {
		e := Endpoint(uint(endpoint) % uint(len(matchFields)))
		got, err := ParseFilter(query, e)
		if err != nil {
			if s := problemOf(err).status; s != http.StatusBadRequest && s != http.StatusRequestURITooLong {
				t.Errorf("status %d", s)
			}
			return
		}
		if got.Limit < 0 || got.HasAddedAfter && !got.AddedAfter.writable() {
			t.Errorf("%q gives %+v", query, got)
		}
		// What was read once can be said again and is read as the same.
		var again []string
		add := func(name, value string) { again = append(again, name+"="+value) }
		if got.HasAddedAfter {
			add("added_after", got.AddedAfter.String())
		}
		if got.Limit > 0 {
			add("limit", fmt.Sprint(got.Limit))
		}
		for _, v := range got.SpecVersions {
			add("match[spec_version]", v)
			break
		}
		second, err := ParseFilter(strings.Join(again, "&"), ObjectsEndpoint)
		if e == DeleteEndpoint {
			return
		}
		if err != nil || second.AddedAfter != got.AddedAfter || second.Limit != got.Limit {
			t.Errorf("%q read again as %q: %+v, %v", query, again, second, err)
		}
	})
}
