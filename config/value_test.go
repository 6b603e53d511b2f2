package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func TestParseByteSize(t *testing.T) {
	for _, tt := range []struct {
		text, back string
		want       ByteSize
	}{
		{"0", "0B", 0}, {"1", "1B", 1}, {"512B", "512B", 512}, {"1024", "1KiB", KiB}, {"64KiB", "64KiB", 64 * KiB},
		{"32 MiB", "32MiB", 32 * MiB}, {"1536KiB", "1536KiB", 1536 * KiB}, {"3GiB", "3GiB", 3 * GiB},
		{"9223372036854775807", "9223372036854775807B", 1<<63 - 1},
	} {
		got, err := ParseByteSize(tt.text)
		if err != nil || got != tt.want || got.String() != tt.back {
			t.Errorf("%q: got %d (%v), %v", tt.text, int64(got), got, err)
		}
	}
	for _, text := range []string{"", "B", "MiB", "-1", "+1", "1.5MiB", "1MB", "1mib", "1 k", "9223372036854775808", "9007199254740992GiB", "1GiBKiB"} {
		if got, err := ParseByteSize(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func FuzzParseByteSize(f *testing.F) {
	for _, s := range []string{"1", "32MiB", "8589934591GiB", "-0", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		size, err := ParseByteSize(s)
		if err != nil {
			return
		}
		if back, err := ParseByteSize(size.String()); size < 0 || err != nil || back != size {
			t.Errorf("%q: %d is written as %v and read as %d, %v", s, int64(size), size, int64(back), err)
		}
	})
}

func TestSecretURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"", ""},
		{"postgres://db/skjold", "postgres://db/skjold"},
		{"postgres://skjold@db:5432/skjold?sslmode=require", "postgres://skjold@db:5432/skjold?sslmode=require"},
		{"postgres://skjold:hunter2@db/skjold", "postgres://skjold:xxxxx@db/skjold"},
		{"postgres://db/skjold?password=hunter2&sslmode=require", "postgres://db/skjold?password=xxxxx&sslmode=require"},
		{"postgres://db/skjold?SSLPassword=hunter2", "postgres://db/skjold?SSLPassword=xxxxx"},
		{"postgres://db/skjold?%zz=hunter2", "postgres://db/skjold"},
		{"postgres://db/skjold#hunter2", "postgres://db/skjold"},
		{"postgres:///skjold?host=/run/postgresql&password=hunter2", "postgres:///skjold?host=%2Frun%2Fpostgresql&password=xxxxx"},
		{"postgres:hunter2", "(not shown)"},
		{"hunter2", "(not shown)"},
		{"postgres://u:hunter2@[db", "(not shown)"},
	} {
		if got := SecretURL(tt.url).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.url, got, tt.want)
		}
	}
}

// TestSecretsStayHidden prints a configuration in every way that a careless line of code might.
func TestSecretsStayHidden(t *testing.T) {
	c, err := Load(LoadOptions{Env: []string{"SKJOLD_DATABASE_URL=postgres://skjold:hunter2@db/skjold"}})
	if err != nil {
		t.Fatal(err)
	}
	if string(c.Database.URL) != "postgres://skjold:hunter2@db/skjold" {
		t.Errorf("the driver would get %q", string(c.Database.URL))
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("start", "config", c, "url", c.Database.URL)
	slog.New(slog.NewTextHandler(&out, nil)).Info("start", "config", *c, "database", c.Database)
	fmt.Fprintf(&out, "%v %+v %#v %s\n", *c, *c, *c, c.Database)
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Redacted() {
		fmt.Fprintln(&out, s)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the password is in the output:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "database.url=postgres://skjold:xxxxx@db/skjold (environment)") {
		t.Errorf("the masked setting is not in the output:\n%s", out.String())
	}
}

func TestRedacted(t *testing.T) {
	c, err := Load(LoadOptions{
		File: write(t, "log: {level: debug}\nlimits: {future_skew: 90s}\n"), Env: []string{"SKJOLD_LISTEN=127.0.0.1:9"},
		Flags: flagsWith(t, "metrics.public", "true"),
	})
	if err != nil {
		t.Fatal(err)
	}
	settings := c.Redacted()
	if !slices.IsSortedFunc(settings, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) }) || len(settings) != len(keys) {
		t.Errorf("%d settings of %d, or not sorted: %v", len(settings), len(keys), settings)
	}
	var changed []string
	for _, s := range settings {
		if s.Source != "default" {
			changed = append(changed, s.String())
		}
	}
	want := []string{
		"entity=http://127.0.0.1:9 (derived)", "limits.future_skew=1m30s (file)", "listen=127.0.0.1:9 (environment)",
		"log.level=debug (file)", "metrics.public=true (flag)", "public_url=http://127.0.0.1:9 (derived)",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("settings that are not defaults (-want +got):\n%s", diff)
	}
}

// TestNames: a variable and a flag each belong to one key, and no key has a variable of the commands.
func TestNames(t *testing.T) {
	seen := map[string]string{}
	for _, k := range keys {
		for _, name := range []string{k.variable, "--" + k.flag} {
			if other := seen[name]; other != "" {
				t.Errorf("%s is both %s and %s", name, k.name, other)
			}
			seen[name] = k.name
		}
		if notOurs(k.variable, "") {
			t.Errorf("%s belongs to the commands, so %s cannot be set in the environment", k.variable, k.name)
		}
	}
}

func TestFlags(t *testing.T) {
	flags := pflag.NewFlagSet("skjold", pflag.ContinueOnError)
	AddFlags(flags, "listen", "behind_proxy", "limits.object_size", "database.url")
	title := flags.String("title", "", "the command's own")
	if err := flags.Parse([]string{"--behind-proxy", "--title", "mine", "--listen", ":81"}); err != nil {
		t.Fatal(err)
	}
	c, err := Load(LoadOptions{Flags: flags, Env: []string{"SKJOLD_BEHIND_PROXY=false"}})
	if err != nil {
		t.Fatal(err)
	}
	if !c.BehindProxy || c.Listen != ":81" || c.Title != "Skjold" || *title != "mine" {
		t.Errorf("got behind_proxy %v, listen %s, title %s", c.BehindProxy, c.Listen, c.Title)
	}
	usages := map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) { usages[f.Name] = f.Usage })
	want := map[string]string{
		"listen":             "the address that the node serves TAXII on, HOST:PORT",
		"behind-proxy":       "says that a reverse proxy in front of the node ends TLS, so that plain HTTP may be served on an address that other machines reach",
		"limits-object-size": "the largest single STIX object that is accepted, 1KiB up to max_content_length",
		"database-url":       "a PostgreSQL database, postgres://USER:PASSWORD@HOST/NAME, for a hub that runs several serve processes",
		"title":              "the command's own",
	}
	if diff := cmp.Diff(want, usages); diff != "" {
		t.Errorf("usage of the flags (-want +got):\n%s", diff)
	}
	for _, args := range [][]string{{"--behind-proxy=maybe"}, {"--limits-object-size=big"}} {
		if err := flags.Parse(args); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

func TestNearest(t *testing.T) {
	for typed, want := range map[string]string{
		"listen": "listen", "lsiten": "listen", "pubic_url": "public_url", "page_max": "limits.page_max",
		"database.uri": "database.url", "limits.max_content_lenght": "limits.max_content_length",
		"zzzzzz": "", "": "", strings.Repeat("x", 200): "",
	} {
		if got := nearest(typed, keyNames()); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}
