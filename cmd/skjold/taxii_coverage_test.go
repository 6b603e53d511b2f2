package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rule is something that the server must do, and where it is tested: a script of testdata/taxii with the words of the
// comment above the requests, or a file of Go tests, from the root of the repository, with the name of the test.
type rule struct {
	rule string
	in   string
	at   string
}

// standardRules are the rules of TAXII 2.1, by section.
var standardRules = []rule{
	{"§1.6.8 Accept with and without version, wildcards, none", "1.6.8-negotiation", "§1.6.8.2: TAXII with and without the version"},
	{"§1.6.8 lists with weights", "1.6.8-negotiation", "Lists, several lines, weights"},
	{"§3.1 406", "1.6.8-negotiation", "406 for what has nothing that the server speaks"},
	{"§5.5 415", "1.6.8-negotiation", "415 for the others"},
	{"§3.1 Content-Type of every answer, errors too", "cmd/skjold/taxii_wellformed_test.go", "§3.1"},
	{"§1.6.9 401 with WWW-Authenticate", "1.6.9-authentication", "401 with the schemes"},
	{"§1.6.9 accounts that end, passwords, rotated keys", "1.6.9-accounts", "An account that ends"},
	{"§8.2.2 HTTP Basic", "1.6.9-authentication", "HTTP Basic (§8.2.2)"},
	{"§8.2.2 TLS 1.2 or newer", "cmd/skjold/tls_test.go", "TestTLSVersions"},
	{"§2 no empty lists, timestamps of six digits", "cmd/skjold/taxii_wellformed_test.go", "§2"},
	{"§3.1 every address, both spellings", "3.1-endpoints", "every address of the table"},
	{"§3.1 HEAD", "3.1-endpoints", "HEAD is GET without the body"},
	{"§3.1 405 with Allow", "3.1-endpoints", "405 with Allow"},
	{"§3.1 percent-encoding, dot segments", "3.1-paths", "Encoded slashes, doubled slashes, dot segments"},
	{"§3.1 very long addresses", "3.1-paths", "Very long paths"},
	{"§3.1 very long queries", "3.1-paths", "Very long queries"},
	{"§3.2 the date added headers", "3.2-headers", "First and last are those of what is returned"},
	{"§3.2 on an empty page", "3.2-headers", "An empty page repeats added_after"},
	{"§3.2 of an empty collection", "3.2-headers", "An empty collection"},
	{"§3.3 ascending by date added", "3.3-sorting", "ascend by date added"},
	{"§3.4 added_after", "3.4-filtering", "added_after is exclusive"},
	{"§3.4 limit", "3.4-filtering", "limit: never more than asked for"},
	{"§3.4 match", "3.4-filtering", "a comma list is OR, fields are AND"},
	{"§3.4 what is malformed", "3.4-filtering", "Malformed times"},
	{"§3.4 each endpoint's own parameters", "3.4-filtering", "Each endpoint takes the parameters of its own table"},
	{"§3.4 all filters combined", "cmd/skjold/taxii_filters_test.go", "TestFilterCombinations"},
	{"§3.4.1 id", "3.4.1-match-fields", "id."},
	{"§3.4.1 type", "3.4.1-match-fields", "type: every type"},
	{"§3.4.1 version", "3.4.1-match-fields", "version: last is the default"},
	{"§3.4.1 spec_version", "3.4.1-match-fields", "spec_version: the newest"},
	{"§3.5 next and more", "3.5-pagination", "By next, with the original query"},
	{"§3.5 by added_after", "3.5-pagination", "By added_after from the header"},
	{"§3.5 each object once", "taxii/content_test.go", "TestPagingIsExact"},
	{"§3.5 each object once, while others publish", "taxii/concurrency_test.go", "TestPollersAndPublishers"},
	{"§3.6 error messages", "3.6-errors", "an error message with every 4xx"},
	{"§3.6 what the caller may not know of", "3.6-errors", "answered like what does not exist"},
	{"§3.7 the envelope", "5.4-objects", "§3.7"},
	{"§4.1 discovery", "4.1-discovery", "§4.1"},
	{"§4.1.1 absolute https URLs", "4.1-discovery-https", "absolute https URLs"},
	{"§4.1.1 default is an item of api_roots", "4.1-discovery", "the default is an item of api_roots"},
	{"§4.1 to §5.2 pages for people", "4.1-pages", "in a browser"},
	{"§4.2 API root", "4.2-api-root", "§4.2.1: the versions are media types"},
	{"§4.2.1 max_content_length", "4.2-api-root", "octets, a positive integer"},
	{"§4.3 status", "4.3-status", "the same resource again"},
	{"§4.3 a status is its maker's", "4.3-status", "To everybody else there is none"},
	{"§4.3.1 counts add up at every moment", "cmd/skjold/taxii_wellformed_test.go", "counts that do not add up"},
	{"§4.3 pending, with counts that fall", "4.3-status-pending", "the lists are as long as their counts"},
	{"§5.1 what an account may not know of", "5.1-hidden", "the same status and body by id, by alias and by title"},
	{"§5.1 collections with the caller's rights", "5.1-collections", "those that the caller has a right on"},
	{"§5.2 a collection by id and alias", "5.1-collections", "by id, in any case, and by alias"},
	{"§5.3 manifest", "5.3-manifest", "One record per version"},
	{"§5.3 a version for what has none", "5.3-manifest", "An object without times has a version"},
	{"§5.4 objects", "5.4-objects", "byte for byte"},
	{"§5.4 what the sharing policy lets the caller see", "5.4-markings", "what is red is"},
	{"§5.5 202 and status", "5.5-add", "202 with a complete status"},
	{"§5.5 the same again", "5.5-add", "an exact duplicate is no error"},
	{"§5.5 a repeated request", "5.5-idempotency-key", "changes nothing, and has the same status"},
	{"§5.5 each object stands alone", "5.5-add", "Each object stands alone"},
	{"§5.5 400, 413, 422", "5.5-add", "413: larger than max_content_length"},
	{"§5.5 rights before the body", "5.5-add", "Rights are judged before"},
	{"§5.6 one object", "5.6-object", "§5.6: an envelope with the latest version"},
	{"§5.7 delete", "5.7-delete", "200 without a body"},
	{"§5.7 the table of rights", "5.7-delete", "The table: neither 404"},
	{"§5.1 to §5.8 rights", "5.7-rights", "none, read, write, both, administrator"},
	{"§5.8 versions", "5.6-object", "§5.8: all versions"},
	{"RFC 9112 framing", "http-framing", "Two lengths, or a length and chunks"},
	{"RFC 9112 chunks", "http-framing", "Chunk sizes"},
	{"RFC 9112 folded lines", "http-framing", "Header lines that readers understand differently"},
	{"RFC 6585 too many requests", "http-rates", "429 with the seconds to wait"},
	{"RFC 9110 floods of headers", "http-limits", "Header floods"},
	{"RFC 9110 slow requests", "http-limits", "Slow or unfinished headers"},
	{"RFC 9110 bodies that do not come", "http-bodies", "A body that stops"},
	{"RFC 9110 gzip bodies, bounded", "http-bodies", "bounded in what it expands to"},
}

