package config

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestValidate changes one thing of a good configuration; key is what the error must name, "" for none.
func TestValidate(t *testing.T) {
	longPath := "https://a.example/" + strings.Repeat("x", 255)
	for _, tt := range []struct {
		name, key string
		change    func(*Config)
	}{
		{"default", "", func(c *Config) {}},

		{"entity with a path", "", func(c *Config) { c.Entity = "https://a.example/skjold" }},
		{"entity with a port", "", func(c *Config) { c.Entity = "https://a.example:8443" }},
		{"entity empty", "entity", func(c *Config) { c.Entity = "" }},
		{"entity relative", "entity", func(c *Config) { c.Entity = "a.example" }},
		{"entity without host", "entity", func(c *Config) { c.Entity = "https:///x" }},
		{"entity in capitals", "entity", func(c *Config) { c.Entity = "https://A.example" }},
		{"entity scheme in capitals", "entity", func(c *Config) { c.Entity = "HTTPS://a.example" }},
		{"entity with a slash", "entity", func(c *Config) { c.Entity = "https://a.example/" }},
		{"entity with a query", "entity", func(c *Config) { c.Entity = "https://a.example?x" }},
		{"entity with an empty query", "entity", func(c *Config) { c.Entity = "https://a.example?" }},
		{"entity with a fragment", "entity", func(c *Config) { c.Entity = "https://a.example#" }},
		{"entity with a user", "entity", func(c *Config) { c.Entity = "https://u@a.example" }},
		{"entity with the default port", "entity", func(c *Config) { c.Entity = "https://a.example:443" }},
		{"entity with an empty port", "entity", func(c *Config) { c.Entity = "https://a.example:" }},
		{"entity too long", "entity", func(c *Config) { c.Entity = longPath }},
		{"entity not ASCII", "entity", func(c *Config) { c.Entity = "https://køge.example" }},
		{"entity plain http", "entity", func(c *Config) { c.Entity = "http://a.example:80" }},
		{"entity http without port", "entity", func(c *Config) { c.Entity = "http://127.0.0.1" }},
		{"entity http on the standard port", "entity", func(c *Config) { c.Entity = "http://127.0.0.1:80" }},
		{"entity http with a path", "entity", func(c *Config) { c.Entity = "http://127.0.0.1:8080/a" }},
		{"entity gopher", "entity", func(c *Config) { c.Entity = "gopher://a.example" }},

		{"public_url http", "", func(c *Config) { c.PublicURL = "http://intranet:8080/ti" }},
		{"public_url empty", "public_url", func(c *Config) { c.PublicURL, c.origin["public_url"] = "", "file" }},
		{"public_url with a slash", "public_url", func(c *Config) { c.PublicURL, c.origin["public_url"] = "https://a.example/", "file" }},
		{"public_url with a password", "public_url", func(c *Config) { c.PublicURL, c.origin["public_url"] = "https://u:p@a.example", "file" }},
		{"public_url with a wrong port", "public_url", func(c *Config) { c.PublicURL, c.origin["public_url"] = "https://a.example:99999", "file" }},

		{"listen on IPv6 loopback", "", func(c *Config) { c.Listen = "[::1]:1" }},
		{"listen on localhost", "", func(c *Config) { c.Listen = "localhost:1" }},
		{"listen without port", "listen", func(c *Config) { c.Listen = "127.0.0.1" }},
		{"listen on a service name", "listen", func(c *Config) { c.Listen = "127.0.0.1:http" }},
		{"listen on port 65536", "listen", func(c *Config) { c.Listen = "127.0.0.1:65536" }},
		{"listen on port 080", "listen", func(c *Config) { c.Listen = "127.0.0.1:080" }},
		{"listen on nonsense", "listen", func(c *Config) { c.Listen = "a b:80" }},
		{"plain http for others", "listen", func(c *Config) { c.Listen = "192.0.2.1:80" }},
		{"plain http for all", "listen", func(c *Config) { c.Listen = ":80" }},
		{"plain http for all, IPv6", "listen", func(c *Config) { c.Listen = "[::]:80" }},
		{"plain http on a name", "listen", func(c *Config) { c.Listen = "a.example:80" }},
		{"behind a proxy", "", func(c *Config) { c.Listen, c.BehindProxy = ":8080", true }},
		{"with TLS", "", func(c *Config) {
			c.Listen, c.TLS = ":443", TLS{CertFile: "c.pem", KeyFile: "k.pem"}
			c.Entity, c.origin["entity"] = "https://a.example", "file"
		}},
		{"TLS without a name", "entity", func(c *Config) { c.TLS = TLS{CertFile: "c.pem", KeyFile: "k.pem"} }},
		{"certificate without key", "tls.key_file", func(c *Config) {
			c.TLS = TLS{CertFile: "c.pem"}
			c.Entity, c.origin["entity"] = "https://a.example", "file"
		}},
		{"client certificates without TLS", "tls.client_ca_file", func(c *Config) { c.TLS = TLS{ClientCAFile: "ca.pem"} }},
		{"key without certificate", "tls.cert_file", func(c *Config) { c.TLS = TLS{KeyFile: "k.pem"} }},

		{"proxies", "", func(c *Config) {
			c.BehindProxy, c.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}},
		{"proxies, not behind one", "trusted_proxies", func(c *Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}},
		{"the internet as a proxy", "trusted_proxies", func(c *Config) {
			c.BehindProxy, c.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("::/0")}
		}},

		{"no title", "title", func(c *Config) { c.Title = " " }},
		{"no API root title", "api_root.title", func(c *Config) { c.APIRoot.Title = "" }},
		{"contact of two lines", "contact", func(c *Config) { c.Contact = "a\nb" }},
		{"escape in a description", "description", func(c *Config) { c.Description = "\x1b[31m" }},
		{"endless description", "api_root.description", func(c *Config) { c.APIRoot.Description = strings.Repeat("x", maxText+1) }},
		{"API root name", "", func(c *Config) { c.APIRoot.Name = "a-1" }},
		{"no API root name", "api_root.name", func(c *Config) { c.APIRoot.Name = "" }},
		{"API root name with a slash", "api_root.name", func(c *Config) { c.APIRoot.Name = "a/b" }},
		{"API root name of dots", "api_root.name", func(c *Config) { c.APIRoot.Name = ".." }},
		{"API root name that ends in a hyphen", "api_root.name", func(c *Config) { c.APIRoot.Name = "a-" }},
		{"API root name of 65", "api_root.name", func(c *Config) { c.APIRoot.Name = strings.Repeat("a", 65) }},

		{"several database hosts", "", func(c *Config) { c.Database.URL = "postgresql://u:p@a:1,b:2/d" }},
		{"another database", "database.url", func(c *Config) { c.Database.URL = "mysql://u:hunter2@a/d" }},
		{"a database path", "database.url", func(c *Config) { c.Database.URL = "/var/lib/hunter2.db" }},

		{"body of 1KiB", "", func(c *Config) { c.Limits.MaxContentLength, c.Limits.ObjectSize = KiB, KiB }},
		{"body too small", "limits.max_content_length", func(c *Config) { c.Limits.MaxContentLength, c.Limits.ObjectSize = KiB-1, KiB }},
		{"no submission is pending", "submissions.pending", func(c *Config) { c.Submissions.Pending, c.Submissions.PendingPerAccount = 0, 1 }},
		{"an account has more than all", "submissions.pending_per_account", func(c *Config) { c.Submissions.PendingPerAccount = 65 }},
		{"an account has more octets than all", "submissions.pending_size_per_account", func(c *Config) { c.Submissions.PendingSizePerAccount = 2 * GiB }},
		{"no submission at once", "submissions.sync_objects", func(c *Config) { c.Submissions.SyncObjects = 0 }},
		{"body too large", "limits.max_content_length", func(c *Config) { c.Limits.MaxContentLength = GiB + 1 }},
		{"object larger than the body", "limits.object_size", func(c *Config) { c.Limits.ObjectSize = c.Limits.MaxContentLength + 1 }},
		{"few objects", "limits.max_objects", func(c *Config) { c.Limits.MaxObjects = 999 }},
		{"no rates", "", func(c *Config) { c.Limits.RequestRate, c.Limits.ByteRate, c.Limits.FailureRate = 0, 0, 0 }},
		{"negative rate", "limits.request_rate", func(c *Config) { c.Limits.RequestRate = -1 }},
		{"hardly a byte", "limits.byte_rate", func(c *Config) { c.Limits.ByteRate = MiB - 1 }},
		{"endless failures", "limits.failure_rate", func(c *Config) { c.Limits.FailureRate = 100_001 }},
		{"no time for headers", "limits.header_timeout", func(c *Config) { c.Limits.HeaderTimeout = 0 }},
		{"no time to receive", "limits.send_timeout", func(c *Config) { c.Limits.SendTimeout = 0 }},
		{"modem", "limits.min_send_rate", func(c *Config) { c.Limits.MinSendRate = KiB - 1 }},
		{"memory by itself", "", func(c *Config) { c.Memory.SoftLimit = 0 }},
		{"little memory", "memory.soft_limit", func(c *Config) { c.Memory.SoftLimit = 128*MiB - 1 }},
		{"room for the largest body", "", func(c *Config) { c.Limits.MaxReceiving = 4 * c.Limits.MaxContentLength }},
		{"no room for the largest body", "limits.max_receiving", func(c *Config) { c.Limits.MaxReceiving = 4*c.Limits.MaxContentLength - 1 }},
		{"no room for a page", "limits.max_sending", func(c *Config) { c.Limits.MaxSending = MiB }},
		{"object too flat", "limits.object_depth", func(c *Config) { c.Limits.ObjectDepth = 7 }},
		{"object too deep", "limits.object_depth", func(c *Config) { c.Limits.ObjectDepth = 1001 }},
		{"default page larger than the largest", "limits.page_default", func(c *Config) { c.Limits.PageDefault = c.Limits.PageMax + 1 }},
		{"no page", "limits.page_default", func(c *Config) { c.Limits.PageDefault = 0 }},
		{"too many clients in the metrics", "metrics.clients", func(c *Config) { c.Metrics.Clients = 10_001 }},
		{"page too large", "limits.page_max", func(c *Config) { c.Limits.PageMax = 100_001 }},
		{"headers too small", "limits.header_size", func(c *Config) { c.Limits.HeaderSize = 4*KiB - 1 }},
		{"no time for bodies", "limits.body_timeout", func(c *Config) { c.Limits.BodyTimeout = 0 }},
		{"endless requests", "limits.request_timeout", func(c *Config) { c.Limits.RequestTimeout = time.Hour + 1 }},
		{"negative idle time", "limits.idle_timeout", func(c *Config) { c.Limits.IdleTimeout = -time.Second }},
		{"no skew", "", func(c *Config) { c.Limits.FutureSkew = 0 }},
		{"negative skew", "limits.future_skew", func(c *Config) { c.Limits.FutureSkew = -1 }},

		{"level in capitals", "log.level", func(c *Config) { c.Log.Level = "INFO" }},
		{"unknown format", "log.format", func(c *Config) { c.Log.Format = "xml" }},

		{"polling all the time", "federation.poll_interval", func(c *Config) { c.Federation.PollInterval = 0 }},
		{"a charter that is no hash", "federation.charter", func(c *Config) { c.Federation.Charter = "ours" }},
		{"lists that are asked for too seldom", "federation.revocation_interval", func(c *Config) { c.Federation.RevocationInterval = 5*time.Minute + 1 }},
		{"lists without a pause", "federation.revocation_interval", func(c *Config) { c.Federation.RevocationInterval = 0 }},
		{"statements longer than a day", "federation.statement_life", func(c *Config) { c.Federation.StatementLife = 24*time.Hour + 1 }},
		{"statements too short to be renewed", "federation.statement_life", func(c *Config) { c.Federation.StatementLife = 9 * time.Second }},
		{"empty pulls", "federation.page_size", func(c *Config) { c.Federation.PageSize = 0 }},

		{"metrics of their own", "", func(c *Config) { c.Metrics.Listen = "127.0.0.1:9090" }},
		{"metrics nowhere", "metrics.listen", func(c *Config) { c.Metrics.Listen = "9090" }},
		{"metrics on the same address", "metrics.listen", func(c *Config) { c.Metrics.Listen = c.Listen }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			tt.change(c)
			err := c.Validate()
			if tt.key == "" {
				if err != nil {
					t.Errorf("got %v, want it accepted", err)
				}
				return
			}
			if k := keyError(t, err); k.Key != tt.key {
				t.Errorf("got %v, want an error of %s", err, tt.key)
			}
			if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 1 {
				t.Errorf("got %v, want one problem", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// TestSetPort: with port 0 the node's name waits for the port.
func TestSetPort(t *testing.T) {
	for _, tt := range []struct{ name, listen, entity, wantListen, wantEntity, wantURL string }{
		{"derived", "127.0.0.1:0", "", "127.0.0.1:4711", "http://127.0.0.1:4711", "http://127.0.0.1:4711"},
		{"named", "127.0.0.1:0", "https://a.example", "127.0.0.1:4711", "https://a.example", "https://a.example"},
		{"has a port", "127.0.0.1:81", "", "127.0.0.1:81", "http://127.0.0.1:81", "http://127.0.0.1:81"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(LoadOptions{Env: []string{"SKJOLD_LISTEN=" + tt.listen, "SKJOLD_ENTITY=" + tt.entity}})
			if err != nil {
				t.Fatal(err)
			}
			c.SetPort(4711)
			if c.Listen != tt.wantListen || c.Entity != tt.wantEntity || c.PublicURL != tt.wantURL {
				t.Errorf("got listen %s, entity %s, public_url %s", c.Listen, c.Entity, c.PublicURL)
			}
			if err := c.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDerivedProblems: a value that follows from a wrong one is not reported beside it.
func TestDerivedProblems(t *testing.T) {
	for _, tt := range []struct{ env, want string }{
		{"SKJOLD_ENTITY=https://a.example/", `entity = "https://a.example/": want an absolute URL such as ` +
			`https://skjold.example.dk: lower-case host, no user name, query, fragment, standard port or slash at the end; ` +
			`http only for 127.0.0.1:PORT (environment variable SKJOLD_ENTITY)`},
		{"SKJOLD_LISTEN=127.0.0.1:80", `entity = "http://127.0.0.1:80": want an absolute URL such as ` +
			`https://skjold.example.dk: lower-case host, no user name, query, fragment, standard port or slash at the end; ` +
			`http only for 127.0.0.1:PORT (it follows from listen unless you set it)`},
		{"SKJOLD_LISTEN=8080", `listen = "8080": want HOST:PORT with an IP address or a name, such as 127.0.0.1:8080 ` +
			`(environment variable SKJOLD_LISTEN)`},
	} {
		if _, err := Load(LoadOptions{Env: []string{tt.env}}); err == nil || err.Error() != tt.want {
			t.Errorf("%s:\n got %v\nwant %s", tt.env, err, tt.want)
		}
	}
}

// TestZeroConfig: a Config that nobody filled in is refused, not a panic.
func TestZeroConfig(t *testing.T) {
	var k *KeyError
	if err := new(Config).Validate(); !errors.As(err, &k) {
		t.Errorf("got %v", err)
	}
}
