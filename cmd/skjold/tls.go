package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/config"
)

// lookEvery is how often the files of tls are looked at, at most: with the handshake that comes next.
const lookEvery = time.Second

// tlsFiles is what the node serves HTTPS with, as its files have it. A new certificate is taken up by the next handshake
// after it has been put there; what can't be used is logged once, and the old one stays.
type tlsFiles struct {
	cfg config.TLS
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	looked  time.Time
	seen    []os.FileInfo // of the files when they were read last, well or not
	current *tls.Config
	roots   *x509.CertPool // of client certificates; nil where none are asked for
}

// loadTLS reads the files; nil if the node serves plain HTTP.
func loadTLS(cfg config.TLS, log *slog.Logger) (*tlsFiles, error) {
	if cfg.CertFile == "" {
		return nil, nil
	}
	f := &tlsFiles{cfg: cfg, log: log, now: time.Now}
	seen, err := f.stat()
	if err != nil {
		return nil, err
	}
	f.seen, f.looked = seen, f.now()
	return f, f.read()
}

// serverConfig is what the server is started with.
func (f *tlsFiles) serverConfig() *tls.Config {
	c := baseTLSConfig()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current, _ := f.refreshed()
		return current, nil
	}
	return c
}

// baseTLSConfig leaves cipher suites and curves to the Go release that the node is built with: forward secrecy, AEAD, and
// hybrid post-quantum key exchange where the client has it.
func baseTLSConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

// clientRoots are the authorities of client certificates; nil where none are asked for.
func (f *tlsFiles) clientRoots() *x509.CertPool {
	_, roots := f.refreshed()
	return roots
}

// refreshed looks whether a file has changed, and returns what is in force then.
func (f *tlsFiles) refreshed() (*tls.Config, *x509.CertPool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.looked) >= lookEvery {
		f.looked = now
		f.reread()
	}
	return f.current, f.roots
}

func (f *tlsFiles) reread() {
	seen, err := f.stat()
	if err == nil && sameFiles(f.seen, seen) {
		return
	}
	if err != nil && f.seen == nil {
		return // it is still so, and has been logged
	}
	f.seen = seen
	if err == nil {
		err = f.read()
	}
	if err != nil {
		f.log.Error("the new files of tls can't be used; the old ones stay in force", "error", err)
		return
	}
	f.log.Info("the files of tls were read anew", "valid_until", f.current.Certificates[0].Leaf.NotAfter)
}

// stat describes the files; nil with an error.
func (f *tlsFiles) stat() ([]os.FileInfo, error) {
	var list []os.FileInfo
	for _, file := range []struct{ key, name string }{
		{"tls.cert_file", f.cfg.CertFile}, {"tls.key_file", f.cfg.KeyFile}, {"tls.client_ca_file", f.cfg.ClientCAFile},
	} {
		if file.name == "" {
			continue
		}
		info, err := os.Stat(file.name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.key, err)
		}
		list = append(list, info)
	}
	return list, nil
}

func sameFiles(a, b []os.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}

// read reads the files and puts them in force if all of them can be used.
func (f *tlsFiles) read() error {
	if info, err := os.Stat(f.cfg.KeyFile); err != nil {
		return fmt.Errorf("tls.key_file: %w", err)
	} else if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("tls.key_file: others can read %s (mode %#o); make it readable by the node's user only: chmod 600 %s",
			f.cfg.KeyFile, info.Mode().Perm(), f.cfg.KeyFile)
	}
	pair, err := tls.LoadX509KeyPair(f.cfg.CertFile, f.cfg.KeyFile)
	if err != nil {
		return fmt.Errorf("tls.cert_file and tls.key_file: %w", err)
	}
	c := baseTLSConfig()
	c.Certificates = []tls.Certificate{pair}
	var roots *x509.CertPool
	if f.cfg.ClientCAFile != "" {
		if roots, err = readRoots(f.cfg.ClientCAFile); err != nil {
			return fmt.Errorf("tls.client_ca_file: %w", err)
		}
		// Who has none, or another, is told so by a 401 as everybody else; see certificateAccounts.
		c.ClientAuth, c.ClientCAs = tls.RequestClientCert, roots
	}
	f.current, f.roots = c, roots
	return nil
}

func readRoots(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New(name + " has no certificate in PEM")
	}
	return roots, nil
}
