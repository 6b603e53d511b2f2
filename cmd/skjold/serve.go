package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/taxii"
)

// drainTimeout is how long a node that is told to stop lets running requests finish.
const drainTimeout = 30 * time.Second

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the node",
		Long: `Run the node of the data directory; an empty or missing directory is made a node first, and the administrator's
key is then shown once. The configuration is skjold.yaml in the data directory; environment variables (SKJOLD_LISTEN,
SKJOLD_LOG_LEVEL …) and flags override it. Interrupt or terminate it to stop: running requests are finished first.

/healthz answers while the process lives, /readyz with 200 while it can serve: not while it starts or stops, nor while the
database does not answer or is damaged. /metrics has figures for Prometheus.`,
		Example: `  skjold serve
  skjold serve --data /var/lib/skjold --listen 127.0.0.1:8080
  SKJOLD_LOG_FORMAT=json skjold serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd) },
	}
	config.AddFlags(cmd.Flags(), "listen", "log.level", "log.format")
	return cmd
}

// serve reads as the life of a node: initialise, configure, lock, open, listen, serve, drain, close.
func (a *app) serve(cmd *cobra.Command) error {
	ctx := cmd.Context()
	dir := dataDir(a.data)
	if err := a.initialiseForServe(ctx, dir, cmd); err != nil {
		return err
	}
	cfg, err := a.loadConfig(dir, cmd.Flags())
	if err != nil {
		return err
	}
	log := newLogger(a.err, cfg.Log)
	unlock, err := dir.takeLock(cfg)
	if err != nil {
		return err
	}
	defer unlock()
	ln, err := listen(cfg.Listen, "--listen")
	if err != nil {
		return err
	}
	defer ln.Close()
	files, err := loadTLS(cfg.TLS, log)
	if err != nil {
		return err
	}
	opened := answerStarting(ln, files, log)
	n, err := openNode(ctx, dir, cfg, log, nil)
	if ended := opened(); err == nil && ended != nil {
		err = errors.Join(ended, n.close())
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(cfg.Entity, "https://") && cfg.TLS.CertFile == "" && !cfg.BehindProxy {
		log.Warn("the entity is an https URL, but this node neither has a certificate (tls) nor is told that a proxy is in front (behind_proxy)")
	}
	log.Info("starting", "version", versionText(), "data", string(dir), "config", cfg)
	unbound := boundMemory(cfg, n.taxii.Held)
	defer unbound()
	err = n.serve(ctx, ln)
	return errors.Join(err, n.close())
}

// serve answers requests on ln until ctx ends, then drains.
func (n *node) serve(ctx context.Context, ln net.Listener) error {
	group, groupCtx := errgroup.WithContext(ctx)
	// Background work outlives the drain, so that what running requests did is noted.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()

	servers := []*http.Server{n.server(n.handler())}
	listeners := []net.Listener{ln}
	if n.cfg.Metrics.Listen != "" {
		mln, err := listen(n.cfg.Metrics.Listen, "metrics.listen")
		if err != nil {
			return err
		}
		servers = append(servers, n.server(n.metricsHandler()))
		listeners = append(listeners, mln)
	}
	for i, s := range servers {
		group.Go(func() error {
			var err error
			if i == 0 && n.tls != nil {
				s.TLSConfig = n.tls.serverConfig()
				err = s.ServeTLS(listeners[i], "", "")
			} else {
				err = s.Serve(gathering{listeners[i]})
			}
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		})
	}
	group.Go(func() error {
		err := n.run(background)
		if err != nil {
			return fmt.Errorf("background work ended: %w", err)
		}
		return nil
	})
	n.ready.set(true)
	n.log.Info("serving", "address", ln.Addr().String(), "api_root", apiRootURL(n.cfg))
	group.Go(func() error {
		<-groupCtx.Done()
		n.ready.set(false)
		n.log.Info("stopping; running requests are finished first")
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		var errs []error
		for _, s := range servers {
			if err := s.Shutdown(drain); err != nil {
				errs = append(errs, fmt.Errorf("requests were still running after %s: %w", drainTimeout, err), s.Close())
			}
		}
		stopBackground()
		return errors.Join(errs...)
	})
	err := group.Wait()
	n.log.Info("stopped")
	return err
}

// server bounds what a slow or hostile client can hold on to.
func (n *node) server(h http.Handler) *http.Server {
	l := n.cfg.Limits
	return &http.Server{
		// The TAXII server gives bodies that it wants their own, longer deadline.
		Handler: h, ReadHeaderTimeout: l.HeaderTimeout, ReadTimeout: 2 * l.HeaderTimeout, IdleTimeout: l.IdleTimeout, MaxHeaderBytes: int(l.HeaderSize),
		WriteTimeout: l.BodyTimeout + l.RequestTimeout, ConnContext: taxii.ConnContext,
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
}

// listen opens an address, with an error that says what to do.
func listen(address, flag string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another program (a node that is running already?); choose another address with %s", address, flag)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("this user may not listen on %s; ports below 1024 need a privilege: choose another with %s", address, flag)
	case err != nil:
		return nil, fmt.Errorf("can't listen on %s: %w", address, err)
	}
	return ln, nil
}

// newLogger makes the log that a configuration asks for.
func newLogger(w any, cfg config.Log) *slog.Logger {
	return slog.New(logHandler(w, cfg))
}
