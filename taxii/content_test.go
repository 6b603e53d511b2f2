package taxii

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/skjold-exchange/skjold/stix"
)

// filled is a rig with indicators 1 to 9, of which 1 has three versions, 2 is red and 3 is clear.
func filled(t *testing.T, options ...func(*Options)) *rig {
	g := newRig(t, options...)
	g.add(indicator(1, v1, ""))
	g.add(indicator(2, v1, stix.MarkingOf(stix.TLPRed)), indicator(3, v1, stix.MarkingOf(stix.TLPClear)), indicator(1, v3, ""))
	g.add(indicator(4, v1, ""), indicator(5, v1, ""), indicator(1, v2, ""), indicator(6, v1, ""), indicator(7, v1, ""))
	g.add(indicator(8, v1, ""), indicator(9, v1, ""))
	return g
}

func TestObjectsDefaults(t *testing.T) {
	g := filled(t)
	got := g.get(g.objects(""))
	g.want(got, http.StatusOK)
	want := []string{entry(3, v1), entry(1, v3), entry(4, v1), entry(5, v1), entry(6, v1), entry(7, v1), entry(8, v1), entry(9, v1)}
	if d := cmp.Diff(want, ids(g, got)); d != "" {
		t.Error(d)
	}
	if e := decode[Envelope](g, got); e.More || e.Next != "" {
		t.Errorf("more %v, next %q on the last page", e.More, e.Next)
	}
	if !strings.Contains(got.body, indicator(3, v1, stix.MarkingOf(stix.TLPClear))) {
		t.Error("an object's bytes have changed")
	}
}

