package config

import (
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// instruction is one of a Dockerfile, its continued lines joined.
type instruction struct{ name, args string }

func dockerfile(t *testing.T) (all, final []instruction) {
	t.Helper()
	data, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if before, continued := strings.CutSuffix(strings.TrimRight(line, " \n"), `\`); continued {
			text.WriteString(before + " ")
		} else {
			text.WriteString(line)
		}
	}
	for line := range strings.Lines(text.String()) {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		all = append(all, instruction{name, strings.TrimSpace(args)})
		if name == "FROM" {
			final = nil
		}
		final = append(final, all[len(all)-1])
	}
	return all, final
}

// only returns the arguments of an instruction that must stand exactly once.
func only(t *testing.T, in []instruction, name string) string {
	t.Helper()
	var found []string
	for _, i := range in {
		if i.name == name {
			found = append(found, i.args)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the final stage has %d %s instructions, want 1", len(found), name)
	}
	return found[0]
}

// TestDockerfile holds what the image promises: no shell, no root, a volume that its user owns, and an environment that
// the node accepts.
func TestDockerfile(t *testing.T) {
	_, final := dockerfile(t)
	if from := only(t, final, "FROM"); from != "scratch" {
		t.Errorf("the final image is %s, want scratch", from)
	}
	user := only(t, final, "USER")
	if !regexp.MustCompile(`^[1-9][0-9]+:[1-9][0-9]+$`).MatchString(user) {
		t.Errorf("USER %s, want numbers other than 0", user)
	}
	owned := false
	for _, i := range final {
		switch i.name {
		case "RUN":
			t.Errorf("RUN %s: nothing can run in an image without a shell", i.args)
		case "COPY":
			owned = owned || strings.Contains(i.args, "--chown="+user+" ") && strings.HasSuffix(i.args, "/image/writable/ /")
		}
	}
	if !owned {
		t.Errorf("no COPY gives the data directory to user %s", user)
	}

	env := map[string]string{}
	var environ []string
	for _, pair := range strings.Fields(only(t, final, "ENV")) {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
		environ = append(environ, pair)
	}
	c, err := Load(LoadOptions{Env: environ})
	if err != nil {
		t.Fatalf("the node refuses the image's environment: %v", err)
	}
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port != only(t, final, "EXPOSE") {
		t.Errorf("EXPOSE %s, but the node listens on %s", only(t, final, "EXPOSE"), c.Listen)
	}
	var volumes []string
	if err := json.Unmarshal([]byte(only(t, final, "VOLUME")), &volumes); err != nil || len(volumes) != 1 || volumes[0] != env["SKJOLD_DATA"] {
		t.Errorf("VOLUME %v, but the data directory is %s", volumes, env["SKJOLD_DATA"])
	}
	_, check, _ := strings.Cut(only(t, final, "HEALTHCHECK"), "CMD ")
	if want := `"http://127.0.0.1:` + port + `/healthz"`; !strings.Contains(check, want) {
		t.Errorf("HEALTHCHECK %s: want it to ask %s", check, want)
	}
	for name, args := range map[string]string{"ENTRYPOINT": only(t, final, "ENTRYPOINT"), "HEALTHCHECK": check} {
		var words []string
		if err := json.Unmarshal([]byte(args), &words); err != nil || len(words) == 0 || words[0] != "/skjold" {
			t.Errorf("%s %s: want a JSON list that begins with /skjold, because there is no shell", name, args)
		}
	}
}

// TestDockerfileBuild holds how the binary is made: with the Go version of go.mod, static, without paths of the builder.
func TestDockerfileBuild(t *testing.T) {
	all, _ := dockerfile(t)
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))
	if version == nil {
		t.Fatal("go.mod names no Go version")
	}
	if want := "golang:" + version[1] + " AS build"; all[0].args != want {
		t.Errorf("FROM %s, want FROM %s as in go.mod", all[0].args, want)
	}
	built := false
	for _, i := range all {
		if i.name == "RUN" && strings.Contains(i.args, "go build") {
			built = strings.Contains(i.args, "CGO_ENABLED=0 ") && strings.Contains(i.args, "-trimpath")
		}
	}
	if !built {
		t.Error("want the binary built with CGO_ENABLED=0 and -trimpath")
	}
}

// TestDockerignore: the context is an allow-list, and has every directory that Go code of the binary is in.
func TestDockerignore(t *testing.T) {
	data, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		allowed[strings.TrimSpace(line)] = true
	}
	if !allowed["*"] {
		t.Error(".dockerignore is not an allow-list: a data directory with keys might get into the image's build")
	}
	dirs, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.IsDir() && !strings.HasPrefix(d.Name(), ".") && hasGo(t, "../"+d.Name()) && !allowed["!"+d.Name()] {
			t.Errorf(".dockerignore lacks %s, without which the image does not build", strconv.Quote("!"+d.Name()))
		}
	}
}

// hasGo tells whether there is code of the binary in a directory or below it.
func hasGo(t *testing.T, dir string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		found = found || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
