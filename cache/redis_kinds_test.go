package cache

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// What users of these tests' servers have in place of passwords.
const (
	skjoldWord   = "of-the-node"
	operatorWord = "of-the-operator"
	sentinelWord = "of-the-sentinels"
)

// redisProcess is a Redis server that a test may kill.
type redisProcess struct {
	cmd     *exec.Cmd
	address string
	port    string
	said    *strings.Builder
}

// startServer runs redis-server with a configuration until the test ends. Without the program the test is skipped.
func startServer(t *testing.T, args []string, conf ...string) *redisProcess {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		without(t, "redis", "redis-server is not installed")
	}
	dir := t.TempDir()
	p := &redisProcess{port: freePorts(t), said: &strings.Builder{}}
	p.address = "127.0.0.1:" + p.port
	lines := append([]string{"bind 127.0.0.1", `save ""`, "appendonly no", "dir " + dir}, conf...)
	file := filepath.Join(dir, "redis.conf")
	text := strings.ReplaceAll(strings.Join(lines, "\n"), "PORT", p.port) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(program, append([]string{file}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("redis-server on %s said:\n%s", p.address, p.said)
		}
	})
	eventually(t, "redis-server takes connections", func() bool {
		c, err := net.Dial("tcp", p.address)
		return err == nil && c.Close() == nil
	})
	return p
}

// kill is kill -9.
func (p *redisProcess) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// freePorts is a port that nobody listens on, nor on the one of the Cluster's bus, 10,000 further.
func freePorts(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port > 55000 {
			continue
		}
		bus, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+10000))
		if err != nil {
			continue
		}
		bus.Close()
		return strconv.Itoa(port)
	}
	t.Fatal("there is no free port")
	return ""
}

// aclUser is a line of a server's configuration: the node's user with what docs/cache.md says that it needs, and more
// where a Cluster asks for it.
func aclUser(more ...string) string {
	return strings.Join(append(append([]string{"user skjold on >" + skjoldWord, "~" + prefix + "*", "&" + prefix + "*"}, aclCommands...), more...), " ")
}

// operator is the lines of a server's configuration for the user of those who operate it.
func operator() []string {
	return []string{"requirepass " + operatorWord, "masterauth " + operatorWord}
}

// sharedObjects is how many objects checkShared leaves.
const sharedObjects = 40

// checkShared holds that two processes share pages, messages and noted names by a Redis, and remove pages from it. On a busy
// machine a call may take longer than it may: each thing is tried until it is done.
func checkShared(t *testing.T, r *Redis) (a, b *node, c taxii.Collection) {
	t.Helper()
	a, b, c = twoNodes(t, r, r)
	const surplus = 20 // objects to delete
	for i := range sharedObjects + surplus {
		add(t, a, c, indicator(i, 1, stix.TLPGreen))
	}
	try := func(what string, done func(n int) bool) {
		t.Helper()
		n := -1
		eventually(t, what, func() bool {
			for _, node := range []*node{a, b} {
				node.clock.advance(maxWait) // the time for another call after some that failed
			}
			n++
			return done(n)
		})
	}
	query := func(n int) taxii.Query { // each has pages of its own
		return taxii.Query{Collection: c.ID, Limit: 2 + n%sharedObjects, Bytes: true, Version: taxii.VersionMatch{Last: true}}
	}
	try("a page comes from the other process", func(n int) bool {
		a.walk(t, query(n))
		return slices.Contains(b.walk(t, query(n)), fromRedis)
	})
	try("a message comes", func(int) bool {
		a.wrote(c.ID)
		return b.metric(t, "skjold_cache_redis_values_total", "message") > 0
	})
	try("a name is noted once", func(n int) bool {
		name := fmt.Sprint(c.ID, n)
		first, knownA := a.Once(t.Context(), name, time.Minute)
		second, knownB := b.Once(t.Context(), name, time.Minute)
		if knownA && knownB && second {
			t.Error("a name was noted for the first time by both processes")
		}
		return knownA && knownB && first
	})
	deleted := 0
	try("a page that is no more is removed", func(n int) bool {
		a.walk(t, query(n))
		if deleted < surplus {
			if _, err := a.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: indicator(sharedObjects+deleted, 1, stix.TLPGreen).ID}); err != nil {
				t.Fatal(err)
			}
			deleted++
		}
		a.walk(t, query(n))
		return a.callsDone(t, "del") > 0
	})
	for ; deleted < surplus; deleted++ {
		if _, err := a.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: indicator(sharedObjects+deleted, 1, stix.TLPGreen).ID}); err != nil {
			t.Fatal(err)
		}
	}
	return a, b, c
}