func TestObjectsFilters(t *testing.T) {
	g := filled(t)
	tests := []struct {
		query string
		want  []string
	}{
		{"?match[id]=" + indicatorID(4) + "," + indicatorID(5), []string{entry(4, v1), entry(5, v1)}},
		{"?match%5Bid%5D=" + indicatorID(4), []string{entry(4, v1)}},
		{"?match[id]=" + indicatorID(1) + "&match[version]=all", []string{entry(1, v1), entry(1, v3), entry(1, v2)}},
		{"?match[id]=" + indicatorID(1) + "&match[version]=first", []string{entry(1, v1)}},
		{"?match[id]=" + indicatorID(1) + "&match[version]=first,last", []string{entry(1, v1), entry(1, v3)}},
		{"?match[version]=" + v2, []string{entry(1, v2)}},
		{"?match[version]=2026-01-03T00:00:00Z", []string{entry(1, v2)}}, // the same instant, written otherwise
		{"?match[version]=2020-01-01T00:00:00Z", nil},
		{"?match[type]=malware", nil},
		{"?match[type]=malware,indicator&match[id]=" + indicatorID(9), []string{entry(9, v1)}},
		{"?match[type]=malware&match[id]=" + indicatorID(9), nil},
		{"?match[spec_version]=2.0", nil},
		{"?match[spec_version]=2.0,2.1&match[id]=" + indicatorID(9), []string{entry(9, v1)}},
		{"?match[id]=" + indicatorID(2), nil}, // red
		{"?added_after=2999-01-01T00:00:00Z", nil},
		{"?limit=1", []string{entry(3, v1)}},
		{"?utm_source=x&limit=1", []string{entry(3, v1)}},
	}
	for _, tt := range tests {
		got := g.get(g.objects(tt.query))
		g.want(got, http.StatusOK)
		if d := cmp.Diff(tt.want, ids(g, got)); d != "" {
			t.Errorf("%s: %s", tt.query, d)
		}
		if tt.want == nil && got.body != "{}" {
			t.Errorf("%s: %q, want an empty object", tt.query, got.body)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=x", "?added_after=x", "?match[x]=y", "?next=x", "?limit=1&limit=2"} {
		g.wantError(g.get(g.objects(query)), http.StatusBadRequest)
	}
	g.wantError(g.get(g.objects("?x="+strings.Repeat("a", maxQueryText))), http.StatusRequestURITooLong)
}

// follow reads a listing to its end by a way of going on, and returns what step takes from each page.
func follow(g *rig, path string, query url.Values, byToken bool, step func(reply) (int, bool, string)) int {
	g.Helper()
	query = maps.Clone(query)
	total := 0
	for pages := 0; ; pages++ {
		if pages > 100 {
			g.Fatal("paging does not end")
		}
		got := g.get(path + "?" + query.Encode())
		g.want(got, http.StatusOK)
		n, more, next := step(got)
		if more && (n == 0 || next == "") {
			g.Fatalf("more is true with %d objects and next %q", n, next)
		}
		if !more && next != "" {
			g.Fatal("next without more")
		}
		total += n
		if !more {
			return total
		}
		if byToken {
			query = url.Values{"next": {next}}
		} else {
			query.Set("added_after", got.Header.Get("X-TAXII-Date-Added-Last"))
		}
	}
}

// TestPagingIsExact follows pages of every size by both ways of §3.5: each object comes once and in order.
func TestPagingIsExact(t *testing.T) {
	g := filled(t)
	want := ids(g, g.get(g.objects("?match[version]=all")))
	if len(want) != 10 {
		t.Fatalf("%d objects to begin with", len(want))
	}
	for limit := 1; limit <= 11; limit++ {
		for _, byToken := range []bool{true, false} {
			query := url.Values{"limit": {itoa(limit)}, "match[version]": {"all"}}
			var got []string
			follow(g, g.objects(""), query, byToken, func(r reply) (int, bool, string) {
				page := ids(g, r)
				if len(page) > limit {
					t.Errorf("%d objects with limit %d", len(page), limit)
				}
				got = append(got, page...)
				e := decode[Envelope](g, r)
				return len(page), e.More, e.Next
			})
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("limit %d, by token %v: %s", limit, byToken, d)
			}
			manifest := follow(g, root+"collections/"+g.open.ID+"/manifest/", query, byToken, func(r reply) (int, bool, string) {
				m := decode[Manifest](g, r)
				return len(m.Objects), m.More, m.Next
			})
			versions := follow(g, g.objects("")+indicatorID(1)+"/versions/", url.Values{"limit": {itoa(limit)}}, byToken, func(r reply) (int, bool, string) {
				v := decode[Versions](g, r)
				return len(v.Versions), v.More, v.Next
			})
			object := follow(g, g.objects("")+indicatorID(1)+"/", query, byToken, func(r reply) (int, bool, string) {
				e := decode[Envelope](g, r)
				return len(e.Objects), e.More, e.Next
			})
			if d := cmp.Diff([]int{len(want), 3, 3}, []int{manifest, versions, object}); d != "" {
				t.Errorf("limit %d, by token %v: manifest, versions and object give %s", limit, byToken, d)
			}
		}
	}
}

