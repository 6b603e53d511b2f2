package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// authority issues certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serials int64

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	template := a.template("authority", time.Now().Add(time.Hour))
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a.cert, a.key = a.sign(template, template, nil)
	return a
}

func (a *authority) template(name string, until time.Time) *x509.Certificate {
	serials++
	return &x509.Certificate{
		SerialNumber: big.NewInt(serials), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (a *authority) sign(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// issue makes a certificate as PEM, and its key.
func (a *authority) issue(name string, until time.Time) (certPEM, keyPEM []byte) {
	a.t.Helper()
	cert, key := a.sign(a.template(name, until), a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// put replaces a file as a certificate tool does: a new file under the old name.
func put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(name+".new", content, 0o600), os.Rename(name+".new", name)); err != nil {
		t.Fatal(err)
	}
}

// tlsDir makes the files of a node that serves HTTPS.
func tlsDir(t *testing.T, a *authority) config.TLS {
	dir := t.TempDir()
	cfg := config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), ClientCAFile: filepath.Join(dir, "ca.pem")}
	cert, key := a.issue("node", time.Now().Add(time.Hour))
	put(t, cfg.CertFile, cert)
	put(t, cfg.KeyFile, key)
	put(t, cfg.ClientCAFile, a.pem())
	return cfg
}

// TestTLSFilesAreReadAnew replaces the files of a node one by one, as tools and people do.
func TestTLSFilesAreReadAnew(t *testing.T) {
	a := newAuthority(t)
	cfg := tlsDir(t, a)
	var logged bytes.Buffer
	f, err := loadTLS(cfg, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.now = func() time.Time { return now }
	serial := func() string {
		now = now.Add(lookEvery)
		c, err := f.serverConfig().GetConfigForClient(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Certificates[0].Leaf.SerialNumber.String()
	}
	first := serial()
	cert, key := a.issue("node", time.Now().Add(time.Hour))

	put(t, cfg.CertFile, cert) // does not fit the old key
	for range 3 {
		if got := serial(); got != first {
			t.Fatalf("serial %s in force while cert and key do not fit together, want %s", got, first)
		}
	}
	if n := strings.Count(logged.String(), "can't be used"); n != 1 {
		t.Errorf("logged %d times that the files can't be used, want once:\n%s", n, &logged)
	}
	put(t, cfg.KeyFile, key)
	second := serial()
	if second == first {
		t.Error("the new certificate is not in force")
	}
	now = now.Add(-lookEvery)
	put(t, cfg.KeyFile, []byte("nonsense"))
	if c, _ := f.refreshed(); c.Certificates[0].Leaf.SerialNumber.String() != second {
		t.Error("looked again within a second")
	}
	for name, change := range map[string]func(){
		"a broken key":   func() { put(t, cfg.KeyFile, []byte("nonsense")) },
		"no certificate": func() { put(t, cfg.KeyFile, key); os.Remove(cfg.CertFile) },
		"an open key": func() {
			put(t, cfg.CertFile, cert)
			if err := os.Chmod(cfg.KeyFile, 0o644); err != nil {
				t.Fatal(err)
			}
			put(t, cfg.CertFile, cert)
		},
		"no authority": func() { put(t, cfg.ClientCAFile, []byte("nonsense")) },
	} {
		change()
		logged.Reset()
		if got := serial(); got != second || f.clientRoots() == nil {
			t.Errorf("%s: serial %s, want %s", name, got, second)
		}
		if serial(); strings.Count(logged.String(), "can't be used") > 1 {
			t.Errorf("%s: logged more than once:\n%s", name, &logged)
		}
		if strings.Contains(logged.String(), "nonsense") {
			t.Errorf("%s: the log has the content of a file:\n%s", name, &logged)
		}
	}
	put(t, cfg.CertFile, cert)
	put(t, cfg.KeyFile, key)
	other := newAuthority(t)
	put(t, cfg.ClientCAFile, other.pem())
	if serial(); !f.clientRoots().Equal(other.pool()) {
		t.Error("the new authority is not in force")
	}
}

// tlsNode is a node that serves HTTPS and asks for client certificates.
func tlsNode(t *testing.T, a *authority, change func(*config.Config)) *testNode {
	cfg := tlsDir(t, a)
	return newTestNode(t, stix.TLPGreen, func(c *config.Config) {
		c.TLS = cfg
		if change != nil {
			change(c)
		}
	})
}

// tlsClient is a client of a node, with a certificate of its own where cert is not nil.
func tlsClient(t *testing.T, a *authority, cert, key []byte) *http.Client {
	t.Helper()
	c := &tls.Config{RootCAs: a.pool()}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		// Sent whatever the server asks for, as some clients do.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask sends a request to the node's API root.
func (n *testNode) ask(t *testing.T, c *http.Client, method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "https://"+n.ln.Addr().String()+"/taxii2/main/"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", taxii.MediaType)
	r.Header.Set("Content-Type", taxii.MediaType)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, withoutID.ReplaceAllString(string(text), "")
}

func TestClientCertificates(t *testing.T) {
	a := newAuthority(t)
	n := tlsNode(t, a, nil)
	hour := time.Now().Add(time.Hour)
	write := func(cert []byte) string {
		name := filepath.Join(t.TempDir(), "client.pem")
		put(t, name, cert)
		return name
	}
	cert, key := a.issue("sensor", hour)
	ended, endedKey := a.issue("ended", time.Now().Add(-time.Hour))
	foreign, foreignKey := newAuthority(t).issue("sensor", hour)
	unbound, unboundKey := a.issue("sensor", hour)
	data := string(n.dir)
	mustRun(t, "client", "add", "sensor", "--data", data, "--read", firstAlias, "--certificate", write(cert), "--certificate", write(ended), "--certificate", write(foreign))
	bearer := "Bearer " + n.made.Password

	plain := tlsClient(t, a, nil, nil)
	_, nobody := n.ask(t, plain, "GET", "collections/", nil)
	for _, tt := range []struct {
		name      string
		cert, key []byte
		headers   []string
		want      int
	}{
		{"none", nil, nil, nil, 401},
		{"bound", cert, key, nil, 200},
		{"bound and ended", ended, endedKey, nil, 401},
		{"bound, of another authority", foreign, foreignKey, nil, 401},
		{"not bound, of the same name", unbound, unboundKey, nil, 401},
		{"beside a key", cert, key, []string{"Authorization", bearer}, 200},
		{"beside a wrong key", cert, key, []string{"Authorization", "Bearer wrong"}, 401},
		{"beside an empty key", cert, key, []string{"X-Api-Key", ""}, 401},
		{"ended, beside a key", ended, endedKey, []string{"Authorization", bearer}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, body := n.ask(t, tlsClient(t, a, tt.cert, tt.key), "GET", "collections/", nil, tt.headers...)
			if res.StatusCode != tt.want || res.ProtoMajor != 2 {
				t.Errorf("%s %s: %s", res.Proto, res.Status, body)
			}
			if tt.want == 401 && body != nobody {
				t.Errorf("the answer tells more than to nobody: %s", body)
			}
			if byKey := strings.Contains(fmt.Sprint(tt.headers), bearer); tt.want == 200 && strings.Contains(body, `"can_write":true`) != byKey {
				t.Errorf("the rights are those of another account: %s", body)
			}
		})
	}
	mustRun(t, "client", "set", "sensor", "--data", data, "--disable")
	client := tlsClient(t, a, cert, key)
	eventually(t, scriptTimeout, func() error {
		if res, _ := n.ask(t, client, "GET", "collections/", nil); res.StatusCode != 401 {
			return fmt.Errorf("still %s", res.Status)
		}
		return nil
	})
}

func TestTLSVersions(t *testing.T) {
	a := newAuthority(t)
	n := tlsNode(t, a, nil)
	for version, accepted := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", n.ln.Addr().String(), &tls.Config{RootCAs: a.pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != accepted {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			c.Close()
		}
	}
}

// endlessBody gives spaces until it is closed.
type endlessBody struct {
	done chan struct{}
}

func (b endlessBody) Read(p []byte) (int, error) {
	select {
	case <-b.done:
		return 0, io.ErrClosedPipe
	default:
		for i := range p {
			p[i] = ' '
		}
		return len(p), nil
	}
}

func (b endlessBody) Close() error { close(b.done); return nil }

// TestHTTP2 holds that what the scripts say of HTTP/1.1 is so over HTTP/2, and that a refusal ends a body that is still
// being written, instead of waiting for it.
func TestHTTP2(t *testing.T) {
	a := newAuthority(t)
	n := tlsNode(t, a, nil)
	c := tlsClient(t, a, nil, nil)
	auth := []string{"Authorization", "Bearer " + n.made.Password}
	objects := "collections/" + firstAlias + "/objects/"
	const envelope = `{"objects":[{"type":"identity","spec_version":"2.1","id":"identity--00000000-0000-4000-8000-000000000003",` +
		`"created":"2024-01-01T00:00:01.000Z","modified":"2024-01-01T00:00:01.000Z","name":"Three"}]}`
	for _, tt := range []struct {
		name, method, path string
		body               io.Reader
		headers            []string
		want               int
	}{
		{"get", "GET", objects, nil, auth, 200},
		{"post", "POST", objects, strings.NewReader(envelope), auth, 202},
		{"unauthenticated, endless", "POST", objects, endlessBody{make(chan struct{})}, nil, 401},
		{"no collection, endless", "POST", "collections/none/objects/", endlessBody{make(chan struct{})}, auth, 404},
		{"too large, endless", "POST", objects, endlessBody{make(chan struct{})}, auth, 413},
		{"wrong type, endless", "POST", objects, endlessBody{make(chan struct{})}, append([]string{"Content-Type", "text/plain"}, auth...), 415},
		{"wrong method", "PUT", objects, endlessBody{make(chan struct{})}, auth, 405},
		{"get again", "GET", objects, nil, auth, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, body := n.ask(t, c, tt.method, tt.path, tt.body, tt.headers...)
			if res.StatusCode != tt.want || res.ProtoMajor != 2 {
				t.Errorf("%s %s, want %d: %s", res.Proto, res.Status, tt.want, body)
			}
		})
	}
}
