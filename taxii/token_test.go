package taxii

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skjold-exchange/skjold/stix"
)

var (
	tokenCollection = Collection{ID: "3f1e0b0e-8a5e-4a57-9d43-2f0a0b1c2d3e", Epoch: "first"}
	otherCollection = Collection{ID: "7a1e0b0e-8a5e-4a57-9d43-2f0a0b1c2d3e", Epoch: "first"}
	restored        = Collection{ID: tokenCollection.ID, Epoch: "second"}
)

func fullMatch(t testing.TB) Match {
	return Match{
		IDs: []stix.Identifier{id1, id2}, Types: []string{"indicator"}, SpecVersions: []string{"2.0", "2.1"},
		Version: VersionMatch{First: true, Exact: []stix.Timestamp{timestamp(t, "2018-03-02T01:01:01.1230Z")}},
	}
}

func TestTokenKeepsItsQuery(t *testing.T) {
	for _, p := range []page{
		{after: 1, limit: 1},
		{after: -1, limit: 10000, Match: fullMatch(t)},
		{after: 1767225600000000, limit: 100, Match: Match{Version: VersionMatch{All: true}}},
	} {
		text := p.next(tokenCollection, p.after)
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("token %q needs escapes", text)
		}
		got, err := Filter{Next: text}.resolve(tokenCollection, 7, 10000)
		if err != nil {
			t.Fatal(err)
		}
		p.asked = true
		if d := cmp.Diff(p, got, cmp.AllowUnexported(page{}), compareTimestamps, cmpopts.EquateEmpty()); d != "" {
			t.Error(d)
		}
	}
}