func TestPageTokens(t *testing.T) {
	g := filled(t)
	first := decode[Envelope](g, g.get(g.objects("?limit=2&match[type]=indicator")))
	next := "next=" + first.Next
	second := []string{entry(4, v1), entry(5, v1)}
	created := "added_after=" + g.open.Created.String()
	lastPosition := g.get(g.objects("")).Header.Get("X-TAXII-Date-Added-Last")
	for _, tt := range []struct {
		name, query string
		want        []string
	}{
		{"alone", next, second},
		{"again", next, second},
		{"with the same added_after", next + "&" + created, second},
		{"with a newer added_after", next + "&added_after=" + lastPosition, nil},
		{"with the original query", next + "&limit=2&match[type]=indicator", second},
		{"with a limit of its own", next + "&limit=1", second[:1]},
		{"with a match of its own", next + "&match[type]=malware", nil},
	} {
		got := g.get(g.objects("?" + tt.query))
		g.want(got, http.StatusOK)
		if d := cmp.Diff(tt.want, ids(g, got)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}

	// A token of one collection on another: no rights, no position, no query come with it.
	other := root + "collections/" + g.other.ID + "/objects/"
	g.want(g.do(http.MethodPost, other, envelopeOf(indicator(50, v1, ""), indicator(51, v1, ""), indicator(52, v1, ""))), http.StatusAccepted)
	if got := ids(g, g.get(other+"?"+next)); len(got) != 3 {
		t.Errorf("another collection's token gives %v", got)
	}
	g.wantError(g.get(other+"?"+next, as("reader")), http.StatusNotFound)

	// A server that is started anew takes it; one restored from a backup says to start again.
	restarted := newRig(t, func(o *Options) { o.Store = g.store })
	restarted.store, restarted.open = g.store, g.open
	if d := cmp.Diff(second, ids(g, restarted.get(g.objects("?"+next)))); d != "" {
		t.Errorf("after a restart: %s", d)
	}
	g.store.change(g.open.ID, func(c *memCollection) { c.Epoch = newUUID() })
	if e := g.wantError(g.get(g.objects("?"+next)), http.StatusBadRequest); !strings.Contains(e.Description, "start again without next") {
		t.Errorf("after a restore: %q", e.Description)
	}
}

func TestPageSizes(t *testing.T) {
	g := newRig(t, func(o *Options) { o.PageDefault, o.PageMax = 3, 5 })
	for n := range 9 {
		g.add(indicator(n, v1, ""))
	}
	for query, want := range map[string]int{"": 3, "?limit=4": 4, "?limit=5": 5, "?limit=6": 5, "?limit=99999999999999999999": 5} {
		if got := ids(g, g.get(g.objects(query))); len(got) != want {
			t.Errorf("%q: %d objects, want %d", query, len(got), want)
		}
	}
	// Pages end early at a number of octets, and never below one object.
	size := int64(len(indicator(1, v1, "")))
	for bytes, want := range map[int64]int{1: 1, size: 1, 2*size - 1: 1, 2 * size: 2} {
		small := newRig(t, func(o *Options) { o.Store, o.PageBytes = g.store, bytes })
		small.open = g.open
		first := small.get(small.objects("?limit=9"))
		if got := ids(small, first); len(got) != want || !decode[Envelope](small, first).More {
			t.Errorf("%d octets: %d objects, want %d and more", bytes, len(got), want)
		}
		total := follow(small, small.objects(""), url.Values{"limit": {"9"}}, true, func(r reply) (int, bool, string) {
			e := decode[Envelope](small, r)
			return len(e.Objects), e.More, e.Next
		})
		if total != 9 {
			t.Errorf("%d octets: %d objects in all, want 9", bytes, total)
		}
	}
}

func TestDateAddedHeaders(t *testing.T) {
	g := filled(t)
	manifest := decode[Manifest](g, g.get(root+"collections/"+g.open.ID+"/manifest/?match[version]=all"))
	first, last := manifest.Objects[0].DateAdded, manifest.Objects[len(manifest.Objects)-1].DateAdded
	created := g.open.Created.String()
	object := g.objects("") + indicatorID(9) + "/"
	tests := []struct{ path, first, last string }{
		{g.objects("?match[version]=all"), first, last},
		{root + "collections/" + g.open.ID + "/manifest/?match[version]=all", first, last},
		{object, last, last},
		{object + "versions/", last, last},
		{g.objects("?limit=1&match[version]=all"), first, first},
		{g.objects("?match[type]=malware"), created, created},
		{root + "collections/" + g.open.ID + "/manifest/?match[type]=malware", created, created},
		{root + "collections/" + g.other.ID + "/objects/", g.other.Created.String(), g.other.Created.String()},
		{g.objects("?added_after=2999-01-01T00:00:00Z"), "2999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"},
		{g.objects("?added_after=2999-01-01T02:00:00.1234567%2B02:00"), "2999-01-01T00:00:00.123456Z", "2999-01-01T00:00:00.123456Z"},
		{object + "?added_after=" + last, last, last},
		{object + "versions/?added_after=" + last, last, last},
		{object + "?match[version]=2020-01-01T00:00:00Z", created, created},
	}
	for _, tt := range tests {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			got := g.do(method, tt.path, "")
			g.want(got, http.StatusOK)
			have := []string{got.Header.Get("X-TAXII-Date-Added-First"), got.Header.Get("X-TAXII-Date-Added-Last")}
			if d := cmp.Diff([]string{tt.first, tt.last}, have); d != "" {
				t.Errorf("%s %s: %s", method, tt.path, d)
			}
		}
	}
}

