package main

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/skjold-exchange/skjold/config"
)

// composeFile is what the tests read of a Compose file.
type composeFile struct {
	Services map[string]struct {
		Image           string
		Build           map[string]string
		Command         []string
		Environment     map[string]string
		Volumes         []string
		DependsOn       map[string]struct{ Condition string } `yaml:"depends_on"`
		Healthcheck     map[string]any
		Ports           []string
		StopGracePeriod string `yaml:"stop_grace_period"`
		Networks        yaml.Node
	}
	Networks map[string]struct {
		IPAM struct {
			Config []struct{ Subnet string }
		}
	}
	Volumes map[string]any
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// substitute fills in ${NAME} and ${NAME:?message} as Compose does, with the values of the example file, or a word where
// that leaves them to the operator.
func substitute(t *testing.T, text string, example map[string]string) string {
	t.Helper()
	return regexp.MustCompile(`\$\{([A-Z_]+)(?::\?[^}]*)?\}`).ReplaceAllStringFunc(text, func(m string) string {
		name := regexp.MustCompile(`[A-Z_]+`).FindString(m)
		value, ok := example[name]
		if !ok {
			t.Errorf("deploy/hub.env.example has no %s, which deploy/compose.yaml uses", name)
		}
		return cmp.Or(value, "word")
	})
}

// exampleEnvironment reads deploy/hub.env.example.
func exampleEnvironment(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/hub.env.example")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			values[name] = value
		}
	}
	return values
}

// TestComposeFile holds the Compose file against the configuration, the image and the proxy's configuration.
func TestComposeFile(t *testing.T) {
	c, example := readCompose(t), exampleEnvironment(t)
	image, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := os.ReadFile("../../deploy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	var serving []string
	for name, s := range c.Services {
		for dependency := range s.DependsOn {
			if _, ok := c.Services[dependency]; !ok {
				t.Errorf("%s depends on %s, which is not a service", name, dependency)
			}
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if _, ok := c.Volumes[source]; !ok && !strings.HasPrefix(source, "./") {
				t.Errorf("%s mounts %s, which is not a volume", name, source)
			}
		}
		if s.Image != "skjold" {
			continue
		}
		serving = append(serving, name)
		if len(s.Command) > 0 {
			if code, _, errOut := runCLI(t.Context(), append(s.Command, "--help")...); code != exitDone {
				t.Errorf("%s runs %q: %s", name, s.Command, errOut)
			}
		}
		// The image's own settings, then the service's: all must be of the configuration and go together.
		env := []string{"SKJOLD_LISTEN=0.0.0.0:8080"}
		if !strings.Contains(string(image), env[0]) {
			t.Errorf("the image does not set %s", env[0])
		}
		for variable, value := range s.Environment {
			env = append(env, variable+"="+substitute(t, value, example))
		}
		file := filepath.Join(t.TempDir(), "skjold.yaml")
		if err := os.WriteFile(file, config.Example(), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(config.LoadOptions{File: file, Env: env})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if cfg.Database.URL == "" || len(cfg.Redis.Addresses) == 0 || !cfg.BehindProxy || len(cfg.TrustedProxies) == 0 {
			t.Errorf("%s is no process of a hub: %v", name, cfg)
		}
		if inside := c.Networks["inside"].IPAM.Config; len(inside) != 1 || !strings.Contains(string(mustMarshal(t, c.Services["proxy"].Networks)), cfg.TrustedProxies[0].Addr().String()) {
			t.Errorf("%s trusts %s, which is not the proxy's address", name, cfg.TrustedProxies[0])
		}
	}
	slices.Sort(serving)
	if len(serving) < 2 {
		t.Errorf("only %q serve", serving)
	}
	var upstream []string
	for _, m := range regexp.MustCompile(`(?m)^\s*server ([a-z0-9-]+):8080 `).FindAllSubmatch(proxy, -1) {
		upstream = append(upstream, string(m[1]))
	}
	if !slices.Equal(serving, upstream) {
		t.Errorf("the services are %q and the proxy passes requests to %q", serving, upstream)
	}
}

func mustMarshal(t *testing.T, n yaml.Node) []byte {
	t.Helper()
	text, err := yaml.Marshal(&n)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestProxyConfiguration lets nginx, where it is installed, read the proxy's configuration.
func TestProxyConfiguration(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	file := proxyConfiguration(t, newAuthority(t), "127.0.0.1:8443", map[string]string{"skjold-1": "127.0.0.1:8081", "skjold-2": "127.0.0.1:8082"})
	if out, err := exec.CommandContext(t.Context(), nginx, "-t", "-p", filepath.Dir(file), "-e", "stderr", "-c", file).CombinedOutput(); err != nil {
		t.Errorf("nginx -t: %v\n%s", err, out)
	}
}
