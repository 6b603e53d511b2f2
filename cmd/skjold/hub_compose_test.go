package main

import (
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestComposeParts holds the parts of the Compose file against each other: addresses against services, what the database is
// made with against what it is asked with, health checks and what waits for them, the proxy's files against what is mounted,
// and the time to stop against what serve needs. That the settings are of the configuration TestComposeFile holds.
func TestComposeParts(t *testing.T) {
	c, example := readCompose(t), exampleEnvironment(t)
	image, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	imageChecks := regexp.MustCompile(`(?m)^HEALTHCHECK [^\n]*\\\n\s+CMD \["/skjold", "healthcheck", "--url", "http://127\.0\.0\.1:8080/healthz"\]$`).Match(image)
	if code, _, errOut := runCLI(t.Context(), "healthcheck", "--url", "http://127.0.0.1:8080/healthz", "--help"); code != exitDone || !imageChecks {
		t.Errorf("the image's health check is not the command healthcheck: %s", errOut)
	}
	database := c.Services["postgres"].Environment
	for name, s := range c.Services {
		for dependency, how := range s.DependsOn {
			checked := c.Services[dependency].Image == "skjold" || len(c.Services[dependency].Healthcheck) > 0
			if how.Condition != "service_healthy" || !checked {
				t.Errorf("%s waits for %s by %q, and that it is healthy is checked: %v", name, dependency, how.Condition, checked)
			}
		}
		if s.Image != "skjold" {
			continue
		}
		if grace, err := time.ParseDuration(s.StopGracePeriod); err != nil || grace < drainTimeout+10*time.Second {
			t.Errorf("%s has %s to stop (%v), and running requests alone have %s", name, s.StopGracePeriod, err, drainTimeout)
		}
		u, err := url.Parse(substitute(t, s.Environment["SKJOLD_DATABASE_URL"], example))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Services[u.Hostname()]; !ok || u.Port() != "5432" || u.User.Username() != database["POSTGRES_USER"] || strings.Trim(u.Path, "/") != database["POSTGRES_DB"] {
			t.Errorf("%s asks %s for its database, which is made with %v", name, u.Redacted(), database)
		}
		if password, _ := u.User.Password(); password != substitute(t, database["POSTGRES_PASSWORD"], example) {
			t.Errorf("%s has another password than the database", name)
		}
		redis, port, _ := strings.Cut(s.Environment["SKJOLD_REDIS_ADDRESSES"], ":")
		cache, ok := c.Services[redis]
		if !ok || port != "6379" || substitute(t, cache.Environment["REDIS_PASSWORD"], example) != substitute(t, s.Environment["SKJOLD_REDIS_PASSWORD"], example) {
			t.Errorf("%s asks %s with another password than that of %v", name, s.Environment["SKJOLD_REDIS_ADDRESSES"], cache.Environment)
		}
		// All processes have the same data directory, and it is the image's.
		if !slices.Contains(s.Volumes, "node:/data") || !strings.Contains(string(image), "SKJOLD_DATA=/data") {
			t.Errorf("%s has the volumes %q", name, s.Volumes)
		}
	}
	checkProxyFiles(t, c)
}

// checkProxyFiles holds the paths in the proxy's configuration against what is mounted.
func checkProxyFiles(t *testing.T, c composeFile) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	proxy := c.Services["proxy"]
	mounted := map[string]string{} // source by target
	for _, v := range proxy.Volumes {
		parts := strings.Split(v, ":")
		if len(parts) != 3 || parts[2] != "ro" {
			t.Errorf("the proxy mounts %s, which it may write to", v)
		}
		mounted[parts[1]] = parts[0]
	}
	if mounted["/etc/nginx/nginx.conf"] != "./nginx.conf" {
		t.Errorf("the proxy's volumes are %q", proxy.Volumes)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s*ssl_certificate(?:_key)?\s+(\S+);`).FindAllSubmatch(text, -1) {
		if mounted[path.Dir(string(m[1]))] != "./tls" {
			t.Errorf("the proxy reads %s, which is not mounted", m[1])
		}
	}
	if !slices.Contains(proxy.Ports, "443:443") || len(proxy.Ports) != 1 {
		t.Errorf("the proxy's ports are %q", proxy.Ports)
	}
	for name, s := range c.Services {
		if name != "proxy" && len(s.Ports) > 0 {
			t.Errorf("%s can be reached past the proxy by %q", name, s.Ports)
		}
	}
}