// clientHabits are what real clients need.
var clientHabits = []rule{
	{"2.0 alone is 406: Cortex XSOAR", "client-xsoar", "only at a 406"},
	{"literal Content-Type, no 204: taxii2-client", "client-taxii2-client", "must be literally"},
	{"Content-Type of a GET says nothing: Cyware", "client-others", "sends Content-Type with a GET"},
	{"bundles pushed: python-stix2", "client-python-stix2", "a bundle with TAXII's media type"},
	{"bundles pushed: Splunk's CTIS app", "client-splunk", "a submission is a bundle"},
	{"bundles pushed as STIX: OpenCTI's taxii-post", "client-opencti", "a bundle with a spec_version, as STIX"},
	{"titles and names without dots: OpenCTI's connector", "client-opencti", "neither may have a dot"},
	{"an alias in the path, the id in the resource", "5.1-collections", "always with its real id"},
	{"match encoded: taxii2-client", "client-taxii2-client", "match%5Btype%5D"},
	{"added_after in every form", "3.4-filtering", "none to nine fraction digits"},
	{"the header cut to milliseconds: OpenCTI", "client-opencti", "cut to milliseconds"},
	{"the header of an empty page: Elastic", "client-elastic", "The empty page keeps its cursor"},
	{"strict about the headers' form: EclecticIQ", "client-others", "strict about the headers' timestamps"},
	{"no modified in the future: XSOAR", "client-xsoar", "A modified in the future"},
	{"no empty page with more: XSOAR", "client-xsoar", "never an empty one with more behind it"},
	{"next goes on while it is there: Elastic", "client-elastic", "where next is not empty"},
	{"next beside added_after, and without: Elastic", "client-elastic", "Before 1.8.2 next went without added_after"},
	{"next to another collection: OpenCTI's connector", "client-opencti", "It never forgets a next"},
	{"next retried", "3.5-pagination", "Retried any number of times"},
	{"next alone carries its query", "3.5-pagination", "Alone it carries its query"},
	{"next beside a newer added_after", "3.5-pagination", "with a newer one the later position does"},
	{"next survives a restart", "taxii/content_test.go", "after a restart"},
	{"garbage for next", "3.5-pagination", "Garbage is a 400"},
	{"pages of 50: MISP", "client-misp", "limit=50"},
	{"pages of 100: XSOAR", "client-xsoar", "limit 100"},
	{"pages of 5,000: python-stix2", "client-python-stix2", "pages of 5,000"},
	{"pages without limit: Sumo Logic, Elastic, OpenCTI", "client-others", "no limit"},
	{"the default page and the largest", "config/load_test.go", "PageDefault: 1000, PageMax: 10000"},
	{"a poll every 30 seconds: OpenCTI", "client-opencti", "polling every 30 seconds"},
	{"a poll every minute: Sentinel", "client-sentinel", "Every minute with nothing new"},
	{"basic in lower case: MISP", "client-misp", "\"basic\" in lower case"},
	{"Bearer, Token, x-api-key", "1.6.9-authentication", "The key alone: Bearer, Token, x-api-key"},
	{"keys that may stand in a URL", "1.6.9-authentication", "A key is safe in URLs"},
	{"a small POST is complete at once: taxii2-client", "client-taxii2-client", "so nothing is waited for"},
	{"a status is readable for a day", "store/storetest/status.go", "24 * time.Hour"},
	{"no marking is not TLP:CLEAR: OpenCTI's taxii-post", "client-opencti", "An object without a marking is not TLP:CLEAR"},
	{"marked objects only", "client-opencti", "refused with a reason where the collection"},
	{"TLP 1.0 and 2.0", "5.4-markings", "TLP 1.0 and TLP 2.0"},
	{"empty lists for who needs them: Elastic", "client-elastic", "and has the list"},
	{"gzip and zstd, Vary", "1.6.8-negotiation", "Responses are compressed for who asks"},
	{"ETag and 304", "3.2-headers", "Conditional requests"},
	{"Connection: close and HTTP/1.0", "client-others", "Connections that are closed after each request"},
	{"HTTP/2", "cmd/skjold/tls_test.go", "TestHTTP2"},
	{"each client's last pull, position, objects, user agent, error", "cmd/skjold/testdata/script/clients.txtar", "What an operator sees of each client"},
}

