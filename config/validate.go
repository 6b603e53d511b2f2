package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxText bounds the texts that discovery tells everybody, in bytes.
const maxText = 4096

// Validate checks every value and how they fit together. The error lists all problems, one KeyError a line.
func (c *Config) Validate() error {
	v := validation{config: c}
	// Without a port in listen there is nothing to derive from, yet or until listen is mended.
	underived := c.port() == "0" || !isAddress(c.Listen)
	v.check("entity", c.Entity == "" && underived || isEntity(c.Entity),
		"want an absolute URL such as https://skjold.example.dk: lower-case host, no user name, query, fragment, standard "+
			"port or slash at the end; http only for 127.0.0.1:PORT")
	v.check("listen", isAddress(c.Listen), "want HOST:PORT with an IP address or a name, such as 127.0.0.1:8080")
	v.check("public_url", c.origin["public_url"] == derived || c.PublicURL == "" && underived || isBaseURL(c.PublicURL),
		"want an absolute http or https URL without user name, query, fragment or slash at the end")
	v.check("database.url", isPostgresURL(c.Database.URL),
		"want a PostgreSQL URL, postgres://USER:PASSWORD@HOST/NAME, or nothing for SQLite (the value is not shown)")
	v.check("api_root.name", apiRootName.MatchString(c.APIRoot.Name),
		"want 1 to 64 lower-case letters, digits and hyphens, neither first nor last a hyphen")
	v.check("federation.charter", c.Federation.Charter == "" || hash.MatchString(c.Federation.Charter),
		"want the hash of the founding charter, 43 characters of base64url such as 'skjold federation charter show' prints")
	v.check("federation.superiors", len(c.Federation.Superiors) <= 3 && !slices.ContainsFunc(c.Federation.Superiors, func(s string) bool { return !isEntity(s) }),
		"want at most three entities, each an absolute URL such as https://hub.example.dk")
	v.check("federation.superiors", len(c.Federation.Superiors) == 0 || c.Federation.Charter != "", "it has no effect without federation.charter")
	v.check("federation.hosted_by", c.Federation.HostedBy == "" || slices.Contains(c.Federation.Superiors, c.Federation.HostedBy),
		"want one of federation.superiors")
	v.choices()
	v.texts()
	v.transport()
	v.redis()
	v.ranges()
	return errors.Join(v.problems...)
}

type validation struct {
	config   *Config
	problems []error
}

// check notes a problem with a key's value unless ok.
func (v *validation) check(name string, ok bool, want string) {
	if ok {
		return
	}
	k, known := keyNamed(name)
	if !known {
		panic("config: no key " + name)
	}
	value := k.in(v.config).Interface()
	if _, isText := value.(string); !isText {
		value = bare(k.text(v.config))
	}
	v.problems = append(v.problems, v.config.problem(k, value, want))
}

// bare is a text that valueText writes without quotes.
type bare string

// choices checks the keys with a fixed set of values.
func (v *validation) choices() {
	for _, k := range keys {
		if len(k.oneof) > 0 {
			v.check(k.name, slices.Contains(k.oneof, k.in(v.config).String()), "want one of "+strings.Join(k.oneof, ", "))
		}
	}
}

// texts checks what people read in TAXII discovery: one line each, and a title where the standard requires one (§4.1.1,
// §4.2.1).
func (v *validation) texts() {
	for _, t := range []struct {
		name, value string
		required    bool
	}{
		{"title", v.config.Title, true},
		{"description", v.config.Description, false},
		{"contact", v.config.Contact, false},
		{"api_root.title", v.config.APIRoot.Title, true},
		{"api_root.description", v.config.APIRoot.Description, false},
	} {
		v.check(t.name, len(t.value) <= maxText && !strings.ContainsFunc(t.value, unicode.IsControl),
			fmt.Sprintf("want at most %d bytes on one line, without control characters", maxText))
		v.check(t.name, !t.required || strings.TrimSpace(t.value) != "", "want a title; TAXII requires one")
	}
}

// transport holds the rule that nothing that other machines reach is served unencrypted.
func (v *validation) transport() {
	c := v.config
	hasCert, hasKey := c.TLS.CertFile != "", c.TLS.KeyFile != ""
	v.check("tls.key_file", !hasCert || hasKey, "want the private key of tls.cert_file")
	v.check("tls.cert_file", hasCert || !hasKey, "want the certificate of tls.key_file")
	v.check("tls.client_ca_file", hasCert || c.TLS.ClientCAFile == "", "it has no effect without tls.cert_file: a proxy that "+
		"ends TLS can't pass a client's certificate on")
	v.check("entity", !hasCert || c.origin["entity"] != derived,
		"want the https URL that the certificate of tls.cert_file is for")
	if isAddress(c.Listen) && !hasCert && !c.BehindProxy {
		v.check("listen", isLoopback(c.Listen), "other machines reach this address and would send their passwords "+
			"unencrypted; set tls.cert_file and tls.key_file, or behind_proxy: true where a proxy in front ends TLS, or listen "+
			"on 127.0.0.1")
	}
	v.check("trusted_proxies", c.BehindProxy || len(c.TrustedProxies) == 0, "it has no effect without behind_proxy: true")
	v.check("trusted_proxies", !slices.ContainsFunc(c.TrustedProxies, func(p netip.Prefix) bool { return p.Bits() == 0 }),
		"want the proxies' own networks; with the whole internet in the list everybody could pretend any address")
	if c.Metrics.Listen != "" {
		v.check("metrics.listen", isAddress(c.Metrics.Listen), "want HOST:PORT, such as 127.0.0.1:9090, or nothing")
		v.check("metrics.listen", c.Metrics.Listen != c.Listen || c.port() == "0",
			"want another address than listen, or nothing to have /metrics there")
	}
}

