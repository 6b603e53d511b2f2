package taxii

import (
	"net/http"
	"strings"
	"testing"
)

func TestAccepts(t *testing.T) {
	tests := []struct {
		name   string
		accept []string
		want   bool
	}{
		{"none", nil, true},
		{"empty", []string{""}, true},
		{"exact", []string{"application/taxii+json;version=2.1"}, true},
		{"space", []string{"application/taxii+json; version=2.1"}, true},
		{"quotes", []string{`application/taxii+json; version="2.1"`}, true},
		{"any case", []string{"Application/TAXII+JSON;Version=2.1"}, true},
		{"without version", []string{"application/taxii+json"}, true},
		{"json", []string{"application/json"}, true},
		{"json of a browser library", []string{"application/json, text/plain, */*"}, true},
		{"wildcard", []string{"*/*"}, true},
		{"application wildcard", []string{"application/*"}, true},
		{"charset too", []string{"application/taxii+json;version=2.1;charset=utf-8"}, true},
		{"2.0 and 2.1", []string{"application/taxii+json;version=2.0, application/taxii+json;version=2.1"}, true},
		{"both of §5.3", []string{"application/taxii+json;version=2.1,application/stix+json;version=2.1"}, true},
		{"two lines", []string{"text/html", "application/taxii+json;version=2.1"}, true},
		{"weights", []string{"text/html;q=0.9, application/taxii+json;version=2.1;q=0.1"}, true},
		{"unreadable weight", []string{"application/taxii+json;version=2.1;q=high"}, true},
		{"wildcard last", []string{"application/vnd.oasis.taxii+json; version=2.0, */*;q=0.1"}, true},
		{"empty elements", []string{",, application/taxii+json,"}, true},
		{"more specific wins", []string{"*/*;q=0, application/taxii+json;version=2.1"}, true},

		{"2.0 of TAXII 2.0", []string{"application/vnd.oasis.taxii+json; version=2.0"}, false},
		{"STIX 2.0", []string{"application/vnd.oasis.stix+json; version=2.0"}, false},
		{"version 2.0", []string{"application/taxii+json;version=2.0"}, false},
		{"version 2.2", []string{"application/taxii+json;version=2.2"}, false},
		{"STIX only", []string{"application/stix+json;version=2.1"}, false},
		{"html", []string{"text/html"}, false},
		{"refused by weight", []string{"application/taxii+json;version=2.1;q=0"}, false},
		{"specific refusal beats a wildcard", []string{"application/taxii+json;version=2.1;q=0, */*"}, false},
		{"no media type", []string{"taxii"}, false},
		{"no subtype", []string{"application/"}, false},
		{"comma in quotes", []string{`text/html;x="application/taxii+json, application/json"`}, false},
		{"beyond the bound", []string{"text/html," + strings.Repeat("text/plain,", 400) + "application/taxii+json"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Accepts(http.Header{"Accept": tt.accept}); got != tt.want {
				t.Errorf("Accepts(%q) = %v, want %v", tt.accept, got, tt.want)
			}
		})
	}
}

func TestContentType(t *testing.T) {
	tests := []struct {
		value []string
		want  bool
	}{
		{[]string{"application/taxii+json;version=2.1"}, true},
		{[]string{"application/taxii+json"}, true},
		{[]string{"application/stix+json; version=2.1"}, true},
		{[]string{"application/stix+json"}, true},
		{[]string{"application/vnd.oasis.stix+json"}, true},
		{[]string{"Application/STIX+json; Version=\"2.1\"; Charset=UTF-8"}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"application/json"}, false},
		{[]string{"application/taxii+json;version=2.0"}, false},
		{[]string{"application/vnd.oasis.stix+json; version=2.0"}, false},
		{[]string{"application/taxii+json;charset=iso-8859-1"}, false},
		{[]string{"application/x-www-form-urlencoded"}, false},
		{[]string{"multipart/form-data; boundary=x"}, false},
		{[]string{"application/taxii+json", "application/taxii+json"}, false},
		{[]string{"application/taxii+json;" + strings.Repeat("a", maxHeaderText)}, false},
	}
	for _, tt := range tests {
		if err := checkContentType(http.Header{"Content-Type": tt.value}); (err == nil) != tt.want {
			t.Errorf("%.80q: %v, want accepted %v", tt.value, err, tt.want)
		} else if err != nil && problemOf(err).status != http.StatusUnsupportedMediaType {
			t.Errorf("%.80q: status %d", tt.value, problemOf(err).status)
		}
	}
}

func TestChooseEncoding(t *testing.T) {
	tests := []struct{ accept, want string }{
		{"", identity},
		{"gzip", gzipped},
		{"GZIP", gzipped},
		{"x-gzip", gzipped},
		{"gzip, deflate", gzipped},
		{"gzip, deflate, br, zstd", zstded},
		{"zstd;q=0.5, gzip", gzipped},
		{"zstd;q=0, gzip;q=0", identity},
		{"gzip;q=0, *", identity},
		{"*", gzipped},
		{"identity, gzip;q=0.5", identity},
		{"br", identity},
		{"gzip;q=junk", gzipped},
	}
	for _, tt := range tests {
		if got := chooseEncoding(http.Header{"Accept-Encoding": {tt.accept}}); got != tt.want {
			t.Errorf("chooseEncoding(%q) = %q, want %q", tt.accept, got, tt.want)
		}
	}
}

// FuzzAccept holds that a range that names TAXII 2.1 is served whatever stands beside it in the header, unless something
// more or as specific refuses it or quotation marks swallow it.
func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"", "text/html", "*/*;q=0", `a/b;c="d`, "application/taxii+json;version=2.0", ",;=/\\\"", "a/b;q=1.0001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, beside string) {
		h := http.Header{"Accept": {MediaType + "," + beside}}
		if !Accepts(h) {
			t.Errorf("not accepted beside %q", beside)
		}
		Accepts(http.Header{"Accept": {beside}})
		chooseEncoding(http.Header{"Accept-Encoding": {beside}})
		if err := checkContentType(http.Header{"Content-Type": {beside}}); err == nil && !strings.Contains(strings.ToLower(beside), "json") {
			t.Errorf("Content-Type %q accepted", beside)
		}
	})
}
