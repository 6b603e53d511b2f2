package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/skjold-exchange/skjold/config"
)

// TestHubPage holds docs/hub.md and docs/performance.md against the settings and commands that they name.
func TestHubPage(t *testing.T) {
	examples := string(config.Example())
	for _, name := range []string{"hub", "performance"} {
		page, err := os.ReadFile("../../docs/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		commands := regexp.MustCompile("skjold ([a-z]+(?: (?:read|ingest|federation|scale|set|list))?)((?: --?[a-z-]+[^`|\n]*)?)").FindAllStringSubmatch(string(page), -1)
		if len(commands) < 3 {
			t.Errorf("docs/%s.md: only %d commands were found", name, len(commands))
		}
		for _, m := range commands {
			code, help, errOut := runCLI(t.Context(), append(strings.Fields(m[1]), "--help")...)
			if code != exitDone {
				t.Errorf("docs/%s.md names %q: %s", name, m[0], errOut)
			}
			for _, flag := range regexp.MustCompile(`--[a-z-]+[a-z]`).FindAllString(m[2], -1) {
				if !strings.Contains(help, flag+" ") {
					t.Errorf("docs/%s.md names %q, which has no %s", name, m[0], flag)
				}
			}
		}
		for _, m := range regexp.MustCompile("`(?:limits|cache|redis|database|federation|submissions|metrics)\\.([a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
			if !strings.Contains(examples, m[1]+":") {
				t.Errorf("docs/%s.md names %s, which the configuration does not have", name, m[0])
			}
		}
	}
}