func TestResolve(t *testing.T) {
	token := page{limit: 50, Match: Match{Types: []string{"indicator"}, Version: VersionMatch{All: true}}}.next(tokenCollection, 1000)
	tests := []struct {
		name   string
		filter Filter
		c      Collection
		want   page
	}{
		{"no query", Filter{}, tokenCollection, page{limit: 7}},
		{"clamped", Filter{Limit: 1 << 30}, tokenCollection, page{limit: 90}},
		{"token alone", Filter{Next: token}, tokenCollection,
			page{after: 1000, asked: true, limit: 50, Match: Match{Types: []string{"indicator"}, Version: VersionMatch{All: true}}}},
		{"older added_after", Filter{Next: token, AddedAfter: 10, HasAddedAfter: true}, tokenCollection,
			page{after: 1000, asked: true, limit: 50, Match: Match{Types: []string{"indicator"}, Version: VersionMatch{All: true}}}},
		{"newer added_after", Filter{Next: token, AddedAfter: 2000, HasAddedAfter: true}, tokenCollection,
			page{after: 2000, asked: true, limit: 50, Match: Match{Types: []string{"indicator"}, Version: VersionMatch{All: true}}}},
		{"own limit and match win", Filter{Next: token, Limit: 5, Match: Match{Types: []string{"malware"}, IDs: []stix.Identifier{id2}}}, tokenCollection,
			page{after: 1000, asked: true, limit: 5, Match: Match{IDs: []stix.Identifier{id2}, Types: []string{"malware"}, Version: VersionMatch{All: true}}}},
		{"own version wins", Filter{Next: token, Match: Match{Version: VersionMatch{Last: true}}}, tokenCollection,
			page{after: 1000, asked: true, limit: 50, Match: Match{Types: []string{"indicator"}, Version: VersionMatch{Last: true}}}},
		{"another collection's token", Filter{Next: token}, otherCollection, page{limit: 7}},
		{"another collection's token with added_after", Filter{Next: token, AddedAfter: 10, HasAddedAfter: true, Limit: 3}, otherCollection,
			page{after: 10, asked: true, limit: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.filter.resolve(tt.c, 7, 90)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(page{}), compareTimestamps, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}

// sealed is a token with the given content and a right checksum, as a forger would make it.
func sealed(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(append(content, sum[:tokenSumBytes]...))
}

func TestResolveRefuses(t *testing.T) {
	good := page{limit: 50, Match: fullMatch(t)}.next(tokenCollection, 1000)
	plain, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	content := plain[:len(plain)-tokenSumBytes]
	head := append([]byte{tokenVersion}, make([]byte, 16)...)
	huge := binary.AppendUvarint(append(head[:17:17], 0), math.MaxUint64)
	tests := []struct{ name, token, says string }{
		{"garbage", "abc", "without next"},
		{"spaces", "   ", "without next"},
		{"not base64", "!" + good, "without next"},
		{"padding", good + "=", "without next"},
		{"cut", good[:len(good)-4], "without next"},
		{"longer", good + "AAAA", "without next"},
		{"changed", "B" + good[1:], "without next"},
		{"oversized", strings.Repeat("A", maxTokenText+1), "without next"},
		{"version of the future", sealed(append([]byte{99}, content[1:]...)), "without next"},
		{"empty content", sealed([]byte{tokenVersion}), "without next"},
		{"content cut", sealed(content[:30]), "without next"},
		{"content longer", sealed(append(content[:len(content):len(content)], 0)), "without next"},
		{"huge limit", sealed(huge), "without next"},
		{"another epoch", page{limit: 50}.next(restored, 1000), "start again without next"},
		{"time before year 0", page{limit: 1}.next(tokenCollection, math.MinInt64), "without next"},
		{"time after year 9999", page{limit: 1}.next(tokenCollection, math.MaxInt64), "without next"},
		{"malformed type", page{limit: 1, Match: Match{Types: []string{"a,b"}}}.next(tokenCollection, 1), "without next"},
		{"malformed id", page{limit: 1, Match: Match{IDs: []stix.Identifier{"x"}}}.next(tokenCollection, 1), "without next"},
		{"malformed spec version", page{limit: 1, Match: Match{SpecVersions: []string{"2"}}}.next(tokenCollection, 1), "without next"},
		{"malformed version", page{limit: 1, Match: Match{Version: VersionMatch{Exact: make([]stix.Timestamp, 1)}}}.next(tokenCollection, 1), "without next"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Filter{Next: tt.token}.resolve(tokenCollection, 7, 90)
			if err == nil {
				t.Fatalf("read as %+v", got)
			}
			if p := problemOf(err); p.status != http.StatusBadRequest || !strings.Contains(p.description, tt.says) || strings.Contains(p.description, tt.token) {
				t.Errorf("%d %q", p.status, p.description)
			}
		})
	}
	if _, err := parseToken(good); err != nil {
		t.Errorf("the token that the cases are made of: %v", err)
	}
}

// TestLongestTokenFits holds that the token of the longest query that is read can itself be sent.
func TestLongestTokenFits(t *testing.T) {
	var query []string
	for field, value := range map[string]string{"id": id1, "type": strings.Repeat("a", 200), "spec_version": "2.1234"} {
		values := make([]string, 0, maxMatchValues)
		for size := 0; len(values) < maxMatchValues && size+len(value)+5 < maxMatchText; size += len(value) + 5 {
			values = append(values, value[:len(value)-4]+itoa(1000+len(values)))
		}
		query = append(query, "match["+field+"]="+strings.Join(values, ","))
	}
	f, err := ParseFilter(strings.Join(query, "&"), ObjectsEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.resolve(tokenCollection, 7, 90)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Filter{Next: p.next(tokenCollection, 1)}).resolve(tokenCollection, 7, 90); err != nil {
		t.Errorf("token of %d octets: %v", len(p.next(tokenCollection, 1)), err)
	}
}

// FuzzToken holds that whatever parses is a token that says the same again, and that nothing else happens.
func FuzzToken(f *testing.F) {
	f.Add(page{limit: 50, Match: fullMatch(f)}.next(tokenCollection, 1000))
	f.Add(page{limit: 1}.next(restored, -5))
	f.Add(sealed([]byte{tokenVersion}))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		// The checksum keeps a fuzzer from the content; give it the content too.
		for _, candidate := range []string{text, sealed([]byte(text)), sealed(append([]byte{tokenVersion}, text...))} {
			token, err := parseToken(candidate)
			if err != nil {
				continue
			}
			again, err := parseToken(token.String())
			if err != nil {
				t.Fatalf("%q: %v", candidate, err)
			}
			if d := cmp.Diff(token, again, cmp.AllowUnexported(pageToken{}), compareTimestamps); d != "" {
				t.Error(d)
			}
			p, err := Filter{Next: candidate}.resolve(tokenCollection, 7, 90)
			if err == nil && (p.limit < 1 || p.limit > 90) {
				t.Errorf("limit %d", p.limit)
			}
		}
	})
}
