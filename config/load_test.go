package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
)

var ignoreOrigin = cmp.Options{cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateComparable(netip.Prefix{})}

// keyError returns the only KeyError that Load reports.
func keyError(t *testing.T, err error) *KeyError {
	t.Helper()
	var k *KeyError
	if !errors.As(err, &k) {
		t.Fatalf("got error %v, want a KeyError", err)
	}
	return k
}

func TestDefault(t *testing.T) {
	want := &Config{
		Entity: "http://127.0.0.1:8080", Listen: "127.0.0.1:8080", PublicURL: "http://127.0.0.1:8080",
		TrustedProxies: []netip.Prefix{}, Title: "Skjold", APIRoot: APIRoot{Name: "main", Title: "Main"},
		Limits: Limits{
			MaxContentLength: 32 * MiB, ObjectSize: 8 * MiB, ObjectDepth: 64, PageDefault: 1000, PageMax: 10000,
			HeaderSize: 64 * KiB, BodyTimeout: time.Minute, RequestTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
			MaxObjects: 50_000, RequestRate: 12_000, ByteRate: 8 * GiB, FailureRate: 600, IntroductionRate: 60, HeaderTimeout: 10 * time.Second,
			SendTimeout: 10 * time.Second, MinSendRate: 128 * KiB, MaxSending: 256 * MiB,
			FutureSkew: 24 * time.Hour,
		},
		Database:    Database{SlowQuery: 500 * time.Millisecond},
		Submissions: Submissions{SyncObjects: 5000, Pending: 64, PendingPerAccount: 8, PendingSize: GiB, PendingSizePerAccount: 256 * MiB},
		Log:         Log{Level: "info", Format: "auto"},
		Metrics:     Metrics{Clients: 200},
		Federation:  Federation{Enabled: true, PollInterval: time.Minute, PageSize: 1000, RevocationInterval: 5 * time.Minute, StatementLife: 24 * time.Hour},
		Cache:       Cache{Size: 128 * MiB},
	}
	if diff := cmp.Diff(want, Default(), ignoreOrigin); diff != "" {
		t.Errorf("Default (-want +got):\n%s", diff)
	}
	loaded, err := Load(LoadOptions{Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, loaded, ignoreOrigin); diff != "" {
		t.Errorf("Load of nothing (-want +got):\n%s", diff)
	}
}

// TestPrecedence sets a key of every type in every place, one more place at a time.
func TestPrecedence(t *testing.T) {
	for _, tt := range []struct{ key, file, env, flag, wantDefault, wantFile, wantEnv, wantFlag string }{
		{"title", `one`, `two`, `three`, "Skjold", "one", "two", "three"},
		{"federation.enabled", `false`, `true`, `false`, "true", "false", "true", "false"},
		{"limits.page_default", `7`, `8`, `9`, "1000", "7", "8", "9"},
		{"limits.object_size", `2048`, `1MiB`, `2 MiB`, "8MiB", "2KiB", "1MiB", "2MiB"},
		{"limits.future_skew", `1h`, `90m`, `2h`, "24h", "1h", "1h30m", "2h"},
		{"trusted_proxies", `[10.1.2.3/8]`, `10.0.0.0/16, 10.1.0.0/16`, `::1/128`, "[]", "[10.0.0.0/8]", "[10.0.0.0/16, 10.1.0.0/16]", "[::1/128]"},
		{"redis.addresses", `["a:1"]`, "c:3", "[e:5]", "[]", "[a:1]", "[c:3]", "[e:5]"},
		{"redis.password", "one", "two", "three", "", "xxxxx", "xxxxx", "xxxxx"},
		{"database.url", `postgres://a@db/x`, `postgres://b@db/x`, `postgres://c@db/x`, "", "postgres://a@db/x", "postgres://b@db/x", "postgres://c@db/x"},
	} {
		t.Run(tt.key, func(t *testing.T) {
			k, _ := keyNamed(tt.key)
			file := "behind_proxy: true\n"
			if section, name, ok := strings.Cut(tt.key, "."); ok {
				file += section + ":\n  " + name + ": " + tt.file + "\n"
			} else {
				file += tt.key + ": " + tt.file + "\n"
			}
			proxy := []string{"SKJOLD_BEHIND_PROXY=true"}
			given := LoadOptions{File: write(t, file), Env: append(proxy, k.variable+"="+tt.env), Flags: flagsWith(t, tt.key, tt.flag)}
			for _, step := range []struct {
				options      LoadOptions
				want, source string
			}{
				{LoadOptions{Env: proxy, Flags: flagsWith(t, tt.key)}, tt.wantDefault, "default"},
				{LoadOptions{Env: proxy, Flags: flagsWith(t, tt.key), File: given.File}, tt.wantFile, "file"},
				{LoadOptions{Env: given.Env, Flags: flagsWith(t, tt.key), File: given.File}, tt.wantEnv, "environment"},
				{given, tt.wantFlag, "flag"},
			} {
				c, err := Load(step.options)
				if err != nil {
					t.Fatal(err)
				}
				want := Setting{Key: tt.key, Value: step.want, Source: step.source}
				if diff := cmp.Diff(want, setting(t, c, tt.key)); diff != "" {
					t.Errorf("from the %s (-want +got):\n%s", step.source, diff)
				}
			}
		})
	}
}

// flagsWith declares the flag of a key and gives it the values.
func flagsWith(t *testing.T, key string, values ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("skjold", pflag.ContinueOnError)
	AddFlags(flags, key)
	k, _ := keyNamed(key)
	for _, v := range values {
		if err := flags.Parse([]string{"--" + k.flag + "=" + v}); err != nil {
			t.Fatal(err)
		}
	}
	return flags
}

func setting(t *testing.T, c *Config, key string) Setting {
	t.Helper()
	for _, s := range c.Redacted() {
		if s.Key == key {
			return s
		}
	}
	t.Fatalf("no setting %s", key)
	return Setting{}
}

// TestFileRefused: what is wrong in a file is reported with the full key.
func TestFileRefused(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"unknown key", "listn: a", "listn: not a key that Skjold knows; did you mean listen? (from the file)"},
		{"unknown key in a section", "limits:\n  page_maks: 5", "limits.page_maks: not a key that Skjold knows; did you mean limits.page_max? (from the file)"},
		{"no such section", "limit:\n  page_max: 5", "limit: not a key that Skjold knows; did you mean limits? (from the file)"},
		{"empty unknown section", "zzzzzzzzzz: {}", "zzzzzzzzzz: not a key that Skjold knows (from the file)"},
		{"section forgotten", "page_max: 5", "page_max: not a key that Skjold knows; did you mean limits.page_max? (from the file)"},
		{"capital", "Listen: 127.0.0.1:1", "Listen: not a key that Skjold knows; did you mean listen? (from the file)"},
		{"dots", "limits.page_max: 5", "limits.page_max: it is written with dots; write it as keys within each other (from the file)"},
		{"below a value", "listen: {port: 5}", "listen = map[port:5]: it is a section; want text, in quotes if it looks like something else (from the file)"},
		{"section with a value", "limits: 5", "limits: it is a number; want a section, with keys of its own below it (from the file)"},
		{"section with a number as a key", "limits: {1: 2}", "limits: it has a key that is not text (from the file)"},
		{"number for text", "title: 2027", "title = 2027: it is a number; want text, in quotes if it looks like something else (from the file)"},
		{"text for number", "limits: {page_max: many}", `limits.page_max = "many": want a whole number (from the file)`},
		{"fraction", "limits: {page_max: 1.5}", "limits.page_max = 1.5: it is a number; want a whole number (from the file)"},
		{"yes", "behind_proxy: yes", `behind_proxy = "yes": want true or false (from the file)`},
		{"duration without unit", "limits: {body_timeout: 60}", "limits.body_timeout = 60: it is a number; want a duration such as 90s, 15m or 24h (from the file)"},
		{"size", "limits: {object_size: 1MB}", `limits.object_size = "1MB": want a size such as 512KiB, 32MiB or 1GiB (from the file)`},
		{"negative size", "limits: {object_size: -1}", `limits.object_size = -1: it is a number; want a size such as 512KiB, 32MiB or 1GiB (from the file)`},
		{"network", "trusted_proxies: [10.0.0.1]", `trusted_proxies = [10.0.0.1]: it has "10.0.0.1", which is not a network; want a list of networks such as [10.0.0.0/24, 2001:db8::/64] (from the file)`},
		{"secret of a wrong type", "database: {url: [hunter2]}", "database.url: it is a list; want text, in quotes if it looks like something else (from the file)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(LoadOptions{File: write(t, tt.file), Env: []string{}})
			if got := keyError(t, err).Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCorruptFile(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"bad YAML", "title: a\nlisten: [\n", "line 2"},
		{"tab", "limits:\n\tpage_max: 5\n", "line 2"},
		{"a list", "- a\n", "not valid YAML"},
		{"twice the same key", "title: a\ntitle: b\n", `"title" already defined at line 1`},
		{"second document", "---\ntitle: a\n---\nlisten: b\n", "line 3 begins a second YAML document"},
		{"too large", "# " + strings.Repeat("x", maxFileSize), "larger than 1MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.file)
			_, err := Load(LoadOptions{File: path, Env: []string{}})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want an error with %q and the file's path", err, tt.want)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load(LoadOptions{File: filepath.Join(t.TempDir(), "none.yaml"), Env: []string{}})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestEnvironment(t *testing.T) {
	for _, tt := range []struct{ name, env, want string }{
		{"unknown", "SKJOLD_LISTN=x", "SKJOLD_LISTN: not a variable that Skjold knows; did you mean SKJOLD_LISTEN? (from the environment)"},
		{"unknown, empty", "SKJOLD_LISTN=", ""},
		{"section", "SKJOLD_LIMITS=x", "SKJOLD_LIMITS: not a variable that Skjold knows (from the environment)"},
		{"wrong type", "SKJOLD_LIMITS_PAGE_MAX=x", `limits.page_max = "x": want a whole number (environment variable SKJOLD_LIMITS_PAGE_MAX)`},
		{"out of range", "SKJOLD_LIMITS_PAGE_MAX=0", "limits.page_max = 0: want 1 to 100000 (environment variable SKJOLD_LIMITS_PAGE_MAX)"},
		{"a port that is one", "SKJOLD_PORT=8080", "SKJOLD_PORT: not a variable that Skjold knows (from the environment)"},
		{"commands", "SKJOLD_DATA=/srv", ""},
		{"client commands", "SKJOLD_PASSWORD=hunter2", ""},
		{"tests", "SKJOLD_TEST_REDIS_URL=redis://h", ""},
		{"Kubernetes", "SKJOLD_PORT=tcp://10.0.0.1:80", ""},
		{"Kubernetes, long", "SKJOLD_PORT_80_TCP_ADDR=10.0.0.1", ""},
		{"empty", "SKJOLD_LISTEN=", ""},
		{"another program's", "OTHER_LISTEN=x", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(LoadOptions{Env: []string{tt.env}})
			if tt.want == "" {
				if err != nil || c.Listen != "127.0.0.1:8080" {
					t.Errorf("got %v, want it to change nothing", err)
				}
				return
			}
			if got := keyError(t, err).Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestProcessEnvironment: without Env, that of the process counts.
func TestProcessEnvironment(t *testing.T) {
	t.Setenv("SKJOLD_TITLE", "from the process")
	c, err := Load(LoadOptions{})
	if err != nil || c.Title != "from the process" {
		t.Errorf("got %v, %v", c, err)
	}
}

// TestAllProblems: an operator sees everything that is wrong at once.
func TestAllProblems(t *testing.T) {
	_, err := Load(LoadOptions{File: write(t, "title: \"\"\nlog: {level: loud, format: xml}\nlimits: {page_max: 0}\n"), Env: []string{}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{"title", "log.level", "log.format", "limits.page_max"} {
		if !strings.Contains(err.Error(), key+" = ") {
			t.Errorf("%s is not among the problems:\n%v", key, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "listen: a", "limits:\n", "limits: {page_max: 5}", "a: &a [*a]", "? [x]\n: y", "1: 2", "~: ~", "<<: {title: x}", "%YAML 1.2\n---\n", string(Example())} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := parseFile(data)
		if err != nil {
			return
		}
		for name := range values {
			if _, ok := keyNamed(name); !ok {
				t.Errorf("the unknown key %q was accepted", name)
			}
		}
	})
}
