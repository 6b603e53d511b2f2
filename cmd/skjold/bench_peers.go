package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// plainHandler is the yardstick that is always there: net/http sending bytes from memory, found by their path.
type plainHandler struct {
	server *http.Server
	url    string
	done   chan error
}

// yardstickBody is a body that yardsticks serve.
type yardstickBody struct {
	path   string // of the file, such as r1.json
	coding string
	body   []byte
}

func startPlain(samples []yardstickBody) (*plainHandler, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, s := range samples {
		length := strconv.Itoa(len(s.body))
		mux.HandleFunc("/"+s.name(), func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", taxii.MediaType)
			h.Set("Content-Length", length)
			if s.coding != "" {
				h.Set("Content-Encoding", s.coding)
			}
			_, _ = w.Write(s.body) // a client that goes away is the client's affair
		})
	}
	p := &plainHandler{server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, url: "http://" + ln.Addr().String() + "/", done: make(chan error, 1)}
	go func() { p.done <- p.server.Serve(ln) }()
	return p, nil
}

// name is the sample's path with its coding.
func (s yardstickBody) name() string {
	if s.coding == "" {
		return s.path
	}
	return s.path + "." + s.coding
}

func (p *plainHandler) close() error {
	err := p.server.Close()
	if served := <-p.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// nginxServer is nginx serving the samples as files, with one worker, the gzip ones by gzip_static.
type nginxServer struct {
	cmd *exec.Cmd
	url string
}

// nginxConfiguration has nothing that makes nginx slower than it is by default, and no log.
const nginxConfiguration = `daemon off;
%sworker_processes 2;
pid %[2]s/nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=100;
  types { application/taxii+json json; }
  client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fastcgi; uwsgi_temp_path %[2]s/uwsgi; scgi_temp_path %[2]s/scgi;
  server {
    listen %[3]s;
    root %[2]s/files;
    gzip_static on;
  }
}
`

// startNginx returns nil where nginx is not installed.
func startNginx(ctx context.Context, dir string, samples []yardstickBody) (*nginxServer, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return nil, nil
	}
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return nil, err
	}
	for _, s := range samples {
		name := s.path
		if s.coding == "gzip" {
			name += ".gz"
		} else if s.coding != "" {
			continue // nginx knows gzip only
		}
		if err := os.WriteFile(filepath.Join(files, name), s.body, 0o644); err != nil {
			return nil, err
		}
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // the files are in a directory that only this user reads
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConfiguration, user, dir, address), 0o600); err != nil {
		return nil, err
	}
	n := &nginxServer{cmd: exec.Command(path, "-p", dir, "-e", "stderr", "-c", conf), url: "http://" + address + "/"}
	n.cmd.Stderr = os.Stderr
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	if err := answers(ctx, n.url+samples[0].path); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *nginxServer) close() error {
	err := n.cmd.Process.Signal(os.Interrupt)
	return errors.Join(err, n.cmd.Wait())
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// answers waits until a URL is answered with 200.
func answers(ctx context.Context, url string) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = askURL(ctx, url); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within %s: %w", url, patience, last)
		case <-tick.C:
		}
	}
}