// faultsOfOthers are what other servers got wrong.
var faultsOfOthers = []rule{
	{"one date added for a whole POST (medallion, OpenTAXII)", "3.3-sorting", "Every object has a time of its own"},
	{"a retried next goes on (medallion)", "3.5-pagination", "Retried any number of times"},
	{"match[version] that finds nothing widens (medallion)", "3.4.1-match-fields", "it never widens"},
	{"match[version] that finds nothing deletes (medallion)", "5.7-delete", "A match that finds nothing deletes nothing"},
	{"no largest page (OpenTAXII, medallion, ATT&CK Workbench)", "3.4-filtering", "the maximum for any above it"},
	{"scans of the collection for a page", "store/plan_test.go", "func Test"},
	{"200 MB read before the rights (OpenTAXII)", "http-bodies", "A hundred megabytes announced"},
	{"limit=0 (OpenTAXII, ATT&CK Workbench)", "3.4-filtering", "limit: never more than asked for"},
	{"a time without fraction (OpenTAXII)", "3.4-filtering", "none to nine fraction digits"},
	{"the cursor is the edit time (OpenCTI)", "3.3-sorting", "whatever their own times and ids say"},
	{"an object in one collection only (cabby)", "5.7-delete", "An object in another collection is another's"},
	{"one bad object fails the POST, half of it stored (medallion)", "5.5-add", "Each object stands alone"},
	{"all of these, as doctor finds them in other servers", "cmd/skjold/doctor_test.go", "TestDoctorFaults"},
}

// TestRulesAreTested holds the lists of what the server must do against the tests: each rule names one, and each
// section of the standard that has rules for a server has a script.
func TestRulesAreTested(t *testing.T) {
	t.Parallel()
	scripts := scriptComments(t)
	for _, r := range slices.Concat(standardRules, clientHabits, faultsOfOthers) {
		comments, isScript := scripts[r.in]
		if isScript {
			if !strings.Contains(comments, r.at) {
				t.Errorf("%s: %s has no comment %q", r.rule, r.in, r.at)
			}
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(r.in)))
		if err != nil {
			t.Errorf("%s: there is neither a script nor a file %s", r.rule, r.in)
		} else if !strings.Contains(string(text), r.at) {
			t.Errorf("%s: %s has no %q", r.rule, r.in, r.at)
		}
	}
	all := strings.Join(slices.Collect(maps.Values(scripts)), "\n")
	for _, section := range []string{"1.6.8", "1.6.9", "2", "3.1", "3.2", "3.3", "3.4", "3.4.1", "3.5", "3.6", "3.7", "4.1", "4.1.1", "4.2", "4.2.1",
		"4.3", "4.3.1", "5.1", "5.1.1", "5.2", "5.3", "5.3.1", "5.4", "5.5", "5.6", "5.7", "5.8", "5.8.1", "8.2.2"} {
		if !regexp.MustCompile(`§` + regexp.QuoteMeta(section) + `(\D|$)`).MatchString(all) {
			t.Errorf("no script names §%s", section)
		}
	}
}

// scriptComments are the comments of each script of testdata/taxii, each as running text.
func scriptComments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/taxii/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	scripts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var comments []string
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "-- ") {
				break // the files of the script
			}
			if comment, ok := strings.CutPrefix(line, "#"); ok {
				comments = append(comments, strings.TrimSpace(comment))
			}
		}
		scripts[strings.TrimSuffix(filepath.Base(file), ".txtar")] = strings.Join(comments, " ")
	}
	return scripts
}
