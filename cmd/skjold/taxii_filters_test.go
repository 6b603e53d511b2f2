package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// filterRig is a node with objects in several versions, and what the manifest tells of them all.
type filterRig struct {
	*testing.T
	handler http.Handler
	key     string
	path    string
	records []taxii.ManifestRecord // all versions, ascending by date added
}

func newFilterRig(t *testing.T) *filterRig {
	n := newTestNode(t, stix.TLPGreen, nil)
	g := &filterRig{T: t, handler: n.handler(), key: n.made.Password, path: "/taxii2/main/collections/" + n.made.Collection + "/"}
	for _, name := range []string{"identity.1.2", "indicator.1", "identity.1.1", "malware.1.1", "ipv4-addr.1", "identity.1.3", "malware.2.2", "malware.1.2"} {
		s, err := sampleOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.do(http.MethodPost, "objects/", `{"objects":[`+s.raw+`]}`); got.Code != http.StatusAccepted {
			t.Fatalf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	got := g.do(http.MethodGet, "manifest/?match[version]=all", "")
	var m taxii.Manifest
	if err := json.Unmarshal(got.Body.Bytes(), &m); err != nil || len(m.Objects) != 8 {
		t.Fatalf("%v, %s", err, got.Body)
	}
	g.records = m.Objects
	return g
}

func (g *filterRig) do(method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(g.Context(), method, g.path+target, strings.NewReader(body))
	r.Header.Set("Accept", taxii.MediaType)
	r.Header.Set("Content-Type", taxii.MediaType)
	r.SetBasicAuth("admin", g.key)
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

// model is what the standard says that a query brings, worked out the long way: §3.4, §3.4.1.
func (g *filterRig) model(q url.Values) []string {
	end := map[string][2]string{} // first and last version by id
	for _, r := range g.records {
		e, ok := end[r.ID]
		if !ok {
			e = [2]string{r.Version, r.Version}
		}
		end[r.ID] = [2]string{min(e[0], r.Version), max(e[1], r.Version)}
	}
	among := func(field, value string) bool {
		return q.Get(field) == "" || slices.Contains(strings.Split(q.Get(field), ","), value)
	}
	versions := strings.Split(q.Get("match[version]"), ",")
	if q.Get("match[version]") == "" {
		versions = []string{"last"}
	}
	var want []string
	for _, r := range g.records {
		typ, _, _ := strings.Cut(r.ID, "--")
		version := slices.ContainsFunc(versions, func(v string) bool {
			return v == "all" || v == "first" && r.Version == end[r.ID][0] || v == "last" && r.Version == end[r.ID][1] || v == r.Version
		})
		if version && r.DateAdded > q.Get("added_after") && among("match[id]", r.ID) && among("match[type]", typ) && among("match[spec_version]", "2.1") {
			want = append(want, r.ID+" "+r.Version)
		}
	}
	return want
}

// walk follows a query to its end, by next or by the date of the last object, and checks each page on the way.
func (g *filterRig) walk(q url.Values, byNext bool) []string {
	g.Helper()
	q = url.Values(http.Header(q).Clone())
	limit := map[string]int{"": 1000, "2": 2}[q.Get("limit")]
	var all []string
	for range 20 {
		got := g.do(http.MethodGet, "manifest/?"+q.Encode(), "")
		var m taxii.Manifest
		if err := json.Unmarshal(got.Body.Bytes(), &m); err != nil || got.Code != http.StatusOK {
			g.Fatalf("%v: %d %s", q, got.Code, got.Body)
		}
		for _, r := range m.Objects {
			all = append(all, r.ID+" "+r.Version)
		}
		if len(m.Objects) > limit || m.More && len(m.Objects) < limit || m.More != (m.Next != "") {
			g.Errorf("%v: %d objects, more %t, next %q", q, len(m.Objects), m.More, m.Next)
		}
		if !m.More {
			return all
		}
		if byNext {
			q.Set("next", m.Next)
		} else {
			q.Set("added_after", got.Header().Get("X-TAXII-Date-Added-Last"))
		}
	}
	g.Fatalf("%v does not end", q)
	return nil
}

// TestFilterCombinations is §3.4, §3.4.1 and §3.5: every filter alone and every filter with every other, against the long
// way of working out what they bring, with pages followed by next and by added_after.
func TestFilterCombinations(t *testing.T) {
	t.Parallel()
	g := newFilterRig(t)
	identity, malware := sampleID("identity", 1), sampleID("malware", 1)
	dimensions := []struct {
		name   string
		values []string
	}{
		{"added_after", []string{"", g.records[1].DateAdded, g.records[5].DateAdded}},
		{"limit", []string{"", "2"}},
		{"match[id]", []string{"", identity + "," + malware, sampleID("campaign", 9)}},
		{"match[type]", []string{"", "malware", "identity,ipv4-addr"}},
		{"match[version]", []string{"", "all", "first", "last", "first,last", sampleVersion(2) + ",last"}},
		{"match[spec_version]", []string{"", "2.1", "2.0"}},
	}
	queries := []url.Values{{}}
	for _, d := range dimensions {
		var longer []url.Values
		for _, q := range queries {
			for _, v := range d.values {
				with := url.Values(http.Header(q).Clone())
				if v != "" {
					with.Set(d.name, v)
				}
				longer = append(longer, with)
			}
		}
		queries = longer
	}
	found := 0
	for i, q := range queries {
		want, byNext := g.model(q), i%2 == 0
		if diff := cmp.Diff(want, g.walk(q, byNext)); diff != "" {
			t.Fatalf("%v, by next %t (-want +got):\n%s", q, byNext, diff)
		}
		found += min(1, len(want))
	}
	if found < len(queries)/5 || found == len(queries) {
		t.Errorf("%d of %d combinations find something: this tests little", found, len(queries))
	}
}
