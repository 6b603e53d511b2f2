//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestFederationGuide runs the commands of docs/federation.md as they are written, in order, in an empty directory, and
// looks at what became of the parties.
func TestFederationGuide(t *testing.T) {
	sequential(t)
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the guide's commands need a POSIX shell (sh)")
	}
	page, err := os.ReadFile("../../docs/federation.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	linkProgram(t, bin, "skjold")
	var script strings.Builder
	script.WriteString("set -eu\n")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		script.WriteString(block[1])
	}
	// What the reader would look at in the end.
	script.WriteString("skjold federation verify https://hub.example --data secretariat\nskjold federation charter show --data secretariat\n")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asProgram+"=1", "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"In force with 3 signatures", "2 of 3 founders are for it", `the class "The municipalities" of 2 members`, "https://hub.example is a member since",
		"suspends https://hub.example until", "reinstatement of https://hub.example", "recovery of https://hub.example", "[https://hub.example]", "up to TLP:GREEN", "A shared shield: charter version 3",
		"https://regions.example suspends https://skjold.city.example until", "reinstatement of https://skjold.city.example",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the guide's commands print nothing of %q:\n%s", want, out)
		}
	}
}
