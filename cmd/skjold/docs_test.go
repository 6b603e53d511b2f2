package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// choices are the list items of a package comment that name a section, each as one line.
func choices(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch item, begins := strings.CutPrefix(line, "//   - "); {
		case begins:
			list = append(list, item)
		case strings.HasPrefix(line, "//     ") && len(list) > 0:
			list[len(list)-1] += " " + strings.TrimSpace(line[2:])
		}
	}
	return list
}

// TestDivergences holds docs/divergences.md against the packages that make the choices and the scripts that show them.
func TestDivergences(t *testing.T) {
	page, err := os.ReadFile("../../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(string(page)), " ")
	for _, file := range []string{"../../stix/doc.go", "../../stix/pattern/doc.go"} {
		list := choices(t, file)
		if len(list) == 0 {
			t.Errorf("%s lists no choices", file)
		}
		for _, c := range list {
			if !strings.Contains(words, c) {
				t.Errorf("docs/divergences.md lacks this choice of %s; copy it there:\n%s", file, c)
			}
		}
	}
	sections := regexp.MustCompile(`§[0-9.]*[0-9]`)
	for _, c := range choices(t, "../../taxii/doc.go") {
		for _, s := range sections.FindAllString(c, -1) {
			row := regexp.MustCompile(`(?m)^\|[^|]*\b` + regexp.QuoteMeta(strings.TrimPrefix(s, "§")) + `\b[^|]*\|`)
			if !row.Match(page) {
				t.Errorf("docs/divergences.md has no row of TAXII %s, of which taxii/doc.go says:\n%s", s, c)
			}
		}
	}
}

// TestClientsPage holds docs/taxii.md against the commands that it names and the scripts that it points to.
func TestClientsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/taxii.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("testdata/taxii/client-*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, name := range []string{"taxii2-client", "python-stix2", "OpenCTI", "Sentinel", "Splunk", "Elastic", "XSOAR", "MISP"} {
		if !strings.Contains(string(page), name) {
			t.Errorf("docs/taxii.md says nothing of %s", name)
		}
	}
	for _, section := range []string{"Microsoft Sentinel, import", "Microsoft Sentinel, export", "Splunk", "OpenCTI", "MISP", "Elastic", "Cortex XSOAR",
		"taxii2-client and python-stix2", "Others"} {
		if !strings.Contains(string(page), "\n### "+section) {
			t.Errorf("docs/taxii.md has no section on %s", section)
		}
	}
	for _, m := range regexp.MustCompile("`?skjold ([a-z]+(?: [a-z]+)?)").FindAllStringSubmatch(string(page), -1) {
		if code, _, errOut := runCLI(t.Context(), append(strings.Fields(m[1]), "--help")...); code != exitDone {
			t.Errorf("docs/taxii.md names %q: %s", m[0], errOut)
		}
	}
	for _, m := range regexp.MustCompile("`limits\\.([a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		if out := mustRun(t, "config", "example"); !strings.Contains(out, m[1]+":") {
			t.Errorf("docs/taxii.md names limits.%s, which the configuration does not have", m[1])
		}
	}
}

// TestOperatingPage holds docs/operating.md against the commands and flags that it names.
func TestOperatingPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("skjold ([a-z]+(?: set| list)?)((?: [^`|\n]*)?)").FindAllStringSubmatch(string(page), -1)
	if len(named) < 15 {
		t.Errorf("only %d commands were found", len(named))
	}
	flags := regexp.MustCompile(`--[a-z-]+[a-z]`)
	for _, m := range named {
		code, help, errOut := runCLI(t.Context(), append(strings.Fields(m[1]), "--help")...)
		if code != exitDone {
			t.Errorf("docs/operating.md names %q: %s", m[0], errOut)
		}
		for _, flag := range flags.FindAllString(m[2], -1) {
			if !strings.Contains(help, flag+" ") && !strings.Contains(help, flag+"\n") {
				t.Errorf("docs/operating.md names %q, which has no %s", m[0], flag)
			}
		}
	}
	for _, flag := range flags.FindAllString(string(page), -1) {
		if strings.HasPrefix(flag, "--retain-") && !strings.Contains(mustRun(t, "collection", "set", "--help"), flag+" ") {
			t.Errorf("docs/operating.md names %s", flag)
		}
	}
}
