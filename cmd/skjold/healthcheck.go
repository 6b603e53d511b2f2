package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) healthcheckCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running node whether it is ready; exit code 0 if so",
		Long: `Ask a running node whether it is ready to serve. For container health checks and scripts: no shell and no other
program is needed.`,
		Example: "  skjold healthcheck\n  skjold healthcheck --url http://127.0.0.1:8080/readyz",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if url != "" {
				err = askURL(cmd.Context(), url)
			} else if where, ok := dataDir(a.data).running(); ok {
				err = askReady(cmd.Context(), where)
			} else {
				err = fmt.Errorf("no node is running on %s", a.data)
			}
			if err == nil {
				fmt.Fprintln(a.out, "ready")
			}
			return err
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "URL of /healthz or /readyz; found from --data unless given")
	return cmd
}

// askReady asks the node that holds a data directory's lock.
func askReady(ctx context.Context, s serving) error {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	scheme := "http"
	if s.TLS {
		scheme = "https"
	}
	return askURL(ctx, scheme+"://"+net.JoinHostPort(host, port)+"/readyz")
}

func askURL(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return usagef("--url: %w", err)
	}
	// Whether the node answers is asked, of this machine, with nothing secret in the question: the certificate's name
	// would be that of the public address.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s did not answer within 3 s", url)
	} else if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := readLimited(res.Body, 1024)
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(text)))
	}
	return nil
}
