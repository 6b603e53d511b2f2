package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// examineFake runs doctor --write on a server with faults.
func examineFake(t *testing.T, faults ...fault) (code int, findings []finding) {
	t.Helper()
	server := httptest.NewServer(newFakeTAXII(faults...))
	defer server.Close()
	code, out, errOut := runCLI(t.Context(), "doctor", server.URL+"/taxii2/", "--user", "soc", "--password", "key", "--write", "--json")
	var report struct {
		Faults, Warnings int
		Findings         []finding
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %q, %s", err, out, errOut)
	}
	counted := map[string]int{}
	for _, f := range report.Findings {
		counted[f.Result]++
	}
	if counted[resultFault] != report.Faults || counted[resultWarning] != report.Warnings || (report.Faults > 0) != (code == exitFailed) {
		t.Errorf("exit code %d, %d faults and %d warnings reported of %v", code, report.Faults, report.Warnings, counted)
	}
	return code, report.Findings
}

// TestDoctorSoundServer: of a server without faults, that is not ours, doctor has nothing to say but that it is plain http.
func TestDoctorSoundServer(t *testing.T) {
	t.Parallel()
	_, findings := examineFake(t)
	good := map[string]bool{}
	for _, f := range findings {
		if f.Result != resultOK && f.Check != "encryption" {
			t.Errorf("%s %s: %s", f.Result, f.Check, f.Text)
		}
		good[f.Check] = true
	}
	for _, check := range []string{"connection", "discovery", "API root", "collections", "collection", "addresses", "errors", "headers", "paging", "order",
		"times", "filters", "manifest", "object", "versions", "write", "status", "read back", "delete", "media type"} {
		if !good[check] {
			t.Errorf("nothing is said of %q", check)
		}
	}
}

// TestDoctorFaults: faults that servers have, or had, and what doctor says about each in words that an operator can
// send to whoever runs that server.
func TestDoctorFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault  fault
		whose  string
		result string
		check  string
		text   string
	}{
		// Negotiation.
		{"media type", "OpenCTI, public collections", resultFault, "media type", `is "application/json"; taxii2-client`},
		{"quoted version", "", resultFault, "media type", `version=\"2.1\""; taxii2-client`},
		{"space", "", resultOK, "media type", "which clients read"},
		{"errors as JSON", "ATT&CK Workbench", resultWarning, "media type", "clients that read error messages"},
		{"2.0 is 200", "", resultWarning, "media type", "Cortex XSOAR waits for 406"},
		{"version wanted", "", resultFault, "media type", "Accept: application/taxii+json answers 406"},
		{"204", "", resultFault, "answers", "answers 204"},
		{"limited", "", resultWarning, "answers", "429 without Retry-After"},
		{"errors without words", "", resultWarning, "errors", "without an error message that has a title"},
		// Accounts.
		{"no challenge", "", resultFault, "account", "without WWW-Authenticate"},
		{"open", "", resultWarning, "account", "can be read without an account"},
		// Addresses and resources.
		{"slash redirects", "ServiceNow, Go's ServeMux", resultWarning, "addresses", "a redirect (301"},
		{"slash is 404", "", resultWarning, "addresses", "is 404"},
		{"slash is empty", "OpenCTI", resultFault, "addresses", "another one"},
		{"default elsewhere", "", resultWarning, "discovery", "not literally one of api_roots"},
		{"no default", "", resultWarning, "discovery", "Cyware's client fails"},
		{"root without slash", "OpenCTI", resultWarning, "discovery", "does not end in a slash"},
		{"no length", "", resultFault, "API root", "max_content_length is missing"},
		{"title with a dot", "", resultWarning, "collections", "has a dot"},
		{"two of a title", "", resultWarning, "collections", `2 collections are called "Feed"`},
		{"collection is 404", "", resultFault, "collection", "its own address answers 404"},
		// Paging and headers.
		{"limit=0 is 500", "OpenTAXII, ATT&CK Workbench", resultFault, "errors", "limit=0 answers 500"},
		{"limit ignored", "", resultFault, "paging", "limit=4 brought 7 objects"},
		{"tokens are used up", "medallion", resultFault, "paging", "going on by next, asked again"},
		{"next loses to added_after", "", resultFault, "paging", "going on by next beside the same added_after"},
		{"no next", "", resultWarning, "paging", "more without next"},
		{"no more", "OpenCTI", resultFault, "paging", "but more is not true"},
		{"empty with more", "", resultFault, "paging", "clients ask for ever"},
		{"empty with next", "", resultWarning, "paging", "Elastic's integration asks for ever"},
		{"inclusive", "OpenCTI's connector loops on such a server", resultFault, "paging", "going on by added_after brings"},
		{"added_after ignored", "", resultFault, "paging", "it is not heeded"},
		{"one date for a POST", "medallion, OpenTAXII", resultFault, "order", "the same date added as the one before"},
		{"one date for a POST", "medallion, OpenTAXII", resultFault, "paging", "objects are lost or repeated"},
		{"unsorted", "", resultFault, "order", "do not come in the order"},
		{"no headers", "", resultFault, "headers", "a page with objects comes without X-TAXII-Date-Added-First"},
		{"no headers when empty", "", resultFault, "headers", "an empty page comes without X-TAXII-Date-Added-First"},
		{"undefined", "OpenCTI", resultFault, "headers", `"undefined", which is no timestamp`},
		{"header of another time", "", resultFault, "headers", "clients that store it lose or repeat"},
		{"nanoseconds", "", resultWarning, "headers", "exactly six fraction digits"},
		{"fraction wanted", "OpenTAXII", resultFault, "times", "added_after=1970-01-01T00:00:00Z answers 500"},
		{"fraction wanted politely", "", resultWarning, "times", "taxii2-client, Elastic write it so"},
		// Filters.
		{"match ignored", "", resultFault, "filters", "objects that do not match"},
		{"encoded brackets ignored", "", resultFault, "filters", "taxii2-client encodes the brackets"},
		{"first of a list", "", resultFault, "filters", "XSOAR asks for several types"},
		{"version widens", "medallion with MongoDB", resultFault, "filters", "a DELETE with it deletes what nobody named"},
		// Writing.
		{"read only", "", resultFault, "write", "this account may not write"},
		{"body first", "OpenTAXII", resultWarning, "write", "the body is read before the account is known"},
		{"all or nothing", "", resultWarning, "write", "one broken object fails the whole request"},
		{"half stored", "medallion", resultFault, "write", "part of it was stored"},
		{"unchecked", "", resultWarning, "write", "does not check objects"},
		{"no bundles", "", resultWarning, "write", "a STIX bundle is refused"},
		{"readded", "OpenCTI", resultFault, "write", "new date added"},
		{"200 for 202", "", resultFault, "write", "instead of 202"},
		{"counts", "", resultFault, "status", "do not add up"},
		{"status is lost", "", resultFault, "status", "can't be read"},
		{"delete does nothing", "", resultFault, "delete", "still answers 200"},
	} {
		t.Run(string(tt.fault)+", "+tt.check, func(t *testing.T) {
			t.Parallel()
			code, findings := examineFake(t, tt.fault)
			found := false
			for _, f := range findings {
				found = found || f.Result == tt.result && f.Check == tt.check && strings.Contains(f.Text, tt.text)
			}
			if !found {
				t.Errorf("no %s of %s says %q:", tt.result, tt.check, tt.text)
				for _, f := range findings {
					t.Logf("%-8s %s: %s", f.Result, f.Check, f.Text)
				}
			}
			if tt.result == resultFault && code != exitFailed {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