// callsDone is how many calls of a kind have succeeded.
func (n *node) callsDone(t *testing.T, call string) int {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == "skjold_cache_redis_calls_total" && labels["call"] == call && labels["result"] == "done" {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// worksAgain waits until processes share again what one of them notes.
func worksAgain(t *testing.T, a, b *node) {
	t.Helper()
	n := 0
	eventually(t, "the processes share again", func() bool {
		for _, n := range []*node{a, b} {
			n.clock.advance(maxWait) // the time for another try
		}
		n++
		name := fmt.Sprint("again ", n)
		first, knownA := a.Once(t.Context(), name, time.Minute)
		second, knownB := b.Once(t.Context(), name, time.Minute)
		return knownA && knownB && first && !second
	})
}

// goesOn holds that a process gives everything whatever its Redis does.
func goesOn(t *testing.T, n *node, c taxii.Collection, want int) {
	t.Helper()
	if got := n.walkLength(t, taxii.Query{Collection: c.ID, Limit: 100, Bytes: true, Version: taxii.VersionMatch{Last: true}}); got != want {
		t.Errorf("it gives %d objects of %d", got, want)
	}
}

// TestCommandsDocumented holds docs/cache.md against the commands that users of these tests may run.
func TestCommandsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/cache.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, commands := range [][]string{aclCommands, clusterCommands, sentinelCommands} {
		if want := "`" + strings.Join(commands, " ") + "`"; !strings.Contains(string(text), want) {
			t.Errorf("docs/cache.md does not name %s", want)
		}
	}
}

// TestRedisTLS runs a server that speaks TLS only, with an ACL user that may do what docs/cache.md says and no more.
func TestRedisTLS(t *testing.T) {
	dir := t.TempDir()
	roots := certificates(t, dir)
	p := startServer(t, nil, append(operator(), "port 0", "tls-port PORT", "tls-auth-clients no",
		"tls-cert-file "+filepath.Join(dir, "cert.pem"), "tls-key-file "+filepath.Join(dir, "key.pem"), "tls-ca-cert-file "+filepath.Join(dir, "ca.pem"), aclUser())...)
	r := &Redis{Addresses: []string{p.address}, Username: "skjold", Password: skjoldWord, TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}}
	a, b, c := checkShared(t, r)
	// Somebody else's certificate, no TLS, and a wrong password are a Redis that does not answer: pages come as before.
	for name, wrong := range map[string]Redis{
		"a certificate of nobody known": {Addresses: r.Addresses, Username: r.Username, Password: r.Password, TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}},
		"no TLS":                        {Addresses: r.Addresses, Username: r.Username, Password: r.Password},
		"a wrong password":              {Addresses: r.Addresses, Username: r.Username, Password: "wrong", TLS: r.TLS},
	} {
		n, mine := cached(t, &wrong)
		add(t, n, mine, indicator(1, 1, stix.TLPGreen))
		if _, known := n.Once(t.Context(), name, time.Minute); known {
			t.Errorf("%s: it answers", name)
		}
		goesOn(t, n, mine, 1)
	}
	p.kill()
	goesOn(t, a, c, sharedObjects)
	goesOn(t, b, c, sharedObjects)
}

