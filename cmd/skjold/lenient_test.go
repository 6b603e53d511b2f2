package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

// TestOfficialFeed publishes an official data set that breaks rules of STIX 2.1 in four of its objects. A strict
// collection refuses the four; a lenient one takes everything, tells what the four break, and gives all bytes back as
// they came.
func TestOfficialFeed(t *testing.T) {
	sequential(t)
	t.Parallel()
	dir := requireCorpus(t)
	file := filepath.Join(dir, "attack", "ics-attack-18.1.json")
	const objects, broken = 1826, 4
	n := newTestNode(t, stix.TLPGreen, nil)
	publish := func(collection string) (int, publishJSON) {
		t.Helper()
		code, out, errOut := runCLI(t.Context(), "publish", "--json", "--url", n.url, "--user", n.made.User, "--password", n.made.Password, "--collection", collection, file)
		var result publishJSON
		if err := json.Unmarshal([]byte(out), &result); err != nil || !result.Complete || result.Total != objects {
			t.Fatalf("publish: %v\n%s%s", err, out, errOut)
		}
		return code, result
	}
	ids := func(list []refusal) []string {
		var ids []string
		for _, r := range list {
			if !strings.Contains(r.Message, "related_asset_sectors: ") {
				t.Errorf("%s: %q does not name the empty list", r.ID, r.Message)
			}
			ids = append(ids, r.ID)
		}
		slices.Sort(ids)
		return ids
	}
	code, strict := publish(firstAlias)
	if code != exitFailed || strict.New != objects-broken || strict.Failure != broken || len(strict.Violating) != 0 {
		t.Errorf("a strict collection: exit code %d, %d stored, %d refused", code, strict.New, strict.Failure)
	}
	wrong := ids(strict.Failures)

	mustRun(t, "collection", "add", "--data", string(n.dir), "--title", "Official feed", "--alias", "feed", "--default-tlp", "green", "--rules", "lenient")
	code, lenient := publish("feed")
	if code != exitDone || lenient.New != objects || lenient.Failure != 0 {
		t.Errorf("a lenient collection: exit code %d, %d stored, %d refused", code, lenient.New, lenient.Failure)
	}
	if diff := cmp.Diff(wrong, ids(lenient.Violating)); diff != "" {
		t.Errorf("what the strict collection refused, and what the lenient one took in spite of it (-refused +taken):\n%s", diff)
	}
	if _, again := publish("feed"); again.Known != objects || again.New != 0 || again.Failure != 0 {
		t.Errorf("published again: %+v", again)
	}

	// It is served byte for byte.
	out := mustRun(t, "poll", n.url+"collections/feed/", "--user", n.made.User, "--password", n.made.Password, "--match-version", "all")
	got, want := strings.Split(strings.TrimSuffix(out, "\n"), "\n"), inputObjects(t, file)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d objects are served that are not, byte for byte, the %d published", len(got), len(want))
	}

	// A check of what is held finds the same, and so does the record.
	for _, args := range [][]string{nil, {"--recorded"}} {
		args = append([]string{"check", "--data", string(n.dir), "--collection", "feed", "--quiet", "--json"}, args...)
		code, out, errOut := runCLI(t.Context(), args...)
		lines, found := strings.Split(strings.TrimSuffix(out, "\n"), "\n"), []string{}
		for i, line := range lines {
			var j checkJSON
			if err := json.Unmarshal([]byte(line), &j); err != nil || j.Index != i {
				t.Fatalf("line %d of %v: %v: %s", i, args, err, line)
			}
			if len(j.Errors) > 0 {
				found = append(found, j.ID)
			}
		}
		slices.Sort(found)
		if diff := cmp.Diff(wrong, found); diff != "" || code != exitFailed || errOut != "" {
			t.Errorf("%v: exit code %d %s (-want +got):\n%s", args, code, errOut, diff)
		}
		if recorded := slices.Contains(args, "--recorded"); !recorded && len(lines) != objects || recorded && len(lines) != broken {
			t.Errorf("%v prints %d lines", args, len(lines))
		}
	}
}