func TestManifest(t *testing.T) {
	g := filled(t)
	g.store.change(g.open.ID, func(c *memCollection) { c.entries[len(c.entries)-1].SpecVersion = "2.0" })
	got := g.get(root + "collections/" + g.open.ID + "/manifest/?match[id]=" + indicatorID(8) + "," + indicatorID(9))
	m := decode[Manifest](g, got)
	for i := range m.Objects {
		if _, err := ParseDateAdded(m.Objects[i].DateAdded); err != nil || len(m.Objects[i].DateAdded) != 27 {
			t.Errorf("date_added %q", m.Objects[i].DateAdded)
		}
		m.Objects[i].DateAdded = ""
	}
	want := Manifest{Objects: []ManifestRecord{
		{ID: indicatorID(8), Version: v1, MediaType: "application/stix+json;version=2.1"},
		{ID: indicatorID(9), Version: v1, MediaType: "application/stix+json;version=2.0"},
	}}
	if d := cmp.Diff(want, m); d != "" {
		t.Error(d)
	}
}

func TestObjectAndVersions(t *testing.T) {
	g := filled(t)
	object := g.objects("") + indicatorID(1) + "/"
	tests := []struct {
		query string
		want  []string
	}{
		{"", []string{entry(1, v3)}},
		{"?match[version]=all", []string{entry(1, v1), entry(1, v3), entry(1, v2)}},
		{"?match[version]=" + v2, []string{entry(1, v2)}},
		{"?match[version]=2020-01-01T00:00:00Z", nil},
	}
	for _, tt := range tests {
		got := g.get(object + tt.query)
		g.want(got, http.StatusOK)
		if d := cmp.Diff(tt.want, ids(g, got)); d != "" {
			t.Errorf("%s: %s", tt.query, d)
		}
	}
	versions := g.get(object + "versions/")
	if want := fmt.Sprintf(`{"more":false,"versions":[%q,%q,%q]}`, v1, v3, v2); versions.body != want {
		t.Errorf("versions %s, want them by date added, %s", versions.body, want)
	}
	// What the caller may not see at all does not exist; what is only filtered away is an empty answer.
	g.wantError(g.get(g.objects("")+indicatorID(2)+"/"), http.StatusNotFound)
	g.wantError(g.get(g.objects("")+indicatorID(2)+"/versions/"), http.StatusNotFound)
	g.wantError(g.get(object, as("peer")), http.StatusNotFound)
	g.want(g.get(g.objects("")+indicatorID(3)+"/", as("peer")), http.StatusOK)
	g.wantError(g.get(object+"?match[type]=indicator"), http.StatusBadRequest)
	g.wantError(g.get(object+"versions/?match[version]=all"), http.StatusBadRequest)
}

