package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// composed is the hub of deploy/compose.yaml with processes in the place of containers: its two services with their
// settings, its Redis with its command, and nginx with its configuration, in all of which only the addresses are others.
// PostgreSQL is a schema of the server for tests.
type composed struct {
	t        *testing.T
	dir      dataDir
	database string
	settings map[string][]string // environment by service
	services []string            // in the order of their dependencies
	running  map[string]*process
	address  string       // of the proxy
	http     *http.Client // by the proxy
}

func startComposed(t *testing.T) *composed {
	t.Helper()
	for _, program := range []string{"nginx", "redis-server"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed; it is a part of deploy/compose.yaml", program)
		}
	}
	h := &composed{t: t, dir: dataDir(filepath.Join(t.TempDir(), "data")), database: newSchema(t), settings: map[string][]string{}, running: map[string]*process{}}
	c, example := readCompose(t), exampleEnvironment(t)
	redis := h.startRedis(c, example)
	for name, s := range c.Services {
		if s.Image != "skjold" {
			continue
		}
		h.services = append(h.services, name)
		values := map[string]string{}
		for variable, value := range s.Environment {
			values[variable] = substitute(t, value, example)
		}
		values["SKJOLD_DATABASE_URL"], values["SKJOLD_REDIS_ADDRESSES"], values["SKJOLD_TRUSTED_PROXIES"] = h.database, redis, "127.0.0.1/32"
		values["SKJOLD_LISTEN"] = "127.0.0.1:" + freePort(t)
		values["SKJOLD_LIMITS_REQUEST_RATE"] = "0" // of the crew, which is busier than clients are
		for variable, value := range values {
			h.settings[name] = append(h.settings[name], variable+"="+value)
		}
	}
	slices.SortFunc(h.services, func(a, b string) int {
		if _, ok := c.Services[a].DependsOn[b]; ok {
			return 1
		}
		return -1
	})
	for _, name := range h.services {
		h.start(name)
	}
	h.startProxy()
	return h
}

// start starts a service: serve on the volume, which it makes a node if it is empty.
func (h *composed) start(name string) {
	h.t.Helper()
	h.running[name] = startProcess(h.t, h.dir, h.settings[name]...)
}

// startRedis starts Redis by the very command of the Compose file, and returns its address.
func (h *composed) startRedis(c composeFile, example map[string]string) string {
	h.t.Helper()
	s := c.Services["redis"]
	if len(s.Command) != 3 || s.Command[0] != "sh" || s.Command[1] != "-c" {
		h.t.Fatalf("Redis is started by %q", s.Command)
	}
	port := freePort(h.t)
	line := strings.ReplaceAll(substitute(h.t, s.Command[2], example), "$$", "$") + " --bind 127.0.0.1 --port " + port
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Env = h.t.TempDir(), os.Environ()
	for variable, value := range s.Environment {
		cmd.Env = append(cmd.Env, variable+"="+substitute(h.t, value, example))
	}
	runServer(h.t, cmd, "127.0.0.1:"+port)
	return "127.0.0.1:" + port
}

// runServer runs a server until the test ends, and waits until it takes connections.
func runServer(t *testing.T, cmd *exec.Cmd, address string) {
	t.Helper()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Args[0], &said)
		}
	})
	eventually(t, 20*time.Second, func() error {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// startProxy starts nginx with the configuration of deploy/, and makes the client that goes by it.
func (h *composed) startProxy() {
	t := h.t
	t.Helper()
	ca := newAuthority(t)
	upstreams := map[string]string{}
	for _, name := range h.services {
		upstreams[name] = strings.TrimPrefix(h.running[name].url, "http://")
	}
	h.address = "127.0.0.1:" + freePort(t)
	file := proxyConfiguration(t, ca, h.address, upstreams)
	cmd := exec.Command("nginx", "-p", filepath.Dir(file), "-e", "stderr", "-c", file, "-g", "daemon off;")
	runServer(t, cmd, h.address)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 32,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, h.address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	h.http = &http.Client{Transport: transport, Timeout: time.Minute}
}

// proxyConfiguration writes deploy/nginx.conf to a file, with a certificate and addresses of this machine in it and with
// files that any user may write.
func proxyConfiguration(t *testing.T, ca *authority, address string, upstreams map[string]string) (file string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM, keyPEM := ca.issue("localhost", time.Now().Add(time.Hour))
	put(t, certificate, certPEM)
	put(t, key, keyPEM)
	pairs := []string{
		"/etc/nginx/tls/cert.pem", certificate, "/etc/nginx/tls/key.pem", key, "listen 443 ssl;", "listen " + address + " ssl;",
		"http2 on;", "", // nginx 1.25 and later
		"worker_processes auto;", "worker_processes auto; pid " + filepath.Join(dir, "nginx.pid") + "; error_log stderr;",
	}
	for name, upstream := range upstreams {
		pairs = append(pairs, name+":8080", upstream)
	}
	if os.Geteuid() == 0 { // its workers would be another user, who does not come into the test's directory
		pairs = append(pairs, "events {", "user root;\nevents {")
	}
	var temporary strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s;\n", what, filepath.Join(dir, what))
	}
	pairs = append(pairs, "http {", "http {\n"+temporary.String())
	conf := string(text)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(conf, pairs[i]) {
			t.Fatalf("deploy/nginx.conf does not have %q", pairs[i])
		}
		conf = strings.ReplaceAll(conf, pairs[i], pairs[i+1])
	}
	file = filepath.Join(dir, "nginx.conf")
	put(t, file, []byte(conf))
	return file
}