// certificates writes an authority, and a certificate of 127.0.0.1 with its key, as PEM files.
func certificates(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{
		"cert.pem": certPEM, "ca.pem": certPEM, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return roots
}

// TestRedisSentinel runs a server with a replica, which a Sentinel with a user of its own watches, and kills the server by
// kill -9: the processes go on, and share the replica when the Sentinel has made it the server.
func TestRedisSentinel(t *testing.T) {
	conf := append(operator(), "port PORT", "repl-diskless-sync-delay 0", aclUser())
	server := startServer(t, nil, conf...)
	startServer(t, nil, append(conf, "replicaof 127.0.0.1 "+server.port)...)
	sentinel := startServer(t, []string{"--sentinel"}, "port PORT", "sentinel monitor feed 127.0.0.1 "+server.port+" 1",
		"sentinel auth-pass feed "+operatorWord, "sentinel down-after-milliseconds feed 300", "sentinel failover-timeout feed 2000",
		"user default off", "user skjold on >"+sentinelWord+" &* "+strings.Join(sentinelCommands, " ")+" +info")
	r := &Redis{Addresses: []string{sentinel.address}, Master: "feed", Username: "skjold", Password: skjoldWord,
		SentinelUsername: "skjold", SentinelPassword: sentinelWord}
	admin := *r
	admin.Username, admin.Password = "", operatorWord
	direct := admin.client()
	defer direct.Close()
	eventually(t, "the replica has what the server has, and the Sentinel knows it", func() bool {
		said, err := direct.Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(said, "state=online") && strings.Contains(sentinelSaid(sentinel, r), "slaves=1")
	})
	a, b, c := checkShared(t, r)
	server.kill()
	goesOn(t, a, c, sharedObjects)
	goesOn(t, b, c, sharedObjects)
	worksAgain(t, a, b)
}

// sentinelSaid is what a Sentinel says of what it watches.
func sentinelSaid(p *redisProcess, r *Redis) string {
	out, _ := exec.Command("redis-cli", "-h", "127.0.0.1", "-p", p.port, "--user", r.SentinelUsername, "--pass", r.SentinelPassword, "--no-auth-warning", "info", "sentinel").Output()
	return string(out)
}

// TestRedisCluster runs a Cluster of three servers and kills one of them by kill -9: what is on the others goes on to be
// shared, and what was on it comes from the database.
func TestRedisCluster(t *testing.T) {
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		without(t, "redis", "redis-cli is not installed")
	}
	conf := append(operator(), "port PORT", "cluster-enabled yes", "cluster-node-timeout 500", "cluster-require-full-coverage no",
		"cluster-allow-pubsubshard-when-down yes", aclUser(clusterCommands...))
	var servers []*redisProcess
	args := []string{"-a", operatorWord, "--no-auth-warning", "--cluster", "create"}
	for range 3 {
		p := startServer(t, nil, conf...)
		servers = append(servers, p)
		args = append(args, p.address)
	}
	if out, err := exec.Command(cli, append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli: %v\n%s", err, out)
	}
	eventually(t, "the Cluster is one", func() bool {
		for _, p := range servers {
			out, err := exec.Command(cli, "-h", "127.0.0.1", "-p", p.port, "-a", operatorWord, "--no-auth-warning", "cluster", "info").Output()
			if err != nil || !strings.Contains(string(out), "cluster_state:ok") || !strings.Contains(string(out), "cluster_slots_ok:16384") {
				return false
			}
		}
		return true
	})
	r := &Redis{Addresses: []string{servers[0].address, servers[1].address}, Cluster: true, Username: "skjold", Password: skjoldWord}
	a, b, c := checkShared(t, r)
	servers[0].kill()
	goesOn(t, a, c, sharedObjects)
	goesOn(t, b, c, sharedObjects)
	worksAgain(t, a, b)
}