// TestVisibilityIsAppliedInTheQuery holds that hidden objects neither come, nor count, nor shorten pages.
func TestVisibilityIsAppliedInTheQuery(t *testing.T) {
	g := newRig(t)
	var clear []string
	for n := range 40 {
		level := stix.TLPAmber
		if n%4 == 0 {
			level = stix.TLPGreen
			clear = append(clear, entry(n, v1))
		}
		g.add(indicator(n, v1, stix.MarkingOf(level)))
	}
	first := g.get(g.objects("?limit=5"), as("peer"))
	e := decode[Envelope](g, first)
	rest := g.get(g.objects("?next="+e.Next), as("peer"))
	if d := cmp.Diff(clear, slices.Concat(ids(g, first), ids(g, rest))); d != "" {
		t.Error(d)
	}
	if more := decode[Envelope](g, rest).More; more {
		t.Error("more is true although nothing visible follows")
	}
}

func TestEmptyListClients(t *testing.T) {
	g := newRig(t)
	manifest := root + "collections/" + g.open.ID + "/manifest/"
	for _, path := range []string{g.objects(""), manifest} {
		if got := g.get(path, as("elastic")); got.body != `{"objects":[]}` || got.Header.Get("X-TAXII-Date-Added-Last") != g.open.Created.String() {
			t.Errorf("%s: %s", path, got.body)
		}
		if got := g.get(path, as("reader")); got.body != "{}" {
			t.Errorf("%s: %s", path, got.body)
		}
	}
}

func decompress(t *testing.T, coding string, body string) string {
	var r io.Reader = strings.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		var d *zstd.Decoder
		d, err = zstd.NewReader(r)
		r = d
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestCompressionAndETag(t *testing.T) {
	g := filled(t)
	plain := g.get(g.objects(""))
	tags := map[string]bool{}
	for accept, coding := range map[string]string{"": "", "gzip": "gzip", "gzip, zstd": "zstd", "br": ""} {
		got := g.get(g.objects(""), header("Accept-Encoding", accept))
		if got.Header.Get("Content-Encoding") != coding || got.Header.Get("Vary") != "Accept, Accept-Encoding" ||
			got.Header.Get("Content-Length") != itoa(len(got.body)) || got.Header.Get("Content-Type") != MediaType {
			t.Errorf("Accept-Encoding %q: %v", accept, got.Header)
		}
		if decompress(t, coding, got.body) != plain.body {
			t.Errorf("Accept-Encoding %q: another body", accept)
		}
		etag := got.Header.Get("ETag")
		tags[etag] = true
		for _, known := range []string{etag, "W/" + etag, `"other", ` + etag, plain.Header.Get("ETag")} {
			again := g.get(g.objects(""), header("Accept-Encoding", accept), header("If-None-Match", known))
			if again.StatusCode != http.StatusNotModified || again.body != "" || again.Header.Get("ETag") != etag ||
				again.Header.Get("X-TAXII-Date-Added-Last") != plain.Header.Get("X-TAXII-Date-Added-Last") {
				t.Errorf("If-None-Match %s: %d %v", known, again.StatusCode, again.Header)
			}
		}
	}
	if len(tags) != 3 {
		t.Errorf("ETags %v, want one for each coding", tags)
	}
	g.add(indicator(60, v1, ""))
	g.want(g.get(g.objects(""), header("If-None-Match", plain.Header.Get("ETag"))), http.StatusOK)

	small := g.get(g.objects("?limit=1"), header("Accept-Encoding", "gzip"))
	if small.Header.Get("Content-Encoding") != "" {
		t.Error("a small body was compressed")
	}
	if got := g.get(g.objects(""), as("peer"), header("If-None-Match", plain.Header.Get("ETag"))); got.StatusCode != http.StatusOK {
		t.Errorf("another caller's ETag: %d", got.StatusCode)
	}
	g.want(g.get(g.objects(""), header("If-None-Match", "*")), http.StatusOK)
}

// TestEnvelopeIsJSON holds the hand-made envelope against encoding/json.
func TestEnvelopeIsJSON(t *testing.T) {
	g := filled(t)
	got := g.get(g.objects("?limit=2"))
	e := decode[Envelope](g, got)
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(e); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.TrimSpace(b.String()), got.body); d != "" {
		t.Error(d)
	}
}