// ranges checks the keys that are amounts.
func (v *validation) ranges() {
	l, f := v.config.Limits, v.config.Federation
	between(v, "limits.max_content_length", l.MaxContentLength, KiB, GiB)
	between(v, "limits.object_size", l.ObjectSize, KiB, max(KiB, l.MaxContentLength))
	between(v, "limits.max_objects", l.MaxObjects, 1000, 1_000_000)
	between(v, "limits.object_depth", l.ObjectDepth, 8, 1000)
	between(v, "limits.request_rate", l.RequestRate, 0, 1_000_000)
	if l.ByteRate != 0 {
		between(v, "limits.byte_rate", l.ByteRate, MiB, 1024*GiB)
	}
	between(v, "limits.failure_rate", l.FailureRate, 0, 100_000)
	between(v, "limits.introduction_rate", l.IntroductionRate, 0, 100_000)
	between(v, "limits.header_timeout", l.HeaderTimeout, time.Second, 5*time.Minute)
	between(v, "limits.send_timeout", l.SendTimeout, time.Second, time.Hour)
	between(v, "limits.min_send_rate", l.MinSendRate, KiB, GiB)
	if l.MaxReceiving != 0 {
		between(v, "limits.max_receiving", l.MaxReceiving, 4*l.MaxContentLength, 1024*GiB)
	}
	between(v, "limits.max_sending", l.MaxSending, 64*MiB, 1024*GiB)
	between(v, "limits.page_max", l.PageMax, 1, 100_000)
	between(v, "limits.page_default", l.PageDefault, 1, max(1, l.PageMax))
	between(v, "limits.header_size", l.HeaderSize, 4*KiB, MiB)
	between(v, "limits.body_timeout", l.BodyTimeout, time.Second, time.Hour)
	between(v, "limits.request_timeout", l.RequestTimeout, time.Second, time.Hour)
	between(v, "limits.idle_timeout", l.IdleTimeout, time.Second, time.Hour)
	between(v, "limits.future_skew", l.FutureSkew, 0, 720*time.Hour)
	between(v, "metrics.clients", v.config.Metrics.Clients, 0, 10_000)
	s := v.config.Submissions
	between(v, "database.slow_query", v.config.Database.SlowQuery, 0, time.Hour)
	between(v, "submissions.sync_objects", s.SyncObjects, 1, 1_000_000)
	between(v, "submissions.pending", s.Pending, 1, 10_000)
	between(v, "submissions.pending_per_account", s.PendingPerAccount, 1, max(1, s.Pending))
	between(v, "submissions.pending_size", s.PendingSize, MiB, 1024*GiB)
	between(v, "submissions.pending_size_per_account", s.PendingSizePerAccount, MiB, max(MiB, s.PendingSize))
	between(v, "cache.size", v.config.Cache.Size, MiB, 1024*GiB)
	if v.config.Memory.SoftLimit != 0 {
		between(v, "memory.soft_limit", v.config.Memory.SoftLimit, 128*MiB, 1024*GiB)
	}
	between(v, "redis.database", v.config.Redis.Database, 0, 1_000_000)
	between(v, "federation.poll_interval", f.PollInterval, 100*time.Millisecond, 24*time.Hour)
	between(v, "federation.revocation_interval", f.RevocationInterval, time.Second, 5*time.Minute)
	between(v, "federation.statement_life", f.StatementLife, 10*time.Second, 24*time.Hour)
	between(v, "federation.page_size", f.PageSize, 1, 10_000)
}

func between[T cmp.Ordered](v *validation, name string, value, low, high T) {
	text := func(t T) string {
		if d, ok := any(t).(time.Duration); ok {
			return durationText(d)
		}
		return fmt.Sprint(t)
	}
	v.check(name, low <= value && value <= high, "want "+text(low)+" to "+text(high))
}

// hash is a SHA-256 in base64url.
var hash = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

var apiRootName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

// isEntity is the form that a federation admits (OpenID Federation 1.0 §1.2, narrowed to one spelling for each node).
func isEntity(s string) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > 255 || !isBaseURL(s) || s != strings.ToLower(u.Scheme+"://"+u.Host)+u.EscapedPath() {
		return false
	}
	if u.Scheme == "http" {
		return u.Hostname() == "127.0.0.1" && !slices.Contains([]string{"", "0", "80"}, u.Port()) && u.Path == ""
	}
	return u.Scheme == "https" && u.Port() != "443"
}

func isPlainASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isBaseURL tells whether paths can be appended to s as it is.
func isBaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		!strings.HasSuffix(u.Host, ":") && !strings.ContainsAny(s, "?#") && !strings.HasSuffix(s, "/") && isPlainASCII(s) && isPort(cmp.Or(u.Port(), "80"))
}

// isPostgresURL leaves all but the scheme to the driver, which reads forms that net/url does not.
func isPostgresURL(u SecretURL) bool {
	s := string(u)
	return s == "" || len(s) <= maxText && isPlainASCII(s) &&
		(strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://"))
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$`)

// isAddress tells whether s is HOST:PORT for listening; an empty host is every address, port 0 any free one.
func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || !isPort(port) {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	return hostName.MatchString(host)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
}

func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