// TestComposed runs the hub of deploy/compose.yaml while its processes are killed and stopped. Who publishes, deletes and
// polls by the proxy gets everything once and in order; that a process stops in order or starts is not seen by anybody who
// reads, and that one is killed is not seen for long.
func TestComposed(t *testing.T) {
	t.Parallel()
	h := startComposed(t)
	var admin struct{ User, Password string }
	h.command(&admin, "client", "add", "crew", "--admin", "--json")
	var status statusJSON
	eventually(t, 10*time.Second, func() error {
		h.command(&status, "status", "--json")
		if len(status.Processes) != len(h.services) || !status.Running || status.Health != "ready" {
			return fmt.Errorf("status tells of %+v, running %v, %q", status.Processes, status.Running, status.Health)
		}
		return nil
	})
	client, err := taxii.NewClient(taxii.ClientOptions{URL: "https://localhost/taxii2/" + config.Default().APIRoot.Name + "/", User: admin.User, Password: admin.Password, Retries: -1, HTTP: h.http})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{URL: h.database, PatternValues: pattern.Values})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	first, err := st.FindCollection(t.Context(), firstAlias)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(variable(t, seedVariable, time.Now().UnixNano()>>10))
	t.Logf("%s=%d", seedVariable, seed)
	c := &crew{t: t, world: newWorld(seed), collection: first.ID, seed: seed, lag: 2 * time.Second, clients: []*taxii.Client{client}, proxied: true}
	finish, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ctx, stop := context.WithCancel(finish)
	defer stop()
	c.publishers(ctx, finish)
	c.follow(ctx)
	reader := h.read(ctx)

	rng := rand.New(rand.NewPCG(seed, 4))
	for range variable(t, killsVariable, 2) {
		for _, name := range h.services {
			pause(time.Duration(100+rng.IntN(300)) * time.Millisecond)
			h.running[name].kill()
			pause(time.Duration(100+rng.IntN(300)) * time.Millisecond)
			h.start(name)
		}
	}
	reader.noted.Store(true)
	for _, name := range h.services { // as an upgrade that needs no migration does
		h.running[name].stop(t)
		pause(200 * time.Millisecond)
		h.start(name)
		pause(200 * time.Millisecond)
	}
	reader.noted.Store(false)
	stop()
	c.settle(finish)
	<-reader.ended
	if reader.answered.Load() < 20 {
		t.Errorf("only %d requests were answered while processes were stopped in order", reader.answered.Load())
	}
	checkHeld(t, st, c)
	t.Logf("%s; beside them %d reads while processes stopped in order", c, reader.answered.Load())
}

// command runs a command in one of the containers, as it were, and reads its JSON.
func (h *composed) command(into any, args ...string) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), os.Args[0], append(args, "--data", string(h.dir))...)
	cmd.Env = append(append(os.Environ(), asProgram+"=1"), h.settings[h.services[len(h.services)-1]]...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		h.t.Fatalf("%q: %v\n%s%s", args, err, out, &said)
	}
}

// stop asks a process to stop, as a container's runtime does, and waits until it has.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("stopped in order, a process ends with %v", err)
	}
}

// proxyReader asks the proxy again and again.
type proxyReader struct {
	noted    atomic.Bool // whether an answer other than 200 is an error
	answered atomic.Int64
	ended    chan struct{}
}

// read asks for readiness and for the discovery of the hub until ctx ends.
func (h *composed) read(ctx context.Context) *proxyReader {
	r := &proxyReader{ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		for ctx.Err() == nil {
			noted := r.noted.Load()
			res, err := h.http.Get("https://localhost/readyz")
			status := ""
			if err == nil {
				status = res.Status
				res.Body.Close()
			}
			if noted && r.noted.Load() {
				if err != nil || res.StatusCode != http.StatusOK {
					h.t.Errorf("while a process stops in order the proxy answers %q, %v", status, err)
				}
				r.answered.Add(1)
			}
			_ = pauseFor(ctx, 5*time.Millisecond)
		}
	}()
	return r
}

// TestProxyHides holds that the proxy keeps the figures to the inside, and that what clients say of their address does not
// reach the processes.
func TestProxyHides(t *testing.T) {
	text, err := os.ReadFile("../../deploy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{
		"/metrics":        `location = /metrics \{ return 404; \}`,
		"X-Forwarded-For": `proxy_set_header X-Forwarded-For \$remote_addr;`,
		"only GETs twice": `(?m)^\s*proxy_next_upstream error timeout http_503;`,
	} {
		if !regexp.MustCompile(want).Match(text) {
			t.Errorf("%s: deploy/nginx.conf has no %s", what, want)
		}
	}
}
